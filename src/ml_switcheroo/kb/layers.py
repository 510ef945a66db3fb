"""Knowledge bases of the user, laid over ours: where they lie and whether they have changed.

A layer is a folder with definition files (`ops/*.yaml`, EXTENDING_WITH_DSL.md), with rows in the layout of ours
(`semantics/`, `snapshots/<framework>/`), or with both. The user's own folder lies over ours, and over that the
project's: `.ml_switcheroo/` in the working directory or the nearest of its parents. The working directory decides, not
the file that is converted: one run has one knowledge base, and a downloaded package brings no rows along.
The variable ML_SWITCHEROO_KB names other layers instead (weakest first; empty: none).

An installed package can bring a framework along (entry point group `ml_switcheroo.rows`): its folder is a layer right
over ours, once somebody asks for that framework by name.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

VARIABLE = "ML_SWITCHEROO_KB"
PROJECT = ".ml_switcheroo"
PARTS = ("ops", "semantics", "snapshots")
COMPILED = ".compiled"
ROWS = "ml_switcheroo.rows"

_installed: list[Path] = []  # layers of packages whose frameworks were asked for


# Where a platform has a user's settings and what can be made again: a variable, and the folder below home without it.
SETTINGS = {
    "win32": ("APPDATA", "AppData/Roaming"),
    "darwin": (None, "Library/Application Support"),
    "": ("XDG_CONFIG_HOME", ".config"),
}
CACHES = {
    "win32": ("LOCALAPPDATA", "AppData/Local"),
    "darwin": (None, "Library/Caches"),
    "": ("XDG_CACHE_HOME", ".cache"),
}


def user_folder() -> Path:
    """The user's own layer, in the place that the platform has for settings."""
    return _folder(SETTINGS)


def cache_folder() -> Path:
    """Where compiled tables go when they cannot lie in the layer itself, and proofs of the fuzzer."""
    return _folder(CACHES)


def _folder(places: dict[str, tuple[str | None, str]]) -> Path:
    variable, below = places.get(sys.platform, places[""])
    return Path((variable and os.environ.get(variable)) or Path.home() / below) / "ml_switcheroo"


def project_folder() -> Path | None:
    """The project's layer, if there is one above the working directory that belongs to us."""
    try:
        here = Path.cwd()
    except FileNotFoundError:
        return None
    for folder in (here, *here.parents):
        found = folder / PROJECT
        if found.is_dir():
            if _is_ours(found):
                return found
            print(f"{found}: left out, because it belongs to another user", file=sys.stderr)
            return None
    return None


def _is_ours(folder: Path) -> bool:
    """Rows write code: those that somebody else has put into a shared folder are not for us."""
    return not hasattr(os, "getuid") or folder.stat().st_uid in {os.getuid(), 0}


def find_installed(framework: str) -> bool:
    """Looks for a package that has rows for a framework, and lays them over ours. No code of it runs."""
    from importlib.metadata import entry_points
    from importlib.util import find_spec

    for entry in entry_points(group=ROWS):
        spec = find_spec(entry.value) if entry.name == framework else None
        for place in (spec.submodule_search_locations or ()) if spec is not None else ():
            if Path(place) not in _installed:
                _installed.append(Path(place))
                return True
    return False


def is_installed(layer: Path) -> bool:
    """Does a layer belong to a package? Then nothing is written into it."""
    return layer in _installed


def active() -> list[Path]:
    """The layers over our own knowledge base that hold something, weakest first."""
    told = os.environ.get(VARIABLE)
    if told is not None:
        folders = [Path(part).absolute() for part in told.split(os.pathsep) if part]
    else:
        project = project_folder()
        folders = [user_folder(), *([project] if project is not None else [])]
    folders = [*_installed, *folders]
    return [folder for folder in dict.fromkeys(folders) if any((folder / part).is_dir() for part in PARTS)]


def shown(path: Path) -> str:
    """A path for messages: relative where it lies below the working directory."""
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except (ValueError, FileNotFoundError):
        return path.as_posix()

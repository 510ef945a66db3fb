"""Which file a name belongs to: the modules of a project, found by import."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import TYPE_CHECKING

import libcst as cst

from ..source import read_source
from .model import FunctionInfo, ModuleInfo

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MAX_NEIGHBOURS = 200  # modules parsed for what they say about a file; beyond that their names stay unknown
MAX_REACH = 2  # imports between a file that is converted and a module that is read for it; packages do not count
MAX_PARENTS = 4  # how far above a loose file its project's root is looked for


def module_name(path: Path) -> tuple[str, Path]:
    """Dotted name of a file and the folder from which that name is imported.

    `pkg/models/net.py` -> ('pkg.models.net', parent of pkg). A folder without an `__init__.py` is part of the package
    if the file's relative imports say so: `from ..blocks import Block` needs two folders above the file.
    """
    parts = [] if path.stem == "__init__" else [path.stem]
    own = len(parts)  # the rest are folders
    folder = path.parent

    def climb() -> None:
        nonlocal folder
        while (folder / "__init__.py").exists() and folder.parent != folder:
            parts.insert(0, folder.name)
            folder = folder.parent

    climb()
    needed = _deepest_relative_import(path)
    while len(parts) - own < needed and folder.name:
        parts.insert(0, folder.name)
        folder = folder.parent
        climb()
    return ".".join(parts) or path.stem, folder


_RELATIVE_IMPORT = re.compile(rb"^[ \t]*from[ \t]*(\.+)[ \t]*[\w.]*[ \t]+import\b", re.MULTILINE)


_STAR_IMPORT = re.compile(r"^[ \t]*from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]*\*", re.MULTILINE)
_NAMED = re.compile(r"['\"](\w+)['\"]")  # where `__all__` lists what is brought along
_BOUND = re.compile(  # definitions, assignments, imports, and the lines of an import in brackets
    r"^(?:[ \t]*(?:class|(?:async[ \t]+)?def)[ \t]+\w+|\w+[ \t]*[:=]|.*\bimport\b.*|[ \t]+\w+,?[ \t]*$)", re.MULTILINE
)
_WORD = re.compile(r"[^\W\d]\w*")


def _text(path: Path) -> str:
    """The text of a neighbour, '' where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


@lru_cache(maxsize=4096)
def _deepest_relative_import(path: Path) -> int:
    """The number of dots of the relative import that climbs highest."""
    try:
        data = path.read_bytes()
    except OSError:
        return 0
    return max((len(dots) for dots in _RELATIVE_IMPORT.findall(data)), default=0)


def is_library_folder(folder: Path) -> bool:
    """Is this where installed packages lie? Then only the file's own package counts as its project."""
    return folder.name in {"site-packages", "dist-packages"} or any(folder.glob("*.dist-info"))


class ModuleFinder:
    """Finds and parses the modules of a project; a module is parsed once, when something first asks for it."""

    def __init__(self, foreign: Iterable[str] = (), reach: int = MAX_REACH) -> None:
        self.modules: dict[str, ModuleInfo | None] = {}
        self.paths: dict[str, Path | None] = {}
        self.brought: dict[str, frozenset[str]] = {}  # by module: the names that a star import of it brings
        self.listings: dict[Path, frozenset[str]] = {}
        self.by_path: dict[Path, ModuleInfo] = {}
        self.roots: list[tuple[Path, str | None]] = []  # (folder, the only top-level package that it may serve)
        self.limit = MAX_NEIGHBOURS
        self.reach = reach
        self.foreign = frozenset(foreign)  # top-level packages that are frameworks, never part of a project

    def add_file(self, path: Path, text: str | None = None, tree: cst.Module | None = None) -> ModuleInfo:
        """Parses a file that is to be converted and makes its folder a place to import from."""
        path = path.absolute()
        if path in self.by_path:
            self.by_path[path].distance = 0
            return self.by_path[path]
        name, root = module_name(path)
        top = name.split(".")[0]
        self._add_root(root, top if is_library_folder(root) else None)
        if not (path.parent / "__init__.py").exists():
            self._add_root(path.parent, None)  # a folder of scripts: what lies beside it can be imported, too
        if "." not in name and not is_library_folder(root):
            for parent in list(root.parents)[: MAX_PARENTS - 1]:
                if parent == parent.parent or is_library_folder(parent):
                    break
                self._add_root(parent, None)
        self._add_package_around(root)
        self.limit += 1  # files that are converted do not count
        module = self._parse(name, path, text, tree)
        if module is None:
            raise cst.ParserSyntaxError("cannot parse", lines=[""], raw_line=1, raw_column=0)
        module.distance = 0
        self.modules[name] = module
        self.paths[name] = path
        return module

    def _add_package_around(self, root: Path) -> None:
        """`pkg/models/ranking/net.py` is a part of pkg, also where `models` has no `__init__.py`."""
        around = next((p for p in root.parents[: MAX_PARENTS - 1] if (p / "__init__.py").exists()), None)
        while around is not None and (around.parent / "__init__.py").exists() and around.parent != around:
            around = around.parent
        if around is not None:
            self._add_root(around.parent, around.name)

    def forget_neighbours(self, reach: int) -> None:
        """As before anything was looked at, for another try that reads only neighbours within `reach`."""
        self.reach = reach
        self.modules = {n: m for n, m in self.modules.items() if m is not None and m.distance == 0}
        self.by_path = {p: m for p, m in self.by_path.items() if m.distance == 0}
        for module in self.modules.values():
            assert module is not None
            fresh = ModuleInfo(module.name, module.path, module.tree, module.is_package, distance=0)
            self._finish(fresh)
            assert fresh.body is not None
            fresh.body.module = module
            vars(module).update(vars(fresh))

    def add_text(self, tree: cst.Module, name: str = "__main__") -> ModuleInfo:
        """A module without a file (stdin, a notebook)."""
        module = ModuleInfo(name=name, path=None, tree=tree, distance=0)
        self._finish(module)
        self.modules[name] = module
        return module

    def _add_root(self, folder: Path, only: str | None) -> None:
        if (folder, only) not in self.roots:
            self.roots.append((folder, only))

    def locate(self, name: str) -> Path | None:
        """The file of the project's module with this dotted name, or None; nothing is parsed."""
        if name in self.paths:
            return self.paths[name]
        top, _, _ = name.partition(".")
        self.paths[name] = None
        if not name or top in self.foreign:
            return None
        *packages, last = name.split(".")
        for root, only in self.roots:
            if only is not None and only != top:
                continue
            folder = root
            for package in packages:
                if package not in self._listing(folder):
                    break
                folder /= package
            else:
                for path in (folder / last / "__init__.py", folder / f"{last}.py"):
                    here = path.name if path.parent == folder else last
                    if here in self._listing(folder) and path.is_file():
                        self.paths[name] = path
                        return path
        return None

    def _listing(self, folder: Path) -> frozenset[str]:
        """The names in a folder. Most names that are imported are looked for in vain, so that it is read once."""
        if folder not in self.listings:
            try:
                self.listings[folder] = frozenset(os.listdir(folder))
            except OSError:
                self.listings[folder] = frozenset()
        return self.listings[folder]

    def find(self, name: str, asker: ModuleInfo | None = None) -> ModuleInfo | None:
        """The module of the project with this dotted name, parsed, or None; `asker` is who wants to know."""
        distance = 0 if asker is None else asker.distance + (not asker.is_package)
        if name in self.modules:
            module = self.modules[name]
        else:
            path = self.locate(name)
            if path is None or (path not in self.by_path and distance > self.reach):
                return None
            self.modules[name] = None
            if path in self.by_path or len(self.by_path) < self.limit:
                self.modules[name] = self._parse(name, path, None, None)
            module = self.modules[name]
        if module is not None:
            module.distance = min(module.distance, distance)
        return module

    def binds(self, name: str, member: str) -> bool:
        """Does `from name import *` seem to bring a member along? Read from the text; nothing is parsed."""
        return not member.startswith("_") and member in self._brought(name)

    def _brought(self, name: str) -> frozenset[str]:
        """The names that `from name import *` brings, through packages that do the same with their parts."""
        if name in self.brought:
            return self.brought[name]
        self.brought[name] = frozenset()  # packages that import each other
        path = self.locate(name)
        if path is None or len(self.brought) > MAX_NEIGHBOURS:
            return frozenset()
        text = _text(path)
        found = {n for line in (_NAMED if "__all__" in text else _BOUND).findall(text) for n in _WORD.findall(line)}
        package = name.split(".") if path.stem == "__init__" else name.split(".")[:-1]
        for dots, inner in _STAR_IMPORT.findall(text):
            base = package[: len(package) + 1 - len(dots)] if dots else []
            found |= self._brought(".".join([*base, *([inner] if inner else [])]))
        self.brought[name] = frozenset(found)
        return self.brought[name]

    def _parse(self, name: str, path: Path, text: str | None, tree: cst.Module | None) -> ModuleInfo | None:
        known = self.by_path.get(path)
        if known is not None:
            return known
        if tree is None:
            try:
                tree = cst.parse_module(read_source(path).text if text is None else text)
            except (cst.ParserSyntaxError, OSError, ValueError, RecursionError):
                if text is not None:
                    raise
                return None  # an unreadable neighbour is no reason to fail: its names stay unknown
            except Exception as error:  # errors.InputError, without importing it for its name alone
                if text is not None or type(error).__name__ != "InputError":
                    raise
                return None
        module = ModuleInfo(name=name, path=path, tree=tree, is_package=path.stem == "__init__")
        self._finish(module)
        self.by_path[path] = module
        return module

    @staticmethod
    def _finish(module: ModuleInfo) -> None:
        module.body = FunctionInfo(
            name="<module>", qualname=module.name, node=module.tree, module=module, kind="module"
        )


def dotted(node: cst.BaseExpression | None) -> str:
    """`a.b.c` as text, '' when it is anything else."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute):
        left = dotted(node.value)
        return f"{left}.{node.attr.value}" if left else ""
    return ""


def import_source(node: cst.ImportFrom, module: ModuleInfo) -> str:
    """Absolute dotted name of the module that `from X import ...` reads, relative dots resolved."""
    name = dotted(node.module) if node.module is not None else ""
    if not node.relative:
        return name
    parts = module.name.split(".")
    drop = len(node.relative) - (1 if module.is_package else 0)
    base = parts[: len(parts) - drop] if drop else parts
    return ".".join([*base, *([name] if name else [])])

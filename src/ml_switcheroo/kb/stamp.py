"""Tells cheaply whether the YAML, helper and api.json files of a checkout have changed since the last build."""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SUFFIXES = (".yaml", ".json", ".py")


def stamp(top: Path) -> str:
    """A text that changes when a file of the knowledge base or of its compiler is added, removed or written."""
    return _mark([str(top / "semantics"), str(top / "src" / "ml_switcheroo" / "kb"), *_spokes(top)])


def layer_stamp(folder: Path) -> str:
    """The same for a layer of the user."""
    return _mark([str(folder / "ops"), str(folder / "semantics"), *_spokes(folder)])


def _mark(folders: list[str]) -> str:
    count, mark = 0, 0
    for folder in folders:
        try:
            entries = os.scandir(folder)
        except FileNotFoundError:
            continue
        for entry in entries:
            if entry.name.endswith(_SUFFIXES) and not entry.name.startswith("."):
                info = entry.stat()
                count += 1
                mark += zlib.crc32(f"{entry.path} {info.st_size} {info.st_mtime_ns}".encode())
    return f"{count} {mark}"


def _spokes(top: Path) -> list[str]:
    folders: list[str] = []
    try:
        entries = list(os.scandir(top / "snapshots"))
    except FileNotFoundError:
        return []
    for entry in entries:
        if entry.is_dir():
            folders += [entry.path, os.path.join(entry.path, "helpers")]
    return folders

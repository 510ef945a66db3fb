"""Reports of a conversion: JSON for machines, one self-contained HTML page for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InputError
from ..source import write_atomic

if TYPE_CHECKING:
    from pathlib import Path

    from ..project import Result

SUFFIXES = (".json", ".html")


def write_report(result: Result, path: Path) -> None:
    """Write the report in the form that the file's name asks for."""
    if path.suffix == ".json":
        from .json_report import render
    elif path.suffix in {".html", ".htm"}:
        from .html_report import render
    else:
        raise InputError("SW0005", "a report is a .json or an .html file", "name it report.json", path=str(path))
    write_atomic(path, render(result))

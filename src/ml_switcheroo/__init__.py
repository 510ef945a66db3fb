"""Converts model source code from one machine-learning framework to another. See README.md."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .diagnostics import Diagnostic
    from .pipeline import Conversion, convert
    from .project import convert_path

__version__ = "0.1.0"

__all__ = ["Conversion", "Diagnostic", "__version__", "convert", "convert_path"]

_HOMES = {
    "Conversion": "pipeline",
    "Diagnostic": "diagnostics",
    "convert": "pipeline",
    "convert_path": "project",
}


def __getattr__(name: str) -> object:
    """Load a public name when it is first used, so that importing the package costs nothing and pulls in no parser."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


class _Package(ModuleType):
    """This package: importing the folder `convert/` must not hide the public function of the same name."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package

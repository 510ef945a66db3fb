"""Odd cases, one file each.

`plugins/NAME.py` defines a function NAME(kb, call, place), which a row asks for with `plugin: NAME`.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@cache
def find_plugin(name: str) -> Callable[..., Any] | None:
    """Ours, or one that an installed package offers under the entry point group `ml_switcheroo.plugins`."""
    try:
        return getattr(import_module(f"{__name__}.{name}"), name)  # type: ignore[no-any-return]
    except ModuleNotFoundError as error:
        if error.name != f"{__name__}.{name}":
            raise
    from importlib.metadata import entry_points

    for entry in entry_points(group="ml_switcheroo.plugins"):
        if entry.name == name:
            return entry.load()  # type: ignore[no-any-return]
    return None


class Plugins:
    """All plugins by name, loaded when a row asks for one."""

    get = staticmethod(find_plugin)


PLUGINS = Plugins()

"""The nearest known name, for messages. For the build only."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def near(name: object, known: Iterable[str], likeness: float = 0.6) -> str:
    """`, did you mean softmax` or nothing: the end of a message about an unknown name."""
    close = nearest(str(name), known, 1, likeness)
    return f", did you mean {close[0]}" if close else ""


def nearest(name: str, known: Iterable[str], count: int, likeness: float = 0.6) -> list[str]:
    """The names most like this one, best first; upper and lower case count as alike."""
    by_lower: dict[str, list[str]] = {}
    for one in known:
        by_lower.setdefault(one.lower(), []).append(one)
    close = difflib.get_close_matches(name.lower(), by_lower, count, likeness)
    return [one for lower in close for one in by_lower[lower]][:count]

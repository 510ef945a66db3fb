"""Which framework a text is written for, from its import statements."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_STAR = re.compile(r"^from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]+\*", re.MULTILINE)
MAX_DEPTH = 3  # files that take over the names of files that take over ...


@cache
def _pattern(root: str) -> re.Pattern[str]:
    name = re.escape(root)
    from_import = rf"from[ \t]+{name}(?:\.[\w.]+)?[ \t]+import\b"
    plain_import = rf"import[ \t]+(?:[\w. ]+,[ \t]*)*{name}\b"
    return re.compile(rf"^[ \t]*(?:{from_import}|{plain_import})", re.MULTILINE)


def import_position(text: str, framework: str) -> int | None:
    """Where a text first imports a framework, None where it does not."""
    from .kb import framework_data

    for root in framework_data(framework).get("roots") or [framework]:
        found = _pattern(str(root)).search(text)
        if found is not None:
            return found.start()
    return None


def taken_over(text: str, path: Path, depth: int = 1) -> Iterator[str]:
    """The texts of the files beside a file, or above it, all of whose names it takes over."""
    for dots, name in _STAR.findall(text):
        folder = path.parent
        for _ in dots[1:]:
            folder = folder.parent
        place = folder.joinpath(*name.split(".")) if name else folder
        for file in (place.with_suffix(".py") if name else place / "__init__.py", place / "__init__.py"):
            if file.is_file():
                other = file.read_text(encoding="utf-8", errors="replace")
                yield other
                if depth < MAX_DEPTH:
                    yield from taken_over(other, file, depth + 1)
                break

"""Which framework a text is written for, from its import statements."""

from __future__ import annotations

import re
from functools import cache


@cache
def _pattern(root: str) -> re.Pattern[str]:
    return re.compile(
        rf"^[ \t]*(?:from[ \t]+{re.escape(root)}(?:\.[\w.]+)?[ \t]+import\b|import[ \t]+(?:[\w. ]+,[ \t]*)*{re.escape(root)}\b)",
        re.MULTILINE,
    )


def import_position(text: str, framework: str) -> int | None:
    """Where a text first imports a framework, None where it does not."""
    from .kb import framework_data

    for root in framework_data(framework).get("roots") or [framework]:
        found = _pattern(str(root)).search(text)
        if found is not None:
            return found.start()
    return None

"""Which framework a text is written for, from its import statements."""

from __future__ import annotations

import re
from functools import cache


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

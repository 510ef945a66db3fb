"""What is known to differ, and whose doing that is: `known_failures.json`.

By direction and operation: a text says why the operation fails; `{"calls": PATTERN, "why": TEXT}`, or a list of those,
names single calls by what their failure says, and all others must be equal. Entries are strict: one that nothing shows
any more has to go, unless `"varies": true` says that this depends on the machine.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KNOWN = Path(__file__).with_name("known_failures.json")


@dataclass(frozen=True, slots=True)
class Known:
    """Why an operation fails, or those of its calls whose failure the pattern finds."""

    why: str
    calls: str = ""
    varies: bool = False  # does it depend on the machine whether a call shows it?

    def explains(self, reason: str) -> bool:
        """Is this failure of a call such a one?"""
        return bool(self.calls) and re.search(self.calls, reason) is not None


def known(source: str, target: str) -> dict[str, tuple[Known, ...]]:
    """By operation."""
    entries = json.loads(KNOWN.read_text(encoding="utf-8")).get(f"{source} to {target}", {})
    return {op: tuple(_entry(one) for one in (e if isinstance(e, list) else [e])) for op, e in entries.items()}


def _entry(entry: str | dict[str, Any]) -> Known:
    return Known(entry) if isinstance(entry, str) else Known(**entry)

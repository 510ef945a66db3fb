"""The `_compat.py` of a converted package: the helpers that its files share, each once."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .kb.model import Helper

DOC = '"""What the converted modules of this package share: layers and functions that {target} lacks in this form."""'


def render_compat(names: Iterable[str], *, source: str, target: str) -> str:
    """A module that defines the helpers `names` and whatever they use, after the imports that they need."""
    from .kb import load

    kb = load(source, target)
    ordered: dict[str, Helper] = {}
    on_the_way: set[str] = set()

    def add(name: str) -> None:
        # What a helper uses comes before it: a base class must be defined first.
        helper = kb.helper(name)
        if helper is None or name in ordered or name in on_the_way:
            return
        on_the_way.add(name)
        for used in helper.uses:
            add(used)
        ordered[name] = helper

    for name in sorted(names):
        add(name)
    known = kb.imports()
    aliases = {alias for helper in ordered.values() for alias in helper.imports}
    statements = {known[alias] for alias in aliases if alias in known}
    standard = sorted((text for text in statements if _is_standard(text)), key=_order)
    others = sorted(statements - set(standard), key=_order)
    doc = DOC.format(target=kb.target_framework.get("title") or target)
    parts = [doc, *("\n".join(group) for group in (standard, others) if group)]
    parts += ["\n" + helper.text.strip("\n") for helper in ordered.values()]
    return "\n\n".join(parts) + "\n"


def _is_standard(statement: str) -> bool:
    return statement.split()[1].partition(".")[0] in sys.stdlib_module_names


def _order(statement: str) -> tuple[bool, str]:
    """`import x` before `from x import y`, each by name."""
    return statement.startswith("from"), statement

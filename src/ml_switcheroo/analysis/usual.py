"""Names of the framework that a setting usually chooses among: `getattr(nn, activation)`, of which a run decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import libcst as cst

from .values import Const, Scalar, Text

if TYPE_CHECKING:
    from .base import Knowledge
    from .values import Values


def usual_names(kb: Knowledge, owner: str, call: cst.Call, asked: Values) -> list[str]:
    """What `getattr(owner, setting)` usually reads, to judge by what the setting is called.

    `asked` is what is known of the setting; where that are texts, it says enough.
    """
    certain = any(isinstance(v, (Const, Text)) for v in asked)
    if not asked or all(isinstance(v, (Const, Text)) or (certain and v == Scalar("str")) for v in asked):
        return []
    setting = call.args[1].value if len(call.args) == 2 else None
    last = setting.attr if isinstance(setting, cst.Attribute) else setting
    word = last.value.lower() if isinstance(last, cst.Name) else ""
    usual = cast("dict[str, list[str]]", kb.source_framework.get("usual_names") or {})
    found = [name for part, names in usual.items() if part in word for name in names]
    return [name for name in dict.fromkeys(found) if kb.read(f"{owner}.{name}")]

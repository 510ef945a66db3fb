"""The `weights` rows of the knowledge base in one form: path, axis order on both sides, or why it is dropped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..kb.model import HubOp, WriteRow

Row = dict[str, Any]


def layer_rules(
    ops: Iterable[str], hub: Mapping[str, HubOp], write: Mapping[str, WriteRow]
) -> tuple[dict[str, Row], dict[str, str]]:
    """The table of the script for these layers, and, for the layers whose weights cannot be moved, the reason."""
    table: dict[str, Row] = {}
    missing: dict[str, str] = {}
    for op in sorted(ops):
        known, row = hub.get(op), write.get(op)
        if known is None or not (known.weights or (row and row.weights)):
            continue  # no tensors
        if row is None or not row.weights:
            missing[op] = f"the knowledge base does not say yet where the target keeps the weights of {op}"
            continue
        lost = [name for name in known.weights if not any(fits(key, name) for key in row.weights)]
        if lost:
            missing[op] = f"the weights row of {op} lacks {', '.join(lost)}"
            continue
        table[op] = {key: uniform(key, value, known.weights) for key, value in row.weights.items()}
    return table, missing


def computed_rules(table: Mapping[str, Row], rows: Iterable[WriteRow]) -> None:
    """Adds to layers with a weight the rules for what it may be computed from, such as its length and direction.

    `weight.g` in a row stands for `g` below the place of the layer's weight, with that weight's order of axes.
    """
    for own in table.values():
        weight = own.get("weight")
        if not isinstance(weight, str):
            continue
        place, _, order = weight.partition(" ")
        for row in rows:
            for key, value in row.weights.items():
                for text in map(str, value if isinstance(value, list) else [value]):
                    path, _, layout = text.partition(" ")
                    _add(own, key, f"{place}.{path.partition('.')[2]} {layout or order}")


def _add(own: Row, key: str, rule: str) -> None:
    """One more rule for a name that stands for several things, which their numbers of axes tell apart."""
    known = own.get(key, [])
    rules = known if isinstance(known, list) else [known]
    if rule not in rules:
        own[key] = [*rules, rule] if rules else rule


def fits(key: str, name: str) -> bool:
    """Does the key of a row, a name or a regular expression, speak of this tensor?"""
    return key == name or re.fullmatch(key, name) is not None


def uniform(key: str, value: object, layouts: Mapping[str, str]) -> object:
    """One rule with the axis order of the source: 'bias' -> 'bias O', where the hub says that it has one axis."""
    layout = next((layouts[name] for name in layouts if fits(key, name) or name == key), "")
    layout = layout.removesuffix("?")
    layout = layout if re.fullmatch(r"[A-Za-z]+", layout) else "*"
    if isinstance(value, str):
        path, _, given = value.strip().partition(" ")
        return f"{path} {given.replace(' ', '') or layout}"
    if isinstance(value, dict) and isinstance(value.get("drop"), str):
        return {"drop": value["drop"]}
    if isinstance(value, dict) and isinstance(value.get("split"), list):
        return {"split": list(value["split"]), "axis": int(value.get("axis", 0)), "layout": value.get("layout", layout)}
    raise ValueError(f"a weights rule is not understood: {key}: {value!r}")


def needed_tensors(rules: Row, layouts: Mapping[str, str]) -> list[str]:
    """The tensors that a layer has in every configuration that is met in practice; the others end in '?' in the hub."""
    return [name for name in rules if re.fullmatch(r"[\w.]+", name) and not layouts.get(name, "?").endswith("?")]

"""From a model's source file to its migration script."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .compose import compose
from .rules import layer_rules
from .targets import container_places

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..diagnostics import Diagnostic
    from ..kb.model import HubOp, WriteRow
    from .grammar import Grammar


@dataclass(frozen=True)
class ScriptResult:
    """The text of the script, and what the user should know about it."""

    code: str
    diagnostics: list[Diagnostic] = field(default_factory=list)


def script_from_grammar(
    grammar: Grammar,
    hub: Mapping[str, HubOp],
    write: Mapping[str, WriteRow],
    *,
    model: str = "a model",
    source: str = "torch",
    target: str = "jax",
) -> tuple[str, dict[str, str]]:
    """The script for a grammar, and the layers whose weights it cannot move, with the reason."""
    with_tensors = {name for name, op in hub.items() if op.kind == "layer" and op.weights}
    grammar.prune(with_tensors)
    wanted = with_tensors if grammar.open() else grammar.layers()
    table, missing = layer_rules(wanted, hub, write)
    missing = {op: reason for op, reason in missing.items() if op in grammar.layers()}
    text = compose(grammar, table, container_places(target), model=model, source=source, target=target)
    return text, missing


def gen_weight_script(
    path_or_text: Path | str, *, source: str = "torch", target: str = "jax", project: object | None = None
) -> ScriptResult:
    """The migration script for the classes of a file, of a folder, or of source text."""
    raise NotImplementedError

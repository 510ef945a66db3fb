"""From a model's source file to its migration script."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..diagnostics import diagnose
from ..errors import InputError
from ..source import read_source
from .compose import compose
from .rules import computed_rules, layer_rules, needed_tensors
from .targets import container_places

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ..diagnostics import Diagnostic
    from ..kb.model import HubOp, WriteRow
    from ..pipeline import Project
    from .grammar import Grammar

REACH = 4  # imports: what a layer deep inside is made of decides how its weights are stored, wherever that is written


@dataclass(frozen=True)
class ScriptResult:
    """The text of the script, and what the user should know about it."""

    code: str
    diagnostics: list[Diagnostic] = field(default_factory=list)


def script_from_grammar(
    grammar: Grammar,
    hub: Mapping[str, HubOp],
    write: Mapping[str, WriteRow],
    tied: Collection[str] = (),
    computed: Collection[str] = (),
    named: Collection[str] = (),
    *,
    model: str = "a model",
    source: str = "torch",
    target: str = "jax",
) -> tuple[str, dict[str, str]]:
    """The script for a grammar, and the layers whose weights it cannot move, with the reason."""
    with_tensors = {name for name, op in hub.items() if op.kind == "layer" and (op.weights or _rows(write, name))}
    grammar.prune(with_tensors)
    rare = {name for name in with_tensors if hub[name].weights and all(map(_optional, hub[name].weights.values()))}
    usual = with_tensors - rare
    wanted = usual | grammar.layers() if grammar.open() else grammar.layers()
    table, missing = layer_rules(wanted, hub, write)
    computed_rules(table, [write[op] for op in sorted(computed) if op in write])
    missing = {op: reason for op, reason in missing.items() if op in grammar.layers()}
    needed = {f"layer {op}": needed_tensors(table[op], hub[op].weights) for op in table}
    needed |= {f"class {name}": rule.needed for name, rule in grammar.classes.items()}
    needed = {kind: names for kind, names in needed.items() if names}
    named = table.keys() & named if grammar.open() else ()
    places = container_places(target)
    text = compose(grammar, table, places, tied, needed, named, model=model, source=source, target=target)
    return text, missing


def _optional(layout: str) -> bool:
    return layout.endswith("?")


def _rows(write: Mapping[str, WriteRow], op: str) -> object:
    return write[op].weights if op in write else None


def gen_weight_script(
    path_or_text: Path | str, *, source: str = "torch", target: str = "jax", project: Project | None = None
) -> ScriptResult:
    """The migration script for the models of a file, a folder, or source text; `project` is its analysis, if any."""
    from .facts import grammar_of

    text = path_or_text if isinstance(path_or_text, str) and "\n" in path_or_text else None
    path = "" if text is not None else str(path_or_text)
    if project is None:
        project = _analysed(Path(path), text, source, target)
    base = project.kb
    grammar = grammar_of(sorted(project.engine.targets, key=lambda module: module.name), project.engine)
    hub = {op: known for op in base.ops() if (known := base.hub(op)) is not None}
    write = {op: row for op in hub if (row := base.write(op)) is not None}
    # `self.head.weight = self.embed.weight` is written with a helper where one stores it with its axes swapped.
    swapped = re.compile(r"\S+ (\w)(\w)->\2\1")
    tied = [op for op, row in write.items() if swapped.fullmatch(str(row.weights.get("weight")))]
    computed = [op for op in _called(project) if op in hub and hub[op].kind == "function" and hub[op].weights]
    model = Path(path).name if path else "a model"
    code, missing = script_from_grammar(
        grammar, hub, write, tied, computed, _mentioned(project), model=model, source=source, target=target
    )
    if not grammar.classes:
        raise InputError("SW0001", "there is no model in it: no class or function with layers or parameters", path=path)
    hint = "the script refuses a checkpoint with such a layer"
    found = [
        diagnose("SW2001", reason, hint=hint, path=path, severity="warning") for _, reason in sorted(missing.items())
    ]
    return ScriptResult(code, found)


def _called(project: Project) -> set[str]:
    """The ops of all functions of the framework that are called anywhere."""
    from ..analysis.values import Api

    names = {
        value.name
        for function in project.engine.visits
        for callees in function.calls.values()
        for value in callees
        if isinstance(value, Api)
    }
    return {row.op for name in names for row in project.kb.read(name)}


def _mentioned(project: Project) -> set[str]:
    """The ops of all layers that the files name, called or not."""
    from ..analysis.values import Api

    names = {value.name for values in project.engine.facts.values() for value in values if isinstance(value, Api)}
    return {row.op for name in names for row in project.kb.read(name)}


def _analysed(path: Path, text: str | None, source: str, target: str) -> Project:
    """The facts about a file, folder or text."""
    import libcst as cst

    from ..pipeline import Project
    from ..source import walk

    project = Project(source, target, REACH)
    try:
        if text is not None:
            project.add_text(cst.parse_module(text))
        elif path.is_dir():
            for file in walk(path):
                if file.suffix == ".py":
                    project.add(file)
        else:
            project.add(path, read_source(path).text)
    except cst.ParserSyntaxError as error:
        line, col = error.editor_line, error.editor_column
        raise InputError("SW0004", error.message, path=str(path), line=line, col=col) from None
    project.analyse()
    return project

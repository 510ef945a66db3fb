"""From a model's source file to its migration script."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..diagnostics import diagnose
from ..errors import InputError
from ..source import read_source
from .compose import compose
from .rules import layer_rules
from .targets import container_places

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..analysis.model import ModuleInfo
    from ..diagnostics import Diagnostic
    from ..kb import KnowledgeBase
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
    path_or_text: Path | str,
    *,
    source: str = "torch",
    target: str = "jax",
    project: Iterable[ModuleInfo] | None = None,
) -> ScriptResult:
    """The migration script for the models of a file, a folder, or source text; `project`: its analysed modules."""
    from .. import kb
    from .facts import grammar_of

    base = kb.load(source, target)
    if project is None:
        project = _analysed(path_or_text, base)
    modules = list(project)
    grammar = grammar_of(modules)
    hub = {op: known for op in base.ops() if (known := base.hub(op)) is not None}
    write = {op: row for op in hub if (row := base.write(op)) is not None}
    is_text = isinstance(path_or_text, str) and "\n" in path_or_text
    model = "a model" if is_text else Path(path_or_text).name
    code, missing = script_from_grammar(grammar, hub, write, model=model, source=source, target=target)
    path = "" if is_text else str(path_or_text)
    if not grammar.classes:
        raise InputError("SW0001", "there is no model in it: no class or function with layers or parameters", path=path)
    hint = "the script refuses a checkpoint with such a layer"
    found = [
        diagnose("SW2001", reason, hint=hint, path=path, severity="warning") for _, reason in sorted(missing.items())
    ]
    return ScriptResult(code, found)


def _analysed(path_or_text: Path | str, base: KnowledgeBase) -> list[ModuleInfo]:
    """The modules of a file, folder or text, with their facts."""
    import libcst as cst

    from ..analysis.engine import Engine
    from ..analysis.project import ModuleFinder

    roots = base.source_framework.get("roots")
    finder = ModuleFinder(foreign=[str(root) for root in roots] if isinstance(roots, list) else ())
    engine = Engine(base, finder)
    found = []
    try:
        if isinstance(path_or_text, str) and "\n" in path_or_text:
            found.append(finder.add_text(cst.parse_module(path_or_text)))
        elif Path(path_or_text).is_dir():
            files = sorted(file for file in Path(path_or_text).rglob("*.py") if not _hidden(file, Path(path_or_text)))
            found += [finder.add_file(file) for file in files]
        else:
            path = Path(path_or_text)
            found.append(finder.add_file(path, read_source(path).text))
    except cst.ParserSyntaxError as error:
        line, col = error.editor_line, error.editor_column
        raise InputError("SW0004", error.message, path=str(path_or_text), line=line, col=col) from None
    for module in found:
        engine.add_target(module)
    engine.run()
    return found


def _hidden(file: Path, root: Path) -> bool:
    return any(part.startswith((".", "__pycache__")) for part in file.relative_to(root).parts)

"""Definition files (`ops/*.yaml` of a layer): one op and all its spellings in one place. For the build only.

The language is explained in EXTENDING_WITH_DSL.md. What is read here becomes the same rows as those of `semantics/`
and `snapshots/`, with their places in the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .compiler import HUB_KEYS
from .helperfiles import parse_helpers
from .near import near
from .sources import Sources, Spoke, add_helpers, add_hub_row, add_rows, import_target
from .yamltext import Document, Problem, read_document

if TYPE_CHECKING:
    from pathlib import Path

TOP_KEYS = ("ops", "helpers", "imports")


class _Reader:
    """One definition file on its way into `sources`."""

    def __init__(self, sources: Sources, document: Document, below: Sources) -> None:
        self.sources, self.document, self.below = sources, document, below
        self.frameworks = {*below.spokes, *sources.spokes}

    def problem(self, message: str, *keys: Any) -> None:
        field = ".".join(map(str, keys))
        self.sources.problems.append(Problem(self.document.path, self.document.line(*keys), message, "error", field))

    def mapping(self, value: Any, what: str, *keys: Any) -> dict[str, Any]:
        """A mapping that is not empty; else a problem and nothing."""
        if isinstance(value, dict) and value:
            return value
        self.problem(f"{'.'.join(map(str, keys))}: expected {what}, got {_brief(value)}", *keys)
        return {}

    def spoke(self, name: str, *keys: Any) -> Spoke | None:
        """The framework of that name, as far as this layer speaks of it."""
        if name not in self.frameworks:
            known = ", ".join(sorted(self.frameworks))
            self.problem(f"{keys[0]}: unknown framework {name!r}{near(name, self.frameworks)}; known: {known}", *keys)
            return None
        return self.sources.spokes.setdefault(name, Spoke(name))

    def read(self) -> None:
        data = self.document.data
        for key in data:
            if key not in TOP_KEYS:
                inside = " (an op stands below ops:)" if isinstance(data[key], dict) else ""
                self.problem(f"unknown key {key!r}{near(key, TOP_KEYS)}{inside}; known: {', '.join(TOP_KEYS)}", key)
        if "ops" not in data:
            if not self.document.problems:
                self.problem("no ops: expected `ops:` with at least one op below it")
            return
        for op, row in self.mapping(data["ops"], "a mapping of op names to definitions", "ops").items():
            self.op(op, row)
        if "imports" in data:
            self.imports(self.mapping(data["imports"], "a mapping of frameworks to import statements", "imports"))
        if "helpers" in data:
            for name, text in self.mapping(
                data["helpers"], "a mapping of frameworks to Python text", "helpers"
            ).items():
                self.helpers(name, text)

    def op(self, op: str, data: Any) -> None:
        """The hub row and the rows of the frameworks of one op."""
        keys = ("ops", op)
        if not op.isidentifier():
            self.problem(f"{op!r} is no name for an op: expected letters, digits and _ (softmax, Conv2d)", *keys)
            return
        known = [*HUB_KEYS, *self.frameworks]
        row = self.mapping(data, "a mapping with the meaning of the op and its frameworks", *keys)
        for key in row:
            if key not in known:
                frameworks, hub = ", ".join(sorted(self.frameworks)), ", ".join(sorted(HUB_KEYS))
                self.problem(
                    f"{op}: unknown key {key!r}{near(key, known)}; what an op means: {hub}; frameworks: {frameworks}",
                    *keys,
                    key,
                )
        meaning = {key: value for key, value in row.items() if key in HUB_KEYS}
        if meaning:
            add_hub_row(self.sources, self.document, op, meaning, keys)
        for name in row:
            if name in self.frameworks:
                spoke = self.spoke(name, *keys, name)
                assert spoke is not None
                add_rows(self.sources, spoke, self.document, op, row[name], (*keys, name))

    def imports(self, data: dict[str, Any]) -> None:
        """Aliases that write texts and helpers may use, over those of `_framework.yaml`."""
        for name, aliases in data.items():
            spoke = self.spoke(name, "imports", name)
            if spoke is None:
                continue
            found = spoke.framework.setdefault("imports", {})
            ours = self.below.imports(self.below.spokes[name]) if name in self.below.spokes else {}
            place = ("imports", name)
            for alias, statement in self.mapping(aliases, "a mapping of aliases to statements", *place).items():
                keys = (*place, alias)
                if not isinstance(statement, str) or import_target(statement) is None:
                    self.problem(f"imports: {alias}: expected an import statement, got {_brief(statement)}", *keys)
                elif statement.split()[-1].split(".")[0] != alias:
                    self.problem(f"imports: {alias}: {statement!r} does not bind the name {alias}", *keys)
                elif (known := {**found, **ours}.get(alias, statement)) != statement:
                    self.problem(f"imports: {alias} is {known!r} already: choose another alias", *keys)
                else:
                    found[alias] = statement

    def helpers(self, name: str, text: Any) -> None:
        """Python text with the helpers of one framework."""
        spoke = self.spoke(name, "helpers", name)
        if spoke is None:
            return
        if not isinstance(text, str):
            self.problem(f"helpers: {name}: expected Python text after `|`, got {_brief(text)}", "helpers", name)
            return
        # A block scalar begins on the line after its key.
        add_helpers(self.sources, spoke, parse_helpers(text, self.document.path, self.document.line("helpers", name)))


def _brief(value: Any) -> str:
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def read_definitions(sources: Sources, path: Path, shown: str, below: Sources) -> Document:
    """Adds the ops of one definition file to `sources`, a layer over `below`; what is wrong goes to its problems."""
    document = read_document(path, shown)
    sources.problems += document.problems
    _Reader(sources, document, below).read()
    return document

"""Reads the knowledge base as people write it: rows, helper files and api.json, with places. For the build only."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .helperfiles import Definition, HelperFile, read_helpers
from .signature import Entry, parse_signature
from .yamltext import Document, Problem, read_document

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(slots=True)
class Row:
    """One row of the hub or of a spoke, and where it stands."""

    op: str
    data: dict[str, Any]
    document: Document
    keys: tuple[Any, ...]

    def problem(self, message: str, *keys: Any, severity: str = "error") -> Problem:
        """A finding at a part of this row."""
        line, where = self.document.line(*self.keys, *keys), ".".join(map(str, (*self.keys, *keys)))
        return Problem(self.document.path, line, f"{self.op}: {message}", severity, where)


@dataclass(slots=True)
class ApiName:
    """One line of api.json."""

    kind: str
    signatures: list[str]
    alias_of: str | None = None


@dataclass(slots=True)
class Spoke:
    """One framework's folder."""

    name: str
    framework: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, list[Row]] = field(default_factory=dict)
    helpers: dict[str, Definition] = field(default_factory=dict)
    files: list[HelperFile] = field(default_factory=list)
    api: dict[str, ApiName] = field(default_factory=dict)
    version: str = ""
    signatures: dict[str, list[list[Entry]]] = field(default_factory=dict)


@dataclass(slots=True)
class Sources:
    """Everything, and the problems met while reading."""

    top: Path
    shown: str = ""  # how the folder is named in messages; our own files are named without it
    hub: dict[str, Row] = field(default_factory=dict)
    spokes: dict[str, Spoke] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)  # ops whose meaning a layer of the user has replaced

    def stack(self, name: str) -> list[Spoke]:
        """A spoke and what it extends, nearest first."""
        found: list[Spoke] = []
        while name in self.spokes and self.spokes[name] not in found:
            found.append(self.spokes[name])
            name = str(self.spokes[name].framework.get("extends", ""))
        return found

    def helper(self, spoke: Spoke, name: str) -> Definition | None:
        """A helper by name, from the spoke or what it extends."""
        return next((one.helpers[name] for one in self.stack(spoke.name) if name in one.helpers), None)

    def lookup(self, spoke: Spoke, name: str) -> ApiName | None:
        """What api.json says of a name, aliases followed."""
        for one in self.stack(spoke.name):
            entry = one.api.get(name)
            if entry is not None:
                return one.api.get(entry.alias_of, entry) if entry.alias_of else entry
        return None

    def canonical(self, spoke: Spoke, name: str) -> str:
        """The one name under which all spellings of an api are filed."""
        for one in self.stack(spoke.name):
            entry = one.api.get(name)
            if entry is not None:
                return entry.alias_of or name
        return name

    def api_signatures(self, spoke: Spoke, name: str) -> list[list[Entry]]:
        """All signatures that api.json has for a name."""
        entry = self.lookup(spoke, name)
        if entry is None:
            return []
        if name not in spoke.signatures:
            spoke.signatures[name] = [parse_signature(text) for text in entry.signatures]
        return spoke.signatures[name]

    def imports(self, spoke: Spoke) -> dict[str, str]:
        """Import statements by alias, of the spoke and what it extends."""
        found: dict[str, str] = {}
        for one in reversed(self.stack(spoke.name)):
            found |= one.framework.get("imports") or {}
        return found

    def helper_signature(self, spoke: Spoke, definition: Definition) -> list[Entry] | None:
        """The parameters of a helper; a class without a constructor has that of its base."""
        seen = 0
        current: Definition | None = definition
        while current is not None and seen < 20:
            if current.signature is not None or current.kind != "class":
                return current.signature
            base = next(iter(current.bases), None)
            if base is None:
                return []
            inner = self.helper(spoke, base.split("[")[0])
            if inner is None:
                found = self.api_signatures(spoke, self.dotted(spoke, base) or "")
                return found[0] if found else None
            current, seen = inner, seen + 1
        return None

    def dotted(self, spoke: Spoke, text: str) -> str | None:
        """The full name behind `jnp.sum`, by the import table of the spoke."""
        head, dot, rest = text.partition(".")
        statement = self.imports(spoke).get(head)
        target = import_target(statement) if statement else None
        return None if target is None else target + dot + rest


def import_target(statement: str) -> str | None:
    """`from flax import nnx` -> `flax.nnx`, `import jax.numpy as jnp` -> `jax.numpy`."""
    try:
        node = ast.parse(statement).body[0]
    except (SyntaxError, IndexError):
        return None
    if isinstance(node, ast.ImportFrom):
        return f"{node.module}.{node.names[0].name}"
    if isinstance(node, ast.Import):
        return node.names[0].name if node.names[0].asname else node.names[0].name.split(".")[0]
    return None


def input_files(top: Path) -> Iterator[Path]:
    """Every file that the compiled knowledge base depends on, in a stable order."""
    yield from sorted((top / "semantics").glob("*.yaml"))
    for folder in sorted((top / "snapshots").iterdir()):
        if folder.is_dir():
            yield from sorted(folder.glob("*.yaml"))
            yield from sorted(folder.glob("helpers/*.py"))
            yield from (path for path in [folder / "api.json"] if path.exists())


def read_sources(top: Path) -> Sources:
    """Reads `semantics/` and `snapshots/` under a folder."""
    sources = Sources(top)
    read_rows(sources)
    for spoke in sources.spokes.values():
        base = spoke.framework.get("extends")
        if base and base not in sources.spokes:
            shown = f"snapshots/{spoke.name}/_framework.yaml"
            sources.problems.append(Problem(shown, 1, f"extends: no spoke {base!r}"))
    return sources


def read_rows(sources: Sources) -> None:
    """Adds what lies under the folder of `sources`; either part may be missing."""
    top = sources.top
    for path in sorted((top / "semantics").glob("*.yaml")):
        document = _document(sources, path)
        for op, data in document.data.items():
            add_hub_row(sources, document, op, data, (op,))
    for folder in sorted((top / "snapshots").glob("*")):
        if folder.is_dir():
            sources.spokes[folder.name] = _spoke(sources, folder)


def add_hub_row(sources: Sources, document: Document, op: str, data: Any, keys: tuple[Any, ...]) -> None:
    """Files one hub row."""
    if not isinstance(data, dict):
        sources.problems.append(Problem(document.path, document.line(*keys), f"{op}: a hub row is a mapping"))
    elif op in sources.hub:
        first = sources.hub[op]
        where = f"{first.document.path}:{first.document.line(*first.keys)}"
        sources.problems.append(
            Problem(document.path, document.line(*keys), f"{op}: duplicate hub row, first at {where}")
        )
    else:
        sources.hub[op] = Row(op, data, document, keys)


def _document(sources: Sources, path: Path) -> Document:
    document = read_document(path, shown_path(sources, path))
    sources.problems += document.problems
    return document


def shown_path(sources: Sources, path: Path) -> str:
    """How a file is named in messages."""
    return sources.shown + path.relative_to(sources.top).as_posix()


def _spoke(sources: Sources, folder: Path) -> Spoke:
    spoke = Spoke(folder.name)
    for path in sorted(folder.glob("*.yaml")):
        document = _document(sources, path)
        if path.name == "_framework.yaml":
            spoke.framework = document.data
        elif not path.name.startswith(("_", "xfail")):
            for op, data in document.data.items():
                add_rows(sources, spoke, document, op, data, (op,))
    for path in sorted(folder.glob("helpers/*.py")):
        add_helpers(sources, spoke, read_helpers(path, shown_path(sources, path)))
    api = folder / "api.json"
    if api.exists():
        data = json.loads(api.read_text(encoding="utf-8"))
        spoke.version = data["version"]
        for name, entry in data["names"].items():
            spoke.api[name] = ApiName(
                entry[0], entry[1] if len(entry) > 1 else [], entry[2] if len(entry) > 2 else None
            )
    return spoke


def add_rows(sources: Sources, spoke: Spoke, document: Document, op: str, data: Any, place: tuple[Any, ...]) -> None:
    """Files the row or rows of one op in one framework, which stand at `place` in the document."""
    many = data if isinstance(data, list) and data else [data]
    if op in spoke.rows:
        first = spoke.rows[op][0]
        where = f"{first.document.path}:{first.document.line(*first.keys)}"
        sources.problems.append(
            Problem(
                document.path,
                document.line(*place),
                f"{op}: second row of {spoke.name}, first at {where} (write a list of rows)",
            )
        )
    for index, one in enumerate(many):
        keys = (*place, index) if isinstance(data, list) and data else place
        if isinstance(one, dict) and one:
            spoke.rows.setdefault(op, []).append(Row(op, one, document, keys))
        else:
            sources.problems.append(
                Problem(
                    document.path,
                    document.line(*keys),
                    f"{op}: a row is a mapping such as {{api: ...}}",
                    field=".".join(map(str, keys)),
                )
            )


def add_helpers(sources: Sources, spoke: Spoke, file: HelperFile) -> None:
    """Files the definitions of one helper file."""
    spoke.files.append(file)
    sources.problems += file.problems
    for definition in file.definitions:
        first = spoke.helpers.get(definition.name)
        if first is not None:
            where = f"{first.path}:{first.line}"
            sources.problems.append(
                Problem(
                    file.path,
                    definition.line,
                    f"helper {definition.name}: second definition in {spoke.name}, first at {where}",
                )
            )
        else:
            spoke.helpers[definition.name] = definition

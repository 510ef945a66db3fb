"""Compiles the knowledge base: rows, helper files and api.json become `src/ml_switcheroo/_kb/`, which `loader` reads.

    python -m ml_switcheroo.kb.build

A compiled table is a text file with one entry a line, `key<TAB>JSON`, so that loading it costs one read and one split,
and only the entries that are asked for are parsed. Tables: `hub`; for each spoke `SPOKE.read` (rows by canonical api
name), `SPOKE.write` (by op), `SPOKE.helpers`, `SPOKE.calls` (signatures of what `write` texts call, and of helpers),
`SPOKE.names` (all public names), `SPOKE.aliases` (the canonical names of aliases); `frameworks.json` and `stamp`.
"""

from __future__ import annotations

import ast
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from . import paths
from .compiler import HubRow, RowError, hub_row, pack_hub, pack_read, pack_write, read_apis
from .near import near
from .signature import show
from .sources import Row, Sources, Spoke, read_sources
from .stamp import stamp

if TYPE_CHECKING:
    from pathlib import Path

    from .yamltext import Problem

Table = dict[str, str]


def compile_sources(sources: Sources) -> tuple[dict[str, Table], dict[str, Any], list[Problem]]:
    """All tables, the data of the frameworks, and what had to be left out."""
    problems: list[Problem] = list(sources.problems)
    hub: dict[str, HubRow] = {}
    tables: dict[str, Table] = {"hub": {}}
    for op, row in sources.hub.items():
        try:
            hub[op] = hub_row(row)
            tables["hub"][op] = _json(pack_hub(hub[op]))
        except RowError as error:
            problems.append(row.problem(error.message, *error.keys))
    frameworks: dict[str, Any] = {}
    for spoke in sources.spokes.values():
        tables[f"{spoke.name}.read"] = _read_table(sources, spoke, hub, problems)
        tables[f"{spoke.name}.write"] = _write_table(sources, spoke, hub, problems)
        tables[f"{spoke.name}.helpers"] = _helper_table(sources, spoke)
        tables[f"{spoke.name}.calls"] = _call_table(sources, spoke)
        tables[f"{spoke.name}.names"] = dict.fromkeys(spoke.api, "")
        tables[f"{spoke.name}.aliases"] = {name: entry.alias_of for name, entry in spoke.api.items() if entry.alias_of}
        frameworks[spoke.name] = {"name": spoke.name, "version": spoke.version, **spoke.framework}
    return tables, frameworks, problems


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _hub_of(row: Row, hub: dict[str, HubRow], sources: Sources, problems: list[Problem]) -> HubRow | None:
    if row.op in hub:
        return hub[row.op]
    if row.op not in sources.hub:
        problems.append(row.problem(f"no hub row of this name in semantics/*.yaml{near(row.op, sources.hub)}"))
    return None


def _read_table(sources: Sources, spoke: Spoke, hub: dict[str, HubRow], problems: list[Problem]) -> Table:
    """Rows by canonical api name, those with more required parameters first, then those with a condition."""
    found: dict[str, list[list[Any]]] = {}
    for rows in spoke.rows.values():
        for row in rows:
            meaning = _hub_of(row, hub, sources, problems)
            if meaning is None:
                continue
            try:
                apis = read_apis(row)
            except RowError as error:
                problems.append(row.problem(error.message, *error.keys))
                continue
            for api in apis:
                try:
                    packed = pack_read(sources, spoke, row, meaning, api)
                except RowError as error:
                    problems.append(row.problem(error.message, *error.keys))
                    continue
                same = found.setdefault(sources.canonical(spoke, api), [])
                if [packed[0], *packed[2:]] not in [[one[0], *one[2:]] for one in same]:
                    same.append(packed)
    for same in found.values():
        same.sort(key=lambda packed: (-len(hub[packed[0]].required), packed[5] is None))
    return {api: _json(same) for api, same in found.items()}


def _write_table(sources: Sources, spoke: Spoke, hub: dict[str, HubRow], problems: list[Problem]) -> Table:
    found: Table = {}
    for op, rows in spoke.rows.items():
        if op not in hub:
            continue
        try:
            packed = pack_write(sources, spoke, rows, hub[op])
        except RowError as error:
            problem = (error.row or rows[0]).problem(error.message, *error.keys)
            if problem not in problems:  # the reading side may have said so already
                problems.append(problem)
            continue
        if packed is not None:
            found[op] = _json(packed)
    return found


def _helper_table(sources: Sources, spoke: Spoke) -> Table:
    imports = sources.imports(spoke)
    found: Table = {}
    for name, definition in spoke.helpers.items():
        uses = [other for other in definition.names if other != name and sources.helper(spoke, other) is not None]
        aliases = [alias for alias in definition.names if alias in imports]
        signature = sources.helper_signature(spoke, definition)
        found[name] = _json(
            [definition.text, uses, aliases, definition.kind, None if signature is None else show(signature)]
        )
    return found


def _call_table(sources: Sources, spoke: Spoke) -> Table:
    """Signatures by the name that `write` texts use (`jnp.sum`), and of helpers: to leave out what is the default."""
    found: Table = {}
    for name, definition in spoke.helpers.items():
        signature = sources.helper_signature(spoke, definition)
        if signature is not None:
            found[name] = _json(signature)
    for rows in spoke.rows.values():
        for row in rows:
            written = row.data.get("write")
            for one in written if isinstance(written, list) else [written]:
                text = one.get("emit") if isinstance(one, dict) else one
                for name in called_names(text) if isinstance(text, str) else ():
                    signatures = (
                        [] if name in found else sources.api_signatures(spoke, sources.dotted(spoke, name) or "")
                    )
                    if signatures:
                        found[name] = _json(max(signatures, key=len))
    return found


def called_names(text: str) -> set[str]:
    """The dotted names that an expression calls."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError:
        return set()  # reported with the row
    names = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return {name for name in names if all(part.isidentifier() for part in name.split("."))}


def write_tables(folder: Path, tables: dict[str, Table], frameworks: dict[str, Any], mark: str) -> None:
    """Writes all files; each is replaced in one step and the stamp comes last: a reader never sees half a file."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        _replace(folder / f"{name}.tsv", "\n".join(f"{key}\t{text}".rstrip("\t") for key, text in table.items()))
    _replace(folder / "frameworks.json", _json(frameworks))
    _replace(folder / "stamp", mark)


def _replace(path: Path, text: str) -> None:
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.write_text(text, encoding="utf-8", newline="\n")
    os.replace(scratch, path)


def build(top: Path, folder: Path, strict: bool = False) -> list[Problem]:
    """Compiles the checkout at `top` into `folder`. Bad rows are left out; with `strict` nothing is written then."""
    mark = stamp(top)
    tables, frameworks, problems = compile_sources(read_sources(top))
    if not (strict and problems):
        write_tables(folder, tables, frameworks, mark)
    return problems


def build_layered(top: Path, above: list[Path], folder: Path, mark: str) -> list[Problem]:
    """Compiles the rows at `top` with the user's over them. What was left out is kept beside the tables."""
    from .merge import Layer, read_layered

    tables, frameworks, problems = compile_sources(read_layered(top, [Layer(one) for one in above]))
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / "problems", "\n".join(str(problem) for problem in sorted(problems)))
    write_tables(folder, tables, frameworks, mark)
    return problems


def main() -> int:
    """Builds and lists what was left out."""
    top = paths.checkout()
    if top is None:
        print("the knowledge base can be built in a source checkout only", file=sys.stderr)
        return 2
    problems = build(top, paths.COMPILED)
    for problem in sorted(problems):
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())

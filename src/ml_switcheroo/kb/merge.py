"""Lays the rows of the user over ours. For the build only.

An op that a layer defines anew has the meaning that the layer gives; the rows that it has for one framework take the
place of those below, unless they say `add: true`, which puts them beside these. Helpers keep their names: ours cannot
be replaced, because other rows use them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from . import layers
from .definitions import read_definitions
from .sources import Row, Sources, Spoke, read_rows, read_sources
from .stamp import stamp
from .yamltext import Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Layer:
    """A folder of the user; `instead` maps names of definition files to files that are read in their place."""

    folder: Path
    instead: dict[str, Path] = field(default_factory=dict)


def read_layered(top: Path, above: Sequence[Layer]) -> Sources:
    """Ours with all layers over it, the weakest first."""
    sources = _copy(_ours(top, stamp(top)))
    ours = {spoke.name: frozenset(spoke.helpers) for spoke in sources.spokes.values()}
    for layer in above:
        _lay_over(sources, _read_layer(layer, sources), ours)
    return sources


@cache
def _ours(top: Path, mark: str) -> Sources:
    """What lies at `top`, read once as long as it does not change."""
    return read_sources(top)


def _copy(sources: Sources) -> Sources:
    """One that layers may be laid over; rows and definitions are never changed."""
    spokes = {
        spoke.name: replace(
            spoke, rows=dict(spoke.rows), helpers=dict(spoke.helpers), files=list(spoke.files), api=dict(spoke.api)
        )
        for spoke in sources.spokes.values()
    }
    return replace(sources, hub=dict(sources.hub), spokes=spokes, problems=list(sources.problems))


def _read_layer(layer: Layer, below: Sources) -> Sources:
    one = Sources(layer.folder, shown=layers.shown(layer.folder) + "/")
    read_rows(one)
    files = {path.name: path for path in (layer.folder / "ops").glob("*.yaml")} | layer.instead
    for _, path in sorted(files.items()):
        read_definitions(one, path, layers.shown(path), below)
    return one


def _lay_over(sources: Sources, one: Sources, ours: dict[str, frozenset[str]]) -> None:
    sources.problems += one.problems
    sources.changed |= {op for op in one.hub if op in sources.hub}
    sources.hub |= one.hub
    for spoke in one.spokes.values():
        below = sources.spokes.setdefault(spoke.name, Spoke(spoke.name))
        _framework(sources, below, spoke)
        for op, rows in spoke.rows.items():
            adding = [row for row in rows if row.data.get("add") is not None]
            sources.problems += [
                row.problem("add: expected true", "add") for row in adding if row.data["add"] is not True
            ]
            new = [row for row in rows if row not in adding]
            stripped = [replace(row, data={key: row.data[key] for key in row.data if key != "add"}) for row in adding]
            below.rows[op] = [*(new or below.rows.get(op, [])), *stripped]
        for name, definition in spoke.helpers.items():
            if name in ours.get(spoke.name, ()):
                sources.problems.append(
                    Problem(
                        definition.path,
                        definition.line,
                        f"helper {name}: {spoke.name} has one of this name already, at "
                        f"{below.helpers[name].path}:{below.helpers[name].line}: choose another",
                        field=f"helpers.{spoke.name}",
                    )
                )
            else:
                below.helpers[name] = definition
        below.files += spoke.files
        below.api |= spoke.api
        below.version = spoke.version or below.version
        if spoke.api:
            below.signatures = {}


def _framework(sources: Sources, below: Spoke, spoke: Spoke) -> None:
    """What a layer says of a framework as a whole: mappings and lists are joined, other values replaced."""
    merged: dict[str, Any] = dict(below.framework)
    for key, value in spoke.framework.items():
        known = merged.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            if key == "imports":
                for alias in known.keys() & value.keys():
                    if known[alias] != value[alias]:
                        message = f"imports: {alias} is {known[alias]!r} already: choose another alias"
                        place = f"snapshots/{spoke.name}/_framework.yaml"
                        sources.problems.append(Problem(place, 1, message, field=f"imports.{spoke.name}.{alias}"))
            merged[key] = {**value, **known} if key == "imports" else {**known, **value}
        elif isinstance(known, list) and isinstance(value, list):
            merged[key] = [*known, *(one for one in value if one not in known)]
        else:
            merged[key] = value
    below.framework = merged


def narrowed(sources: Sources, ops: Collection[str]) -> Sources:
    """Only these ops and those that claim a name which they claim, too: what a check of them has to look at."""
    wanted = set(ops)
    for spoke in sources.spokes.values():
        claims = {op: {sources.canonical(spoke, api) for api in _claimed(rows)} for op, rows in spoke.rows.items()}
        names = {api for op in ops for api in claims.get(op, ())}
        wanted |= {op for op, apis in claims.items() if apis & names}
    spokes = {
        spoke.name: replace(spoke, rows={op: rows for op, rows in spoke.rows.items() if op in wanted})
        for spoke in sources.spokes.values()
    }
    return replace(sources, spokes=spokes)


def _claimed(rows: list[Row]) -> list[str]:
    names: list[str] = []
    for row in rows:
        api = row.data.get("api")
        names += [one for one in (api if isinstance(api, list) else [api]) if isinstance(one, str)]
    return names

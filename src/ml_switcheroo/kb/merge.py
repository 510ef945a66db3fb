"""Lays the rows of the user over ours. For the build only.

An op that a layer defines anew has the meaning that the layer gives; the rows that it has for one framework take the
place of those below, unless they say `add: true`, which puts them beside these. Helpers keep their names: ours cannot
be replaced, because other rows use them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from . import layers
from .definitions import read_definitions
from .sources import Row, Sources, Spoke, read_rows, read_sources
from .yamltext import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Layer:
    """A folder of the user; `instead` maps names of definition files to files that are read in their place."""

    folder: Path
    instead: dict[str, Path] = field(default_factory=dict)


def read_layered(top: Path, above: Sequence[Layer]) -> Sources:
    """Ours with all layers over it, the weakest first."""
    sources = read_sources(top)
    ours = {spoke.name: frozenset(spoke.helpers) for spoke in sources.spokes.values()}
    for layer in above:
        _lay_over(sources, _read_layer(layer, sources), ours)
    return sources


def _read_layer(layer: Layer, below: Sources) -> Sources:
    one = Sources(layer.folder, shown=layers.shown(layer.folder) + "/")
    read_rows(one)
    files = {path.name: path for path in (layer.folder / "ops").glob("*.yaml")} | layer.instead
    for _, path in sorted(files.items()):
        read_definitions(one, path, layers.shown(path), below)
    return one


def _lay_over(sources: Sources, one: Sources, ours: dict[str, frozenset[str]]) -> None:
    sources.problems += one.problems
    sources.hub |= one.hub
    for spoke in one.spokes.values():
        below = sources.spokes.setdefault(spoke.name, Spoke(spoke.name))
        _framework(sources, below, spoke)
        for op, rows in spoke.rows.items():
            adding = [row for row in rows if row.data.get("add") is not None]
            sources.problems += [row.problem("add: expected true", "add") for row in adding if row.data["add"] is not True]
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
        below.signatures.clear()


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


def rows_of(sources: Sources, op: str) -> dict[str, list[Row]]:
    """The rows of one op by framework."""
    return {spoke.name: spoke.rows[op] for spoke in sources.spokes.values() if op in spoke.rows}

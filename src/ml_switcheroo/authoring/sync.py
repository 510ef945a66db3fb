"""`sync FRAMEWORK`: what has changed in the installed version since the recorded one, and which rows that touches."""

from __future__ import annotations

import ast
import json
import re
import tempfile
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..kb import layers, paths
from ..kb.plans import PLANS
from ..source import write_atomic
from .introspect import run_child
from .rows import rows_in_force

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..kb.helperfiles import Definition
    from ..kb.sources import Row, Sources, Spoke

Names = dict[str, list[Any]]  # api.json: name -> [kind, signatures, canonical name]


@dataclass(frozen=True, order=True)
class TouchedRow:
    """A row that speaks of a name that vanished or changed. `broken`: why it does not compile any more, or ""."""

    place: str
    framework: str
    op: str
    names: tuple[str, ...]
    broken: str = ""


@dataclass
class Changes:
    """The difference between two versions of one framework."""

    framework: str
    recorded: str
    installed: str
    appeared: list[str] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)
    changed: dict[str, tuple[str, str]] = field(default_factory=dict)
    rows: list[TouchedRow] = field(default_factory=list)
    written: str = ""

    def as_json(self) -> dict[str, Any]:
        """For programs that read the result."""
        data = asdict(self)
        data["changed"] = [{"name": name, "was": was, "is": now} for name, (was, now) in self.changed.items()]
        return data

    def lines(self) -> list[str]:
        """For people."""
        found = [f"{self.framework}: recorded {self.recorded}, installed {self.installed}"]
        found += [f"  + {name}" for name in self.appeared]
        found += [f"  - {name}" for name in self.vanished]
        for name, (was, now) in self.changed.items():
            found += [f"  ~ {name}", f"      was {was}", f"      is  {now}"]
        for row in self.rows:
            state = f"no longer compiles: {row.broken}" if row.broken else "look at it"
            found.append(f"{row.place}: {row.op} ({row.framework}) uses {', '.join(row.names)}: {state}")
        found.append(
            f"{len(self.appeared)} appeared, {len(self.vanished)} vanished, {len(self.changed)} changed; "
            f"{len(self.rows)} rows are touched"
        )
        if self.written:
            found.append(f"recorded in {self.written}")
        return found


def sync(framework: str, *, write: bool = False) -> Changes:
    """Compares, and with `write` records the installed version. Raises InputError where there is nothing to compare."""
    if framework not in PLANS:
        raise InputError(
            "SW0007", f"unknown framework {framework!r}", f"known: {', '.join(sorted(PLANS))}", path="usage"
        )
    recorded = paths.rows() / "snapshots" / framework / "api.json"
    if write and paths.checkout() is None:
        raise InputError("SW0005", "--write needs a source checkout", "leave --write out to see what has changed")
    if not recorded.exists():
        raise InputError("SW0012", f"nothing is recorded of {framework} ({recorded})")
    text = fresh_snapshot(framework)
    old, new = json.loads(recorded.read_text(encoding="utf-8")), json.loads(text)
    changes = compare(old, new)
    changes.rows = touched_rows(framework, new, changes)
    if write and text != recorded.read_text(encoding="utf-8"):
        write_atomic(recorded, text)
        changes.written = layers.shown(recorded)
    return changes


def fresh_snapshot(framework: str) -> str:
    """api.json as the installed version gives it, taken in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "api.json"
        done = run_child(["ml_switcheroo.kb.snapshot", "--out", str(result), framework])
        if not done or not result.exists():
            plan = PLANS[framework]
            raise InputError(
                "SW0012", f"{plan.distribution} cannot be looked at", f"install it: pip install {plan.distribution}"
            )
        return result.read_text(encoding="utf-8")


def compare(old: dict[str, Any], new: dict[str, Any]) -> Changes:
    """The difference of two api.json. Other paths to one object are not told: their canonical name is."""
    before, after = _resolved(old["names"]), _resolved(new["names"])
    changes = Changes(new["framework"], old["version"], new["version"])
    own_before = {name for name, entry in old["names"].items() if len(entry) < 3}
    own_after = {name for name, entry in new["names"].items() if len(entry) < 3}
    changes.appeared = sorted(own_after - before.keys())
    changes.vanished = sorted(own_before - after.keys())
    for name in sorted(own_before & after.keys()):
        if before[name] != after[name]:
            changes.changed[name] = (before[name], after[name])
    return changes


def _resolved(names: Names) -> dict[str, str]:
    """What is known of each name, as text, with aliases followed."""
    found: dict[str, str] = {}
    for name, entry in names.items():
        known = names.get(entry[2], entry) if len(entry) > 2 else entry
        found[name] = " ".join([known[0], *(known[1] if len(known) > 1 else [])])
    return found


# --- rows -----------------------------------------------------------------------------------------------------


def touched_rows(framework: str, new: dict[str, Any], changes: Changes) -> list[TouchedRow]:
    """The rows of the framework, and of those that stand on it, that use a name that vanished or changed."""
    names = {*changes.vanished, *changes.changed}
    if not names:
        return []
    from ..kb.build import compile_sources

    sources = rows_in_force()
    uses = _Uses(sources)
    before = {str(problem) for problem in compile_sources(sources)[2]}
    found: dict[tuple[str, str, str], tuple[Row, set[str]]] = {}
    for spoke in sources.spokes.values():
        if framework not in [one.name for one in sources.stack(spoke.name)]:
            continue
        for op, rows in spoke.rows.items():
            for row in rows:
                used = uses.of_row(spoke, row) & names
                if used:
                    found[_place(row), spoke.name, op] = (row, used)
    _replace_api(sources.spokes[framework], new)
    broken = {
        (problem.path, problem.line): problem.message
        for problem in compile_sources(sources)[2]
        if str(problem) not in before
    }
    return sorted(
        TouchedRow(place, spoke, op, tuple(sorted(used)), _broken(broken, row))
        for (place, spoke, op), (row, used) in found.items()
    )


def _place(row: Row) -> str:
    return f"{row.document.path}:{row.document.line(*row.keys)}"


def _broken(broken: dict[tuple[str, int], str], row: Row) -> str:
    """What the compiler says of a row, wherever in it."""
    for (path, line), message in broken.items():
        if path == row.document.path and message.startswith(f"{row.op}:"):
            lines = [at for keys, at in row.document.lines.items() if keys[: len(row.keys)] == row.keys]
            if line in lines:
                return message.removeprefix(f"{row.op}: ")
    return ""


def _replace_api(spoke: Spoke, new: dict[str, Any]) -> None:
    from ..kb.sources import ApiName

    spoke.api = {
        name: ApiName(entry[0], entry[1] if len(entry) > 1 else [], entry[2] if len(entry) > 2 else None)
        for name, entry in new["names"].items()
    }
    spoke.signatures = {}


class _Uses:
    """Which public names rows and helpers speak of."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self._helpers: dict[tuple[str, str], set[str]] = defaultdict(set)

    def of_row(self, spoke: Spoke, row: Row) -> set[str]:
        """The canonical names that a row claims, writes, or reaches through its helpers."""
        found: set[str] = set()
        api = row.data.get("api")
        for name in api if isinstance(api, list) else [api]:
            if isinstance(name, str):
                found.add(self.sources.canonical(spoke, name))
        for text in _texts(row.data):
            found |= self._of_text(spoke, text)
        return found

    def _of_text(self, spoke: Spoke, text: str) -> set[str]:
        found: set[str] = set()
        for dotted in re.findall(r"[A-Za-z_][\w.]*", text):
            full = self.sources.dotted(spoke, dotted)
            if full is not None:
                found |= self._known(spoke, full)
            elif (definition := self.sources.helper(spoke, dotted)) is not None:
                found |= self._of_helper(spoke, definition)
        return found

    def _known(self, spoke: Spoke, full: str) -> set[str]:
        """The name itself, or the longest part of it that is public (`jax.numpy.add` of `jax.numpy.add.at`)."""
        while "." in full:
            if self.sources.lookup(spoke, full) is not None:
                return {self.sources.canonical(spoke, full)}
            full = full.rpartition(".")[0]
        return set()

    def _of_helper(self, spoke: Spoke, definition: Definition) -> set[str]:
        key = (definition.path, definition.name)
        if key not in self._helpers:
            self._helpers[key] = set()  # helpers may call each other
            found: set[str] = set()
            for node in ast.walk(ast.parse(definition.text)):
                if isinstance(node, (ast.Attribute, ast.Name)):
                    text = ast.unparse(node)
                    if re.fullmatch(r"[\w.]+", text):
                        found |= self._of_text(spoke, text)
            self._helpers[key] = found
        return self._helpers[key]


def _texts(data: dict[str, Any]) -> Iterator[str]:
    """The parts of a row that hold code or names of helpers."""
    for key in ("write", "helper", "isinstance"):
        value = data.get(key)
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str):
                yield one
            elif isinstance(one, dict):
                yield from (text for rung in ("emit", "api", "helper") if isinstance(text := one.get(rung), str))

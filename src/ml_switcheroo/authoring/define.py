"""`define FILE.yaml`: checks a definition file and installs it in the user's or the project's knowledge base.

The file is checked by the compiler and the lint of our own rows, together with everything it is laid over. It is
installed as it stands, under its own name, in one step: a bad file changes nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..kb import layers, reload
from ..source import read_bytes, write_atomic
from .rows import rows_in_force

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..errors import SwitcherooError
    from ..kb.sources import Sources
    from ..kb.yamltext import Problem

SOURCE, TARGET = "torch", "jax"  # the direction in which new rows are proved


@dataclass(frozen=True)
class Defined:
    """One op of the file: what it does to the knowledge base."""

    name: str
    new: bool
    frameworks: list[str]


@dataclass
class Definition:
    """What became of a definition file."""

    file: str
    layer: str  # "project" or "user"
    path: str  # where it is or would be installed
    dry_run: bool
    ops: list[Defined] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    in_force: bool = True  # ML_SWITCHEROO_KB may name other folders
    gone: list[str] = field(default_factory=list)  # ops of an earlier file of this name that the new one lacks
    proof: str = ""

    @property
    def ok(self) -> bool:
        """No finding is an error."""
        return not any(problem.severity == "error" for problem in self.problems)

    @property
    def installed(self) -> bool:
        """The file is in place now."""
        return self.ok and not self.dry_run

    @property
    def check(self) -> list[str]:
        """The commands that compare the numbers of the ops."""
        return [f"ml_switcheroo ci --op {op.name}" for op in self.ops]

    def as_json(self) -> dict[str, Any]:
        """For programs that read the result."""
        problems = [
            {
                "file": one.path,
                "line": one.line,
                "field": one.field,
                "severity": one.severity,
                "message": one.message,
            }
            for one in self.problems
        ]
        return {
            "ok": self.ok,
            "installed": self.path if self.installed else None,
            "file": self.file,
            "layer": self.layer,
            "dry_run": self.dry_run,
            "ops": [asdict(op) for op in self.ops],
            "no_longer_defined": self.gone,
            "problems": problems,
            "in_force": self.in_force,
            "check": self.check if self.ok else [],
            "proof": self.proof,
        }

    def lines(self) -> list[str]:
        """For people."""
        found = [str(problem) for problem in self.problems]
        if not self.ok:
            errors = sum(problem.severity == "error" for problem in self.problems)
            return [*found, f"{self.file}: {errors} errors; nothing was changed"]
        for op in self.ops:
            what = "new op" if op.new else "changes the op"
            found.append(f"{op.name}: {what}, {', '.join(op.frameworks) or 'no framework'}")
        found += [f"{name}: no longer defined by {self.path}" for name in self.gone]
        if self.dry_run:
            found.append(f"{self.file} is good; it would be installed as {self.path} ({self.layer})")
        else:
            found += [f"installed as {self.path} ({self.layer})", self.proof]
            if not self.in_force:
                found.append(f"not in force: {layers.VARIABLE} names other folders")
        return found


def unreadable(file: str, error: SwitcherooError) -> dict[str, Any]:
    """What a program is told of a file that could not even be looked at."""
    message = f"{error.message} ({error.hint})" if error.hint else error.message
    problem = {"file": error.path or file, "line": error.line, "field": "", "severity": "error", "message": message}
    return {"ok": False, "installed": None, "file": file, "ops": [], "problems": [problem], "check": []}


def layer_folder(user: bool) -> Path:
    """The folder into which a definition goes: the user's, or the project's (made in the working directory)."""
    return layers.user_folder() if user else layers.project_folder() or Path.cwd() / layers.PROJECT


def define(file: Path | str, *, user: bool = False, dry_run: bool = False) -> Definition:
    """Checks a definition file and, unless that is all, installs it. Raises InputError where it cannot be read."""
    path = Path(file)
    data = read_bytes(path)
    if path.suffix not in {".yaml", ".yml"}:
        raise InputError("SW0001", "a definition is a .yaml file", "see EXTENDING_WITH_DSL.md", path=str(file))
    folder = layer_folder(user)
    target = folder / "ops" / f"{path.stem}.yaml"
    done = Definition(str(file), "user" if user else "project", layers.shown(target), dry_run)
    after = rows_in_force(folder, {target.name: path})
    names = _ops_of(after, layers.shown(path))
    earlier = _earlier_ops(target)
    for op, frameworks in names.items():
        new = after.hub[op].document.path == layers.shown(path) if op in after.hub else True
        done.ops.append(Defined(op, new and op not in after.changed and op not in earlier, frameworks))
    done.gone = [op for op in earlier if op not in names]
    done.problems = _problems(after, layers.shown(path), names)
    if done.installed:
        write_atomic(target, data)
        reload()
        done.in_force = folder.absolute() in layers.active()
        done.proof = _proof(list(names))
    return done


def _earlier_ops(target: Path) -> list[str]:
    """The ops of the file that is replaced."""
    from ..kb.yamltext import read_document

    ops = read_document(target, target.name).data.get("ops") if target.exists() else None
    return list(ops) if isinstance(ops, dict) else []


def _ops_of(sources: Sources, shown: str) -> dict[str, list[str]]:
    """The ops that a file speaks of, with the frameworks that it has rows for."""
    found: dict[str, list[str]] = {op: [] for op, row in sources.hub.items() if row.document.path == shown}
    for spoke in sources.spokes.values():
        for op, rows in spoke.rows.items():
            if any(row.document.path == shown for row in rows):
                found.setdefault(op, []).append(spoke.name)
    return found


def _problems(sources: Sources, shown: str, names: dict[str, list[str]]) -> list[Problem]:
    """What is wrong with the file, and what it would break elsewhere; errors first."""
    from ..kb.lint import check
    from ..kb.merge import narrowed

    found = [
        problem
        for problem in check(narrowed(sources, names), sources)
        if problem.path == shown
        or (problem.severity == "error" and any(problem.message.startswith(f"{op}:") for op in names))
        or (problem.severity == "error" and f" {shown}:" in problem.message)
    ]
    for op, frameworks in names.items():
        row = sources.hub.get(op)
        all_frameworks = [spoke.name for spoke in sources.spokes.values() if op in spoke.rows]
        if row is not None and row.document.path == shown and len(all_frameworks) < 2 and frameworks:
            message = f"only {all_frameworks[0]} has rows: nothing can be converted with it yet"
            found.append(row.problem(message, severity="warning"))
    unique: dict[tuple[str, int, str], Problem] = {}
    for problem in found:
        unique.setdefault((problem.path, problem.line, problem.message), problem)
    return sorted(unique.values(), key=lambda one: (one.severity, one))


def _proof(ops: Sequence[str]) -> str:
    """What the fuzzer says of the ops; where it cannot run here, the command that is still to be run."""
    from ..fuzz import missing

    absent = missing(SOURCE, TARGET)
    if absent:
        commands = " and ".join(f"`ml_switcheroo ci --op {op}`" for op in ops)
        return f"not proved ({', '.join(absent)} not installed): run {commands}"
    from ..fuzz.cli_view import line
    from ..fuzz.prove import prove

    return "; ".join(line(proof) for proof in prove(ops, source=SOURCE, target=TARGET))

"""What the steps of a ladder share: its folder, the processes of both sides, and what they wrote."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .workers import WORKERS

if TYPE_CHECKING:
    from .closure import Closure
    from .compare import Difference

RUNGS = ("converts", "imports", "builds", "weights", "forward", "jit", "gradients", "training")
TIMEOUT = 300.0
OUT_OF_TIME = "took longer than"  # how such a reason begins


@dataclass
class Rung:
    """One rung: held, missed, or not reached (ok is None)."""

    name: str
    ok: bool | None = None
    figure: float | None = None
    reason: str = ""


@dataclass
class LadderResult:
    """What became of one model."""

    rungs: list[Rung]
    diagnostics: list[str] = field(default_factory=list)  # error diagnostics of all converted files
    seconds: dict[str, float] = field(default_factory=dict)
    parameters: int | None = None

    @property
    def ok(self) -> bool:
        """Whether every rung holds."""
        return all(rung.ok for rung in self.rungs)

    @property
    def missed(self) -> Rung | None:
        """The first rung that does not hold."""
        return next((rung for rung in self.rungs if not rung.ok), None)

    @property
    def silently_wrong(self) -> bool:
        """The conversion reported no error at all, and yet a rung is missed (and not for want of time)."""
        missed = self.missed
        return missed is not None and not self.diagnostics and OUT_OF_TIME not in missed.reason

    def to_json(self) -> dict[str, Any]:
        """Plain data for a report."""
        missed = self.missed
        return {
            "ok": self.ok,
            "missed": missed.name if missed else None,
            "reason": missed.reason if missed else "",
            "silently_wrong": self.silently_wrong,
            "parameters": self.parameters,
            "rungs": [asdict(rung) for rung in self.rungs],
            "diagnostics": self.diagnostics,
            "seconds": self.seconds,
        }


@dataclass
class Converted:
    """The converted tree and the migration script of a model, however they were made.

    `errors`: error diagnostics by file of the tree; `failure`: why there is no script.
    """

    tree: Path
    errors: dict[str, list[str]] = field(default_factory=dict)
    script: Path | None = None
    failure: str = ""
    seconds: float = 0.0


CHECKPOINTS = ("checkpoint", "gradients", "trained")  # what the source writes with the names of its state

EMPTY = (2).to_bytes(8, "little") + b"{}"
"""A safetensors file without tensors."""


@dataclass
class Run:
    """Everything that the steps of one ladder share."""

    folder: Path
    closure: Closure
    source_tree: Path
    converted: Converted
    build: str
    source: str
    target: str
    seed: int
    train: bool
    timeout: float
    search: list[str]
    layout: list[dict[str, Any]]
    inputs: Path
    result: LadderResult
    stateless: bool = False  # the source's model has no tensors to migrate
    migrations: dict[tuple[str, str], str] = field(default_factory=dict)  # name, turn -> '' or what went wrong

    def rung(self, name: str) -> Rung:
        """What is known of a rung."""
        return self.result.rungs[RUNGS.index(name)]

    def hold(self, name: str, figure: float | None = None, note: str = "") -> None:
        """The rung holds."""
        self.result.rungs[RUNGS.index(name)] = Rung(name, True, figure, note)

    def miss(self, name: str, reason: str, figure: float | None = None) -> None:
        """The rung is missed."""
        self.result.rungs[RUNGS.index(name)] = Rung(name, False, figure, reason)

    def judge(self, name: str, difference: Difference) -> None:
        """The rung holds if nothing differs."""
        self.result.rungs[RUNGS.index(name)] = Rung(name, difference.ok, difference.figure, difference.reason or "")


def work(run: Run, side: str, tree: Path, turn: str = "work", **more: Any) -> dict[str, dict[str, Any]]:
    """Run one side's worker; the steps that it reported, with the crash or the hang as a failed step."""
    folder = run.folder / f"{side}.{turn}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    name = WORKERS[run.source if side == "source" else run.target]
    job = {
        "folder": str(folder),
        "tree": str(tree),
        "module": run.closure.entry,
        "build": run.build,
        "inputs": str(run.inputs),
        "layout": run.layout,
        "seed": run.seed,
        "train": run.train,
        "search": run.search,
        **more,
    }
    file = folder / "job.json"
    file.write_text(json.dumps(job, indent=1), encoding="utf-8")
    start = time.perf_counter()
    command = [sys.executable, "-m", f"ml_switcheroo.verify.workers.{name}", str(file)]
    outcome = _process(command, folder, run.timeout, optimised=bool(more.get("double")))
    run.result.seconds[side] = round(run.result.seconds.get(side, 0.0) + time.perf_counter() - start, 2)
    steps = steps_of(run, side, turn)
    if outcome and all(step["ok"] for step in steps.values()):
        steps[_next_step(side, steps)] = {"ok": False, "reason": outcome}
    return steps


def steps_of(run: Run, side: str, turn: str = "work") -> dict[str, dict[str, Any]]:
    """The steps that a worker has reported."""
    report = run.folder / f"{side}.{turn}" / "report.jsonl"
    lines = report.read_text(encoding="utf-8").splitlines() if report.is_file() else []
    return {line["step"]: line for line in map(json.loads, lines)}


def _next_step(side: str, done: dict[str, Any]) -> str:
    order = ("imports", "builds", "forward", "gradients", "training") if side == "source" else RUNGS[1:]
    return next((name for name in order if name not in done), "trace")


def _process(command: list[str], folder: Path, timeout: float, *, optimised: bool = False) -> str:
    """Run a command in a session of its own; '' or what went wrong."""
    package_root = str(Path(__file__).resolve().parents[2])
    environment = {
        # A compiled function is worth keeping as long as the folder of the run is.
        "JAX_COMPILATION_CACHE_DIR": str(folder.parent / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        # Each function runs once or thrice: compiling it well would take longer than it ever runs. Not so in double
        # precision, where no library helps and convolutions are plain loops.
        "XLA_FLAGS": f"--xla_backend_optimization_level={2 if optimised else 0}",
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH", "")])),
        "PYTHONSAFEPATH": "1",
        "PYTHONHASHSEED": "0",
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    log = folder / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            _kill(process)
            return f"{OUT_OF_TIME} {timeout:g} s"
        except BaseException:
            _kill(process)
            raise
    if code == 0:
        return ""
    if code < 0:
        return f"the process died of {signal.Signals(-code).name}"
    tail = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return " ".join(tail[-1].split())[:300] if tail else f"the process ended with code {code}"


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def migrate(run: Run, name: str, turn: str = "work") -> str:
    """Run the migration script on one of the source's checkpoints; '' or what went wrong.

    What the script needs to start takes longer than most checkpoints: it is run once, for all of them that there are.
    """
    if run.stateless:
        migrated(run, name, turn).write_bytes(EMPTY)
        return ""
    if run.converted.script is None:
        return run.converted.failure or "there is no migration script"
    if not _given(run, name, turn).is_file():
        return f"the source wrote no {name}"
    if (name, turn) not in run.migrations:
        _migrate_all(run, [n for n in CHECKPOINTS if _given(run, n, turn).is_file()], turn)
    outcome = run.migrations[name, turn]
    return f"migration script: {outcome}" if outcome else ""


def _migrate_all(run: Run, names: list[str], turn: str) -> None:
    folder = run.folder / f"migrate.{turn}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    start = time.perf_counter()
    pairs = [part for name in names for part in (str(_given(run, name, turn)), str(migrated(run, name, turn)))]
    program = Path(__file__).parent / "workers" / "migrate.py"  # by its path: it needs nothing of this package
    command = [sys.executable, str(program), str(run.converted.script), *pairs]
    crash = _process(command, folder, run.timeout)
    run.result.seconds["migrate"] = round(run.result.seconds.get("migrate", 0.0) + time.perf_counter() - start, 2)
    report = folder / "report.jsonl"
    lines = report.read_text(encoding="utf-8").splitlines() if report.is_file() else []
    outcomes = [json.loads(line) for line in lines] + [crash or "not reached"] * len(names)
    run.migrations |= {(name, turn): outcome for name, outcome in zip(names, outcomes, strict=False)}


def _given(run: Run, name: str, turn: str) -> Path:
    return run.folder / f"source.{turn}" / f"{name}.pth"


def migrated(run: Run, name: str, turn: str) -> Path:
    """Where the migration script puts it."""
    return run.folder / f"{name}{'' if turn == 'work' else f'.{turn}'}.safetensors"


def checkpoint(path: Path) -> dict[str, Any]:
    """The tensors of a migrated checkpoint."""
    from safetensors.numpy import load_file

    return dict(load_file(path))


def save(path: Path, arrays: dict[str, Any]) -> None:
    """Write arrays for the workers."""
    import numpy as np

    np.savez(path, **arrays)

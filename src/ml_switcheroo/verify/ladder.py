"""The ladder: does the converted model compute what its source computes? Eight rungs, each with a figure or a reason.

The source and the target run in processes of their own (see `workers`), on copies of the model file and its imports.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .closure import Closure, import_closure
from .compare import Difference, compare, read_arrays
from .errors import VerifyError
from .inputs import InputSpec, make_inputs, parse_input
from .workers import WORKERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RUNGS = ("converts", "imports", "builds", "weights", "forward", "jit", "gradients", "training")

FORWARD_TOLERANCE = 1e-4
GRADIENT_TOLERANCE = 1e-3  # sums over whole batches and feature maps: rounding adds up more than in the forward pass
GRADIENT_FLOOR = (
    1e-3  # of the largest gradient: some gradients are zero but for rounding (a bias before a normalisation)
)
TRAINING_TOLERANCE = 1e-3
STATE_TOLERANCE = 1e-2
# Gradients and training steps that differ are repeated in double precision: rounding is gone there, a mistake is not.
# In single precision the difference may then be ROUGH, or as many times the source's own rounding error as OWN says.
DOUBLE_TOLERANCE = 1e-6
ROUGH, OWN = 0.1, 10.0
TIMEOUT = 300.0

# Packages that the converter understands itself: what imports them is converted, they are not.
UNDERSTOOD = ("einops", "safetensors", "numpy", "packaging", "huggingface_hub")


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
        """The conversion reported no error at all, and yet a rung is missed."""
        return not self.ok and not self.diagnostics

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


@dataclass
class _Run:
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

    def rung(self, name: str) -> Rung:
        return self.result.rungs[RUNGS.index(name)]

    def hold(self, name: str, figure: float | None = None, note: str = "") -> None:
        self.result.rungs[RUNGS.index(name)] = Rung(name, True, figure, note)

    def miss(self, name: str, reason: str, figure: float | None = None) -> None:
        self.result.rungs[RUNGS.index(name)] = Rung(name, False, figure, reason)

    def judge(self, name: str, difference: Difference) -> None:
        self.result.rungs[RUNGS.index(name)] = Rung(name, difference.ok, difference.figure, difference.reason or "")


def run_ladder(
    path: Path | str,
    build: str,
    inputs: Sequence[InputSpec | str],
    *,
    target: str = "jax",
    source: str | None = None,
    train: bool = True,
    seed: int = 0,
    timeout: float = TIMEOUT,
    search: Sequence[Path | str] = (),
    converted: Converted | None = None,
    keep: Path | str | None = None,
    on_rung: Callable[[Rung], None] | None = None,
) -> LadderResult:
    """Convert the model file at `path`, run both sides, and say how far the converted model gets.

    `build` is an expression over the names of the file that makes the model, such as `"Net(10)"`; `train=False` runs
    the training steps in evaluation mode, for models that draw random numbers in training. `search`: folders with
    packages that the file imports. `converted`: use this conversion instead of making one. `keep`: a folder in which
    everything is left to look at.
    Raises VerifyError where the request or the source model itself is at fault.
    """
    path = Path(path)
    specs = [parse_input(i) if isinstance(i, str) else i for i in inputs]
    source = source or "torch"
    for name in (source, target):
        if name not in WORKERS:
            raise VerifyError(f"verify cannot run {name!r} models; it runs {', '.join(sorted(set(WORKERS)))}")
    _check_build(build)
    closure = closure_of(path, source=source, search=search)
    with _Folder(keep) as folder:
        tree = folder / "source"
        closure.write(tree, fall_back=True)
        arrays, layout = make_inputs(specs, seed)
        run = _Run(
            folder=folder,
            closure=closure,
            source_tree=tree,
            converted=converted if converted is not None else convert_closure(closure, folder, source, target),
            build=build,
            source=source,
            target=target,
            seed=seed,
            train=train,
            timeout=timeout,
            search=[str(p) for p in search],
            layout=layout,
            inputs=folder / "inputs.npz",
            result=LadderResult([Rung(name) for name in RUNGS]),
        )
        _save(run.inputs, arrays)
        _climb(run)
        if on_rung is not None:
            for rung in run.result.rungs:
                on_rung(rung)
        return run.result


def closure_of(path: Path | str, *, source: str = "torch", search: Sequence[Path | str] = ()) -> Closure:
    """The files that a model file imports, as `run_ladder` sees them."""
    path = Path(path)
    if not path.is_file():
        raise VerifyError(f"{path}: no such file")
    folders = [Path(p) for p in [*search, *sys.path] if p]
    try:
        return import_closure(path, frameworks=[WORKERS[source]], known=UNDERSTOOD, search=folders)
    except ValueError as error:
        raise VerifyError(str(error)) from None


def convert_closure(closure: Closure, folder: Path, source: str, target: str, *, jobs: int | None = 1) -> Converted:
    """Convert a closure with the product's own pipeline, and generate the migration script of its model file."""
    plain, out = folder / "plain", folder / "converted"
    closure.write(plain)
    converted = convert_tree(plain, out, source, target, jobs=jobs)
    add_script(converted, plain / closure.entry_file, folder / "migrate.py", source, target)
    return converted


def convert_tree(plain: Path, out: Path, source: str, target: str, *, jobs: int | None = 1) -> Converted:
    """Convert a folder; error diagnostics are kept by file."""
    from ..errors import SwitcherooError
    from ..project import convert_path

    start = time.perf_counter()
    try:
        result = convert_path(plain, out, source=source, target=target, jobs=jobs)
    except SwitcherooError as error:
        return Converted(out, failure=f"{error.code}: {error.message}")
    errors: dict[str, list[str]] = {}
    for file in result.files:
        found = [f"{file.name}:{d.line}: {d.code} {d.message}" for d in file.diagnostics if d.severity == "error"]
        if found:
            errors[file.name] = found
    return Converted(out, errors, seconds=round(time.perf_counter() - start, 3))


def add_script(converted: Converted, model_file: Path, script: Path, source: str, target: str) -> None:
    """Generate the migration script of a model file beside its conversion."""
    from ..errors import SwitcherooError
    from ..project import weight_script

    try:
        text, diagnostics = weight_script(str(model_file), source=source, target=target)
    except SwitcherooError as error:
        converted.failure = f"no migration script: {error.code} {error.message}"
        return
    except Exception as error:
        converted.failure = f"no migration script: internal error: {type(error).__name__}: {error}"
        return
    script.write_text(text, encoding="utf-8")
    converted.script = script
    problems = [d.message for d in diagnostics if d.severity == "error"]
    if problems:
        converted.failure = f"migration script: {problems[0]}"


# --- the rungs ------------------------------------------------------------------------------------------------------


def _climb(run: _Run) -> None:
    converted = run.converted
    files = {path.as_posix() for path in run.closure.files()}
    run.result.diagnostics = [line for name, lines in converted.errors.items() if name in files for line in lines]
    run.result.seconds["convert"] = converted.seconds
    source = _source_side(run)
    own = converted.errors.get(run.closure.entry_file.as_posix(), [])
    if not converted.tree.is_dir():
        return run.miss("converts", converted.failure or "nothing was written")
    if own:
        run.miss("converts", f"{len(own)} errors: {own[0]}" if len(own) > 1 else own[0])
    else:
        run.hold("converts")
    if converted.script is None:
        migrated = converted.failure or "there is no migration script"
    else:
        migrated = _migrate(run, "checkpoint") or ""
    target = _work(
        run,
        "target",
        converted.tree,
        refuse=[WORKERS[run.source]],
        weights=str(run.folder / "checkpoint.safetensors"),
        cotangents=str(run.folder / "source.work" / "cotangents.npz") if "gradients" in source else None,
        training=_training_job(run, source),
    )
    for name in ("imports", "builds"):
        if not _held(run, name, target):
            return None
    if migrated:
        return run.miss("weights", migrated)
    if not _held(run, "weights", target, figure="tensors"):
        return None
    _compare_outputs(run, target)
    if "gradients" in source:
        _compare_gradients(run, target, source)
        _compare_training(run, target, source)
        _in_double_precision(run)
    else:
        run.hold("gradients", note="no floating-point output")
        run.hold("training", note="no floating-point output")
    return None


def _source_side(run: _Run) -> dict[str, dict[str, Any]]:
    """Run the source; if it does not get through its forward pass there is nothing to compare with.

    In a folder that is kept, an earlier run of the same files with the same inputs counts.
    """
    mark, key = run.folder / "source.key", _source_key(run)
    report = run.folder / "source.work" / "report.jsonl"
    if mark.is_file() and mark.read_text() == key and report.is_file():
        steps = _steps(report)
    else:
        steps = _work(run, "source", run.source_tree, optional=sorted(run.closure.optional))
        mark.write_text(key)
    run.result.parameters = steps.get("builds", {}).get("parameters")
    for name in ("imports", "builds", "forward"):
        if not steps.get(name, {}).get("ok"):
            raise VerifyError(f"the source model fails: {name}: {steps.get(name, {}).get('reason', 'not reached')}")
    return steps


def _source_key(run: _Run) -> str:
    """What the source's results depend on."""
    import hashlib

    files = sorted((str(path), text) for path, text in run.closure.files().items())
    facts = [
        files,
        run.closure.entry,
        run.build,
        run.layout,
        run.seed,
        run.train,
        run.search,
        sorted(run.closure.optional),
    ]
    digest = hashlib.sha256(json.dumps(facts).encode())
    for array in read_arrays(run.inputs).values():
        digest.update(repr((array.dtype.str, array.shape)).encode() + array.tobytes())
    return digest.hexdigest()


def _training_job(run: _Run, source: dict[str, dict[str, Any]], turn: str = "work") -> dict[str, Any] | None:
    done = source.get("training", {})
    if not done.get("ok"):
        return None
    return {"rate": done["rate"], "weights": str(run.folder / f"source.{turn}" / "training_weights.npz")}


def _held(run: _Run, name: str, steps: dict[str, dict[str, Any]], figure: str = "") -> bool:
    step = steps.get(name, {"ok": False, "reason": "not reached"})
    if step["ok"]:
        run.hold(name, step.get(figure))
    else:
        run.miss(name, step["reason"])
    return bool(step["ok"])


def _compare_outputs(run: _Run, target: dict[str, dict[str, Any]]) -> None:
    expected = read_arrays(run.folder / "source.work" / "forward.npz")
    for name in ("forward", "jit"):
        if name not in target or not _held(run, name, target):
            if name == "forward":
                return
            continue
        found = compare(expected, read_arrays(run.folder / "target.work" / f"{name}.npz"), FORWARD_TOLERANCE)
        if not found.ok and name == "forward":
            layer = _first_difference(run)
            found = Difference(found.figure, f"{found.reason}; {layer}" if layer else found.reason)
        run.judge(name, found)


def _compare_gradients(run: _Run, target: dict[str, dict[str, Any]], source: dict[str, dict[str, Any]]) -> None:
    if not source["gradients"]["ok"]:
        return run.miss("gradients", f"the source has none: {source['gradients']['reason']}")
    if "gradients" not in target or not _held(run, "gradients", target):
        return None
    return run.judge("gradients", _gradient_difference(run, GRADIENT_TOLERANCE))


def _gradient_difference(run: _Run, tolerance: float, turn: str = "work") -> Difference:
    if problem := _migrate(run, "gradients", turn):
        return Difference(None, problem)
    found = read_arrays(run.folder / f"target.{turn}" / "gradients.npz")
    expected = {k: v for k, v in _checkpoint(_migrated(run, "gradients", turn)).items() if k in found}
    largest = max((float(abs(v).max()) for v in expected.values() if v.size), default=0.0)
    return compare(expected, found, tolerance, floor=GRADIENT_FLOOR * largest)


def _compare_training(run: _Run, target: dict[str, dict[str, Any]], source: dict[str, dict[str, Any]]) -> None:
    ours, theirs = source.get("training", {}), target.get("training")
    if not ours.get("ok"):
        return run.miss("training", f"the source does not train: {ours.get('reason', 'not reached')}")
    if theirs is None or not _held(run, "training", target):
        return None
    return run.judge("training", _training_difference(run, ours, theirs, TRAINING_TOLERANCE, STATE_TOLERANCE))


def _training_difference(
    run: _Run, ours: dict[str, Any], theirs: dict[str, Any], tolerance: float, state: float, turn: str = "work"
) -> Difference:
    worst, errors = _loss_errors(ours, theirs)
    if not worst <= tolerance:  # a NaN fails too
        step = next(i for i, e in enumerate(errors) if not e <= tolerance)
        where = "in evaluation mode after training" if step == len(errors) - 1 else f"at step {step + 1}"
        losses = f"{theirs['losses'][step]:.6g} {where}, {ours['losses'][step]:.6g} in the source"
        return Difference(worst, f"loss {losses}")
    if problem := _migrate(run, "trained", turn):
        return Difference(worst, problem)
    after = compare(
        _checkpoint(_migrated(run, "trained", turn)),
        read_arrays(run.folder / f"target.{turn}" / "trained.npz"),
        state,
        floor=STATE_TOLERANCE,
    )
    return Difference(worst, None if after.ok else f"state after training: {after.reason}")


def _in_double_precision(run: _Run) -> None:
    """Rounding or a mistake? Gradients and steps whose figures differ are compared again in double precision."""
    missed = {r.name: r for r in run.result.rungs[RUNGS.index("gradients") :] if r.ok is False and r.figure is not None}
    if not missed:
        return
    given = run.folder / "source.work"
    source = _work(
        run, "source", run.source_tree, double=True, checkpoint=str(given / "checkpoint.pth"),
        cotangents=str(given / "cotangents.npz"), optional=sorted(run.closure.optional),
    )  # fmt: skip
    target = _work(
        run, "target", run.converted.tree, double=True, refuse=[WORKERS[run.source]],
        weights=str(run.folder / "checkpoint.safetensors"), cotangents=str(given / "cotangents.npz"),
        training=_training_job(run, source, "double"), compiles=bool(run.rung("jit").ok),
    )  # fmt: skip
    for name, rung in missed.items():
        ours, theirs = (side.get(name, {"ok": False, "reason": "not reached"}) for side in (source, target))
        if not (ours["ok"] and theirs["ok"]):
            side, step = ("the source", ours) if not ours["ok"] else ("the target", theirs)
            found = Difference(None, f"{side} fails: {step['reason']}")
        elif name == "gradients":
            found = _gradient_difference(run, DOUBLE_TOLERANCE, "double")
        else:
            found = _training_difference(run, ours, theirs, DOUBLE_TOLERANCE, 10 * DOUBLE_TOLERANCE, "double")
        own = _own_rounding(run, name, ours) if found.ok else 0.0
        if not found.ok:
            run.miss(name, f"{rung.reason}; in double precision: {found.reason}", rung.figure)
        elif not (rung.figure or 0.0) <= max(ROUGH, OWN * own):  # a NaN fails too
            why = f"right in double precision, but rounding is {own:.1e} in the source"
            run.miss(name, f"{rung.reason}; {why}", rung.figure)
        else:
            run.hold(name, found.figure, f"in double precision; {rung.reason} in single precision")


def _own_rounding(run: _Run, name: str, double: dict[str, Any]) -> float:
    """How far the source in single precision is from itself in double precision."""
    if name == "training":
        single = _steps(run.folder / "source.work" / "report.jsonl")[name]
        return _loss_errors(double, single)[0]
    exact, rounded = (_checkpoint(_migrated(run, name, turn)) for turn in ("double", "work"))
    largest = max((float(abs(v).max()) for v in exact.values() if v.size), default=0.0)
    return compare(exact, rounded, 1.0, floor=GRADIENT_FLOOR * largest).figure or 0.0


def _loss_errors(ours: dict[str, Any], theirs: dict[str, Any]) -> tuple[float, list[float]]:
    """The largest of the errors of all losses, and each of them."""
    scale = max(ours["scale"], *(abs(x) for x in ours["losses"]), 1e-12)
    errors = [abs(a - b) / scale for a, b in zip(ours["losses"], theirs["losses"], strict=True)]
    return (math.nan if any(map(math.isnan, errors)) else max(errors)), errors


def _first_difference(run: _Run) -> str:
    """The first layer, in the order in which the source finishes them, whose output differs."""
    checkpoint = str(run.folder / "source.work" / "checkpoint.pth")
    optional = sorted(run.closure.optional)
    source = _work(run, "source", run.source_tree, trace=True, checkpoint=checkpoint, optional=optional).get(
        "trace", {}
    )
    target = _work(
        run, "target", run.converted.tree, trace=True, refuse=[WORKERS[run.source]],
        weights=str(run.folder / "checkpoint.safetensors"),
    ).get("trace", {})  # fmt: skip
    if "order" not in source or "order" not in target:
        return ""
    ours, theirs = (_by_layer(run.folder / f"{side}.trace" / "trace.npz") for side in ("source", "target"))
    known = {_plain(name): name for name in reversed(target["order"])}
    for name in source["order"]:
        other = known.get(_plain(name))
        if other is None or not ours.get(name) or other not in theirs:
            continue
        found = compare(ours[name], theirs[other], FORWARD_TOLERANCE)
        if not found.ok:
            return f"first layer that differs: {other or 'the model itself'} ({found.reason})"
    return "no single layer differs"


def _by_layer(path: Path) -> dict[str, dict[str, Any]]:
    layers: dict[str, dict[str, Any]] = {}
    for key, value in read_arrays(path).items():
        name, _, place = key.partition("|")
        layers.setdefault(name, {})[place] = value
    return layers


def _plain(path: str) -> str:
    """A module path without the steps that only containers add: `layer1.layers.0` -> `layer1.0`."""
    return re.sub(r"(^|\.)layers\.(?=\d)", r"\1", path)


# --- processes and files --------------------------------------------------------------------------------------------


def _work(run: _Run, side: str, tree: Path, **more: Any) -> dict[str, dict[str, Any]]:
    """Run one side's worker; the steps that it reported, with the crash or the hang as a failed step."""
    folder = run.folder / f"{side}.{next((turn for turn in ('trace', 'double') if more.get(turn)), 'work')}"
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
    outcome = _process([sys.executable, "-m", f"ml_switcheroo.verify.workers.{name}", str(file)], folder, run.timeout)
    run.result.seconds[side] = round(run.result.seconds.get(side, 0.0) + time.perf_counter() - start, 2)
    steps = _steps(folder / "report.jsonl")
    if outcome and all(step["ok"] for step in steps.values()):
        steps[_next_step(side, steps)] = {"ok": False, "reason": outcome}
    return steps


def _steps(report: Path) -> dict[str, dict[str, Any]]:
    lines = report.read_text(encoding="utf-8").splitlines() if report.is_file() else []
    return {line["step"]: line for line in map(json.loads, lines)}


def _next_step(side: str, done: dict[str, Any]) -> str:
    order = ("imports", "builds", "forward", "gradients", "training") if side == "source" else RUNGS[1:]
    return next((name for name in order if name not in done), "trace")


def _process(command: list[str], folder: Path, timeout: float) -> str:
    """Run a command in a session of its own; '' or what went wrong."""
    package_root = str(Path(__file__).resolve().parents[2])
    environment = {
        # A compiled function is worth keeping as long as the folder of the run is.
        "JAX_COMPILATION_CACHE_DIR": str(folder.parent / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        # Each function runs once or thrice: compiling it well would take longer than it ever runs.
        "XLA_FLAGS": "--xla_backend_optimization_level=0",
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
            return f"took longer than {timeout:g} s"
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


def _migrate(run: _Run, name: str, turn: str = "work") -> str:
    """Run the migration script on one of the source's checkpoints; '' or what went wrong."""
    script = run.converted.script
    given = run.folder / f"source.{turn}" / f"{name}.pth"
    if script is None:
        return "there is no migration script"
    if not given.is_file():
        return f"the source wrote no {name}"
    start = time.perf_counter()
    command = [sys.executable, str(script), str(given), str(_migrated(run, name, turn))]
    outcome = _process(command, run.folder, run.timeout)
    run.result.seconds["migrate"] = round(run.result.seconds.get("migrate", 0.0) + time.perf_counter() - start, 2)
    return f"migration script: {outcome}" if outcome else ""


def _migrated(run: _Run, name: str, turn: str) -> Path:
    return run.folder / f"{name}{'' if turn == 'work' else f'.{turn}'}.safetensors"


def _checkpoint(path: Path) -> dict[str, Any]:
    from safetensors.numpy import load_file

    return dict(load_file(path))


def _save(path: Path, arrays: dict[str, Any]) -> None:
    import numpy as np

    np.savez(path, **arrays)


def _check_build(build: str) -> None:
    import ast

    try:
        tree = ast.parse(build.strip(), mode="eval")
    except SyntaxError as error:
        raise VerifyError(f"build expression {build!r}: {error.msg}") from None
    if not any(isinstance(node, ast.Call) for node in ast.walk(tree)):
        raise VerifyError(f"build expression {build!r}: it must make the model, as in Net(10)")


class _Folder:
    """The folder of a run: the user's, which is kept, or a temporary one."""

    def __init__(self, keep: Path | str | None) -> None:
        self.kept = Path(keep).resolve() if keep is not None else None
        self.temporary: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Path:
        if self.kept is not None:
            self.kept.mkdir(parents=True, exist_ok=True)
            return self.kept
        self.temporary = tempfile.TemporaryDirectory(prefix="ml_switcheroo_")
        return Path(self.temporary.name)

    def __exit__(self, *_: object) -> None:
        if self.temporary is not None:
            self.temporary.cleanup()

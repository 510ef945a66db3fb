"""How far the two sides are apart, and whether rounding explains it.

What differs by more than the tolerance is computed again by both sides in double precision. Rounding is gone there, a
mistake is not. In single precision, the difference must then be no more than what rounding does to the source itself.
"""

from __future__ import annotations

import math
import shutil
from typing import TYPE_CHECKING, Any

from .compare import Difference, compare, read_arrays
from .run import checkpoint, migrate, migrated, steps_of, work
from .workers import WORKERS

if TYPE_CHECKING:
    from .run import Run, Rung

TOLERANCES = {
    "forward": 1e-4,
    "jit": 1e-4,
    "gradients": 1e-3,  # sums over whole batches and feature maps: rounding adds up more than in the forward pass
    "training": 1e-3,
}
# Of the largest gradient: some gradients are zero but for rounding (a bias before a normalisation).
GRADIENT_FLOOR = 1e-3
STATE = 10  # the state after training may differ by so many times the tolerance of the losses
STATE_FLOOR = 1e-2

DOUBLE = 1e-2  # in double precision, differences are held to this part of the tolerances: 1e-6, and 1e-5 of gradients
# In single precision, what is right in double precision may differ by ROUGH times its tolerance, or by OWN times what
# rounding makes of the source: in single precision, and with weights that are off by NOISE of their values.
ROUGH, OWN, NOISE = 100, 10, 1e-6
# Some sources amplify even the rounding of double precision beyond its tolerance, by several orders a training step
# (a batch norm over two nearly equal values does). Their losses may also differ by OWN times what this noise does.
DOUBLE_NOISE = 1e-15

Steps = dict[str, dict[str, Any]]


def difference(run: Run, name: str, source: Steps, target: Steps, turn: str = "work") -> Difference:
    """How far the two sides are apart at a rung; `turn` says in which of their runs."""
    tolerance = TOLERANCES[name] if turn == "work" else DOUBLE * TOLERANCES[name]
    if name in ("forward", "jit"):
        ours = read_arrays(run.folder / f"source.{turn}" / "forward.npz")
        return compare(ours, read_arrays(run.folder / f"target.{turn}" / f"{name}.npz"), tolerance)
    if name == "gradients":
        if problem := migrate(run, name, turn):
            return Difference(None, problem)
        theirs = read_arrays(run.folder / f"target.{turn}" / "gradients.npz")
        return _gradients(checkpoint(migrated(run, name, turn)), theirs, tolerance)
    return _training(run, source[name], target[name], tolerance, turn)


def _gradients(ours: dict[str, Any], theirs: dict[str, Any], tolerance: float) -> Difference:
    expected = {name: value for name, value in ours.items() if name in theirs}  # it also holds running statistics
    largest = max((float(abs(v).max()) for v in expected.values() if v.size), default=0.0)
    return compare(expected, theirs, tolerance, floor=GRADIENT_FLOOR * largest)


def _training(run: Run, ours: dict[str, Any], theirs: dict[str, Any], tolerance: float, turn: str) -> Difference:
    worst, errors = _losses(ours, theirs)
    if not worst <= tolerance:  # a NaN fails too
        step = next(i for i, e in enumerate(errors) if not e <= tolerance)
        where = "in evaluation mode after training" if step == len(errors) - 1 else f"at step {step + 1}"
        losses = f"{theirs['losses'][step]:.6g} {where}, {ours['losses'][step]:.6g} in the source"
        return Difference(worst, f"loss {losses}")
    if problem := migrate(run, "trained", turn):
        return Difference(worst, problem)
    state, found = (
        checkpoint(migrated(run, "trained", turn)),
        read_arrays(run.folder / f"target.{turn}" / "trained.npz"),
    )
    after = compare(state, found, STATE * tolerance, floor=STATE_FLOOR)
    return Difference(worst, None if after.ok else f"state after training: {after.reason}")


def _losses(ours: dict[str, Any], theirs: dict[str, Any]) -> tuple[float, list[float]]:
    """The largest of the errors of all losses, and each of them."""
    scale = max(ours["scale"], *(abs(x) for x in ours["losses"]), 1e-12)
    errors = [abs(a - b) / scale for a, b in zip(ours["losses"], theirs["losses"], strict=True)]
    return (math.nan if any(map(math.isnan, errors)) else max(errors)), errors


# --- in double precision --------------------------------------------------------------------------------------------


def again_in_double_precision(run: Run) -> None:
    """Rounding or a mistake? What differs in its numbers is compared again in double precision."""
    missed = [r for r in run.result.rungs if r.name in TOLERANCES and r.ok is False and r.figure is not None]
    if not missed:
        return
    shutil.rmtree(run.folder / "source.noise", ignore_errors=True)
    source = _source(run, "double")
    target = _target(run, source, [rung.name for rung in missed])
    for rung in missed:
        for side, steps, step in (("source", source, _step(rung.name)), ("target", target, rung.name)):
            if not steps.get(step, NOT_REACHED)["ok"]:
                failed = next((s for s in steps.values() if not s["ok"]), NOT_REACHED)
                run.miss(
                    rung.name, f"{rung.reason}; in double precision the {side} fails: {failed['reason']}", rung.figure
                )
                break
        else:
            _judge(run, rung, difference(run, rung.name, source, target, "double"), source, target)


NOT_REACHED = {"ok": False, "reason": "not reached"}


def _step(rung: str) -> str:
    """The step of the source that shows what a rung must give."""
    return "forward" if rung == "jit" else rung


def _judge(run: Run, rung: Rung, found: Difference, source: Steps, target: Steps) -> None:
    assert rung.figure is not None
    exact = "in double precision"
    if not found.ok:
        if rung.name != "training" or not _unsteady(run, source["training"], target["training"]):
            return run.miss(rung.name, f"{rung.reason}; in double precision: {found.reason}", rung.figure)
        exact = f"as near as rounding in double precision lets the source come to itself ({found.reason})"
    allowed = ROUGH * TOLERANCES[rung.name]
    if not rung.figure <= allowed:
        allowed = max(allowed, OWN * _own_rounding(run, rung.name, source))
    if not rung.figure <= allowed:  # a NaN fails too
        why = f"right in double precision, but rounding explains no more than {allowed:.1e}"
        return run.miss(rung.name, f"{rung.reason}; {why}", rung.figure)
    return run.hold(rung.name, found.figure, f"{exact}; {rung.reason} in single precision")


def _unsteady(run: Run, exact: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Whether rounding in double precision explains how the losses differ."""
    noisy = _source(run, "steadiness", noise=DOUBLE_NOISE).get("training", NOT_REACHED)
    return bool(noisy["ok"]) and explained_by_noise(_losses(exact, theirs)[1], _losses(exact, noisy)[1])


def explained_by_noise(errors: list[float], own: list[float]) -> bool:
    """Whether each loss is as near as the noise lets the source come to itself, at its step or before it.

    The first loss is that of the weights as they are, and the second shows whether the gradients are right: noise that
    hides these two explains nothing.
    """
    explained = 0.0
    for step, error in enumerate(errors):
        explained = max(explained, OWN * own[step])
        if step < 2 and explained > TOLERANCES["training"]:
            return False
        if not error <= max(DOUBLE * TOLERANCES["training"], explained):  # a NaN fails too
            return False
    return True


def _source(run: Run, turn: str, **more: Any) -> Steps:
    given = run.folder / "source.work"
    return work(
        run, "source", run.source_tree, turn, double=True, checkpoint=str(given / "checkpoint.pth"),
        cotangents=str(given / "cotangents.npz"), optional=sorted(run.closure.optional), **more,
    )  # fmt: skip


def _target(run: Run, source: Steps, rungs: list[str]) -> Steps:
    trained = source.get("training", NOT_REACHED)
    weights = str(run.folder / "source.double" / "training_weights.npz")
    return work(
        run, "target", run.converted.tree, "double", double=True, refuse=[WORKERS[run.source]],
        weights=str(run.folder / "checkpoint.safetensors"),
        cotangents=str(run.folder / "source.work" / "cotangents.npz"), gradients="gradients" in rungs,
        training={"rate": trained["rate"], "weights": weights} if trained["ok"] and "training" in rungs else None,
        outputs=[name for name in ("forward", "jit") if name in rungs], compiles=run.rung("jit").reason == "",
    )  # fmt: skip


def _own_rounding(run: Run, name: str, exact: Steps) -> float:
    """How far rounding takes the source from itself in double precision."""
    if not (run.folder / "source.noise").is_dir():
        _source(run, "noise", noise=NOISE)
    figures = []
    for turn in ("work", "noise"):
        steps = steps_of(run, "source", turn)
        if not steps.get(_step(name), NOT_REACHED)["ok"]:
            continue
        if name == "training":
            figures.append(_losses(exact[name], steps[name])[0])
        elif name == "gradients":
            if turn == "noise" and migrate(run, name, turn):
                continue
            rounded = checkpoint(migrated(run, name, turn))
            figures.append(_gradients(checkpoint(migrated(run, name, "double")), rounded, 1.0).figure or 0.0)
        else:
            right, rounded = (read_arrays(run.folder / f"source.{which}" / "forward.npz") for which in ("double", turn))
            figures.append(compare(right, rounded, 1.0).figure or 0.0)
    return max((figure for figure in figures if not math.isnan(figure)), default=0.0)

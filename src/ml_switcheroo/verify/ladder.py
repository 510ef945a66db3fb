"""The ladder: does the converted model compute what its source computes? Eight rungs, each with a figure or a reason.

The source and the target run in processes of their own (see `workers`), on copies of the model file and its imports.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .closure import Closure, import_closure
from .compare import compare, read_arrays
from .errors import VerifyError
from .inputs import InputSpec, make_inputs, parse_input
from .precision import TOLERANCES, Steps, again_in_double_precision, difference
from .run import RUNGS, TIMEOUT, Converted, LadderResult, Run, Rung, migrate, save, steps_of, work
from .workers import WORKERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Packages that the converter understands itself: what imports them is converted, they are not.
UNDERSTOOD = ("einops", "safetensors", "numpy", "packaging", "huggingface_hub")


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
        run = Run(
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
        save(run.inputs, arrays)
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


def _climb(run: Run) -> None:
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
    if converted.script is None and not run.stateless:
        migrated = converted.failure or "there is no migration script"
    else:
        migrated = migrate(run, "checkpoint") or ""
    target = work(
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
    _compare(run, source, target)
    again_in_double_precision(run)
    missed = run.rung("forward")
    if missed.ok is False and missed.figure is not None and (layer := _first_difference(run)):
        run.miss("forward", f"{missed.reason}; {layer}", missed.figure)
    return None


def _source_side(run: Run) -> Steps:
    """Run the source; if it does not get through its forward pass there is nothing to compare with.

    In a folder that is kept, an earlier run of the same files with the same inputs counts.
    """
    mark, key = run.folder / "source.key", _source_key(run)
    steps = steps_of(run, "source") if mark.is_file() and mark.read_text() == key else {}
    if not steps:
        steps = work(run, "source", run.source_tree, optional=sorted(run.closure.optional))
        mark.write_text(key)
    run.result.parameters = steps.get("builds", {}).get("parameters")
    run.stateless = steps.get("builds", {}).get("tensors") == 0
    for name in ("imports", "builds", "forward"):
        if not steps.get(name, {}).get("ok"):
            raise VerifyError(f"the source model fails: {name}: {steps.get(name, {}).get('reason', 'not reached')}")
    return steps


def _source_key(run: Run) -> str:
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


def _training_job(run: Run, source: Steps) -> dict[str, Any] | None:
    done = source.get("training", {})
    if not done.get("ok"):
        return None
    return {"rate": done["rate"], "weights": str(run.folder / "source.work" / "training_weights.npz")}


def _held(run: Run, name: str, steps: dict[str, dict[str, Any]], figure: str = "") -> bool:
    step = steps.get(name, {"ok": False, "reason": "not reached"})
    if step["ok"]:
        run.hold(name, step.get(figure))
    else:
        run.miss(name, step["reason"])
    return bool(step["ok"])


def _compare(run: Run, source: Steps, target: Steps) -> None:
    """The rungs on which numbers are compared."""
    fails = {"gradients": "the source has none", "training": "the source does not train"}
    for name in TOLERANCES:
        if name in fails and "gradients" not in source:
            run.hold(name, note="no floating-point output")
        elif name in fails and not source.get(name, {}).get("ok"):
            run.miss(name, f"{fails[name]}: {source.get(name, {}).get('reason', 'not reached')}")
        elif name in target or name == "forward":
            if _held(run, name, target):
                run.judge(name, difference(run, name, source, target))
            elif name == "forward":
                break


def _first_difference(run: Run) -> str:
    """The first layer, in the order in which the source finishes them, whose output differs."""
    checkpoint = str(run.folder / "source.work" / "checkpoint.pth")
    optional = sorted(run.closure.optional)
    source = work(
        run, "source", run.source_tree, "trace", trace=True, checkpoint=checkpoint, optional=optional
    ).get("trace", {})  # fmt: skip
    target = work(
        run, "target", run.converted.tree, "trace", trace=True, refuse=[WORKERS[run.source]],
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
        found = compare(ours[name], theirs[other], TOLERANCES["forward"])
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

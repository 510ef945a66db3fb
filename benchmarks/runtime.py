"""How fast converted models run: the forward pass under jit, beside the same model written by hand in Flax NNX.

    python benchmarks/runtime.py [--runs 30] [--only resnet18] [--json out.json]

The examples are converted, executed, given the same weights as the models of `handwritten/`, and checked to compute
the same numbers. Both are timed in turns in one process, so that both see the same machine, in two ways: as a pure
function of state and input under `jax.jit`, and called as one calls a model, under `nnx.jit` (which also walks the
module in Python each time). The hand-written one is timed twice in each round: its ratio to itself shows how far the
machine can be trusted. Three ratios are printed: of the best times, the median of the rounds' ratios, and of the best
processor times. The exit code is 1 where all three are over the limit: what else runs on a machine spoils one or the
other (processor time least), a slower program shows in all.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "benchmarks")]
LIMIT = 1.10
TOLERANCE = 1e-4  # of the largest value of the output
OPCODE = re.compile(r"^\s*(?:ROOT )?%\S+ = .*?[\]})] ([a-z][a-z\-]*)\(", re.MULTILINE)

Call = Callable[[], Any]


@dataclass
class Pair:
    """A converted model and its hand-written twin with the same weights, each with its input."""

    name: str
    converted: nnx.Module
    handwritten: nnx.Module
    converted_input: jax.Array
    handwritten_input: jax.Array
    converted_output: Callable[[Any], Any] = field(default=lambda output: output)


@dataclass
class Timing:
    """Milliseconds of the two sides; ratios are converted over hand-written."""

    rounds: int
    converted_best: float
    converted_median: float
    handwritten_best: float
    handwritten_median: float
    ratio_best: float
    ratio_median: float  # of each round's ratio
    ratio_processor: float  # of the best processor times
    noise: tuple[float, float]  # the first and second ratio, of the hand-written one to itself

    @property
    def fine(self) -> bool:
        """Is the converted one as fast as it must be?"""
        return min(self.ratio_best, self.ratio_median, self.ratio_processor) <= LIMIT


def converted_module(name: str) -> ModuleType:
    """The example, converted to JAX and executed."""
    from ml_switcheroo import convert

    text = (ROOT / "examples" / f"{name}.py").read_text(encoding="utf-8")
    conversion = convert(text, source="torch", target="jax")
    errors = [finding for finding in conversion.diagnostics if finding.severity == "error"]
    if errors:
        raise SystemExit(f"{name}: not fully converted: {errors[0].message}")
    module = ModuleType(f"converted_{name}")
    sys.modules[module.__name__] = module  # dataclasses look their module up
    exec(compile(conversion.code, f"converted {name}", "exec"), module.__dict__)
    return module


def variables(model: nnx.Module) -> dict[tuple[Any, ...], nnx.Variable]:
    """Parameters and statistics by path, without the state of random generators; shared ones once."""
    return dict(nnx.to_flat_state(nnx.state(model, nnx.Not(nnx.RngState))))


def share_weights(converted: nnx.Module, handwritten: nnx.Module, rename: Callable[[str], str | None]) -> None:
    """Give both the same made-up weights; `rename` turns a converted path into ours, None where ours has none."""
    rng = np.random.default_rng(0)
    given = variables(converted)
    taken = {".".join(map(str, path)): (path, variable) for path, variable in variables(handwritten).items()}
    left, right = [], []
    for path, variable in given.items():
        name = rename(".".join(map(str, path)))
        if name is None:
            continue
        value = np.asarray(variable[...])
        if value.ndim == 1:  # biases and statistics start as zeros and ones, which would hide a missing one
            value = value + rng.uniform(0, 0.2, value.shape).astype(value.dtype)
        place, twin = taken.pop(name)
        if twin.shape != value.shape:
            raise SystemExit(f"{name} has shape {value.shape} in the converted model, {twin.shape} in ours")
        left.append((path, variable.replace(jnp.asarray(value))))
        right.append((place, twin.replace(jnp.asarray(value))))
    if taken:
        raise SystemExit(f"the converted model has nothing for {', '.join(sorted(taken))}")
    nnx.update(converted, nnx.from_flat_state(left))
    nnx.update(handwritten, nnx.from_flat_state(right))


def resnet18() -> Pair:
    """ResNet-18 on four images; each side gets them in its own axis order."""
    from handwritten.resnet import ResNet18

    converted = converted_module("resnet").resnet18(rngs=nnx.Rngs(0))
    handwritten = ResNet18(rngs=nnx.Rngs(1))
    share_weights(converted, handwritten, lambda path: path)
    images = jax.random.normal(jax.random.key(0), (4, 224, 224, 3))
    return Pair("resnet18", converted, handwritten, jnp.moveaxis(images, -1, 1), images)


def gpt() -> Pair:
    """The example's GPT on four sequences of full length."""
    from handwritten.gpt import GPT, GPTConfig

    module = converted_module("gpt")
    converted, handwritten = module.GPT(module.GPTConfig(), rngs=nnx.Rngs(0)), GPT(GPTConfig(), rngs=nnx.Rngs(1))

    def rename(path: str) -> str | None:
        if path.endswith(".mask"):
            return None  # a constant of the source, which JAX's attention does not need
        if path == "lm_head.kernel.weight":
            return "wte.embedding"  # tied: the head views the embedding, and its path comes first
        return path.removeprefix("transformer.")

    share_weights(converted, handwritten, rename)
    tokens = jax.random.randint(jax.random.key(0), (4, 256), 0, 512)
    return Pair("gpt", converted, handwritten, tokens, tokens, lambda output: output[0])


def compiled(model: nnx.Module, value: jax.Array) -> tuple[Call, Counter[str]]:
    """The model as a pure compiled function, applied to its state and an input; and how often each operation occurs."""
    graph, state = nnx.split(model)
    program = jax.jit(lambda state, value: nnx.merge(graph, state)(value)).lower(state, value).compile()
    return lambda: program(state, value), Counter(OPCODE.findall(program.as_text()))


def under_nnx_jit(model: nnx.Module, value: jax.Array) -> Call:
    """The model as users call it."""
    function = nnx.jit(lambda model, value: model(value))
    return lambda: function(model, value)


def timed(call: Call) -> tuple[float, float]:
    """Milliseconds on the wall and of processor time."""
    wall, processor = time.perf_counter(), time.process_time()
    jax.block_until_ready(call())
    return (time.perf_counter() - wall) * 1e3, (time.process_time() - processor) * 1e3


def compare(converted: Call, handwritten: Call, runs: int) -> Timing:
    """Times of both, in turns; the order changes from round to round, since the second of two may find a warm cache."""
    sides = [converted, handwritten, handwritten]
    for call in sides * 3:
        jax.block_until_ready(call())
    times = np.empty((runs, 3, 2))
    for number in range(runs):
        for turn in range(3):
            side = (number + turn) % 3
            times[number, side] = timed(sides[side])
    wall, processor = times[..., 0], times[..., 1].min(0)
    best, median = wall.min(0), np.median(wall, axis=0)
    ours = best[1:].min()
    return Timing(
        rounds=runs,
        converted_best=float(best[0]),
        converted_median=float(median[0]),
        handwritten_best=float(ours),
        handwritten_median=float(np.median(wall[:, 1:])),
        ratio_best=float(best[0] / ours),
        ratio_median=float(np.median(wall[:, 0] / wall[:, 1:].mean(1))),
        ratio_processor=float(processor[0] / processor[1:].min()),
        noise=(float(best[1] / best[2]), float(np.median(wall[:, 1] / wall[:, 2]))),
    )


def measure(pair: Pair, runs: int) -> dict[str, Any]:
    """Everything there is to say about one model."""
    pair.converted.eval()
    pair.handwritten.eval()
    converted, ours = compiled(pair.converted, pair.converted_input)
    handwritten, theirs = compiled(pair.handwritten, pair.handwritten_input)
    left, right = np.asarray(pair.converted_output(converted())), np.asarray(handwritten())
    error = float(np.max(np.abs(left - right)) / np.max(np.abs(right)))
    if left.shape != right.shape or error > TOLERANCE:
        raise SystemExit(f"{pair.name}: the two do not compute the same: {error:.1e} of the largest value")
    calls = [
        under_nnx_jit(pair.converted, pair.converted_input),
        under_nnx_jit(pair.handwritten, pair.handwritten_input),
    ]
    return {
        "model": pair.name,
        "error": error,
        "limit": LIMIT,
        "operations": {"converted": dict(sorted(ours.items())), "handwritten": dict(sorted(theirs.items()))},
        "jax.jit": asdict(compare(converted, handwritten, runs)),
        "nnx.jit": asdict(compare(calls[0], calls[1], runs)),
    }


def show(result: dict[str, Any]) -> bool:
    """Print what was measured; is it within the limit?"""
    print(f"{result['model']}: outputs agree to {result['error']:.1e} of the largest value")
    for kind in ("convolution", "dot", "custom-call", "transpose", "fusion"):
        counts = [result["operations"][side].get(kind, 0) for side in ("converted", "handwritten")]
        print(f"  {kind + 's':14} converted {counts[0]:4}   hand-written {counts[1]:4}")
    print(
        f"  {'':8}{'best ms':>9}{'by hand':>9}{'median':>9}{'by hand':>9} | ratio (limit {LIMIT:.2f}): "
        "best  rounds  processor | to itself"
    )
    timings = {way: Timing(**result[way]) for way in ("jax.jit", "nnx.jit")}
    for way, one in timings.items():
        times = (one.converted_best, one.handwritten_best, one.converted_median, one.handwritten_median)
        verdict = "" if one.fine else "  OVER THE LIMIT"
        print(
            f"  {way:8}{''.join(f'{value:9.2f}' for value in times)} | {one.ratio_best:24.2f}{one.ratio_median:8.2f}"
            f"{one.ratio_processor:11.2f} | {one.noise[0]:.2f} {one.noise[1]:.2f}{verdict}"
        )
    return all(one.fine for one in timings.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--only", choices=["resnet18", "gpt"])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    jax.config.update("jax_platforms", "cpu")
    makers = {"resnet18": resnet18, "gpt": gpt}
    results = [measure(make(), options.runs) for name, make in makers.items() if options.only in (None, name)]
    shown = [show(result) for result in results]
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        report = {"jax": jax.__version__, "runs": options.runs, "models": results}
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0 if all(shown) else 1


if __name__ == "__main__":
    sys.exit(main())

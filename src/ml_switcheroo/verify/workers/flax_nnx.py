"""Runs a converted Flax NNX model: builds it, loads the migrated weights, and writes down what it computes."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
import warnings
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from .common import STEPS, Refuse, StepError, Worker, flatten, is_float, run, zero_rates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

Arrays = dict[str, NDArray[Any]]


def main(worker: Worker) -> None:
    """All steps of the target side."""
    warnings.simplefilter("ignore")
    # Even where the source framework is installed, the converted model has to do without it.
    sys.meta_path.insert(0, Refuse(worker.job["refuse"], "the converted code still imports"))
    double = bool(worker.job.get("double"))
    if double:  # and what the code names single precision, too
        jax.config.update("jax_enable_x64", True)
        jnp.float32, jnp.complex64 = jnp.float64, jnp.complex128
    with worker.step("imports"):
        module = worker.import_model()
    with worker.step("builds"), _quick_draws() if double else nullcontext():
        model = build(worker.job["build"], dict(vars(module)))
        if not isinstance(model, nnx.Module):
            raise TypeError(f"the build expression gives {type(model).__name__}, not an nnx.Module")
    with worker.step("weights") as line:
        line["tensors"] = load(model, Path(worker.job["weights"]), double=double)
    args, kwargs = worker.arguments(_wide if double else jnp.asarray)
    model.eval()
    if worker.job.get("trace"):
        _trace(worker, model, args, kwargs)
        return
    call = _caller(args, kwargs)
    compiled = bool(worker.job.get("compiles", True))
    outputs = worker.job.get("outputs", ["forward", "jit"])
    # A model may be compiled before it was ever called: what a first call leaves in it must not hide what is missing.
    untouched = nnx.clone(model) if "jit" in outputs else model
    if "forward" in outputs:
        with worker.step("forward"):
            worker.save("forward.npz", flatten(model(*args, **kwargs), numbers=True))
    if "jit" in outputs:
        try:
            with worker.step("jit"):
                traced = nnx.jit(call)
                worker.save("jit.npz", traced(untouched, _tensors(args, kwargs)))
                traced(untouched, _tensors(args, kwargs))  # what tracing left behind in the model would show now
        except StepError:
            compiled = False  # what follows can still be told apart, eagerly
    transform: Callable[..., Any] = nnx.jit if compiled else lambda function: function
    if worker.job.get("cotangents") and worker.job.get("gradients", True):
        with worker.step("gradients"):
            _gradients(worker, model, call, _tensors(args, kwargs), transform)
    if worker.job.get("training"):
        with worker.step("training") as line:
            line["losses"] = _training(worker, model, call, _tensors(args, kwargs), transform)


@contextmanager
def _quick_draws() -> Iterator[None]:
    """Initial values from numpy: they are replaced anyway, and JAX would compile a program for each shape.

    Only for a model that has been built with its own draws before.
    """
    rng = np.random.default_rng(0)
    # The public functions, and those that the initialisers of jax.nn call.
    places = [jax.random, importlib.import_module("jax._src.random")]
    found = [
        (place, name, getattr(place, name)) for place in places for name in ("uniform", "normal", "truncated_normal")
    ]

    def quick(original: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(original)

        def draw(*args: Any, **kwargs: Any) -> Any:
            shape = signature.bind(*args, **kwargs).arguments.get("shape", ())
            return jnp.asarray(rng.uniform(0.0, 1.0, shape).astype("float32"))

        return draw

    for place, name, function in found:
        setattr(place, name, quick(function))
    try:
        yield
    finally:
        for place, name, function in found:
            setattr(place, name, function)


# --- building and loading -------------------------------------------------------------------------------------------


def build(expression: str, names: dict[str, Any]) -> Any:
    """Evaluate the build expression; calls that take `rngs` get it: `Net(Block())` -> `Net(Block(rngs=r), rngs=r)`."""
    tree = ast.parse(expression, mode="eval")
    outermost = next((node for node in ast.walk(tree) if isinstance(node, ast.Call)), None)
    rngs = nnx.Rngs(0)

    def call(function: Any, *args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs, **({"rngs": rngs} if _takes_rngs(function, False, kwargs) else {}))

    def call_outermost(function: Any, *args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs, **({"rngs": rngs} if _takes_rngs(function, True, kwargs) else {}))

    class Through(ast.NodeTransformer):
        def visit_Call(self, node: ast.Call) -> ast.AST:
            name = "__call_outermost" if node is outermost else "__call"
            self.generic_visit(node)
            node.args.insert(0, node.func)
            node.func = ast.Name(name, ast.Load())
            return node

    code = compile(ast.fix_missing_locations(Through().visit(tree)), "<build>", "eval")
    return eval(code, {**names, "__call": call, "__call_outermost": call_outermost})


def _takes_rngs(function: Any, outermost: bool, given: Mapping[str, Any]) -> bool:
    if "rngs" in given:
        return False
    try:
        # The metaclass of modules hides the constructor's parameters from inspect.signature(cls).
        parameters = inspect.signature(function.__init__ if inspect.isclass(function) else function).parameters
    except (TypeError, ValueError):
        return False
    if "rngs" in parameters:
        return True
    return outermost and any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def state_of(model: Any) -> dict[str, Any]:
    """The part of the model's state that a checkpoint holds: dotted path -> variable.

    Random streams and caches are no part of it, and bare arrays are what a call left behind.
    """
    flat = nnx.to_flat_state(nnx.state(model, nnx.All(nnx.Variable, nnx.Not((nnx.RngState, nnx.Cache)))))
    return {".".join(str(p) for p in path): leaf for path, leaf in flat}


def load(model: Any, path: Path, *, double: bool = False) -> int:
    """Set every variable of the model from a migrated checkpoint; none may be missing, none left over.

    `double`: the variables, and what layers compute in, become double precision.
    """
    loaded, expected = read_checkpoint(path), state_of(model)
    missing, extra = [k for k in expected if k not in loaded], [k for k in loaded if k not in expected]
    if missing or extra:
        parts = [f"{len(missing)} not in the migrated file ({_some(missing)})"] if missing else []
        parts += [f"{len(extra)} not in the model ({_some(extra)})"] if extra else []
        raise KeyError("; ".join(parts))
    for name, variable in expected.items():
        new, shape = loaded[name], tuple(jnp.shape(variable[...]))
        if tuple(new.shape) != shape:
            raise ValueError(f"{name}: shape {tuple(new.shape)} in the migrated file, {shape} in the model")
    state = nnx.state(model, nnx.Variable)  # plain arrays are no part of a checkpoint
    for path_, leaf in nnx.to_flat_state(state):
        name = ".".join(str(p) for p in path_)
        if name in expected:
            new = jnp.asarray(loaded[name]).astype(leaf[...].dtype)
            leaf.set_value(_wide(new) if double else new)
    nnx.update(model, state)
    for _, child in nnx.iter_modules(model) if double else ():
        for name in ("dtype", "param_dtype"):
            if getattr(child, name, None) == np.float32:
                setattr(child, name, jnp.float64)
    return len(expected)


def _wide(value: Any) -> jax.Array:
    """The same numbers in double precision."""
    array = jnp.asarray(value)
    if not is_float(array):
        return array
    return array.astype(jnp.complex128 if jnp.iscomplexobj(array) else jnp.float64)


def read_checkpoint(path: Path) -> Arrays:
    """A migrated .safetensors file, or all the parts of one with an index."""
    from safetensors.numpy import load_file

    if path.is_dir():
        parts = sorted(path.glob("*.safetensors"))
        return {name: array for part in parts for name, array in load_file(part).items()}
    return dict(load_file(path))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


# --- calling --------------------------------------------------------------------------------------------------------


def _tensors(args: list[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments that are traced; literals stay Python values."""
    return flatten({"args": args, "kwargs": kwargs})


def _caller(args: list[Any], kwargs: dict[str, Any]) -> Callable[[Any, Mapping[str, Any]], dict[str, Any]]:
    """A function of model and tensors that is fit for tracing: it returns a flat dictionary of arrays."""

    def fill(value: Any, prefix: str, tensors: Mapping[str, Any]) -> Any:
        if prefix in tensors:
            return tensors[prefix]
        if isinstance(value, list) and any(f"{prefix}.{i}" in tensors for i in range(len(value))):
            return [fill(item, f"{prefix}.{i}", tensors) for i, item in enumerate(value)]
        return value

    def call(model: Any, tensors: Mapping[str, Any]) -> dict[str, Any]:
        positional = [fill(value, f"args.{i}", tensors) for i, value in enumerate(args)]
        keywords = {name: fill(value, f"kwargs.{name}", tensors) for name, value in kwargs.items()}
        return flatten(model(*positional, **keywords), numbers=True)

    return call


def _real(value: Any) -> Any:
    value = value.real + value.imag if jnp.iscomplexobj(value) else value
    return value.astype(jnp.promote_types(value.dtype, jnp.float32))


def _gradients(worker: Worker, model: Any, call: Any, tensors: Any, transform: Any) -> None:
    weights = worker.load(worker.job["cotangents"])

    def loss(model: Any, tensors: Any) -> Any:
        outputs = call(model, tensors)
        return sum((_real(outputs[n]) * w).sum() / max(w.size, 1) ** 0.5 for n, w in weights.items())

    found = transform(nnx.grad(loss, argnums=nnx.DiffState(0, nnx.Param)))(model, tensors)
    worker.save("gradients.npz", {k: v[...] for k, v in state_of(found).items()})


def _training(worker: Worker, model: Any, call: Any, tensors: Any, transform: Any) -> list[float]:
    """The same steps of gradient descent as the source side, at the same rate."""
    weights, rate = worker.load(worker.job["training"]["weights"]), worker.job["training"]["rate"]
    for _, child in nnx.iter_modules(model):
        zero_rates(child)
    model.train() if worker.job["train"] else model.eval()

    def loss(model: Any, tensors: Any, weights: Mapping[str, Any]) -> Any:
        outputs = call(model, tensors)
        values = {name: _real(outputs[name]) for name in weights}
        return sum((values[n] * w).mean() + 0.5 * jnp.square(values[n]).mean() for n, w in weights.items())

    def step(model: Any, tensors: Any, weights: Any) -> Any:
        value, found = nnx.value_and_grad(loss, argnums=nnx.DiffState(0, nnx.Param))(model, tensors, weights)
        parameters = nnx.state(model, nnx.Param)
        nnx.update(model, jax.tree.map(lambda p, g: p - rate * g if is_float(p) else p, parameters, found))
        return value

    compiled = transform(step)
    losses = [float(compiled(model, tensors, weights)) for _ in range(STEPS)]
    model.eval()
    last = dict(worker.load(worker.job["cotangents"]).items())
    losses.append(float(transform(loss)(model, tensors, last)))
    worker.save("trained.npz", {k: v[...] for k, v in state_of(model).items()})
    return losses


# --- finding the layer that differs ---------------------------------------------------------------------------------


def _trace(worker: Worker, model: Any, args: Any, kwargs: Any) -> None:
    """Save what each submodule returns at its first call, under its path."""
    paths: dict[int, str] = {}
    for path, child in nnx.iter_modules(model):
        paths.setdefault(id(child), ".".join(str(p) for p in path))
    seen: dict[str, Any] = {}
    active: dict[int, int] = {}

    def watched(original: Any) -> Any:
        def call(self: Any, *a: Any, **k: Any) -> Any:
            active[id(self)] = active.get(id(self), 0) + 1
            try:
                output = original(self, *a, **k)
            finally:
                active[id(self)] -= 1
            if not active[id(self)] and id(self) in paths:  # the outermost of nested super().__call__
                seen.setdefault(paths[id(self)], flatten(output))
            return output

        return call

    for kind in {c for _, child in nnx.iter_modules(model) for c in type(child).__mro__}:
        if "__call__" in vars(kind) and issubclass(kind, nnx.Module):
            type.__setattr__(kind, "__call__", watched(vars(kind)["__call__"]))
    with worker.step("trace") as line:
        try:
            model(*args, **kwargs)
        finally:
            line["order"] = list(seen)
            worker.save("trace.npz", {f"{n}|{k}": v for n, outs in seen.items() for k, v in outs.items()})


if __name__ == "__main__":
    run(main)

"""JAX and Flax NNX: the target side."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from ...verify.workers.flax_nnx import load, state_of
from ..worker import leaves, map_arrays, mixers

CONCRETE = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.NonConcreteBooleanIndexError,
)


def run(function: Any, given: dict[str, Any], job: dict[str, Any]) -> dict[str, Any]:
    """Call a function or a module; outputs, and the gradients of its floating inputs and parameters.

    All of it is one compiled program where that is possible: compiling it once is several times faster than
    compiling each of its operations. What needs concrete values runs as it is.
    """
    arguments = {name: map_arrays(value, _array) for name, value in given.items()}
    model = None
    if isinstance(function, type):
        model = function(rngs=nnx.Rngs(0))
        if job["migrated"]:
            load(model, Path(job["migrated"]))
        model.train() if job["train"] else model.eval()
    draws = model is None and "rngs" in inspect.signature(function).parameters
    call = _Call(function if model is None else model, arguments, draws=draws, gradients=job["gradients"])
    if job["random"] and model is None:
        _check_repeatable(function, arguments, call.found)
    outcome: dict[str, Any] = {
        "outputs": {name: _numpy(value) for name, value in call.found.items()},
        "plain": call.plain,
        "dtypes": {name: str(value.dtype) for name, value in call.found.items()},
    }
    if model is not None and job["train"]:
        outcome["after"] = {name: _numpy(array) for name, array in call.after.items()}
    if job["gradients"]:
        outcome["gradients"] = {name: _numpy(g) for name, g in call.gradients.items()}
        outcome["moved"] = {".".join(map(str, path)): _numpy(g[...]) for path, g in nnx.to_flat_state(call.moved)}
    return outcome


class _Call:
    """What came of a call: arrays and plain values by their places, gradients, and the state of a module after it."""

    def __init__(self, function: Any, arguments: dict[str, Any], *, draws: bool, gradients: bool) -> None:
        self.plain: dict[str, Any] = {}
        is_module = isinstance(function, nnx.Module)
        graph, trained, rest = nnx.split(function if is_module else nnx.Module(), nnx.Param, ...)
        arrays, _ = leaves(arguments, _is_array)
        floats = {n: a for n, a in arrays.items() if gradients and jnp.issubdtype(a.dtype, jnp.floating)}

        def call(floats: Any, trained: Any, arrays: Any, rest: Any) -> Any:
            # Variables are written where they are made: within the gradient, as `trained` is.
            model = nnx.merge(graph, trained, jax.tree.map(lambda leaf: leaf, rest))
            streams = {"rngs": nnx.Rngs(0)} if draws else {}
            result = (model if is_module else function)(**_replace(arguments, arrays | floats, ""), **streams)
            found, self.plain = leaves(result, _is_array)
            found = {name: jnp.asarray(value) for name, value in found.items()}
            return _loss(found), (found, {name: v[...] for name, v in state_of(model).items()})

        def whole(*given: Any) -> Any:
            if gradients:
                return jax.grad(call, argnums=(0, 1), has_aux=True)(*given)
            return ({}, nnx.State({})), call(*given)[1]

        given = (floats, trained, {n: a for n, a in arrays.items() if n not in floats}, rest)
        try:
            (self.gradients, self.moved), (self.found, self.after) = jax.jit(whole)(*given)
        except CONCRETE:
            (self.gradients, self.moved), (self.found, self.after) = whole(*given)


def _check_repeatable(function: Any, arguments: dict[str, Any], found: dict[str, Any]) -> None:
    """The same key, the same numbers (rounded as another program with no gradients may round them)."""
    if "rngs" in inspect.signature(function).parameters:
        again = _Call(function, arguments, draws=True, gradients=False).found
        if any(not jnp.allclose(again[name], value, 1e-3, 1e-5, equal_nan=True) for name, value in found.items()):
            raise ValueError("two calls with the same key differ")


def _loss(found: dict[str, Any]) -> Any:
    """One number of all outputs that depend on the inputs smoothly."""
    total: Any = jnp.zeros(())
    smooth = {name: value for name, value in found.items() if jnp.issubdtype(value.dtype, jnp.inexact)}
    weights = mixers(smooth)
    for name, value in smooth.items():
        value = value.real + value.imag if jnp.iscomplexobj(value) else value
        total = total + (value.astype(jnp.float32) * weights[name]).sum()
    return total


def _replace(value: Any, given: dict[str, Any], prefix: str) -> Any:
    if prefix in given:
        return given[prefix]
    if isinstance(value, dict):
        return {k: _replace(v, given, f"{prefix}.{k}" if prefix else str(k)) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_replace(v, given, f"{prefix}.{i}" if prefix else str(i)) for i, v in enumerate(value))
    return value


def _array(array: Any, recipe: Any) -> Any:
    made = jax.device_put(array)  # asarray() compiles a program for each shape
    return made.astype(jnp.bfloat16) if recipe.dtype == "bfloat16" else made


def _is_array(value: Any) -> bool:
    return isinstance(value, (jax.Array, np.ndarray, np.generic))


def _numpy(value: Any) -> Any:
    value = jnp.asarray(value)
    return np.asarray(value.astype(jnp.float32) if value.dtype == jnp.bfloat16 else value)

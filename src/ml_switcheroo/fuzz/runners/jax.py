"""JAX and Flax NNX: the target side."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import jax
import jax.extend.core
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


EQUATIONS = 1500  # of one program: compiling takes longer than in proportion beyond


def run_all(jobs: list[tuple[Any, dict[str, Any], dict[str, Any]]], alive: Any) -> list[dict[str, Any] | Exception]:
    """Call functions and modules; for each its outputs, and the gradients of its floating inputs and parameters.

    As many calls as possible are one compiled program: compiling it once is several times faster than compiling each of
    them, or each of its operations. What needs concrete values runs as it is. `alive` is called now and then.
    """
    calls = [_attempt(_Call, *job) for job in jobs]
    program: list[_Call] = []
    for call in [call for call in calls if isinstance(call, _Call) and call.equations]:
        if program and sum(c.equations for c in program) + call.equations > EQUATIONS:
            _run_program(program)
            alive()
            program = []
        program.append(call)
    _run_program(program)
    drawn = [call for call in calls if isinstance(call, _Call) and call.draws and call.job["random"]]
    for call in drawn[:1]:  # which runs one more program
        call.repeated = True
    return [_attempt(call.outcome) if isinstance(call, _Call) else call for call in calls]


def _attempt(function: Any, *given: Any) -> Any:
    try:
        return function(*given)
    except Exception as error:
        return error


def _run_program(calls: list[_Call]) -> None:
    """All of them at once; if that fails, each of them runs alone when its outcome is asked for."""
    try:
        found = jax.jit(lambda given: [call.whole(*one) for call, one in zip(calls, given, strict=True)])(
            [call.given for call in calls]
        )
    except Exception:
        return
    for call, result in zip(calls, found, strict=True):
        call.result = result


class _Call:
    """A call: traced when it is made, executed when its result is asked for, unless a program has done it."""

    def __init__(self, function: Any, given: dict[str, Any], job: dict[str, Any]) -> None:
        self.job = job
        self.arguments = {name: map_arrays(value, _array) for name, value in given.items()}
        self.plain: dict[str, Any] = {}
        self.result: Any = None
        self.model = self._model(function) if isinstance(function, type) else None
        self.draws = self.model is None and "rngs" in inspect.signature(function).parameters
        self.repeated = False  # is it called a second time?
        graph, trained, rest = nnx.split(self.model or nnx.Module(), nnx.Param, ...)
        arrays, _ = leaves(self.arguments, _is_array)
        floats = {n: a for n, a in arrays.items() if job["gradients"] and jnp.issubdtype(a.dtype, jnp.floating)}

        def call(floats: Any, trained: Any, arrays: Any, rest: Any) -> Any:
            # Variables are written where they are made: within the gradient, as `trained` is.
            model = nnx.merge(graph, trained, jax.tree.map(lambda leaf: leaf, rest))
            streams = {"rngs": nnx.Rngs(0)} if self.draws else {}
            called = function if self.model is None else model
            result = called(**_replace(self.arguments, arrays | floats, ""), **streams)
            found, self.plain = leaves(result, _is_array)
            found = {name: jnp.asarray(value) for name, value in found.items()}
            return _loss(found), (found, {name: v[...] for name, v in state_of(model).items()})

        def whole(*given: Any) -> Any:
            if job["gradients"]:
                return jax.grad(call, argnums=(0, 1), has_aux=True)(*given)
            return ({}, nnx.State({})), call(*given)[1]

        self.given = (floats, trained, {n: a for n, a in arrays.items() if n not in floats}, rest)
        self.whole: Any = jax.jit(whole)
        try:
            self.equations = _size(self.whole.trace(*self.given).jaxpr.jaxpr) + 1
        except CONCRETE:
            self.whole, self.equations = whole, 0

    def _model(self, made: Any) -> Any:
        model = made(rngs=nnx.Rngs(0))
        if self.job["migrated"]:
            load(model, Path(self.job["migrated"]))
        model.train() if self.job["train"] else model.eval()
        return model

    def outcome(self) -> dict[str, Any]:
        """Arrays and plain values by their places, gradients, and the state of a module after the call."""
        if self.result is None:
            self.result = self.whole(*self.given)
        (gradients, moved), (found, after) = self.result
        if self.repeated:
            _check_repeatable(self, found)
        outcome: dict[str, Any] = {
            "outputs": {name: _numpy(value) for name, value in found.items()},
            "plain": self.plain,
            "dtypes": {name: str(value.dtype) for name, value in found.items()},
        }
        if self.model is not None and self.job["train"]:
            outcome["after"] = {name: _numpy(array) for name, array in after.items()}
        if self.job["gradients"]:
            outcome["gradients"] = {name: _numpy(g) for name, g in gradients.items()}
            outcome["moved"] = {".".join(map(str, path)): _numpy(g[...]) for path, g in nnx.to_flat_state(moved)}
        return outcome


def _size(jaxpr: Any) -> int:
    """How many equations a program has, with those of the programs in it."""
    return sum(1 + sum(_size(inner) for inner in jax.extend.core.jaxprs_in_params(one.params)) for one in jaxpr.eqns)


def _check_repeatable(call: _Call, found: dict[str, Any]) -> None:
    """The same key, the same numbers (rounded as another program with no gradients may round them)."""
    again = call.whole(*call.given)[1][0]
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

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


def run(function: Any, given: dict[str, Any], job: dict[str, Any]) -> dict[str, Any]:
    """Call a function or a module; outputs, and the gradients of its floating inputs and parameters."""
    arguments = {name: map_arrays(value, _array) for name, value in given.items()}
    model = None
    if isinstance(function, type):
        model = function(rngs=nnx.Rngs(0))
        if job["migrated"]:
            load(model, Path(job["migrated"]))
        model.train() if job["train"] else model.eval()
        called: Any = model
    else:
        streams = {"rngs": nnx.Rngs(0)} if "rngs" in inspect.signature(function).parameters else {}

        def called(**named: Any) -> Any:
            return function(**named, **streams)

    found, plain = leaves(called(**arguments), _is_array)
    outcome: dict[str, Any] = {
        "outputs": {name: _numpy(value) for name, value in found.items()},
        "plain": plain,
        "dtypes": {name: str(value.dtype) for name, value in found.items()},
    }
    if model is not None and job["train"]:
        outcome["after"] = {name: np.asarray(v[...]) for name, v in state_of(model).items()}
        if job["migrated"]:
            load(model, Path(job["migrated"]))
    if job["gradients"]:
        outcome |= _gradients(model, called, arguments, found)
    return outcome


def _gradients(model: Any, called: Any, arguments: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    smooth = {n: v for n, v in found.items() if jnp.issubdtype(v.dtype, jnp.inexact)}
    flat, _ = leaves(arguments, _is_array)
    floats = {name: a for name, a in flat.items() if jnp.issubdtype(a.dtype, jnp.floating)}
    if not smooth or not (floats or model is not None):
        return {"gradients": {}}
    weights = mixers(smooth)

    def loss(given: dict[str, Any], function: Any = called) -> Any:
        total: Any = 0
        results, _ = leaves(function(**_replace(arguments, given, "")), _is_array)
        for name in smooth:
            value = results[name]
            value = value.real + value.imag if jnp.iscomplexobj(value) else value
            total = total + (value.astype(jnp.float32) * weights[name]).sum()
        return total

    if model is None:
        return {"gradients": {name: _numpy(g) for name, g in jax.grad(loss)(floats).items()}}
    moved, inputs = nnx.grad(lambda m, given: loss(given, m), argnums=(0, 1))(model, floats)
    return {
        "gradients": {name: _numpy(g) for name, g in inputs.items()},
        "moved": {".".join(map(str, path)): np.asarray(g[...]) for path, g in nnx.to_flat_state(moved)},
    }


def _replace(value: Any, given: dict[str, Any], prefix: str) -> Any:
    if prefix in given:
        return given[prefix]
    if isinstance(value, dict):
        return {k: _replace(v, given, f"{prefix}.{k}" if prefix else str(k)) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_replace(v, given, f"{prefix}.{i}" if prefix else str(i)) for i, v in enumerate(value))
    return value


def _array(array: Any, recipe: Any) -> Any:
    made = jnp.asarray(array)
    return made.astype(jnp.bfloat16) if recipe.dtype == "bfloat16" else made


def _is_array(value: Any) -> bool:
    return isinstance(value, (jax.Array, np.ndarray, np.generic))


def _numpy(value: Any) -> Any:
    value = jnp.asarray(value)
    return np.asarray(value.astype(jnp.float32) if value.dtype == jnp.bfloat16 else value)

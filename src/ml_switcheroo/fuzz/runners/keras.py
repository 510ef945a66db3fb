"""Keras on the backend JAX, whose gradients are compared; one global random state."""

from __future__ import annotations

import os
import re
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"

import jax
import jax.numpy as jnp
import keras
import numpy as np

from ..worker import leaves, map_arrays, mixers

LACKS = re.compile(r"does not accept dtype bool")  # truth values that PyTorch takes for numbers
MANY = 300  # runs, after which the programs that JAX keeps of them are forgotten
_runs = 0


def run(function: Any, given: dict[str, Any], job: dict[str, Any]) -> dict[str, Any]:
    """Call a function; outputs, and the gradients of its floating inputs."""
    global _runs
    _runs += 1
    if _runs % MANY == 0:
        jax.clear_caches()
    arguments = {name: map_arrays(value, _array) for name, value in given.items()}
    found, plain = _call(function, arguments)
    if job["random"]:
        again, _ = _call(function, arguments)
        if any(not np.array_equal(_numpy(again[name]), _numpy(value), True) for name, value in found.items()):
            raise ValueError("two calls with the same seed differ")
    outcome: dict[str, Any] = {
        "outputs": {name: _numpy(value) for name, value in found.items()},
        "plain": plain,
        "dtypes": {name: str(value.dtype) for name, value in found.items()},
    }
    if job["gradients"]:
        outcome["gradients"] = {name: _numpy(g) for name, g in _gradients(function, arguments).items()}
    return outcome


def _call(function: Any, arguments: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    keras.utils.set_random_seed(0)
    found, plain = leaves(function(**arguments), _is_array)
    return {name: jnp.asarray(value) for name, value in found.items()}, plain


def _gradients(function: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    arrays, _ = leaves(arguments, _is_array)
    floats = {name: array for name, array in arrays.items() if jnp.issubdtype(array.dtype, jnp.floating)}
    if not floats:
        return {}

    def loss(floats: dict[str, Any]) -> Any:
        keras.utils.set_random_seed(0)
        found, _ = leaves(function(**_replace(arguments, floats, "")), _is_array)
        smooth = {n: jnp.asarray(v) for n, v in found.items() if jnp.issubdtype(v.dtype, jnp.inexact)}
        weights = mixers(smooth)
        total: Any = jnp.zeros(())
        for name, value in smooth.items():
            value = value.real + value.imag if jnp.iscomplexobj(value) else value
            total = total + (value.astype(jnp.float32) * weights[name]).sum()
        return total

    try:
        return dict(jax.grad(loss)(floats))
    except (jax.errors.TracerArrayConversionError, jax.errors.ConcretizationTypeError):
        return {}  # what depends on values has no gradient under a trace
    except (jax.errors.TracerIntegerConversionError, jax.errors.NonConcreteBooleanIndexError, NotImplementedError):
        return {}


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

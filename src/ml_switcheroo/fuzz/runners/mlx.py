"""MLX: eager functions, gradients by `mx.grad`, one global random state."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np

from ..worker import leaves, map_arrays, mixers, replaced

mx.disable_compile()  # functions of mlx.nn would call a C++ compiler, once for each combination of dtypes


def run(function: Any, given: dict[str, Any], job: dict[str, Any]) -> dict[str, Any]:
    """Call a function; outputs, and the gradients of its floating inputs."""
    arguments = {name: map_arrays(value, _array) for name, value in given.items()}
    found, plain = _call(function, arguments)
    if job["random"]:
        again, _ = _call(function, arguments)
        if any(not np.array_equal(_numpy(again[name]), _numpy(value), True) for name, value in found.items()):
            raise ValueError("two calls with the same seed differ")
    outcome: dict[str, Any] = {
        "outputs": {name: _numpy(value) for name, value in found.items()},
        "plain": plain,
        "dtypes": {name: _dtype_name(value.dtype) for name, value in found.items()},
    }
    if job["gradients"]:
        outcome["gradients"] = {name: _numpy(g) for name, g in _gradients(function, given).items()}
    return outcome


def _call(function: Any, arguments: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    mx.random.seed(0)
    found, plain = leaves(_plain(function(**arguments)), _is_array)
    found = {name: mx.array(value) for name, value in found.items()}
    mx.eval(found)
    return found, plain


def _gradients(function: Any, given: dict[str, Any]) -> dict[str, Any]:
    arguments = {name: map_arrays(value, _array) for name, value in given.items()}  # the call may have written to them
    arrays, _ = leaves(arguments, _is_array)
    floats = {n: a for n, a in arrays.items() if a.size and mx.issubdtype(a.dtype, mx.floating)}
    if not floats:
        return {}

    def loss(floats: dict[str, Any]) -> Any:
        mx.random.seed(0)
        found, _ = leaves(function(**replaced(arguments, floats)), _is_array)
        smooth = {
            name: value
            for name, value in found.items()
            if isinstance(value, mx.array) and mx.issubdtype(value.dtype, mx.inexact)
        }
        total: Any = mx.zeros(())
        weights = mixers(smooth)
        for name, value in smooth.items():
            value = value.real + value.imag if value.dtype == mx.complex64 else value
            total = total + (value.astype(mx.float32) * mx.array(weights[name])).sum()
        return total

    try:
        found = mx.grad(loss)(floats)
    except ValueError as error:
        if "::vjp] Not implemented" in str(error):  # decompositions: there is no gradient to compare
            return {}
        raise
    mx.eval(found)
    return dict(found)


def _array(array: Any, recipe: Any) -> Any:
    made = mx.array(np.ascontiguousarray(array)).reshape(array.shape)
    return made.astype(mx.bfloat16) if recipe.dtype == "bfloat16" else made


def _is_array(value: Any) -> bool:
    return isinstance(value, (mx.array, np.ndarray, np.generic))


def _dtype_name(dtype: Any) -> str:
    return str(dtype).rpartition(".")[2]


def _plain(value: Any) -> Any:
    """Dtypes by their names, which other frameworks use, too."""
    if isinstance(value, mx.Dtype):
        return _dtype_name(value)
    if isinstance(value, mx.Device):
        return str(value.type.name)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(_plain, value))
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(item) for item in value)
    return value


def _numpy(value: Any) -> Any:
    return np.array(value.astype(mx.float32) if value.dtype == mx.bfloat16 else value)

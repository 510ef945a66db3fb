"""TensorFlow: eager functions, gradients by a tape, one global random state."""

from __future__ import annotations

import os
import re
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from ..worker import leaves, map_arrays, mixers

WIDE = True
# What it says of dtypes that an operation does not take, and of two that do not go together: it promotes none.
LACKS = re.compile(
    r"is not in the list of allowed values|to EagerTensor of dtype|Could not find device for node"
    r"|was expected to be an? \w+ tensor but is an? \w+ tensor|No OpKernel was registered|Invalid dtype"
    r"|Tensor conversion requested dtype|Expected \S+, but got .* of type|type.* does not match type"
    r"|not supported for dtype|Expected numeric|must have the same dtype"
)


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
        "dtypes": {name: value.dtype.name for name, value in found.items()},
    }
    if job["gradients"]:
        outcome["gradients"] = {name: _numpy(g) for name, g in _gradients(function, arguments).items()}
    return outcome


def _call(function: Any, arguments: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    tf.random.set_seed(0)
    found, plain = leaves(_plain(function(**arguments)), _is_array)
    return {name: tf.convert_to_tensor(value) for name, value in found.items()}, plain


def _gradients(function: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    arrays, _ = leaves(arguments, _is_array)
    floats = {name: array for name, array in arrays.items() if array.dtype.is_floating}
    if not floats:
        return {}
    tf.random.set_seed(0)
    with tf.GradientTape() as tape:
        tape.watch(list(floats.values()))
        found, _ = leaves(_plain(function(**arguments)), _is_array)
        found = {name: tf.convert_to_tensor(value) for name, value in found.items()}
        smooth = {n: v for n, v in found.items() if v.dtype.is_floating or v.dtype.is_complex}
        weights = mixers(smooth)
        total: Any = tf.zeros(())
        for name, value in smooth.items():
            value = tf.math.real(value) + tf.math.imag(value) if value.dtype.is_complex else value
            total = total + tf.reduce_sum(tf.cast(value, tf.float32) * weights[name])
    try:
        slopes = tape.gradient(total, floats, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    except (LookupError, NotImplementedError):  # operations that have no gradient: there is none to compare
        return {}
    return {name: tf.convert_to_tensor(slope) for name, slope in slopes.items()}


def _array(array: Any, recipe: Any) -> Any:
    made = tf.constant(array)
    return tf.cast(made, tf.bfloat16) if recipe.dtype == "bfloat16" else made


def _is_array(value: Any) -> bool:
    return isinstance(value, (tf.Tensor, tf.IndexedSlices, np.ndarray, np.generic))


def _plain(value: Any) -> Any:
    """Dtypes by their names, which other frameworks use, too; shapes as tuples."""
    if isinstance(value, tf.DType):
        return value.name
    if isinstance(value, tf.TensorShape):
        return tuple(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(_plain, value))
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(item) for item in value)
    return value


def _numpy(value: Any) -> Any:
    return (tf.cast(value, tf.float32) if value.dtype == tf.bfloat16 else value).numpy()

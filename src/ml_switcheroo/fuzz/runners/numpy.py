"""NumPy: it has no gradients, and holds 64 bits."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from ..worker import leaves, map_arrays

WIDE = True  # dtypes of 64 bits stay what they are


def run(function: Any, given: dict[str, Any], job: dict[str, Any]) -> dict[str, Any]:
    """Call a function; its outputs."""
    arguments = {name: map_arrays(value, _array) for name, value in given.items()}
    if "rng" in inspect.signature(function).parameters:
        arguments["rng"] = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        found, plain = leaves(_plain(function(**arguments)), _is_array)
    return {
        "outputs": {name: np.asarray(value) for name, value in found.items()},
        "plain": plain,
        "dtypes": {name: str(value.dtype) for name, value in found.items()},
    }


def _array(array: Any, recipe: Any) -> Any:
    if recipe.dtype == "bfloat16":
        raise TypeError("NumPy has no bfloat16")
    return array


def _plain(value: Any) -> Any:
    """Classes of numbers by their names, which other frameworks use, too."""
    if isinstance(value, type) and issubclass(value, np.generic):
        return np.dtype(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _is_array(value: Any) -> bool:
    return isinstance(value, (np.ndarray, np.generic))

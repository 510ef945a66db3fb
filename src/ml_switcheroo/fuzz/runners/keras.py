"""Keras on the backend JAX, whose gradients are compared; one global random state."""

from __future__ import annotations

import os
import re
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"

import keras

from .programs import CONCRETE, Call, run_all

LACKS = re.compile(r"does not accept dtype bool")  # truth values that PyTorch takes for numbers


class _Call(Call):
    """A function; what it draws comes from the global state, which no program can hold."""

    no_gradient = (*CONCRETE, NotImplementedError)  # what depends on values has no gradient under a trace

    @property
    def compiled(self) -> bool:
        """Can it be part of a program?"""
        return not self.job["random"]

    def execute(self, arguments: dict[str, Any], trained: Any, rest: Any) -> tuple[Any, dict[str, Any]]:
        """The result."""
        keras.utils.set_random_seed(0)
        return self.function(**arguments), {}


def run_many(jobs: list[tuple[Any, dict[str, Any], dict[str, Any]]], alive: Any) -> list[dict[str, Any] | Exception]:
    """What comes of each call of a function with its arguments, for its job."""
    return run_all(_Call, jobs, alive)

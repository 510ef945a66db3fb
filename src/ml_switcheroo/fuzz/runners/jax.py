"""JAX and Flax NNX: the target side."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import jax
from flax import nnx

from ...verify.workers.flax_nnx import load, state_of
from .programs import Call, run_all, to_numpy


class _Call(Call):
    """A function, or a module with its variables; both take their keys from `rngs`."""

    def state(self) -> tuple[Any, Any]:
        """The parameters, and all other variables."""
        self.model = self._model(self.function) if isinstance(self.function, type) else None
        self.takes_keys = self.model is None and "rngs" in inspect.signature(self.function).parameters
        self.graph, trained, rest = nnx.split(self.model or nnx.Module(), nnx.Param, ...)
        return trained, rest

    @property
    def draws(self) -> bool:
        """Is it a function that takes random numbers?"""
        return self.takes_keys and bool(self.job["random"])

    def _model(self, made: Any) -> Any:
        model = made(rngs=nnx.Rngs(0))
        if self.job["migrated"]:
            load(model, Path(self.job["migrated"]))
        model.train() if self.job["train"] else model.eval()
        return model

    def execute(self, arguments: dict[str, Any], trained: Any, rest: Any) -> tuple[Any, dict[str, Any]]:
        """The result, and the variables afterwards."""
        # Variables are written where they are made: within the gradient, as `trained` is.
        model = nnx.merge(self.graph, trained, jax.tree.map(lambda leaf: leaf, rest))
        streams = {"rngs": nnx.Rngs(0)} if self.takes_keys else {}
        result = (self.function if self.model is None else model)(**arguments, **streams)
        return result, {name: v[...] for name, v in state_of(model).items()}

    def outcome(self) -> dict[str, Any]:
        """With the gradients of the parameters, and the state of a module after training."""
        outcome = super().outcome()
        (_, moved), (_, after) = self.result
        if self.model is not None and self.job["train"]:
            outcome["after"] = {name: to_numpy(array) for name, array in after.items()}
        if self.job["gradients"]:
            flat = nnx.to_flat_state(moved) if moved else ()
            outcome["moved"] = {".".join(map(str, path)): to_numpy(g[...]) for path, g in flat}
        return outcome


def run_many(jobs: list[tuple[Any, dict[str, Any], dict[str, Any]]], alive: Any) -> list[dict[str, Any] | Exception]:
    """What comes of each call of a function or a module with its arguments, for its job."""
    return run_all(_Call, jobs, alive)

"""Arrays by recipe: a few words from which both sides make the same numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPECIAL = (0.0, -0.0, 1.0, -1.0, float("inf"), float("-inf"), float("nan"), 0.5)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make an array.

    `values`: normal (no two elements are equal), positive, unit (between 0 and 1), special (zeros, ties, infinities,
    NaN among normal ones), definite (matrices that are symmetric and positive definite) or whole (whole numbers from
    `low` up to, not including, `high`).
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    values: str = "normal"
    seed: int = 0
    low: int = -4
    high: int = 5

    def make(self) -> NDArray[Any]:
        """The array."""
        import numpy as np

        rng = np.random.default_rng([self.seed, *self.shape])
        if self.dtype == "bool":
            return np.asarray(rng.random(self.shape) > 0.4)
        if self.dtype.startswith(("int", "uint")):
            low = max(self.low, 0) if self.dtype.startswith("uint") else self.low
            return np.asarray(rng.integers(low, max(self.high, low + 1), self.shape)).astype(self.dtype)
        if self.values == "whole":
            return np.asarray(rng.integers(self.low, max(self.high, self.low + 1), self.shape)).astype(self.dtype)
        made = self._spread(rng)
        if self.dtype.startswith("complex"):
            made = made + 1j * self._spread(rng)
        if self.values == "special" and made.size:
            chosen = rng.random(made.shape) < 0.4
            made = np.where(chosen, rng.choice(np.array(SPECIAL), made.shape), made)
        return np.asarray(made.astype("float32" if self.dtype == "bfloat16" else self.dtype))

    def _spread(self, rng: Any) -> Any:
        import numpy as np

        size = int(np.prod(self.shape))
        steps = (np.arange(size) + 0.5 + rng.uniform(-0.3, 0.3, size)) / max(size, 1)
        spread = rng.permutation(steps).reshape(self.shape)  # in (0, 1), no two alike
        if self.values == "definite" and len(self.shape) > 1 and self.shape[-1] == self.shape[-2]:
            return spread @ spread.swapaxes(-1, -2) / self.shape[-1] + np.eye(self.shape[-1])
        if self.values == "unit":
            return 0.02 + 0.96 * spread
        return 0.1 + 2.9 * spread if self.values == "positive" else 4.0 * spread - 1.97

    @property
    def is_float(self) -> bool:
        """Can there be a gradient?"""
        return self.dtype in ("float16", "bfloat16", "float32", "float64")


def to_json(value: Any) -> Any:
    """A drawn value as plain data for a worker."""
    if isinstance(value, Recipe):
        return {"recipe": [list(value.shape), value.dtype, value.values, value.seed, value.low, value.high]}
    if isinstance(value, (list, tuple)):
        return {"items": [to_json(item) for item in value], "tuple": isinstance(value, tuple)}
    return {"literal": repr(value)}


def from_json(data: dict[str, Any]) -> Any:
    """The inverse of `to_json`, with arrays in place of their recipes."""
    import ast

    if "recipe" in data:
        shape, *rest = data["recipe"]
        return Recipe(tuple(shape), *rest)
    if "items" in data:
        items = [from_json(item) for item in data["items"]]
        return tuple(items) if data["tuple"] else items
    return ast.literal_eval(data["literal"])

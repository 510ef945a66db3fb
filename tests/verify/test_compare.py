"""The figure and the reason of a comparison, and the worker's helpers that need no framework."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

from ml_switcheroo.verify.compare import compare
from ml_switcheroo.verify.precision import explained_by_noise
from ml_switcheroo.verify.workers.common import flatten, zero_rates

X = np.array([1.0, -4.0, 2.0], np.float32)


@pytest.mark.parametrize(
    ("source", "target", "figure", "reason"),
    [
        (X, X + np.float32(2e-4), 5e-5, None),
        (X, X + np.float32(4e-3), 1e-3, "output: error 1.0e-03 of the largest value"),
        (X, X[:2], None, "output: shape 3 in the source, 2 in the target"),
        (X, np.array([1, 2, 3]), None, "output: dtype float32 in the source, int64 in the target"),
        (np.array([1, 2]), np.array([1, 2], np.int32), 0, None),
        (np.array([1, 2]), np.array([1, 3]), 0.5, "output: 1 of 2 whole numbers differ"),
        (np.array([np.inf, 1.0]), np.array([np.inf, 1.0]), 0, None),
        (np.array([np.inf, 1.0]), np.array([-np.inf, 1.0]), None, "output: 1 values are not finite, 1 in the source"),
        (X, np.array([np.nan, -4, 2], np.float32), None, "output: 1 values are not finite, 0 in the source"),
        (
            np.full(2, np.nan),
            np.full(2, np.nan),
            None,
            "output: no finite value in the source: these inputs prove nothing",
        ),
        (np.zeros(2), np.zeros(2), 0, None),
        (np.zeros(0), np.zeros(0), 0, None),
        (np.array([1j]), np.array([1j + 1e-6]), 1e-6, None),
    ],
)
def test_one_tensor(source: Any, target: Any, figure: float | None, reason: str | None) -> None:
    found = compare({"": source}, {"": target}, 1e-4)
    assert found.reason == reason
    assert found.figure == (None if figure is None else pytest.approx(figure, rel=0.1))


def test_the_floor_keeps_rounding_from_counting() -> None:
    tiny = np.array([1e-9])
    assert not compare({"a": tiny}, {"a": -tiny}, 1e-3).ok
    assert compare({"a": tiny}, {"a": -tiny}, 1e-3, floor=1e-3).ok


def test_names_must_agree() -> None:
    assert compare({"a": X}, {"b": X}, 1).reason == "1 tensors in the source, 1 in the target; missing a"
    assert compare({}, {"b": X}, 1).reason == "0 tensors in the source, 1 in the target; not in the source: b"


@dataclass
class Output:
    hidden: Any
    extra: Any = None


class Settings(NamedTuple):
    drop_rate: float
    width: float


@dataclass
class Config:
    attn_pdrop: float
    p: float


class DropPath:
    def __init__(self) -> None:
        self.p, self.keep_prob, self.training = 0.3, 0.8, True


class Norm:
    def __init__(self) -> None:
        self.p, self.rate, self.dropout, self.config = 2, 0.5, 0.1, Config(0.1, 0.5)
        self.settings = Settings(0.2, 0.7)
        self.dropout_layers = 3


def test_outputs_of_any_nesting() -> None:
    found = flatten((X, {"b": [X, None, "text", 3], "c": Output(X)}))
    assert list(found) == ["0", "1.b.0", "1.c.hidden"]
    assert list(flatten(X)) == [""]


def test_only_dropout_rates_become_zero() -> None:
    drop, norm = DropPath(), Norm()
    zero_rates(drop)
    zero_rates(norm)
    assert (drop.p, drop.keep_prob, drop.training) == (0.0, 1.0, True)
    assert (norm.p, norm.rate, norm.dropout, norm.dropout_layers) == (2, 0.5, 0.0, 3)
    assert norm.config == Config(0.0, 0.5)
    assert norm.settings == Settings(0.0, 0.7)


@pytest.mark.parametrize(
    ("errors", "own", "explained"),
    [
        pytest.param([1e-12, 1e-7, 5e-3, 1e-3], [1e-12, 5e-6, 2e-3, 1e-3], True, id="the source is as unsteady"),
        pytest.param([1e-12, 1e-7, 5e-3, 1e-3], [1e-12, 1e-9, 1e-8, 1e-8], False, id="the source is steady"),
        pytest.param([1e-12, 1e-4, 5e-3, 1e-3], [1e-12, 1e-9, 2e-3, 1e-3], False, id="gradients are wrong"),
        pytest.param([1e-12, 1e-4, 5e-3, 1e-3], [1e-12, 1e-2, 2e-1, 1e-1], False, id="noise would hide gradients"),
        pytest.param([1e-12, 1e-7, 5e-3, float("nan")], [1e-12, 5e-6, 2e-3, 1e-3], False, id="not a number"),
    ],
)
def test_unsteady_sources(errors: list[float], own: list[float], explained: bool) -> None:
    assert explained_by_noise(errors, own) is explained

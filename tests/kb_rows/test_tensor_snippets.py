"""Tensor code as models have it (tests/fixtures/tensor_snippets.py) converts without a finding and computes the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
jax = pytest.importorskip("jax")
pytest.importorskip("flax")

import jax.numpy as jnp  # noqa: E402

import ml_switcheroo  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE = (Path(__file__).resolve().parents[1] / "fixtures" / "tensor_snippets.py").read_text(encoding="utf-8")
RANDOM = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return RANDOM.permutation(np.linspace(-2, 2, int(np.prod(shape)))).reshape(shape).astype(np.float32)


def boxes(count: int) -> np.ndarray:
    corners = RANDOM.random((count, 4)).astype(np.float32)
    corners[:, 2:] += corners[:, :2] + 0.1
    return corners


CASES: dict[str, tuple[Any, ...]] = {
    "rotary": (floats(2, 5, 8),),
    "rotary_complex": (floats(2, 5, 8),),
    "relative_position_bucket": (7,),
    "window_partition": (floats(2, 4, 6, 3), 2),
    "shifted_windows": (floats(2, 4, 6, 3),),
    "relative_position_index": (2, 3),
    "sincos_2d": (3, 4, 8),
    "top_p_filter": (floats(3, 10),),
    "lengths_to_mask": (np.array([3, 1, 5]),),
    "last_token": (floats(3, 5, 4), np.array([3, 1, 5])),
    "masked_mean": (floats(3, 5, 4), np.arange(5)[None] < np.array([[3], [1], [5]])),
    "attention": (floats(2, 5, 4), floats(2, 5, 4), floats(2, 5, 4)),
    "alibi_slopes": (4, 6),
    "quantize": (floats(2, 5, 4), floats(6, 4)),
    "sinkhorn": (floats(2, 4, 4),),
    "knn_graph": (floats(2, 3, 6),),
    "scatter_mean": (floats(6, 3), np.array([0, 1, 1, 3, 0, 1]), 5),
    "channel_shuffle": (floats(2, 6, 3, 3), 2),
    "space_to_depth": (floats(2, 3, 4, 6),),
    "se_norm": (floats(2, 3, 4, 5),),
    "decimal_moving_average": (floats(2, 7, 3),),
    "legendre_style_steps": (floats(2, 5, 3),),
    "selective_scan": (floats(2, 5, 3), floats(3)),
    "box_iou": (boxes(4), boxes(5)),
    "greedy_nms": (boxes(8), RANDOM.random(8).astype(np.float32)),
    "smooth_labels": (np.array([1, 0, 3]), 4),
    "edge_weights": (floats(4, 3), np.array([[0, 1, 2, 0], [1, 2, 0, 2]])),
    "gaussian_grid": (),
    "mixed_statistics": (floats(4, 6),),
    "lerp_and_clip": (floats(4, 6), floats(4, 6)),
    "block_mask": (6, 2),
}


@pytest.fixture(scope="module")
def both() -> tuple[dict[str, Any], dict[str, Any]]:
    """The names of the source and of its conversion."""
    converted = ml_switcheroo.convert(SOURCE, source="torch", target="jax")
    assert [(one.line, one.message) for one in converted.diagnostics if one.severity == "error"] == []
    theirs: dict[str, Any] = {}
    ours: dict[str, Any] = {}
    exec(compile(SOURCE, "tensor_snippets.py", "exec"), theirs)
    exec(compile(converted.code, "converted.py", "exec"), ours)
    return ours, theirs


def flat(value: Any) -> list[np.ndarray]:
    if isinstance(value, (tuple, list)):
        return [one for part in value for one in flat(part)]
    return [value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)]


@pytest.mark.parametrize("name", CASES)
def test_snippet(name: str, both: tuple[dict[str, Any], dict[str, Any]]) -> None:
    ours, theirs = both

    def lift(convert: Callable[[Any], Any]) -> list[Any]:
        return [convert(a) if isinstance(a, np.ndarray) else a for a in CASES[name]]

    expected = flat(theirs[name](*lift(torch.tensor)))
    found = flat(ours[name](*lift(jnp.asarray)))
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert one.dtype == np.dtype({"int64": "int32", "float64": "float32"}.get(other.dtype.name, other.dtype.name))
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-5)

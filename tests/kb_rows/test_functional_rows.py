"""The helpers of the functional, linear algebra and FFT families compute what torch computes: values, and gradients where they are delicate."""

from __future__ import annotations

import math
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
jax = pytest.importorskip("jax")
pytest.importorskip("flax")

import torch.nn.functional as F  # noqa: E402

SNAPSHOTS = Path(__file__).resolve().parents[2] / "snapshots"
FAMILIES = ("fn_activation", "fn_attention", "fn_conv", "fn_loss", "fn_misc", "fn_norm", "fn_pool", "fn_vision", "linalg", "fft", "special")


def _helpers() -> SimpleNamespace:
    """All helpers of the families in one namespace, as they find each other in an output."""
    names: dict[str, Any] = {}
    for family in FAMILIES:
        path = SNAPSHOTS / "jax" / "helpers" / f"{family}.py"
        if path.exists():
            exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
    return SimpleNamespace(**names)


H = _helpers()


def draw(*shape: int, seed: int = 0, low: float | None = None) -> np.ndarray:
    """Normal float32 values, or uniform ones from `low` to `low + 1`."""
    rng = np.random.default_rng(zlib.crc32(repr((shape, seed)).encode()))
    values = rng.normal(size=shape) if low is None else rng.uniform(low, low + 1, size=shape)
    return values.astype(np.float32)


def whole(*shape: int, high: int, seed: int = 0) -> np.ndarray:
    """Whole numbers from 0 to high - 1."""
    return np.random.default_rng(zlib.crc32(repr((shape, high, seed)).encode())).integers(0, high, size=shape)


def ties(*shape: int) -> np.ndarray:
    """Values with many equal ones, as after a ReLU."""
    return np.maximum(np.round(draw(*shape) * 2) / 2, 0)


def outputs(result: Any) -> list[Any]:
    """The tensors of a result."""
    return [part for one in result for part in outputs(one)] if isinstance(result, (tuple, list)) else [result]


def floating(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == np.float32


def lift(value: Any) -> Any:
    return jax.numpy.asarray(value) if isinstance(value, np.ndarray) else value


def check(ours: Any, theirs: Any, args: tuple[Any, ...], kwargs: dict[str, Any], wanted: tuple[int | str, ...] | None = None, tolerance: float = 2e-5) -> None:
    """Same shapes and values, and same gradients of a weighted sum with respect to `wanted` (default: all float arrays)."""
    given: dict[int | str, Any] = {**dict(enumerate(args)), **kwargs}
    places = [place for place, value in given.items() if floating(value)] if wanted is None else list(wanted)
    torch_given = {place: torch.tensor(v, requires_grad=place in places) if isinstance(v, np.ndarray) else v for place, v in given.items()}
    expected = outputs(call(theirs, torch_given))
    mixers = [draw(*one.shape, seed=7) if one.dtype == torch.float32 else None for one in expected]

    def run(values: list[Any]) -> tuple[Any, list[Any]]:
        got = outputs(call(ours, {place: lift(v) for place, v in given.items()} | dict(zip(places, values, strict=True))))
        assert len(got) == len(expected), f"{len(got)} results, but should be {len(expected)}"
        return sum((jax.numpy.real(o) * m).sum() for o, m in zip(got, mixers, strict=True) if m is not None), got

    values = [jax.numpy.asarray(given[place]) for place in places]
    if places:
        (_, got), gradients = jax.jit(jax.value_and_grad(run, has_aux=True))(values)
    else:
        got, gradients = jax.jit(run)(values)[1], []
    for one, other in zip(got, expected, strict=True):
        close(one, other.detach(), "value", tolerance)
    if places:
        sum((one * torch.tensor(m)).sum() for one, m in zip(expected, mixers, strict=True) if m is not None).backward()
    for place, gradient in zip(places, gradients, strict=True):
        close(gradient, torch_given[place].grad, f"gradient of argument {place}", 10 * tolerance)


def call(function: Any, given: dict[int | str, Any]) -> Any:
    return function(*(v for k, v in given.items() if isinstance(k, int)), **{k: v for k, v in given.items() if isinstance(k, str)})


def close(one: Any, other: Any, what: str, tolerance: float) -> None:
    """Equal within a tolerance that is relative to the largest value."""
    a, b = np.asarray(one), other.numpy()
    assert a.shape == b.shape, f"{what}: shape {a.shape}, but should be {b.shape}"
    if a.dtype.kind in "iub":
        assert np.array_equal(a, b), f"{what}: {a} but should be {b}"
        return
    assert np.array_equal(np.isnan(a), np.isnan(b)), f"{what}: nan where there should be none, or the other way round"
    same = np.nan_to_num(a), np.nan_to_num(b)
    scale = max(1.0, float(np.abs(same[1][np.abs(same[1]) < 1e30]).max(initial=0)))
    error = float(np.abs(same[0] - same[1]).max(initial=0)) / scale
    assert error <= tolerance, f"{what}: off by {error:.2e}\n{a}\nbut should be\n{b}"


def case(name: str, *args: Any, **kwargs: Any) -> Any:
    """One call: the helper and the function of torch.nn.functional of the same name get the same arguments."""
    shown = ",".join([*(str(a.shape) if isinstance(a, np.ndarray) else str(a) for a in args), *(f"{k}={v if not isinstance(v, np.ndarray) else v.shape}" for k, v in kwargs.items())])
    return pytest.param(name, args, kwargs, id=f"{name}({shown})".replace(" ", ""))


X1, X2, X3 = draw(2, 4, 11), draw(2, 4, 9, 8), draw(2, 4, 5, 6, 7)
LOGITS, CLASSES = draw(6, 5), whole(6, high=5)
IGNORED = np.where(CLASSES == 2, -100, CLASSES)
IMAGE_LOGITS, IMAGE_CLASSES = draw(2, 5, 3, 4), np.where(whole(2, 3, 4, high=5) == 1, -100, whole(2, 3, 4, high=5))
PROBABILITIES = np.exp(draw(6, 5)) / np.exp(draw(6, 5)).sum(1, keepdims=True)
WEIGHT = draw(5, low=0.5)
UNIT, TARGETS = draw(4, 5, low=0.0), draw(4, 5, low=0.0, seed=3)
SIGNS = np.array([1, -1, 1, -1], np.float32)
ZERO_ROW = np.concatenate([draw(2, 4, 3), np.zeros((1, 4, 3), np.float32)])

CASES = [
    case("softplus", X1, beta=2), case("softplus", X1 * 30, 1, 5.0), case("hardshrink", X1), case("hardshrink", X1, 1.0),
    case("softshrink", X1, 0.3), case("tanhshrink", X1), case("prelu", X2, draw(4)), case("prelu", X2, draw(1)), case("prelu", draw(3, 4), draw(4)),
    case("prelu", draw(4), draw(1)), case("rrelu", X1, 0.1, 0.4),
    # convolutions
    case("conv1d", X1, draw(6, 4, 3), draw(6)), case("conv1d", X1, draw(6, 2, 3), None, 2, 1, 2, 2), case("conv1d", X1, draw(6, 4, 4), padding="same"),
    case("conv1d", draw(4, 11), draw(6, 4, 3), draw(6)), case("conv2d", X2, draw(6, 4, 3, 2), draw(6), (2, 1), (1, 0), (1, 2)),
    case("conv2d", X2, draw(4, 1, 3, 3), groups=4, padding="same", dilation=2), case("conv2d", X2, draw(6, 4, 4, 3), padding="same"),
    case("conv2d", X2, draw(8, 1, 3, 3), groups=4, padding="valid"), case("conv2d", draw(4, 9, 8), draw(6, 4, 3, 3), padding=1), case("conv3d", X3, draw(2, 4, 3, 2, 3), draw(2), padding=1),
    case("conv_transpose1d", X1, draw(4, 3, 4), draw(3), 2, 1), case("conv_transpose1d", X1, draw(4, 3, 4), None, 3, 1, 2),
    case("conv_transpose2d", X2, draw(4, 3, 3, 2), draw(6), (2, 3), (1, 0), (1, 2), 2), case("conv_transpose2d", X2, draw(4, 1, 3, 3), stride=2, padding=1, output_padding=1, groups=4, dilation=2),
    case("conv_transpose2d", X2, draw(4, 2, 2, 2), padding=3, stride=4), case("conv_transpose3d", X3, draw(4, 2, 2, 3, 2), draw(2), 2, 1, 1), case("conv_transpose2d", draw(4, 5, 5), draw(4, 2, 2, 2), stride=2),
    case("unfold", X2, 3), case("unfold", X2, (3, 2), dilation=(1, 2), padding=(1, 2), stride=2), case("unfold", draw(4, 9, 8), 2, stride=2),
    case("fold", draw(2, 12, 12), (4, 5), (2, 2)), case("fold", draw(2, 18, 25), (9, 8), (3, 2), (1, 2), (1, 2), 2), case("fold", draw(12, 12), (4, 5), 2),
    # pools
    case("max_pool1d", X1, 3), case("max_pool1d", X1, 3, 2, 1, 2, True), case("max_pool2d", X2, 2), case("max_pool2d", ties(2, 4, 9, 8), 3, 2, 1), case("max_pool2d", X2, (3, 2), stride=(2, 3), ceil_mode=True),
    case("max_pool2d", X2, 3, 2, 1, ceil_mode=True), case("max_pool2d", X2, 2, 3, 1, ceil_mode=True), case("max_pool2d", draw(4, 9, 8), 2), case("max_pool2d", ties(2, 4, 9, 8), 3, 1, 1, 2), case("max_pool2d", whole(2, 3, 6, 6, high=50), 3, 2, 1),
    case("max_pool3d", X3, 2, 2, 1), case("max_pool1d_with_indices", X1, 3, 2, 1), case("max_pool2d_with_indices", ties(2, 4, 9, 8), 3, 2, 1), case("max_pool2d_with_indices", X2, 3, 2, 1, 2, True), case("max_pool3d_with_indices", X3, 2),
    case("avg_pool1d", X1, 3), case("avg_pool1d", X1, 3, 2, 1, True, False), case("avg_pool2d", X2, 2), case("avg_pool2d", X2, 3, 2, 1), case("avg_pool2d", X2, 3, 2, 1, True), case("avg_pool2d", X2, 3, 2, 1, True, False),
    case("avg_pool2d", X2, (3, 2), stride=(2, 3), padding=(1, 0), count_include_pad=False), case("avg_pool2d", X2, 2, 3, 1, ceil_mode=True), case("avg_pool2d", X2, 3, 2, 1, divisor_override=5), case("avg_pool3d", X3, 2, 2, 1, True, False),
    case("avg_pool3d", X3, 3, 2, 1, True, True, 7), case("avg_pool2d", draw(4, 9, 8), 3, stride=1, padding=1),
    case("lp_pool1d", X1, 2, 3), case("lp_pool2d", X2, 2, 2), case("lp_pool2d", np.abs(X2), 3.0, (3, 2), 2, True), case("lp_pool3d", X3, 2, 2),
    case("adaptive_avg_pool1d", X1, 5), case("adaptive_avg_pool2d", X2, 1), case("adaptive_avg_pool2d", X2, (3, 4)), case("adaptive_avg_pool2d", X2, (None, 5)), case("adaptive_avg_pool2d", X2, 7), case("adaptive_avg_pool2d", X2, (12, 16)),
    case("adaptive_avg_pool3d", X3, (2, None, 3)), case("adaptive_avg_pool2d", draw(4, 9, 8), 2), case("adaptive_max_pool1d", ties(2, 4, 11), 5), case("adaptive_max_pool2d", ties(2, 4, 9, 8), (3, 4)), case("adaptive_max_pool2d", ties(2, 4, 9, 8), (5, None)),
    case("adaptive_max_pool2d", X2, 1), case("adaptive_max_pool2d", X2, (12, 3)), case("adaptive_max_pool3d", X3, 2), case("adaptive_max_pool2d_with_indices", X2, (4, 3)), case("adaptive_max_pool1d_with_indices", X1, 4),
    # norms
    case("layer_norm", X1, (11,)), case("layer_norm", X2, [9, 8], draw(9, 8), draw(9, 8), 1e-3), case("layer_norm", X1, (11,), draw(11)), case("group_norm", X2, 2, draw(4), draw(4)), case("group_norm", X1, 4), case("group_norm", draw(3, 4), 2, draw(4), draw(4), 1e-3),
    case("instance_norm", X2), case("instance_norm", X1, weight=draw(4), bias=draw(4), eps=1e-3), case("rms_norm", X1, (11,)), case("rms_norm", X1, (4, 11), draw(4, 11), 1e-3), case("batch_norm", X2, None, None, draw(4), draw(4), True),
    case("batch_norm", X1, draw(4), draw(4, low=0.5), draw(4), draw(4), False, 0.1, 1e-3), case("batch_norm", draw(3, 4), draw(4), draw(4, low=0.5)), case("local_response_norm", X2, 3), case("local_response_norm", X1, 2, 0.1, 0.5, 2.0),
    case("normalize", X2), case("normalize", ZERO_ROW, dim=-1), case("normalize", X1, 1.0, 2), case("normalize", X1, 3.0, 1, 0.5), case("normalize", X2, p=2, dim=(1, 2)), case("normalize", X1, math.inf, 1),
    # dense, embeddings, distances
    case("linear", X1, draw(3, 11), draw(3)), case("linear", X1, draw(3, 11)), case("bilinear", draw(2, 3, 4), draw(2, 3, 5), draw(6, 4, 5), draw(6)), case("embedding", whole(2, 3, high=7), draw(7, 4)),
    case("embedding", whole(9, 3, high=7), draw(7, 4), 2), case("embedding", whole(9, 3, high=7), draw(7, 4), -2),
    case("embedding_bag", whole(3, 4, high=7), draw(7, 5)), case("embedding_bag", whole(3, 4, high=7), draw(7, 5), mode="sum", per_sample_weights=draw(3, 4)), case("embedding_bag", whole(3, 4, high=7), draw(7, 5), mode="max"),
    case("embedding_bag", whole(9, high=7), draw(7, 5), np.array([0, 3, 3, 8])), case("embedding_bag", whole(9, high=7), draw(7, 5), np.array([0, 3, 3, 9]), mode="sum", include_last_offset=True),
    case("embedding_bag", whole(9, high=3), draw(7, 5), np.array([0, 3, 3, 8]), mode="max", padding_idx=1), case("embedding_bag", whole(9, high=3), draw(7, 5), np.array([0, 3, 3, 8]), padding_idx=1),
    case("cosine_similarity", draw(3, 4), draw(3, 4, seed=1)), case("cosine_similarity", ZERO_ROW, draw(3, 4, 3), -1), case("cosine_similarity", draw(3, 1, 4), draw(1, 5, 4, seed=1), dim=-1, eps=0.5), case("pairwise_distance", draw(3, 4), draw(3, 4, seed=1)),
    case("pairwise_distance", draw(3, 4), draw(3, 4, seed=1), 1.0, 1e-3, True), case("pairwise_distance", draw(3, 4), draw(3, 4, seed=1), 3.0), case("pairwise_distance", draw(4), draw(3, 4, seed=1)),
    case("dropout", X1, 0.4, False), case("dropout", X1, 0.0, True), case("dropout", X1, 1.0, True), case("alpha_dropout", X1, 0.4, False), case("dropout2d", X2, 0.3, False), case("softmax_implicit", X1), case("log_softmax_implicit", X2),
    # attention
    case("scaled_dot_product_attention", draw(2, 3, 5, 4), draw(2, 3, 6, 4, seed=1), draw(2, 3, 6, 7, seed=2)), case("scaled_dot_product_attention", draw(2, 3, 5, 4), draw(2, 3, 6, 4, seed=1), draw(2, 3, 6, 7, seed=2), is_causal=True),
    case("scaled_dot_product_attention", draw(2, 3, 5, 4), draw(2, 3, 6, 4, seed=1), draw(2, 3, 6, 7, seed=2), draw(5, 6), scale=0.3), case("scaled_dot_product_attention", draw(2, 3, 5, 4), draw(2, 3, 6, 4, seed=1), draw(2, 3, 6, 7, seed=2), whole(2, 1, 5, 6, high=2) > 0),
    case("scaled_dot_product_attention", draw(3, 5, 4), draw(3, 6, 4, seed=1), draw(3, 6, 4, seed=2), np.arange(5)[:, None] > np.arange(6)), case("scaled_dot_product_attention", draw(2, 6, 5, 4), draw(2, 3, 6, 4), draw(2, 3, 6, 4, seed=1), enable_gqa=True),
    # losses
    *[case(name, LOGITS, draw(6, 5, seed=1), reduction=r) for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss") for r in ("mean", "sum", "none")],
    case("smooth_l1_loss", LOGITS, draw(6, 5, seed=1), beta=0.3), case("smooth_l1_loss", LOGITS, draw(6, 5, seed=1), beta=0.0), case("huber_loss", LOGITS, draw(6, 5, seed=1), delta=0.4), case("mse_loss", LOGITS, draw(6, 5, seed=1), weight=draw(6, 5, low=0.5)),
    case("l1_loss", LOGITS, LOGITS), case("huber_loss", LOGITS, draw(6, 5, seed=1), weight=draw(6, 5, low=0.5)),
    *[case("cross_entropy", LOGITS, IGNORED, w, reduction=r, label_smoothing=s) for w in (None, WEIGHT) for r in ("mean", "sum", "none") for s in (0.0, 0.1)],
    *[case("cross_entropy", LOGITS, PROBABILITIES, w, reduction=r, label_smoothing=s) for w in (None, WEIGHT) for r in ("mean", "none") for s in (0.0, 0.1)],
    case("cross_entropy", IMAGE_LOGITS, IMAGE_CLASSES, WEIGHT), case("cross_entropy", IMAGE_LOGITS, np.abs(IMAGE_CLASSES) % 5, ignore_index=0, reduction="sum"), case("cross_entropy", IMAGE_LOGITS, np.abs(draw(2, 5, 3, 4, seed=2)), WEIGHT, label_smoothing=0.2), case("cross_entropy", LOGITS[0], CLASSES[0:1].reshape(())),
    case("cross_entropy", LOGITS[0], PROBABILITIES[0]), case("cross_entropy", LOGITS, np.full(6, -100), reduction="sum"), 
    *[case("nll_loss", -np.abs(LOGITS), IGNORED, w, reduction=r) for w in (None, WEIGHT) for r in ("mean", "sum", "none")], case("nll_loss", IMAGE_LOGITS, IMAGE_CLASSES), case("nll_loss", LOGITS[0], CLASSES[0:1].reshape(())), case("nll_loss", LOGITS, CLASSES, ignore_index=2),
    case("binary_cross_entropy", UNIT, TARGETS), case("binary_cross_entropy", UNIT, TARGETS, draw(4, 5, low=0.5), reduction="none"), 
    case("binary_cross_entropy_with_logits", LOGITS * 20, draw(6, 5, low=0.0)), case("binary_cross_entropy_with_logits", LOGITS, draw(6, 5, low=0.0), WEIGHT, reduction="none", pos_weight=WEIGHT * 2),
    *[case("kl_div", -np.abs(LOGITS), np.where(PROBABILITIES > 0.1, PROBABILITIES, 0).astype(np.float32), reduction=r) for r in ("mean", "sum", "none", "batchmean")], case("kl_div", -np.abs(LOGITS), -np.abs(draw(6, 5, seed=2)), reduction="batchmean", log_target=True),
    case("poisson_nll_loss", LOGITS, draw(6, 5, low=1.5)), case("poisson_nll_loss", np.abs(LOGITS), np.round(draw(6, 5, low=0.0) * 4), False, True, reduction="none"), case("gaussian_nll_loss", LOGITS, draw(6, 5, seed=1), draw(6, 5, low=0.1)),
    case("gaussian_nll_loss", LOGITS, draw(6, 5, seed=1), draw(6, 1, low=0.1), True, reduction="none"), case("gaussian_nll_loss", LOGITS, draw(6, 5, seed=1), np.abs(draw(6, 5, seed=2)), eps=0.5), case("gaussian_nll_loss", LOGITS, draw(6, 5, seed=1), draw(6, low=0.1)),
    case("cosine_embedding_loss", draw(4, 5), draw(4, 5, seed=1), SIGNS, 0.1), case("cosine_embedding_loss", draw(4, 5), draw(4, 5, seed=1), SIGNS, reduction="none"), case("margin_ranking_loss", draw(4), draw(4, seed=1), SIGNS, 0.3),
    case("hinge_embedding_loss", draw(4), SIGNS), case("hinge_embedding_loss", draw(4), SIGNS, 0.4, reduction="none"), case("soft_margin_loss", draw(4), SIGNS), case("multilabel_soft_margin_loss", LOGITS, np.round(draw(6, 5, low=0.0)), WEIGHT),
    case("multi_margin_loss", LOGITS, CLASSES), case("multi_margin_loss", LOGITS, CLASSES, 2, 0.7, WEIGHT, reduction="none"), case("multilabel_margin_loss", draw(2, 4), np.array([[3, 0, -1, 1], [1, 2, 0, -1]])),
    *[case("triplet_margin_loss", draw(4, 5), draw(4, 5, seed=1), draw(4, 5, seed=2), p=p, swap=s, reduction=r) for p, s, r in ((2, False, "mean"), (2, True, "none"), (1, True, "sum"))],
    case("triplet_margin_with_distance_loss", draw(4, 5), draw(4, 5, seed=1), draw(4, 5, seed=2), margin=0.3, swap=True),
    *[case("ctc_loss", np.log(np.exp(draw(9, 3, 6)) / np.exp(draw(9, 3, 6)).sum(-1, keepdims=True)), np.array([[1, 1, 2], [3, 4, 5], [2, 0, 0]]), np.array(i), np.array(t), reduction=r, zero_infinity=z)
      for i, t, r, z in (([9, 8, 7], [3, 3, 1], "none", False), ([9, 8, 7], [3, 2, 1], "mean", False), ([9, 9, 9], [3, 3, 0], "sum", False), ([9, 2, 9], [3, 3, 1], "none", True))],
    case("ctc_loss", np.log(np.exp(draw(9, 3, 6)) / np.exp(draw(9, 3, 6)).sum(-1, keepdims=True)), np.array([1, 1, 2, 3, 4, 2]), np.array([9, 9, 9]), np.array([3, 2, 1])),
    # images
    case("pad", X2, (1, 2)), case("pad", X2, (1, 2, 3, 0), value=1.5), case("pad", X2, (-1, 2, -3, 1)), case("pad", X2, (1, 2, 3, 0), "reflect"), case("pad", X2, (1, 2, 3, 0), "replicate"), case("pad", X2, (1, 2, 3, 4), "circular"), case("pad", X1, (1, 2, 0, 1, 1, 1)),
    case("pad", X2, (-1, 2, 3, -2), "replicate"), case("pad", X2, (-1, 2, 3, -2), "circular"), case("pad", whole(2, 3, high=5), (1, 1), value=7), case("pad", X3, (1, 1, 1, 1, 2, 0), "reflect"), case("pad", whole(2, 3, high=5) > 2, (1, 1), value=True),
    *[case("interpolate", X2, size, factor, mode, corners) for mode in ("nearest", "nearest-exact", "bilinear", "bicubic", "area") for size, factor in (((5, 13), None), (None, 2), (None, (0.6, 1.7)), (7, None))
      for corners in ((None, True) if mode in ("bilinear", "bicubic") else (None,))],
    case("interpolate", X2, None, 1.7, "bilinear", False, True), case("interpolate", X2, None, 1.7, "nearest", None, True), case("interpolate", X1, 17, None, "linear", True), case("interpolate", X1, None, 2.5, "linear"), case("interpolate", X1, 17),
    case("interpolate", X3, (7, 3, 9), None, "trilinear"), case("interpolate", X3, None, 2, "trilinear", True), case("interpolate", X3, None, 0.5, "area"), case("interpolate", X3, 6), case("interpolate", X2, (9, 8), None, "bilinear"), case("interpolate", X2, (1, 1), None, "bilinear", True),
    *[case("interpolate", X2, size, factor, mode, corners, antialias=True) for mode in ("bilinear", "bicubic") for size, factor in (((4, 3), None), ((20, 5), None), (None, 0.4)) for corners in (None, True)],
    case("upsample_bilinear", X2, scale_factor=2), case("upsample_bilinear", X2, (5, 6)),
    *[case("grid_sample", X2, draw(2, 5, 6, 2) * 0.9, mode, padding, corners) for mode in ("bilinear", "nearest", "bicubic") for padding in ("zeros", "border", "reflection") for corners in (False, True)],
    *[case("grid_sample", X3, draw(2, 3, 4, 5, 3) * 0.9, mode, padding, corners) for mode in ("bilinear", "nearest") for padding, corners in (("zeros", None), ("border", True), ("reflection", False))],
    *[case("affine_grid", draw(2, 2, 3), (2, 3, 4, 5), c) for c in (False, True)], case("affine_grid", draw(2, 3, 4), (2, 3, 4, 5, 1), True), case("affine_grid", draw(2, 3, 4), (2, 3, 4, 5, 6)),
    case("pixel_shuffle", draw(2, 12, 3, 4), 2), case("pixel_shuffle", draw(9, 3, 4), 3), case("pixel_unshuffle", draw(2, 3, 6, 9), 3), case("channel_shuffle", draw(2, 12, 3, 4), 3),
]  # fmt: skip


# Which arguments have gradients, where it is not all of them (and no gradient where torch has none or an arbitrary one).
FIRST = {name: (0,) for name in ("cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits", "kl_div", "batch_norm", "multi_margin_loss", "poisson_nll_loss", "soft_margin_loss", "hinge_embedding_loss", "multilabel_soft_margin_loss", "huber_loss", "mse_loss")}
PAIRS = {name: (0, 1) for name in ("cosine_embedding_loss", "margin_ranking_loss")}


@pytest.mark.parametrize(("name", "args", "kwargs"), CASES)
def test_functional(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    theirs = {"softmax_implicit": F.softmax, "log_softmax_implicit": F.log_softmax}.get(name) or getattr(F, name)
    ours = getattr(H, name)
    wanted: tuple[int | str, ...] | None = {**FIRST, **PAIRS}.get(name)
    if "dropout" in name or name == "rrelu":
        check(lambda *a, **k: ours(*a, rngs=None, **k), theirs, args, kwargs)
    elif name == "ctc_loss":  # torch's gradient holds for log-probabilities that come from log_softmax
        check(lambda x, *a, **k: ours(jax.nn.log_softmax(x), *a, **k), lambda x, *a, **k: theirs(F.log_softmax(x, -1), *a, **k), args, kwargs)
    else:
        check(ours, theirs, args, kwargs, wanted)


def test_extremes_without_gradients() -> None:
    """Values where torch's own gradient is undefined or an artefact."""
    check(H.cross_entropy, F.cross_entropy, (LOGITS, np.full(6, -100)), {}, ())
    check(H.binary_cross_entropy, F.binary_cross_entropy, (np.round(UNIT), TARGETS), {"reduction": "sum"}, ())

"""The helpers of the functional, linear algebra and FFT families compute what torch computes: values, and gradients where they are delicate."""

from __future__ import annotations

import ast
import inspect
import math
import re
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
jax = pytest.importorskip("jax")
nnx = pytest.importorskip("flax.nnx")

import torch.nn.functional as F  # noqa: E402

from ml_switcheroo import convert  # noqa: E402

# torch says of some old spellings that they are old; they are tested all the same.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

SNAPSHOTS = Path(__file__).resolve().parents[2] / "snapshots"
FAMILIES = (
    "fn_activation",
    "fn_attention",
    "fn_conv",
    "fn_loss",
    "fn_misc",
    "fn_norm",
    "fn_pool",
    "fn_vision",
    "linalg",
    "fft",
    "utils",
)


def _helpers() -> SimpleNamespace:
    """All helpers of the families in one namespace, as they find each other in an output."""
    names: dict[str, Any] = {}
    for family in FAMILIES:
        path = SNAPSHOTS / "jax" / "helpers" / f"{family}.py"
        if path.exists():
            exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
    return SimpleNamespace(**names)


def _init_helpers() -> dict[str, Any]:
    path = SNAPSHOTS / "flax_nnx" / "helpers" / "init.py"
    names: dict[str, Any] = {}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
    return names


H = _helpers()
QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}  # compile fast, run slowly


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


def check(
    ours: Any,
    theirs: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    wanted: tuple[int | str, ...] | None = None,
    tolerance: float = 2e-5,
) -> None:
    """Same shapes and values, and same gradients of a weighted sum with respect to `wanted` (default: all float arrays)."""
    given: dict[int | str, Any] = dict(enumerate(args))
    given.update(kwargs.items())
    places = [place for place, value in given.items() if floating(value)] if wanted is None else list(wanted)
    torch_given = {
        place: torch.tensor(v, requires_grad=place in places) if isinstance(v, np.ndarray) else v
        for place, v in given.items()
    }
    expected = outputs(call(theirs, torch_given))
    mixers = [draw(*one.shape, seed=7) if one.dtype == torch.float32 else None for one in expected]

    def run(values: list[Any]) -> tuple[Any, list[Any]]:
        got = outputs(
            call(ours, {place: lift(v) for place, v in given.items()} | dict(zip(places, values, strict=True)))
        )
        assert len(got) == len(expected), f"{len(got)} results, but should be {len(expected)}"
        return sum((jax.numpy.real(o) * m).sum() for o, m in zip(got, mixers, strict=True) if m is not None), got

    values = [jax.numpy.asarray(given[place]) for place in places]
    if places:
        (_, got), gradients = jax.jit(jax.value_and_grad(run, has_aux=True), compiler_options=QUICK)(values)
    else:
        got, gradients = jax.jit(run, compiler_options=QUICK)(values)[1], []
    for one, other in zip(got, expected, strict=True):
        close(one, other.detach(), "value", tolerance)
    if places:
        sum((one * torch.tensor(m)).sum() for one, m in zip(expected, mixers, strict=True) if m is not None).backward()
    for place, gradient in zip(places, gradients, strict=True):
        close(gradient, torch_given[place].grad, f"gradient of argument {place}", 10 * tolerance)


def call(function: Any, given: dict[int | str, Any]) -> Any:
    return function(
        *(v for k, v in given.items() if isinstance(k, int)), **{k: v for k, v in given.items() if isinstance(k, str)}
    )


def close(one: Any, other: Any, what: str, tolerance: float) -> None:
    """Equal within a tolerance that is relative to the largest value."""
    a, b = np.asarray(one), other.resolve_conj().numpy()
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
    shown = ",".join(
        [
            *(str(a.shape) if isinstance(a, np.ndarray) else str(a) for a in args),
            *(f"{k}={v if not isinstance(v, np.ndarray) else v.shape}" for k, v in kwargs.items()),
        ]
    )
    return pytest.param(name, args, kwargs, id=f"{name}({shown})".replace(" ", ""))


X1, X2, X3 = draw(2, 4, 11), draw(2, 4, 9, 8), draw(2, 4, 5, 6, 7)
LOGITS, CLASSES = draw(6, 5), whole(6, high=5)
IGNORED = np.where(CLASSES == 2, -100, CLASSES)
IMAGE_LOGITS, IMAGE_CLASSES = draw(2, 5, 3, 4), np.where(whole(2, 3, 4, high=5) == 1, -100, whole(2, 3, 4, high=5))
PROBABILITIES = np.exp(draw(6, 5)) / np.exp(draw(6, 5)).sum(1, keepdims=True)
WEIGHT = draw(5, low=0.5)
UNIT, TARGETS = draw(4, 5, low=0.0), draw(4, 5, low=0.0, seed=3)
SIGNS = np.array([1, -1, 1, -1], np.float32)
GAPS = np.where(draw(4, 5) < 0, np.nan, draw(4, 5)).astype(np.float64)  # of which no gradients are taken
NAN_ROWS = np.where(draw(2, 4, 9) < 0, np.nan, draw(2, 4, 9)).astype(np.float64)
ZERO_ROW = np.concatenate([draw(2, 4, 3), np.zeros((1, 4, 3), np.float32)])

CASES = [
    case("softplus", X1, beta=2), case("softplus", X1 * 30, 1, 5.0), case("hardshrink", X1), case("hardshrink", X1, 1.0),
    case("softshrink", X1, 0.3), case("tanhshrink", X1), case("prelu", X2, draw(4)), case("prelu", X2, draw(1)), case("prelu", draw(3, 4), draw(4)),
    case("prelu", draw(4), draw(1)), case("prelu", draw(), draw(1)), case("hardshrink", GAPS), case("softshrink", GAPS), case("rrelu", X1, 0.1, 0.4),
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
    case("lp_pool1d", X1, 2, 3), case("lp_pool1d", X1, 1, 3), case("lp_pool2d", X2, -1, 2), case("max_pool1d_with_indices", NAN_ROWS, 3), case("pairwise_distance", NAN_ROWS, NAN_ROWS[0] + 1), case("pairwise_distance", NAN_ROWS, NAN_ROWS[0] + 1, 3.0), case("lp_pool2d", X2, 2, 2), case("lp_pool2d", np.abs(X2), 3.0, (3, 2), 2, True), case("lp_pool3d", X3, 2, 2),
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
FIRST = dict.fromkeys(
    (
        "cross_entropy",
        "nll_loss",
        "binary_cross_entropy",
        "binary_cross_entropy_with_logits",
        "kl_div",
        "batch_norm",
        "multi_margin_loss",
        "poisson_nll_loss",
        "soft_margin_loss",
        "hinge_embedding_loss",
        "multilabel_soft_margin_loss",
        "huber_loss",
        "mse_loss",
    ),
    (0,),
)
PAIRS = dict.fromkeys(("cosine_embedding_loss", "margin_ranking_loss"), (0, 1))


def graded() -> list[Any]:
    """The cases, each with whether gradients are compared: for every third one of a function, and where values are equal or zero."""
    seen: dict[str, int] = {}
    found = []
    for one in CASES:
        name, args, kwargs = one.values
        seen[name] = seen.get(name, -1) + 1
        delicate = any(isinstance(a, np.ndarray) and a.dtype == np.float32 and len(np.unique(a)) < a.size for a in args)
        found.append(pytest.param(name, args, kwargs, delicate or seen[name] % 3 == 0, id=one.id))
    return found


@pytest.mark.parametrize(("name", "args", "kwargs", "gradients"), graded())
def test_functional(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], gradients: bool) -> None:
    theirs = {"softmax_implicit": F.softmax, "log_softmax_implicit": F.log_softmax}.get(name) or getattr(F, name)
    ours = getattr(H, name)
    wanted: tuple[int | str, ...] | None = {**FIRST, **PAIRS}.get(name) if gradients else ()
    if "dropout" in name or name == "rrelu":
        check(lambda *a, **k: ours(*a, rngs=None, **k), theirs, args, kwargs, wanted)
    elif name == "ctc_loss":  # torch's gradient holds for log-probabilities that come from log_softmax
        check(
            lambda x, *a, **k: ours(jax.nn.log_softmax(x), *a, **k),
            lambda x, *a, **k: theirs(F.log_softmax(x, -1), *a, **k),
            args,
            kwargs,
            wanted,
        )
    else:
        check(ours, theirs, args, kwargs, wanted)


def test_extremes_without_gradients() -> None:
    """Values where torch's own gradient is undefined or an artefact."""
    check(H.cross_entropy, F.cross_entropy, (LOGITS, np.full(6, -100)), {}, ())
    check(H.binary_cross_entropy, F.binary_cross_entropy, (np.round(UNIT), TARGETS), {"reduction": "sum"}, ())


# ---- linear algebra, Fourier transforms ------------------------------------------------------------------------------------------


POSITIVE = draw(3, 4, 4) @ draw(3, 4, 4).swapaxes(-1, -2) + 4 * np.eye(4, dtype=np.float32)
LOWER = np.linalg.cholesky(POSITIVE)
WAVE = draw(2, 40)
HANN = np.hanning(17)[:-1].astype(np.float32)

OTHERS = [
    *[(f"vector_norm {k}", H.vector_norm, torch.linalg.vector_norm, (a,), k) for a in (X1, ZERO_ROW) for k in ({}, {"dim": -1}, {"ord": 1, "dim": (1, 2)}, {"ord": 3, "dim": 1, "keepdim": True}, {"ord": math.inf, "dim": -1}, {"ord": 0.5, "dim": -1} if a is X1 else {})],
    ("vector_norm -inf", H.vector_norm, torch.linalg.vector_norm, (X1, -math.inf, 2), {}), ("vector_norm -2", H.vector_norm, torch.linalg.vector_norm, (X1, -2, 2), {}),
    *[(f"matrix_norm {o}", H.matrix_norm, torch.linalg.matrix_norm, (X1, o), {}) for o in ("fro", "nuc", 2, 1, math.inf, -1)],
    *[(f"linalg_norm {a[1:]}", H.linalg_norm, torch.linalg.norm, a, {}) for a in ((X1,), (X1, None, 1), (X1, 2, (1, 2)), (X1, 1, -1, True), (draw(4), 3), (draw(3, 4), "fro"))],
    ("logdet", H.logdet, torch.logdet, (POSITIVE,), {}), ("cholesky_solve", H.cholesky_solve, torch.cholesky_solve, (draw(3, 4, 2), LOWER), {}), ("cholesky_solve upper", H.cholesky_solve, torch.cholesky_solve, (draw(3, 4, 2), LOWER.swapaxes(-1, -2).copy(), True), {}),
    ("cholesky_inverse", H.cholesky_inverse, torch.cholesky_inverse, (LOWER,), {}), ("solve", H.solve, torch.linalg.solve, (POSITIVE, draw(3, 4, 2)), {}), ("solve vectors", H.solve, torch.linalg.solve, (POSITIVE, draw(3, 4)), {}),
    ("solve vector", H.solve, torch.linalg.solve, (POSITIVE[0], draw(4)), {}), ("solve right", H.solve, torch.linalg.solve, (POSITIVE, draw(3, 2, 4)), {"left": False}),
    *[(f"solve_triangular {k}", H.solve_triangular, torch.linalg.solve_triangular, (LOWER, b), k) for b, k in ((draw(3, 4, 2), {"upper": False}), (draw(3, 2, 4), {"upper": False, "left": False}), (draw(4, 2), {"upper": False, "unitriangular": True}), (draw(3, 4, 2), {"upper": True}))],
    ("triangular_solve", H.triangular_solve, torch.triangular_solve, (draw(3, 4, 2), LOWER), {"upper": False, "transpose": True}), ("vandermonde", H.vandermonde, torch.linalg.vander, (draw(3, 4),), {"N": 3}),
    ("svd_v", lambda x: (lambda u, s, v: (u[..., None, :] * s[..., None, None, :] * v[..., None, :, :]).sum(-1))(*H.svd_v(x)), lambda x: (lambda u, s, v: (u[..., None, :] * s[..., None, None, :] * v[..., None, :, :]).sum(-1))(*torch.svd(x)), (draw(2, 4, 3),), {}),
    *[(f"stft {k}", lambda x, w, k=k: (lambda z: (z.real, z.imag))(H.stft(x, 16, window=w, **k)), lambda x, w, k=k: (lambda z: (z.real, z.imag))(torch.stft(x, 16, window=w, return_complex=True, **k)), (WAVE, HANN), {})
      for k in ({}, {"hop_length": 5}, {"center": False, "normalized": True}, {"onesided": False, "pad_mode": "constant"})],
    ("stft plain", lambda x: H.stft(x, 12, 3, 8).real, lambda x: torch.stft(x, 12, 3, 8, return_complex=True).real, (WAVE[0],), {}),
    *[(f"istft {k}", lambda x, w, k=k: H.istft(H.stft(x, 16, window=w, **k), 16, window=w, length=36, **k), lambda x, w, k=k: torch.istft(torch.stft(x, 16, window=w, return_complex=True, **k), 16, window=w, length=36, **k), (WAVE, HANN), {})
      for k in ({}, {"hop_length": 5, "normalized": True}, {"onesided": False})],
    ("istft plain", lambda x: H.istft(H.stft(x, 16), 16), lambda x: torch.istft(torch.stft(x, 16, return_complex=True), 16), (WAVE,), {}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("ours", "theirs", "args", "kwargs"), [one[1:] for one in OTHERS], ids=[one[0] for one in OTHERS]
)
def test_linear_algebra(ours: Any, theirs: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    # torch symmetrises the gradient of a Cholesky factor, which only Cholesky's own gradient undoes
    wanted: tuple[int | str, ...] | None = (
        (0,) if ours is H.cholesky_solve else () if ours is H.cholesky_inverse else None
    )
    check(ours, theirs, args, kwargs, wanted, tolerance=1e-4)


def test_batch_norm_updates_running_statistics() -> None:
    x, weight = draw(3, 4, 5), draw(4)
    mean, var = draw(4, seed=1), draw(4, low=0.5)
    ours_mean, ours_var = nnx.BatchStat(jax.numpy.asarray(mean)), nnx.BatchStat(jax.numpy.asarray(var))
    torch_mean, torch_var = torch.tensor(mean), torch.tensor(var)
    for training in (True, False):
        out = H.batch_norm_running(jax.numpy.asarray(x), ours_mean, ours_var, weight, weight, training, 0.2)
        close(
            out,
            F.batch_norm(
                torch.tensor(x), torch_mean, torch_var, torch.tensor(weight), torch.tensor(weight), training, 0.2
            ),
            "value",
            2e-5,
        )
        close(ours_mean[...], torch_mean, "running mean", 2e-5)
        close(ours_var[...], torch_var, "running variance", 2e-5)


@pytest.mark.parametrize("case", range(5))
def test_multi_head_attention_forward(case: int) -> None:
    """Fused and separate projections, masks of both kinds, extra keys, with and without a batch axis."""
    batch = () if case == 4 else (3,)
    q, k, v = draw(5, *batch, 8), draw(6, *batch, 8, seed=1), draw(6, *batch, 8, seed=2)
    fused, bias, out_w, out_b = draw(24, 8), draw(24), draw(8, 8), draw(8)
    extra = (draw(1, 1, 8), draw(1, 1, 8, seed=1)) if case in (1, 3) else (None, None)
    padding = (
        np.arange(6) >= np.array([6, 4, 5])[:, None] if case in (1, 2) else np.arange(6) > 3 if case == 4 else None
    )
    mask = {0: None, 1: np.triu(np.ones((5, 6), bool), 3), 2: draw(5, 6), 3: draw(6, 5, 6), 4: None}[case]
    separate = (
        {
            "use_separate_proj_weight": True,
            "q_proj_weight": fused[:8],
            "k_proj_weight": fused[8:16],
            "v_proj_weight": fused[16:],
        }
        if case in (2, 3)
        else {}
    )
    args = (q, k, v, 8, 2, None if separate else fused, bias, *extra, case == 3)
    kwargs = {"key_padding_mask": padding, "attn_mask": mask, "average_attn_weights": case != 3, **separate}
    rest = (out_w, None if case == 3 else out_b)
    check(
        H.multi_head_attention_forward,
        lambda *a, **k: F.multi_head_attention_forward(*a[:10], 0.0, *a[10:], **k),  # type: ignore[call-arg]
        (*args, *rest),
        kwargs,
        (0, 1, 2),
        tolerance=1e-4,
    )


# ---- draws -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["dropout", "feature_dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"],
)
def test_dropout_share_and_mean(name: str) -> None:
    """The right share is dropped, in the right pieces, and the mean stays."""
    x = np.ones((50, 40, 3, 4, 5)[: {"dropout1d": 3, "dropout2d": 4}.get(name, 5)], np.float32)
    out = np.asarray(getattr(H, name)(jax.numpy.asarray(x), 0.3, True, rngs=nnx.Rngs(0)))
    lost = out != out.max()
    assert abs(lost.mean() - 0.3) < 0.05
    if "alpha" not in name:
        assert np.allclose(out[~lost], 1 / 0.7) and not out[lost].any()
    whole_channels = bool((lost.reshape(50, 40, -1).all(-1) | ~lost.reshape(50, 40, -1).any(-1)).all())
    assert whole_channels == (name not in ("dropout", "alpha_dropout"))


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    out = np.asarray(H.alpha_dropout(jax.numpy.asarray(draw(400, 400)), 0.3, True, rngs=nnx.Rngs(0)))
    assert abs(out.mean()) < 0.02 and abs(out.std() - 1) < 0.02


def test_attention_dropout() -> None:
    q = jax.numpy.asarray(draw(2, 3, 60, 4))
    eye = jax.numpy.broadcast_to(jax.numpy.eye(60), (2, 3, 60, 60))
    plain = np.asarray(H.scaled_dot_product_attention(q, q, eye))
    out = np.asarray(H.scaled_dot_product_attention_dropout(q, q, eye, None, 0.25, rngs=nnx.Rngs(0)))
    kept = out != 0
    assert abs(kept.mean() - 0.75) < 0.02
    assert np.allclose(out[kept], plain[kept] / 0.75, rtol=1e-4)
    same = H.scaled_dot_product_attention_dropout(q, q, eye, None, 0.0, rngs=nnx.Rngs(0))
    assert np.allclose(same, plain)


def test_gumbel_softmax_and_rrelu() -> None:
    logits = jax.numpy.asarray(np.log(np.tile(np.array([[0.7, 0.2, 0.1]], np.float32), (4000, 1))))
    hard = H.gumbel_softmax(logits, 1.0, True, rngs=nnx.Rngs(0))
    assert np.allclose(np.asarray(hard).mean(0), [0.7, 0.2, 0.1], atol=0.03)
    assert np.allclose(np.asarray(hard).sum(-1), 1)
    slope = -np.asarray(H.rrelu(-jax.numpy.ones((50, 50)), 0.1, 0.4, True, rngs=nnx.Rngs(0)))
    assert slope.min() >= 0.1 and slope.max() <= 0.4 and abs(slope.mean() - 0.25) < 0.01


# ---- initialisers ----------------------------------------------------------------------------------------------------------------

INIT = SimpleNamespace(**_init_helpers())
LAYOUTS = {"kernel": (-1, -2), "own": (0, 1)}


def as_param(shape: tuple[int, ...], layout: str) -> Any:
    """A parameter for torch's weight of this shape, in Flax's layout or torch's own."""
    order = shape if layout == "own" else (*shape[2:], shape[1], shape[0])
    return nnx.Param(jax.numpy.ones(order))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(60, 90), (40, 30, 3, 3)])
@pytest.mark.parametrize(
    ("name", "kwargs"),
    [("xavier_uniform_", {"gain": 0.7}), ("xavier_normal_", {}), ("kaiming_uniform_", {"a": math.sqrt(5)}), ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "relu"}),
     ("kaiming_normal_", {}), ("kaiming_uniform_", {"mode": "fan_out", "nonlinearity": "tanh"}), ("orthogonal_", {"gain": 2}), ("uniform_", {"a": -0.3, "b": 0.1}), ("normal_", {"mean": 1.0, "std": 0.2}), ("trunc_normal_", {"std": 0.5, "a": -0.3, "b": 0.6})],
)  # fmt: skip
def test_initialisers(name: str, kwargs: dict[str, Any], shape: tuple[int, ...], layout: str) -> None:
    """Mean, spread and range of the draws are torch's."""
    param = as_param(shape, layout)
    axes = {"axes": LAYOUTS[layout]} if name.startswith(("xavier", "kaiming", "orthogonal")) else {}
    result = getattr(INIT, name)(param, **kwargs, **axes, rngs=nnx.Rngs(0))
    assert result is param
    expected = getattr(torch.nn.init, name)(torch.empty(shape), **kwargs).numpy()
    got = np.asarray(param[...])
    assert (
        abs(got.std() / expected.std() - 1) < 0.05 and abs(got.mean() - expected.mean()) < 0.05 * expected.std() + 0.01
    )
    assert abs(got.max() - expected.max()) < 0.5 * expected.std() or name in (
        "normal_",
        "xavier_normal_",
        "kaiming_normal_",
        "orthogonal_",
    )
    if name == "orthogonal_":
        rows = (got if layout == "own" else np.moveaxis(got, (-1, -2), (0, 1))).reshape(shape[0], -1)
        assert np.allclose(rows @ rows.T, 4 * np.eye(len(rows)), atol=1e-3)


@pytest.mark.parametrize(("shape", "groups"), [((4, 4, 3, 3), 1), ((6, 2, 3), 2), ((3, 5, 3, 4, 5), 1)])
def test_fills_without_draws(shape: tuple[int, ...], groups: int) -> None:
    for layout, axes in LAYOUTS.items():
        param = as_param(shape, layout)
        INIT.dirac_(param, groups, axes=axes)
        got = np.asarray(param[...] if layout == "own" else np.moveaxis(np.asarray(param[...]), (-1, -2), (0, 1)))
        assert np.array_equal(got, torch.nn.init.dirac_(torch.empty(shape), groups).numpy())
    param = as_param((3, 5), "own")
    assert (
        np.array_equal(INIT.constant_(param, 0.5)[...], np.full((3, 5), 0.5))
        and not np.asarray(INIT.zeros_(param)[...]).any()
    )
    assert np.asarray(INIT.ones_(param)[...]).all() and np.array_equal(INIT.eye_(param)[...], np.eye(3, 5))
    assert isinstance(INIT.zeros_(jax.numpy.ones(3)), jax.Array)


def test_sparse_and_gains() -> None:
    for layout, axes in LAYOUTS.items():
        param = as_param((50, 20), layout)
        INIT.sparse_(param, 0.1, axes=axes, rngs=nnx.Rngs(0))
        zeros = (np.asarray(param[...]) == 0).sum(0 if layout == "own" else 1)
        assert np.array_equal(zeros, np.full(20, 5))
    for name in ("linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
        assert INIT.calculate_gain(name) == pytest.approx(torch.nn.init.calculate_gain(name))
    assert INIT.calculate_gain("leaky_relu", 0.3) == pytest.approx(torch.nn.init.calculate_gain("leaky_relu", 0.3))
    weight = jax.numpy.ones((6, 4, 3, 3))
    assert (
        INIT.calculate_fans(weight) == torch.nn.init._calculate_fan_in_and_fan_out(torch.ones(6, 4, 3, 3)) == (36, 54)
    )
    assert INIT.calculate_fan(weight, "fan_out") == 54
    with pytest.raises(ValueError, match="fan in"):
        INIT.xavier_uniform_(nnx.Param(jax.numpy.ones(3)), rngs=nnx.Rngs(0))


# ---- checkpointing, sequences ----------------------------------------------------------------------------------------------------


def test_checkpoint_changes_no_number() -> None:
    class Block(nnx.Module):  # type: ignore[misc, name-defined]
        def __init__(self, rngs: Any) -> None:
            self.linear = nnx.Linear(3, 3, rngs=rngs)
            self.norm = nnx.BatchNorm(3, rngs=rngs)
            self.dropout = nnx.Dropout(0.5, rngs=rngs)

        def __call__(self, x: Any, flag: bool = True) -> Any:
            return self.twice(x) if flag else x

        def twice(self, x: Any) -> Any:
            return self.dropout(jax.numpy.tanh(self.norm(self.linear(x)))) * 2

    x = jax.numpy.asarray(draw(4, 3))
    results = []
    for run in (
        lambda b: b(x),
        lambda b: H.checkpoint(b, x),
        lambda b: H.checkpoint(b.twice, x),
        lambda b: H.checkpoint(b, x, True),
    ):
        block = Block(nnx.Rngs(0))
        value, grads = nnx.value_and_grad(lambda b: run(b).sum())(block)  # type: ignore[no-untyped-call]  # noqa: B023
        results.append([value, *jax.tree.leaves(grads), block.norm.mean[...]])
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert np.allclose(a, b, atol=1e-5)
    block = Block(nnx.Rngs(0))
    block.eval()
    assert np.allclose(H.checkpoint_sequential(nnx.Sequential(block, block), 2, x), block(block(x)))
    assert np.allclose(H.checkpoint(lambda a, b: a + b, x, 2), x + 2)


def test_unpad_sequence() -> None:
    batch, lengths = draw(2, 4, 3), np.array([4, 2])
    for first in (False, True):
        given = batch if first else batch.swapaxes(0, 1).copy()
        expected = torch.nn.utils.rnn.unpad_sequence(torch.tensor(given), torch.tensor(lengths), first)
        for one, other in zip(H.unpad_sequence(jax.numpy.asarray(given), lengths, first), expected, strict=True):
            assert np.array_equal(one, other.numpy())


# ---- spellings: the whole way of a row from text to text ---------------------------------------------------------------------------

ARRAYS: dict[str, np.ndarray] = {
    "x": draw(2, 3, 4), "y": draw(2, 3, 4, seed=1), "image": draw(2, 4, 6, 5), "signal": draw(2, 4, 11), "w2": draw(6, 4, 3, 3), "w1": draw(6, 4, 3), "b6": draw(6), "m": draw(3, 3) + 2 * np.eye(3, dtype=np.float32),
    "sym": POSITIVE[0], "labels": whole(3, high=4), "logits": draw(3, 4), "table": draw(7, 5), "idx": whole(2, 3, high=7), "w4": draw(4), "v3": draw(3), "rhs": draw(3, 2), "z": (draw(2, 8) + 1j * draw(2, 8, seed=1)).astype(np.complex64),
}  # fmt: skip
PLAIN = {"k": 2, "flag": False, "name": "tanh", "size": (3, 7), "dtype": None}

SPELLINGS = """
    F.relu(x); F.relu(x, inplace=False); torch.relu(x); x.relu(); F.relu6(x * 4); F.leaky_relu(x); F.leaky_relu(x, 0.2); F.leaky_relu(x, negative_slope=0.1, inplace=False)
    F.elu(x); F.elu(x, 0.5); F.celu(x, alpha=2.0); torch.celu(x); F.selu(x); torch.selu(x); F.gelu(x); F.gelu(x, approximate='tanh'); F.gelu(x, approximate=name); F.silu(x); F.mish(x); F.softplus(x); F.softplus(x, beta=2)
    F.softplus(x, 1, 20); F.logsigmoid(x); F.sigmoid(x); torch.sigmoid(x); x.sigmoid(); torch.special.expit(x); F.tanh(x); torch.tanh(x); x.tanh(); F.hardtanh(x); F.hardtanh(x, -0.5, 0.3); F.hardsigmoid(x * 4); F.hardswish(x * 4)
    F.hardshrink(x); F.softshrink(x, 0.2); F.tanhshrink(x); F.softsign(x); F.threshold(x, 0.1, -3.0); F.prelu(x, v3); F.glu(x); F.glu(x, dim=2); F.rrelu(x)
    F.softmax(x, dim=-1); F.softmax(x, 1); torch.softmax(x, dim=1); x.softmax(dim=-1); x.softmax(-1); F.softmax(x, -1, dtype=torch.float32); F.softmax(x, dim=-1, dtype=dtype); F.softmax(x); F.softmax(image); F.log_softmax(x, dim=-1)
    x.log_softmax(-1); torch.log_softmax(x, 1); F.log_softmax(x); F.softmin(x, dim=1); F.log_softmax(x, -1, dtype=torch.float32)
    F.conv2d(image, w2); F.conv2d(image, w2, b6, stride=2, padding=1); F.conv2d(image, weight=w2, bias=None, padding='same'); torch.conv2d(image, w2, b6); F.conv1d(signal, w1, b6, padding=k); F.conv_transpose2d(image, w2.transpose(0, 1), stride=2)
    F.unfold(image, kernel_size=3, padding=1); F.unfold(image, (2, 2), stride=2); F.fold(F.unfold(image, 3), (6, 5), 3)
    F.max_pool2d(image, 2); F.max_pool2d(image, kernel_size=3, stride=2, padding=1); F.max_pool2d(image, (2, 3), ceil_mode=True); F.max_pool2d(image, 2, return_indices=False); F.max_pool2d(image, 2, 2, return_indices=True)
    F.max_pool1d(signal, 3); F.avg_pool2d(image, 2); F.avg_pool2d(image, 3, 1, padding=1, count_include_pad=False); F.avg_pool1d(signal, k); F.adaptive_avg_pool2d(image, 1); F.adaptive_avg_pool2d(image, (1, 1)); F.adaptive_avg_pool2d(image, output_size=(2, 3))
    F.adaptive_avg_pool2d(image, k); F.adaptive_avg_pool1d(signal, 1); F.adaptive_max_pool2d(image, (2, 2)); F.adaptive_max_pool2d(image, 2, return_indices=True); F.lp_pool2d(image, 2, 2)
    F.layer_norm(x, (4,)); F.layer_norm(x, x.shape[-1:], w4, w4, 1e-6); F.layer_norm(x, [4], weight=w4); F.group_norm(image, 2); F.group_norm(image, 2, w4, w4, eps=1e-3); F.instance_norm(image); F.instance_norm(image, weight=w4, bias=w4)
    F.batch_norm(image, w4, w4 * w4 + 1); F.batch_norm(image, w4, w4 * w4 + 1, w4, w4, False, 0.1, 1e-3); F.batch_norm(image, None, None, training=True); F.rms_norm(x, (4,)); F.rms_norm(x, (4,), w4, 1e-6); F.local_response_norm(image, 2)
    F.normalize(x); F.normalize(x, dim=-1); F.normalize(x, p=2, dim=-1); F.normalize(x, 1.0, -1); F.linear(x, logits); F.linear(x, logits, v3); F.linear(x, logits, bias=None); F.bilinear(v3[None], v3[None], x.reshape(2, 3, 4)[:, :, :3])
    F.one_hot(idx, 7); F.one_hot(idx, num_classes=9); F.one_hot(labels, 4).float(); F.one_hot(labels, k + 2);  F.embedding(idx, table); F.embedding(idx, table, padding_idx=2); F.embedding_bag(idx, table, mode='sum'); F.cosine_similarity(x, y, dim=-1); torch.cosine_similarity(x, y)
    F.pairwise_distance(logits, logits * 2); F.dropout(x, 0.5, False); F.dropout(x, p=0.5, training=False); F.dropout(x, 0.3, training=flag); F.dropout(x, 0.3, flag, inplace=False); F.dropout2d(image, training=flag); F.alpha_dropout(x, 0.2)
    F.scaled_dot_product_attention(x, y, y); F.scaled_dot_product_attention(x, y, y, dropout_p=0.0, is_causal=True); F.scaled_dot_product_attention(x, y, y, attn_mask=None, dropout_p=0.0 if not flag else 0.5); F.scaled_dot_product_attention(x, y, y, None, 0.0)
    F.scaled_dot_product_attention(query=x, key=y, value=y, scale=0.3); F.multi_head_attention_forward(x, y, y, 4, 2, torch.cat([sym, sym, sym]), None, None, None, False, 0.0, sym, w4, need_weights=False)[0]
    F.multi_head_attention_forward(x, y, y, 4, 2, torch.cat([sym, sym, sym]), None, None, None, False, 0.5, sym, w4, training=flag, key_padding_mask=None)
    F.mse_loss(x, y); F.mse_loss(x, y, reduction='none'); F.l1_loss(x, target=y, reduction='sum'); F.smooth_l1_loss(x, y); F.smooth_l1_loss(x, y, beta=0.5); F.huber_loss(x, y, delta=0.5); F.cross_entropy(logits, labels); F.cross_entropy(logits, labels, label_smoothing=0.1)
    F.cross_entropy(logits, labels, ignore_index=1, reduction='sum'); F.cross_entropy(logits, labels, None, None, -100); F.nll_loss(F.log_softmax(logits, 1), labels); F.binary_cross_entropy(torch.sigmoid(x), torch.sigmoid(y)); F.kl_div(x, torch.sigmoid(y), reduction='batchmean')
    F.binary_cross_entropy_with_logits(x, torch.sigmoid(y)); F.binary_cross_entropy_with_logits(x, torch.sigmoid(y), pos_weight=w4); F.gaussian_nll_loss(x, y, torch.sigmoid(y)); F.triplet_margin_loss(x, y, x * y); F.cosine_embedding_loss(logits, logits * 2, torch.ones(3))
    F.pad(x, (1, 2)); F.pad(image, [1, 1, 2, 0], 'reflect'); F.pad(image, pad=(1, 1, 1, 1), mode='replicate'); F.pad(x, (0, 1), value=2.0); F.pad(x, (0, 1), 'constant', 1); F.interpolate(image, scale_factor=2); F.interpolate(image, (3, 7), mode='bilinear', align_corners=False)
    F.interpolate(image, size=size, mode='bicubic', align_corners=True); F.interpolate(image, size=image.shape[2:], mode='bilinear'); F.interpolate(image, scale_factor=2, mode='nearest'); F.upsample(image, scale_factor=2, mode='bilinear'); F.interpolate(signal, k * 11, mode='linear')
    F.interpolate(image, 4, mode='area'); F.pixel_shuffle(image, 2); torch.pixel_shuffle(image, upscale_factor=2); F.pixel_unshuffle(image[:, :, :, :4], 2); F.channel_shuffle(image, 2); torch.pixel_unshuffle(image[:, :, :, :4], 2); F.affine_grid(x[:, :2, :3], (2, 1, 3, 4), align_corners=False)
    F.grid_sample(image, F.affine_grid(x[:, :2, :3], (2, 4, 3, 4), align_corners=True), mode='bilinear', padding_mode='border', align_corners=True)
    torch.linalg.vector_norm(x, dim=-1); torch.linalg.vector_norm(x, 1, -1, True); torch.linalg.norm(x, dim=-1); torch.linalg.norm(m); torch.linalg.matrix_norm(x); torch.linalg.det(m); torch.det(m); m.det(); torch.linalg.slogdet(sym); torch.slogdet(sym)[1]; torch.logdet(sym)
    torch.linalg.inv(m); torch.inverse(m); m.inverse(); torch.linalg.pinv(rhs); torch.pinverse(rhs); torch.linalg.cholesky(sym); torch.linalg.cholesky(sym, upper=True); torch.cholesky(sym); torch.abs(torch.linalg.qr(m)[1]); torch.abs(torch.linalg.qr(rhs, mode='reduced')[1])
    torch.linalg.svd(rhs)[1]; torch.linalg.svd(rhs, full_matrices=False).S; torch.svd(rhs)[1]; torch.linalg.svdvals(rhs); torch.linalg.eigh(sym)[0]; torch.linalg.eigh(sym).eigenvalues; torch.linalg.eigvalsh(sym); torch.linalg.solve(m, rhs); torch.linalg.solve_triangular(m, rhs, upper=True)
    torch.linalg.matrix_power(m, 3); torch.matrix_power(m, -1); torch.linalg.matrix_exp(m); torch.matrix_exp(m); torch.linalg.matrix_rank(m); torch.linalg.multi_dot([m, m, rhs]); torch.linalg.cond(m); torch.linalg.cross(m, m.t()); torch.linalg.vecdot(x, y)
    torch.linalg.lu(m)[2]; torch.linalg.lstsq(m, rhs).solution; torch.linalg.lstsq(m, b=rhs)[0]; torch.nanmedian(x, dim=-1).values; x.nanmedian(1, keepdim=True)[0]; torch.linalg.tensorinv(x.reshape(2, 3, 4)[:, :, 0].reshape(6)[:4].reshape(2, 2), ind=1)
    torch.fft.fft(x); torch.fft.fft(x, n=6, dim=1, norm='ortho'); torch.fft.ifft(z); torch.fft.rfft(x, dim=1); torch.fft.irfft(z, n=14); torch.fft.irfft(z); torch.fft.fft2(x); torch.fft.ifft2(z); torch.fft.rfft2(x, norm='ortho'); torch.fft.irfft2(z, s=(2, 14)); torch.fft.fftn(x)
    torch.fft.fftn(x, dim=(0, 1)); torch.fft.ifftn(z); torch.fft.rfftn(x); torch.fft.irfftn(z, s=(2, 14)); torch.fft.hfft(z); torch.fft.ihfft(x); torch.fft.fftfreq(8); torch.fft.fftfreq(5, 0.1); torch.fft.rfftfreq(8, d=0.5); torch.fft.fftshift(x, dim=-1); torch.fft.ifftshift(x)
    torch.jit.is_scripting(); torch.jit.annotate(int, 3); torch.onnx.is_in_onnx_export()
"""
REFUSED = {
    "F.fractional_max_pool2d(image, 2, 3)": "at random", "F.instance_norm(image, w4, w4)": "in place", "F.embedding(idx, table, max_norm=1.0)": "max_norm",
    "torch.linalg.lu_factor(m, pivot=False)": "without pivoting", "torch.autocast('cuda')": "autocast", "torch.nn.utils.clip_grad_norm_(x, 1.0)": "whose parameters", "torch.svd(m, compute_uv=False)": "svdvals", "torch.hub.load('a', 'b')": "torch.hub", "torch.special.bessel_j0(x)": "bessel_j0",
    "F.scaled_dot_product_attention(x, y, y, None, 0.0, wrong=1)": "wrong", "torch.linalg.pinv(m, atol=0.1)": "atol", "torch.stft(w4, 4, return_complex=False)": "",
}  # fmt: skip


LINES = [one.strip() for line in SPELLINGS.strip().splitlines() for one in line.split(";")]


def module_of(lines: list[str]) -> str:
    """A module with one function for each expression."""
    text = ["import torch", "import torch.nn as nn", "import torch.nn.functional as F"]
    for number, line in enumerate(lines):
        names = [name for name in {**ARRAYS, **PLAIN} if re.search(rf"\b{name}\b", line)]
        typed = ", ".join(
            f"{name}: torch.Tensor"
            if name in ARRAYS
            else f"{name}: {type(PLAIN[name]).__name__}"
            if PLAIN[name] is not None
            else name
            for name in names
        )
        text += ["", "", f"def case_{number}({typed}):", f"    return {line}"]
    return "\n".join(text) + "\n"


CONVERTED = convert(module_of(LINES))
FUNCTIONS: dict[str, Any] = {"__name__": "converted"}
exec(compile(CONVERTED.code, "<converted>", "exec"), FUNCTIONS)
TEXTS = {node.name: ast.unparse(node) for node in ast.parse(CONVERTED.code).body if isinstance(node, ast.FunctionDef)}


def test_spellings_convert() -> None:
    assert [str(one) for one in CONVERTED.diagnostics] == []
    assert "torch" not in "".join(text for name, text in TEXTS.items() if name.startswith("case_"))


@pytest.mark.parametrize("number", range(len(LINES)), ids=LINES)
def test_spelling(number: int) -> None:
    source, target = LINES[number], TEXTS[f"case_{number}"]
    function = FUNCTIONS[f"case_{number}"]
    names = list(inspect.signature(function).parameters)
    drawn = {"rngs": nnx.Rngs(0)} if "rngs" in names else {}
    plain = {name: PLAIN[name] for name in names if name in PLAIN}
    arrays = {name: ARRAYS[name] for name in names if name in ARRAYS}
    ours = lambda **given: function(**given, **plain, **drawn)  # noqa: E731
    theirs: Any = lambda **given: eval(source, {"torch": torch, "F": F, **PLAIN, **given})  # noqa: E731
    if not arrays:
        a, b = function(**plain, **drawn), theirs()
        assert a == b if not isinstance(b, torch.Tensor) else np.allclose(a, b.numpy())
        return
    # The gradients of helpers are checked above; those of plain calls here, where torch has them.
    direct = "jax.nn." in target or "jnp.linalg" in target or "jnp.clip" in target or "@" in target
    check(
        ours,
        theirs,
        (),
        arrays,
        None if direct and not any(word in source for word in NO_GRADIENT) else (),
        tolerance=1e-4,
    )


NO_GRADIENT = ("one_hot", "matrix_rank", "cond(", "linalg.qr", "linalg.lu", "pos_weight")


def test_refused() -> None:
    found = convert(module_of(list(REFUSED)))
    messages = {
        (one.line - 7) // 4: f"{one.message} {one.hint}" for one in found.diagnostics if one.severity == "error"
    }
    for number, (source, reason) in enumerate(REFUSED.items()):
        assert reason in messages.get(number, "nothing"), f"{source}: {messages.get(number)}"


# ---- in place --------------------------------------------------------------------------------------------------------------------

IN_PLACE = """
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.act = nn.ReLU(inplace=True)
        self.w = nn.Parameter(torch.empty(2, 3))
        nn.init.constant_(self.w.data, 2.0)
        v = torch.empty(3)
        nn.init.ones_(v)
        self.v = nn.Parameter(v)

    def forward(self, x):
        a, b, c = x - 1, x - 2, x - 3
        F.relu(a, inplace=True)
        F.relu_(b)
        self.act(c)
        F.dropout(c, 0.5, False, inplace=True)
        return a, b, c, self.w * 1, self.v * 1
"""


def test_calls_that_change_their_argument() -> None:
    """A result that nobody takes is stored where the source has changed the argument."""
    result = convert(IN_PLACE)
    assert [str(one) for one in result.diagnostics] == []
    ours: dict[str, Any] = {"__name__": "ours"}
    theirs: dict[str, Any] = {"__name__": "theirs"}
    exec(compile(result.code, "<ours>", "exec"), ours)
    exec(compile(IN_PLACE, "<theirs>", "exec"), theirs)
    x = draw(2, 3) * 3
    for one, other in zip(
        ours["Net"](rngs=nnx.Rngs(0))(jax.numpy.asarray(x)), theirs["Net"]()(torch.tensor(x)), strict=True
    ):
        close(one, other.detach(), "value", 1e-6)

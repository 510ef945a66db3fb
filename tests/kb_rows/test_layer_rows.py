"""The layer helpers compute what torch's layers compute, with weights moved by the rows' `weights` rules."""

from __future__ import annotations

import re
import zlib
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
jax = pytest.importorskip("jax")
pytest.importorskip("flax")

import optax  # noqa: E402
from flax import nnx  # noqa: E402

from ml_switcheroo import kb  # noqa: E402

SNAPSHOTS = Path(__file__).resolve().parents[2] / "snapshots"
KB = kb.load("torch", "flax_nnx")


def _helpers() -> dict[str, Any]:
    """All helpers in one namespace, as they find each other in an output."""
    names: dict[str, Any] = {}
    for path in sorted(SNAPSHOTS.glob("jax/helpers/*.py")) + sorted(SNAPSHOTS.glob("flax_nnx/helpers/*.py")):
        code = compile(path.read_text(encoding="utf-8"), str(path), "exec", flags=annotations.compiler_flag)
        exec(code, names)
    return names


NAMES = _helpers()
H = SimpleNamespace(**NAMES)


# --- moving weights: a small reading of the `weights` rules, which the migration script has to agree with


def move(array: np.ndarray, layout: str | None) -> np.ndarray:
    """`OIHW->HWIO`: the axes in their new order."""
    if not layout:
        return array
    old, new = layout.split("->")
    turned: np.ndarray = array.transpose([old.index(letter) for letter in new])
    return turned


def moved(op: str, state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A torch state under the target's paths."""
    row = KB.write(op)
    assert row is not None
    rules: dict[str, Any] = dict(row.weights)
    result: dict[str, np.ndarray] = {}
    for name, array in state.items():
        match = next(((m, rule) for key, rule in rules.items() if (m := re.fullmatch(key, name))), None)
        assert match is not None, f"{op}: no rule for {name}"
        found, rule = match
        if isinstance(rule, str):
            path, _, layout = rule.partition(" ")
            result[found.expand(path)] = move(array, layout)
        elif "split" in rule:
            parts = np.split(array, len(rule["split"]), rule["axis"])
            for path, part in zip(rule["split"], parts, strict=True):
                result[found.expand(path)] = move(part, rule.get("layout"))
        else:
            assert "drop" in rule
    return result


def flat(state: Any) -> dict[str, Any]:
    return {".".join(map(str, path)): variable for path, variable in nnx.to_flat_state(state)}


def fill(layer: Any, values: dict[str, np.ndarray]) -> None:
    """Puts moved weights into a target layer; every place must be filled, and nothing may be left over."""
    places = flat(nnx.state(layer, nnx.Not(nnx.RngState)))
    assert set(places) == set(values)
    for path, variable in places.items():
        assert variable.shape == values[path].shape, path
        variable.set_value(jax.numpy.asarray(values[path]))


# --- comparing


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(zlib.crc32(repr((shape, seed)).encode()))
    return rng.normal(size=shape).astype(np.float32)


def whole(*shape: int, high: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(zlib.crc32(repr((shape, high, seed)).encode())).integers(0, high, size=shape)


def tensors(result: Any) -> list[Any]:
    if isinstance(result, (tuple, list)):
        return [part for one in result for part in tensors(one)]
    return [] if result is None else [result]


def close(ours: Any, theirs: Any, what: str, tolerance: float = 1e-5) -> None:
    a, b = np.asarray(ours), np.asarray(theirs)
    assert a.shape == b.shape, f"{what}: shape {a.shape}, but should be {b.shape}"
    scale = max(1.0, float(np.abs(b).max(initial=0)))
    error = float(np.abs(a.astype(np.float64) - b).max(initial=0)) / scale
    assert error <= tolerance, f"{what}: off by {error:.2e}"


def disturb(layer: Any) -> None:
    """Random weights and statistics instead of the constants that many layers start with."""
    generator = torch.Generator().manual_seed(1)
    for name, tensor in layer.state_dict().items():
        if tensor.is_floating_point():
            noise = torch.rand(tensor.shape, generator=generator)
            tensor.copy_(0.5 + noise if name.endswith("running_var") else tensor + 0.3 * (noise - 0.5))


def lift(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(lift(one) for one in value)
    return jax.numpy.asarray(value) if isinstance(value, np.ndarray) else value


def lower(value: Any, leaf: bool) -> Any:
    if isinstance(value, tuple):
        return tuple(lower(one, leaf) for one in value)
    if not isinstance(value, np.ndarray):
        return value
    tensor = torch.tensor(value)
    return tensor.requires_grad_() if leaf and tensor.is_floating_point() else tensor


def compare(
    op: str, theirs: Any, ours: Any, inputs: tuple[Any, ...], call: dict[str, Any], tolerance: float = 1e-5
) -> None:
    """Outputs in evaluation, outputs, statistics and gradients in training."""
    disturb(theirs)
    fill(ours, moved(op, {k: v.numpy() for k, v in theirs.state_dict().items()}))
    run = nnx.jit(lambda layer, *values: layer(*values, **lift_all(call)))
    theirs.eval()
    ours.eval()
    with torch.no_grad():
        wanted = tensors(theirs(*(lower(v, False) for v in inputs), **{k: lower(v, False) for k, v in call.items()}))
    got = tensors(run(ours, *map(lift, inputs)))
    assert len(got) == len(wanted)
    for one, other in zip(got, wanted, strict=True):
        close(one, other, "evaluation", tolerance)

    theirs.train()
    ours.train()
    leaves = [lower(v, True) for v in inputs]
    wanted = tensors(theirs(*leaves, **{k: lower(v, False) for k, v in call.items()}))
    mixers = [draw(*one.shape, seed=7) for one in wanted]
    pairs = [(one, m) for one, m in zip(wanted, mixers, strict=True) if one.is_floating_point() and one.requires_grad]
    if pairs:
        sum((one * torch.tensor(m)).sum() for one, m in pairs).backward()
    floats = [i for i, v in enumerate(inputs) if isinstance(v, np.ndarray) and v.dtype == np.float32]

    def loss(layer: Any, given: list[Any]) -> tuple[Any, Any]:
        values = [lift(v) for v in inputs]
        for place, value in zip(floats, given, strict=True):
            values[place] = value
        result = tensors(layer(*values, **lift_all(call)))
        total = sum(
            (o * m).sum()
            for o, m in zip(result, mixers, strict=True)
            if jax.numpy.issubdtype(o.dtype, jax.numpy.floating)
        )
        return total, result

    (gradients, input_gradients), got = nnx.jit(nnx.grad(loss, argnums=(0, 1), has_aux=True))(
        ours, [lift(inputs[i]) for i in floats]
    )
    for one, other in zip(got, wanted, strict=True):
        close(one, other.detach(), "training", tolerance)
    if not pairs:
        return
    for place, gradient in zip(floats, input_gradients, strict=True):
        if leaves[place].grad is not None:
            close(gradient, leaves[place].grad, f"gradient of input {place}", 10 * tolerance)
    named = {k: (torch.zeros_like(p) if p.grad is None else p.grad).numpy() for k, p in theirs.named_parameters()}
    wanted_gradients = moved(op, named)
    for path, gradient in flat(gradients).items():
        close(gradient.get_value(), wanted_gradients[path], f"gradient of {path}", 10 * tolerance)
    statistics = moved(op, {k: v.numpy() for k, v in theirs.state_dict().items()})
    for path, variable in flat(nnx.state(ours, nnx.Not(nnx.RngState))).items():
        close(variable.get_value(), statistics[path], f"{path} after training", tolerance)


def lift_all(call: dict[str, Any]) -> dict[str, Any]:
    return {k: lift(v) for k, v in call.items()}


def case(
    op: str,
    *args: Any,
    x: Any,
    call: dict[str, Any] | None = None,
    native: str | None = None,
    tolerance: float = 1e-5,
    **kwargs: Any,
) -> Any:
    """One layer: constructor arguments, input(s) `x`, arguments of its call, and what the row writes in its place."""
    shown = ",".join(
        [*(str(a) for a in args), *(f"{k}={v}" for k, v in kwargs.items() if not isinstance(v, np.ndarray))]
    )
    inputs = x if isinstance(x, tuple) else (x,)
    return pytest.param(
        op,
        args,
        kwargs,
        inputs,
        call or {},
        native,
        tolerance,
        id=f"{op}({shown}){'native' if native else ''}".replace(" ", ""),
    )


I1, I2, I3 = draw(3, 4, 11), draw(3, 4, 9, 8), draw(2, 4, 6, 5, 7)
CASES = [
    # convolutions
    case("Conv1d", 4, 6, 3, x=I1),
    case("Conv1d", 4, 6, 3, 2, 1, x=I1[0]),
    case("Conv1d", 4, 8, 4, padding="same", dilation=2, groups=2, bias=False, x=I1),
    case("Conv2d", 4, 6, 3, x=I2),
    case("Conv2d", 4, 6, (3, 2), (2, 1), (1, 0), (1, 2), x=I2),
    case("Conv2d", 4, 8, 3, 2, 1, 1, 4, False, x=I2),
    case("Conv2d", 4, 6, 4, padding="same", x=I2),
    case("Conv2d", 4, 6, 3, padding="valid", x=I2[0]),
    case("Conv2d", 4, 6, 3, padding=(2, 1), padding_mode="reflect", x=I2),
    case("Conv2d", 4, 6, 3, padding=1, padding_mode="replicate", x=I2),
    case("Conv2d", 4, 6, 3, padding="same", padding_mode="circular", x=I2),
    # XLA 0.10.2 for CPU aborts on the input gradient of a strided 3-D convolution with a kernel of 2: not used here
    case("Conv3d", 4, 6, (2, 3, 3), 1, (1, 0, 1), x=I3),
    case("Conv3d", 4, 6, 3, 2, 1, x=I3),
    case("Conv3d", 4, 4, 3, groups=4, bias=False, x=I3[0]),
    case("ConvTranspose1d", 4, 6, 3, 2, 1, 1, x=I1),
    case("ConvTranspose1d", 4, 6, 3, 2, x=I1, call={"output_size": (24,)}),
    case("ConvTranspose2d", 4, 6, 4, 2, 1, x=I2),
    case("ConvTranspose2d", 4, 6, (3, 2), (2, 3), (1, 0), (1, 2), 2, False, (1, 2), x=I2),
    case("ConvTranspose2d", 4, 8, 2, 2, groups=4, x=I2[0]),
    case("ConvTranspose3d", 4, 6, 3, 2, 1, 1, x=I3),
    # pooling
    case("MaxPool1d", 3, x=I1),
    case("MaxPool2d", 3, 2, 1, x=I2),
    case("MaxPool2d", (3, 2), stride=(2, 2), ceil_mode=True, x=I2[0]),
    case("MaxPool2d", 2, dilation=2, x=I2),
    case("MaxPool3d", 2, x=I3),
    case("AvgPool1d", 3, 2, x=I1),
    case("AvgPool2d", 3, 2, 1, True, False, x=I2),
    case("AvgPool2d", 2, divisor_override=3, x=I2),
    case("AvgPool3d", 2, x=I3),
    case("LPPool1d", 2, 3, x=np.abs(I1)),
    case("LPPool2d", 2, 3, 2, x=np.abs(I2)),
    case("AdaptiveAvgPool1d", 5, x=I1),
    case("AdaptiveAvgPool2d", 1, x=I2),
    case("AdaptiveAvgPool2d", (1, 1), x=I2, native="partial(jnp.mean, axis=(-2, -1), keepdims=True)"),
    case("AdaptiveAvgPool2d", (None, 3), x=I2),
    case("AdaptiveAvgPool3d", (2, 3, 4), x=I3),
    case("AdaptiveMaxPool1d", 4, x=I1),
    case("AdaptiveMaxPool2d", 3, x=I2),
    case("AdaptiveMaxPool3d", 2, x=I3),
    # normalisation
    case("BatchNorm1d", 4, x=draw(6, 4)),
    case("BatchNorm1d", 4, 1e-3, 0.3, x=I1),
    case("BatchNorm2d", 4, x=I2),
    case("BatchNorm2d", 4, momentum=0.01, affine=False, x=I2 + 30, tolerance=3e-5),
    case("BatchNorm2d", 4, track_running_stats=False, x=I2),
    case("BatchNorm3d", 4, x=I3),
    case("GroupNorm", 2, 4, x=I2),
    case("GroupNorm", 4, 4, 1e-3, False, x=I1),
    case("GroupNorm", 1, 4, x=draw(5, 4)),
    case("InstanceNorm1d", 4, x=I1),
    case("InstanceNorm2d", 4, affine=True, x=I2),
    case("InstanceNorm2d", 4, affine=True, track_running_stats=True, x=I2),
    case("InstanceNorm2d", 4, x=I2[0]),
    case("InstanceNorm3d", 4, x=I3),
    case("LayerNorm", 8, x=I2),
    case("LayerNorm", (9, 8), x=I2),
    case("LayerNorm", (4, 9, 8), elementwise_affine=False, x=I2),
    case("LayerNorm", (9, 8), bias=False, x=I2),
    case(
        "LayerNorm",
        8,
        x=I2 + 100,
        native="nnx.LayerNorm(8, epsilon=1e-05, use_fast_variance=False, rngs=rngs)",
        tolerance=1e-4,
    ),
    case("RMSNorm", 8, x=I2),
    case("RMSNorm", (9, 8), 1e-3, x=I2),
    case("RMSNorm", 8, 1e-6, x=I2, native="nnx.RMSNorm(8, epsilon=1e-6, rngs=rngs)"),
    case("LocalResponseNorm", 3, x=I2),
    # dense and embedding
    case("Linear", 8, 5, x=I2),
    case("Linear", 8, 5, False, x=I2),
    case("Linear", 8, 5, x=I2, native="nnx.Linear(8, 5, rngs=rngs)"),
    case("Bilinear", 8, 4, 5, x=(draw(3, 8), draw(3, 4))),
    case("Bilinear", 8, 4, 5, False, x=(draw(3, 8), draw(3, 4))),
    case("Identity", 3, unused=True, x=I2),
    case("Embedding", 10, 5, x=whole(3, 4, high=10)),
    case("Embedding", 10, 5, padding_idx=-7, x=whole(3, 4, high=10)),
    case("Embedding", 10, 5, x=whole(3, 4, high=10), native="nnx.Embed(10, 5, rngs=rngs)"),
    case("EmbeddingBag", 10, 5, x=whole(3, 4, high=10)),
    case("EmbeddingBag", 10, 5, mode="sum", padding_idx=2, x=(whole(7, high=10), np.array([0, 3, 3]))),
    case("EmbeddingBag", 10, 5, mode="max", x=whole(3, 4, high=10)),
    case("Flatten", x=I2),
    case("Flatten", 2, x=I3),
    case("Unflatten", 1, (2, 2), x=I2),
    case("Unfold", 3, padding=1, stride=2, x=I2),
    case("Fold", (9, 8), 3, padding=1, stride=2, x=draw(3, 36, 20)),
    case("CosineSimilarity", x=(I2, draw(3, 4, 9, 8, seed=1))),
    case("PairwiseDistance", x=(draw(3, 8), draw(3, 8, seed=1))),
    # activations
    *(
        case(name, x=I2)
        for name in (
            "ReLU",
            "ReLU6",
            "LeakyReLU",
            "ELU",
            "CELU",
            "SELU",
            "GELU",
            "SiLU",
            "Mish",
            "Sigmoid",
            "LogSigmoid",
            "Tanh",
        )
    ),
    *(
        case(name, x=3 * I2)
        for name in (
            "Tanhshrink",
            "Hardtanh",
            "Hardsigmoid",
            "Hardswish",
            "Hardshrink",
            "Softshrink",
            "Softplus",
            "Softsign",
        )
    ),
    *(case(name, x=I2, dim=dim) for name in ("Softmin", "Softmax", "LogSoftmax") for dim in (-1, 1)),
    case("Softmax2d", x=I2),
    case("LeakyReLU", 0.2, x=I2),
    case("LeakyReLU", 0.2, x=I2, native="partial(nnx.leaky_relu, negative_slope=0.2)"),
    case("GELU", "tanh", x=I2),
    case("GELU", x=I2, native="partial(nnx.gelu, approximate=False)"),
    case("Softplus", 2, 3, x=3 * I2),
    case("Threshold", 0.1, 5.0, x=I2),
    case("Hardtanh", -2, 0.5, x=I2),
    case("GLU", 1, x=I2),
    case("PReLU", x=I2),
    case("PReLU", 4, 0.1, x=I2),
    case("PReLU", 4, x=draw(3, 4)),
    # dropout without loss
    *(case(name, 0.0, x=I2) for name in ("Dropout", "Dropout2d", "AlphaDropout", "FeatureAlphaDropout")),
    case("Dropout1d", 0.0, x=I1),
    case("Dropout3d", 0.0, x=I3),
    # vision
    case("Upsample", scale_factor=2, x=I2),
    case("Upsample", (5, 12), mode="bilinear", align_corners=True, x=I2),
    case("Upsample", scale_factor=2, mode="bilinear", x=I2),
    case("UpsamplingNearest2d", scale_factor=2, x=I2),
    case("UpsamplingBilinear2d", scale_factor=2, x=I2),
    case("PixelShuffle", 2, x=I2),
    case("PixelUnshuffle", 2, x=draw(2, 3, 4, 6)),
    case("ChannelShuffle", 2, x=I2),
    *(
        case(f"{kind}Pad{n}d", 2, x=x)
        for kind in ("Zero", "Reflection", "Replication", "Circular")
        for n, x in ((1, I1), (2, I2), (3, I3))
    ),
    case("ReflectionPad2d", (1, 2, 0, 3), x=I2),
    case("ConstantPad1d", 2, 1.5, x=I1),
    case("ConstantPad2d", (1, 2, 0, -1), 1.5, x=I2),
    case("ConstantPad3d", 1, -2.0, x=I3),
]
C, T = draw(6, 5), whole(6, high=5)
P, Q = 1 / (1 + np.exp(-draw(6, 5, seed=3))), draw(6, 5, seed=4)
CASES += [
    *(case(name, x=(C, Q)) for name in ("L1Loss", "MSELoss", "SmoothL1Loss", "HuberLoss")),
    case("MSELoss", reduction="sum", x=(C, Q)),
    case("MSELoss", reduction="none", x=(C, Q)),
    case("NLLLoss", x=(C, T)),
    case("CrossEntropyLoss", x=(C, T)),
    case("CrossEntropyLoss", ignore_index=2, label_smoothing=0.1, x=(C, T)),
    case("BCELoss", x=(P, np.float32(P > 0.4))),
    case("BCEWithLogitsLoss", x=(C, P)),
    case("KLDivLoss", reduction="batchmean", x=(C, P)),
    case("PoissonNLLLoss", x=(C, P)),
    case("GaussianNLLLoss", x=(C, Q, P)),
    case("CosineEmbeddingLoss", 0.1, x=(C, Q, np.sign(draw(6)).astype(int))),
    case("MarginRankingLoss", 0.1, x=(C, Q, np.sign(draw(6, 5)).astype(int))),
    case("HingeEmbeddingLoss", x=(C, np.sign(draw(6, 5)).astype(int))),
    case("SoftMarginLoss", x=(C, np.sign(draw(6, 5)).astype(int))),
    case("MultiLabelSoftMarginLoss", x=(C, whole(6, 5, high=2))),
    case("MultiMarginLoss", x=(C, T)),
    case("MultiLabelMarginLoss", x=(C, np.array([[1, 3, -1, 0, 0]] * 6))),
    case("TripletMarginLoss", x=(C, Q, draw(6, 5, seed=5))),
    case("TripletMarginWithDistanceLoss", x=(C, Q, draw(6, 5, seed=5))),
]

S, B = draw(7, 3, 6), draw(3, 7, 6)  # sequences: time first, batch first
CASES += [
    *(case(name, 6, 5, x=S) for name in ("RNN", "GRU", "LSTM")),
    *(case(name, 6, 5, 2, batch_first=True, bidirectional=True, x=B) for name in ("RNN", "GRU", "LSTM")),
    case("RNN", 6, 5, 2, "relu", False, x=(S, draw(2, 3, 5))),
    case("GRU", 6, 5, 3, False, True, 0.0, x=(B, draw(3, 3, 5))),
    case("LSTM", 6, 5, 2, bidirectional=True, x=(S, (draw(4, 3, 5), draw(4, 3, 5, seed=1)))),
    case("LSTM", 6, 5, 2, x=S[:, 0]),
    case("GRU", 6, 5, bidirectional=True, x=(S[:, 0], draw(2, 5))),
    case("RNNCell", 6, 5, x=S[0]),
    case("RNNCell", 6, 5, False, "relu", x=(S[0], draw(3, 5))),
    case("GRUCell", 6, 5, x=(S[0], draw(3, 5))),
    case("LSTMCell", 6, 5, x=S[0]),
    case("LSTMCell", 6, 5, x=(S[0], (draw(3, 5), draw(3, 5, seed=1)))),
]
Q3, K3, B8 = draw(7, 3, 8), draw(5, 3, 8, seed=1), draw(3, 7, 8)  # the first two: time first
CAUSAL = np.triu(np.ones((7, 7), bool), 1)
PAD = np.array([[False] * 5, [False] * 4 + [True], [False, True, False, False, True]])
CASES += [
    case("MultiheadAttention", 8, 2, x=(Q3, K3, K3)),
    case(
        "MultiheadAttention",
        8,
        2,
        bias=False,
        batch_first=True,
        x=(K3.swapaxes(0, 1), K3.swapaxes(0, 1), K3.swapaxes(0, 1)),
    ),
    case(
        "MultiheadAttention",
        8,
        2,
        kdim=6,
        vdim=4,
        x=(Q3, draw(5, 3, 6), draw(5, 3, 4)),
        call={"average_attn_weights": False},
    ),
    case(
        "MultiheadAttention", 8, 4, x=(Q3, Q3, Q3), call={"attn_mask": CAUSAL, "need_weights": False, "is_causal": True}
    ),
    case("MultiheadAttention", 8, 4, x=(Q3, K3, K3), call={"key_padding_mask": PAD, "attn_mask": draw(12, 7, 5)}),
    case(
        "MultiheadAttention",
        8,
        4,
        x=(Q3, K3, K3),
        call={"key_padding_mask": np.where(PAD, -np.inf, 0).astype(np.float32)},
    ),
    case("MultiheadAttention", 8, 2, x=(Q3[:, 0], K3[:, 0], K3[:, 0]), call={"key_padding_mask": PAD[1]}),
    case("TransformerEncoderLayer", 8, 2, 16, 0.0, x=Q3, tolerance=3e-5),
    case(
        "TransformerEncoderLayer",
        8,
        2,
        16,
        0.0,
        "gelu",
        1e-3,
        True,
        True,
        x=B8,
        call={"src_mask": CAUSAL},
        tolerance=3e-5,
    ),
    case("TransformerEncoderLayer", 8, 2, 16, 0.0, bias=False, x=Q3, tolerance=3e-5),
    case(
        "TransformerDecoderLayer",
        8,
        2,
        16,
        0.0,
        x=(Q3, K3),
        call={"tgt_mask": CAUSAL, "memory_key_padding_mask": PAD},
        tolerance=3e-5,
    ),
    case("TransformerDecoderLayer", 8, 2, 16, 0.0, "gelu", norm_first=True, x=(Q3, K3), tolerance=3e-5),
    case(
        "Transformer",
        8,
        2,
        2,
        1,
        16,
        0.0,
        x=(K3, Q3),
        call={"tgt_mask": CAUSAL, "src_key_padding_mask": PAD},
        tolerance=5e-5,
    ),
]


@pytest.mark.parametrize(("op", "args", "kwargs", "inputs", "call", "native", "tolerance"), CASES)
def test_layer(op: str, args: Any, kwargs: Any, inputs: Any, call: Any, native: str | None, tolerance: float) -> None:
    torch.manual_seed(0)
    theirs = getattr(torch.nn, op)(*args, **kwargs)
    if native is None:
        row = KB.write(op)
        assert row is not None and row.helper is not None
        ours = NAMES[row.helper](*args, **kwargs, rngs=nnx.Rngs(0))
    else:
        ours = eval(native, {**NAMES, "partial": partial, "rngs": nnx.Rngs(0)})
    if not isinstance(ours, nnx.Module):  # an activation written as a function
        ours = H.Sequential(ours)
    compare(op, theirs, ours, inputs, call, tolerance)


def test_encoder_and_decoder_stacks() -> None:
    """The stacks take a layer and copy it; the copies draw different dropout masks."""
    rngs = nnx.Rngs(0)
    encoder = torch.nn.TransformerEncoder(
        torch.nn.TransformerEncoderLayer(8, 2, 16, 0.0), 3, torch.nn.LayerNorm(8), enable_nested_tensor=False
    )
    ours = H.TransformerEncoder(
        H.TransformerEncoderLayer(8, 2, 16, 0.0, rngs=rngs), 3, H.LayerNorm(8, rngs=rngs), rngs=rngs
    )
    compare("TransformerEncoder", encoder, ours, (Q3,), {"mask": CAUSAL}, 5e-5)
    decoder = torch.nn.TransformerDecoder(torch.nn.TransformerDecoderLayer(8, 2, 16, 0.0), 2)
    ours = H.TransformerDecoder(H.TransformerDecoderLayer(8, 2, 16, 0.0, rngs=rngs), 2, rngs=rngs)
    compare("TransformerDecoder", decoder, ours, (Q3, K3), {"tgt_mask": CAUSAL}, 5e-5)
    stack = H.TransformerEncoder(H.TransformerEncoderLayer(8, 2, 16, 0.5, rngs=rngs), 2, rngs=rngs)
    drawn = [layer.dropout1(jax.numpy.ones(64)) for layer in stack.layers]
    assert (drawn[0] != drawn[1]).any()


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_pooling_with_positions(rank: int) -> None:
    """Values and positions, and back again by unpooling."""
    x = {1: I1, 2: I2, 3: I3}[rank]
    for name, args in ((f"MaxPool{rank}d", (2, 2)), (f"AdaptiveMaxPool{rank}d", (3,))):
        values, places = getattr(torch.nn, name)(*args, return_indices=True)(torch.tensor(x))
        ours = NAMES[name + "WithIndices"](*args, return_indices=True)(x)
        close(ours[0], values, name)
        assert (np.asarray(ours[1]) == places.numpy()).all()
    values, places = getattr(torch.nn, f"MaxPool{rank}d")(2, 2, return_indices=True)(torch.tensor(x))
    back = getattr(torch.nn, f"MaxUnpool{rank}d")(2)(values, places, output_size=x.shape)
    close(NAMES[f"MaxUnpool{rank}d"](2)(values.numpy(), places.numpy(), output_size=x.shape), back, "unpooling")


def test_unpooling_several_values_to_one_position() -> None:
    """One of them is kept; the gradient of the position goes to each of them, as in torch."""
    x = torch.randn(2, 3, 7, 7)
    values, places = torch.nn.MaxPool2d(3, 2, padding=1, return_indices=True)(x)
    values = (values + torch.randn(values.shape)).requires_grad_()
    ours = jax.numpy.asarray(values.detach().numpy())
    weight = torch.randn(2, 3, 7, 7)
    back = torch.nn.functional.max_unpool2d(values, places, 3, 2, padding=1)
    (back * weight).sum().backward()
    unpool = NAMES["MaxUnpool2d"](3, 2, padding=1)
    close(unpool(ours, places.numpy()), back.detach(), "unpooling")
    gradient = jax.grad(lambda v: (unpool(v, places.numpy()) * weight.numpy()).sum())(ours)
    close(gradient, values.grad, "its gradient")


def test_layers_start_anew() -> None:
    rngs = nnx.Rngs(0)
    for layer in (
        H.Conv2d(3, 4, 3, rngs=rngs),
        nnx.Linear(3, 4, use_bias=False, rngs=rngs),
        nnx.Embed(3, 4, rngs=rngs),
    ):
        before = H.state_dict(layer)
        H.reset_parameters(layer, rngs=rngs)
        assert all((before[k] != v).any() for k, v in H.state_dict(layer).items())
    norm = H.BatchNorm2d(3, rngs=rngs)
    before = H.state_dict(norm)
    norm(jax.numpy.asarray(draw(2, 3, 4, 4)))
    norm.scale[...] += 1
    H.reset_parameters(norm, rngs=rngs)
    assert all((before[k] == v).all() for k, v in H.state_dict(norm).items())


def test_pad_sequence() -> None:
    parts = [draw(3, 2), draw(5, 2), draw(1, 2)]
    for settings in ({}, {"batch_first": True, "padding_value": 1.5}, {"padding_side": "left"}):
        wanted = torch.nn.utils.rnn.pad_sequence([torch.tensor(p) for p in parts], **settings)
        close(H.pad_sequence(parts, **settings), wanted, "pad_sequence")


def test_dropout_layers_draw() -> None:
    """Training zeroes and rescales, whole channels where the layer says so; evaluation changes nothing."""
    ones = jax.numpy.ones((8, 16, 5, 5))
    for name, spatial in (("Dropout", False), ("Dropout2d", True)):
        layer = NAMES[name](0.5, rngs=nnx.Rngs(0))
        got = np.asarray(nnx.jit(lambda m, x: m(x))(layer, ones))
        assert set(np.unique(got)) == {0.0, 2.0}
        assert spatial == all(len(np.unique(channel)) == 1 for channel in got.reshape(-1, 25))
        assert (np.asarray(layer(ones)) != got).any()
        layer.eval()
        assert (np.asarray(layer(ones)) == 1).all()
    for name in ("RReLU", "AlphaDropout"):
        layer = NAMES[name](rngs=nnx.Rngs(0))
        assert (layer(-ones) != layer(-ones)).any()
        layer.eval()
        assert (layer(-ones) == layer(-ones)).all()


# --- containers, variables and what code asks of a module


class TorchNet(torch.nn.Module):  # type: ignore[misc,name-defined]
    def __init__(self) -> None:
        super().__init__()
        from collections import OrderedDict

        nn = torch.nn
        self.stem = nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 4, 3), norm=nn.BatchNorm2d(4), act=nn.ReLU()))
        self.relu = nn.ReLU()
        self.gelu = nn.GELU()
        self.scale = nn.Parameter(torch.ones(4))
        self.blocks = nn.ModuleList([nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.LayerNorm(4))])
        self.heads = nn.ModuleDict({"a": nn.Linear(4, 2), "b": self.blocks[0]})
        self.tokens = nn.ParameterList([torch.ones(2), torch.ones(3)])
        self.register_buffer("steps", torch.zeros(2))
        self.register_buffer("grid", torch.arange(3), persistent=False)
        self.table = nn.Embedding(5, 4)


class Net(nnx.Module):  # type: ignore[misc]
    def __init__(self, *, rngs: Any) -> None:
        self.stem = H.Sequential(
            {"conv": H.Conv2d(3, 4, 3, rngs=rngs), "norm": H.BatchNorm2d(4, rngs=rngs), "act": nnx.relu}
        )
        self.relu = nnx.relu
        self.gelu = partial(nnx.gelu, approximate=False)
        self.norm_layer = partial(nnx.LayerNorm, epsilon=1.0)  # a class is no part
        self.scale = nnx.Param(jax.numpy.ones(4))
        self.blocks = nnx.List(
            [
                nnx.Linear(4, 4, rngs=rngs),
                nnx.Sequential(nnx.Linear(4, 4, rngs=rngs), nnx.relu, nnx.LayerNorm(4, rngs=rngs)),
            ]
        )
        self.heads = nnx.Dict({"a": nnx.Linear(4, 2, rngs=rngs), "b": self.blocks[0]})
        self.tokens = H.ParameterList([jax.numpy.ones(2), jax.numpy.ones(3)])
        self.steps = H.Buffer(jax.numpy.zeros(2))
        self.grid = H.Constant(jax.numpy.arange(3))
        self.table = nnx.Embed(5, 4, rngs=rngs)


def test_module_queries_answer_as_torch_does() -> None:
    theirs, ours = TorchNet(), Net(rngs=nnx.Rngs(0))
    assert [n for n, _ in H.named_modules(ours)] == [n for n, _ in theirs.named_modules()]
    assert [n for n, _ in H.named_children(ours)] == [n for n, _ in theirs.named_children()]
    assert [n for n, _ in H.named_parameters(ours)] == [n for n, _ in theirs.named_parameters()]
    assert [n for n, _ in H.named_parameters(ours, recurse=False)] == [
        n for n, _ in theirs.named_parameters(recurse=False)
    ]
    assert sum(p.size for p in H.parameters(ours)) == sum(p.numel() for p in theirs.parameters())
    batches = [n for n, _ in theirs.named_buffers() if not n.endswith("num_batches_tracked")]
    assert [n for n, _ in H.named_buffers(ours)] == batches
    assert len(list(H.modules(ours))) == len(list(theirs.modules()))
    assert len(list(H.children(ours.blocks))) == 2
    ours_seen: list[str] = []
    theirs_seen: list[str] = []
    plain = {
        "custom_jvp": "ReLU",
        "partial": "GELU",
        "Embed": "Embedding",
        "List": "ModuleList",
        "Dict": "ModuleDict",
        "Net": "TorchNet",
    }
    assert H.apply(ours, lambda m: ours_seen.append(plain.get(type(m).__name__, type(m).__name__))) is ours
    theirs.apply(lambda m: theirs_seen.append(type(m).__name__))
    # torch.apply visits shared parts again, as ours does
    assert ours_seen == theirs_seen
    assert H.get_submodule(ours, "blocks.1.2") is ours.blocks[1].layers[2]
    with pytest.raises(AttributeError, match="no part `missing`"):
        H.get_submodule(ours, "blocks.missing")


def test_state_goes_out_and_in() -> None:
    ours, other = Net(rngs=nnx.Rngs(0)), Net(rngs=nnx.Rngs(1))
    state = H.state_dict(ours)
    assert "stem.conv.kernel" in state
    assert "blocks.1.layers.0.kernel" in state
    assert "steps" in state
    assert "grid" not in state
    assert H.load_state_dict(other, state) == ([], [])
    assert all((np.asarray(v) == np.asarray(state[k])).all() for k, v in H.state_dict(other).items())
    partial_state = {**state, "unknown": np.ones(2)}
    del partial_state["scale"]
    with pytest.raises(ValueError, match=r"missing .'scale'., unexpected .'unknown'."):
        H.load_state_dict(other, partial_state)
    assert H.load_state_dict(other, partial_state, strict=False).missing_keys == ["scale"]
    with pytest.raises(ValueError, match="has shape"):
        H.load_state_dict(other, {**state, "scale": np.ones(3)})


def test_state_of_one_module_at_a_time() -> None:
    ours, other = Net(rngs=nnx.Rngs(0)), Net(rngs=nnx.Rngs(1))
    saved = {**H.state_dict(ours), "unknown": np.ones(2), "blocks.1.other": np.ones(2)}
    missing: list[str] = []
    unexpected: list[str] = []
    errors: list[str] = []

    def load(state: dict[str, Any], module: Any, prefix: str = "") -> None:
        H.load_own_state(module, state, prefix, {}, True, missing, unexpected, errors)
        for name, child in H.named_children(module):
            load(state, child, f"{prefix}{name}.")

    load(saved, other)
    # a part under two names is in a state once, and so is looked for in vain under the other
    assert missing == ["heads.b.bias", "heads.b.kernel"]
    assert (unexpected, errors) == (["unknown", "blocks.1.other"], [])
    missing.clear()
    assert all((np.asarray(v) == np.asarray(saved[k])).all() for k, v in H.state_dict(other).items())
    del saved["blocks.1.layers.0.kernel"]
    load({**saved, "scale": np.ones(3)}, other)
    assert missing[0] == "blocks.1.0.kernel"
    assert len(errors) == 1
    assert errors[0].startswith("scale has shape (3,), the module needs ")


def test_modes_casts_and_registration() -> None:
    net = Net(rngs=nnx.Rngs(0))
    assert H.eval_mode(net) is net
    assert net.stem.norm.use_running_average
    assert H.train_mode(net) is net
    assert not net.stem.norm.use_running_average
    assert H.train_mode(net, False).stem.norm.use_running_average
    assert H.cast(net, jax.numpy.float16).table.embedding.dtype == jax.numpy.float16
    assert H.module_to(net, jax.numpy.float32).table.embedding.dtype == jax.numpy.float32
    assert H.module_to(net, "cuda").table.embedding.dtype == jax.numpy.float32
    H.register_buffer(net, "kept", jax.numpy.ones(2))
    H.register_buffer(net, "fixed", jax.numpy.ones(2), persistent=False)
    H.register_buffer(net, "empty", None)
    H.register_parameter(net, "none", None)
    H.add_module(net, "extra", H.Identity())
    assert "kept" in H.state_dict(net)
    assert "fixed" not in H.state_dict(net)
    assert net.fixed[...].shape == net.fixed.shape == (2,)
    assert net.empty is None
    assert net.none is None
    assert [n for n, _ in H.named_children(net)][-1] == "extra"


def test_constants_pass_through_transformations() -> None:
    net = Net(rngs=nnx.Rngs(0))
    graph, state = nnx.split(net)
    again = nnx.merge(graph, state)
    assert again.grid is net.grid
    assert hash(graph) == hash(nnx.split(net)[0])
    assert (nnx.jit(lambda m, x: m.grid[...] + m.grid[1] + x)(net, 1) == jax.numpy.arange(3) + 2).all()
    assert (net.grid.shape, net.grid.ndim, net.grid.dtype) == ((3,), 1, net.grid[...].dtype)


def test_sequential_grows_and_is_cut() -> None:
    rngs = nnx.Rngs(0)
    linears = [nnx.Linear(2, 2, rngs=rngs) for _ in range(4)]
    layers = H.Sequential(*linears[:3])
    layers.append(nnx.relu).extend([linears[3]])
    assert len(layers) == 5
    assert layers[-1] is linears[3]
    assert layers[3] is nnx.relu
    assert next(iter(layers)) is linears[0]
    assert set(H.state_dict(layers)) == {f"layers.{i}.{name}" for i in (0, 1, 2, 4) for name in ("kernel", "bias")}
    part = layers[1:3]
    assert isinstance(part, H.Sequential)
    assert list(part) == linears[1:3]
    layers[0] = nnx.relu
    layers[3] = linears[0]
    assert layers[0] is nnx.relu
    assert layers[3] is linears[0]
    layers.insert(1, nnx.tanh)
    assert list(layers) == [nnx.relu, nnx.tanh, linears[1], linears[2], linears[0], linears[3]]
    assert layers.pop(1) is nnx.tanh
    del layers[0]
    assert list(layers) == [linears[1], linears[2], linears[0], linears[3]]
    tail = H.Sequential(*linears)[2:]
    tail.add_module("last", nnx.relu)
    assert [name for name, _ in tail.items()] == ["2", "3", "last"]
    assert set(H.state_dict(tail)) == {f"layers.{i}.{name}" for i in (2, 3) for name in ("kernel", "bias")}
    x = jax.numpy.ones((1, 2))
    wanted = nnx.relu(linears[3](linears[2](x)))
    assert (nnx.jit(lambda m, x: m(x))(tail, x) == wanted).all()
    again = nnx.merge(*nnx.split(tail))
    nnx.update(again, nnx.state(tail))
    assert (again(x) == wanted).all()
    optimizer = nnx.Optimizer(tail, optax.sgd(0.1), wrt=nnx.Param)
    optimizer.update(tail, nnx.grad(lambda m: m(x).sum())(tail))
    assert set(H.state_dict(tail)) == set(H.state_dict(again))
    named = H.Sequential({"a": linears[0], "b": nnx.relu})
    named.add_module("c", linears[1])
    assert named[-1] is named.c
    assert named["a"] is linears[0]
    assert [n for n, _ in named.items()] == ["a", "b", "c"]
    assert set(H.state_dict(named)) == {"a.kernel", "a.bias", "c.kernel", "c.bias"}
    x = jax.numpy.ones((1, 2))
    assert (nnx.jit(lambda m, x: m(x))(named, x) == linears[1](nnx.relu(linears[0](x)))).all()
    assert (nnx.merge(*nnx.split(named))(x) == named(x)).all()
    pair = H.Sequential(lambda x: (x, 2 * x), lambda pair: pair[0] + pair[1])
    assert pair(1) == 3

    class Transition(H.Sequential):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.width = 7
            self.first = linears[0]
            self.act = nnx.relu
            self.weight = nnx.Param(x)

    assert list(Transition()) == [linears[0], nnx.relu]


def test_lists_of_layers_and_parameters() -> None:
    rngs = nnx.Rngs(0)
    layers = H.ModuleList([nnx.Linear(2, 2, rngs=rngs) for _ in range(3)])
    assert isinstance(layers[1:], H.ModuleList)
    assert len(layers + layers[:1]) == 4
    values = H.ParameterDict({"a": jax.numpy.ones(2), "b": nnx.Param(jax.numpy.ones(3))})
    assert isinstance(values["a"], nnx.Param)
    assert isinstance(values["b"], nnx.Param)


def test_frozen_embeddings_are_not_trained() -> None:
    layer = H.embedding_from_pretrained(jax.numpy.ones((3, 2)))
    assert not list(H.parameters(layer))
    assert list(H.state_dict(layer)) == ["embedding"]
    assert len(list(H.parameters(H.embedding_from_pretrained(jax.numpy.ones((3, 2)), freeze=False)))) == 1


@pytest.mark.parametrize(
    "build",
    [
        lambda r: H.BatchNorm2d(4, momentum=None, rngs=r),
        lambda r: H.ConvTranspose2d(4, 4, 3, padding_mode="reflect", rngs=r),
        lambda r: H.Embedding(4, 4, max_norm=1.0, rngs=r),
        lambda r: H.LSTM(4, 4, proj_size=2, rngs=r),
        lambda r: H.MultiheadAttention(4, 2, add_bias_kv=True, rngs=r),
        lambda r: H.AdaptiveMaxPool2d(2, True, rngs=r),
    ],
)
def test_what_is_not_supported_is_refused(build: Any) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        build(nnx.Rngs(0))

"""What layers keep of their arguments: each attribute reads the same in the target, or the line is refused."""

from __future__ import annotations

import types
from typing import Any

import pytest

import ml_switcheroo

torch = pytest.importorskip("torch")
nnx = pytest.importorskip("flax.nnx")

LAYERS = """
    Linear(3,4) Bilinear(2,3,4) Conv1d(4,6,3) Conv2d(4,6,3,stride=2,padding=1) Conv3d(4,6,3) ConvTranspose1d(4,6,3)
    ConvTranspose2d(4,6,3) ConvTranspose3d(4,6,3) BatchNorm1d(4) BatchNorm2d(4) BatchNorm3d(4) LayerNorm(4)
    GroupNorm(2,4) InstanceNorm1d(4) InstanceNorm2d(4) InstanceNorm3d(4) LocalResponseNorm(2) Embedding(5,4)
    Embedding(5,4,padding_idx=1) EmbeddingBag(5,4) LSTM(3,4) GRU(3,4) RNN(3,4) LSTMCell(3,4) GRUCell(3,4) RNNCell(3,4)
    MultiheadAttention(4,2) MaxPool1d(2) MaxPool2d(2) MaxPool3d(2) AvgPool1d(2) AvgPool2d(2) AvgPool3d(2)
    AdaptiveAvgPool1d(2) AdaptiveAvgPool2d(2) AdaptiveMaxPool1d(2) AdaptiveMaxPool2d(2) LPPool2d(2,2) Dropout(0.1)
    Dropout1d(0.1) Dropout2d(0.1) Dropout3d(0.1) AlphaDropout(0.1) Upsample(scale_factor=2) PixelShuffle(2)
    PixelUnshuffle(2) ChannelShuffle(2) ZeroPad1d(1) ZeroPad2d(1) ReflectionPad2d(1) ReplicationPad2d(1)
    ConstantPad2d(1,2.0) CircularPad2d(1) ReLU() ReLU6() LeakyReLU(0.1) PReLU() RReLU() ELU() CELU() SELU() GELU()
    SiLU() Mish() Softmax(dim=1) LogSoftmax(dim=1) Softmin(dim=1) Hardtanh() Hardswish() Hardsigmoid() Hardshrink()
    Softshrink() Softplus() Threshold(0.1,20.0) GLU() Sigmoid() Tanh() Flatten() Unflatten(1,(2,2)) Fold((4,4),(2,2))
    Unfold((2,2)) CosineSimilarity() PairwiseDistance() CrossEntropyLoss() MSELoss() L1Loss() BCELoss()
    BCEWithLogitsLoss() NLLLoss() SmoothL1Loss() HuberLoss() KLDivLoss() TransformerEncoderLayer(4,2,8)
"""
# Where the target keeps what the argument comes to.
KNOWN = {
    ("LayerNorm", "bias"),
    ("InstanceNorm1d", "weight"),
    ("InstanceNorm2d", "weight"),
    ("InstanceNorm3d", "weight"),
}


def _attributes(layer: Any) -> dict[str, object]:
    kept = (int, float, bool, str, tuple, list, types.NoneType)
    names = [name for name in vars(layer) if not name.startswith("_") and name != "training"]
    return {name: value for name in names if isinstance(value := getattr(layer, name), kept)}


def _plain(value: object) -> object:
    return list(value) if isinstance(value, (tuple, list)) else value


@pytest.mark.parametrize("layer", LAYERS.split())
def test_attributes_read_the_same_or_are_refused(layer: str) -> None:
    kind = layer.partition("(")[0]
    wanted = _attributes(eval(f"torch.nn.{layer}", {"torch": torch}))
    wanted = {name: value for name, value in wanted.items() if (kind, name) not in KNOWN}
    classes = [
        f"class Reads_{name}(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"        self.layer = nn.{layer}\n\n    def forward(self):\n        return self.layer.{name}\n"
        for name in wanted
    ]
    source = "import torch.nn as nn\n\n\n" + "\n\n".join(classes)
    result = ml_switcheroo.convert(source, source="torch", target="jax")
    lines = source.split("\n")
    refused = {lines[d.line - 1].rpartition(".")[2] for d in result.diagnostics if d.severity == "error"}
    names: dict[str, Any] = {}
    exec(result.code, names)
    for name, value in wanted.items():
        if name not in refused:
            assert _plain(names[f"Reads_{name}"](rngs=nnx.Rngs(0))()) == _plain(value), name

"""The backbone: inverted residual blocks, features at three strides."""

from typing import List

import jax
from flax import nnx

from ._compat import BatchNorm2d, Conv2d
from .layers import ConvBNAct, SqueezeExcite


class InvertedResidual(nnx.Module):
    def __init__(
        self, in_channels: int, out_channels: int, stride: int, expand_ratio: int = 4, use_se: bool = True, *, rngs: nnx.Rngs,
    ):
        hidden = in_channels * expand_ratio
        self.use_shortcut = stride == 1 and in_channels == out_channels
        layers: List[nnx.Module] = [
            ConvBNAct(in_channels, hidden, kernel_size=1, rngs=rngs),
            ConvBNAct(hidden, hidden, stride=stride, groups=hidden, rngs=rngs),
        ]
        if use_se:
            layers.append(SqueezeExcite(hidden, rngs=rngs))
        layers += [Conv2d(hidden, out_channels, 1, bias=False, rngs=rngs), BatchNorm2d(out_channels, rngs=rngs)]
        self.block = nnx.Sequential(*layers)

    def __call__(self, x: jax.Array) -> jax.Array:
        out = self.block(x)
        return x + out if self.use_shortcut else out


class Backbone(nnx.Module):
    # (out_channels, number of blocks) for the strides 4, 8, 16 and 32
    stages = ((16, 1), (24, 2), (40, 2), (64, 2))

    def __init__(self, in_channels: int = 3, width: float = 1.0, *, rngs: nnx.Rngs):
        channels = int(16 * width)
        self.stem = ConvBNAct(in_channels, channels, stride=2, rngs=rngs)
        self.out_channels = []
        for i, (c, n) in enumerate(self.stages):
            c = int(c * width)
            blocks = []
            for j in range(n):
                blocks.append(InvertedResidual(channels, c, stride=2 if j == 0 else 1, rngs=rngs))
                channels = c
            setattr(self, f"stage{i + 1}", nnx.Sequential(*blocks))
            if i > 0:
                self.out_channels.append(c)

    def __call__(self, x: jax.Array) -> List[jax.Array]:
        x = self.stem(x)
        features = []
        for i in range(len(self.stages)):
            x = getattr(self, f"stage{i + 1}")(x)
            if i > 0:
                features.append(x)
        return features

"""ResNet-18 (He et al., 2015) as one writes it in Flax NNX: images are NHWC."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from flax import nnx

if TYPE_CHECKING:
    import jax

Conv3x3 = partial(nnx.Conv, kernel_size=(3, 3), padding=1, use_bias=False)
BatchNorm = partial(nnx.BatchNorm, momentum=0.9, epsilon=1e-5)


class BasicBlock(nnx.Module):
    """Two 3x3 convolutions and a shortcut, which a 1x1 convolution fits to them where the shape changes."""

    def __init__(self, in_planes: int, planes: int, stride: int = 1, *, rngs: nnx.Rngs):
        self.conv1 = Conv3x3(in_planes, planes, strides=stride, rngs=rngs)
        self.bn1 = BatchNorm(planes, rngs=rngs)
        self.conv2 = Conv3x3(planes, planes, rngs=rngs)
        self.bn2 = BatchNorm(planes, rngs=rngs)
        if stride != 1 or in_planes != planes:
            self.downsample = nnx.Sequential(
                nnx.Conv(in_planes, planes, (1, 1), strides=stride, padding="VALID", use_bias=False, rngs=rngs),
                BatchNorm(planes, rngs=rngs),
            )
        else:
            self.downsample = None

    def __call__(self, x: jax.Array) -> jax.Array:
        identity = x if self.downsample is None else self.downsample(x)
        y = nnx.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return nnx.relu(y + identity)


class ResNet18(nnx.Module):
    def __init__(self, num_classes: int = 1000, in_channels: int = 3, *, rngs: nnx.Rngs):
        self.conv1 = nnx.Conv(in_channels, 64, (7, 7), strides=2, padding=3, use_bias=False, rngs=rngs)
        self.bn1 = BatchNorm(64, rngs=rngs)
        self.layer1 = nnx.Sequential(BasicBlock(64, 64, rngs=rngs), BasicBlock(64, 64, rngs=rngs))
        self.layer2 = nnx.Sequential(BasicBlock(64, 128, 2, rngs=rngs), BasicBlock(128, 128, rngs=rngs))
        self.layer3 = nnx.Sequential(BasicBlock(128, 256, 2, rngs=rngs), BasicBlock(256, 256, rngs=rngs))
        self.layer4 = nnx.Sequential(BasicBlock(256, 512, 2, rngs=rngs), BasicBlock(512, 512, rngs=rngs))
        self.fc = nnx.Linear(512, num_classes, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.relu(self.bn1(self.conv1(x)))
        x = nnx.max_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean(axis=(1, 2)))

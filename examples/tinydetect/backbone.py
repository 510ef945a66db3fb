"""The backbone: inverted residual blocks, features at three strides."""

from typing import List

from torch import Tensor, nn

from .layers import ConvBNAct, SqueezeExcite


class InvertedResidual(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, stride: int, expand_ratio: int = 4, use_se: bool = True):
        super().__init__()
        hidden = in_channels * expand_ratio
        self.use_shortcut = stride == 1 and in_channels == out_channels
        layers: List[nn.Module] = [
            ConvBNAct(in_channels, hidden, kernel_size=1),
            ConvBNAct(hidden, hidden, stride=stride, groups=hidden),
        ]
        if use_se:
            layers.append(SqueezeExcite(hidden))
        layers += [nn.Conv2d(hidden, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels)]
        self.block = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        out = self.block(x)
        return x + out if self.use_shortcut else out


class Backbone(nn.Module):
    # (out_channels, number of blocks) for the strides 4, 8, 16 and 32
    stages = ((16, 1), (24, 2), (40, 2), (64, 2))

    def __init__(self, in_channels: int = 3, width: float = 1.0):
        super().__init__()
        channels = int(16 * width)
        self.stem = ConvBNAct(in_channels, channels, stride=2)
        self.out_channels = []
        for i, (c, n) in enumerate(self.stages):
            c = int(c * width)
            blocks = []
            for j in range(n):
                blocks.append(InvertedResidual(channels, c, stride=2 if j == 0 else 1))
                channels = c
            self.add_module(f"stage{i + 1}", nn.Sequential(*blocks))
            if i > 0:
                self.out_channels.append(c)

    def forward(self, x: Tensor) -> List[Tensor]:
        x = self.stem(x)
        features = []
        for i in range(len(self.stages)):
            x = getattr(self, f"stage{i + 1}")(x)
            if i > 0:
                features.append(x)
        return features

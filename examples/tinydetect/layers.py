"""Building blocks that the other modules share."""

import torch
from torch import nn


class ConvBNAct(nn.Sequential):
    """Convolution, normalisation and activation; the padding keeps the size at stride 1."""

    def __init__(self, in_channels, out_channels, kernel_size=3, stride=1, groups=1, act_layer=nn.SiLU):
        padding = (kernel_size - 1) // 2
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False),
            nn.BatchNorm2d(out_channels),
            act_layer(),
        )
        self.out_channels = out_channels


class SqueezeExcite(nn.Module):
    def __init__(self, channels, reduction=4):
        super().__init__()
        hidden = max(1, channels // reduction)
        self.fc1 = nn.Conv2d(channels, hidden, 1)
        self.fc2 = nn.Conv2d(hidden, channels, 1)

    def forward(self, x):
        scale = x.mean((2, 3), keepdim=True)
        scale = torch.relu(self.fc1(scale))
        return x * torch.sigmoid(self.fc2(scale))


class Scale(nn.Module):
    """A single learned factor."""

    def __init__(self, init_value=1.0):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(init_value))

    def forward(self, x):
        return x * self.scale

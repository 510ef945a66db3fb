"""A small convolutional network, as a user would write it."""

import torch
from torch import nn


class Block(nn.Module):
    """Convolution, normalisation, dropout."""

    def __init__(self, channels_in, channels_out, drop=0.5):
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels_out)
        self.drop = nn.Dropout(drop)

    def forward(self, x):
        return self.drop(torch.relu(self.norm(self.conv(x))))


class Net(nn.Module):
    """Two blocks in a Sequential, then a linear layer."""

    def __init__(self, first, classes=10):
        super().__init__()
        self.first = first
        self.body = nn.Sequential(Block(8, 8), nn.ReLU())
        self.head = nn.Linear(8, classes)

    def forward(self, x, scale=None):
        x = self.body(self.first(x))
        x = self.head(x.mean((2, 3)))
        if scale is not None:
            x = x * scale
        return {"logits": x, "top": x.argmax(1)}

"""The detector: everything put together."""

import math

import torch
from torch import nn

from . import boxes
from .backbone import Backbone
from .layers import ConvBNAct, Scale
from .neck import FeaturePyramid

STRIDES = (8, 16, 32)


class Head(nn.Module):
    """Classes and box distances for every cell, shared by all levels but for one scale each."""

    def __init__(self, channels: int, num_classes: int, num_convs: int = 2, num_levels: int = len(STRIDES)):
        super().__init__()
        self.num_classes = num_classes
        cls_tower, box_tower = [], []
        for _ in range(num_convs):
            cls_tower.append(ConvBNAct(channels, channels))
            box_tower.append(ConvBNAct(channels, channels))
        self.cls_tower = nn.Sequential(*cls_tower)
        self.box_tower = nn.Sequential(*box_tower)
        self.cls_out = nn.Conv2d(channels, num_classes, 3, padding=1)
        self.box_out = nn.Conv2d(channels, 4, 3, padding=1)
        self.scales = nn.ModuleList([Scale(1.0) for _ in range(num_levels)])

        # Most cells are background: start with a low probability for every class.
        prior = 0.01
        nn.init.constant_(self.cls_out.bias, -math.log((1 - prior) / prior))

    def forward(self, features):
        logits, distances = [], []
        for level, x in enumerate(features):
            cls = self.cls_out(self.cls_tower(x))
            box = self.scales[level](self.box_out(self.box_tower(x)))
            logits.append(cls.flatten(2).permute(0, 2, 1))
            distances.append(torch.exp(box).flatten(2).permute(0, 2, 1) * STRIDES[level])
        return torch.cat(logits, dim=1), torch.cat(distances, dim=1)


class TinyDetector(nn.Module):
    def __init__(self, num_classes: int = 20, channels: int = 32, width: float = 1.0):
        super().__init__()
        self.backbone = Backbone(width=width)
        self.neck = FeaturePyramid(self.backbone.out_channels, channels)
        self.head = Head(channels, num_classes)

    def forward(self, images: torch.Tensor):
        features = self.neck(self.backbone(images))
        logits, distances = self.head(features)
        centers = torch.cat(
            [
                boxes.grid_centers(f.shape[2], f.shape[3], stride, device=images.device)
                for f, stride in zip(features, STRIDES)
            ]
        )
        return logits, boxes.decode_boxes(centers, distances)


MODELS = {
    "tiny": dict(channels=32, width=1.0),
    "small": dict(channels=48, width=1.5),
}


def build_detector(name: str = "tiny", num_classes: int = 20) -> TinyDetector:
    if name not in MODELS:
        raise KeyError(f"unknown detector {name!r}; choose from {sorted(MODELS)}")
    return TinyDetector(num_classes=num_classes, **MODELS[name])

"""The detector: everything put together."""

import math

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from ._compat import Conv2d, constant_
from . import boxes
from .backbone import Backbone
from .layers import ConvBNAct, Scale
from .neck import FeaturePyramid

STRIDES = (8, 16, 32)


class Head(nnx.Module):
    """Classes and box distances for every cell, shared by all levels but for one scale each."""

    def __init__(
        self, channels: int, num_classes: int, num_convs: int = 2, num_levels: int = len(STRIDES), *, rngs: nnx.Rngs,
    ):
        self.num_classes = num_classes
        cls_tower, box_tower = [], []
        for _ in range(num_convs):
            cls_tower.append(ConvBNAct(channels, channels, rngs=rngs))
            box_tower.append(ConvBNAct(channels, channels, rngs=rngs))
        self.cls_tower = nnx.Sequential(*cls_tower)
        self.box_tower = nnx.Sequential(*box_tower)
        self.cls_out = Conv2d(channels, num_classes, 3, padding=1, rngs=rngs)
        self.box_out = Conv2d(channels, 4, 3, padding=1, rngs=rngs)
        self.scales = nnx.List([Scale(1.0, rngs=rngs) for _ in range(num_levels)])

        # Most cells are background: start with a low probability for every class.
        prior = 0.01
        constant_(self.cls_out.bias, -math.log((1 - prior) / prior))

    def __call__(self, features):
        logits, distances = [], []
        for level, x in enumerate(features):
            cls = self.cls_out(self.cls_tower(x))
            box = self.scales[level](self.box_out(self.box_tower(x)))
            logits.append(jnp.transpose(lax.collapse(cls, 2), (0, 2, 1)))
            distances.append(jnp.transpose(lax.collapse(jnp.exp(box), 2), (0, 2, 1)) * STRIDES[level])
        return jnp.concatenate(logits, axis=1), jnp.concatenate(distances, axis=1)


class TinyDetector(nnx.Module):
    def __init__(self, num_classes: int = 20, channels: int = 32, width: float = 1.0, *, rngs: nnx.Rngs):
        self.backbone = Backbone(width=width, rngs=rngs)
        self.neck = FeaturePyramid(self.backbone.out_channels, channels, rngs=rngs)
        self.head = Head(channels, num_classes, rngs=rngs)

    def __call__(self, images: jax.Array):
        features = self.neck(self.backbone(images))
        logits, distances = self.head(features)
        centers = jnp.concatenate(
            [
                boxes.grid_centers(f.shape[2], f.shape[3], stride, device=None)
                for f, stride in zip(features, STRIDES)
            ]
        )
        return logits, boxes.decode_boxes(centers, distances)


MODELS = {
    "tiny": dict(channels=32, width=1.0),
    "small": dict(channels=48, width=1.5),
}


def build_detector(name: str = "tiny", num_classes: int = 20, *, rngs: nnx.Rngs) -> TinyDetector:
    if name not in MODELS:
        raise KeyError(f"unknown detector {name!r}; choose from {sorted(MODELS)}")
    return TinyDetector(num_classes=num_classes, rngs=rngs, **MODELS[name])

"""Layers of the package timm."""

from flax import nnx


class DropPath(nnx.Module):
    """Stochastic depth: zeroes whole samples in training and scales the rest up."""

    def __init__(self, drop_prob=0.0, scale_by_keep=True, *, rngs: nnx.Rngs):
        self.rate, self.scale_by_keep, self.deterministic, self.rngs = drop_prob, scale_by_keep, False, rngs.fork()

    def __call__(self, x):
        return drop_path(x, self.rate, not self.deterministic, self.scale_by_keep, rngs=self.rngs)

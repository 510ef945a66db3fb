"""The neck: a top-down feature pyramid."""

from flax import nnx

from ._compat import Conv2d, interpolate_nearest
from .layers import ConvBNAct


class FeaturePyramid(nnx.Module):
    def __init__(self, in_channels, out_channels, *, rngs: nnx.Rngs):
        self.lateral = nnx.List([Conv2d(c, out_channels, 1, rngs=rngs) for c in in_channels])
        self.smooth = nnx.List([ConvBNAct(out_channels, out_channels, rngs=rngs) for _ in in_channels])

    def __call__(self, features):
        laterals = [conv(f) for conv, f in zip(self.lateral, features)]
        for i in range(len(laterals) - 1, 0, -1):
            size = laterals[i - 1].shape[-2:]
            laterals[i - 1] = laterals[i - 1] + interpolate_nearest(laterals[i], size=size)
        return [conv(f) for conv, f in zip(self.smooth, laterals)]

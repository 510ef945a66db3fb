"""einops as layers."""

import einops
from flax import nnx


class Rearrange(nnx.Module):
    """Rearranges the axes of its input by a pattern."""

    def __init__(self, pattern, *, rngs: nnx.Rngs | None = None, **axes_lengths):
        self.pattern, self.axes_lengths = pattern, axes_lengths

    def __call__(self, x):
        return einops.rearrange(x, self.pattern, **self.axes_lengths)


class Reduce(nnx.Module):
    """Reduces and rearranges the axes of its input by a pattern."""

    def __init__(self, pattern, reduction, *, rngs: nnx.Rngs | None = None, **axes_lengths):
        self.pattern, self.reduction, self.axes_lengths = pattern, reduction, axes_lengths

    def __call__(self, x):
        return einops.reduce(x, self.pattern, self.reduction, **self.axes_lengths)

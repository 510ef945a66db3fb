"""Building blocks that the other modules share."""

import jax
import jax.numpy as jnp
from flax import nnx

from ._compat import BatchNorm2d, Conv2d, Sequential, SiLU


class ConvBNAct(Sequential):
    """Convolution, normalisation and activation; the padding keeps the size at stride 1."""

    def __init__(
        self, in_channels, out_channels, kernel_size=3, stride=1, groups=1, act_layer=SiLU, *, rngs: nnx.Rngs,
    ):
        padding = (kernel_size - 1) // 2
        super().__init__(
            Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False, rngs=rngs),
            BatchNorm2d(out_channels, rngs=rngs),
            act_layer(rngs=rngs),
        )
        self.out_channels = out_channels


class SqueezeExcite(nnx.Module):
    def __init__(self, channels, reduction=4, *, rngs: nnx.Rngs):
        hidden = max(1, channels // reduction)
        self.fc1 = Conv2d(channels, hidden, 1, rngs=rngs)
        self.fc2 = Conv2d(hidden, channels, 1, rngs=rngs)

    def __call__(self, x):
        scale = jnp.mean(x, axis=(2, 3), keepdims=True)
        scale = jax.nn.relu(self.fc1(scale))
        return x * jax.nn.sigmoid(self.fc2(scale))


class Scale(nnx.Module):
    """A single learned factor."""

    def __init__(self, init_value=1.0, *, rngs: nnx.Rngs):
        self.scale = nnx.Param(jnp.array(init_value))

    def __call__(self, x):
        return x * self.scale[...]

"""The same network for Flax NNX, written by hand."""

import jax
import jax.numpy as jnp
from flax import nnx


class Conv2d(nnx.Conv):
    """A convolution whose inputs and outputs are channels-first."""

    def __call__(self, x):
        return jnp.moveaxis(super().__call__(jnp.moveaxis(x, 1, -1)), -1, 1)


class BatchNorm2d(nnx.BatchNorm):
    """Normalises channel 1; running variances are unbiased, as in the source."""

    def __call__(self, x):
        if self.use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3))
            count = x.size // x.shape[1]
            self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * mean
            self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * var * (count / (count - 1))
        scale = self.scale[...] / jnp.sqrt(var + self.epsilon)
        return (x - mean[:, None, None]) * scale[:, None, None] + self.bias[...][:, None, None]


class Block(nnx.Module):
    def __init__(self, channels_in, channels_out, drop=0.5, *, rngs):
        self.conv = Conv2d(channels_in, channels_out, (3, 3), padding=1, use_bias=False, rngs=rngs)
        self.norm = BatchNorm2d(channels_out, momentum=0.9, epsilon=1e-5, rngs=rngs)
        self.drop = nnx.Dropout(drop, rngs=rngs)

    def __call__(self, x):
        return self.drop(jax.nn.relu(self.norm(self.conv(x))))


class Net(nnx.Module):
    def __init__(self, first, classes=10, *, rngs):
        self.first = first
        self.body = nnx.Sequential(Block(8, 8, rngs=rngs), jax.nn.relu)
        self.head = nnx.Linear(8, classes, rngs=rngs)

    def __call__(self, x, scale=None):
        x = self.body(self.first(x))
        x = self.head(x.mean((2, 3)))
        if scale is not None:
            x = x * scale
        return {"logits": x, "top": x.argmax(1)}

"""Initialisers that fill a parameter, as torch.nn.init has them.

`axes` says where the output and the input axis of a weight lie: (-1, -2) in the kernels of Flax, (0, 1) in a
parameter of torch's layout.
"""

import math

import jax
import jax.numpy as jnp
from flax import nnx


def fill_parameter(tensor: nnx.Variable, value: jax.Array) -> nnx.Variable:
    """Puts value into a parameter; an array cannot be changed, so for one the result is the value."""
    value = jnp.asarray(value, tensor.dtype)
    if isinstance(tensor, jax.Array):
        return value
    tensor[...] = value
    return tensor


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """How much larger weights must be before this nonlinearity."""
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    gains = {"tanh": 5 / 3, "relu": math.sqrt(2), "selu": 0.75, "linear": 1, "sigmoid": 1}
    convolutions = ("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
    gains.update(dict.fromkeys(convolutions, 1))
    return gains[nonlinearity]


def fans(shape: tuple[int, ...], axes: tuple[int, int]) -> tuple[int, int]:
    """Number of inputs and of outputs that a weight of this shape connects with one unit."""
    if len(shape) < 2:
        raise ValueError("fan in and fan out can not be computed for a tensor with fewer than 2 dimensions")
    field = math.prod(shape) // (shape[axes[0]] * shape[axes[1]])
    return shape[axes[1]] * field, shape[axes[0]] * field


def calculate_fans(tensor) -> tuple[int, int]:
    """Number of inputs and of outputs that a weight (read in torch's layout) connects with one unit."""
    return fans(tensor.shape, (0, 1))


def calculate_fan(tensor, mode) -> int:
    """The fan that mode ("fan_in" or "fan_out") names, of a weight read in torch's layout."""
    return calculate_fans(tensor)[{"fan_in": 0, "fan_out": 1}[mode.lower()]]


def uniform_(tensor, a=0.0, b=1.0, *, rngs: nnx.Rngs):
    """Fills a parameter with uniform draws from a to b."""
    return fill_parameter(tensor, jax.random.uniform(rngs.params(), tensor.shape, minval=a, maxval=b))


def normal_(tensor, mean=0.0, std=1.0, *, rngs: nnx.Rngs):
    """Fills a parameter with normal draws."""
    return fill_parameter(tensor, mean + std * jax.random.normal(rngs.params(), tensor.shape))


def trunc_normal_(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0, *, rngs: nnx.Rngs):
    """Fills a parameter with normal draws between a and b."""
    low, high = (a - mean) / std, (b - mean) / std
    return fill_parameter(tensor, mean + std * jax.random.truncated_normal(rngs.params(), low, high, tensor.shape))


def constant_(tensor, val):
    """Fills a parameter with one value."""
    return fill_parameter(tensor, jnp.full(tensor.shape, val))


def ones_(tensor):
    """Fills a parameter with ones."""
    return fill_parameter(tensor, jnp.ones(tensor.shape))


def zeros_(tensor):
    """Fills a parameter with zeros."""
    return fill_parameter(tensor, jnp.zeros(tensor.shape))


def eye_(tensor):
    """Fills a matrix with the identity."""
    return fill_parameter(tensor, jnp.eye(*tensor.shape))


def dirac_(tensor, groups=1, *, axes=(-1, -2)):
    """Fills the weight of a convolution so that it passes its input channels on."""
    outputs, inputs = (tensor.shape[axis] for axis in axes)
    spatial = [n for i, n in enumerate(tensor.shape) if i - tensor.ndim not in axes and i not in axes]
    weight, each = jnp.zeros((outputs, inputs, *spatial)), outputs // groups
    channel = jnp.arange(min(each, inputs))
    for group in range(groups):
        weight = weight.at[(group * each + channel, channel, *(n // 2 for n in spatial))].set(1)
    return fill_parameter(tensor, jnp.moveaxis(weight, (0, 1), axes))


def xavier_uniform_(tensor, gain=1.0, *, axes=(-1, -2), rngs: nnx.Rngs):
    """Fills a weight with uniform draws scaled by the sum of its fans (Glorot)."""
    bound = gain * math.sqrt(6 / sum(fans(tensor.shape, axes)))
    return uniform_(tensor, -bound, bound, rngs=rngs)


def xavier_normal_(tensor, gain=1.0, *, axes=(-1, -2), rngs: nnx.Rngs):
    """Fills a weight with normal draws scaled by the sum of its fans (Glorot)."""
    return normal_(tensor, 0, gain * math.sqrt(2 / sum(fans(tensor.shape, axes))), rngs=rngs)


def kaiming_scale(shape, a, mode, nonlinearity, axes) -> float:
    """Standard deviation that keeps the variance through a layer and its nonlinearity (He)."""
    fan_in, fan_out = fans(shape, axes)
    return calculate_gain(nonlinearity, a) / math.sqrt({"fan_in": fan_in, "fan_out": fan_out}[mode])


def kaiming_uniform_(
    tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", *, axes=(-1, -2), rngs: nnx.Rngs
):
    """Fills a weight with uniform draws scaled by one of its fans (He)."""
    bound = math.sqrt(3) * kaiming_scale(tensor.shape, a, mode, nonlinearity, axes)
    return uniform_(tensor, -bound, bound, rngs=rngs)


def kaiming_normal_(
    tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", *, axes=(-1, -2), rngs: nnx.Rngs
):
    """Fills a weight with normal draws scaled by one of its fans (He)."""
    return normal_(tensor, 0, kaiming_scale(tensor.shape, a, mode, nonlinearity, axes), rngs=rngs)


def orthogonal_(tensor, gain=1, *, axes=(-1, -2), rngs: nnx.Rngs):
    """Fills a weight with a random orthogonal matrix: its output axis against all others."""
    rows = tensor.shape[axes[0]]
    matrix = jax.nn.initializers.orthogonal(gain, column_axis=0)(rngs.params(), (rows, tensor.size // rows))
    spatial = [n for i, n in enumerate(tensor.shape) if i - tensor.ndim not in axes and i not in axes]
    weight = matrix.reshape(rows, tensor.shape[axes[1]], *spatial)
    return fill_parameter(tensor, jnp.moveaxis(weight, (0, 1), axes))


def sparse_(tensor, sparsity, std=0.01, *, axes=(-1, -2), rngs: nnx.Rngs):
    """Fills a matrix with normal draws and a share of each column with zeros."""
    shape = (tensor.shape[axes[0]], tensor.shape[axes[1]])
    rank = jax.random.uniform(rngs.params(), shape).argsort(0).argsort(0)
    draws = std * jax.random.normal(rngs.params(), shape)
    weight = jnp.where(rank < math.ceil(sparsity * shape[0]), 0, draws)
    return fill_parameter(tensor, jnp.moveaxis(weight, (0, 1), axes))

"""What the converted modules of this package share: layers and functions that Flax NNX lacks in this form."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax


class _NormBase(nnx.BatchNorm):
    """Normalisation of each channel (axis 1), with torch's constructor and momentum (the weight of what is new)."""

    first_axis = 0  # statistics are taken over this axis of the channels-last input and all later ones but the channels

    def __init__(
        self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True, device=None, dtype=None, *,
        rngs: nnx.Rngs,
    ):
        if momentum is None:
            raise ValueError("momentum=None (a cumulative average) is not supported")
        super().__init__(
            num_features, epsilon=eps, use_scale=affine, use_bias=affine, param_dtype=dtype or jnp.float32, rngs=rngs
        )
        self.eps, self.momentum, self.affine, self.track_running_stats = eps, momentum, affine, track_running_stats
        if not track_running_stats:
            self.mean = self.var = nnx.data(None)

    def __call__(self, input):
        x = jnp.moveaxis(input.astype(jnp.promote_types(input.dtype, jnp.float32)), 1, -1)
        if self.use_running_average and self.track_running_stats:
            mean, var = self.mean[...], self.var[...]
        else:
            axes = tuple(range(self.first_axis, x.ndim - 1))
            mean = x.mean(axes, keepdims=True)
            var = jnp.square(x - mean).mean(axes, keepdims=True)
            if self.track_running_stats:
                count = math.prod(x.shape[axis] for axis in axes)
                self.mean[...] += self.momentum * (self.batch_average(mean) - self.mean[...])
                self.var[...] += self.momentum * (self.batch_average(var) * count / max(count - 1, 1) - self.var[...])
        y = (x - mean) * lax.rsqrt(var + self.eps)
        if self.affine:
            y = y * self.scale[...] + self.bias[...]
        return jnp.moveaxis(y.astype(input.dtype), -1, 1)

    def batch_average(self, statistic):
        return lax.stop_gradient(statistic.reshape(-1, self.num_features).mean(0))


class _BatchNorm(_NormBase):
    """Batch normalisation over axis 1, with torch's constructor."""


class BatchNorm2d(_BatchNorm):
    """Batch normalisation over (N, C, H, W), with torch's constructor."""


def to_tuple(value: int | Sequence[int], length: int) -> tuple[int, ...]:
    """One int for each spatial axis."""
    values = tuple(value) if isinstance(value, Sequence) else (int(value),)
    return values * length if len(values) == 1 else values


class _ConvNd(nnx.Conv):
    """Convolution with torch's constructor and axis order (channels first); its kernel is stored channels-last."""

    rank = 2

    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True,
        padding_mode="zeros", device=None, dtype=None, *, rngs: nnx.Rngs,
    ):
        super().__init__(
            in_channels, out_channels, to_tuple(kernel_size, self.rank), feature_group_count=groups, use_bias=bias,
            param_dtype=dtype or jnp.float32, rngs=rngs,
        )
        del self.mask  # the name is free for a subclass
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.stride, self.dilation = to_tuple(stride, self.rank), to_tuple(dilation, self.rank)
        self.padding = padding if isinstance(padding, str) else to_tuple(padding, self.rank)
        self.padding_mode = padding_mode

    def __call__(self, input):
        if self.padding == "same":
            spans = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size)]
            pads = [(span // 2, span - span // 2) for span in spans]
        else:
            pads = [(p, p) for p in ((0,) * self.rank if self.padding == "valid" else self.padding)]
        x = input if input.ndim == self.rank + 2 else input[None]
        x = jnp.moveaxis(x, 1, -1)
        if self.padding_mode != "zeros":
            mode = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[self.padding_mode]
            x, pads = jnp.pad(x, [(0, 0), *pads, (0, 0)], mode=mode), [(0, 0)] * self.rank
        axes = "DHW"[-self.rank :]
        y = lax.conv_general_dilated(
            x, self.kernel[...], self.stride, pads, rhs_dilation=self.dilation, feature_group_count=self.groups,
            dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
        )
        if self.bias is not None:
            y = y + self.bias[...]
        y = jnp.moveaxis(y, -1, 1)
        return y if input.ndim == self.rank + 2 else y[0]


class Conv2d(_ConvNd):
    """2-D convolution over (N, C, H, W), with torch's constructor."""

    rank = 2


def is_jax_function(value):
    """Whether this is a function of JAX, or a partial one."""
    function = getattr(value, "func", value)
    return callable(function) and not isinstance(function, type) and str(function.__module__).startswith("jax")


class Sequential(nnx.Sequential):
    """Layers applied one after the other; as in torch they can be named, indexed, sliced, added and iterated over.

    Layers given by position (or named by a number) live in `layers`, others in attributes of their name.
    """

    child_names = ()

    def __init__(self, *args, rngs: nnx.Rngs | None = None):
        super().__init__()
        named = len(args) == 1 and isinstance(args[0], dict)
        for name, layer in args[0].items() if named else enumerate(args):
            self.add_module(str(name), layer)

    def __setattr__(self, name, value):
        is_layer = isinstance(value, nnx.Module) or is_jax_function(value)
        if is_layer and name != "layers" and name not in self.child_names:
            super().__setattr__("child_names", (*self.child_names, name))
        super().__setattr__(name, value)

    def __call__(self, input):
        for layer in self:
            input = layer(input)
        return input

    def owner(self, name):
        """The object that holds the child of this name as an attribute."""
        return self.layers if name.isdecimal() else self

    def add_module(self, name, layer):
        if name == str(len(self.layers)):
            self.layers.append(layer)
        else:
            setattr(self.owner(name), name, layer)
        if name not in self.child_names:
            super().__setattr__("child_names", (*self.child_names, name))

    def items(self):
        return [(name, getattr(self.owner(name), name)) for name in self.child_names]

    def __len__(self):
        return len(self.child_names)

    def __iter__(self):
        return iter([layer for _, layer in self.items()])

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Sequential(dict(self.items()[index]))
        name = index if isinstance(index, str) else self.child_names[index]
        return getattr(self.owner(name), name)

    def __setitem__(self, index, layer):
        name = self.child_names[index]
        delattr(self.owner(name), name)  # a layer may take the place of a plain function, which is no state
        setattr(self.owner(name), name, layer)

    def __delitem__(self, index):
        layers = [*self]
        del layers[index]
        self.replace(layers)

    def replace(self, layers):
        """Start again with these layers; all of them are named by their position, as in torch."""
        for name in self.child_names:
            delattr(self.owner(name), name)
        self.layers = nnx.List()
        super().__setattr__("child_names", ())
        self.extend(layers)

    def append(self, layer):
        self.add_module(str(len(self)), layer)
        return self

    def extend(self, layers):
        for layer in layers:
            self.append(layer)
        return self

    def insert(self, index, layer):
        self.replace([*self[:index], layer, *self[index:]])
        return self

    def pop(self, index):
        layer = self[index]
        del self[index]
        return layer


class SiLU(nnx.Module):
    """x * sigmoid(x)."""

    def __init__(self, inplace=False, *, rngs: nnx.Rngs | None = None):
        pass

    def __call__(self, input):
        return nnx.silu(input)


def fill_parameter(tensor: nnx.Variable, value: jax.Array) -> nnx.Variable:
    """Puts value into a parameter; an array cannot be changed, so for one the result is the value."""
    value = jnp.asarray(value, tensor.dtype)
    if isinstance(tensor, jax.Array):
        return value
    tensor[...] = value
    return tensor


def constant_(tensor, val):
    """Fills a parameter with one value."""
    return fill_parameter(tensor, jnp.full(tensor.shape, val))


def output_sizes(
    spatial, size, scale_factor, recompute_scale_factor
) -> list[tuple[int, int, float]]:
    """For each spatial axis its size, its new size, and the step from one new position to the next."""
    rank = len(spatial)
    if size is not None:
        sizes = (size,) * rank if np.ndim(size) == 0 else tuple(size)
        return [(n, out, n / out) for n, out in zip(spatial, sizes)]
    factors = (scale_factor,) * rank if np.ndim(scale_factor) == 0 else tuple(scale_factor)
    sizes = [math.floor(n * factor) for n, factor in zip(spatial, factors)]
    # The step follows from the factor that was given, even where the new size had to be rounded.
    steps = [n / out if recompute_scale_factor else 1 / f for n, out, f in zip(spatial, sizes, factors)]
    return list(zip(spatial, sizes, steps))


def interpolate_nearest(x, size=None, scale_factor=None, recompute_scale_factor=None, exact=False) -> jax.Array:
    """Resizes the spatial axes of x [N C *spatial] by copying the nearest element."""
    axes = output_sizes(x.shape[2:], size, scale_factor, recompute_scale_factor)
    for axis, (n, out, step) in enumerate(axes, 2):
        where = (np.arange(out, dtype=np.float32) + np.float32(0.5 if exact else 0)) * np.float32(step)
        x = jnp.take(x, np.minimum(where.astype(int), n - 1), axis=axis)
    return x

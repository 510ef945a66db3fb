"""ResNet for image classification (He et al., 2015), with basic and bottleneck blocks."""

from typing import Any, Callable, List, Optional, Type, Union
import math
from collections.abc import Sequence
from functools import partial

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


class _MaxPoolNd(nnx.Module):
    """What the max pooling layers share: their settings."""

    def __init__(
        self, kernel_size, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False, *,
        rngs: nnx.Rngs | None = None,
    ):
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation, self.ceil_mode = padding, dilation, ceil_mode
        self.return_indices = return_indices


def pool_padding(
    size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool
) -> tuple[int, int]:
    """Padding of one axis; with ceil_mode a last window may overhang the end, if it starts inside."""
    free = size + 2 * padding - dilation * (kernel - 1) - 1
    overhangs = ceil_mode and free % stride and free - free % stride + stride < size + padding
    return padding, padding + (stride - free % stride if overhangs else 0)


def max_pool_nd(x, rank, kernel_size, stride, padding, dilation, ceil_mode) -> jax.Array:
    """Largest value of each window over the last `rank` axes of x."""
    lead = x.ndim - rank
    kernel, padding, dilation = (to_tuple(value, rank) for value in (kernel_size, padding, dilation))
    stride = kernel if stride is None else to_tuple(stride, rank)
    pads = [pool_padding(*axis, ceil_mode) for axis in zip(x.shape[lead:], kernel, stride, padding, dilation)]
    lowest = -np.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min
    if max(dilation) > 1:  # XLA cannot differentiate dilated windows: lay all windows side by side
        x, pads = jnp.pad(x, [(0, 0)] * lead + pads, constant_values=lowest), [(0, 0)] * rank
        for axis, (k, s, d) in enumerate(zip(kernel, stride, dilation), lead):
            starts = np.arange(0, x.shape[axis] - d * (k - 1), s)
            x = jnp.take(x, (starts[:, None] + np.arange(k) * d).reshape(-1), axis=axis)
        stride = kernel
    # channels last, as the layers around it: under jit the transposes cancel
    x = jnp.moveaxis(x, lead - 1, -1)
    batch, pads = (1,) * (lead - 1), [(0, 0)] * (lead - 1) + pads + [(0, 0)]
    y = lax.reduce_window(x, lowest, lax.max, (*batch, *kernel, 1), (*batch, *stride, 1), pads)
    return jnp.moveaxis(y, -1, lead - 1)


def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False) -> jax.Array:
    """Largest value of each window over the last two axes."""
    return max_pool_nd(x, 2, kernel_size, stride, padding, dilation, ceil_mode)


class MaxPool2d(_MaxPoolNd):
    """Largest value of every window over (N, C, H, W); positions are given by MaxPool2dWithIndices."""

    def __call__(self, input):
        if self.return_indices:
            raise ValueError("return_indices must be known when the layer is written")
        return max_pool2d(input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)


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


def kaiming_scale(shape, a, mode, nonlinearity, axes) -> float:
    """Standard deviation that keeps the variance through a layer and its nonlinearity (He)."""
    fan_in, fan_out = fans(shape, axes)
    return calculate_gain(nonlinearity, a) / math.sqrt({"fan_in": fan_in, "fan_out": fan_out}[mode])


def normal_(tensor, mean=0.0, std=1.0, *, rngs: nnx.Rngs):
    """Fills a parameter with normal draws."""
    return fill_parameter(tensor, mean + std * jax.random.normal(rngs.params(), tensor.shape))


def kaiming_normal_(
    tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", *, axes=(-1, -2), rngs: nnx.Rngs
):
    """Fills a weight with normal draws scaled by one of its fans (He)."""
    return normal_(tensor, 0, kaiming_scale(tensor.shape, a, mode, nonlinearity, axes), rngs=rngs)


def is_jax_function(value):
    """Whether this is a function of JAX, or a partial one."""
    function = getattr(value, "func", value)
    return callable(function) and not isinstance(function, type) and str(function.__module__).startswith("jax")


def named_children(module):
    """The direct parts of a module with their names, each once; JAX functions stand for layers without parameters."""
    if hasattr(module, "child_names"):
        items = module.items()
    elif isinstance(module, nnx.Sequential):
        items = enumerate(module.layers)
    elif isinstance(module, nnx.List):
        items = enumerate(module)
    else:
        items = vars(module).items() if isinstance(module, nnx.Module) else ()
        native = any(base.__module__.startswith("flax.nnx.nn.") for base in type(module).__mro__)
        items = [(k, v) for k, v in items if isinstance(v, nnx.Module) or (is_jax_function(v) and not native)]
    seen = set()
    for name, child in items:
        if id(child) not in seen and not isinstance(child, nnx.Variable):
            if isinstance(child, nnx.Module):
                seen.add(id(child))
            yield str(name), child


def named_modules(module, memo=None, prefix="", remove_duplicate=True):
    """The module and all modules inside it with their dotted names, parents first, each once."""
    memo = set() if memo is None else memo
    if id(module) not in memo:
        if remove_duplicate and isinstance(module, nnx.Module):
            memo.add(id(module))
        yield prefix, module
        for name, child in named_children(module):
            yield from named_modules(child, memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)


def modules(module):
    """The module and all modules inside it, parents first, each once."""
    for _, found in named_modules(module):
        yield found


def conv3x3(in_planes: int, out_planes: int, stride: int = 1, *, rngs: nnx.Rngs) -> Conv2d:
    """3x3 convolution with padding."""
    return Conv2d(in_planes, out_planes, kernel_size=3, stride=stride, padding=1, bias=False, rngs=rngs)


class BasicBlock(nnx.Module):
    expansion: int = 1

    def __init__(
        self,
        in_planes: int,
        planes: int,
        stride: int = 1,
        downsample: Optional[nnx.Module] = None,
        norm_layer: Optional[Callable[..., nnx.Module]] = None,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        if norm_layer is None:
            norm_layer = BatchNorm2d
        self.conv1 = conv3x3(in_planes, planes, stride, rngs=rngs)
        self.bn1 = norm_layer(planes, rngs=rngs)
        self.relu = nnx.relu
        self.conv2 = conv3x3(planes, planes, rngs=rngs)
        self.bn2 = norm_layer(planes, rngs=rngs)
        self.downsample = downsample

    def __call__(self, x: jax.Array) -> jax.Array:
        identity = x

        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))

        # The shortcut has to match the main path in size and width.
        if self.downsample is not None:
            identity = self.downsample(x)

        out += identity
        return self.relu(out)


class Bottleneck(nnx.Module):
    expansion: int = 4

    def __init__(
        self,
        in_planes: int,
        planes: int,
        stride: int = 1,
        downsample: Optional[nnx.Module] = None,
        norm_layer: Optional[Callable[..., nnx.Module]] = None,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        if norm_layer is None:
            norm_layer = BatchNorm2d
        self.conv1 = Conv2d(in_planes, planes, kernel_size=1, bias=False, rngs=rngs)
        self.bn1 = norm_layer(planes, rngs=rngs)
        self.conv2 = conv3x3(planes, planes, stride, rngs=rngs)
        self.bn2 = norm_layer(planes, rngs=rngs)
        self.conv3 = Conv2d(planes, planes * self.expansion, kernel_size=1, bias=False, rngs=rngs)
        self.bn3 = norm_layer(planes * self.expansion, rngs=rngs)
        self.relu = nnx.relu
        self.downsample = downsample

    def __call__(self, x: jax.Array) -> jax.Array:
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return self.relu(out + identity)


class ResNet(nnx.Module):
    def __init__(
        self,
        block: Type[Union[BasicBlock, Bottleneck]],
        layers: List[int],
        num_classes: int = 1000,
        in_channels: int = 3,
        zero_init_residual: bool = False,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        self.in_planes = 64
        self.conv1 = Conv2d(in_channels, self.in_planes, kernel_size=7, stride=2, padding=3, bias=False, rngs=rngs)
        self.bn1 = BatchNorm2d(self.in_planes, rngs=rngs)
        self.relu = nnx.relu
        self.maxpool = MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = self._make_layer(block, 64, layers[0], rngs=rngs)
        self.layer2 = self._make_layer(block, 128, layers[1], stride=2, rngs=rngs)
        self.layer3 = self._make_layer(block, 256, layers[2], stride=2, rngs=rngs)
        self.layer4 = self._make_layer(block, 512, layers[3], stride=2, rngs=rngs)
        self.avgpool = partial(jnp.mean, axis=(-2, -1), keepdims=True)
        self.fc = nnx.Linear(512 * block.expansion, num_classes, rngs=rngs)

        for m in modules(self):
            if isinstance(m, Conv2d):
                kaiming_normal_(m.kernel, mode="fan_out", nonlinearity="relu", rngs=rngs)
            elif isinstance(m, BatchNorm2d):
                constant_(m.scale, 1)
                constant_(m.bias, 0)

        # Each residual branch starts at zero, so that every block is the identity at first.
        if zero_init_residual:
            for m in modules(self):
                if isinstance(m, Bottleneck):
                    constant_(m.bn3.scale, 0)
                elif isinstance(m, BasicBlock):
                    constant_(m.bn2.scale, 0)

    def _make_layer(
        self, block: Type[Union[BasicBlock, Bottleneck]], planes: int, blocks: int, stride: int = 1, *, rngs: nnx.Rngs
    ) -> nnx.Sequential:
        downsample = None
        if stride != 1 or self.in_planes != planes * block.expansion:
            downsample = nnx.Sequential(
                Conv2d(self.in_planes, planes * block.expansion, kernel_size=1, stride=stride, bias=False, rngs=rngs),
                BatchNorm2d(planes * block.expansion, rngs=rngs),
            )
        layers = [block(self.in_planes, planes, stride, downsample, rngs=rngs)]
        self.in_planes = planes * block.expansion
        for _ in range(1, blocks):
            layers.append(block(self.in_planes, planes, rngs=rngs))
        return nnx.Sequential(*layers)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        x = lax.collapse(self.avgpool(x), 1)
        return self.fc(x)


def resnet18(*, rngs: nnx.Rngs, **kwargs: Any) -> ResNet:
    return ResNet(BasicBlock, [2, 2, 2, 2], rngs=rngs, **kwargs)


def resnet50(*, rngs: nnx.Rngs, **kwargs: Any) -> ResNet:
    return ResNet(Bottleneck, [3, 4, 6, 3], rngs=rngs, **kwargs)

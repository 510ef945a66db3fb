"""Vision Transformer (Dosovitskiy et al., 2020) with stochastic depth."""

from functools import partial
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


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


class GELU(nnx.Module):
    """x times the normal distribution function of x."""

    def __init__(self, approximate="none", *, rngs: nnx.Rngs | None = None):
        self.approximate = approximate

    def __call__(self, input):
        return nnx.gelu(input, approximate=self.approximate == "tanh")


class Identity(nnx.Module):
    """Gives its input back; takes and ignores any constructor arguments, as torch's does."""

    def __init__(self, *args, rngs: nnx.Rngs | None = None, **kwargs):
        pass

    def __call__(self, input):
        return input


class LayerNorm(nnx.LayerNorm):
    """Layer normalisation over the last axes, with torch's constructor."""

    def __init__(
        self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True, device=None, dtype=None, *, rngs: nnx.Rngs
    ):
        shape = tuple(normalized_shape) if isinstance(normalized_shape, Sequence) else (int(normalized_shape),)
        axes, dtype = tuple(range(-len(shape), 0)), dtype or jnp.float32
        super().__init__(
            shape[-1], epsilon=eps, use_scale=elementwise_affine, use_bias=elementwise_affine and bias,
            reduction_axes=axes, feature_axes=axes, use_fast_variance=False, param_dtype=dtype, rngs=rngs,
        )
        self.normalized_shape, self.eps, self.elementwise_affine = shape, eps, elementwise_affine
        if len(shape) > 1:
            self.scale = nnx.data(nnx.Param(jnp.ones(shape, dtype)) if self.use_scale else None)
            self.bias = nnx.data(nnx.Param(jnp.zeros(shape, dtype)) if self.use_bias else None)


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


def children(module):
    """The direct parts of a module, each once."""
    for _, child in named_children(module):
        yield child


def apply(module, fn):
    """Call fn on every module inside and then on the module itself; gives the module back."""
    for child in children(module):
        apply(child, fn)
    fn(module)
    return module


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


def expand_to(x: jax.Array, sizes: Sequence[int]) -> jax.Array:
    """x broadcast to the given sizes, where -1 keeps the size of that axis."""
    known = (1,) * (len(sizes) - x.ndim) + x.shape
    return jnp.broadcast_to(x, tuple(old if new == -1 else new for old, new in zip(known, sizes, strict=True)))


def trunc_normal_(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0, *, rngs: nnx.Rngs):
    """Fills a parameter with normal draws between a and b."""
    low, high = (a - mean) / std, (b - mean) / std
    return fill_parameter(tensor, mean + std * jax.random.truncated_normal(rngs.params(), low, high, tensor.shape))


def drop_path(x, drop_prob: float = 0.0, training: bool = False, *, rngs: nnx.Rngs):
    """Drop whole residual branches, one draw for each sample."""
    if drop_prob == 0.0 or not training:
        return x
    keep_prob = 1 - drop_prob
    shape = (x.shape[0],) + (1,) * (x.ndim - 1)
    random_tensor = keep_prob + jax.random.uniform(rngs(), shape, dtype=x.dtype)
    random_tensor = jnp.floor(random_tensor)
    return (x / keep_prob) * random_tensor


class DropPath(nnx.Module):
    def __init__(self, drop_prob=None, *, rngs: nnx.Rngs):
        self.deterministic = False
        self.rngs = rngs
        self.drop_prob = drop_prob

    def __call__(self, x):
        return drop_path(x, self.drop_prob, not self.deterministic, rngs=self.rngs)


class Mlp(nnx.Module):
    def __init__(
        self, in_features, hidden_features=None, out_features=None, act_layer=GELU, drop=0.0, *, rngs: nnx.Rngs,
    ):
        out_features = out_features or in_features
        hidden_features = hidden_features or in_features
        self.fc1 = nnx.Linear(in_features, hidden_features, rngs=rngs)
        self.act = act_layer(rngs=rngs)
        self.fc2 = nnx.Linear(hidden_features, out_features, rngs=rngs)
        self.drop = nnx.Dropout(drop, rngs=rngs)

    def __call__(self, x):
        x = self.fc1(x)
        x = self.act(x)
        x = self.drop(x)
        x = self.fc2(x)
        x = self.drop(x)
        return x


class Attention(nnx.Module):
    def __init__(self, dim, num_heads=8, qkv_bias=False, attn_drop=0.0, proj_drop=0.0, *, rngs: nnx.Rngs):
        self.num_heads = num_heads
        head_dim = dim // num_heads
        self.scale = head_dim**-0.5

        self.qkv = nnx.Linear(dim, dim * 3, use_bias=qkv_bias, rngs=rngs)
        self.attn_drop = nnx.Dropout(attn_drop, rngs=rngs)
        self.proj = nnx.Linear(dim, dim, rngs=rngs)
        self.proj_drop = nnx.Dropout(proj_drop, rngs=rngs)

    def __call__(self, x):
        B, N, C = x.shape
        qkv = jnp.transpose(self.qkv(x).reshape(B, N, 3, self.num_heads, C // self.num_heads), (2, 0, 3, 1, 4))
        q, k, v = qkv[0], qkv[1], qkv[2]

        attn = (q @ jnp.swapaxes(k, -2, -1)) * self.scale
        attn = jax.nn.softmax(attn)
        attn = self.attn_drop(attn)

        x = jnp.swapaxes(attn @ v, 1, 2).reshape(B, N, C)
        x = self.proj(x)
        return self.proj_drop(x)


class Block(nnx.Module):
    def __init__(
        self, dim, num_heads, mlp_ratio=4.0, qkv_bias=False, drop=0.0, drop_path=0.0, norm_layer=LayerNorm, *, rngs: nnx.Rngs
    ):
        self.norm1 = norm_layer(dim, rngs=rngs)
        self.attn = Attention(dim, num_heads=num_heads, qkv_bias=qkv_bias, proj_drop=drop, rngs=rngs)
        self.drop_path = DropPath(drop_path, rngs=rngs) if drop_path > 0.0 else Identity()
        self.norm2 = norm_layer(dim, rngs=rngs)
        self.mlp = Mlp(in_features=dim, hidden_features=int(dim * mlp_ratio), drop=drop, rngs=rngs)

    def __call__(self, x):
        x = x + self.drop_path(self.attn(self.norm1(x)))
        x = x + self.drop_path(self.mlp(self.norm2(x)))
        return x


class PatchEmbed(nnx.Module):
    """Image to a sequence of patch embeddings."""

    def __init__(self, img_size=224, patch_size=16, in_chans=3, embed_dim=768, *, rngs: nnx.Rngs):
        self.num_patches = (img_size // patch_size) ** 2
        self.proj = Conv2d(in_chans, embed_dim, kernel_size=patch_size, stride=patch_size, rngs=rngs)

    def __call__(self, x):
        return jnp.swapaxes(lax.collapse(self.proj(x), 2), 1, 2)  # B, C, H, W -> B, N, C


class VisionTransformer(nnx.Module):
    def __init__(
        self,
        img_size=224,
        patch_size=16,
        in_chans=3,
        num_classes=1000,
        embed_dim=192,
        depth=12,
        num_heads=3,
        mlp_ratio=4.0,
        qkv_bias=True,
        drop_rate=0.0,
        drop_path_rate=0.1,
        norm_layer=partial(LayerNorm, eps=1e-6),
        *,
        rngs: nnx.Rngs,
    ):
        self.patch_embed = PatchEmbed(img_size, patch_size, in_chans, embed_dim, rngs=rngs)
        self.cls_token = nnx.Param(jnp.zeros((1, 1, embed_dim)))
        self.pos_embed = nnx.Param(jnp.zeros((1, self.patch_embed.num_patches + 1, embed_dim)))
        self.pos_drop = nnx.Dropout(drop_rate, rngs=rngs)

        dpr = [x.item() for x in jnp.linspace(0, drop_path_rate, depth)]  # deeper blocks are dropped more often
        self.blocks = nnx.Sequential(
            *[
                Block(embed_dim, num_heads, mlp_ratio, qkv_bias, drop_rate, dpr[i], norm_layer, rngs=rngs)
                for i in range(depth)
            ]
        )
        self.norm = norm_layer(embed_dim, rngs=rngs)
        self.head = nnx.Linear(embed_dim, num_classes, rngs=rngs) if num_classes > 0 else Identity()

        trunc_normal_(self.pos_embed, std=0.02, rngs=rngs)
        trunc_normal_(self.cls_token, std=0.02, rngs=rngs)
        apply(self, partial(self._init_weights, rngs=rngs))

    def _init_weights(self, m, *, rngs: nnx.Rngs):
        if isinstance(m, nnx.Linear):
            trunc_normal_(m.kernel, std=0.02, rngs=rngs)
            if m.bias is not None:
                constant_(m.bias, 0)

    def forward_features(self, x):
        x = self.patch_embed(x)
        cls_tokens = expand_to(self.cls_token[...], (x.shape[0], -1, -1))
        x = jnp.concatenate((cls_tokens, x), axis=1)
        x = self.pos_drop(x + self.pos_embed[...])
        return self.norm(self.blocks(x))

    def __call__(self, x):
        x = self.forward_features(x)
        return self.head(x[:, 0])


def vit_tiny(*, rngs: nnx.Rngs, **kwargs):
    return VisionTransformer(embed_dim=192, depth=12, num_heads=3, rngs=rngs, **kwargs)

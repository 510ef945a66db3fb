"""A transformer encoder that forecasts the next values of a multivariate time series."""

import math
from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


class Constant:
    """An array that belongs to a module but not to its state: `constant[...]` reads it."""

    def __init__(self, value):
        self.value = jnp.asarray(value)

    def __getitem__(self, index):
        return self.value if index is Ellipsis else self.value[index]

    def __setitem__(self, index, value):
        self.value = jnp.asarray(value) if index is Ellipsis else self.value.at[index].set(value)

    def __jax_array__(self):
        return self.value

    @property
    def shape(self):
        return self.value.shape

    @property
    def dtype(self):
        return self.value.dtype

    @property
    def ndim(self):
        return self.value.ndim


def copies(module, count, rngs):
    """Copies of a module with the same weights and random streams of their own."""
    found = [nnx.clone(module) for _ in range(count)]
    for _, part in nnx.iter_graph(found):
        if isinstance(part, nnx.RngStream):
            part.key[...] = rngs()
    return nnx.List(found)


class TransformerEncoder(nnx.Module):
    """A stack of copies of an encoder layer, with torch's constructor."""

    def __init__(
        self, encoder_layer, num_layers, norm=None, enable_nested_tensor=True, mask_check=True, *, rngs: nnx.Rngs
    ):
        self.layers, self.num_layers, self.norm = copies(encoder_layer, num_layers, rngs), num_layers, nnx.data(norm)

    def __call__(self, src, mask=None, src_key_padding_mask=None, is_causal=None):
        for layer in self.layers:
            src = layer(src, mask, src_key_padding_mask)
        return src if self.norm is None else self.norm(src)


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


class Linear(nnx.Linear):
    """Dense layer with torch's constructor."""

    def __init__(self, in_features, out_features, bias=True, device=None, dtype=None, *, rngs: nnx.Rngs):
        super().__init__(in_features, out_features, use_bias=bias, param_dtype=dtype or jnp.float32, rngs=rngs)


def additive_mask(mask):
    """A mask to add to attention scores; a boolean one is True where attention is forbidden."""
    return jnp.where(mask, -jnp.inf, 0.0) if mask.dtype == bool else mask


def attention_weights(query, key, attn_mask=None, is_causal=False, scale=None) -> jax.Array:
    """softmax(query @ key.T * scale), with masked places at zero (a row without any place is all zeros)."""
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    scores = query @ key.swapaxes(-1, -2) * scale
    if is_causal:
        scores = jnp.where(jnp.tril(jnp.ones(scores.shape[-2:], bool)), scores, -jnp.inf)
    if attn_mask is None:
        return jax.nn.softmax(scores, axis=-1)
    if attn_mask.dtype == bool:
        attn_mask = jnp.where(attn_mask, 0, -jnp.inf)
    scores = scores + attn_mask.astype(scores.dtype)
    empty = jnp.all(jnp.isneginf(scores), axis=-1, keepdims=True)
    return jnp.where(empty, 0, jax.nn.softmax(jnp.where(empty, 0, scores), axis=-1))


def masked_dropout(x, p, training, shape, rngs: nnx.Rngs) -> jax.Array:
    """Zeroes x where a draw of the given shape says so (probability p), and scales the rest to keep the mean."""
    if not training or p == 0:
        return x
    if p == 1:
        return jnp.zeros_like(x)
    keep = jax.random.bernoulli(rngs.dropout(), 1 - p, shape)
    return jnp.where(keep, x / (1 - p), 0)


def _dropout(x, p=0.5, training=True, *, rngs: nnx.Rngs) -> jax.Array:
    """Zeroes each element with probability p in training and scales the rest by 1 / (1 - p)."""
    return masked_dropout(x, p, training, x.shape, rngs)


class MultiheadAttention(nnx.Module):
    """Attention with several heads, with torch's constructor; gives the pair (output, weights or None)."""

    def __init__(
        self, embed_dim, num_heads, dropout=0.0, bias=True, add_bias_kv=False, add_zero_attn=False, kdim=None,
        vdim=None, batch_first=False, device=None, dtype=None, *, rngs: nnx.Rngs,
    ):
        if add_bias_kv or add_zero_attn:
            raise ValueError("add_bias_kv and add_zero_attn are not supported")
        self.embed_dim, self.num_heads, self.head_dim = embed_dim, num_heads, embed_dim // num_heads
        self.kdim, self.vdim, self.batch_first = kdim or embed_dim, vdim or embed_dim, batch_first
        self.dropout, self.deterministic, self.rngs = dropout, False, rngs.fork()
        linear = partial(nnx.Linear, use_bias=bias, param_dtype=dtype or jnp.float32, rngs=rngs)
        self.query = linear(embed_dim, embed_dim)
        self.key = linear(self.kdim, embed_dim)
        self.value = linear(self.vdim, embed_dim)
        self.out_proj = linear(embed_dim, embed_dim)

    def __call__(
        self, query, key, value, key_padding_mask=None, need_weights=True, attn_mask=None, average_attn_weights=True,
        is_causal=False,
    ):
        batched = query.ndim == 3
        if not batched:
            query, key, value = query[None], key[None], value[None]
        elif not self.batch_first:
            query, key, value = query.swapaxes(0, 1), key.swapaxes(0, 1), value.swapaxes(0, 1)

        def heads(x):
            return x.reshape(*x.shape[:2], self.num_heads, self.head_dim).swapaxes(1, 2)

        query, key, value = heads(self.query(query)), heads(self.key(key)), heads(self.value(value))
        mask = None
        if attn_mask is not None:
            mask = additive_mask(attn_mask)
            mask = mask.reshape(-1, 1 if mask.ndim == 2 else self.num_heads, *mask.shape[-2:])
        if key_padding_mask is not None:
            padding = additive_mask(key_padding_mask).reshape(-1, 1, 1, key.shape[2])
            mask = padding if mask is None else mask + padding
        weights = attention_weights(query, key, mask)
        weights = _dropout(weights, self.dropout, not self.deterministic, rngs=self.rngs)
        output = (weights @ value).swapaxes(1, 2)
        output = self.out_proj(output.reshape(*output.shape[:2], self.embed_dim))
        if not batched:
            output, weights = output[0], weights[0]
        elif not self.batch_first:
            output = output.swapaxes(0, 1)
        if not need_weights:
            return output, None
        return output, weights.mean(-3) if average_attn_weights else weights


def activation_function(activation):
    """The function that a name stands for; a function stands for itself."""
    return {"relu": nnx.relu, "gelu": partial(nnx.gelu, approximate=False)}.get(activation, activation)


class TransformerEncoderLayer(nnx.Module):
    """Self-attention and a feed-forward block, with torch's constructor."""

    def __init__(
        self, d_model, nhead, dim_feedforward=2048, dropout=0.1, activation="relu", layer_norm_eps=1e-5,
        batch_first=False, norm_first=False, bias=True, device=None, dtype=None, *, rngs: nnx.Rngs,
    ):
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype, rngs=rngs
        )
        self.linear1 = Linear(d_model, dim_feedforward, bias, dtype=dtype, rngs=rngs)
        self.dropout = nnx.Dropout(dropout, rngs=rngs)
        self.linear2 = Linear(dim_feedforward, d_model, bias, dtype=dtype, rngs=rngs)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype, rngs=rngs)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype, rngs=rngs)
        self.dropout1 = nnx.Dropout(dropout, rngs=rngs)
        self.dropout2 = nnx.Dropout(dropout, rngs=rngs)
        self.activation = activation_function(activation)

    def __call__(self, src, src_mask=None, src_key_padding_mask=None, is_causal=False):
        def attend(x):
            return self.dropout1(self.self_attn(x, x, x, src_key_padding_mask, False, src_mask)[0])

        def feed(x):
            return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))

        if self.norm_first:
            src = src + attend(self.norm1(src))
            return src + feed(self.norm2(src))
        src = self.norm1(src + attend(src))
        return self.norm2(src + feed(src))


class PositionalEncoding(nnx.Module):
    def __init__(self, d_model: int, dropout: float = 0.1, max_len: int = 1000, *, rngs: nnx.Rngs):
        self.dropout = nnx.Dropout(dropout, rngs=rngs)

        pe = jnp.zeros((max_len, d_model))
        position = jnp.expand_dims(jnp.arange(0, max_len, dtype=jnp.float32), 1)
        div_term = jnp.exp(jnp.arange(0, d_model, 2).astype(jnp.float32) * (-math.log(10000.0) / d_model))
        pe = pe.at[:, 0::2].set(jnp.sin(position * div_term))
        pe = pe.at[:, 1::2].set(jnp.cos(position * div_term))
        self.pe = Constant(jnp.expand_dims(pe, 0))

    def __call__(self, x: jax.Array) -> jax.Array:
        x = x + self.pe[:, : x.shape[1]]
        return self.dropout(x)


class SeriesNorm(nnx.Module):
    """Reversible normalisation of each series by its own mean and scale, with a learned affine map."""

    def __init__(self, num_features: int, eps: float = 1e-5, *, rngs: nnx.Rngs):
        self.eps = eps
        self.weight = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))

    def statistics(self, x):
        mean = lax.stop_gradient(jnp.mean(x, axis=1, keepdims=True))
        std = lax.stop_gradient(jnp.sqrt(jnp.var(x, axis=1, keepdims=True) + self.eps))
        return mean, std

    def normalize(self, x, mean, std):
        return (x - mean) / std * self.weight[...] + self.bias[...]

    def denormalize(self, x, mean, std):
        return (x - self.bias[...]) / (self.weight[...] + self.eps) * std + mean


class TimeSeriesTransformer(nnx.Module):
    def __init__(
        self,
        num_features: int,
        horizon: int,
        d_model: int = 64,
        nhead: int = 4,
        num_layers: int = 2,
        dim_feedforward: int = 128,
        dropout: float = 0.1,
        causal: bool = True,
        *,
        rngs: nnx.Rngs,
    ):
        self.horizon = horizon
        self.num_features = num_features
        self.causal = causal

        self.norm = SeriesNorm(num_features, rngs=rngs)
        self.input_projection = nnx.Linear(num_features, d_model, rngs=rngs)
        self.pos_encoder = PositionalEncoding(d_model, dropout, rngs=rngs)
        encoder_layer = TransformerEncoderLayer(
            d_model, nhead, dim_feedforward, dropout, activation="gelu", batch_first=True, norm_first=True, rngs=rngs
        )
        self.encoder = TransformerEncoder(encoder_layer, num_layers, enable_nested_tensor=False, rngs=rngs)
        self.head = nnx.Sequential(
            nnx.LayerNorm(d_model, epsilon=1e-5, use_fast_variance=False, rngs=rngs),
            nnx.Linear(d_model, horizon * num_features, rngs=rngs),
        )

    @staticmethod
    def causal_mask(length: int, device=None) -> jax.Array:
        return jnp.triu(jnp.full((length, length), float("-inf")), k=1)

    def __call__(self, x: jax.Array) -> jax.Array:
        """x: (batch, time, features) -> (batch, horizon, features)"""
        mean, std = self.norm.statistics(x)
        h = self.norm.normalize(x, mean, std)
        h = self.pos_encoder(self.input_projection(h))
        mask = self.causal_mask(h.shape[1], device=None) if self.causal else None
        h = self.encoder(h, mask=mask)
        out = self.head(h[:, -1]).reshape(-1, self.horizon, self.num_features)
        return self.norm.denormalize(out, mean, std)


def quantile_loss(prediction: jax.Array, target: jax.Array, quantile: float = 0.5) -> jax.Array:
    error = target - prediction
    return jnp.mean(jnp.maximum(quantile * error, (quantile - 1) * error))

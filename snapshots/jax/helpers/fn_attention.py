"""Attention on arrays [..., tokens, channels]."""

import jax
import jax.numpy as jnp
from flax import nnx


def attention_weights(query, key, attn_mask=None, is_causal=False, scale=None) -> jax.Array:
    """softmax(query @ key.T * scale), with masked places at zero (a row without any place is all zeros)."""
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    scores = query @ key.swapaxes(-1, -2) * scale
    if is_causal:
        attn_mask = jnp.tril(jnp.ones(scores.shape[-2:], bool))
    if attn_mask is None:
        return jax.nn.softmax(scores, axis=-1)
    if attn_mask.dtype == bool:
        attn_mask = jnp.where(attn_mask, 0, -jnp.inf)
    scores = scores + attn_mask.astype(scores.dtype)
    empty = jnp.all(jnp.isneginf(scores), axis=-1, keepdims=True)
    return jnp.where(empty, 0, jax.nn.softmax(jnp.where(empty, 0, scores), axis=-1))


def repeat_heads(query, key, value) -> tuple[jax.Array, jax.Array]:
    """Keys and values with one head for each head of the query (grouped-query attention)."""
    heads = query.shape[-3]
    return jnp.repeat(key, heads // key.shape[-3], axis=-3), jnp.repeat(value, heads // value.shape[-3], axis=-3)


def scaled_dot_product_attention(
    query, key, value, attn_mask=None, is_causal=False, scale=None, enable_gqa=False
) -> jax.Array:
    """softmax(query @ key.T * scale + mask) @ value; a boolean mask is True where attention is allowed."""
    if enable_gqa:
        key, value = repeat_heads(query, key, value)
    return attention_weights(query, key, attn_mask, is_causal, scale) @ value


def scaled_dot_product_attention_dropout(
    query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False, *, rngs: nnx.Rngs
) -> jax.Array:
    """scaled_dot_product_attention with dropout on the attention weights."""
    if enable_gqa:
        key, value = repeat_heads(query, key, value)
    weights = attention_weights(query, key, attn_mask, is_causal, scale)
    if dropout_p > 0:
        keep = jax.random.bernoulli(rngs.dropout(), 1 - dropout_p, weights.shape)
        weights = jnp.where(keep, weights / (1 - dropout_p), 0)
    return weights @ value

"""Attention on arrays [..., tokens, channels]."""

import math

import tensorflow as tf
import tensorflow.experimental.numpy as tnp


def attention_weights(query, key, attn_mask=None, is_causal=False, scale=None) -> tf.Tensor:
    """softmax(query @ key.T * scale), with masked places at zero (a row without any place is all zeros)."""
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    scores = query @ tnp.swapaxes(key, -1, -2) * scale
    if is_causal:
        scores = tf.where(tf.linalg.band_part(tf.ones(scores.shape[-2:], tf.bool), -1, 0), scores, -math.inf)
    if attn_mask is None:
        return tf.nn.softmax(scores, axis=-1)
    if attn_mask.dtype == tf.bool:
        attn_mask = tf.where(attn_mask, 0.0, -math.inf)
    scores = scores + tf.cast(attn_mask, scores.dtype)
    empty = tf.reduce_all(scores == -math.inf, axis=-1, keepdims=True)
    return tf.where(empty, 0, tf.nn.softmax(tf.where(empty, 0, scores), axis=-1))


def repeat_heads(query, key, value) -> tuple[tf.Tensor, tf.Tensor]:
    """Keys and values with one head for each head of the query (grouped-query attention)."""
    heads = query.shape[-3]
    return tf.repeat(key, heads // key.shape[-3], axis=-3), tf.repeat(value, heads // value.shape[-3], axis=-3)


def scaled_dot_product_attention(
    query, key, value, attn_mask=None, is_causal=False, scale=None, enable_gqa=False
) -> tf.Tensor:
    """softmax(query @ key.T * scale + mask) @ value; a boolean mask is True where attention is allowed."""
    if enable_gqa:
        key, value = repeat_heads(query, key, value)
    return attention_weights(query, key, attn_mask, is_causal, scale) @ value


def scaled_dot_product_attention_dropout(
    query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False
) -> tf.Tensor:
    """scaled_dot_product_attention with dropout on the attention weights."""
    if enable_gqa:
        key, value = repeat_heads(query, key, value)
    weights = attention_weights(query, key, attn_mask, is_causal, scale)
    if dropout_p > 0:
        keep = tf.random.uniform(weights.shape) >= dropout_p
        weights = tf.where(keep, weights / (1 - dropout_p), 0)
    return weights @ value


def distance_mask(mask: tf.Tensor, more: int) -> tf.Tensor:
    """A mask to add to scores: True, which keeps tokens apart, becomes -inf; `more` tokens that all may see follow."""
    mask = tf.where(mask, -math.inf, 0.0) if mask.dtype == tf.bool else mask
    return tf.pad(mask, [(0, 0)] * (mask.ndim - 1) + [(0, more)])


def multi_head_attention_forward(
    query,
    key,
    value,
    embed_dim_to_check,
    num_heads,
    in_proj_weight,
    in_proj_bias,
    bias_k,
    bias_v,
    add_zero_attn,
    out_proj_weight,
    out_proj_bias,
    key_padding_mask=None,
    need_weights=True,
    attn_mask=None,
    use_separate_proj_weight=False,
    q_proj_weight=None,
    k_proj_weight=None,
    v_proj_weight=None,
    average_attn_weights=True,
    *,
    dropout_p=0.0,
    training=True,
) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Multi-head attention of [tokens, batch, channels] or [tokens, channels]; True in a mask keeps tokens apart."""
    batched = query.ndim == 3
    if not batched:
        query, key, value = query[:, None], key[:, None], value[:, None]
    weights = (q_proj_weight, k_proj_weight, v_proj_weight)
    if not use_separate_proj_weight:
        weights = tf.split(in_proj_weight, 3)
    biases = (0, 0, 0) if in_proj_bias is None else tf.split(in_proj_bias, 3)
    q, k, v = (
        tf.tensordot(x, weight, axes=[[-1], [-1]]) + bias
        for x, weight, bias in zip((query, key, value), weights, biases)
    )
    if bias_k is not None:
        k, v = (tf.concat([x, tf.tile(bias, (1, x.shape[1], 1))], axis=0) for x, bias in ((k, bias_k), (v, bias_v)))
    # [tokens, batch, heads * channels] -> [batch, heads, tokens, channels]
    q, k, v = (tf.transpose(tf.reshape(x, (*x.shape[:2], num_heads, -1)), (1, 2, 0, 3)) for x in (q, k, v))
    if add_zero_attn:
        k, v = (tf.pad(x, ((0, 0), (0, 0), (0, 1), (0, 0))) for x in (k, v))
    more, mask = k.shape[2] - key.shape[0], None
    if attn_mask is not None:  # [target, source], or one for each batch and head
        mask = distance_mask(attn_mask, more)
        mask = tf.reshape(mask, (-1, 1 if mask.ndim == 2 else num_heads, *mask.shape[-2:]))
    if key_padding_mask is not None:
        padding = tf.reshape(distance_mask(key_padding_mask, more), (-1, 1, 1, k.shape[2]))
        mask = padding if mask is None else mask + padding
    attention = attention_weights(q, k, mask)
    if training and dropout_p > 0:
        keep = tf.random.uniform(attention.shape) >= dropout_p
        attention = tf.where(keep, attention / (1 - dropout_p), 0)
    out = tf.reshape(tf.transpose(attention @ v, (2, 0, 1, 3)), (*query.shape[:2], -1))
    out = tf.tensordot(out, out_proj_weight, axes=[[-1], [-1]])
    out = out if out_proj_bias is None else out + out_proj_bias
    attention = tf.reduce_mean(attention, 1) if average_attn_weights else attention
    if not batched:
        out, attention = out[:, 0], attention[0]
    return out, attention if need_weights else None

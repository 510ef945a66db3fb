"""Attention on arrays [..., tokens, channels]."""

import numpy as np


def attention_weights(query, key, attn_mask=None, is_causal=False, scale=None) -> np.ndarray:
    """softmax(query @ key.T * scale), with masked places at zero (a row without any place is all zeros)."""
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    scores = query @ key.swapaxes(-1, -2) * scale
    if is_causal:
        scores = np.where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    if attn_mask is None:
        return softmax(scores, axis=-1)
    if attn_mask.dtype == bool:
        attn_mask = np.where(attn_mask, 0.0, -np.inf)
    scores = scores + attn_mask.astype(scores.dtype)
    empty = np.all(np.isneginf(scores), axis=-1, keepdims=True)
    return np.where(empty, 0, softmax(np.where(empty, 0, scores), axis=-1))


def repeat_heads(query, key, value) -> tuple[np.ndarray, np.ndarray]:
    """Keys and values with one head for each head of the query (grouped-query attention)."""
    heads = query.shape[-3]
    return np.repeat(key, heads // key.shape[-3], axis=-3), np.repeat(value, heads // value.shape[-3], axis=-3)


def scaled_dot_product_attention(
    query, key, value, attn_mask=None, is_causal=False, scale=None, enable_gqa=False
) -> np.ndarray:
    """softmax(query @ key.T * scale + mask) @ value; a boolean mask is True where attention is allowed."""
    if enable_gqa:
        key, value = repeat_heads(query, key, value)
    return attention_weights(query, key, attn_mask, is_causal, scale) @ value


def scaled_dot_product_attention_dropout(
    query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False, *,
    rng: np.random.Generator,
) -> np.ndarray:
    """scaled_dot_product_attention with dropout on the attention weights."""
    if enable_gqa:
        key, value = repeat_heads(query, key, value)
    weights = attention_weights(query, key, attn_mask, is_causal, scale)
    return masked_dropout(weights, dropout_p, True, weights.shape, rng) @ value


def distance_mask(mask: np.ndarray, more: int) -> np.ndarray:
    """A mask to add to scores: True, which keeps tokens apart, becomes -inf; `more` tokens that all may see follow."""
    mask = np.where(mask, np.float32(-np.inf), np.float32(0)) if mask.dtype == bool else mask
    return np.pad(mask, [(0, 0)] * (mask.ndim - 1) + [(0, more)])


def multi_head_attention_forward(
    query, key, value, embed_dim_to_check, num_heads, in_proj_weight, in_proj_bias, bias_k, bias_v, add_zero_attn,
    out_proj_weight, out_proj_bias, key_padding_mask=None, need_weights=True, attn_mask=None,
    use_separate_proj_weight=False, q_proj_weight=None, k_proj_weight=None, v_proj_weight=None,
    average_attn_weights=True, *, dropout_p=0.0, training=True, rng: np.random.Generator | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Multi-head attention of [tokens, batch, channels] or [tokens, channels]; True in a mask keeps tokens apart."""
    batched = query.ndim == 3
    if not batched:
        query, key, value = query[:, None], key[:, None], value[:, None]
    weights = (q_proj_weight, k_proj_weight, v_proj_weight)
    if not use_separate_proj_weight:
        weights = np.split(in_proj_weight, 3)
    biases = (0, 0, 0) if in_proj_bias is None else np.split(in_proj_bias, 3)
    q, k, v = (x @ weight.T + bias for x, weight, bias in zip((query, key, value), weights, biases))
    if bias_k is not None:
        k, v = (np.concatenate([x, np.tile(bias, (1, x.shape[1], 1))]) for x, bias in ((k, bias_k), (v, bias_v)))
    # [tokens, batch, heads * channels] -> [batch, heads, tokens, channels]
    q, k, v = (x.reshape(*x.shape[:2], num_heads, -1).transpose(1, 2, 0, 3) for x in (q, k, v))
    if add_zero_attn:
        k, v = (np.pad(x, ((0, 0), (0, 0), (0, 1), (0, 0))) for x in (k, v))
    more, mask = k.shape[2] - key.shape[0], None
    if attn_mask is not None:  # [target, source], or one for each batch and head
        mask = distance_mask(attn_mask, more)
        mask = mask.reshape(-1, 1 if mask.ndim == 2 else num_heads, *mask.shape[-2:])
    if key_padding_mask is not None:
        padding = distance_mask(key_padding_mask, more).reshape(-1, 1, 1, k.shape[2])
        mask = padding if mask is None else mask + padding
    attention = attention_weights(q, k, mask)
    attention = masked_dropout(attention, dropout_p, training, attention.shape, rng)
    out = (attention @ v).transpose(2, 0, 1, 3).reshape(*query.shape[:2], -1) @ out_proj_weight.T
    out = out if out_proj_bias is None else out + out_proj_bias
    attention = attention.mean(1) if average_attn_weights else attention
    if not batched:
        out, attention = out[:, 0], attention[0]
    return out, attention if need_weights else None

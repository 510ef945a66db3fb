"""Attention and transformer layers with torch's constructors."""
# fmt: off (long signatures are filled, not one argument a line: these texts are copied into outputs)

from functools import partial

import jax.numpy as jnp
from flax import nnx


def additive_mask(mask):
    """A mask to add to attention scores; a boolean one is True where attention is forbidden."""
    return jnp.where(mask, -jnp.inf, 0.0) if mask.dtype == bool else mask


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
        weights = dropout(weights, self.dropout, not self.deterministic, rngs=self.rngs)
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


class TransformerDecoderLayer(nnx.Module):
    """Self-attention, attention to a memory and a feed-forward block, with torch's constructor."""

    def __init__(
        self, d_model, nhead, dim_feedforward=2048, dropout=0.1, activation="relu", layer_norm_eps=1e-5,
        batch_first=False, norm_first=False, bias=True, device=None, dtype=None, *, rngs: nnx.Rngs,
    ):
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype, rngs=rngs
        )
        self.multihead_attn = MultiheadAttention(
            d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype, rngs=rngs
        )
        self.linear1 = Linear(d_model, dim_feedforward, bias, dtype=dtype, rngs=rngs)
        self.dropout = nnx.Dropout(dropout, rngs=rngs)
        self.linear2 = Linear(dim_feedforward, d_model, bias, dtype=dtype, rngs=rngs)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype, rngs=rngs)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype, rngs=rngs)
        self.norm3 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype, rngs=rngs)
        self.dropout1 = nnx.Dropout(dropout, rngs=rngs)
        self.dropout2 = nnx.Dropout(dropout, rngs=rngs)
        self.dropout3 = nnx.Dropout(dropout, rngs=rngs)
        self.activation = activation_function(activation)

    def __call__(
        self, tgt, memory, tgt_mask=None, memory_mask=None, tgt_key_padding_mask=None, memory_key_padding_mask=None,
        tgt_is_causal=False, memory_is_causal=False,
    ):
        def attend(x):
            return self.dropout1(self.self_attn(x, x, x, tgt_key_padding_mask, False, tgt_mask)[0])

        def look_up(x):
            found = self.multihead_attn(x, memory, memory, memory_key_padding_mask, False, memory_mask)[0]
            return self.dropout2(found)

        def feed(x):
            return self.dropout3(self.linear2(self.dropout(self.activation(self.linear1(x)))))

        if self.norm_first:
            tgt = tgt + attend(self.norm1(tgt))
            tgt = tgt + look_up(self.norm2(tgt))
            return tgt + feed(self.norm3(tgt))
        tgt = self.norm1(tgt + attend(tgt))
        tgt = self.norm2(tgt + look_up(tgt))
        return self.norm3(tgt + feed(tgt))


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


class TransformerDecoder(nnx.Module):
    """A stack of copies of a decoder layer, with torch's constructor."""

    def __init__(self, decoder_layer, num_layers, norm=None, *, rngs: nnx.Rngs):
        self.layers, self.num_layers, self.norm = copies(decoder_layer, num_layers, rngs), num_layers, nnx.data(norm)

    def __call__(
        self, tgt, memory, tgt_mask=None, memory_mask=None, tgt_key_padding_mask=None, memory_key_padding_mask=None,
        tgt_is_causal=None, memory_is_causal=False,
    ):
        for layer in self.layers:
            tgt = layer(tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask)
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(nnx.Module):
    """An encoder and a decoder, with torch's constructor."""

    def __init__(
        self, d_model=512, nhead=8, num_encoder_layers=6, num_decoder_layers=6, dim_feedforward=2048, dropout=0.1,
        activation="relu", custom_encoder=None, custom_decoder=None, layer_norm_eps=1e-5, batch_first=False,
        norm_first=False, bias=True, device=None, dtype=None, *, rngs: nnx.Rngs,
    ):
        settings = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias)
        norm = partial(LayerNorm, d_model, layer_norm_eps, bias=bias, dtype=dtype, rngs=rngs)
        if custom_encoder is None:
            layer = TransformerEncoderLayer(*settings, dtype=dtype, rngs=rngs)
            custom_encoder = TransformerEncoder(layer, num_encoder_layers, norm(), rngs=rngs)
        if custom_decoder is None:
            layer = TransformerDecoderLayer(*settings, dtype=dtype, rngs=rngs)
            custom_decoder = TransformerDecoder(layer, num_decoder_layers, norm(), rngs=rngs)
        self.encoder, self.decoder = custom_encoder, custom_decoder
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def __call__(
        self, src, tgt, src_mask=None, tgt_mask=None, memory_mask=None, src_key_padding_mask=None,
        tgt_key_padding_mask=None, memory_key_padding_mask=None, src_is_causal=None, tgt_is_causal=None,
        memory_is_causal=False,
    ):
        memory = self.encoder(src, src_mask, src_key_padding_mask)
        return self.decoder(tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask)

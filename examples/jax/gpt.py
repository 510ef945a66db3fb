"""A small GPT: a decoder-only transformer language model with learned positions and tied embeddings."""

import math
from dataclasses import dataclass
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax


class Buffer(nnx.Variable):
    """State that belongs to the checkpoint and is not trained."""


class TransposedWeight(nnx.Module):
    """Stands where a layer has its weight, and is the weight of another layer with its two axes swapped."""

    def __init__(self, weight):
        self.weight = weight

    def __getitem__(self, index):
        return self.weight[...].T[index]

    def __setitem__(self, index, value):
        self.weight[...] = self[...].at[index].set(value).T

    def __jax_array__(self):
        return self[...]

    @property
    def shape(self):
        return self.weight.shape[::-1]

    @property
    def dtype(self):
        return self.weight.dtype

    @property
    def ndim(self):
        return 2

    @property
    def size(self):
        return self.weight.size


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


def reduce_loss(loss: jax.Array, reduction: str) -> jax.Array:
    """Mean, sum or nothing."""
    if reduction == "none":
        return loss
    return loss.mean() if reduction == "mean" else loss.sum()


def nll_loss(x, target, weight=None, ignore_index=-100, reduction="mean") -> jax.Array:
    """Minus the log-probability x (classes on axis 1) of the target classes, each weighted by its class."""
    axis = 1 if x.ndim > 1 else 0
    kept = target != ignore_index
    label = jnp.where(kept, target, 0)
    share = kept.astype(x.dtype) if weight is None else jnp.where(kept, weight[label], 0)
    picked = jnp.take_along_axis(x, jnp.expand_dims(label, axis), axis).squeeze(axis)
    loss = -share * jnp.where(kept, picked, 0)  # which may be -inf where nothing is kept
    return loss.sum() / share.sum() if reduction == "mean" else reduce_loss(loss, reduction)


def cross_entropy(
    x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0
) -> jax.Array:
    """Cross entropy of logits x (classes on axis 1) and target classes, or class probabilities of the shape of x."""
    axis = 1 if x.ndim > 1 else 0
    classes = x.shape[axis]
    log_p = jax.nn.log_softmax(x, axis=axis)
    form = [-1 if i == axis else 1 for i in range(x.ndim)]
    weighted = log_p if weight is None else log_p * weight.reshape(form)
    if jnp.issubdtype(target.dtype, jnp.floating):
        target = target * (1 - label_smoothing) + label_smoothing / classes
        loss = -(weighted * target).sum(axis)
        return loss.sum() / (x.size // classes) if reduction == "mean" else reduce_loss(loss, reduction)
    loss = nll_loss(log_p, target, weight, ignore_index, "none")
    kept = target != ignore_index
    share = kept.astype(x.dtype) if weight is None else jnp.where(kept, weight[jnp.where(kept, target, 0)], 0)
    if label_smoothing:
        smooth = jnp.where(kept, -weighted.sum(axis) / classes, 0)
        loss = (1 - label_smoothing) * loss + label_smoothing * smooth
    return loss.sum() / share.sum() if reduction == "mean" else reduce_loss(loss, reduction)


def draw_multinomial(x: jax.Array, num_samples: int, replacement: bool = False, *, rngs: nnx.Rngs) -> jax.Array:
    """Places drawn along the last axis, each with a weight that x states."""
    logits = jnp.log(x)
    if replacement:
        draws = jax.random.categorical(rngs(), logits, shape=(num_samples, *x.shape[:-1]))
        return jnp.moveaxis(draws, 0, -1)
    return lax.top_k(logits + jax.random.gumbel(rngs(), x.shape, dtype=logits.dtype), num_samples)[1]


class Frozen(nnx.Variable):
    """A parameter that is not trained."""


def named_modules(module, memo=None, prefix="", remove_duplicate=True):
    """The module and all modules inside it with their dotted names, parents first, each once."""
    memo = set() if memo is None else memo
    if id(module) not in memo:
        if remove_duplicate and isinstance(module, nnx.Module):
            memo.add(id(module))
        yield prefix, module
        for name, child in named_children(module):
            yield from named_modules(child, memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)


def named_variables(module, kinds, prefix="", recurse=True):
    """The variables of these kinds, each once, under torch's names (the `kernel` of a native layer is a `weight`)."""
    native = (
        nnx.Linear, nnx.Conv, nnx.ConvTranspose, nnx.Embed, nnx.BatchNorm, nnx.LayerNorm, nnx.GroupNorm, nnx.RMSNorm
    )
    names = {"kernel": "weight", "embedding": "weight", "scale": "weight", "mean": "running_mean", "var": "running_var"}
    seen = set()
    for path, part in named_modules(module, prefix=prefix) if recurse else [(prefix, module)]:
        for name, value in vars(part).items() if isinstance(part, nnx.Module) else ():
            if isinstance(value, kinds) and id(value) not in seen:
                seen.add(id(value))
                name = names.get(name, name) if isinstance(part, native) else name
                yield f"{path}.{name}" if path else name, value


def named_parameters(module, prefix="", recurse=True):
    """The parameters, trained or frozen, with their dotted names, each once."""
    yield from named_variables(module, (nnx.Param, Frozen), prefix, recurse)


def fill_parameter(tensor: nnx.Variable, value: jax.Array) -> nnx.Variable:
    """Puts value into a parameter; an array cannot be changed, so for one the result is the value."""
    value = jnp.asarray(value, tensor.dtype)
    if isinstance(tensor, jax.Array):
        return value
    tensor[...] = value
    return tensor


def normal_(tensor, mean=0.0, std=1.0, *, rngs: nnx.Rngs):
    """Fills a parameter with normal draws."""
    return fill_parameter(tensor, mean + std * jax.random.normal(rngs.params(), tensor.shape))


def split_by_size(x: jax.Array, split_size: int | Sequence[int], dim: int = 0) -> tuple[jax.Array, ...]:
    """Pieces of x along dim: each of split_size (the last may be smaller), or of the listed sizes."""
    if isinstance(split_size, Sequence):
        stops = [int(stop) for stop in np.cumsum(split_size)[:-1]]
    else:
        stops = list(range(split_size, x.shape[dim], split_size))
    return tuple(jnp.split(x, stops, axis=dim))


class ValuesIndices(NamedTuple):
    """Elements and their places along an axis."""

    values: jax.Array
    indices: jax.Array


def topk_with_index(x: jax.Array, k: int, dim: int = -1, largest: bool = True) -> ValuesIndices:
    """The k largest (or smallest) elements along dim, in order, and their places."""
    rows = jnp.moveaxis(x, dim, -1)
    if largest:
        values, indices = lax.top_k(rows, k)
    else:
        indices = jnp.argsort(rows, axis=-1)[..., :k]
        values = jnp.take_along_axis(rows, indices, axis=-1)
    return ValuesIndices(jnp.moveaxis(values, -1, dim), jnp.moveaxis(indices, -1, dim))


def zeros_(tensor):
    """Fills a parameter with zeros."""
    return fill_parameter(tensor, jnp.zeros(tensor.shape))


@dataclass
class GPTConfig:
    block_size: int = 256
    vocab_size: int = 512
    n_layer: int = 4
    n_head: int = 4
    n_embd: int = 128
    dropout: float = 0.1
    bias: bool = True


class CausalSelfAttention(nnx.Module):
    def __init__(self, config: GPTConfig, *, rngs: nnx.Rngs):
        assert config.n_embd % config.n_head == 0
        # key, query and value projections for all heads in one matrix
        self.c_attn = nnx.Linear(config.n_embd, 3 * config.n_embd, use_bias=config.bias, rngs=rngs)
        self.c_proj = nnx.Linear(config.n_embd, config.n_embd, use_bias=config.bias, rngs=rngs)
        self.attn_dropout = nnx.Dropout(config.dropout, rngs=rngs)
        self.resid_dropout = nnx.Dropout(config.dropout, rngs=rngs)
        self.n_head = config.n_head
        mask = jnp.tril(jnp.ones((config.block_size, config.block_size)))
        self.mask = Buffer(mask.reshape(1, 1, config.block_size, config.block_size))

    def __call__(self, x):
        B, T, C = x.shape
        q, k, v = split_by_size(self.c_attn(x), C, dim=2)
        q = jnp.swapaxes(q.reshape(B, T, self.n_head, C // self.n_head), 1, 2)  # (B, nh, T, hs)
        k = jnp.swapaxes(k.reshape(B, T, self.n_head, C // self.n_head), 1, 2)
        v = jnp.swapaxes(v.reshape(B, T, self.n_head, C // self.n_head), 1, 2)

        att = (q @ jnp.swapaxes(k, -2, -1)) * (1.0 / math.sqrt(k.shape[-1]))
        att = jnp.where(self.mask[:, :, :T, :T] == 0, float("-inf"), att)
        att = jax.nn.softmax(att)
        att = self.attn_dropout(att)
        y = att @ v
        y = jnp.swapaxes(y, 1, 2).reshape(B, T, C)  # put the heads side by side again
        return self.resid_dropout(self.c_proj(y))


class MLP(nnx.Module):
    def __init__(self, config: GPTConfig, *, rngs: nnx.Rngs):
        self.c_fc = nnx.Linear(config.n_embd, 4 * config.n_embd, use_bias=config.bias, rngs=rngs)
        self.gelu = partial(nnx.gelu, approximate=False)
        self.c_proj = nnx.Linear(4 * config.n_embd, config.n_embd, use_bias=config.bias, rngs=rngs)
        self.dropout = nnx.Dropout(config.dropout, rngs=rngs)

    def __call__(self, x):
        return self.dropout(self.c_proj(self.gelu(self.c_fc(x))))


class Block(nnx.Module):
    def __init__(self, config: GPTConfig, *, rngs: nnx.Rngs):
        self.ln_1 = nnx.LayerNorm(config.n_embd, epsilon=1e-5, use_fast_variance=False, rngs=rngs)
        self.attn = CausalSelfAttention(config, rngs=rngs)
        self.ln_2 = nnx.LayerNorm(config.n_embd, epsilon=1e-5, use_fast_variance=False, rngs=rngs)
        self.mlp = MLP(config, rngs=rngs)

    def __call__(self, x):
        x = x + self.attn(self.ln_1(x))
        x = x + self.mlp(self.ln_2(x))
        return x


class GPT(nnx.Module):
    def __init__(self, config: GPTConfig, *, rngs: nnx.Rngs):
        self.rngs = rngs
        self.config = config
        self.transformer = nnx.Dict(
            dict(
                wte=nnx.Embed(config.vocab_size, config.n_embd, rngs=rngs),
                wpe=nnx.Embed(config.block_size, config.n_embd, rngs=rngs),
                drop=nnx.Dropout(config.dropout, rngs=rngs),
                h=nnx.List([Block(config, rngs=rngs) for _ in range(config.n_layer)]),
                ln_f=nnx.LayerNorm(config.n_embd, epsilon=1e-5, use_fast_variance=False, rngs=rngs),
            )
        )
        self.lm_head = nnx.Linear(config.n_embd, config.vocab_size, use_bias=False, rngs=rngs)
        self.lm_head.kernel = TransposedWeight(self.transformer.wte.embedding)  # weight tying

        apply(self, partial(self._init_weights, rngs=rngs))
        # scaled initialisation of the projections that end a residual branch
        for name, p in named_parameters(self):
            if name.endswith("c_proj.weight"):
                normal_(p, mean=0.0, std=0.02 / math.sqrt(2 * config.n_layer), rngs=rngs)

    def _init_weights(self, module, *, rngs: nnx.Rngs):
        if isinstance(module, nnx.Linear):
            normal_(module.kernel, mean=0.0, std=0.02, rngs=rngs)
            if module.bias is not None:
                zeros_(module.bias)
        elif isinstance(module, nnx.Embed):
            normal_(module.embedding, mean=0.0, std=0.02, rngs=rngs)

    def __call__(self, idx, targets=None):
        b, t = idx.shape
        assert t <= self.config.block_size, f"sequence of length {t} is longer than {self.config.block_size}"
        pos = jnp.arange(0, t, dtype=jnp.int32)

        tok_emb = self.transformer.wte(idx)
        pos_emb = self.transformer.wpe(pos)
        x = self.transformer.drop(tok_emb + pos_emb)
        for block in self.transformer.h:
            x = block(x)
        x = self.transformer.ln_f(x)
        logits = self.lm_head(x)

        loss = None
        if targets is not None:
            loss = cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1), ignore_index=-1)
        return logits, loss

    def generate(self, idx, max_new_tokens, top_k=None):
        """Append the most likely token max_new_tokens times; with top_k, sample among the k most likely."""
        for _ in range(max_new_tokens):
            idx_cond = idx if idx.shape[1] <= self.config.block_size else idx[:, -self.config.block_size :]
            logits, _ = self(idx_cond)
            logits = logits[:, -1, :]
            if top_k is None:
                idx_next = jnp.argmax(logits, axis=-1, keepdims=True)
            else:
                v, _ = topk_with_index(logits, min(top_k, logits.shape[-1]))
                logits = jnp.where(logits < v[:, [-1]], -float("inf"), logits)
                probs = jax.nn.softmax(logits)
                idx_next = draw_multinomial(probs, num_samples=1, rngs=self.rngs)
            idx = jnp.concatenate((idx, idx_next), axis=1)
        return lax.stop_gradient(idx)

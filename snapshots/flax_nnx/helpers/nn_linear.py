"""Dense, embedding and reshaping layers with torch's constructors."""
# fmt: off (long signatures are filled, not one argument a line: these texts are copied into outputs)

import math

import jax
import jax.numpy as jnp
from flax import nnx


class Linear(nnx.Linear):
    """Dense layer with torch's constructor."""

    def __init__(self, in_features, out_features, bias=True, device=None, dtype=None, *, rngs: nnx.Rngs):
        super().__init__(in_features, out_features, use_bias=bias, param_dtype=dtype or jnp.float32, rngs=rngs)


class Bilinear(nnx.Module):
    """input1 @ weight[o] @ input2 + bias[o] for every output o."""

    def __init__(self, in1_features, in2_features, out_features, bias=True, device=None, dtype=None, *, rngs: nnx.Rngs):
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        shape, bound, dtype = (out_features, in1_features, in2_features), in1_features**-0.5, dtype or jnp.float32
        self.weight = nnx.Param(jax.random.uniform(rngs.params(), shape, dtype, -bound, bound))
        self.bias = nnx.data(nnx.Param(jnp.zeros(out_features, dtype)) if bias else None)

    def __call__(self, input1, input2):
        return bilinear(input1, input2, self.weight[...], None if self.bias is None else self.bias[...])


class Identity(nnx.Module):
    """Gives its input back; takes and ignores any constructor arguments, as torch's does."""

    def __init__(self, *args, rngs: nnx.Rngs | None = None, **kwargs):
        pass

    def __call__(self, input):
        return input


class Embedding(nnx.Embed):
    """Table of vectors with torch's constructor; the row padding_idx starts at zero and gets no gradient."""

    def __init__(
        self, num_embeddings, embedding_dim, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False,
        sparse=False, device=None, dtype=None, *, rngs: nnx.Rngs,
    ):
        if max_norm is not None or scale_grad_by_freq:
            raise ValueError("max_norm and scale_grad_by_freq are not supported")
        super().__init__(num_embeddings, embedding_dim, param_dtype=dtype or jnp.float32, rngs=rngs)
        self.embedding_dim, self.padding_idx = embedding_dim, padding_idx
        if padding_idx is not None:
            self.padding_idx = padding_idx % num_embeddings
            self.embedding[...] = self.embedding[...].at[padding_idx].set(0)

    def __call__(self, input):
        return embedding(input, self.embedding[...], self.padding_idx)


def embedding_from_pretrained(embeddings, freeze=True, padding_idx=None):
    """An embedding layer that starts with given vectors; frozen ones are state that is not trained."""
    layer = Embedding(*embeddings.shape, padding_idx, rngs=nnx.Rngs(0))
    layer.embedding = Buffer(embeddings) if freeze else nnx.Param(embeddings)
    return layer


class EmbeddingBag(nnx.Module):
    """Sum, mean or maximum over bags of rows of a table, with torch's constructor."""

    def __init__(
        self, num_embeddings, embedding_dim, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, mode="mean",
        sparse=False, include_last_offset=False, padding_idx=None, device=None, dtype=None, *, rngs: nnx.Rngs,
    ):
        if max_norm is not None or scale_grad_by_freq:
            raise ValueError("max_norm and scale_grad_by_freq are not supported")
        self.embedding = nnx.Param(
            jax.random.normal(rngs.params(), (num_embeddings, embedding_dim), dtype or jnp.float32)
        )
        self.num_embeddings, self.embedding_dim, self.mode = num_embeddings, embedding_dim, mode
        self.include_last_offset, self.padding_idx = include_last_offset, padding_idx
        if padding_idx is not None:
            self.embedding[...] = self.embedding[...].at[padding_idx].set(0)

    @property
    def weight(self):
        return self.embedding

    def __call__(self, input, offsets=None, per_sample_weights=None):
        return embedding_bag(
            input, self.embedding[...], offsets, self.mode, per_sample_weights, self.include_last_offset,
            self.padding_idx,
        )


class Flatten(nnx.Module):
    """Merges the axes from start_dim to end_dim into one."""

    def __init__(self, start_dim=1, end_dim=-1, *, rngs: nnx.Rngs | None = None):
        self.start_dim, self.end_dim = start_dim, end_dim

    def __call__(self, input):
        if input.ndim == 0:
            return input.reshape(1)
        start, end = self.start_dim % input.ndim, self.end_dim % input.ndim + 1
        return input.reshape(*input.shape[:start], math.prod(input.shape[start:end]), *input.shape[end:])


class Unflatten(nnx.Module):
    """Splits the axis dim into axes of the shape unflattened_size."""

    def __init__(self, dim, unflattened_size, *, rngs: nnx.Rngs | None = None):
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def __call__(self, input):
        dim = self.dim % input.ndim
        return input.reshape(*input.shape[:dim], *self.unflattened_size, *input.shape[dim + 1 :])


class Unfold(nnx.Module):
    """Sliding blocks of (N, C, H, W) as columns (N, C * block, L)."""

    def __init__(self, kernel_size, dilation=1, padding=0, stride=1, *, rngs: nnx.Rngs | None = None):
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def __call__(self, input):
        return unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)


class Fold(nnx.Module):
    """Sums columns (N, C * block, L) of sliding blocks into images (N, C, H, W)."""

    def __init__(self, output_size, kernel_size, dilation=1, padding=0, stride=1, *, rngs: nnx.Rngs | None = None):
        self.output_size, self.kernel_size = output_size, kernel_size
        self.dilation, self.padding, self.stride = dilation, padding, stride

    def __call__(self, input):
        return fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)


class CosineSimilarity(nnx.Module):
    """Cosine of the angle between two arrays along dim."""

    def __init__(self, dim=1, eps=1e-8, *, rngs: nnx.Rngs | None = None):
        self.dim, self.eps = dim, eps

    def __call__(self, x1, x2):
        return cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(nnx.Module):
    """p-norm of the difference of two arrays along the last axis."""

    def __init__(self, p=2.0, eps=1e-6, keepdim=False, *, rngs: nnx.Rngs | None = None):
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def __call__(self, x1, x2):
        return pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)

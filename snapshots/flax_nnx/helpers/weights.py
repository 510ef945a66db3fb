"""Weights of layers whose class is not known, or that two layers share."""

import jax.numpy as jnp
from flax import nnx


def weight_of(module):
    """The variable that torch calls `weight`, whatever kind of layer this is."""
    for name in ("kernel", "embedding", "scale", "weight"):
        found = getattr(module, name, None)
        if found is not None:
            return found
    raise AttributeError(f"{type(module).__name__} has no weight")


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


class KernelView:
    """A layer's kernel as torch orders its axes, (outputs, inputs, ...); what is written goes to the layer."""

    def __init__(self, kernel):
        self.kernel = kernel

    def __getitem__(self, index):
        return jnp.moveaxis(self.kernel[...], (-1, -2), (0, 1))[index]

    def __setitem__(self, index, value):
        self.kernel[...] = jnp.moveaxis(self[...].at[index].set(value), (0, 1), (-1, -2))

    def __jax_array__(self):
        return self[...]

    @property
    def shape(self):
        return self[...].shape

    @property
    def dtype(self):
        return self.kernel.dtype

    @property
    def ndim(self):
        return self.kernel.ndim


def weight_view(module):
    """The variable that torch calls `weight`, with its axes as torch orders them, whatever kind of layer this is."""
    weight = weight_of(module)
    return KernelView(weight) if weight is getattr(module, "kernel", None) else weight

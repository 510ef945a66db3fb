"""Weights of layers whose class is not known, or that two layers share."""

import jax.numpy as jnp
from flax import nnx


def weight_name(module):
    """What the layer calls what torch calls `weight`; None where it has no such thing."""
    native = any(base.__module__.startswith("flax.nnx.nn.") for base in type(module).__mro__)
    names = ("kernel", "embedding", "scale", "weight") if native else ("weight",)
    return next((name for name in names if hasattr(module, name)), None)


def has_weight(module):
    """Whether this is a layer with what torch calls `weight`, if only None."""
    return weight_name(module) is not None


def weight_of(module, *default):
    """The variable that torch calls `weight`, whatever kind of layer this is; without one the default, if given."""
    name = weight_name(module)
    if name is None:
        if default:
            return default[0]
        raise AttributeError(f"{type(module).__name__} has no weight")
    return getattr(module, name)


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

    @property
    def size(self):
        return self.kernel.size


def weight_view(module):
    """The variable that torch calls `weight`, with its axes as torch orders them, whatever kind of layer this is."""
    weight = weight_of(module)
    return KernelView(weight) if weight is getattr(module, "kernel", None) else weight

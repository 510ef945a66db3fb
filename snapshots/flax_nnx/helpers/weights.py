"""Weights of layers whose class is not known, or that two layers share."""

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

"""Weights of layers whose class is not known, or that two layers share."""

from flax import nnx


def weight_of(module):
    """The variable that torch calls `weight`, whatever kind of layer this is."""
    for name in ("kernel", "embedding", "scale", "weight"):
        found = getattr(module, name, None)
        if found is not None:
            return found
    raise AttributeError(f"{type(module).__name__} has no weight")


class TiedLinear(nnx.Module):
    """A linear layer that uses another layer's matrix, stored as (out_features, in_features)."""

    def __init__(self, weight, bias=None):
        self.weight, self.bias = weight, bias

    def __call__(self, input):
        output = input @ self.weight[...].T
        return output if self.bias is None else output + self.bias[...]

"""Parameters that are not trained: optimizers and nnx.grad take variables of the class nnx.Param alone."""

from flax import nnx


class Frozen(nnx.Variable):
    """A parameter that is not trained."""


def parameter(data, requires_grad=True):
    """A parameter of which only a run knows whether it is trained."""
    return nnx.Param(data) if requires_grad else Frozen(data)


def freeze(part, frozen=True):
    """Takes a parameter, or all of a module, out of training, or back into it; gives it back."""
    if not isinstance(part, (nnx.Module, nnx.Variable)):
        raise TypeError(f"a module or a variable is expected, not {type(part).__name__}")
    before, after = (nnx.Param, Frozen) if frozen else (Frozen, nnx.Param)
    for _, variable in [((), part)] if isinstance(part, nnx.Variable) else list(nnx.iter_graph(part)):
        if isinstance(variable, before):
            variable.__class__ = after
    return part


def set_trainable(part, trainable):
    """Says whether a parameter, or all of a module, are trained; gives it back."""
    return freeze(part, not trainable)

"""Parameters of which only a run knows whether they are trained."""

from flax import nnx


def parameter(data, requires_grad=True):
    """A variable that optimisers and nnx.grad take only if it is trained."""
    return nnx.Param(data) if requires_grad else Buffer(data)

"""Weights of layers that are computed from other parameters at each use: weight and spectral normalisation."""
# fmt: off (long signatures are filled, not one argument a line: these texts are copied into outputs)

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


class ComputedWeight(nnx.Module):
    """Stands where a layer has its weight; what is written into it is lost, as in torch."""

    def __setitem__(self, index, value):
        pass

    def __jax_array__(self):
        return self[...]

    @property
    def shape(self):
        return self.original.shape

    @property
    def dtype(self):
        return self.original.dtype

    @property
    def ndim(self):
        return self.original.ndim

    @property
    def size(self):
        return self.original.size


class NormalizedWeight(ComputedWeight):
    """g times the direction of v: one length for each position along an axis, or a single one (axis None)."""

    def __init__(self, weight, axis):
        self.axes = tuple(i for i in range(weight.ndim) if i != axis)
        self.v = nnx.Param(weight)
        self.g = nnx.Param(self.length() if axis is not None else self.length().reshape(()))

    @property
    def original(self):
        return self.v

    def length(self):
        return jnp.sqrt(jnp.sum(self.v[...] ** 2, self.axes, keepdims=True))

    def __getitem__(self, index):
        return (self.v[...] * (self.g[...] / self.length()))[index]


class SpectralWeight(ComputedWeight):
    """The weight divided by its largest singular value, for which each use in training takes some power iterations."""

    def __init__(self, weight, order, steps, eps, left_first, *, rngs: nnx.Rngs):
        self.order, self.steps, self.eps, self.left_first, self.deterministic = order, steps, eps, left_first, False
        self.original = nnx.Param(weight)
        rows, columns = self.matrix().shape
        self.u = Buffer(self.unit(jax.random.normal(rngs.params(), (rows,), weight.dtype)))
        self.v = Buffer(self.unit(jax.random.normal(rngs.params(), (columns,), weight.dtype)))

    def unit(self, x):
        return x / jnp.maximum(jnp.linalg.norm(x), self.eps)

    def matrix(self):
        """The weight in torch's order, with one row for each output."""
        weight = jnp.transpose(self.original[...], self.order)
        return weight.reshape(weight.shape[0], -1)

    def iterate(self, steps):
        matrix = lax.stop_gradient(self.matrix())
        for _ in range(steps):
            if self.left_first:
                self.u[...] = self.unit(matrix @ self.v[...])
                self.v[...] = self.unit(matrix.T @ self.u[...])
            else:
                self.v[...] = self.unit(matrix.T @ self.u[...])
                self.u[...] = self.unit(matrix @ self.v[...])

    def __getitem__(self, index):
        if not self.deterministic:
            self.iterate(self.steps)
        return (self.original[...] / (self.u[...] @ self.matrix() @ self.v[...]))[index]


def weight_place(module, name="weight"):
    """Where a layer keeps what torch calls its weight, and the order of axes that makes it torch's."""
    found = next((n for n in ("kernel", "embedding", "weight") if getattr(module, n, None) is not None), None)
    if name != "weight" or found is None:
        raise ValueError(f"{type(module).__name__} has no parameter {name} that can be computed")
    axes = list(range(getattr(module, found).ndim))
    return found, [axes[-1], axes[-2], *axes[:-2]] if found == "kernel" else axes


def weight_norm(module, name="weight", dim=0, *, rngs: nnx.Rngs | None = None):
    """Give a layer a weight that is computed as its length times its direction."""
    place, order = weight_place(module, name)
    axis = None if dim is None or dim == -1 else order[dim]
    setattr(module, place, NormalizedWeight(getattr(module, place)[...], axis))
    return module


def make_spectral(module, name, steps, eps, dim, left_first, rngs):
    """Give a layer a weight that is divided by its largest singular value."""
    place, order = weight_place(module, name)
    if dim is None:
        dim = 1 if isinstance(module, nnx.ConvTranspose) else 0
    order.insert(0, order.pop(dim))
    weight = SpectralWeight(getattr(module, place)[...], tuple(order), steps, eps, left_first, rngs=rngs)
    setattr(module, place, weight)
    return weight


def spectral_norm(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None, *, rngs: nnx.Rngs):
    """Give a layer a weight that is divided by its largest singular value."""
    make_spectral(module, name, n_power_iterations, eps, dim, True, rngs).iterate(15)
    return module


def spectral_norm_hook(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None, *, rngs: nnx.Rngs):
    """Give a layer a weight that is divided by its largest singular value, as torch's older function does."""
    make_spectral(module, name, n_power_iterations, eps, dim, False, rngs)
    return module


def remove_parametrization(module, name="weight"):
    """Make the computed weight of a layer a plain parameter."""
    place, _ = weight_place(module, name)
    weight = getattr(module, place)
    if not isinstance(weight, ComputedWeight):
        raise ValueError(f"the weight of {type(module).__name__} is not computed")
    if isinstance(weight, SpectralWeight) and not weight.left_first:
        weight.deterministic = True  # torch's older form takes no step here
    setattr(module, place, nnx.Param(weight[...]))
    return module


def is_parametrized(module, name=None) -> bool:
    """Whether the weight of a layer is computed."""
    weight = next((w for n in ("kernel", "embedding", "weight") if (w := getattr(module, n, None)) is not None), None)
    return isinstance(weight, ComputedWeight) and name in (None, "weight")

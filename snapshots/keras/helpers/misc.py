"""Products and distances that Keras lacks."""

from typing import Any

import numpy as np
from keras import ops


def cross_along(x: Any, other: Any, dim: int = -1) -> Any:
    """Cross product along an axis of size three."""
    x, other = (ops.moveaxis(part, dim, -1) for part in broadcast_all([x, other]))
    return ops.moveaxis(ops.cross(x, other), -1, dim)


def cross_product(x: Any, other: Any) -> Any:
    """Cross product along the first axis of size three."""
    x, other = broadcast_all([x, other])
    return cross_along(x, other, list(x.shape).index(3))


def dot_along(x: Any, y: Any, dim: int = -1) -> Any:
    """Sum of the products conj(x) * y along an axis."""
    x, y = broadcast_all([x, y])
    return ops.sum(ops.conj(x) * y, axis=dim)


def cdist(x1: Any, x2: Any, p: float = 2.0) -> Any:
    """p-norm distances between all rows of x1 and all rows of x2."""
    return vector_norm(x1[..., :, None, :] - x2[..., None, :, :], p, dim=-1)


def pdist(x: Any, p: float = 2.0) -> Any:
    """p-norm distances between all pairs of rows, in the order of the upper triangle."""
    rows, columns = np.triu_indices(x.shape[0], k=1)
    return vector_norm(ops.take(x, rows, axis=0) - ops.take(x, columns, axis=0), p, dim=-1)

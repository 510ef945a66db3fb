"""Products and distances that MLX lacks."""

import mlx.core as mx
import numpy as np


def cross_along(x: mx.array, other: mx.array, dim: int = -1) -> mx.array:
    """Cross product along an axis of size three."""
    return mx.linalg.cross(*mx.broadcast_arrays(x, other), axis=dim)


def cross_product(x: mx.array, other: mx.array) -> mx.array:
    """Cross product along the first axis of size three."""
    x, other = mx.broadcast_arrays(x, other)
    return mx.linalg.cross(x, other, axis=x.shape.index(3))


def cdist(x1: mx.array, x2: mx.array, p: float = 2.0) -> mx.array:
    """p-norm distances between all rows of x1 and all rows of x2."""
    return vector_norm(x1[..., :, None, :] - x2[..., None, :, :], p, dim=-1)


def pdist(x: mx.array, p: float = 2.0) -> mx.array:
    """p-norm distances between all pairs of rows, in the order of the upper triangle."""
    rows, columns = (mx.array(places) for places in np.triu_indices(x.shape[0], k=1))
    return vector_norm(x[rows] - x[columns], p, dim=-1)

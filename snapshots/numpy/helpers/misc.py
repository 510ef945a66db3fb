"""Products and distances that NumPy lacks."""

import numpy as np


def cross_product(x: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Cross product along the first axis of size three."""
    x, other = np.broadcast_arrays(x, other)
    return np.cross(x, other, axis=x.shape.index(3))


def cdist(x1: np.ndarray, x2: np.ndarray, p: float = 2.0) -> np.ndarray:
    """p-norm distances between all rows of x1 and all rows of x2."""
    return vector_norm(x1[..., :, None, :] - x2[..., None, :, :], p, dim=-1)


def pdist(x: np.ndarray, p: float = 2.0) -> np.ndarray:
    """p-norm distances between all pairs of rows, in the order of the upper triangle."""
    rows, columns = np.triu_indices(x.shape[0], k=1)
    return vector_norm(x[rows] - x[columns], p, dim=-1)

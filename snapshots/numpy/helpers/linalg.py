"""Linear algebra by torch's rules."""

import math

import numpy as np
from scipy import linalg


def matrix_norm(x, ord="fro", dim=(-2, -1), keepdim=False, dtype=None) -> np.ndarray:
    """Norm of the matrices on the two axes dim."""
    x = x if dtype is None else x.astype(dtype)
    if ord == "fro":
        return vector_norm(x, 2, dim, keepdim)
    return np.linalg.norm(x, ord, tuple(dim), keepdim)


def linalg_norm(x, ord=None, dim=None, keepdim=False, dtype=None) -> np.ndarray:
    """Vector norm over one axis (or of everything, without ord), matrix norm over two."""
    if ord is None or isinstance(dim, int) or (dim is not None and len(dim) == 1) or (dim is None and x.ndim == 1):
        return vector_norm(x, 2 if ord is None else ord, dim, keepdim, dtype)
    return matrix_norm(x, ord, (-2, -1) if dim is None else dim, keepdim, dtype)


def logdet(x) -> np.ndarray:
    """Logarithm of the determinant, nan where it is negative."""
    sign, log = np.linalg.slogdet(x)
    return np.where(sign < 0, np.asarray(np.nan, log.dtype), log)


def svd_v(x, some=True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """U, S and V (not transposed) of x = U @ diag(S) @ V.mT."""
    u, s, vh = np.linalg.svd(x, full_matrices=not some)
    return u, s, vh.mT.conj()


def solve(x, b, left=True) -> np.ndarray:
    """The y with x @ y = b (y @ x = b with left=False); b may be a batch of vectors, one for each matrix."""
    if b.ndim == 1 or (b.ndim == x.ndim - 1 and b.shape == x.shape[:-1]):
        return np.linalg.solve(x, b[..., None])[..., 0]
    return np.linalg.solve(x, b) if left else np.linalg.solve(x.mT, b.mT).mT


def triangular_solve(b, x, upper=True, transpose=False, unitriangular=False) -> tuple[np.ndarray, np.ndarray]:
    """The y with x @ y = b (x.mT @ y = b with transpose) for triangular x, and x."""
    matrix = x.mT if transpose else x
    return solve_triangular(matrix, b, upper=upper != transpose, unitriangular=unitriangular), x


def vandermonde(x, N=None) -> np.ndarray:
    """Powers 0 to N - 1 of x on a new last axis."""
    return x[..., None] ** np.arange(x.shape[-1] if N is None else N).astype(x.dtype)


def vector_norm(x, ord=2, dim=None, keepdim=False, dtype=None) -> np.ndarray:
    """p-norm over dim (all axes when None)."""
    x = x if dtype is None else x.astype(dtype)
    size, dim = np.abs(x), tuple(dim) if isinstance(dim, list) else dim
    if ord == math.inf:
        return size.max(dim, keepdims=keepdim)
    if ord == -math.inf:
        return size.min(dim, keepdims=keepdim)
    if ord == 0:
        return (x != 0).sum(dim, keepdims=keepdim).astype(size.dtype)
    if ord == 2:
        return np.sqrt(np.square(size).sum(dim, keepdims=keepdim))
    return (size**ord).sum(dim, keepdims=keepdim) ** (1 / ord)


def cholesky_solve(x, factor, upper=False) -> np.ndarray:
    """Solves A y = x, given the triangular factor of A."""
    lower = np.triu(factor).mT.conj() if upper else np.tril(factor)
    return np.linalg.solve(lower.mT.conj(), np.linalg.solve(lower, x))


def cholesky_inverse(x, upper=False) -> np.ndarray:
    """Inverse of the matrix whose triangular factor is x."""
    return cholesky_solve(np.broadcast_to(np.eye(x.shape[-1], dtype=x.dtype), x.shape), x, upper)


def solve_triangular(x, b, *, upper, left=True, unitriangular=False) -> np.ndarray:
    """The y with x @ y = b (y @ x = b with left=False) for triangular x."""
    x = np.triu(x) if upper else np.tril(x)
    if unitriangular:
        one = np.eye(x.shape[-1], dtype=x.dtype)
        x = x * (1 - one) + one
    return np.linalg.solve(x, b) if left else np.linalg.solve(x.mT, b.mT).mT


def lu_factors(x) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """P, L and U with x = P @ L @ U."""
    return tuple(part.astype(x.dtype, copy=False) for part in linalg.lu(x))


def complex_eigvals(x) -> np.ndarray:
    """Eigenvalues as complex numbers, also where all of them are real."""
    return np.linalg.eigvals(x.astype(np.result_type(x, np.complex64)))


def complex_eig(x) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and eigenvectors as complex numbers, also where all of them are real."""
    return np.linalg.eig(x.astype(np.result_type(x, np.complex64)))


def cross_along(x, other, dim=-1) -> np.ndarray:
    """Cross product along dim, which has size three."""
    x, other = np.broadcast_arrays(x, other)
    return np.cross(x, other, axis=dim)

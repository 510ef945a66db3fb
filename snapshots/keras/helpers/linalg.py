"""Linear algebra that Keras spells or differentiates differently."""

import math
from typing import Any

import numpy as np
from keras import ops


def vector_norm(x, ord=2, dim=None, keepdim=False, dtype=None) -> Any:
    """p-norm over dim (all axes when None); unlike ops.norm, its gradient at zero is zero."""
    x = x if dtype is None else ops.cast(x, dtype)
    dim = None if dim == [] or dim == () else dim
    size = ops.abs(x)
    if ord == math.inf:
        return ops.max(size, dim, keepdims=keepdim)
    if ord == -math.inf:
        return ops.min(size, dim, keepdims=keepdim)
    if ord == 0:
        return ops.sum(ops.cast(x != 0, size.dtype), dim, keepdims=keepdim)
    if ord == 1:
        return ops.sum(size, dim, keepdims=keepdim)
    # Roots have no finite slope at zero: give them 1 there, and put the zero back afterwards.
    power = ops.square(size) if ord == 2 else ops.where(size > 0, size, 1 if ord > 0 else 0) ** ord
    if ord != 2 and ord > 0:
        power = ops.where(size == 0, 0, power)
    total = ops.sum(power, dim, keepdims=keepdim)
    root = ops.where(total == 0, 1, total)
    return ops.where(total == 0, 0, ops.sqrt(root) if ord == 2 else root ** (1 / ord))


def matrix_norm(x, ord="fro", dim=(-2, -1), keepdim=False, dtype=None) -> Any:
    """Norm of the matrices on the two axes dim."""
    x = x if dtype is None else ops.cast(x, dtype)
    if ord == "fro":
        return vector_norm(x, 2, dim, keepdim)
    rows, columns = (axis % x.ndim for axis in dim)
    if ord in (1, -1, math.inf, -math.inf):
        summed, kept = (rows, columns) if abs(ord) == 1 else (columns, rows)
        total = ops.sum(ops.abs(x), summed, keepdims=True)
        out = (ops.max if ord > 0 else ops.min)(total, kept, keepdims=True)
    else:
        values = ops.svd(ops.moveaxis(x, (rows, columns), (-2, -1)), compute_uv=False)
        out = ops.sum(values, -1) if ord == "nuc" else (ops.max if ord > 0 else ops.min)(values, -1)
        for axis in sorted((rows, columns)):
            out = ops.expand_dims(out, axis)
    return out if keepdim else ops.squeeze(out, (rows, columns))


def linalg_norm(x, ord=None, dim=None, keepdim=False, dtype=None) -> Any:
    """Vector norm over one axis (or of everything, without ord), matrix norm over two."""
    if ord is None or isinstance(dim, int) or (dim is not None and len(dim) == 1) or (dim is None and x.ndim == 1):
        return vector_norm(x, 2 if ord is None else ord, dim, keepdim, dtype)
    return matrix_norm(x, ord, (-2, -1) if dim is None else dim, keepdim, dtype)


def logdet(x) -> Any:
    """Logarithm of the determinant, nan where it is negative."""
    sign, log = ops.slogdet(x)
    return log if is_complex(x) else ops.where(sign < 0, math.nan, log)


def transposed(x) -> Any:
    """Matrices with rows as columns."""
    return ops.swapaxes(x, -1, -2)


def mirrored(x) -> Any:
    """Symmetric matrices of which x has the lower triangle; backends do not agree which part they read."""
    whole = ops.tril(x) + ops.conj(transposed(ops.tril(x, k=-1)))
    return x + ops.stop_gradient(whole - x)  # the gradient is that of the whole matrix


def match_batches(x, b) -> tuple[Any, Any]:
    """Two batches of matrices, with the same axes before the last two."""
    shape = np.broadcast_shapes(tuple(x.shape[:-2]), tuple(b.shape[:-2]))
    return ops.broadcast_to(x, (*shape, *x.shape[-2:])), ops.broadcast_to(b, (*shape, *b.shape[-2:]))


def cholesky_solve(x, factor, upper=False) -> Any:
    """Solves A y = x, given the triangular factor of A."""
    lower = transposed(factor) if upper else factor
    return solve_triangular(transposed(lower), solve_triangular(lower, x, upper=False), upper=True)


def cholesky_inverse(x, upper=False) -> Any:
    """The inverse of A, given its triangular factor."""
    return cholesky_solve(ops.broadcast_to(ops.eye(x.shape[-1], dtype=x.dtype), x.shape), x, upper)


def svd_v(x, some=True) -> tuple[Any, Any, Any]:
    """U, S and V (not transposed) of x = U @ diag(S) @ V.mT."""
    u, s, vt = ops.svd(x, full_matrices=not some)
    return u, s, ops.conj(transposed(vt))


def solve(x, b, left=True) -> Any:
    """The y with x @ y = b (y @ x = b with left=False); b may be a batch of vectors, one for each matrix."""
    if b.ndim == 1 or (b.ndim < x.ndim and b.shape == x.shape[:-1]):
        return solve(x, b[..., None])[..., 0]
    if not left:
        return transposed(solve(transposed(x), transposed(b)))
    return ops.solve(*match_batches(x, b))


def solve_triangular(x, b, *, upper, left=True, unitriangular=False) -> Any:
    """The y with x @ y = b (y @ x = b with left=False) for triangular x."""
    if not left:
        return transposed(solve_triangular(transposed(x), transposed(b), upper=not upper, unitriangular=unitriangular))
    if unitriangular:
        x = ops.where(ops.eye(x.shape[-1], dtype="bool"), 1, x)
    return ops.solve_triangular(*match_batches(x, b), lower=not upper)


def triangular_solve(b, x, upper=True, transpose=False, unitriangular=False) -> tuple[Any, Any]:
    """The y with x @ y = b (x.mT @ y = b with transpose) for triangular x, and x."""
    matrix = transposed(x) if transpose else x
    return solve_triangular(matrix, b, upper=upper != transpose, unitriangular=unitriangular), x


def matrix_power(x, n) -> Any:
    """x multiplied n times with itself; of its inverse for negative n."""
    if n < 0:
        return matrix_power(ops.inv(x), -n)
    if n == 0:
        return ops.broadcast_to(ops.eye(x.shape[-1], dtype=x.dtype), x.shape)
    half = matrix_power(x, n // 2) if n > 1 else None
    return x if half is None else half @ half @ x if n % 2 else half @ half


def condition_number(x, p=None) -> Any:
    """Norm of x times norm of its inverse; without p the largest singular value over the smallest."""
    if p in (None, 2, -2):
        values = ops.svd(x, compute_uv=False)
        ratio = values[..., 0] / values[..., -1]
        return 1 / ratio if p == -2 else ratio
    return matrix_norm(x, p) * matrix_norm(ops.inv(x), p)


def vandermonde(x, N=None) -> Any:
    """Powers 0 to N - 1 of x on a new last axis."""
    return x[..., None] ** ops.arange(x.shape[-1] if N is None else N, dtype=x.dtype)

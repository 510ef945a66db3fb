"""Linear algebra that TensorFlow spells or differentiates differently."""

import math

import tensorflow as tf
import tensorflow.experimental.numpy as tnp


def vector_norm(x, ord=2, dim=None, keepdim=False, dtype=None) -> tf.Tensor:
    """p-norm over dim (all axes when None); unlike tf.norm, its gradient at zero is zero."""
    x = x if dtype is None else tf.cast(x, dtype)
    dim = list(range(x.ndim)) if dim == [] or dim == () else dim
    size = tf.abs(x)
    if ord == math.inf:
        return tf.reduce_max(size, dim, keepdims=keepdim)
    if ord == -math.inf:
        return tf.reduce_min(size, dim, keepdims=keepdim)
    if ord == 0:
        return tf.cast(tf.math.count_nonzero(x, dim, keepdims=keepdim), size.dtype)
    if ord == 1:
        return tf.reduce_sum(size, dim, keepdims=keepdim)
    # Roots have no finite slope at zero: give them 1 there, and put the zero back afterwards.
    power = tf.square(size) if ord == 2 else tf.where(size > 0, size, 1 if ord > 0 else 0) ** ord
    if ord != 2 and ord > 0:
        power = tf.where(size == 0, 0, power)
    total = tf.reduce_sum(power, dim, keepdims=keepdim)
    root = tf.where(total == 0, 1, total)
    return tf.where(total == 0, 0, tf.sqrt(root) if ord == 2 else root ** (1 / ord))


def matrix_norm(x, ord="fro", dim=(-2, -1), keepdim=False, dtype=None) -> tf.Tensor:
    """Norm of the matrices on the two axes dim."""
    x = x if dtype is None else tf.cast(x, dtype)
    if ord == "fro":
        return vector_norm(x, 2, dim, keepdim)
    rows, columns = (axis % x.ndim for axis in dim)
    if ord in (1, -1, math.inf, -math.inf):
        summed, kept = (rows, columns) if abs(ord) == 1 else (columns, rows)
        total = tf.reduce_sum(tf.abs(x), summed, keepdims=True)
        out = (tf.reduce_max if ord > 0 else tf.reduce_min)(total, kept, keepdims=True)
    else:
        values = tf.linalg.svd(tnp.moveaxis(x, (rows, columns), (-2, -1)), compute_uv=False)
        out = tf.reduce_sum(values, -1) if ord == "nuc" else (tf.reduce_max if ord > 0 else tf.reduce_min)(values, -1)
        for axis in sorted((rows, columns)):
            out = tf.expand_dims(out, axis)
    return out if keepdim else tf.squeeze(out, (rows, columns))


def linalg_norm(x, ord=None, dim=None, keepdim=False, dtype=None) -> tf.Tensor:
    """Vector norm over one axis (or of everything, without ord), matrix norm over two."""
    if ord is None or isinstance(dim, int) or (dim is not None and len(dim) == 1) or (dim is None and x.ndim == 1):
        return vector_norm(x, 2 if ord is None else ord, dim, keepdim, dtype)
    return matrix_norm(x, ord, (-2, -1) if dim is None else dim, keepdim, dtype)


def logdet(x) -> tf.Tensor:
    """Logarithm of the determinant, nan where it is negative."""
    sign, log = tf.linalg.slogdet(x)
    return log if x.dtype.is_complex else tf.where(sign < 0, math.nan, log)


def match_batches(x, b) -> tuple[tf.Tensor, tf.Tensor]:
    """Two batches of matrices, with the same axes before the last two."""
    shape = tf.broadcast_static_shape(x.shape[:-2], b.shape[:-2])
    return tf.broadcast_to(x, shape + x.shape[-2:]), tf.broadcast_to(b, shape + b.shape[-2:])


def cholesky_solve(x, factor, upper=False) -> tf.Tensor:
    """Solves A y = x, given the triangular factor of A."""
    lower = tf.linalg.matrix_transpose(factor) if upper else factor
    half = solve_triangular(lower, x, upper=False)
    return solve_triangular(tf.linalg.matrix_transpose(lower), half, upper=True)


def cholesky_inverse(x, upper=False) -> tf.Tensor:
    """The inverse of A, given its triangular factor."""
    return cholesky_solve(tf.eye(x.shape[-1], batch_shape=x.shape[:-2], dtype=x.dtype), x, upper)


def singular_values(x, full_matrices=True) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """U, S and V transposed of x = U @ diag(S) @ V.mT."""
    s, u, v = tf.linalg.svd(x, full_matrices=full_matrices)
    return u, s, tf.linalg.adjoint(v)


def svd_v(x, some=True) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """U, S and V (not transposed) of x = U @ diag(S) @ V.mT."""
    s, u, v = tf.linalg.svd(x, full_matrices=not some)
    return u, s, v


def solve(x, b, left=True) -> tf.Tensor:
    """The y with x @ y = b (y @ x = b with left=False); b may be a batch of vectors, one for each matrix."""
    if b.ndim == 1 or (b.ndim < x.ndim and b.shape == x.shape[:-1]):
        return solve(x, b[..., None])[..., 0]
    if not left:
        return tf.linalg.matrix_transpose(solve(tf.linalg.matrix_transpose(x), tf.linalg.matrix_transpose(b)))
    return tf.linalg.solve(*match_batches(x, b))


def solve_triangular(x, b, *, upper, left=True, unitriangular=False) -> tf.Tensor:
    """The y with x @ y = b (y @ x = b with left=False) for triangular x."""
    if not left:
        x, b = tf.linalg.matrix_transpose(x), tf.linalg.matrix_transpose(b)
        return tf.linalg.matrix_transpose(solve_triangular(x, b, upper=not upper, unitriangular=unitriangular))
    if unitriangular:
        x = tf.linalg.set_diag(x, tf.ones(x.shape[:-1], dtype=x.dtype))
    return tf.linalg.triangular_solve(*match_batches(x, b), lower=not upper)


def triangular_solve(b, x, upper=True, transpose=False, unitriangular=False) -> tuple[tf.Tensor, tf.Tensor]:
    """The y with x @ y = b (x.mT @ y = b with transpose) for triangular x, and x."""
    matrix = tf.linalg.matrix_transpose(x) if transpose else x
    return solve_triangular(matrix, b, upper=upper != transpose, unitriangular=unitriangular), x


def lu_factors(x) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Permutation matrix P, lower L and upper U with P @ L @ U = x, for square x."""
    both, order = tf.linalg.lu(x)
    lower = tf.linalg.set_diag(tf.linalg.band_part(both, -1, 0), tf.ones(x.shape[:-1], dtype=x.dtype))
    permutation = tf.linalg.matrix_transpose(tf.one_hot(order, x.shape[-1], dtype=x.dtype))
    return permutation, lower, tf.linalg.band_part(both, 0, -1)


def matrix_power(x, n) -> tf.Tensor:
    """x multiplied n times with itself; of its inverse for negative n."""
    if n < 0:
        return matrix_power(tf.linalg.inv(x), -n)
    if n == 0:
        return tf.eye(x.shape[-1], batch_shape=x.shape[:-2], dtype=x.dtype)
    half = matrix_power(x, n // 2) if n > 1 else None
    return x if half is None else half @ half @ x if n % 2 else half @ half


def condition_number(x, p=None) -> tf.Tensor:
    """Norm of x times norm of its inverse; without p the largest singular value over the smallest."""
    if p in (None, 2, -2):
        values = tf.linalg.svd(x, compute_uv=False)
        ratio = values[..., 0] / values[..., -1]
        return 1 / ratio if p == -2 else ratio
    return matrix_norm(x, p) * matrix_norm(tf.linalg.inv(x), p)


def vandermonde(x, N=None) -> tf.Tensor:
    """Powers 0 to N - 1 of x on a new last axis."""
    return x[..., None] ** tf.range(x.shape[-1] if N is None else N, dtype=x.dtype)

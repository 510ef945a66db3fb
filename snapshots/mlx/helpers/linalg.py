"""Linear algebra that MLX spells or differentiates differently. Decompositions run on the CPU only."""

import math

import mlx.core as mx


def vector_norm(x, ord=2, dim=None, keepdim=False, dtype=None) -> mx.array:
    """p-norm over dim (all axes when None); unlike mx.linalg.norm, its gradient at zero is zero."""
    x = x if dtype is None else x.astype(dtype)
    size = mx.abs(x)
    if ord == math.inf:
        return mx.max(size, dim, keepdims=keepdim)
    if ord == -math.inf:
        return mx.min(size, dim, keepdims=keepdim)
    if ord == 0:
        return mx.sum(x != 0, dim, keepdims=keepdim).astype(size.dtype)
    if ord == 1:
        return mx.sum(size, dim, keepdims=keepdim)
    # Roots have no finite slope at zero: give them 1 there, and put the zero back afterwards.
    power = mx.square(size) if ord == 2 else mx.where(size > 0, size, 1 if ord > 0 else 0) ** ord
    if ord != 2 and ord > 0:
        power = mx.where(size == 0, 0, power)
    total = mx.sum(power, dim, keepdims=keepdim)
    root = mx.where(total == 0, 1, total)
    return mx.where(total == 0, 0, mx.sqrt(root) if ord == 2 else root ** (1 / ord))


def matrix_norm(x, ord="fro", dim=(-2, -1), keepdim=False, dtype=None) -> mx.array:
    """Norm of the matrices on the two axes dim."""
    x = x if dtype is None else x.astype(dtype)
    if ord == "fro":
        return vector_norm(x, 2, dim, keepdim)
    rows, columns = (axis % x.ndim for axis in dim)
    if ord in (1, -1, math.inf, -math.inf):
        summed, kept = (rows, columns) if abs(ord) == 1 else (columns, rows)
        total = mx.sum(mx.abs(x), summed, keepdims=True)
        out = (mx.max if ord > 0 else mx.min)(total, kept, keepdims=True)
    else:
        values = mx.linalg.svd(move_axes(x, (rows, columns), (-2, -1)), compute_uv=False, stream=mx.cpu)
        out = mx.sum(values, -1) if ord == "nuc" else (mx.max if ord > 0 else mx.min)(values, -1)
        out = mx.expand_dims(out, sorted((rows, columns)))
    return out if keepdim else mx.squeeze(out, (rows, columns))


def linalg_norm(x, ord=None, dim=None, keepdim=False, dtype=None) -> mx.array:
    """Vector norm over one axis (or of everything, without ord), matrix norm over two."""
    if ord is None or isinstance(dim, int) or (dim is not None and len(dim) == 1) or (dim is None and x.ndim == 1):
        return vector_norm(x, 2 if ord is None else ord, dim, keepdim, dtype)
    return matrix_norm(x, ord, (-2, -1) if dim is None else dim, keepdim, dtype)


def logdet(x) -> mx.array:
    """Logarithm of the determinant, nan where it is negative."""
    sign, log = mx.linalg.slogdet(x, stream=mx.cpu)
    return mx.where(sign < 0, mx.nan, log)


def cholesky_solve(x, factor, upper=False) -> mx.array:
    """Solves A y = x, given the triangular factor of A."""
    lower = factor.mT if upper else factor
    return solve_triangular(lower.mT, solve_triangular(lower, x, upper=False), upper=True)


def reduced_svd(x, full_matrices=False) -> tuple[mx.array, mx.array, mx.array]:
    """U, S and V transposed of x; without full_matrices only the vectors that belong to singular values."""
    u, s, vt = mx.linalg.svd(x, stream=mx.cpu)
    return (u, s, vt) if full_matrices else (u[..., : s.shape[-1]], s, vt[..., : s.shape[-1], :])


def svd_v(x, some=True) -> tuple[mx.array, mx.array, mx.array]:
    """U, S and V (not transposed) of x = U @ diag(S) @ V.mT."""
    u, s, vt = reduced_svd(x, full_matrices=not some)
    return u, s, vt.mT


def solve(x, b, left=True) -> mx.array:
    """The y with x @ y = b (y @ x = b with left=False); b may be a batch of vectors, one for each matrix."""
    if b.ndim == 1 or (b.ndim == x.ndim - 1 and b.shape == x.shape[:-1]):
        return solve(x, b[..., None])[..., 0]
    if not left:
        return solve(x.mT, b.mT).mT
    shape = mx.broadcast_shapes(x.shape[:-2], b.shape[:-2])
    x, b = (mx.broadcast_to(m, shape + m.shape[-2:]) for m in (x, b))
    return mx.linalg.solve(x, b, stream=mx.cpu)


def solve_triangular(x, b, *, upper, left=True, unitriangular=False) -> mx.array:
    """The y with x @ y = b (y @ x = b with left=False) for triangular x."""
    if not left:
        return solve_triangular(x.mT, b.mT, upper=not upper, unitriangular=unitriangular).mT
    shape = mx.broadcast_shapes(x.shape[:-2], b.shape[:-2])
    x, b = (mx.broadcast_to(m, shape + m.shape[-2:]) for m in (x, b))
    x = mx.triu(x) if upper else mx.tril(x)
    if unitriangular:
        x = mx.where(mx.eye(x.shape[-1], dtype=mx.bool_), 1, x)
    return mx.linalg.solve_triangular(x, b, upper=upper, stream=mx.cpu)


def triangular_solve(b, x, upper=True, transpose=False, unitriangular=False) -> tuple[mx.array, mx.array]:
    """The y with x @ y = b (x.mT @ y = b with transpose) for triangular x, and x."""
    matrix = x.mT if transpose else x
    return solve_triangular(matrix, b, upper=upper != transpose, unitriangular=unitriangular), x


def lu_factors(x) -> tuple[mx.array, mx.array, mx.array]:
    """Permutation matrix P, lower L and upper U with P @ L @ U = x."""
    order, lower, upper = mx.linalg.lu(x, stream=mx.cpu)
    return mx.eye(x.shape[-2], dtype=x.dtype)[mx.stop_gradient(order)], lower, upper


def matrix_power(x, n) -> mx.array:
    """x multiplied n times with itself; of its inverse for negative n."""
    if n < 0:
        return matrix_power(mx.linalg.inv(x, stream=mx.cpu), -n)
    if n == 0:
        return mx.broadcast_to(mx.eye(x.shape[-1], dtype=x.dtype), x.shape)
    half = matrix_power(x, n // 2) if n > 1 else None
    return x if half is None else half @ half @ x if n % 2 else half @ half


def matrix_rank(x) -> mx.array:
    """Number of singular values that are not zero but for rounding."""
    values = mx.linalg.svd(x, compute_uv=False, stream=mx.cpu)
    smallest = mx.max(values, -1, keepdims=True) * max(x.shape[-2:]) * mx.finfo(x.dtype).eps
    return mx.sum(values > smallest, -1)


def condition_number(x, p=None) -> mx.array:
    """Norm of x times norm of its inverse; without p the largest singular value over the smallest."""
    if p in (None, 2, -2):
        values = mx.linalg.svd(x, compute_uv=False, stream=mx.cpu)
        ratio = values[..., 0] / values[..., -1]
        return 1 / ratio if p == -2 else ratio
    return matrix_norm(x, p) * matrix_norm(mx.linalg.inv(x, stream=mx.cpu), p)


def vandermonde(x, N=None) -> mx.array:
    """Powers 0 to N - 1 of x on a new last axis."""
    return x[..., None] ** mx.arange(x.shape[-1] if N is None else N)

"""Linear algebra that JAX spells or differentiates differently."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp


def vector_norm(x, ord=2, dim=None, keepdim=False, dtype=None) -> jax.Array:
    """p-norm over dim (all axes when None); unlike jnp.linalg.norm, its gradient at zero is zero."""
    x = x if dtype is None else x.astype(dtype)
    size = jnp.abs(x) if jnp.iscomplexobj(x) else x * jnp.sign(x)  # the slope of jnp.abs at zero is 1
    dim = tuple(dim) if isinstance(dim, list) else dim
    if ord == math.inf:
        return size.max(dim, keepdims=keepdim)
    if ord == -math.inf:
        return size.min(dim, keepdims=keepdim)
    if ord == 0:
        return (x != 0).sum(dim, keepdims=keepdim).astype(size.dtype)
    if ord == 1:
        return size.sum(dim, keepdims=keepdim)
    # Roots have no finite slope at zero: give them 1 there, and put the zero back afterwards.
    power = jnp.square(size) if ord == 2 else jnp.where(size == 0, 1 if ord > 0 else 0, size) ** ord
    if ord not in (0, 1, 2) and ord > 0:
        power = jnp.where(size == 0, 0, power)
    total = power.sum(dim, keepdims=keepdim)
    root = jnp.where(total == 0, 1, total)
    return jnp.where(total == 0, 0, jnp.sqrt(root) if ord == 2 else root ** (1 / ord))


def matrix_norm(x, ord="fro", dim=(-2, -1), keepdim=False, dtype=None) -> jax.Array:
    """Norm of the matrices on the two axes dim."""
    x = x if dtype is None else x.astype(dtype)
    if ord == "fro":
        return vector_norm(x, 2, dim, keepdim)
    return jnp.linalg.norm(x, ord, tuple(dim), keepdim)


def linalg_norm(x, ord=None, dim=None, keepdim=False, dtype=None) -> jax.Array:
    """Vector norm over one axis (or of everything, without ord), matrix norm over two."""
    if ord is None or isinstance(dim, int) or (dim is not None and len(dim) == 1) or (dim is None and x.ndim == 1):
        return vector_norm(x, 2 if ord is None else ord, dim, keepdim, dtype)
    return matrix_norm(x, ord, (-2, -1) if dim is None else dim, keepdim, dtype)


def logdet(x) -> jax.Array:
    """Logarithm of the determinant, nan where it is negative."""
    sign, log = jnp.linalg.slogdet(x)
    return jnp.where(sign < 0, jnp.nan, log)


def cholesky_solve(x, factor, upper=False) -> jax.Array:
    """Solves A y = x, given the triangular factor of A."""
    lower = factor.mT if upper else factor
    half = jax.scipy.linalg.solve_triangular(lower, x, lower=True)
    return jax.scipy.linalg.solve_triangular(lower, half, lower=True, trans="T")


def cholesky_inverse(x, upper=False) -> jax.Array:
    """Inverse of the matrix whose triangular factor is x."""
    identity = jnp.broadcast_to(jnp.eye(x.shape[-1], dtype=x.dtype), x.shape)
    return cholesky_solve(identity, x, upper)


def svd(x, full_matrices=True):
    """U, S and Vh; vectors that belong to no singular value are constants for the gradient, as in torch."""
    result = jnp.linalg.svd(x, full_matrices=False)
    if full_matrices and x.shape[-2] != x.shape[-1]:
        rest, count = jnp.linalg.svd(jax.lax.stop_gradient(x)), result.S.shape[-1]
        u = jnp.concatenate([result.U, rest.U[..., count:]], -1)
        return result._replace(U=u, Vh=jnp.concatenate([result.Vh, rest.Vh[..., count:, :]], -2))
    return result


def svd_v(x, some=True) -> tuple[jax.Array, jax.Array, jax.Array]:
    """U, S and V (not transposed) of x = U @ diag(S) @ V.mT."""
    u, s, vh = jnp.linalg.svd(x, full_matrices=not some)
    return u, s, vh.mT.conj()


def solve(x, b, left=True) -> jax.Array:
    """The y with x @ y = b (y @ x = b with left=False); b may be a batch of vectors, one for each matrix."""
    if b.ndim == 1 or (b.ndim == x.ndim - 1 and b.shape == x.shape[:-1]):
        return jnp.linalg.solve(x, b[..., None])[..., 0]
    return jnp.linalg.solve(x, b) if left else jnp.linalg.solve(x.mT, b.mT).mT


def solve_triangular(x, b, *, upper, left=True, unitriangular=False) -> jax.Array:
    """The y with x @ y = b (y @ x = b with left=False) for triangular x."""
    shape = jnp.broadcast_shapes(x.shape[:-2], b.shape[:-2])
    x, b = (jnp.broadcast_to(m, shape + m.shape[-2:]) for m in (x, b))
    if left:
        return jax.scipy.linalg.solve_triangular(x, b, lower=not upper, unit_diagonal=unitriangular)
    return jax.scipy.linalg.solve_triangular(x.mT, b.mT, lower=upper, unit_diagonal=unitriangular).mT


def triangular_solve(b, x, upper=True, transpose=False, unitriangular=False) -> tuple[jax.Array, jax.Array]:
    """The y with x @ y = b (x.mT @ y = b with transpose) for triangular x, and x."""
    matrix = x.mT if transpose else x
    return solve_triangular(matrix, b, upper=upper != transpose, unitriangular=unitriangular), x


def vandermonde(x, N=None) -> jax.Array:
    """Powers 0 to N - 1 of x on a new last axis."""
    return x[..., None] ** jnp.arange(x.shape[-1] if N is None else N)
def total_norm(tensors, norm_type=2.0) -> jax.Array:
    """Norm of several arrays as one vector."""
    norms = [vector_norm(x, norm_type) for x in (tensors if isinstance(tensors, (list, tuple)) else [tensors])]
    return vector_norm(jnp.stack(norms), norm_type) if norms else jnp.zeros(())


class LeastSquares(NamedTuple):
    """What solves a system best; residuals and the rank are not computed."""

    solution: jax.Array


def least_squares(x: jax.Array, b: jax.Array, rcond: float | None = None) -> LeastSquares:
    """The smallest y for which x @ y is nearest to b."""
    if rcond is None:
        rcond = jnp.finfo(x.dtype).eps * max(x.shape[-2:])
    rows = b.ndim < x.ndim
    y = jnp.linalg.pinv(x, rtol=rcond) @ (b[..., None] if rows else b)
    return LeastSquares(y[..., 0] if rows else y)


class LUFactors(NamedTuple):
    """Packed triangular factors, and with which row each row was swapped, counted from 1 as torch does."""

    LU: jax.Array
    pivots: jax.Array


class LUFactorsEx(NamedTuple):
    """The same with the number of the first pivot that is zero, counted from 1; 0 if none is."""

    LU: jax.Array
    pivots: jax.Array
    info: jax.Array


def lu_factor(x: jax.Array, pivot: bool = True) -> LUFactors:
    """Factors of the matrices x with swapped rows."""
    if not pivot:
        raise NotImplementedError("JAX factors matrices with swapped rows only: pivot=True")
    factors, pivots = jax.scipy.linalg.lu_factor(x)
    return LUFactors(factors, pivots + 1)


def lu_factor_ex(x: jax.Array, pivot: bool = True, check_errors: bool = False) -> LUFactorsEx:
    """Factors of the matrices x with swapped rows, and whether a pivot is zero."""
    factors, pivots = lu_factor(x, pivot)
    zero = jnp.diagonal(factors, axis1=-2, axis2=-1) == 0
    return LUFactorsEx(factors, pivots, jnp.where(zero.any(axis=-1), zero.argmax(axis=-1) + 1, 0).astype(jnp.int32))


def lu_solve(LU, pivots, b, left=True, adjoint=False) -> jax.Array:
    """The y with A @ y = b (y @ A = b where not left), from the factors of A; adjoint: of its conjugate transpose."""
    batch = jnp.broadcast_shapes(LU.shape[:-2], b.shape[:-2])
    factors = jnp.broadcast_to(LU, (*batch, *LU.shape[-2:]))
    swaps = jnp.broadcast_to(pivots - 1, (*batch, pivots.shape[-1]))
    b = jnp.broadcast_to(b, (*batch, *b.shape[-2:]))
    if left:
        return jax.scipy.linalg.lu_solve((factors, swaps), b, trans=2 if adjoint else 0)
    if adjoint:
        return jax.scipy.linalg.lu_solve((factors, swaps), b.mT.conj()).mT.conj()
    return jax.scipy.linalg.lu_solve((factors, swaps), b.mT, trans=1).mT

"""Gather and scatter by torch's rules: the index may be smaller than x, and nothing is broadcast."""

import jax
import jax.numpy as jnp


def gather_along(x: jax.Array, dim: int, index: jax.Array) -> jax.Array:
    """Elements of x along dim at the places that index names; the other places are those of index."""
    window = tuple(slice(None) if axis == dim % x.ndim else slice(size) for axis, size in enumerate(index.shape))
    return jnp.take_along_axis(x[window], index, axis=dim)


def where_rows(mask: jax.Array, x: jax.Array, other: jax.Array) -> jax.Array:
    """x where mask, which may lack the last axes of the others, is true, else other."""
    return jnp.where(mask.reshape(mask.shape + (1,) * (other.ndim - mask.ndim)), x, other)


def set_where(x: jax.Array, mask: jax.Array, value: jax.Array | float, axis: int = 0) -> jax.Array:
    """x with value where mask, whose axes are those of x from `axis` on, is true: x[mask] = value, and fit for jit."""
    if mask.dtype != jnp.bool_:  # an index, not a mask
        return x.at[(slice(None),) * axis + (mask,)].set(value)
    value = jnp.asarray(value, x.dtype)
    rest = x.ndim - axis - mask.ndim
    if value.ndim > rest:  # one value for each true place, in their order
        place = jnp.clip(jnp.cumsum(mask.reshape(-1)) - 1, 0, value.shape[-rest - 1] - 1)
        value = jnp.take(value, place, axis=value.ndim - rest - 1)
        value = value.reshape(value.shape[: value.ndim - rest - 1] + mask.shape + value.shape[value.ndim - rest :])
    return jnp.where(mask.reshape(mask.shape + (1,) * rest), value, x)


def scatter_places(dim: int, index: jax.Array) -> tuple[jax.Array, ...]:
    """Index arrays that name, for each element of index, its place in the target of a scatter."""
    places = list(jnp.indices(index.shape, sparse=True))
    places[dim] = index
    return tuple(places)


def scatter_along(x: jax.Array, dim: int, index: jax.Array, src: jax.Array | float) -> jax.Array:
    """x with the elements of src (or one number) put along dim at the places that index names."""
    if jnp.ndim(src) > 0:
        src = src[tuple(slice(size) for size in index.shape)]
    return x.at[scatter_places(dim, index)].set(src)


def scatter_add(x: jax.Array, dim: int, index: jax.Array, src: jax.Array) -> jax.Array:
    """x with the elements of src added along dim at the places that index names."""
    return x.at[scatter_places(dim, index)].add(src[tuple(slice(size) for size in index.shape)])


def scatter_reduce(
    x: jax.Array, dim: int, index: jax.Array, src: jax.Array | float, reduce: str, include_self: bool = True
) -> jax.Array:
    """x with the elements of src combined along dim into the places that index names."""
    if jnp.ndim(src) > 0:
        src = src[tuple(slice(size) for size in index.shape)]
    places = scatter_places(dim, index)
    lowest, highest = (
        (-jnp.inf, jnp.inf)
        if jnp.issubdtype(x.dtype, jnp.floating)
        else (jnp.iinfo(x.dtype).min, jnp.iinfo(x.dtype).max)
    )
    if not include_self:
        neutral = {"sum": 0, "mean": 0, "prod": 1, "amax": lowest, "amin": highest}[reduce]
        start = x.at[places].set(neutral)
    else:
        start = x
    if reduce in ("sum", "add"):
        return start.at[places].add(src)
    if reduce in ("prod", "multiply"):
        return start.at[places].multiply(src)
    if reduce == "amax":
        return start.at[places].max(src)
    if reduce == "amin":
        return start.at[places].min(src)
    if reduce != "mean":
        raise ValueError(f"unknown reduction {reduce!r}")
    count = jnp.full(x.shape, int(include_self)).at[places].add(1)
    total = start.at[places].add(src)
    if jnp.issubdtype(x.dtype, jnp.floating):
        return total / jnp.maximum(count, 1).astype(x.dtype)
    return total // jnp.maximum(count, 1)


def index_add(x: jax.Array, dim: int, index: jax.Array, source: jax.Array, alpha: float = 1) -> jax.Array:
    """x with the slices of source, times alpha, added along dim at the given indices."""
    return x.at[(slice(None),) * (dim % x.ndim) + (index,)].add(alpha * source)


def index_copy(x: jax.Array, dim: int, index: jax.Array | int, source: jax.Array | float) -> jax.Array:
    """x with the slices of source (or one number) put along dim at the given indices."""
    return x.at[(slice(None),) * (dim % x.ndim) + (index,)].set(source)


def slice_scatter(
    x: jax.Array, src: jax.Array, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> jax.Array:
    """x with the slice start:end:step along dim replaced."""
    return x.at[(slice(None),) * (dim % x.ndim) + (slice(start, end, step),)].set(src)


def masked_select(x: jax.Array, mask: jax.Array) -> jax.Array:
    """The elements of x where mask is true, along one axis. Its size depends on values: not for jit."""
    x, mask = jnp.broadcast_arrays(x, mask)
    return x[mask]


def masked_scatter(x: jax.Array, mask: jax.Array, source: jax.Array) -> jax.Array:
    """x with the elements of source, in order, wherever mask is true."""
    x, mask = jnp.broadcast_arrays(x, mask)
    order = jnp.cumsum(mask.reshape(-1)).reshape(mask.shape) - 1
    return jnp.where(mask, source.reshape(-1)[jnp.clip(order, 0, source.size - 1)], x)
def index_reduce(
    x: jax.Array, dim: int, index: jax.Array, source: jax.Array, reduce: str, include_self: bool = True
) -> jax.Array:
    """x with the slices of source combined along dim into the places that index names."""
    places = index.reshape(-1, *[1] * (source.ndim - 1 - dim % source.ndim))
    return scatter_reduce(x, dim, jnp.broadcast_to(places, source.shape), source, reduce, include_self)


def diagonal_scatter(x: jax.Array, src: jax.Array, offset: int = 0, dim1: int = 0, dim2: int = 1) -> jax.Array:
    """x with the diagonal of the axes dim1 and dim2 replaced."""
    places = jnp.arange(src.shape[-1])
    matrices = jnp.moveaxis(x, (dim1, dim2), (-2, -1))
    matrices = matrices.at[..., places + max(-offset, 0), places + max(offset, 0)].set(src)
    return jnp.moveaxis(matrices, (-2, -1), (dim1, dim2))


def nonzero_static(x: jax.Array, size: int, fill_value: int = -1) -> jax.Array:
    """Places of the first `size` elements that are not zero, one a row; what is missing is filled."""
    if x.size == 0:
        return jnp.full((size, x.ndim), fill_value)
    return jnp.argwhere(x, size=size, fill_value=fill_value)

"""Gather and scatter by torch's rules: the index may be smaller than x, and nothing is broadcast."""

import numpy as np


def gather_along(x: np.ndarray, dim: int, index: np.ndarray) -> np.ndarray:
    """Elements of x along dim at the places that index names; the other places are those of index."""
    x, places = np.atleast_1d(x), np.atleast_1d(index)
    window = tuple(slice(None) if axis == dim % x.ndim else slice(size) for axis, size in enumerate(places.shape))
    return np.take_along_axis(x[window], places, axis=dim).reshape(index.shape)


def scatter_places(dim: int, index: np.ndarray) -> tuple[np.ndarray, ...]:
    """Index arrays that name, for each element of index, its place in the target of a scatter."""
    index = np.atleast_1d(index)
    places = list(np.indices(index.shape, sparse=True))
    places[dim] = index
    return tuple(places)


def part_for(src: np.ndarray | float, index: np.ndarray) -> np.ndarray | float:
    """The elements of src that belong to those of index; a number is there for all of them."""
    if not np.ndim(src):
        return src
    if not index.size:  # then src may have any axes
        return np.empty(index.shape, src.dtype)
    return src[tuple(slice(size) for size in np.atleast_1d(index).shape)]


def scatter_along(x: np.ndarray, dim: int, index: np.ndarray, src: np.ndarray | float) -> np.ndarray:
    """x with the elements of src (or one number) put along dim at the places that index names."""
    out = np.atleast_1d(x.copy())
    out[scatter_places(dim, index)] = part_for(src, index)
    return out.reshape(x.shape)


def scatter_add(x: np.ndarray, dim: int, index: np.ndarray, src: np.ndarray) -> np.ndarray:
    """x with the elements of src added along dim at the places that index names."""
    out = np.atleast_1d(x.copy())
    np.add.at(out, scatter_places(dim, index), part_for(src, index))
    return out.reshape(x.shape)


def scatter_reduce(
    x: np.ndarray, dim: int, index: np.ndarray, src: np.ndarray | float, reduce: str, include_self: bool = True
) -> np.ndarray:
    """x with the elements of src combined along dim into the places that index names."""
    places, src, out = scatter_places(dim, index), part_for(src, index), np.atleast_1d(x.copy())
    combine = {
        "sum": np.add, "add": np.add, "mean": np.add, "prod": np.multiply, "multiply": np.multiply,
        "amax": np.maximum, "amin": np.minimum,
    }[reduce]
    if not include_self:
        whole = np.iinfo(x.dtype) if np.issubdtype(x.dtype, np.integer) else None
        lowest, highest = (-np.inf, np.inf) if whole is None else (whole.min, whole.max)
        out[places] = {np.add: 0, np.multiply: 1, np.maximum: lowest, np.minimum: highest}[combine]
    combine.at(out, places, src)
    if reduce == "mean":
        count = np.full(out.shape, int(include_self))
        np.add.at(count, places, 1)
        count = np.maximum(count, 1).astype(x.dtype)
        out = out / count if np.issubdtype(x.dtype, np.inexact) else out // count
    return out.reshape(x.shape)


def index_add(x: np.ndarray, dim: int, index: np.ndarray, source: np.ndarray, alpha: float = 1) -> np.ndarray:
    """x with the slices of source, times alpha, added along dim at the given indices."""
    out = np.atleast_1d(x.copy())
    np.add.at(out, (slice(None),) * (dim % out.ndim) + (np.atleast_1d(index),), alpha * np.atleast_1d(source))
    return out.reshape(x.shape)


def index_copy(x: np.ndarray, dim: int, index: np.ndarray | int, source: np.ndarray | float) -> np.ndarray:
    """x with the slices of source (or one number) put along dim at the given indices."""
    out = x.copy()
    out[(slice(None),) * (dim % max(x.ndim, 1)) + (index,)] = source
    return out


def index_put(
    x: np.ndarray, indices: tuple[np.ndarray, ...], values: np.ndarray | float, accumulate: bool = False
) -> np.ndarray:
    """x with values put at, or added to, the places that index arrays name."""
    out = x.copy()
    if accumulate:
        np.add.at(out, tuple(indices), values)
    else:
        out[tuple(indices)] = values
    return out


def put(x: np.ndarray, index: np.ndarray, source: np.ndarray, accumulate: bool = False) -> np.ndarray:
    """x, seen as one row, with elements of source put at, or added to, the given places."""
    return index_put(x.reshape(-1), (index.reshape(-1),), source.reshape(-1), accumulate).reshape(x.shape)


def slice_scatter(
    x: np.ndarray, src: np.ndarray, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> np.ndarray:
    """x with the slice start:end:step along dim replaced."""
    out = x.copy()
    out[(slice(None),) * (dim % x.ndim) + (slice(start, end, step),)] = src
    return out


def narrow_axis(x: np.ndarray, dim: int, start: int, length: int) -> np.ndarray:
    """The elements of x from start on along dim, as a view."""
    start = start % x.shape[dim] if start < 0 else start
    return x[(slice(None),) * (dim % x.ndim) + (slice(start, start + length),)]


def select_axis(x: np.ndarray, dim: int, index: int) -> np.ndarray:
    """One slice of x along dim, as a view."""
    return x[(slice(None),) * (dim % x.ndim) + (index,)]


def masked_select(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The elements of x where mask is true, along one axis."""
    x, mask = np.broadcast_arrays(x, mask)
    return x[mask]


def masked_scatter(x: np.ndarray, mask: np.ndarray, source: np.ndarray) -> np.ndarray:
    """x with the elements of source, in order, wherever mask is true."""
    x, mask = np.broadcast_arrays(x, mask)
    out = x.copy()
    out[mask] = source.reshape(-1)[: np.count_nonzero(mask)]
    return out

"""Sorting by torch's rules: values beside their places, equal elements in their order."""

import numpy as np


def sorted_places(x: np.ndarray, dim: int = -1, descending: bool = False) -> np.ndarray:
    """Places of the elements of x in order along dim; equal ones stay in their order."""
    if x.ndim == 0:
        return np.zeros((), dtype=np.int64)
    if not descending:
        return np.argsort(x, axis=dim, kind="stable")
    order = np.argsort(np.flip(x, axis=dim), axis=dim, kind="stable")
    return x.shape[dim] - 1 - np.flip(order, axis=dim)


def sort_with_index(x: np.ndarray, dim: int = -1, descending: bool = False) -> ValuesIndices:
    """x in order along dim, and where each element was."""
    order = sorted_places(x, dim, descending)
    return ValuesIndices(np.take_along_axis(x, order, axis=dim) if x.ndim else x, order)


def topk_with_index(x: np.ndarray, k: int, dim: int = -1, largest: bool = True) -> ValuesIndices:
    """The k largest (or smallest) elements along dim, in order, and their places."""
    values, places = sort_with_index(x, dim, descending=largest)
    if x.ndim == 0:
        return ValuesIndices(values, places)
    return ValuesIndices(np.take(values, np.arange(k), axis=dim), np.take(places, np.arange(k), axis=dim))


def kthvalue_with_index(x: np.ndarray, k: int, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
    """The k-th smallest elements along dim (counted from 1) and their places."""
    order = sorted_places(x, dim)
    return pick_along(x, np.take(order, [k - 1], axis=dim) if x.ndim else order, dim, keepdim)


def unique_consecutive(x: np.ndarray) -> np.ndarray:
    """x as one row, without repeats that follow each other."""
    row = x.reshape(-1)
    return row[np.concatenate([np.ones(min(1, row.size), dtype=bool), row[1:] != row[:-1]])]


def searchsorted(
    sorted_sequence: np.ndarray, x: np.ndarray | float, right: bool = False, side: str | None = None
) -> np.ndarray:
    """Places at which x fits into a sorted sequence; each row of x into its own if there are several."""
    side = side or ("right" if right else "left")
    if sorted_sequence.ndim == 1:
        return np.searchsorted(sorted_sequence, x, side=side)
    rows, values = sorted_sequence.reshape(-1, sorted_sequence.shape[-1]), x.reshape(-1, x.shape[-1])
    places = [np.searchsorted(row, value, side=side) for row, value in zip(rows, values)]
    return np.array(places, dtype=np.int64).reshape(x.shape)

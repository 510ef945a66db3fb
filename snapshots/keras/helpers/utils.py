"""Sequences cut from a padded batch, and small things of Python's own."""

from typing import Any

from keras import ops


def unpad_sequence(padded_sequences, lengths, batch_first=False) -> list[Any]:
    """The sequences of a padded batch, each cut to its length."""
    if not batch_first:
        padded_sequences = ops.swapaxes(padded_sequences, 0, 1)
    return [sequence[: int(length)] for sequence, length in zip(padded_sequences, lengths)]


def repeat_value(value, times: int) -> tuple:
    """A tuple: of the elements that value has, or of value as often as wanted."""
    return tuple(value) if hasattr(value, "__iter__") else (value,) * times


def assert_that(condition, message="") -> None:
    """Stops with a message unless condition holds."""
    assert condition, message


def over_first_axes(func):
    """The function that calls func on each element of the first axes of its arguments."""
    return lambda *args: ops.vectorized_map(lambda parts: func(*parts), args)

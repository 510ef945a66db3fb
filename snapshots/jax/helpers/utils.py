"""Checkpointing of activations, and sequences cut from a padded batch."""

import contextlib

import jax
from flax import nnx


def checkpoint(function, *args):
    """Calls function, and computes its inner values again in the backward pass instead of keeping them."""
    module = function if isinstance(function, nnx.Module) else getattr(function, "__self__", None)
    if not isinstance(module, nnx.Module):
        return jax.checkpoint(lambda: function(*args))()
    # The module is an argument of its own, so that state it changes (running statistics, random streams) comes out.
    method = type(module).__call__ if function is module else function.__func__
    return nnx.remat(lambda module: method(module, *args))(module)


def checkpoint_sequential(functions, segments, input):
    """Runs layers one after the other, with checkpoint around each."""
    for function in getattr(functions, "layers", functions):
        input = checkpoint(function, input)
    return input


def unpad_sequence(padded_sequences, lengths, batch_first=False) -> list[jax.Array]:
    """The sequences of a padded batch, each cut to its length."""
    if not batch_first:
        padded_sequences = padded_sequences.swapaxes(0, 1)
    return [sequence[: int(length)] for sequence, length in zip(padded_sequences, lengths)]


def is_concrete(*trees) -> bool:
    """Whether the arrays have values to look at, which they have not while a function is traced (jax.jit, jax.grad)."""
    return not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(trees))


def assert_that(condition, message="") -> None:
    """Stops with a message unless condition holds; nothing is checked while a function is traced."""
    assert isinstance(condition, jax.core.Tracer) or condition, message


def repeat_value(value, times: int) -> tuple:
    """A tuple: of the elements that value has, or of value as often as wanted."""
    return tuple(value) if hasattr(value, "__iter__") else (value,) * times


def no_autocast(enabled):
    """A block that changes nothing; it cannot be enabled, since JAX has no autocast."""
    if enabled:
        raise ValueError("JAX has no autocast: give the layers dtype=jnp.bfloat16, or cast the inputs and parameters")
    return contextlib.nullcontext()

"""Objects in files, in a format of their own."""

import contextlib
import pickle

import jax
import jax.numpy as jnp
import numpy as np

FILE_HEAD = b"arrays, pickled\n"


class ArrayPickler(pickle.Pickler):
    """Pickles arrays as those of NumPy, which any version can read."""

    def reducer_override(self, obj):
        if isinstance(obj, jax.Array) and not jnp.issubdtype(obj.dtype, jax.dtypes.prng_key):
            return jnp.asarray, (np.asarray(obj),)
        return NotImplemented


def save_to_file(obj, f):
    """Write an object to a file (a path, or an open one): load_from_file reads it."""
    with contextlib.nullcontext(f) if hasattr(f, "write") else open(f, "wb") as file:
        file.write(FILE_HEAD)
        ArrayPickler(file).dump(obj)


def load_from_file(f):
    """Read an object that save_to_file wrote; as with any pickle, only from a source that you trust."""
    with contextlib.nullcontext(f) if hasattr(f, "read") else open(f, "rb") as file:
        if file.read(len(FILE_HEAD)) != FILE_HEAD:
            raise ValueError(
                f"{f} was not written by save_to_file. A PyTorch checkpoint has other names and orders of axes: "
                "convert it with the script that `ml_switcheroo gen-weight-script` writes"
            )
        return pickle.load(file)

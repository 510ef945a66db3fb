"""Writing the result: safetensors files, streamed tensor by tensor, or an Orbax checkpoint; then reading them back."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .checkpoint import SLAB, first_line, pieces
from .tensors import SIZES, RefusedError, Tensor

if TYPE_CHECKING:
    from .checkpoint import Array, Checkpoint
    from .match import Move


@dataclass(frozen=True)
class Output:
    """A tensor of the result."""

    path: str
    dtype: str
    shape: tuple[int, ...]
    move: Move

    @property
    def nbytes(self) -> int:
        """Its size in a file."""
        return math.prod(self.shape) * SIZES[self.dtype]


def planned(move: Move, tensor: Tensor) -> Output:
    """What a move writes."""
    shape = list(tensor.shape)
    if move.part:
        axis, _, count = move.part
        shape[axis] //= count
    if move.axes:
        shape = [shape[axis] for axis in move.axes]
    return Output(move.path, tensor.dtype, tuple(shape), move)


def moved(array: Array, move: Move) -> Array:
    """The numbers of an output: a view of those of its source."""
    if move.part:
        axis, number, count = move.part
        size = array.shape[axis] // count
        array = array[(slice(None),) * axis + (slice(number * size, (number + 1) * size),)]
    return array.transpose(move.axes) if move.axes else array


def in_shards(outputs: list[Output], limit: int) -> list[list[Output]]:
    """Cuts the list into files of at most `limit` bytes; wide types come first in each, to lie aligned."""
    shards: list[list[Output]] = [[]]
    size = 0
    for output in outputs:
        if shards[-1] and size + output.nbytes > limit:
            shards.append([])
            size = 0
        shards[-1].append(output)
        size += output.nbytes
    return [sorted(shard, key=lambda output: -SIZES[output.dtype]) for shard in shards]


def write_safetensors(
    checkpoint: Checkpoint, outputs: list[Output], destination: Path, limit: int, framework: str
) -> list[Path]:
    """Writes all files into a folder beside the destination, verifies them, and moves them at the very end."""
    shards = in_shards(outputs, limit)
    names = [destination.name]
    if len(shards) > 1:
        names = [f"{destination.stem}-{n:05d}-of-{len(shards):05d}.safetensors" for n in range(1, len(shards) + 1)]
    with Scratch(destination) as scratch:
        for name, shard in zip(names, shards, strict=True):
            _write_file(checkpoint, shard, scratch / name, framework)
        if len(shards) > 1:
            weight_map = {output.path: name for name, shard in zip(names, shards, strict=True) for output in shard}
            index = {"metadata": {"total_size": sum(output.nbytes for output in outputs)}, "weight_map": weight_map}
            names.append(destination.name + ".index.json")
            (scratch / names[-1]).write_text(json.dumps(index, indent=2) + "\n", "utf-8")
        for name in names:
            os.replace(scratch / name, destination.parent / name)
    return [destination.parent / name for name in names]


def _write_file(checkpoint: Checkpoint, outputs: list[Output], path: Path, framework: str) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": framework}}
    begin = 0
    for output in outputs:
        entry = {"dtype": output.dtype, "shape": list(output.shape), "data_offsets": [begin, begin + output.nbytes]}
        header[output.path] = entry
        begin += output.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    checksums = []
    held: tuple[str, Array] | None = None
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for output in outputs:
            key = output.move.key
            if held is None or held[0] != key:
                held = None  # frees the last tensor before the next one is read
                held = (key, checkpoint.read(key))
            checksum = 0
            for piece in pieces(moved(held[1], output.move)):
                file.write(piece)
                checksum = zlib.crc32(piece, checksum)
                piece.release()  # a slab may be a view of the tensor and would keep it in memory
            checksums.append(checksum)
        held = None
        file.flush()
        os.fsync(file.fileno())
    # Read back what lies on the disk: a full or failing disk must not go unnoticed.
    with path.open("rb") as file:
        file.seek(8 + len(text))
        for output, expected in zip(outputs, checksums, strict=True):
            checksum, left = 0, output.nbytes
            while left and (piece := memoryview(file.read(min(left, SLAB)))):
                checksum, left = zlib.crc32(piece, checksum), left - len(piece)
            if left or checksum != expected:
                raise RefusedError(
                    f"{path.name}: what was written for {output.path} cannot be read back as it was; nothing is kept"
                )


def write_orbax(checkpoint: Checkpoint, outputs: list[Output], destination: Path) -> list[Path]:
    """Saves the state as nested dictionaries, as flax.nnx.to_pure_dict gives it, without copying it into memory."""
    try:
        import ml_dtypes
        import orbax.checkpoint as ocp
    except ImportError as error:
        raise RefusedError(
            f"writing a folder needs orbax-checkpoint ({error}); name a .safetensors file instead"
        ) from None
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise RefusedError(f"{destination}: exists already")
    special = {"BF16": "bfloat16", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu"}
    plain = {"BOOL": "bool", "C64": "complex64"}
    with Scratch(destination) as scratch:
        state: dict[str, Any] = {}
        for number, output in enumerate(outputs):
            kind = {"F": "f", "I": "i", "U": "u"}.get(output.dtype[0], "") + str(SIZES[output.dtype])
            dtype = (
                getattr(ml_dtypes, special[output.dtype]) if output.dtype in special else plain.get(output.dtype, kind)
            )
            array = np.empty(output.shape, dtype)
            if array.size:
                file = scratch / str(number)
                with file.open("wb") as stream:
                    stream.writelines(pieces(moved(checkpoint.read(output.move.key), output.move)))
                array = np.memmap(file, dtype, "r", shape=output.shape)
            *above, last = output.path.split(".")
            place = state
            for part in above:
                place = place.setdefault(part, {})
            place[last] = array
        try:
            with ocp.StandardCheckpointer() as checkpointer:
                checkpointer.save((scratch / "checkpoint").absolute(), state)
            with ocp.PyTreeCheckpointer() as checkpointer:
                restored = checkpointer.restore((scratch / "checkpoint").absolute())
        except Exception as error:  # orbax raises errors of many kinds
            raise RefusedError(f"{destination}: orbax cannot write this: {first_line(error)}") from None
        for output in outputs:
            there, here = restored, state
            for part in output.path.split("."):
                there, here = there[part], here[part]
            if np.asarray(there).tobytes() != np.asarray(here).tobytes():
                raise RefusedError(
                    f"{destination}: what was written for {output.path} cannot be read back as it was; nothing is kept"
                )
        if destination.exists():
            destination.rmdir()
        os.replace(scratch / "checkpoint", destination)
    return [destination]


class Scratch:
    """A folder beside the destination that is gone afterwards, whatever happens."""

    def __init__(self, destination: Path) -> None:
        if not destination.parent.is_dir():
            raise RefusedError(f"{destination}: the folder {destination.parent} does not exist")
        self.path = Path(tempfile.mkdtemp(prefix=f".{destination.name}.", dir=destination.parent))

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *error: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

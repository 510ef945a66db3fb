"""Reading checkpoints: .pth, .pt, .bin through torch, .safetensors directly, either in shards with an index."""

from __future__ import annotations

import json
import math
import os
import pickle
import zlib
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .tensors import SIZES, RefusedError, Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Array = np.ndarray[Any, Any]

SLAB = 32 << 20  # bytes that are copied at a time
WRAPPERS = ("state_dict", "model_state_dict", "model", "model_state", "module", "net", "params", "weights")


class Shard(Protocol):
    """One file of a checkpoint."""

    tensors: dict[str, Tensor]
    notes: list[str]

    def read(self, key: str) -> Array:
        """The numbers of a tensor, perhaps as integers of the same size."""


class SafetensorsShard:
    """A .safetensors file. It is read with plain reads, not mapped, so that what was read does not stay in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: list[str] = []
        self.tensors: dict[str, Tensor] = {}
        self.offsets: dict[str, int] = {}
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            length = int.from_bytes(start, "little")
            if len(start) < 8 or length > min(size - 8, 100 << 20):
                raise RefusedError(
                    f"{path}: truncated or not a safetensors file (its header does not fit in its {size} bytes)"
                )
            try:
                header = json.loads(file.read(length))
                assert isinstance(header, dict)
            except (ValueError, AssertionError):
                raise RefusedError(f"{path}: not a safetensors file (its header is not JSON)") from None
        header.pop("__metadata__", None)
        end = 0
        for key, entry in header.items():
            try:
                dtype, shape = str(entry["dtype"]), tuple(int(n) for n in entry["shape"])
                begin, stop = (int(n) for n in entry["data_offsets"])
            except (KeyError, TypeError, ValueError):
                raise RefusedError(f"{path}: the header's entry for {key} is not complete") from None
            if dtype not in SIZES:
                raise RefusedError(f"{path}: {key} has the type {dtype}, which this script does not know")
            if begin < 0 or min(shape, default=0) < 0 or stop - begin != math.prod(shape) * SIZES[dtype]:
                raise RefusedError(
                    f"{path}: the header is corrupt: {key} {list(shape)} {dtype} does not take {stop - begin} bytes"
                )
            if 8 + length + stop > size:
                raise RefusedError(
                    f"{path}: truncated: {key} ends at byte {8 + length + stop} of a file of {size} bytes"
                )
            self.tensors[key] = Tensor(key, dtype, shape, path.name)
            self.offsets[key] = 8 + length + begin
            end = max(end, 8 + length + stop)
        if end < size and header:
            raise RefusedError(f"{path}: corrupt: {size - end} bytes at its end belong to no tensor")

    def read(self, key: str) -> Array:
        """The tensor as integers of the same size."""
        tensor = self.tensors[key]
        size = SIZES[tensor.dtype]
        array = np.empty(tensor.shape, dtype=f"u{size}")
        with self.path.open("rb") as file:
            file.seek(self.offsets[key])
            if array.size and file.readinto(_bytes(array)) != array.nbytes:
                raise RefusedError(f"{self.path}: truncated while {key} was read")
        return array


class TorchShard:
    """A .pth file, read by torch with weights_only (no code of the file runs), mapped where its format allows."""

    def __init__(self, path: Path, entry: str | None = None) -> None:
        self.path = path
        self.notes: list[str] = []
        state = self._unwrap(self._load(), entry)
        self.values: dict[str, Any] = {}
        self.tensors: dict[str, Tensor] = {}
        import torch

        for key, value in state.items():
            if not isinstance(value, torch.Tensor):
                self.notes.append(f"{key}: skipped, it is a {type(value).__name__} and no tensor")
                continue
            dtype = _torch_dtype(value.dtype)
            if value.layout != torch.strided or value.is_quantized or dtype is None:
                raise RefusedError(
                    f"{path}: {key} is a {value.dtype} tensor of layout {value.layout}, which cannot be carried over"
                )
            value = value.detach().resolve_conj().resolve_neg()
            # Two names for one memory are one parameter of the model (without elements it is an accident).
            place = (value.data_ptr(), tuple(value.shape), value.stride(), dtype) if value.numel() else None
            self.values[key] = value
            self.tensors[key] = Tensor(key, dtype, tuple(value.shape), path.name, place)

    def _load(self) -> Any:
        try:
            import torch
        except ImportError:
            raise RefusedError(f"{self.path}: reading this file needs torch (a .safetensors file would not)") from None
        for mapped in (True, False):
            try:
                return torch.load(self.path, map_location="cpu", weights_only=True, mmap=mapped)
            except pickle.UnpicklingError as error:
                if "Unsupported global" in str(error) or "WeightsUnpickler" in str(error):
                    name = str(error).partition("GLOBAL ")[2].partition(" ")[0] or "an object"
                    raise RefusedError(
                        f"{self.path}: holds {name}, not only tensors; "
                        "save the weights alone: torch.save(model.state_dict(), path)"
                    ) from None
                raise RefusedError(
                    f"{self.path}: truncated or not a PyTorch checkpoint ({first_line(error)})"
                ) from None
            except Exception as error:
                if mapped and "mmap can only be used" in str(error):
                    continue  # the format from before torch 1.6
                raise RefusedError(
                    f"{self.path}: truncated or not a PyTorch checkpoint ({first_line(error)})"
                ) from None
        raise AssertionError

    def _unwrap(self, loaded: Any, entry: str | None) -> dict[str, Any]:
        """The state dictionary inside what was saved: training scripts wrap it in {'state_dict': ...} and the like."""
        for _ in range(4):
            if not isinstance(loaded, dict):
                raise RefusedError(f"{self.path}: holds a {type(loaded).__name__}, not a dictionary of tensors")
            inner = [str(key) for key, value in loaded.items() if isinstance(value, dict) and _holds_tensors(value, 3)]
            if entry is not None:
                if entry not in inner:
                    raise RefusedError(
                        f"{self.path}: has no dictionary of tensors named {entry}; "
                        f"there are: {', '.join(inner) or 'none'}"
                    )
                name, entry = entry, None
            elif _holds_tensors(loaded) or not loaded:
                return {str(key): value for key, value in loaded.items()}
            else:
                known = [name for name in WRAPPERS if name in inner]
                if not inner or (len(inner) > 1 and not known):
                    found = (
                        f"several dictionaries of tensors ({', '.join(inner)}); choose one with --entry"
                        if inner
                        else "no tensors"
                    )
                    raise RefusedError(f"{self.path}: holds {found}")
                name = known[0] if known else inner[0]
            self.notes.append(f"the weights are the entry {name!r} of {self.path.name}")
            loaded = loaded[name]
        raise RefusedError(f"{self.path}: holds no dictionary of tensors")

    def read(self, key: str) -> Array:
        """The tensor as integers of the same size, in the memory of the file."""
        value = self.values[key]
        size = SIZES[self.tensors[key].dtype]
        import torch

        # numpy lacks bfloat16 and the 8-bit floats: look at the bytes as integers, which copies nothing.
        same_size = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[size]
        array: Array = value.view(same_size).numpy()
        return array


def _holds_tensors(value: dict[Any, Any], depth: int = 1) -> bool:
    """Are there tensors under names? (The state of an optimizer has them under numbers.)"""
    items = [item for key, item in value.items() if isinstance(key, str)]
    if any(type(item).__name__ in ("Tensor", "Parameter") for item in items):
        return True
    return depth > 1 and any(isinstance(item, dict) and _holds_tensors(item, depth - 1) for item in items)


def first_line(error: BaseException) -> str:
    """What an error of a library says, short enough for one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def _torch_dtype(dtype: object) -> str | None:
    names = {
        "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "int32": "I32",
        "int16": "I16", "int8": "I8", "uint64": "U64", "uint32": "U32", "uint16": "U16", "uint8": "U8",
        "bool": "BOOL", "complex64": "C64",
        "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "float8_e8m0fnu": "F8_E8M0",
    }  # fmt: skip
    return names.get(str(dtype).removeprefix("torch."))


class Checkpoint:
    """All tensors of a checkpoint, in one file or many, of which one is open at a time."""

    def __init__(self, path: Path, entry: str | None = None) -> None:
        self.path = path
        self.entry = entry
        self.notes: list[str] = []
        self.tensors: dict[str, Tensor] = {}
        self._open: tuple[Path, Shard] | None = None
        self._digests: dict[str, int] = {}
        self.files, listed = _files_of(path)
        self.keeps_aliases = all(file.suffix != ".safetensors" for file in self.files.values())
        for name in self.files:
            shard = self._shard(name)
            self.notes += shard.notes
            for key, tensor in shard.tensors.items():
                if listed is not None and listed.get(key) != name:
                    self.notes.append(f"{key}: skipped, the index does not list it for {name}")
                else:
                    self.tensors[key] = tensor
            for key in (key for key, file in (listed or {}).items() if file == name and key not in shard.tensors):
                raise RefusedError(f"{self.files[name]}: incomplete: the index says that it holds {key}")
        if not self.tensors:
            raise RefusedError(f"{path}: holds no tensors")
        if len(self.files) > 1:
            self.notes.append(f"read from {len(self.files)} shards")

    def _shard(self, name: str) -> Shard:
        path = self.files[name]
        if self._open is None or self._open[0] != path:
            self._open = None
            shard: Shard = SafetensorsShard(path) if path.suffix == ".safetensors" else TorchShard(path, self.entry)
            self._open = (path, shard)
        return self._open[1]

    def read(self, key: str) -> Array:
        """The numbers of a tensor, perhaps as integers of the same size."""
        return self._shard(self.tensors[key].file).read(key)

    def same(self, first: str, second: str) -> bool:
        """Do two tensors hold the same numbers?"""
        a, b = self.tensors[first], self.tensors[second]
        return (a.dtype, a.shape) == (b.dtype, b.shape) and self._digest(first) == self._digest(second)

    def _digest(self, key: str) -> int:
        if key not in self._digests:
            self._digests[key] = 0
            for piece in pieces(self.read(key)):
                self._digests[key] = zlib.crc32(piece, self._digests[key])
        return self._digests[key]


def _files_of(path: Path) -> tuple[dict[str, Path], dict[str, str] | None]:
    """The files of a checkpoint by name, and, where an index says so, which tensor lies in which."""
    if path.is_dir():
        found = sorted(path.glob("*.index.json"))
        if not found:
            found = sorted(file for ending in ("*.safetensors", "*.pth", "*.pt", "*.bin") for file in path.glob(ending))
        if len(found) != 1:
            what = f"several checkpoints ({', '.join(file.name for file in found)})" if found else "no checkpoint"
            raise RefusedError(f"{path}: this folder holds {what}; name the file")
        path = found[0]
    if not path.exists():
        raise RefusedError(f"{path}: no such file")
    if path.suffix != ".json":
        return {path.name: path}, None
    try:
        listed = {str(key): str(name) for key, name in json.loads(path.read_text("utf-8"))["weight_map"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise RefusedError(f"{path}: not an index of shards (JSON with a 'weight_map')") from None
    files = {}
    for name in sorted(set(listed.values())):
        if os.path.basename(name) != name:
            raise RefusedError(f"{path}: names the shard {name!r}, which is not a file beside it")
        files[name] = path.parent / name
        if not files[name].is_file():
            raise RefusedError(f"{path}: the shard {name} is missing")
    return files, listed


def pieces(array: Array) -> Iterator[memoryview]:
    """The bytes of an array in C order, a slab at a time, so that a transposed array is never copied as a whole."""
    if array.nbytes <= SLAB or array.ndim == 0:
        if array.size:
            yield _bytes(np.ascontiguousarray(array))
        return
    rows = SLAB * len(array) // array.nbytes
    if rows == 0:
        for part in array:
            yield from pieces(part)
        return
    for start in range(0, len(array), rows):
        yield _bytes(np.ascontiguousarray(array[start : start + rows]))


def _bytes(array: Array) -> memoryview:
    """The memory of a contiguous array."""
    return array.reshape(-1).view(np.uint8).data

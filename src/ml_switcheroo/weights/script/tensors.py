"""What is known about a tensor before its numbers are read."""

from __future__ import annotations

import math
from dataclasses import dataclass

# Bytes per element, under the names of the safetensors format. Numbers are only moved, never computed with,
# so any type of these sizes can be carried (bfloat16 and the 8-bit floats need no library).
SIZES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1,
    "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1, "C64": 8, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1,
}  # fmt: skip


class RefusedError(Exception):
    """The checkpoint or the command cannot be served. The text says why, in one line; nothing has been written."""


@dataclass(frozen=True)
class Tensor:
    """A tensor of the checkpoint: its name, type and shape, and the file that holds it."""

    key: str
    dtype: str
    shape: tuple[int, ...]
    file: str = ""
    alias: object = None  # equal for two tensors that lie in the same memory (known for .pth files only)

    @property
    def nbytes(self) -> int:
        """Its size in a file."""
        return math.prod(self.shape) * SIZES[self.dtype]

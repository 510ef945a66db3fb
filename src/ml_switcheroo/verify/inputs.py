"""The inputs that a model is run with: a small syntax, and the same random numbers for both sides.

    2x3x32x32            float32, seeded normal            mask=4x16:bool      keyword argument, random booleans
    2x16:int<100         whole numbers 0..99               2x16:true           all True (also: ones, zeros, false)
    2:int 5..9           whole numbers 5..9                2x4:uniform         float32 between 0 and 1
    scalar:int<10        no axes                           2:float=0.5         one constant
    [2x3, 2x3]           a list of tensors                 flag=@False         a plain Python literal

`:int` alone means 0..9. `int:2x16:100` is read as `2x16:int<100`, `float:2x3` and `bool:2x3` likewise.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import VerifyError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NAME = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_SHAPE = re.compile(r"(scalar|\d+(?:x\d+)*)\Z")
_INT = re.compile(r"int(?:\s*<\s*(\d+)|\s+(-?\d+)\.\.(-?\d+))?\Z")
_TYPE_FIRST = re.compile(r"(int|float|bool):(scalar|\d+(?:x\d+)*)(?::(\d+))?\Z")
_CONSTANT = re.compile(r"(float|int)=(.+)\Z")
_WORDS = ("float", "normal", "uniform", "bool", "true", "false", "ones", "zeros")


@dataclass(frozen=True)
class InputSpec:
    """One argument of the model: a tensor, a list of tensors (`items`), or a Python literal."""

    name: str | None = None
    shape: tuple[int, ...] = ()
    dtype: str = "float"
    low: int = 0
    high: int = 10
    constant: float | None = None
    literal: str | None = None
    items: tuple[InputSpec, ...] | None = None

    def make(self, rng: np.random.Generator) -> NDArray[Any]:
        """The numbers of one tensor."""
        import numpy as np

        if self.constant is not None:
            return np.full(self.shape, self.constant, np.int64 if self.dtype == "int" else np.float32)
        if self.dtype == "int":
            return np.asarray(rng.integers(self.low, self.high, self.shape), np.int64)
        if self.dtype in ("bool", "true", "false"):
            fill = rng.random(self.shape) < 0.5 if self.dtype == "bool" else np.full(self.shape, self.dtype == "true")
            return np.asarray(fill, np.bool_)
        if self.dtype in ("ones", "zeros"):
            return np.full(self.shape, float(self.dtype == "ones"), np.float32)
        drawn = rng.random(self.shape) if self.dtype == "uniform" else rng.standard_normal(self.shape)
        return np.asarray(drawn, np.float32)


def parse_input(text: str) -> InputSpec:
    """Read one input: `mask=2x16:bool` -> InputSpec(name='mask', shape=(2, 16), dtype='bool')."""
    text = text.strip()
    name = None
    if (named := _NAME.match(text)) and not _CONSTANT.match(text):
        name, text = named.group(1), named.group(2).strip()
    if text.startswith("@"):
        try:
            ast.literal_eval(text[1:])
        except (ValueError, SyntaxError):
            raise _bad(text, "what follows @ is not a Python literal") from None
        return InputSpec(name=name, literal=text[1:])
    if text.startswith("["):
        if not text.endswith("]"):
            raise _bad(text, "the list is not closed")
        return InputSpec(name=name, items=tuple(parse_input(part) for part in text[1:-1].split(",")))
    if turned := _TYPE_FIRST.match(text):
        kind, shape, high = turned.groups()
        return _tensor(name, shape, f"{kind}<{high}" if high else kind, text)
    shape, _, kind = text.partition(":")
    return _tensor(name, shape.strip(), kind.strip() or "float", text)


def _tensor(name: str | None, shape: str, kind: str, text: str) -> InputSpec:
    if not _SHAPE.match(shape):
        raise _bad(text, "a shape looks like 2x3x32x32, or is the word scalar")
    axes = () if shape == "scalar" else tuple(int(n) for n in shape.split("x"))
    if found := _INT.match(kind):
        below, low, high = found.groups()
        if low is not None:
            return InputSpec(name, axes, "int", int(low), int(high) + 1)
        return InputSpec(name, axes, "int", 0, int(below) if below else 10)
    if constant := _CONSTANT.match(kind):
        try:
            return InputSpec(name, axes, constant.group(1), constant=float(constant.group(2)))
        except ValueError:
            raise _bad(text, f"{constant.group(2)!r} is not a number") from None
    if kind not in _WORDS:
        raise _bad(text, f"unknown type {kind!r}: use float, int<N, int A..B, bool, uniform, ones, zeros, true, false")
    return InputSpec(name, axes, kind)


def _bad(text: str, why: str) -> VerifyError:
    return VerifyError(f"input {text!r}: {why}")


def make_inputs(specs: list[InputSpec], seed: int) -> tuple[dict[str, NDArray[Any]], list[dict[str, Any]]]:
    """Draw all arrays, and describe how a worker puts the arguments together again (see `workers.common.arguments`)."""
    import numpy as np

    arrays: dict[str, NDArray[Any]] = {}
    layout: list[dict[str, Any]] = []
    for index, spec in enumerate(specs):
        rng = np.random.default_rng([seed, index])
        entry: dict[str, Any] = {"name": spec.name}
        if spec.literal is not None:
            entry["literal"] = spec.literal
        elif spec.items is not None:
            entry["list"] = [f"{index}.{i}" for i in range(len(spec.items))]
            for key, item in zip(entry["list"], spec.items, strict=True):
                arrays[key] = item.make(rng)
        else:
            entry["array"] = str(index)
            arrays[str(index)] = spec.make(rng)
        layout.append(entry)
    return arrays, layout

"""Abstract values: what the analysis knows about an expression without running it.

An expression has a *set* of abstract values (`Values`, a frozenset): one entry for each thing that it may be. The empty
set means "never reached"; `UNKNOWN` in the set means "may also be something that nobody has seen".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import libcst as cst

    from .model import ClassInfo, FunctionInfo, ModuleInfo, Site


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something without evidence; `crowd` where too many things came together to keep them apart."""

    crowd: bool = False


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor.

    `role` is 'value', 'parameter' (trained) or 'buffer'; `weak` marks one that is only assumed (forward's arguments);
    `listed` one of those that a module with layers in it has, whichever that is (`for p in model.parameters()`).
    """

    role: str = "value"
    weak: bool = False
    dtype: str | None = None
    listed: bool = False


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value of known type: int, float, number, bool, str, dtype, device, shape, generator, ndarray, range."""

    type: str


@dataclass(frozen=True, slots=True)
class Const:
    """A known Python literal: int, float, bool, str, bytes or None."""

    value: object

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Const) and type(self.value) is type(other.value) and self.value == other.value

    def __hash__(self) -> int:
        return hash((type(self.value), self.value))


@dataclass(frozen=True, slots=True)
class Text:
    """A string known up to its computed parts: `pattern` is its text with `*` for each part that is not known."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Container:
    """A list, tuple, dict, or a module container, told apart by the place that made it."""

    site: Site


@dataclass(frozen=True, slots=True)
class Layer:
    """An instance of a framework's layer; `op` is its hub name, or 'Module' for a module of unknown class."""

    op: str
    inplace: bool = False  # built with inplace=True: calling it changes its argument


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance of a class of the project."""

    cls: ClassInfo


@dataclass(frozen=True, slots=True)
class ClassRef:
    """A class of the project, as a value."""

    cls: ClassInfo


@dataclass(frozen=True, slots=True)
class Api:
    """A public name of a framework or library, as a value (`torch.nn.Conv2d`, `functools.partial`)."""

    name: str


@dataclass(frozen=True, slots=True)
class FunctionRef:
    """A function, method or lambda of the project; `receiver` is the instance it is bound to."""

    function: FunctionInfo
    receiver: Values | None = None


@dataclass(frozen=True, slots=True)
class Partial:
    """`functools.partial(target, *args, ...)`."""

    target: Values
    args: tuple[Values, ...] = ()  # what is bound by position


@dataclass(frozen=True, slots=True)
class MethodRef:
    """A method of a value that is not an object of the project: `x.view` before it is called."""

    receiver: Values
    name: str


@dataclass(frozen=True, slots=True)
class ModuleRef:
    """A module of the project."""

    module: ModuleInfo


@dataclass(frozen=True, slots=True)
class Factory:
    """A callable of unknown identity that makes modules: a layer class or factory that comes in as an argument."""


@dataclass(frozen=True, slots=True)
class Imported:
    """A name of a module of the project that nobody has used yet: the module is parsed when somebody does.

    An empty `name` stands for the module itself.
    """

    source: str
    name: str


@dataclass(frozen=True, slots=True)
class Made:
    """What an unknown callable returned at one place; always together with UNKNOWN.

    When it ends up where only modules can be, the callable was a factory of modules.
    """

    node: cst.CSTNode


@dataclass(frozen=True, slots=True)
class Super:
    """What `super()` gives inside a method of `cls`."""

    cls: ClassInfo


Value: TypeAlias = (
    Unknown
    | Tensor
    | Scalar
    | Const
    | Text
    | Container
    | Layer
    | Instance
    | ClassRef
    | Api
    | FunctionRef
    | Partial
    | MethodRef
    | ModuleRef
    | Factory
    | Imported
    | Made
    | Super
)
Values: TypeAlias = frozenset[Value]

UNKNOWN = Unknown()
NOTHING: Values = frozenset()


def unbound(values: Values) -> Values:
    """What is called by these values: of `partial(f, 1)`, f."""
    return NOTHING.union(*(v.target if isinstance(v, Partial) else (v,) for v in values))


NDARRAY: Values = frozenset({Scalar("ndarray")})
UNKNOWNS: Values = frozenset({UNKNOWN})
CROWD = Unknown(crowd=True)
TYPE: Values = frozenset({UNKNOWN, Scalar("type")})  # the class of something
INT, FLOAT, BOOL, STR, SHAPE = (frozenset({Scalar(t)}) for t in ("int", "float", "bool", "str", "shape"))
NONE: Values = frozenset({Const(None)})
TENSOR: Values = frozenset({Tensor()})
MASK: Values = frozenset({Tensor(dtype="bool")})


def is_mask(values: Values) -> bool:
    """A tensor of truth values, for certain."""
    return bool(values) and all(isinstance(value, Tensor) and value.dtype == "bool" for value in values)


# What arrays of any library have, and modules have not.
ARRAY_METHODS = frozenset(
    [
        "argmax",
        "argmin",
        "argsort",
        "astype",
        "clip",
        "conj",
        "cumprod",
        "cumsum",
        "diagonal",
        "dot",
        "flatten",
        "mean",
        "nonzero",
        "prod",
        "ravel",
        "repeat",
        "reshape",
        "squeeze",
        "std",
        "sum",
        "swapaxes",
        "take",
        "trace",
        "transpose",
        "var",
    ]
)
REDUCING = frozenset(["mean", "sum", "prod", "median", "min", "max", "amin", "amax", "std", "var", "argmax", "argmin"])
"""Functions of arrays, and methods of theirs, that end at a number unless they are given an axis."""
NUMBERS = frozenset({"int", "float", "bool", "number"})


def number_type(value: Value) -> str | None:
    """int, float, bool or number, where the value is one."""
    if isinstance(value, Const) and type(value.value) in (int, float, bool):
        return type(value.value).__name__
    if isinstance(value, Scalar) and value.type in NUMBERS:
        return value.type
    return None


def classes(values: Values) -> Values:
    """Those that are classes, of the project or of a framework."""
    return frozenset(v for v in values if isinstance(v, (Api, ClassRef)))

"""The types of this room: arguments, a bound call, where it stands, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import libcst as cst

    from ml_switcheroo.analysis.values import Values
    from ml_switcheroo.kb.model import ApiParam, Helper, HubOp, ReadRow, Signature, WriteRow


class KnowledgeBase(Protocol):
    """What this room needs of the knowledge base."""

    def read(self, api_name: str, /) -> Sequence[ReadRow]:
        """All meanings of a source name, in the order in which they are to be tried."""
        ...

    def hub(self, op: str, /) -> HubOp | None:
        """The meaning of an abstract op."""
        ...

    def write(self, op: str, /) -> WriteRow | None:
        """How the target writes an op."""
        ...

    def helper(self, name: str, /) -> Helper | None:
        """A definition that can be copied into the output."""
        ...

    def is_known_api(self, name: str, /) -> bool:
        """Has the source framework this public name?"""
        ...

    def imports(self) -> dict[str, str]:
        """Import statements of the target by alias."""
        ...

    @property
    def source_framework(self) -> dict[str, Any]:
        """What holds for the source as a whole; `names` are the kinds of what has such a name."""
        ...

    @property
    def target_framework(self) -> dict[str, Any]:
        """What holds for the target as a whole; `tensor` is the full name of its tensor class."""
        ...

    def target_signature(self, name: str, /) -> Signature | None:
        """The signature of a target name as templates write it (`jnp.sum`), where it is known."""
        ...


@dataclass(frozen=True, slots=True)
class CallArg:
    """One argument of a source call. `node` is in target form already, `original` is the source node."""

    node: cst.BaseExpression
    original: cst.BaseExpression
    values: Values
    keyword: str | None = None
    star: str = ""  # "", "*" or "**"


@dataclass(frozen=True, slots=True)
class Bound:
    """What a hub parameter was given. `index` counts the arguments of the source call from 0; -1 is the receiver.

    `spread`: the elements of `node` were arguments of their own, the last of them at `index`.
    """

    node: cst.BaseExpression
    original: cst.BaseExpression
    values: Values
    positional: bool
    index: int = -1
    spread: bool = False


@dataclass(frozen=True, slots=True)
class OpCall:
    """A source call, understood: the hub op and its arguments in source order."""

    op: HubOp
    row: ReadRow
    args: dict[str, Bound]
    defaults: dict[str, str] = field(default_factory=dict)  # left out, and the source's default is not the hub's
    rest: tuple[tuple[int, CallArg], ...] = ()  # *args and **kwargs that could not be taken apart, with their index
    keywords: tuple[tuple[int, CallArg], ...] = ()  # what a `**keywords` parameter of the op collects
    open: tuple[ApiParam, ...] = ()  # parameters of the source's signature that `rest` may fill
    source: cst.Call | None = None  # for whitespace and comments

    def default(self, name: str) -> str | None:
        """The default of a hub parameter that was left out, as Python text; None where it has none."""
        if name in self.defaults:
            return self.defaults[name]
        param = self.op.params.get(name)
        return param.default if param is not None else None


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a call cannot be converted: a code of diagnostics.py, what is wrong, what to do.

    `argument` is the index of the argument that it is about.
    """

    code: str
    message: str
    hint: str
    argument: int | None = None


@dataclass(frozen=True, slots=True)
class Emission:
    """A target expression, the import aliases that it uses and the helpers that it calls.

    `lost` holds the comments of the source call that have no place in it.
    """

    node: cst.BaseExpression
    imports: frozenset[str] = frozenset()
    helpers: frozenset[str] = frozenset()
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where an expression is written: what gives random keys there, and the plugins that may be called.

    `is_variable` tells whether a name stands for a variable in the source's order of axes, `is_array` whether it stands
    for no variable at all, and `is_private` whether nobody else sees it if the array of a source expression is changed.
    """

    rngs: cst.BaseExpression | None = None
    plugins: Mapping[str, Callable[[KnowledgeBase, OpCall, Place], Emission | Misfit]] = field(default_factory=dict)
    is_variable: Callable[[str], bool] = lambda _: False
    is_array: Callable[[str], bool] = lambda _: False
    is_private: Callable[[cst.BaseExpression], bool] = lambda _: False

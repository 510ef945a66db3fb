"""What to call an operation with: Hypothesis strategies from the types of its hub row.

The types say little about how arguments depend on each other (which shapes fit together), so draws are guesses: those
that the source framework itself refuses do not count. `tensor[B C L]` and `int 1..4` in a row make the guesses good.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from ..kb.types import WRITTEN, Type, parse_type
from .arrays import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..kb.model import HubOp, Param

AXES = re.compile(r"^(dims?|ax[ei]s|axis\d|dim\d|start_dim|end_dim|source|destination|dim_\w+|axis_\w+)$")
FLOATS = ("float32", "float32", "float32", "float32", "float16", "bfloat16")
ANY_DTYPE = ("float32", "float32", "float32", "float32", "int64", "int32", "bool", "float16", "complex64")
CAST = ("float32", "float16", "int32", "int64", "bool", "float64")
NUMBERS = (0, 1, 2, -1, 3, 0.5, 1.0, 2.5, -0.75)
RANKS = (2, 3, 1, 3, 2, 4, 0)
LARGE = ((40, 50), (3000,), (20, 10, 12))
SIZES = (2, 3, 4, 3, 5, 1)
VALUES = ("normal", "normal", "normal", "positive", "unit", "special")
MISSING = object()
SEEDS = 100_000  # more than a call has: another call's arrays are drawn from further seeds
OBJECTS = frozenset({"optimizer", "schedule", "distribution"})  # results that are compared by what is done with them
MADE = OBJECTS | {"module"}  # arguments that another operation makes
UNDRAWABLE = frozenset(
    ["module", "callable", "class", "device", "generator", "keywords", "dict", "optimizer", "schedule",
     "distribution", "parameters", "iterator", "ndarray", "memory_format", "bytes", "slice"]
)  # fmt: skip


class UndrawableError(Exception):
    """A parameter of a kind that cannot be drawn."""


@dataclass(frozen=True)
class Dtype:
    """A dtype as an argument."""

    name: str


@dataclass(frozen=True)
class Made:
    """An object as an argument: the operation that makes it, and with what."""

    op: str
    given: dict[str, Any]


@dataclass(frozen=True)
class Object:
    """What the program around the call has of this kind: its model, its optimizer."""

    kind: str


@dataclass(frozen=True)
class Source:
    """An argument as the source writes it, such as a function."""

    text: str


@dataclass
class Scene:
    """What the arguments of one call have in common."""

    draw: Callable[[Any], Any]
    base: tuple[int, ...]
    dtype: str
    values: str
    axes: dict[str, int] = field(default_factory=dict)  # sizes by the letters of `tensor[B C L]`
    known: dict[str, Any] = field(default_factory=dict)  # arguments that shapes may name: `tensor[N in_channels L]`
    layer: bool = False  # are these the arguments of a layer's constructor?
    dtypes: tuple[str, ...] = CAST  # for arguments that are a dtype
    objects: frozenset[str] = frozenset()  # kinds of values that the program around the call has
    count: int = 0

    def seed(self) -> int:
        self.count += 1
        return self.count * 1000 + int(self.draw(st.integers(0, 99)))

    def shape(self, letters: str) -> tuple[int, ...]:
        sizes: list[int] = []
        for letter in letters.split():
            if letter == "...":
                sizes += self.base[:2]
            elif letter.isdigit():
                sizes.append(int(letter))
            elif letter in self.known:
                sizes += self.known[letter] if isinstance(self.known[letter], (tuple, list)) else [self.known[letter]]
            elif match := re.fullmatch(r"([A-Za-z]+)([*+])(\d+)", letter):
                size = self._axis(match[1])
                sizes.append(size * int(match[3]) if match[2] == "*" else size + int(match[3]))
            else:
                sizes.append(self._axis(letter))
        return tuple(sizes)

    def _axis(self, letter: str) -> int:
        if letter not in self.axes:
            spatial = letter in ("L", "H", "W", "D", "T")
            self.axes[letter] = int(self.draw(st.integers(4, 8) if spatial else st.integers(1, 4)))
        return self.axes[letter]


def calls(
    params: Mapping[str, Param],
    first: str | None = None,
    known: Mapping[str, Any] | None = None,
    *,
    layer: bool = False,
    large: bool = False,
    joint: Mapping[str, str] | None = None,
    hub: Callable[[str], HubOp | None] | None = None,
    objects: frozenset[str] = frozenset(),
) -> st.SearchStrategy[dict[str, Any]]:
    """Arguments by parameter name; parameters that have a default are left out at times.

    `layer`: they build a layer. `known`: what a layer was built with, where these are the arguments of its call.
    `large`: with thousands of elements, for what is compared by its distribution.
    `joint`: an entry of `draw` in the row, which says more than the types do.
    `hub`: where the operations are that make objects (`dist: "one of Normal Beta"`).
    `objects`: kinds of values that the program around the call has.
    """
    joint = joint or {}
    types = {name: parse_type(param.type) for name, param in params.items()}
    fixed: dict[str, Any] = {n: ast.literal_eval(t[1:].strip()) for n, t in joint.items() if t.startswith("=")}
    fixed |= {n: Source(t.removeprefix(WRITTEN)) for n, t in joint.items() if t.startswith(WRITTEN)}
    types |= {n: parse_type(t) for n, t in joint.items() if n in params and n not in fixed}
    for name, param in params.items():
        if param.default is None and name not in fixed:
            _check(name, types[name], objects)

    return _whole(params, types, fixed, first, known, joint, hub, objects, layer=layer, large=large)


@st.composite
def _whole(
    draw: Any,
    params: Mapping[str, Param],
    types: Mapping[str, Type],
    fixed: Mapping[str, Any],
    first: str | None,
    known: Mapping[str, Any] | None,
    joint: Mapping[str, str],
    hub: Callable[[str], HubOp | None] | None,
    objects: frozenset[str],
    *,
    layer: bool,
    large: bool,
) -> dict[str, Any]:
    """The arguments of one call. (Decorated once: Hypothesis reads the source of what it decorates.)"""
    floats = known is not None or draw(st.booleans())
    scene = Scene(
        draw,
        base=draw(st.sampled_from(LARGE))
        if large and draw(st.integers(0, 3))
        else tuple(draw(st.sampled_from(SIZES)) for _ in range(draw(st.sampled_from(RANKS)))),
        dtype="float32" if known is not None else draw(st.sampled_from(FLOATS if floats else ANY_DTYPE)),
        values=draw(st.sampled_from(_words(joint, "_values", VALUES[:-1] if large else VALUES))),
    )
    if "_dtype" in joint:
        scene.dtypes = _words(joint, "_dtype", ())
        scene.dtype = draw(st.sampled_from(scene.dtypes))
    if "_shape" in joint:
        scene.base = scene.shape(joint["_shape"])
    if not scene.base and any(AXES.match(name) for name in (*params, *(known or ()))):
        scene.base = (3,)  # an axis of an array that has none: frameworks do not agree whether that is 0
    scene.known, scene.layer, scene.objects = dict(known or {}), layer, objects
    if known is None and draw(st.integers(0, 15)) == 0 and scene.base:
        scene.base = (0, *scene.base[1:])
    given: dict[str, Any] = {}
    for name, param in params.items():
        usual = param.default is not None and (name not in fixed or repr(fixed[name]) == param.default)
        if usual and draw(st.booleans()):
            continue
        if name in fixed:
            value = fixed[name]
        else:
            value = _draw(scene, name, types[name], param.default, leading=name == first or not given)
        if param.type in MADE and isinstance(value, str) and hub is not None and (maker := hub(value)) is not None:
            entry = draw(st.sampled_from(maker.draw)) if maker.draw else {}
            inner = draw(calls(maker.params, joint=entry, hub=hub, layer=maker.kind == "layer"))
            value = Made(value, {n: reseeded(v, (len(given) + 1) * SEEDS) for n, v in inner.items()})
        if value is not MISSING:
            given[name] = value
            scene.known.setdefault(name, value)
    if any(isinstance(value, Dtype) and "float" not in value.name for value in given.values()):
        given = {name: _ordinary(value) for name, value in given.items()}
    return given


def reseeded(value: Any, offset: int) -> Any:
    """Other numbers than those of the call around it."""
    if isinstance(value, Made):
        return Made(value.op, {name: reseeded(inner, offset) for name, inner in value.given.items()})
    return replace(value, seed=value.seed + offset) if isinstance(value, Recipe) else value


def _word(text: str) -> Any:
    """A word of `one of a b`; numbers are numbers."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _words(joint: Mapping[str, str], key: str, default: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(joint[key].split()) if key in joint else default


def _ordinary(value: Any) -> Any:
    """Without NaN and infinities: what they are as whole numbers is not defined."""
    return replace(value, values="normal") if isinstance(value, Recipe) and value.values == "special" else value


def _check(name: str, kind: Type, objects: frozenset[str]) -> None:
    if kind.name in UNDRAWABLE - objects and not kind.optional:
        raise UndrawableError(f"parameter {name} is a {kind.name}")
    if kind.name == "str":
        raise UndrawableError(f"parameter {name} is a text; its row does not say which (`one of a b`)")


def _draw(scene: Scene, name: str, kind: Type, default: str | None, leading: bool) -> Any:
    draw = scene.draw
    if kind.name in scene.objects:
        return Object(kind.name)
    if kind.name == "dtype" and scene.layer:
        return MISSING  # layers of other dtypes: see the operations themselves
    if kind.optional and draw(st.integers(0, 2)) == 0:
        return None if default is not None else MISSING
    if kind.alternatives:
        kind = draw(st.sampled_from(kind.alternatives))
    if kind.name in ("tensor", "scalar_or_tensor"):
        if kind.name == "scalar_or_tensor" and not leading and draw(st.booleans()):
            return draw(st.sampled_from(NUMBERS))
        return _tensor(scene, kind, leading)
    if kind.name == "same":
        return MISSING
    if kind.name == "list":
        if len(kind.arguments) > 1:
            return [_draw(scene, name, inner, None, leading=True) for inner in kind.arguments]
        inner = kind.arguments[0] if kind.arguments else Type("int", bounds="1..4")
        size = draw(st.integers(1, 3))
        return [_draw(scene, name, inner, None, leading=True) for _ in range(size)]
    if kind.name in ("pair", "triple"):
        return _repeated(scene, kind, 2 if kind.name == "pair" else 3)
    if kind.name in ("int", "float", "number", "complex"):
        return _number(scene, name, kind)
    if kind.name == "bool":
        return draw(st.booleans())
    if kind.name == "dims":
        return _dims(scene, name, kind)
    if kind.name == "shape":
        return _order(scene) if AXES.match(name) else _shape(scene)
    if kind.name == "dtype":
        return Dtype(draw(st.sampled_from(scene.dtypes)))
    if kind.name == "one of":
        return _word(draw(st.sampled_from(kind.choices)))
    if kind.name in ("any", "str") and default is not None:
        return _like(scene, default)
    if kind.name == "any":
        return draw(st.sampled_from((0, 1, 2, 0.5, -1)))
    if default is not None:
        return MISSING
    raise UndrawableError(f"parameter {name} is a {kind.name}")


def _tensor(scene: Scene, kind: Type, leading: bool) -> Recipe:
    draw = scene.draw
    letters = kind.shape or ""
    dtype = scene.dtype
    if letters.islower() and letters.isalpha():  # tensor[int], tensor[bool], tensor[float]
        dtype = {"int": "int64", "bool": "bool", "float": "float32", "complex": "complex64"}.get(letters, dtype)
        letters = ""
    shape = scene.shape(letters) if letters else scene.base
    if kind.shape and not letters:  # indices and masks
        shape = draw(st.sampled_from((shape, shape, shape[1:], shape[-1:])))
    elif not letters and not leading:
        shape = draw(st.sampled_from((shape, shape, shape, shape[1:], tuple(1 for _ in shape), (), shape[-1:])))
    low, high = _bounds(kind, -4, 5)
    whole = kind.shape == "float" and bool(kind.bounds)
    if kind.bounds and not whole:
        dtype = "int64" if not dtype.startswith(("int", "uint", "bool")) else dtype
    return Recipe(shape, dtype, "whole" if whole else scene.values, scene.seed(), int(low), int(high))


def _bounds(kind: Type, low: float, high: float) -> tuple[float, float]:
    if kind.bounds:
        start, _, end = kind.bounds.partition("..")
        low = float(start)
        high = float(end) if end else max(high, low + 4)
    return low, high


def _number(scene: Scene, name: str, kind: Type) -> Any:
    draw = scene.draw
    if kind.name == "int":
        if AXES.match(name) and not kind.bounds:
            rank = max(len(scene.base), 1)
            return draw(st.integers(-rank, rank - 1))
        low, high = _bounds(kind, 1, 4)
        return draw(st.integers(int(low), int(high))) if kind.bounds or draw(st.integers(0, 7)) else 0
    if kind.bounds:
        low, high = _bounds(kind, 0.0, 2.0)
        return round(low + (high - low) * draw(st.sampled_from((0.25, 0.5, 0.1, 0.9))), 4)
    if kind.name == "float":
        return float(draw(st.sampled_from((0.5, 0.0, 1.0, 0.1, 2.0, -0.5, 1e-3))))
    return draw(st.sampled_from(NUMBERS))


def _repeated(scene: Scene, kind: Type, length: int) -> Any:
    low, high = _bounds(kind.arguments[0] if kind.arguments else kind, 1, 3)
    one = st.integers(int(low), int(high))
    return scene.draw(st.one_of(one, st.tuples(*[one] * length)))


def _dims(scene: Scene, name: str, kind: Type) -> Any:
    rank = len(scene.base)
    if AXES.match(name):
        axis = st.integers(-max(rank, 1), max(rank, 1) - 1)
        some = st.lists(st.integers(0, max(rank, 1) - 1), min_size=1, max_size=max(rank, 1), unique=True).map(tuple)
        whole = st.permutations(range(rank)).map(tuple)
        return scene.draw(st.one_of(axis, axis, some, whole))
    low, high = _bounds(kind, 1, 3)
    one = st.integers(int(low), int(high))
    return scene.draw(st.one_of(one, one, st.lists(one, min_size=1, max_size=3).map(tuple)))


def _order(scene: Scene) -> tuple[int, ...]:
    rank = max(len(scene.base), 1)
    order = scene.draw(st.permutations(range(rank)))
    return tuple(axis - rank if scene.draw(st.integers(0, 3)) == 0 else axis for axis in order)


def _shape(scene: Scene) -> tuple[int, ...]:
    base = scene.base
    size = 1
    for n in base:
        size *= n
    choices: list[tuple[int, ...]] = [base, (size,), (-1,), base[::-1], (*base, 1), (1, *base)]
    if len(base) > 1:
        choices += [(base[0] * base[1], *base[2:]), (-1, base[-1]), (base[0], -1)]
    choices.append(tuple(scene.draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))))
    return tuple(scene.draw(st.sampled_from(choices)))


def _like(scene: Scene, default: str) -> Any:
    """A value of the kind of a default: other numbers for a number, else the default itself."""
    try:
        value = ast.literal_eval(default)
    except (ValueError, SyntaxError):
        return MISSING
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return scene.draw(st.integers(0, 3))
    if isinstance(value, float):
        return float(scene.draw(st.sampled_from((value, 0.5, 1.0, 0.1))))
    return value


def inputs(
    op: HubOp, built: Mapping[str, Any] | None = None, joint: Mapping[str, str] | None = None
) -> st.SearchStrategy[dict[str, Any]]:
    """Arguments of a layer's call; its shapes may name what it was built with."""
    from ..kb.model import Param
    from ..kb.types import split_default

    params = {}
    for name, text in op.call.items():
        if name != "returns":
            kind, default = split_default(text)
            params[name] = Param(name, kind, default)
    known = {}
    for name, param in op.params.items():
        value = (built or {}).get(name, MISSING)
        if value is MISSING and param.default is not None:
            value = ast.literal_eval(param.default)
        known[name] = value
    return calls(params, known=known, large="rng" in op.effects, joint=joint)

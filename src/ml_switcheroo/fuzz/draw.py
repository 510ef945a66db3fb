"""Calls of one operation, drawn as they are needed: the same seed gives the same calls."""

from __future__ import annotations

import itertools
import pickle
import random
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..kb.types import WRITTEN
from .domain import OBJECTS, SEEDS, Made, UndrawableError, calls, inputs, reseeded
from .objects import SHAPE, VALUE, Programs
from .spelling import Example, Speller, Spelling, UnspellableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..kb.model import HubOp
    from .arrays import Recipe

STALE = 30  # so many draws without a new one: there are no more
CALL = "(call)"  # in what stands around a call
PLAIN = -1  # the style in which every argument stands in its place


@dataclass(frozen=True)
class Drawn:
    """Arguments by hub parameter, and how to write the call."""

    spelling: Spelling
    given: dict[str, Any]
    inputs: dict[str, Any] | None = None  # what a layer is called with; None for a function
    style: int = PLAIN  # which arguments stand in their places, and which behind their names
    exact: bool = False  # do these arguments leave nothing to chance?
    smooth: bool = True  # may gradients be compared?
    fixed: frozenset[str] = frozenset()  # arguments that the row says
    part: str = ""  # what follows the call: the field of the result that is compared, or a call of the result
    value: Recipe | None = None  # the array `value` that is named there
    then: HubOp | None = None  # what is called with the object that the operation makes
    by_value: bool = False  # does the class of a layer stand in a variable?
    variable: bool = False  # do numbers and flags stand in variables, so that what they are is not known from the text?

    def example(self, speller: Speller, op: HubOp) -> Example | None:
        """The call as text; None if it cannot be written in this spelling."""
        rng = random.Random(self.style)
        op = self.then or op

        def choose(below: int) -> int:
            return below - 1 if self.style == PLAIN else rng.randrange(below)

        try:
            variables = frozenset(self.given) - self.fixed if self.variable else frozenset()
            if self.inputs is not None:
                example = speller.layer(
                    op, self.spelling, self.given, self.inputs, choose, variables, by_value=self.by_value
                )
            else:
                example = speller.function(op, self.spelling, self.given, choose, variables=variables)
        except UnspellableError:
            return None
        example.call = self.part.replace(CALL, example.call) if CALL in self.part else example.call + self.part
        if self.value is not None:
            example.arguments[VALUE] = self.value
            example.annotations[VALUE] = speller.tensor
        if self.inputs is None:
            example.program = speller.programs.around(op)
        example.random = draws_numbers(op) and not self.exact
        example.smooth = example.smooth and self.smooth
        return example


def draws_numbers(op: HubOp) -> bool:
    """Are two results only the same by their distribution?"""
    return "rng" in op.effects or (op.kind != "layer" and "init" in op.effects)


@dataclass
class Kept:
    """Calls of an operation that were drawn before, and where to go on."""

    found: list[Drawn] = field(default_factory=list)
    last: int = 0  # when something new was drawn
    next: int = 0  # the number of the next draw


@contextmanager
def kept_draws(folder: Path | None, op: str) -> Iterator[Kept]:
    """What another direction has drawn, since it draws the same."""
    file = folder / f"{op}.pickle" if folder is not None else None
    kept = pickle.loads(file.read_bytes()) if file is not None and file.is_file() else Kept()
    before = kept.next
    yield kept
    if file is not None and kept.next > before:
        file.write_bytes(pickle.dumps(kept))


def draws(op: HubOp, speller: Speller, seed: int, count: int, kept: Kept | None = None) -> Iterator[Drawn]:
    """At most so many different calls; those that are kept come first."""
    from hypothesis import HealthCheck, Phase, given, reject, settings
    from hypothesis import seed as seeded
    from hypothesis import strategies as st

    from ..kb.model import Param

    spellings = speller.spellings(op.name)
    first = next(iter(op.params), None)
    found: list[Drawn] = []
    programs = speller.programs
    around = programs.around(op)
    objects = frozenset(programs.objects) if around else frozenset[str]()

    def one(data: st.DataObject) -> Drawn:
        # The first turn is always the simplest call: it ends here, after a choice that tells the next turn from it.
        if data.draw(st.integers(0, 1 << 30)) == 0 and not next(turns):
            reject()
        spelling = data.draw(st.sampled_from(spellings))
        layer = op.kind == "layer"
        joint = data.draw(st.sampled_from(op.draw)) if op.draw else {}
        hub = speller.kb.hub
        large = not layer and draws_numbers(op)
        arguments = data.draw(calls(op.params, first, layer=layer, large=large, joint=joint, hub=hub, objects=objects))
        called = data.draw(inputs(op, arguments, joint)) if layer else None
        style = data.draw(st.integers(0, 999))
        smooth = joint.get("_gradients") != "none" and not around
        then = hub(joint["_then"]) if "_then" in joint else None
        if then is not None:  # a method of the object: its other arguments are drawn as `_value` says
            made, *rest = then.params
            others = {name: then.params[name] for name in rest if then.params[name].default is None}
            more = data.draw(calls(others, joint=joint | dict.fromkeys(others, joint.get("_value", ""))))
            arguments = {made: Made(op.name, arguments), **{n: reseeded(v, 10 * SEEDS) for n, v in more.items()}}
            spelling = speller.spellings(then.name)[0]
        fixed = frozenset(name for name, text in joint.items() if text.startswith(("=", WRITTEN)))
        value = None
        if then is None and (text := joint.get("_value", SHAPE if around else "")):
            plain = {"_dtype": "float32", "_values": "normal"} if around else {}
            value = data.draw(calls({VALUE: Param(VALUE, "tensor")}, joint=joint | plain | {VALUE: text}))[VALUE]
        return Drawn(
            spelling,
            arguments,
            called,
            style,
            exact="_exact" in joint,
            smooth=smooth,
            fixed=fixed,
            part=joint.get("_part", ""),
            value=value,
            then=then,
        )

    # One call a seed: further ones would be variants of those before.
    once = settings(
        max_examples=1, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    # Hypothesis reads the source of what it is given for every seed: this is short.
    collect = once(given(st.data())(lambda data: found.append(one(data))))

    def key(drawn: Drawn) -> str:
        example = drawn.example(speller, op)
        return f"{example.layer} {example.call} {example.arguments}" if example else ""

    kept = kept or Kept()
    seen = {key(drawn) for drawn in kept.found} | {""}
    yield from kept.found
    while kept.next < min(count, kept.last + STALE + 1):
        number, kept.next = kept.next, kept.next + 1
        found.clear()
        turns = itertools.count()
        seeded(seed * 100_000 + number)(collect)()
        for drawn in found:
            if (text := key(drawn)) not in seen:
                seen.add(text)
                kept.last = number
                kept.found.append(drawn)
                yield drawn


def check(op: HubOp, programs: Programs) -> None:
    """Raises UndrawableError where a parameter is of a kind that cannot be drawn, or a result cannot be compared."""
    around = programs.around(op)
    if op.returns in OBJECTS and not around and not all("_then" in joint for joint in op.draw or ({},)):
        raise UndrawableError(f"its result is a {op.returns}, which is no array")
    for joint in op.draw or ({},):
        calls(op.params, joint=joint, objects=frozenset(programs.objects) if around else frozenset())
        if op.kind == "layer":
            inputs(op, joint=joint)


__all__ = ["PLAIN", "Drawn", "UndrawableError", "check", "draws"]

"""A failing call made simpler for as long as it fails in the same way.

All that could be simpler is tried at once, because a batch of calls costs little more than one: so this is no search
of one call at a time, as Hypothesis would make it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .arrays import Recipe
from .domain import Made
from .draw import PLAIN, Drawn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..kb.model import HubOp
    from .trial import Outcome

ROUNDS = 8


def shrink(
    op: HubOp, failing: Drawn, outcome: Outcome, attempt: Callable[[list[Drawn]], list[Outcome]]
) -> tuple[Drawn, Outcome]:
    """The simplest call found that fails as the first one does."""
    for _ in range(ROUNDS):
        candidates = list(simpler(op, failing))
        if not candidates:
            break
        found = zip(candidates, attempt(candidates), strict=True)
        same = next(((d, o) for d, o in found if o.status == "failing" and _kind(o) == _kind(outcome)), None)
        if same is None:
            break
        failing, outcome = same
    return failing, outcome


def simpler(op: HubOp, drawn: Drawn) -> Iterator[Drawn]:
    """Calls with one thing less in them, the boldest first."""
    op = drawn.then or op
    if drawn.variable or drawn.by_value:
        yield replace(drawn, variable=False, by_value=False)
    for name, param in op.params.items():
        if name in drawn.given and name not in drawn.fixed and param.default is not None:
            yield replace(drawn, given={n: v for n, v in drawn.given.items() if n != name})
    for change in (_plain_values, _single, _without_first_axis, *(_smaller(size) for size in range(8, 1, -1))):
        changed = replace(
            drawn,
            given=_each(drawn.given, change),
            inputs=None if drawn.inputs is None else _each(drawn.inputs, change),
        )
        if changed != drawn:
            yield changed
    for name, value in drawn.given.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            for small in (0, 1):
                if value not in (0, 1):
                    yield replace(drawn, given=drawn.given | {name: type(value)(small)})
    if drawn.style != PLAIN:
        yield replace(drawn, style=PLAIN)


def _each(arguments: Mapping[str, Any], change: Callable[[Recipe], Recipe]) -> dict[str, Any]:
    def of(value: Any) -> Any:
        if isinstance(value, Recipe):
            return change(value)
        if isinstance(value, Made):
            return replace(value, given=_each(value.given, change))
        return [of(item) for item in value] if isinstance(value, list) else value

    return {name: of(value) for name, value in arguments.items()}


def _plain_values(recipe: Recipe) -> Recipe:
    return replace(recipe, values="normal")


def _single(recipe: Recipe) -> Recipe:
    return replace(recipe, dtype="float32") if recipe.dtype in ("float16", "bfloat16", "float64") else recipe


def _without_first_axis(recipe: Recipe) -> Recipe:
    return replace(recipe, shape=recipe.shape[1:])


def _smaller(size: int) -> Callable[[Recipe], Recipe]:
    def change(recipe: Recipe) -> Recipe:
        return replace(recipe, shape=tuple(n - 1 if n == size else n for n in recipe.shape))

    return change


def _kind(outcome: Outcome) -> str:
    """What is wrong without the numbers."""
    return re.sub(r"[-+\d.]+|\[.*|\(.*", "", outcome.reason)[:60]

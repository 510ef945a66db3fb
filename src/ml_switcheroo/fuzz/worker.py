"""`python -m ml_switcheroo.fuzz.worker FRAMEWORK`: runs functions of one framework as long as it is asked to.

One line of JSON is a request: the text of a module, and which of its functions to call with which arguments. The answer
is one line, after an empty line for each of the calls; the arrays go to a file. A crash or a hang takes nothing else.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from . import spokes
from .arrays import Recipe, from_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray


def main() -> None:
    """Answers requests until there are no more."""
    # What the code prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    runner = importlib.import_module(f".runners.{runner_of(sys.argv[1])}", __package__)
    for line in sys.stdin:
        request = json.loads(line)
        answers.write(json.dumps(_answer(runner, request, answers)) + "\n")
        answers.flush()


def runner_of(framework: str) -> str:
    """The module in `runners` for a framework: its own, or that of a framework on which it stands."""
    there = Path(__file__).with_name("runners")
    return next((spoke for spoke in spokes(framework) if (there / f"{spoke}.py").is_file()), framework)


def _answer(runner: Any, request: dict[str, Any], answers: TextIO) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "drawn"}
    try:
        exec(compile(request["text"], "<drawn>", "exec"), names)
    except Exception as error:
        return {"failed": one_line(error)}
    found: list[dict[str, Any]] = []
    arrays: dict[str, Any] = {}
    for index, outcome in enumerate(_outcomes(runner, names, request["jobs"], answers)):
        if isinstance(outcome, Exception):
            lacks = getattr(runner, "LACKS", None)  # what the framework says of dtypes that it has no kernel for
            lacking = lacks is not None and lacks.search(str(outcome)) is not None
            found.append({"ok": False, "reason": one_line(outcome), "lacking": lacking})
            continue
        told = {"plain": outcome.pop("plain", {}), "dtypes": outcome.pop("dtypes", {})}
        found.append({"ok": True, "wide": getattr(runner, "WIDE", False), **told})
        arrays |= {f"{index}|{kind}|{name}": a for kind, group in outcome.items() for name, a in group.items()}
    np.savez(request["out"], **arrays)
    return {"results": found}


def _outcomes(
    runner: Any, names: dict[str, Any], jobs: list[dict[str, Any]], answers: TextIO
) -> Iterator[dict[str, Any] | Exception]:
    """What comes of each job, or the exception that it ends in."""

    def alive() -> None:
        answers.write("\n")
        answers.flush()

    calls = [
        (names[job["name"]], {name: from_json(value) for name, value in job["arguments"].items()}, job) for job in jobs
    ]
    if hasattr(runner, "run_many"):
        alive()
        yield from runner.run_many(calls, alive)
        return
    for call in calls:
        alive()
        try:
            yield runner.run(*call)
        except Exception as error:
            yield error


def one_line(error: BaseException) -> str:
    """An exception as one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


def map_arrays(value: Any, make: Any) -> Any:
    """The arguments with arrays of the framework in place of recipes."""
    if isinstance(value, Recipe):
        return make(value.make(), value)
    if isinstance(value, (list, tuple)):
        return type(value)(map_arrays(item, make) for item in value)
    return value


def leaves(value: Any, is_array: Any, prefix: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """The arrays of a result, and its plain values, by their places in it."""
    if is_array(value):
        return {prefix: value}, {}
    if isinstance(value, (list, tuple)) or (isinstance(value, dict) and all(isinstance(k, str) for k in value)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        arrays: dict[str, Any] = {}
        plain: dict[str, Any] = {}
        for key, item in items:
            more, rest = leaves(item, is_array, f"{prefix}.{key}" if prefix else str(key))
            arrays |= more
            plain |= rest
        return arrays, plain
    if isinstance(value, (bool, int, float, complex)) and not hasattr(value, "dtype"):
        return {}, {prefix: repr(complex(value)) if isinstance(value, complex) else float(value)}
    if hasattr(value, "bits") and hasattr(value, "max"):  # the limits of a dtype
        limits = {name: float(getattr(value, name)) for name in ("bits", "min", "max", "eps") if hasattr(value, name)}
        return {}, {f"{prefix}.{name}".strip("."): number for name, number in limits.items()}
    return {}, {prefix: plain_name(value)}


def replaced(value: Any, given: dict[str, Any], prefix: str = "") -> Any:
    """The value with other arrays at the places that `leaves` gives."""
    if prefix in given:
        return given[prefix]
    if isinstance(value, dict):
        return {k: replaced(v, given, f"{prefix}.{k}" if prefix else str(k)) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(replaced(v, given, f"{prefix}.{i}" if prefix else str(i)) for i, v in enumerate(value))
    return value


def plain_name(value: Any) -> str:
    """What a value that is no array is called in every framework."""
    text = value.__name__ if isinstance(value, type) else str(value)
    return text.rpartition(".")[2] if text.startswith(("torch.", "jax.")) else text


def mixers(outputs: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Fixed random weights for each floating output, which make one number of all of them."""
    return {
        name: np.random.default_rng([5, index]).standard_normal(tuple(value.shape)).astype("float32")
        for index, (name, value) in enumerate(sorted(outputs.items()))
    }


if __name__ == "__main__":
    main()

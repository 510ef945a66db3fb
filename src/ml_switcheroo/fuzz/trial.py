"""A batch of calls: written as one file, converted once, run by both sides, compared."""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
import tempfile
import types
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..kb.types import parse_type
from .arrays import to_json
from .compare import compare_call, compare_weights, drawn_dtypes
from .process import Process

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..kb.model import HubOp
    from .spelling import Example, Speller


@dataclass(frozen=True)
class Outcome:
    """What came of one call: invalid (the source framework refuses it), refused (the converter does), equal, failing,
    or unused (enough others were compared)."""

    status: str
    reason: str = ""
    error: float = 0.0  # the largest relative error
    gradients: bool = False  # were gradients compared, too?


class Trial:
    """Two worker processes, and a folder for what goes between them. Use as a context manager."""

    def __init__(self, source: str, target: str, speller: Speller) -> None:
        self.source, self.target, self.speller = source, target, speller

    def __enter__(self) -> Trial:
        self.folder = Path(tempfile.mkdtemp(prefix="ml_switcheroo_"))
        self.sides = (Process(self.source, self.folder), Process(self.target, self.folder))
        return self

    def __exit__(self, *_: object) -> None:
        for side in self.sides:
            side.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, op: HubOp, examples: Sequence[Example], wanted: int | None = None) -> list[Outcome]:
        """What comes of each; no more than `wanted` are executed by the target."""
        names = _names(examples)
        text, starts = self._text(examples)
        jobs = [self._job(op, name, e, i) for i, (name, e) in enumerate(zip(names, examples, strict=True))]
        ours, arrays = self.sides[0].ask(text, jobs)
        outcomes = [Outcome("unused") if result["ok"] else Outcome("invalid", result["reason"]) for result in ours]
        if all(outcome.status == "invalid" for outcome in outcomes):
            return outcomes
        converted, refusals = self._convert(text, starts)
        for i, outcome in enumerate(outcomes):
            if outcome.status != "invalid" and i in refusals:
                outcomes[i] = Outcome("refused", refusals[i])
        todo = [i for i, outcome in enumerate(outcomes) if outcome.status == "unused"][:wanted]
        if not todo:
            return outcomes
        migrate = self._migration(text) if _has_weights(op) else None
        for i in list(todo) if migrate else ():
            assert migrate is not None
            if not Path(jobs[i]["weights"]).is_file():
                jobs[i]["migrated"] = ""  # these settings leave a layer without weights
            elif why := migrate(jobs[i]["weights"], jobs[i]["migrated"], names[i]):
                outcomes[i] = Outcome("failing", f"migration: {why}")
                todo.remove(i)
        theirs, others = self.sides[1].ask(converted, [jobs[i] for i in todo])
        for place, (i, result) in enumerate(zip(todo, theirs, strict=True)):
            if result.get("lacking") and "float32" not in drawn_dtypes(jobs[i]["arguments"].values()):
                outcomes[i] = Outcome("refused", f"{self.target} has no kernel for these dtypes: {result['reason']}")
                continue
            why = "" if result["ok"] else f"{self.target} fails: {result['reason']}"
            error = 0.0
            if not why:
                error, why = compare_call(op, ours[i], result, _of(arrays, i), _of(others, place), jobs[i])
            if not why and migrate is not None:
                error, why = compare_weights(jobs[i], names[i], migrate, _of(others, place), error)
            gradients = any(name.startswith(f"{place}|gradients|") for name in others)
            outcomes[i] = Outcome("failing" if why else "equal", why, error, gradients)
        return outcomes

    def refusals(self, examples: Sequence[Example]) -> dict[int, str]:
        """What the converter says of the calls that it refuses, by their places; nothing is executed."""
        return self._convert(*self._text(examples))[1]

    def _text(self, examples: Sequence[Example]) -> tuple[str, list[int]]:
        """The calls as one file, and the lines where they begin."""
        lines = [*self.speller.imports(examples), "", ""]
        if any(example.program for example in examples):
            lines += [*self.speller.programs.classes.splitlines(), "", ""]
        starts: list[int] = []
        for name, example in zip(_names(examples), examples, strict=True):
            starts.append(len(lines) + 1)
            lines += example.text(name, self.speller.base, self.speller.forward)
        return "\n".join(lines) + "\n", starts

    def _job(self, op: HubOp, name: str, example: Example, index: int) -> dict[str, Any]:
        recipes = example.recipes
        smooth = any(r.is_float and r.dtype == "float32" for r in recipes) and all(
            r.values != "special" for r in recipes
        )
        job: dict[str, Any] = {
            "name": name,
            "arguments": {n: to_json(v) for n, v in example.arguments.items()},
            "gradients": smooth and example.smooth and all(r.dtype not in ("float16", "bfloat16") for r in recipes),
            "train": bool(index % 2),
            "random": example.random,
            "trained": bool(example.program),
        }
        if example.layer:
            for part in ("weights", "after", "moved", "migrated"):
                job[part] = str(self.folder / f"{name}.{part}.safetensors") if _has_weights(op) else ""
                Path(job[part] or self.folder / "none").unlink(missing_ok=True)  # of the operation before
            job["gradients"] = job["gradients"] and not (job["train"] and example.random)
        return job

    def _convert(self, text: str, starts: list[int]) -> tuple[str, dict[int, str]]:
        from ..pipeline import convert

        conversion = convert(text, source=self.source, target=self.target)
        refusals: dict[int, str] = {}
        for diagnostic in conversion.diagnostics:
            if diagnostic.severity == "error":
                index = max((i for i, start in enumerate(starts) if start <= diagnostic.line), default=None)
                if index is not None:
                    refusals.setdefault(index, f"{diagnostic.code} {diagnostic.message}")
        return conversion.code, refusals

    def _migration(self, text: str) -> Callable[[str, str, str], str]:
        """The generated script as a function (checkpoint, result, class): '' or what it says is wrong."""
        from ..project import weight_script

        file = self.folder / "drawn.py"
        file.write_text(text, encoding="utf-8")
        script, _ = weight_script(str(file), source=self.source, target=self.target)
        module = types.ModuleType("migration")
        sys.modules[module.__name__] = module  # its data classes look themselves up
        exec(compile(script, "<migration>", "exec"), module.__dict__)
        names = vars(module)
        classes = {name: names["spread"](own) for name, own in names["CLASSES"].items()}
        rest = [names[name] for name in ("TIES", "PLACES", "TIED", "NEEDED")]
        grammar = names["Grammar"](classes, names["CONTAINERS"], names["spread"](names["LAYERS"]), *rest)

        def migrate(given: str, result: str, root: str) -> str:
            said = io.StringIO()
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                failed = names["main"](grammar, self.target, [given, result, "--class", root])
            return said.getvalue().strip().splitlines()[-1] if failed else ""

        return migrate


def _has_weights(op: HubOp) -> bool:
    """Is it a layer that has weights, itself or in a part (which it may be given)?"""
    given = any(parse_type(param.type).name == "module" for param in op.params.values())
    return op.kind == "layer" and bool(op.weights or op.parts or given)


def _names(examples: Sequence[Example]) -> list[str]:
    return [f"{'Net' if e.layer else 'f'}{i}" for i, e in enumerate(examples)]


def _of(arrays: dict[str, Any], index: int) -> dict[str, Any]:
    start = f"{index}|"
    return {name.removeprefix(start): value for name, value in arrays.items() if name.startswith(start)}

"""One operation in one direction: draw, spell, convert, run both sides, compare."""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
import tempfile
import types
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arrays import Recipe, to_json
from .compare import compare_call, compare_weights
from .domain import UndrawableError, calls, inputs
from .process import Process
from .spelling import Example, Speller, UnspellableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..kb.loader import KnowledgeBase
    from ..kb.model import HubOp

EXAMPLES = 20
DRAWS = 6  # at most so many draws for each example that is wanted: many are refused by the source


@dataclass
class Proof:
    """What came of one operation: equal, refused, failing, xfail (a known failure), not drawn or not mapped."""

    op: str
    status: str
    examples: int = 0  # executed on both sides and compared
    refused: int = 0  # draws that the converter refused, with a diagnostic
    invalid: int = 0  # draws that the source framework itself refused
    worst: float = 0.0  # the largest relative error
    reason: str = ""
    call: str = ""  # the failing call, ready to paste
    gradients: int = 0  # examples whose gradients were compared, too
    spellings: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Plain data for a report."""
        return asdict(self)


class Prover:
    """Two worker processes and a knowledge base. Use as a context manager."""

    def __init__(self, source: str, target: str, *, examples: int = EXAMPLES, seed: int = 0) -> None:
        from .. import kb

        self.source, self.target, self.examples, self.seed = source, target, examples, seed
        self.kb: KnowledgeBase = kb.load(source, target)
        self.speller = Speller(self.kb)

    def __enter__(self) -> Prover:
        self.folder = Path(tempfile.mkdtemp(prefix="ml_switcheroo_"))
        self.sides = (Process(self.source, self.folder), Process(self.target, self.folder))
        return self

    def __exit__(self, *_: object) -> None:
        for side in self.sides:
            side.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- one op ------------------------------------------------------------------------------------------------------

    def prove(self, name: str) -> Proof:
        """Everything about one operation."""
        op = self.kb.hub(name)
        if op is None:
            return Proof(name, "not mapped", reason="there is no such operation")
        if op.kind in ("constant", "type"):
            return Proof(name, "not drawn", reason=f"a {op.kind} is shown by the operations that take it")
        write = self.kb.write(name)
        if write is None:
            return Proof(name, "not mapped", reason=f"{self.target} has no row for it")
        if not self.speller.spellings(name):
            return Proof(name, "not mapped", reason=f"{self.source} has no spelling of it")
        try:
            drawn = self._draw(op, self.examples * DRAWS)
        except UndrawableError as error:
            return Proof(name, "not drawn", reason=str(error))
        if not drawn:
            return Proof(name, "not drawn", reason="no spelling takes the arguments that were drawn")
        proof = Proof(name, "equal")
        for start in range(0, len(drawn), 2 * self.examples):
            self._try(op, drawn[start : start + 2 * self.examples], proof)
            if proof.status == "failing" or proof.examples >= self.examples:
                break
        if proof.status == "equal" and not proof.examples:
            proof.status = "refused" if proof.refused else "not drawn"
            proof.reason = proof.reason or "the source refused all arguments that were drawn"
        elif proof.status == "equal" and not proof.refused:
            proof.reason = ""  # of draws that were none
        return proof

    def _draw(self, op: HubOp, count: int) -> list[Example]:
        from hypothesis import HealthCheck, Phase, given, seed, settings
        from hypothesis import strategies as st

        found: list[Example] = []
        seen: set[str] = set()
        spellings = self.speller.spellings(op.name)
        first = next(iter(op.params), None)

        # The second of two draws: the first is the simplest, and further ones would be variants of those before.
        @settings(
            max_examples=2,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.data())
        def collect(data: st.DataObject) -> None:
            spelling = data.draw(st.sampled_from(spellings))

            def choose(below: int) -> int:
                return data.draw(st.integers(0, below - 1))

            given_ = data.draw(calls(op.params, first, layer=op.kind == "layer"))
            try:
                if op.kind == "layer":
                    example = self.speller.layer(op, spelling, given_, data.draw(inputs(op, given_)), choose)
                else:
                    example = self.speller.function(op, spelling, given_, choose)
            except UnspellableError:
                return
            key = f"{example.layer} {example.call} {example.arguments}"
            if key not in seen:
                seen.add(key)
                found.append(example)

        for number in range(count):
            seed(self.seed * 100_000 + number)(collect)()
        return found

    def _try(self, op: HubOp, examples: list[Example], proof: Proof) -> None:
        names = [f"{'Net' if e.layer else 'f'}{i}" for i, e in enumerate(examples)]
        lines = [*self.speller.imports(examples), "", ""]
        starts: list[int] = []
        for name, example in zip(names, examples, strict=True):
            starts.append(len(lines) + 1)
            lines += example.text(name, self.speller.base, self.speller.forward)
        text = "\n".join(lines) + "\n"
        jobs = [self._job(op, name, e, i) for i, (name, e) in enumerate(zip(names, examples, strict=True))]
        ours, arrays = self.sides[0].ask(text, jobs)
        valid = [i for i, result in enumerate(ours) if result["ok"]]
        proof.invalid += len(ours) - len(valid)
        if not valid:
            proof.reason = next((r["reason"] for r in ours), "")
            return
        converted, refusals = self._convert(text, starts)
        todo: list[int] = []
        for i in valid:
            if i in refusals:
                proof.refused += 1
                proof.reason = proof.reason or refusals[i]
            else:
                todo.append(i)
        todo = todo[: max(self.examples - proof.examples, 0)]
        if not todo:
            return
        migrate = self._migration(text) if op.kind == "layer" and op.weights else None
        for i in todo if migrate else ():
            assert migrate is not None
            if not Path(jobs[i]["weights"]).is_file():
                jobs[i]["migrated"] = ""  # these settings leave a layer without weights
            elif why := migrate(jobs[i]["weights"], jobs[i]["migrated"], names[i]):
                self._fail(proof, examples[i], f"migration: {why}")
                return
        theirs, others = self.sides[1].ask(converted, [jobs[i] for i in todo])
        for place, (i, result) in enumerate(zip(todo, theirs, strict=True)):
            why = "" if result["ok"] else f"{self.target} fails: {result['reason']}"
            figure = 0.0
            if not why:
                figure, why = compare_call(op, ours[i], result, _of(arrays, i), _of(others, place), jobs[i])
            if not why and migrate is not None:
                figure, why = compare_weights(jobs[i], names[i], migrate, _of(others, place), figure)
            if why:
                self._fail(proof, examples[i], why)
                return
            proof.examples += 1
            proof.worst = max(proof.worst, figure)
            proof.gradients += bool(jobs[i]["gradients"])
            if examples[i].call not in proof.spellings and len(proof.spellings) < 3:
                proof.spellings.append(examples[i].layer or examples[i].call)

    def _fail(self, proof: Proof, example: Example, why: str) -> None:
        proof.status, proof.reason, proof.call = "failing", why, _paste(example)

    def _job(self, op: HubOp, name: str, example: Example, index: int) -> dict[str, Any]:
        recipes = [r for value in example.arguments.values() for r in (value if isinstance(value, list) else [value])]
        smooth = any(r.is_float and r.dtype == "float32" for r in recipes) and all(
            r.values != "special" for r in recipes
        )
        job: dict[str, Any] = {
            "name": name,
            "arguments": {n: to_json(v) for n, v in example.arguments.items()},
            "gradients": smooth and all(r.dtype not in ("float16", "bfloat16") for r in recipes),
            "train": bool(index % 2),
        }
        if example.layer:
            for part in ("weights", "after", "moved", "migrated"):
                job[part] = str(self.folder / f"{name}.{part}.safetensors") if op.weights else ""
                Path(job[part] or self.folder / "none").unlink(missing_ok=True)  # of the operation before
            job["gradients"] = job["gradients"] and not (job["train"] and "rng" in op.effects)
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


def _paste(example: Example) -> str:
    """The failing call with its arrays, as the source framework takes it."""
    parts = [f"{name} = {_recipe_text(value)}" for name, value in example.arguments.items()]
    layer = f"self.layer = {example.layer}; " if example.layer else ""
    return "; ".join([*parts, f"{layer}{'; '.join((*example.before, example.call))}"])


def _recipe_text(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_recipe_text, value))}]"
    assert isinstance(value, Recipe)
    return f"{value.values} {value.dtype}{list(value.shape)} (seed {value.seed})"


def _of(arrays: dict[str, Any], index: int) -> dict[str, Any]:
    start = f"{index}|"
    return {name.removeprefix(start): value for name, value in arrays.items() if name.startswith(start)}


def prove(ops: Sequence[str], *, source: str = "torch", target: str = "jax", **options: Any) -> list[Proof]:
    """Prove some operations in one direction."""
    with Prover(source, target, **options) as prover:
        return [prover.prove(op) for op in ops]

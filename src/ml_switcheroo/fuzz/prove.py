"""One operation in one direction: as many calls as are wanted, and what came of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from .draw import Drawn, Kept, UndrawableError, check, draws, kept_draws
from .forms import Forms
from .known import known
from .shrink import shrink
from .spelling import Speller
from .trial import Outcome, Trial

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ..kb.loader import KnowledgeBase
    from ..kb.model import HubOp
    from .spelling import Example

EXAMPLES = 20
IDLE = 2  # so many batches of draws that reach no new form of a row: no further ones do
EACH = 6  # so many calls of a batch for a form that has not been reached
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
    known: int = 0  # calls that differ as known
    differences: list[str] = field(default_factory=list)  # why those do
    unreached: list[str] = field(default_factory=list)  # forms of the target's row in which no compared call is written

    def to_json(self) -> dict[str, Any]:
        """Plain data for a report."""
        return asdict(self)


class Prover:
    """A knowledge base and the two sides that run what it writes. Use as a context manager."""

    def __init__(
        self, source: str, target: str, *, examples: int = EXAMPLES, seed: int = 0, drawn: Path | None = None
    ) -> None:
        from .. import kb

        self.drawn = drawn  # a folder where calls are kept that were drawn for another target

        self.source, self.target, self.examples, self.seed = source, target, examples, seed
        self.kb: KnowledgeBase = kb.load(source, target)
        self.speller = Speller(self.kb)
        self.trial = Trial(source, target, self.speller)
        self.known = known(source, target)

    def __enter__(self) -> Prover:
        self.trial.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.trial.__exit__()

    def prove(self, name: str) -> Proof:
        """Everything about one operation."""
        op = self.kb.hub(name)
        if op is None:
            return Proof(name, "not mapped", reason="there is no such operation")
        if op.kind == "type" or op.undrawn:
            return Proof(name, "not drawn", reason=op.undrawn or "a type is shown by the operations that take it")
        if self.kb.write(name) is None:
            return Proof(name, "not mapped", reason=f"{self.target} has no row for it")
        if not self.speller.spellings(name):
            return Proof(name, "not mapped", reason=f"{self.source} has no spelling of it")
        proof = Proof(name, "equal")
        try:
            check(op, self.speller.programs)
            with kept_draws(self.drawn, name) as kept:
                self._compare(op, proof, kept)
        except UndrawableError as error:
            return Proof(name, "not drawn", reason=str(error))
        if proof.status == "equal" and not proof.examples:
            proof.status = "xfail" if proof.known else "refused" if proof.refused else "not drawn"
            proof.reason = (
                next(iter(proof.differences), proof.reason) or "no spelling takes the arguments that were drawn"
            )
        elif proof.status == "equal" and not proof.refused:
            proof.reason = ""  # of draws that were none
        return proof

    def _compare(self, op: HubOp, proof: Proof, kept: Kept) -> None:
        source = draws(op, self.speller, self.seed, self.examples * DRAWS, kept)
        forms = Forms(self.kb, self.trial, op.name)
        reached: set[int | None] = set()
        tried = 0
        while (missing := self.examples - proof.examples) > 0 or self._unseen(proof):
            share = max(proof.examples / tried, 1 / DRAWS) if tried else 0.8  # of the draws that can be compared
            batch = list(islice(source, round(missing / share) + 1 if missing > 0 else self.examples))
            if not batch:
                break
            tried += len(batch)
            if self._failed(op, batch, proof, missing if missing > 0 else None, forms, reached):
                return
        if len(forms.texts) > 1 and reached - {None}:
            self._reach(op, source, proof, forms, reached)

    def _reach(self, op: HubOp, source: Iterator[Drawn], proof: Proof, forms: Forms, reached: set[int | None]) -> None:
        """Calls for the forms of the row that none of the first calls is written in."""
        idle = 0
        while idle < IDLE and forms.texts.keys() - reached and (batch := list(islice(source, self.examples))):
            classes = [replace(drawn, by_value=True) for drawn in batch if drawn.inputs is not None]
            batch += [*(replace(drawn, variable=True) for drawn in batch), *classes]
            used = forms.used([self._example(drawn, op) for drawn in batch])
            ways = [form for form in forms.texts if form not in reached]
            new = [d for way in ways for d in [d for d, form in zip(batch, used, strict=True) if form == way][:EACH]]
            before = len(reached)
            if new and self._failed(op, new, proof, None, forms, reached):
                return
            idle = idle + 1 if len(reached) == before else 0
        proof.unreached = [text for index, text in forms.texts.items() if index not in reached]

    def _failed(
        self, op: HubOp, batch: list[Drawn], proof: Proof, wanted: int | None, forms: Forms, reached: set[int | None]
    ) -> bool:
        """Compares calls; the first that fails unexpectedly ends the proof, with the simplest call that fails."""
        outcomes = self._attempt(op, batch, wanted)
        for drawn, outcome in zip(batch, outcomes, strict=True):
            self._count(op, drawn, outcome, proof)
            if outcome.status == "failing" and not self._is_known(outcome, proof):
                drawn, outcome = shrink(op, drawn, outcome, lambda simpler: self._attempt(op, simpler))
                example = drawn.example(self.speller, op)
                proof.status, proof.reason = "failing", outcome.reason
                proof.call = example.paste() if example else ""
                return True
        if len(forms.texts) > 1:
            compared = [d for d, o in zip(batch, outcomes, strict=True) if o.status in ("equal", "failing")]
            reached |= set(forms.used([self._example(drawn, op) for drawn in compared]))
        return False

    def _unseen(self, proof: Proof) -> bool:
        """Are there known differences that no call has shown so far?"""
        return any(
            one.calls and not one.varies and one.why not in proof.differences for one in self.known.get(proof.op, ())
        )

    def _is_known(self, outcome: Outcome, proof: Proof) -> bool:
        why = next((one.why for one in self.known.get(proof.op, ()) if one.explains(outcome.reason)), None)
        if why is None:
            return False
        proof.known += 1
        if why not in proof.differences:
            proof.differences.append(why)
        return True

    def _attempt(self, op: HubOp, batch: list[Drawn], wanted: int | None = None) -> list[Outcome]:
        """What comes of each call, in their order; those that cannot be written are invalid."""
        examples = [self._example(drawn, op) for drawn in batch]
        found = iter(self.trial.run(op, [example for example in examples if example is not None], wanted))
        return [Outcome("invalid", "cannot be written") if example is None else next(found) for example in examples]

    def _example(self, drawn: Drawn, op: HubOp) -> Example | None:
        """The call as text, if it can be written and the target has the dtypes of its arrays."""
        example = drawn.example(self.speller, op)
        for dtype in {recipe.dtype for recipe in example.recipes} if example else ():
            write = self.kb.write(f"{dtype}_dtype") or self.kb.write(dtype)
            if write is not None and any(form.refuse is not None for form in write.forms):
                return None
        return example

    def _count(self, op: HubOp, drawn: Drawn, outcome: Outcome, proof: Proof) -> None:
        if outcome.status == "invalid":
            proof.invalid += 1
            proof.reason = proof.reason or (outcome.reason if not proof.refused else "")
        elif outcome.status == "refused":
            proof.reason = outcome.reason if not proof.refused else proof.reason
            proof.refused += 1
        elif outcome.status == "equal":
            proof.examples += 1
            proof.worst = max(proof.worst, outcome.error)
            proof.gradients += outcome.gradients
            example = drawn.example(self.speller, op)
            assert example is not None
            text = example.layer or example.call
            if text not in proof.spellings and len(proof.spellings) < 3:
                proof.spellings.append(text)


def prove(ops: Sequence[str], *, source: str = "torch", target: str = "jax", **options: Any) -> list[Proof]:
    """Prove some operations in one direction."""
    with Prover(source, target, **options) as prover:
        return [prover.prove(op) for op in ops]

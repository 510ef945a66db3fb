"""All operations in one direction, on several worker processes, with what is known from earlier runs left out."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TYPE_CHECKING, Any

from .prove import Proof, Prover
from .report import Cache, versions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_prover: Prover | None = None


def run(
    ops: Sequence[str] | None,
    source: str,
    target: str,
    *,
    examples: int,
    seed: int,
    jobs: int | None = None,
    cache: Path | None = None,
    drawn: Path | None = None,
    on_proof: Callable[[Proof], None] | None = None,
) -> tuple[list[Proof], dict[str, Any]]:
    """Prove operations (None: all); the proofs in the order of the knowledge base, and the facts of the run. `drawn`: a
    folder for the calls that are drawn, where there are several targets."""
    from .. import kb as knowledge

    kb = knowledge.load(source, target)
    facts = {
        "source": source, "target": target, "examples": examples, "seed": seed, "versions": versions(source, target),
    }  # fmt: skip
    wanted = list(ops) if ops is not None else kb.ops()
    store = Cache(cache, kb, facts)
    proofs: dict[str, Proof] = {}

    def keep(proof: Proof, known: bool = False) -> None:
        proofs[proof.op] = proof
        if not known:
            store.put(proof)
        if on_proof is not None:
            on_proof(proof)

    for op in wanted:
        if (proof := store.get(op)) is not None:
            keep(proof, known=True)
    todo = [op for op in wanted if op not in proofs]
    if todo:
        count = min(jobs or os.cpu_count() or 1, len(todo))
        with ProcessPoolExecutor(count, initializer=_start, initargs=(source, target, examples, seed, drawn)) as pool:
            for future in as_completed([pool.submit(_prove, op) for op in todo]):
                keep(future.result())
    return [proofs[op] for op in wanted], facts


def _start(source: str, target: str, examples: int, seed: int, drawn: Path | None) -> None:
    import atexit

    global _prover
    _prover = Prover(source, target, examples=examples, seed=seed, drawn=drawn)
    _prover.__enter__()
    atexit.register(_prover.__exit__)


def _prove(op: str) -> Proof:
    assert _prover is not None
    try:
        return _prover.prove(op)
    except Exception as error:
        return Proof(op, "failing", reason=f"internal error: {type(error).__name__}: {error}")

"""What `ml_switcheroo ci` prints."""

from __future__ import annotations

import difflib
import json
import os
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .prove import EXAMPLES
from .report import default_cache, expected, last_report, summary, to_json
from .run import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .prove import Proof

SHOWN = 200  # characters of a reason


def cli_ci(
    ops: Sequence[str],
    *,
    source: str,
    targets: Sequence[str],
    examples: int,
    seed: int,
    jobs: int | None,
    cached: bool,
    json_report: Path | None,
    verbose: bool = False,
) -> int:
    """Run the fuzzer and print what it found. Exit code 0: as expected; 1: a mapping fails (or no longer does)."""
    reports: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="ml_switcheroo_") as folder:
        drawn = Path(folder) if targets[1:] else None  # what is called is the same for all targets
        for target in targets:
            cache = default_cache() if cached else None
            proofs, facts = _run(ops, source, target, examples, seed, jobs=jobs, cache=cache, drawn=drawn)
            usual = examples == EXAMPLES and seed == 0
            unexpected = expected(proofs, source, target, whole=not ops, usual=usual)
            show(proofs, unexpected, facts, verbose=verbose or bool(ops))
            reports.append(to_json(proofs, facts) | {"unexpected": unexpected})
            if not ops:
                _write(last_report(source, target), reports[-1:])
    if json_report is not None:
        _write(json_report, reports)
    return int(any(report["unexpected"] for report in reports))


def _run(
    ops: Sequence[str], source: str, target: str, examples: int, seed: int, **options: Any
) -> tuple[list[Proof], dict[str, Any]]:
    """One direction, with its progress."""
    from .. import kb as knowledge

    kb = knowledge.load(source, target)
    _check_names(ops, kb.ops())
    with _progress(f"{source} to {target}", len(ops) if ops else len(kb.ops())) as on_proof:
        return run(ops or None, source, target, examples=examples, seed=seed, on_proof=on_proof, **options)


def _write(path: Path, reports: Sequence[dict[str, Any]]) -> None:
    from ..source import write_atomic

    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json.dumps({"runs": reports}, indent=1) + "\n")


def _check_names(ops: Sequence[str], known: Sequence[str]) -> None:
    for op in ops:
        if op not in known:
            near = difflib.get_close_matches(op, known, 3)
            hint = f"did you mean {', '.join(near)}?" if near else "the names are those of semantics/*.yaml"
            raise InputError("SW0009", f"there is no operation {op!r} in the knowledge base", hint=hint)


def show(proofs: Sequence[Proof], unexpected: Sequence[str], facts: dict[str, Any], *, verbose: bool) -> None:
    """The table of a run: what fails, what could not be drawn, and the numbers."""
    for proof in proofs:
        if proof.status in ("failing", "xfail") or proof.known or verbose:
            print(line(proof))
            if proof.call:
                print(f"    {proof.call}")
            if verbose and proof.unreached:
                print(f"    no call is written as {'; '.join(proof.unreached)}")
    counts = summary(proofs)
    shares = ", ".join(f"{count} {status}" for status, count in counts.items())
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    print(f"{facts['source']} to {facts['target']}: {shares}")
    calls, gradients = sum(p.examples for p in proofs), sum(p.gradients for p in proofs)
    print(f"{calls} calls compared, {gradients} with gradients ({versions})")
    for text in unexpected:
        print(f"unexpected: {text}")


def line(proof: Proof) -> str:
    """One operation in one line."""
    what = f"{proof.op}: {proof.status}"
    if proof.examples:
        what += f", {proof.examples} calls, largest error {proof.worst:.1e}"
    if proof.known:
        what += f", {proof.known} differ as known: {'; '.join(proof.differences)}"
    return what + (f": {proof.reason[:SHOWN]}" if proof.reason and proof.status != "equal" else "")


@contextmanager
def _progress(title: str, count: int) -> Iterator[Callable[[Proof], None] | None]:
    if not sys.stderr.isatty() or os.environ.get("CI"):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    # No refreshing thread: workers are forked, and forking beside threads is not safe.
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False, transient=True) as bar:
        task = bar.add_task("", total=count)
        yield lambda proof: bar.update(task, advance=1, description=proof.op, refresh=True)

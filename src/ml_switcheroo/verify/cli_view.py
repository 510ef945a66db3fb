"""What `ml_switcheroo verify` prints."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import VerifyError
from .ladder import run_ladder
from .run import TIMEOUT, LadderResult, Rung

if TYPE_CHECKING:
    from collections.abc import Sequence

MEANING = {
    "converts": "no error diagnostics in the model's file",
    "imports": "the converted module imports",
    "builds": "the same expression builds the model",
    "weights": "tensors migrated: all, and no others",
    "forward": "error of the outputs, relative to the largest value",
    "jit": "the same when compiled",
    "gradients": "error of the parameters' gradients",
    "training": "error of the loss over three steps",
}


def cli_verify(
    path: str,
    build: str,
    inputs: Sequence[str],
    *,
    target: str = "jax",
    source: str | None = None,
    train: bool = True,
    seed: int = 0,
    timeout: float = TIMEOUT,
    search: Sequence[str] = (),
    keep: str | None = None,
    json_report: str | None = None,
) -> int:
    """Run the ladder and print a table. Returns the exit code: 0 all rungs hold; 1 a rung is missed; 2 bad input."""
    try:
        result = run_ladder(
            path,
            build,
            list(inputs),
            target=target,
            source=source,
            train=train,
            seed=seed,
            timeout=timeout,
            search=search,
            keep=keep,
        )
    except VerifyError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    show(result)
    if json_report is not None:
        Path(json_report).write_text(json.dumps(result.to_json(), indent=1) + "\n", encoding="utf-8")
    return 0 if result.ok else 1


def show(result: LadderResult) -> None:
    """Print the rungs with their figures, then why the first missed one fails."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("rung", "", "figure", "what"):
        table.add_column(title)
    for rung in result.rungs:
        table.add_row(rung.name, _mark(rung), _figure(rung), MEANING[rung.name])
    console = Console()
    console.print(table)
    for rung in result.rungs:
        if rung.reason:
            style = "red" if rung.ok is False else "dim"
            console.print(f"{rung.name}: {rung.reason}", style=style, markup=False, highlight=False)
    for line in result.diagnostics[1 if not result.rungs[0].ok else 0 :][:5]:
        console.print(line, markup=False, highlight=False)


def _mark(rung: Rung) -> str:
    return {True: "[green]yes[/]", False: "[red]no[/]", None: "[dim]-[/]"}[rung.ok]


def _figure(rung: Rung) -> str:
    if rung.figure is None:
        return ""
    return f"{rung.figure:.1e}" if isinstance(rung.figure, float) else str(rung.figure)

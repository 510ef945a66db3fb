"""Runs a migration script on several checkpoints: its arguments are the script, and an input and an output of each.

One line of `report.jsonl` for each checkpoint: a text, empty where all went well.
"""

from __future__ import annotations

import contextlib
import io
import json
import runpy
import sys
from pathlib import Path


def outcome(script: str, given: str, out: str) -> str:
    """Run the script as a program; '' or its last words."""
    said = io.StringIO()
    sys.argv = [script, given, out]
    try:
        with contextlib.redirect_stderr(said):
            runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        if not end.code:
            return ""
        said.write("" if isinstance(end.code, int) else str(end.code))
        lines = [line for line in said.getvalue().splitlines() if line.strip()]
        return " ".join(lines[-1].split())[:300] if lines else f"the process ended with code {end.code}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:300]
    return ""


def main() -> None:
    """All checkpoints, in the order in which they are given."""
    script, *rest = sys.argv[1:]
    with Path("report.jsonl").open("w", encoding="utf-8") as report:
        for given, out in zip(rest[::2], rest[1::2], strict=True):
            report.write(json.dumps(outcome(script, given, out)) + "\n")
            report.flush()


if __name__ == "__main__":
    main()

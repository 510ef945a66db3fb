"""Converts thousands of arbitrary Python files, found where packages are installed: none may crash the converter.

    python benchmarks/robustness.py [--files 2000] [--root FOLDER] [--jobs N] [--seed 0] [--json out.json]

For each file: no internal error (SW9), the result parses, and a file that does not mention the framework comes back
byte-identical without diagnostics. A file that needs too much processor time is given up, with the place where it was.
"""

from __future__ import annotations

import argparse
import ast
import ctypes
import json
import os
import random
import re
import site
import sys
import threading
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

MENTIONS = re.compile(rb"\btorch|einops|torchvision")
SLOW_SECONDS = 20.0  # of processor time
GIVE_UP_SECONDS = 120.0


@dataclass
class Outcome:
    """What became of a file. `trouble` is empty where all is well."""

    path: str
    seconds: float
    status: str
    codes: dict[str, int]
    trouble: str = ""


def parses(data: bytes) -> bool:
    try:
        ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


class GivenUpError(BaseException):
    """A conversion took too long. It is no Exception, so that nothing on the way takes it for an internal error."""


def check(path: str) -> Outcome:
    """Convert one file and look at what came out."""
    done = threading.Event()
    places: list[str] = []
    start = time.process_time()

    def watch() -> None:
        while not done.wait(0.5):
            if time.process_time() - start > GIVE_UP_SECONDS and not places:
                places.append(interrupt_conversion())

    threading.Thread(target=watch, daemon=True).start()
    try:
        return convert_and_look(path)
    except GivenUpError:
        return Outcome(path, GIVE_UP_SECONDS, "given up", {}, f"over {GIVE_UP_SECONDS:.0f} s, in {' '.join(places)}")
    finally:
        done.set()


def interrupt_conversion() -> str:
    """End the conversion, which runs in a thread of its own, and tell where it was: outermost and innermost calls."""
    for thread in threading.enumerate():
        frame = sys._current_frames().get(thread.ident or 0)
        stack = [f"{Path(at.filename).name}:{at.lineno} {at.name}" for at in traceback.extract_stack(frame)]
        if any(at.endswith(" _convert_one") for at in stack):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread.ident or 0), ctypes.py_object(GivenUpError)
            )
            return " > ".join(stack if len(stack) <= 24 else [*stack[:12], "...", *stack[-12:]])
    return "the checks after it"


def convert_and_look(path: str) -> Outcome:
    """Convert one file and judge the result."""
    from ml_switcheroo.project import convert_path

    before = Path(path).read_bytes()
    start = time.process_time()
    file = convert_path(path).files[0]
    elapsed = time.process_time() - start
    codes = Counter(diagnostic.code for diagnostic in file.diagnostics)
    outcome = Outcome(path, elapsed, file.status, dict(codes))
    internal = [diagnostic.message for diagnostic in file.diagnostics if diagnostic.code.startswith("SW9")]
    if internal:
        outcome.trouble = internal[0]
    elif file.content is None:
        if parses(before):
            outcome.trouble = f"refused although it parses: {file.diagnostics[0].message}"
    elif not MENTIONS.search(before):
        if file.content != before:
            outcome.trouble = "changed, although it has no framework code"
        elif file.diagnostics:
            outcome.trouble = "has diagnostics, although it has no framework code"
    elif parses(before) and not parses(file.content):
        outcome.trouble = "the result does not parse"
    if not outcome.trouble and elapsed > SLOW_SECONDS:
        outcome.trouble = f"slow: {elapsed:.1f} s"
    return outcome


def candidates(root: Path, count: int, seed: int) -> list[str]:
    """`count` files, the same for the same seed; a third of them mention the framework, where there are so many."""
    files = sorted(str(path) for path in root.rglob("*.py") if path.is_file())
    random.Random(seed).shuffle(files)
    with_framework: list[str] = []
    without: list[str] = []
    for file in files:
        chosen = with_framework if MENTIONS.search(Path(file).read_bytes()) else without
        chosen.append(file)
        if len(with_framework) >= count // 3 and len(without) >= count - count // 3:
            break
    first = with_framework[: count // 3]
    return (first + without + with_framework[count // 3 :])[:count]


def sweep(files: list[str], jobs: int) -> list[Outcome]:
    """Check all files, in workers; a file whose worker dies is reported too."""
    outcomes: list[Outcome] = []
    pending = files
    while pending:
        rest: list[str] = []
        with ProcessPoolExecutor(jobs) as pool:
            futures = [(file, pool.submit(check, file)) for file in pending]
            for number, (file, future) in enumerate(futures, 1):
                try:
                    outcomes.append(future.result())
                    if outcomes[-1].trouble:
                        print(f"{file}: {outcomes[-1].trouble}", file=sys.stderr, flush=True)
                except BrokenProcessPool:
                    rest.append(file)
                if number % 50 == 0:
                    print(f"{number}/{len(pending)}", file=sys.stderr, flush=True)
        if rest and jobs == 1:
            outcomes.append(Outcome(rest.pop(0), 0.0, "died", {}, "the process died"))
        jobs = 1 if rest else jobs
        pending = rest
    return outcomes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--root", type=Path, default=Path(site.getsitepackages()[0]))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    outcomes = sweep(candidates(options.root, options.files, options.seed), options.jobs)
    statuses = Counter(outcome.status for outcome in outcomes)
    codes: Counter[str] = Counter()
    for outcome in outcomes:
        codes.update(outcome.codes)
    troubled = [outcome for outcome in outcomes if outcome.trouble]
    print(f"{len(outcomes)} files: {dict(statuses)}")
    print(f"diagnostics: {dict(codes.most_common())}")
    print(f"slowest: {max(outcome.seconds for outcome in outcomes):.1f} s; in trouble: {len(troubled)}")
    for outcome in troubled:
        print(f"  {Path(outcome.path).relative_to(options.root)}: {outcome.trouble}")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        rows = [asdict(outcome) | {"path": str(Path(outcome.path).relative_to(options.root))} for outcome in outcomes]
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 1 if troubled else 0


if __name__ == "__main__":
    sys.exit(main())

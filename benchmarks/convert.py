"""How long a conversion takes, as whole processes: one file against a bare LibCST pass, long files, a package.

    python benchmarks/convert.py [--runs 7] [--json out.json]

Each figure is the best of several runs, alternating the sides, so that both see the same machine. Limits are printed
beside the figures, and the exit code says whether they hold.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "resnet.py"
MAX_RATIO = 4.0
MAX_GROWTH = 1.5  # time per line at 10,000 lines, over that at 1,250: 1.0 is perfectly linear
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src")}

BARE = """
import sys
import libcst

class Walk(libcst.CSTTransformer):
    pass

with open(sys.argv[1], encoding="utf-8") as file:
    tree = libcst.parse_module(file.read())
sys.stdout.write(tree.visit(Walk()).code)
"""


def run(command: list[str]) -> tuple[float, float]:
    """Wall and processor time of one process, which may end with gaps in the conversion (exit code 1) but not fail."""
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        elapsed = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in (0, 1):
            errors.seek(0)
            raise SystemExit(f"{' '.join(command)} failed:\n{errors.read().decode()}")
    return elapsed, usage.ru_utime + usage.ru_stime


def best(commands: list[list[str]], runs: int) -> tuple[list[float], list[float]]:
    """Best wall and processor time of each command, taken in turns; the first round, filling caches, does not count."""
    for command in commands:
        run(command)
    rounds = [[run(command) for command in commands] for _ in range(runs)]
    columns = list(zip(*rounds, strict=True))
    return [min(wall for wall, _ in column) for column in columns], [
        min(cpu for _, cpu in column) for column in columns
    ]


def convert(*arguments: str | Path) -> list[str]:
    """The command line of a conversion."""
    return [sys.executable, "-m", "ml_switcheroo", "convert", *map(str, arguments), "--target", "jax"]


def one_file(runs: int) -> dict[str, float]:
    """The example against a process that imports LibCST, parses, walks once and prints."""
    (ours, bare), (our_cpu, bare_cpu) = best([convert(EXAMPLE), [sys.executable, "-c", BARE, str(EXAMPLE)]], runs)
    return {"convert_s": ours, "bare_s": bare, "ratio": ours / bare, "cpu_ratio": our_cpu / bare_cpu}


def long_file(folder: Path, lines: int) -> Path:
    """A file of about so many lines: the example's classes again and again under new names."""
    text = EXAMPLE.read_text(encoding="utf-8")
    head, _, body = text.partition("\n\n\n")
    parts = [head]
    length = head.count("\n")
    number = 0
    while length < lines:
        part = body
        for name in ("conv3x3", "BasicBlock", "Bottleneck", "ResNet", "resnet18", "resnet50"):
            part = part.replace(name, f"{name}_{number}")
        parts.append(part.strip("\n"))
        length += part.count("\n") + 3
        number += 1
    path = folder / f"long_{lines}.py"
    path.write_text("\n\n\n".join(parts) + "\n", encoding="utf-8")
    return path


def growth(folder: Path, runs: int) -> dict[str, object]:
    """Processor time over length, start-up taken off. (On a shared machine the clock on the wall says little here.)"""
    empty = folder / "empty.py"
    empty.write_text("import torch\n", encoding="utf-8")
    sizes = (1_250, 2_500, 5_000, 10_000)
    files = [long_file(folder, size) for size in sizes]
    _, (start, *times) = best([convert(file) for file in (empty, *files)], runs)
    per_line = [(one - start) / size * 1e6 for one, size in zip(times, sizes, strict=True)]
    return {
        "start_s": start,
        "lines": list(sizes),
        "seconds": times,
        "microseconds_per_line": per_line,
        "growth": per_line[-1] / per_line[0],
    }


def package(folder: Path, runs: int) -> dict[str, object]:
    """A package of 32 copies of the example on one core and on all."""
    root = folder / "package"
    root.mkdir()
    (root / "__init__.py").write_text("", encoding="utf-8")
    for number in range(32):
        (root / f"model_{number}.py").write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    cores = os.cpu_count() or 1
    counts = sorted({1, cores})
    commands = [convert(root, "--out", folder / f"out_{count}", "--jobs", str(count)) for count in counts]
    times, _ = best(commands, runs)
    return {"files": 33, "jobs": counts, "seconds": times, "speed_up": times[0] / times[-1]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        single = one_file(options.runs)
        print(f"{EXAMPLE.name}: {single['convert_s']:.3f} s; bare LibCST process: {single['bare_s']:.3f} s")
        print(f"  ratio {single['ratio']:.2f} (limit {MAX_RATIO}); of processor time {single['cpu_ratio']:.2f}")
        long = growth(folder, max(1, options.runs // 3))
        print(f"start-up with an empty model: {long['start_s']:.3f} s")
        for lines, one, each in zip(long["lines"], long["seconds"], long["microseconds_per_line"], strict=True):  # type: ignore[call-overload]
            print(f"  {lines:6} lines: {one:6.2f} s, {each:5.0f} us a line")
        print(f"  growth of the time per line: {long['growth']:.2f} (limit {MAX_GROWTH})")
        many = package(folder, max(1, options.runs // 3))
        print(f"package of {many['files']} files: {many['seconds']} s with {many['jobs']} workers")
        print(f"  speed-up {many['speed_up']:.2f}")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps({"one_file": single, "growth": long, "package": many}, indent=2) + "\n")
    return 0 if single["ratio"] <= MAX_RATIO and float(str(long["growth"])) <= MAX_GROWTH else 1


if __name__ == "__main__":
    sys.exit(main())

"""The fuzzer over all operations: what is proved, in which time, and whether a second run says the same.

    python benchmarks/ci.py                          all targets; table to stdout
    python benchmarks/ci.py --framework jax,numpy    some of them
    python benchmarks/ci.py --repeat                 prove everything again without what was kept, and compare
    python benchmarks/ci.py --save                   write benchmarks/results/ci.json, from which the README is filled

`ml_switcheroo ci` runs as users run it, in a process of its own, with an empty cache (`cold`), and again with all
proofs kept (`warm`); it takes one direction after the other. The machine should do nothing else.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "ci.json"
TARGETS = "jax,numpy,mlx,tensorflow,keras"


def run(targets: str, home: Path, seed: int) -> tuple[dict[str, Any], dict[str, float]]:
    """The report of each direction, and the seconds that it took."""
    report = home / "report.json"
    environment = {
        **os.environ,
        "XDG_CACHE_HOME": str(home),
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])),
    }
    command = [sys.executable, "-m", "ml_switcheroo", "ci", "--framework", targets, "--seed", str(seed)]
    seconds: dict[str, float] = {}
    start = time.perf_counter()
    with subprocess.Popen(
        [*command, "--json-report", str(report)], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if ended := re.match(r"torch to (\w+): ", line):  # what is said of a direction begins so
                now = time.perf_counter()
                seconds[ended[1]], start = now - start, now
                print(line.rstrip(), f"({seconds[ended[1]]:.0f} s)", flush=True)
    runs = json.loads(report.read_text(encoding="utf-8"))["runs"]
    return {one["target"]: one for one in runs}, seconds


def measured(targets: str, seed: int, *, repeat: bool) -> dict[str, dict[str, Any]]:
    """Each direction: counts, seconds cold and warm, what was not expected."""
    with tempfile.TemporaryDirectory() as folder:
        reports, cold = run(targets, Path(folder), seed)
        _, warm = run(targets, Path(folder), seed)
    again = reports
    if repeat:
        with tempfile.TemporaryDirectory() as folder:
            again, _ = run(targets, Path(folder), seed)
    return {
        target: {
            "summary": report["summary"],
            "calls": sum(op["examples"] for op in report["ops"].values()),
            "gradients": sum(op["gradients"] for op in report["ops"].values()),
            "unreached": sum(len(op["unreached"]) for op in report["ops"].values()),
            "cold": round(cold[target], 1),
            "warm": round(warm[target], 1),
            "versions": report["versions"],
            "unexpected": report["unexpected"],
            "differs": sorted(op for op, proof in report["ops"].items() if again[target]["ops"][op] != proof),
        }
        for target, report in reports.items()
    }


def commit() -> str:
    """What was measured, `+` where files were changed since."""
    name = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    changed = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True)
    return name.stdout.strip() + ("+" if changed.stdout.strip() else "")


def table(data: dict[str, Any]) -> str:
    """The directions as a table in Markdown."""
    words = ("equal", "refused", "xfail", "failing", "not drawn", "not mapped")
    lines = [f"| from torch to | {' | '.join(words)} | calls | with gradients | cold | warm |"]
    lines.append("|" + "---|" * (len(words) + 5))
    for target, row in data["directions"].items():
        counts = [str(row["summary"].get(word, "")) for word in words]
        seconds = [f"{row['cold']:.0f} s", f"{row['warm']:.0f} s"]
        lines.append("| " + " | ".join([target, *counts, str(row["calls"]), str(row["gradients"]), *seconds]) + " |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--framework", default=TARGETS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeat", action="store_true")
    parser.add_argument("--save", action="store_true")
    args = parser.parse_args()
    data: dict[str, Any] = {"date": datetime.date.today().isoformat(), "commit": commit()}
    data["directions"] = measured(args.framework, args.seed, repeat=args.repeat)
    for target, row in data["directions"].items():
        for text in row["unexpected"]:
            print(f"unexpected, {target}: {text}")
        for op in row["differs"]:
            print(f"another proof the second time, {target}: {op}")
    print(table(data))
    print(f"in all {sum(row['cold'] for row in data['directions'].values()) / 60:.1f} minutes cold")
    if args.save:
        RESULT.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    return int(any(row["unexpected"] or row["differs"] for row in data["directions"].values()))


if __name__ == "__main__":
    sys.exit(main())

"""The fuzzer over all operations: what is proved, in which time, and whether a second run says the same.

    python benchmarks/ci.py                          all targets; table to stdout
    python benchmarks/ci.py --framework jax,numpy    some of them
    python benchmarks/ci.py --repeat                 prove everything again without what was kept, and compare
    python benchmarks/ci.py --save                   write benchmarks/results/ci.json, from which the README is filled

`ml_switcheroo ci` runs as users run it, in a process of its own, with an empty cache (`cold`), and again with all
proofs kept (`warm`). Seconds are those of the whole process. The machine should do nothing else.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "ci.json"
TARGETS = "jax,numpy,mlx,tensorflow,keras"


def run(target: str, home: Path, seed: int) -> tuple[dict[str, Any], float]:
    """The report of one direction, and the seconds that it took."""
    report = home / f"{target}.json"
    environment = {
        **os.environ,
        "XDG_CACHE_HOME": str(home),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])),
    }
    command = [sys.executable, "-m", "ml_switcheroo", "ci", "--framework", target, "--seed", str(seed)]
    start = time.perf_counter()
    subprocess.run([*command, "--json-report", str(report)], env=environment, check=False, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))["runs"][0]
    return found, seconds


def measured(target: str, seed: int, *, repeat: bool) -> dict[str, Any]:
    """One direction: counts, seconds cold and warm, what was not expected."""
    with tempfile.TemporaryDirectory() as folder:
        report, cold = run(target, Path(folder), seed)
        _, warm = run(target, Path(folder), seed)
    row = {
        "summary": report["summary"],
        "calls": sum(op["examples"] for op in report["ops"].values()),
        "gradients": sum(op["gradients"] for op in report["ops"].values()),
        "cold": round(cold, 1),
        "warm": round(warm, 1),
        "versions": report["versions"],
        "unexpected": report["unexpected"],
    }
    if repeat:
        with tempfile.TemporaryDirectory() as folder:
            again, _ = run(target, Path(folder), seed)
        row["differs"] = sorted(op for op, proof in report["ops"].items() if again["ops"][op] != proof)
    return row


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
    data: dict[str, Any] = {"date": datetime.date.today().isoformat(), "commit": commit(), "directions": {}}
    for target in args.framework.split(","):
        data["directions"][target] = measured(target, args.seed, repeat=args.repeat)
        print(table(data).splitlines()[-1], flush=True)
        for text in data["directions"][target]["unexpected"]:
            print(f"    unexpected: {text}", flush=True)
        for op in data["directions"][target].get("differs", ()):
            print(f"    another proof the second time: {op}", flush=True)
    print(table(data))
    print(f"in all {sum(row['cold'] for row in data['directions'].values()) / 60:.1f} minutes cold")
    if args.save:
        RESULT.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    return int(any(row["unexpected"] or row.get("differs") for row in data["directions"].values()))


if __name__ == "__main__":
    sys.exit(main())

"""How many single changes to rows does the fuzzer notice?

    python benchmarks/mutations.py [--ops 60] [--seed 0] [--target jax] [--json out.json]

Takes operations at random, changes their rows in each of the ways of `fuzz/mutations.py` (arguments swapped, a keyword
left out, another number, sign or flag), one at a time, and proves them again. A change that no call shows is listed.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from ml_switcheroo.fuzz.forms import replaced_row
from ml_switcheroo.fuzz.mutations import detected, mutations
from ml_switcheroo.fuzz.prove import Prover

SOURCE = "torch"


def changes(prover: Prover, op: str) -> list[dict[str, Any]]:
    """What becomes of each change to one row; nothing where the row itself is not proved."""
    right = prover.prove(op)
    if right.status != "equal":
        return []
    found = []
    for what, row in mutations(prover.kb, op):
        with replaced_row(prover.kb, op, row):
            found.append({"op": op, "change": what, "detected": detected(right, prover.prove(op))})
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ops", type=int, default=60, help="so many operations that have something to change")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", default="jax")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    found: list[dict[str, Any]] = []
    with Prover(SOURCE, args.target, seed=args.seed) as prover:
        names = [op for op in prover.kb.ops() if next(mutations(prover.kb, op), None) is not None]
        random.Random(args.seed).shuffle(names)
        seen = 0
        for op in names:
            own = changes(prover, op)
            found += own
            seen += bool(own)
            for one in own:
                if not one["detected"]:
                    print(f"not noticed: {op}: {one['change']}", flush=True)
            if seen >= args.ops:
                break
    caught = sum(one["detected"] for one in found)
    print(f"{caught} of {len(found)} changes to {seen} rows are noticed ({caught / max(len(found), 1):.1%})")
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

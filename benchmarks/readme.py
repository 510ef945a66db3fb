"""Fills the measured parts of README.md: the before/after example and the tables of proofs.

    python benchmarks/readme.py          rewrite them
    python benchmarks/readme.py --check  say whether they are up to date

The example is cut from examples/gpt.py and its conversion; the tables from benchmarks/results/corpus.json and ci.json,
which `python benchmarks/corpus.py --save` and `python benchmarks/ci.py --save` write.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.ci import table

from ml_switcheroo import convert

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = "examples/gpt.py"
START, END = "class CausalSelfAttention", "\n\n\nclass MLP"


def example() -> str:
    """A class as it is written and as it is converted."""
    text = (ROOT / EXAMPLE).read_text(encoding="utf-8")
    after = convert(text, source="torch", target="jax", path=ROOT / EXAMPLE).code
    parts = [re.search(re.escape(START) + ".*?(?=" + re.escape(END) + ")", code, re.DOTALL) for code in (text, after)]
    before, converted = (part.group(0) if part else "" for part in parts)
    return (
        f"From `{EXAMPLE}`:\n\n```python\n{before}\n```\n\n"
        f"`ml_switcheroo convert {EXAMPLE} --target jax` makes of it:\n\n"
        f"```python\n{converted}\n```"
    )


def proof() -> str:
    """How far the models of the corpus come."""
    path = ROOT / "benchmarks" / "results" / "corpus.json"
    if not path.exists():
        return "No run of the corpus is recorded yet: `python benchmarks/corpus.py --setup --save`."
    data = json.loads(path.read_text(encoding="utf-8"))
    rows, summary = data["models"], data["summary"]
    kinds: dict[str, Counter[str]] = {}
    for row in rows:
        kinds.setdefault(row["kind"], Counter())[row.get("missed") or "all"] += 1
    rungs = ("converts", "imports", "builds", "weights", "forward", "jit", "gradients", "training")
    seen = [r for r in rungs if any(counter[r] for counter in kinds.values())]
    head = ["kind", "models", "all rungs", *(f"stops at {r}" for r in seen)]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for kind, counter in sorted(kinds.items()):
        cells = [kind, str(sum(counter.values())), str(counter["all"]), *(str(counter[r] or "") for r in seen)]
        lines.append("| " + " | ".join(cells) + " |")
    total = Counter(row.get("missed") or "all" for row in rows)
    cells = ["**all**", str(len(rows)), str(total["all"]), *(str(total[r] or "") for r in seen)]
    lines.append("| " + " | ".join(cells) + " |")
    sample = {"all": ""}.get(summary["sample"], f" --sample {summary['sample']}")
    versions = ", ".join(f"{name} {version}" for name, version in summary["versions"].items())
    commit = f", commit {summary['commit']}" if summary.get("commit") else ""
    silent = f"Silently wrong (nothing was reported, and yet a rung is missed): {summary['silently_wrong']}."
    source = f"`python benchmarks/corpus.py --save{sample}`, {summary['date']}{commit}, {versions}"
    return "\n".join([*lines, "", silent, "", source])


def mappings() -> str:
    """What the fuzzer proved, by direction."""
    path = ROOT / "benchmarks" / "results" / "ci.json"
    if not path.exists():
        return "No run over all operations is recorded yet: `python benchmarks/ci.py --save`."
    data = json.loads(path.read_text(encoding="utf-8"))
    versions: dict[str, str] = {}
    for row in data["directions"].values():
        versions |= row["versions"]
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"{table(data)}\n\n`python benchmarks/ci.py --save`, {data['date']}, commit {data['commit']}, {named}"


def filled(readme: str) -> str:
    """The README with its measured parts made anew."""
    for name, text in (("before-after", example()), ("proof-table", proof()), ("ci-table", mappings())):
        start, end = f"<!-- {name}: start -->", f"<!-- {name}: end -->"
        head, rest = readme.split(start)
        readme = head + start + "\n" + text + "\n" + end + rest.split(end)[1]
    return readme


def main() -> int:
    path = ROOT / "README.md"
    old = path.read_text(encoding="utf-8")
    new = filled(old)
    if "--check" in sys.argv:
        return int(new != old)
    path.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Which share of the framework's names that real code uses does the knowledge base know?

    python benchmarks/names.py [--search FOLDER ...] [--target jax] [--json out.json]

Counts, over the packages of the conversion corpus (benchmarks/corpus.yaml), every name that an import leads to
(`nn.Conv2d`, `F.relu`, `torch.cat`) and every call of a method that only tensors have (`x.masked_fill(...)`): how
often, and whether it is mapped, refused with a reason, or not known.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from corpus import Corpus, search_path

from ml_switcheroo import kb as knowledge
from ml_switcheroo.report.matrix import status_of

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = "torch"
# Methods that Python's own objects and modules have, too: an attribute of this name need not be one of a tensor.
COMMON = frozenset(
    name for kind in (list, dict, str, set, tuple, int, float, bytes) for name in dir(kind) if not name.startswith("_")
) | {"type", "to", "size", "apply", "half", "float", "double", "cuda", "cpu", "data", "name", "grad", "names", "device"}


class Names(ast.NodeVisitor):
    """The names of one file."""

    def __init__(self, roots: set[str], methods: set[str]) -> None:
        self.roots, self.methods = roots, methods
        self.imported: dict[str, str] = {}
        self.found: Counter[str] = Counter()

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name.split(".")[0] in self.roots:
                name = alias.asname or alias.name.split(".")[0]
                self.imported[name] = alias.name if alias.asname else name

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module and not node.level and node.module.split(".")[0] in self.roots:
            for alias in node.names:
                self.imported[alias.asname or alias.name] = f"{node.module}.{alias.name}"

    def visit_Attribute(self, node: ast.Attribute) -> None:
        dotted = _dotted(node)
        head, _, rest = (dotted or "").partition(".")
        if head in self.imported:
            self.found[f"{self.imported[head]}.{rest}"] += 1
            return
        if node.attr in self.methods:
            self.found[f"{SOURCE}.Tensor.{node.attr}"] += 1
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if self.imported.get(node.id, "").count("."):
            self.found[self.imported[node.id]] += 1


def _dotted(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return f"{before}.{node.attr}" if before else None
    return None


def files(search: list[str]) -> Iterator[Path]:
    """The Python files of the corpus's packages."""
    folders = search_path(search)
    for top in sorted({entry.top for entry in Corpus.read().entries}):
        for folder in folders:
            if (folder / top).is_dir():
                yield from sorted((folder / top).rglob("*.py"))
                break
            if (folder / f"{top}.py").is_file():
                yield folder / f"{top}.py"
                break


def count(search: list[str], target: str) -> dict[str, Any]:
    """Names by status: how often each is used."""
    kb = knowledge.load(SOURCE, target)
    methods = kb.tensor_methods() - COMMON
    total: Counter[str] = Counter()
    read = 0
    for path in files(search):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            continue
        names = Names(set(kb.source_framework["roots"]), methods)
        names.visit(tree)
        total += names.found
        read += 1
    found: dict[str, Counter[str]] = {"mapped": Counter(), "refused": Counter(), "unknown": Counter()}
    for name, times in total.items():
        if (kb.is_known_api(name) and not kb.api_names(kb.canonical(name))) or kb.read(name):
            found[status_of(kb, name)][kb.canonical(name)] += times
    return {"files": read, **{status: dict(names.most_common()) for status, names in found.items()}}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--search", action="append", default=[], help="where packages are")
    parser.add_argument("--target", default="jax")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    result = count(args.search, args.target)
    names = sum(len(result[s]) for s in ("mapped", "refused", "unknown"))
    uses = sum(sum(result[s].values()) for s in ("mapped", "refused", "unknown"))
    print(f"{result['files']} files, {names} different names of {SOURCE}, used {uses} times")
    for status in ("mapped", "refused", "unknown"):
        own = result[status]
        share, of_uses = len(own) / names, sum(own.values()) / uses
        print(f"{status:8} {len(own):5} names {share:6.1%} {of_uses:6.1%} of uses")
    print("unknown:", ", ".join(f"{name} {times}" for name, times in list(result["unknown"].items())[:60]))
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

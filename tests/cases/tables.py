"""Case tables: markdown files in which every heading is one conversion.

Under a heading stand one fenced block (it comes back byte for byte), or two: before and after. Lines between them
may say

    exact               the after block is the whole output, helpers and imports included
    run: f(x(2, 3))     evaluated on both sides; the results are the same numbers
    xfail: why          a known fault; the case must fail

Lines `source: numpy` and `target: numpy` above the first heading say what a whole table converts from and to;
without them that is torch and jax.

A before block that has an after block and no imports gets PRELUDE. A trailing `# error: [SW2003]` or
`# warning: [SW3003]` is no part of the text: it asks for that diagnostic on its line, and no others may come. In an
after block, imports are left out unless `exact` is asked for, and `...` at the end of a TODO line stands for any
message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ml_switcheroo import convert

if TYPE_CHECKING:
    from ml_switcheroo.pipeline import Conversion

HERE = Path(__file__).parent
PRELUDE = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n"
EXPECTED = re.compile(r"[ \t]*# (error|warning): \[(SW\d+)\]")
TODO = "# TODO(ml_switcheroo"


@dataclass
class Case:
    """One heading of a table."""

    table: str
    name: str
    before: str
    after: str | None = None
    exact: bool = False
    run: list[str] = field(default_factory=list)
    xfail: str = ""
    expected: list[tuple[int, str, str]] = field(default_factory=list)
    source: str = "torch"
    target: str = "jax"

    @property
    def id(self) -> str:
        return f"{self.table}: {self.name}"

    def convert(self, *, inline: bool = False) -> Conversion:
        """The conversion; helpers are imported from a module of their own unless they are asked for."""
        return _convert(self.before, inline or self.exact, None if self.after is None else self.source, self.target)


@cache
def _convert(text: str, inline: bool, source: str | None, target: str) -> Conversion:
    return convert(text, source=source, target=target, compat=None if inline else "_compat")


def read_cases(path: Path) -> list[Case]:
    """The cases of one table, in order."""
    cases: list[Case] = []
    head, *sections = re.split(r"(?m)^## ", path.read_text())
    options = dict(re.findall(r"(?m)^(source|target): (\w+)$", head))
    for section in sections:
        name, _, body = section.partition("\n")
        blocks = re.findall(r"(?ms)^```python\n(.*?)^```$", body)
        lines = re.sub(r"(?ms)^```python\n.*?^```$", "", body).strip().splitlines()
        before, expected = _without_expectations(blocks[0], prelude=len(blocks) > 1)
        case = Case(path.stem, name.strip(), before, blocks[1] if len(blocks) > 1 else None, expected=expected)
        case.source, case.target = options.get("source", case.source), options.get("target", case.target)
        for line in filter(None, map(str.strip, lines)):
            if line == "exact":
                case.exact = True
            elif line.startswith("run: "):
                case.run.append(line[5:])
            elif line.startswith("xfail: "):
                case.xfail = line[7:]
            else:
                raise ValueError(f"{path.name}: {name}: what is {line!r}?")
        if len(blocks) > 2:
            raise ValueError(f"{path.name}: {name}: more than two blocks")
        cases.append(case)
    return cases


def _without_expectations(block: str, *, prelude: bool) -> tuple[str, list[tuple[int, str, str]]]:
    first = PRELUDE if prelude and not re.search(r"(?m)^(import|from) ", block) else ""
    shift = first.count("\n")
    expected = [
        (shift + number, severity, code)
        for number, line in enumerate(block.splitlines(), 1)
        for severity, code in EXPECTED.findall(line)
    ]
    return first + EXPECTED.sub("", block), expected


def all_cases() -> list[Case]:
    return [case for path in sorted(HERE.glob("*.md")) for case in read_cases(path)]


def without_imports(text: str) -> str:
    """The text less its imports at the top level, outer blank lines and runs of blank lines between statements."""
    text = re.sub(r"(?m)^(import|from) [^(\n]*(\([^)]*\))?[^\n]*\n", "", text)
    return re.sub(r"\n{3,}", "\n\n\n", text.strip("\n")) + "\n"


def same_text(wanted: str, got: str) -> bool:
    """Equal, but for TODO messages that are left open."""
    left, right = wanted.splitlines(), got.splitlines()
    return len(left) == len(right) and all(
        a == b or (TODO in a and a.endswith("...") and b.startswith(a[:-3])) for a, b in zip(left, right, strict=True)
    )

"""Notebooks: the code cells become one text for the analysis, and the converted text goes back into the cells.

Lines that only IPython understands (`%matplotlib inline`, `!pip install x`, `x = !ls`, `name?`) are swapped for string
statements while the text is converted and put back afterwards. A statement of the same kind marks where a cell begins:
unlike a comment, it cannot be moved together with the statement that follows it.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass, field
from typing import Any, ClassVar

from .diagnostics import Diagnostic, diagnose
from .errors import InputError, SwitcherooError

_CELL = re.compile(r'^"ml_switcheroo: cell (\d+)"$')
_SWAPPED = re.compile(r'"ml_switcheroo: line (\d+)"')
_STATEMENT = re.compile(r"^(\s*)((?:%{1,2}[A-Za-z_]|!|\?{1,2}\w).*)$", re.DOTALL)
_ASSIGNED = re.compile(r"^(\s*[\w.,\s]+=\s*)((?:%[A-Za-z_]|!).*)$", re.DOTALL)
_HELP = re.compile(r"^(\s*)(%{0,2}[A-Za-z_][\w.*]*\?{1,2})\s*$")
# Cell magics whose body is Python that runs in the notebook's own namespace.
_PYTHON_BODIES = frozenset({"capture", "prun", "time", "timeit"})
_RUNS_PYTHON = re.compile(r"^%(?:time|timeit|prun)\s+\S")


@dataclass
class Notebook:
    """A notebook taken apart. `text` is the Python of its code cells; `diagnostics` says what was left."""

    data: dict[str, Any]
    path: str
    text: str = ""
    diagnostics: list[Diagnostic] = field(default_factory=list)
    _cells: list[int] = field(default_factory=list)
    _starts: list[int] = field(default_factory=list)
    _lines: list[str] = field(default_factory=list)

    def located(self, diagnostic: Diagnostic) -> Diagnostic:
        """The diagnostic with its place in the joined text turned into a cell and a line of that cell."""
        for cell, start in zip(reversed(self._cells), reversed(self._starts), strict=True):
            if diagnostic.line >= start:
                return diagnostic.at(self.cell_name(cell), diagnostic.line - start + 1)
        return diagnostic.at(self.path)

    def cell_name(self, cell: int) -> str:
        """How a cell is called in diagnostics: cells are counted from 1, text cells included."""
        return f"{self.path}#cell{cell + 1}"

    def with_code(self, code: str) -> str:
        """The notebook as text, with `code` in its cells. The outputs were made by the old code: they are cleared."""
        sources = self._split(code)
        for number, cell in enumerate(self.data["cells"]):
            if cell.get("cell_type") != "code":
                continue
            if number in sources:
                cell["source"] = sources[number].splitlines(keepends=True)
            cell["outputs"] = []
            cell["execution_count"] = None
        return json.dumps(self.data, indent=1, ensure_ascii=False) + "\n"

    def _split(self, code: str) -> dict[int, str]:
        parts: list[list[str]] = [[]]
        order = self._cells[:1]
        for line in code.split("\n"):
            mark = _CELL.match(line)
            if mark:
                order.append(int(mark[1]))
                parts.append([])
            else:
                parts[-1].append(line)
        restored = [line for part in parts for line in part]
        kept = [int(number) for line in restored for number in _SWAPPED.findall(line)]
        if order != self._cells or sorted(kept) != list(range(len(self._lines))):
            raise SwitcherooError("SW9001", "the converted cells could not be told apart", path=self.path)
        return {
            cell: _SWAPPED.sub(lambda match: self._lines[int(match[1])], "\n".join(part).strip("\n"))
            for cell, part in zip(order, parts, strict=True)
        }

    def _add(self, number: int, source: str) -> None:
        swapped: list[str] = []
        python = _protected(source, swapped, len(self._lines))
        if python is None or not _parses(python):
            code = "SW0008" if python is None else "SW0004"
            reason = (
                "left as it was: its cell magic says that it is not Python" if python is None else "is not valid Python"
            )
            self.diagnostics.append(diagnose(code, f"cell {number + 1} {reason}", path=self.cell_name(number), line=1))
            return
        for line in swapped:
            if _RUNS_PYTHON.match(line):
                message = f"the code after a magic is left as it was: {line}"
                self.diagnostics.append(diagnose("SW0008", message, path=self.cell_name(number), line=1))
        self._lines += swapped
        if self._cells:
            self.text += f'"ml_switcheroo: cell {number}"\n'
        self._cells.append(number)
        self._starts.append(self.text.count("\n") + 1)
        self.text += python.rstrip("\n") + "\n"


def read_notebook(content: bytes, path: str) -> Notebook:
    """Take a notebook apart; InputError where it is none."""
    try:
        data = json.loads(content)
    except (ValueError, UnicodeDecodeError, RecursionError) as error:
        raise InputError("SW0006", f"not a notebook: {str(error).splitlines()[0]}", path=path) from None
    if not isinstance(data, dict) or not isinstance(data.get("cells"), list) or data.get("nbformat", 4) < 4:
        raise InputError("SW0006", "not a notebook of format 4", path=path)
    metadata = data.get("metadata") or {}
    language = (metadata.get("language_info") or {}).get("name") or (metadata.get("kernelspec") or {}).get("language")
    if language not in (None, "python", "ipython"):
        raise InputError("SW0006", f"the notebook is written in {language}, not Python", path=path)
    notebook = Notebook(data, path)
    for number, cell in enumerate(data["cells"]):
        if not isinstance(cell, dict):
            raise InputError("SW0006", f"cell {number + 1} is not a cell", path=path)
        if cell.get("cell_type") == "code":
            source = cell.get("source", "")
            notebook._add(number, "".join(source) if isinstance(source, list) else str(source))
    return notebook


def _protected(source: str, swapped: list[str], first: int) -> str | None:
    """The cell's Python, IPython's own lines swapped for strings and added to `swapped`; None if it is not Python."""
    magic = re.match(r"\s*%%(\w+)", source)
    if magic and magic[1] not in _PYTHON_BODIES:
        return None
    result: list[str] = []
    state = _Nesting()
    lines = source.split("\n")
    position = 0
    while position < len(lines):
        line = lines[position]
        position += 1
        found = None if state.inside else _STATEMENT.match(line) or _ASSIGNED.match(line) or _HELP.match(line)
        if found is None:
            state.feed(line)
            result.append(line)
            continue
        while line.endswith("\\") and position < len(lines):
            line += "\n" + lines[position]
            position += 1
        result.append(f'{found[1]}"ml_switcheroo: line {first + len(swapped)}"')
        swapped.append(line[len(found[1]) :])
    return "\n".join(result)


class _Nesting:
    """Is the next line inside a bracket, a triple-quoted string, or after a backslash?"""

    _TOKEN = re.compile(r"#.*|'''|\"\"\"|'(?:\\.|[^'\\])*'?|\"(?:\\.|[^\"\\])*\"?|[\[\](){}]|\\$")
    _END: ClassVar = {quote: re.compile(rf"(?:\\.|[^\\])*?{quote}") for quote in ("'''", '"""')}

    def __init__(self) -> None:
        self._quote = ""
        self._depth = 0
        self._continued = False

    @property
    def inside(self) -> bool:
        return bool(self._quote or self._depth or self._continued)

    def feed(self, line: str) -> None:
        position = 0
        self._continued = False
        while True:
            if self._quote:
                end = self._END[self._quote].match(line, position)
                if end is None:
                    return
                position = end.end()
                self._quote = ""
            token = self._TOKEN.search(line, position)
            if token is None:
                return
            position = token.end()
            text = token[0]
            if text in self._END:
                self._quote = text
            elif text in "([{":
                self._depth += 1
            elif text in ")]}":
                self._depth = max(0, self._depth - 1)
            elif text == "\\":
                self._continued = True


def _parses(python: str) -> bool:
    try:
        # Cells may await at their top level.
        compile(python, "<cell>", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True

"""Laws that hold for every conversion, tried on every case of the tables and on every example."""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
import types
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ml_switcheroo import convert
from ml_switcheroo.pipeline import load_project

from .tables import TODO, all_cases

if TYPE_CHECKING:
    from ml_switcheroo.pipeline import Conversion

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(p for p in (ROOT / "examples").rglob("*.py") if "jax" not in p.relative_to(ROOT).parts)
CASES = [case for case in all_cases() if not case.xfail]
PROJECT = "the examples"
_projects: dict[str, object] = {}


class Subject:
    """One text to convert; its name is the test's."""

    def __init__(self, name: str, text: str, path: Path | None = None) -> None:
        self.name, self.text, self.path = name, text, path

    def convert(self) -> Conversion:
        if self.path is None:
            return convert(self.text)
        if PROJECT not in _projects:
            _projects[PROJECT] = load_project(EXAMPLES)
        return convert(self.text, path=self.path, project=_projects[PROJECT])  # type: ignore[arg-type]


SUBJECTS = [Subject(case.id, case.before) for case in CASES]
SUBJECTS += [Subject(str(path.relative_to(ROOT)), path.read_text(), path) for path in EXAMPLES]
over_all = pytest.mark.parametrize("subject", SUBJECTS, ids=[s.name for s in SUBJECTS])
_done: dict[str, Conversion] = {}


def converted(subject: Subject) -> Conversion:
    if subject.name not in _done:
        _done[subject.name] = subject.convert()
    return _done[subject.name]


def comments(text: str) -> Counter[str]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return Counter(token.string for token in tokens if token.type == tokenize.COMMENT)


def outside_todos(text: str) -> str:
    """The text without comments, and without the statement that follows a TODO."""
    module = ast.parse(text)
    lines = text.splitlines()
    marked = {number for number, line in enumerate(lines, 1) if line.lstrip().startswith(TODO)}

    def is_open(node: ast.AST) -> bool:
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])  # type: ignore[attr-defined]
        above = first - 1
        while above and lines[above - 1].lstrip().startswith("#"):
            if above in marked:
                return True
            above -= 1
        return False

    class Rest(ast.NodeTransformer):
        def generic_visit(self, node: ast.AST) -> ast.AST:
            super().generic_visit(node)
            if isinstance(node, ast.stmt) and is_open(node):
                if isinstance(node, (ast.FunctionDef, ast.ClassDef)):  # only the header is open
                    return ast.If(ast.Constant(True), node.body, [])
                if not isinstance(node, (ast.If, ast.For, ast.While, ast.With, ast.Try)):
                    return ast.Pass()
                return ast.If(ast.Constant(True), node.body, getattr(node, "orelse", []))
            return node

        def visit_Expr(self, node: ast.Expr) -> ast.AST:
            if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
                return ast.Pass()  # a docstring
            return self.generic_visit(node)

    return ast.unparse(ast.fix_missing_locations(Rest().visit(module)))


@over_all
def test_output_compiles(subject: Subject) -> None:
    compile(converted(subject).code, subject.name, "exec")


@over_all
def test_no_bug_of_our_own(subject: Subject) -> None:
    assert not [d for d in converted(subject).diagnostics if d.code.startswith("SW9")]


@over_all
def test_converting_again_changes_nothing(subject: Subject) -> None:
    done = converted(subject)
    if done.ok:
        assert convert(done.code).code == done.code


@over_all
def test_the_same_text_converts_the_same(subject: Subject) -> None:
    assert subject.convert().code == converted(subject).code


@over_all
def test_comments_survive_once(subject: Subject) -> None:
    """All but those behind a line that goes away: an import of the framework, the call of the base's constructor."""
    before, after = comments(subject.text), comments(converted(subject).code)
    gone = re.findall(r"(?m)^ *(?:import|from|super\(|nn\.Module\.__init__).*?(#.*)$", subject.text)
    for comment, count in before.items():
        assert after[comment] in ({count, count - 1} if comment in gone else {count}), comment


@over_all
def test_nothing_of_the_source_is_left(subject: Subject) -> None:
    done = converted(subject)
    if done.source is None:
        pytest.skip("no framework in it")
    rest = outside_todos(done.code)
    assert not re.findall(r"\btorch\b|(?<![\w.])nn\.|(?<![\w.])F\.|\btorchvision\b", rest), rest


@over_all
def test_as_many_todos_as_errors(subject: Subject) -> None:
    done = converted(subject)
    assert done.code.count(TODO) == sum(d.severity == "error" for d in done.diagnostics)


@over_all
def test_a_file_without_framework_is_untouched(subject: Subject) -> None:
    text = re.sub(r"(?m)^(import|from) .*torch.*\n", "", subject.text)
    if "torch" in "".join(re.findall(r"(?m)^ +(?:import|from) .*", text)):
        pytest.skip("it imports the framework in a block")
    done = convert(text)
    assert done.code == text
    assert not done.diagnostics


class Foreign(types.ModuleType):
    """A module of somebody else, with a class of any name."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


@over_all
def test_imports_of_the_output_work(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Imports and definitions run: names in signatures, bases, decorators and defaults are there."""
    pytest.importorskip("flax")
    if subject.path is not None and subject.path.parent != ROOT / "examples":
        pytest.skip("part of a package")
    code = converted(subject).code
    module = ast.parse(code)
    kept = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Try)
    module.body = [s for s in module.body if isinstance(s, kept)]
    for foreign in ("mylayers", "somewhere", "kornia", "dgl"):  # packages in the tables that are not installed
        monkeypatch.setitem(sys.modules, foreign, Foreign(foreign))
    namespace: dict[str, object] = {"__name__": "converted_case"}
    sys.modules["converted_case"] = types.ModuleType("converted_case")  # dataclasses look their module up
    exec(compile(module, subject.name, "exec", dont_inherit=True), namespace)

"""Round 3: the source framework's imports go, the target's come, and the helpers in use are written once."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.nodes import Visitor, walk
from ..analysis.project import dotted, import_source
from .helper_names import with_names
from .todo import MARK

if TYPE_CHECKING:
    from .context import Context


class _ImportEditor(cst.CSTTransformer):
    """Takes the source framework's names out of import statements."""

    def __init__(self, context: Context, tree: cst.Module) -> None:
        super().__init__()
        self.context = context
        self.tree = tree
        self.edits = 0
        self._used: set[str] | None = None  # names that only the source uses

    def _gone(self, name: str) -> bool:
        return self.context.is_source(name)

    def _is_left_over(self, name: str, alias: cst.ImportAlias) -> bool:
        """Was this imported for the bases of classes only, where it has been left out?"""
        if name not in (self.context.kb.source_framework.get("mixins") or ()):
            return False
        bound = alias.evaluated_alias or alias.evaluated_name
        uses = [n for n in walk(self.tree) if isinstance(n, cst.Name) and n.value == bound]
        return len(uses) == 1  # here

    def leave_Import(
        self, original_node: cst.Import, updated_node: cst.Import
    ) -> cst.BaseSmallStatement | cst.RemovalSentinel:
        kept = [a for a in updated_node.names if not self._gone(dotted(a.name)) and not self._is_used_up(a)]
        return self._result(updated_node, kept)

    def _is_used_up(self, alias: cst.ImportAlias) -> bool:
        """Was a package of which rows speak (a library for the framework) in use, and is no more?"""
        name = dotted(alias.name)
        if not any(claimed.startswith(f"{name}.") for claimed in self.context.kb.claimed):
            return False
        if self._used is None:
            self._used = _used_names(self.context.module.tree) - _used_names(self.tree)
        return (alias.evaluated_alias or name.split(".")[0]) in self._used

    def leave_ImportFrom(
        self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom
    ) -> cst.BaseSmallStatement | cst.RemovalSentinel:
        source = import_source(original_node, self.context.module)
        if source == "__future__":
            return updated_node
        if self.context.engine.finder.locate(source) is not None:
            if isinstance(updated_node.names, cst.ImportStar):
                return updated_node
            return self._result(
                updated_node, [a for a in updated_node.names if not self._passed_on(source, dotted(a.name))]
            )
        if isinstance(updated_node.names, cst.ImportStar):
            if self._gone(source):
                self.context.changed = True
                self.edits += 1
                return cst.RemoveFromParent()
            return updated_node
        kept = [
            a
            for a in updated_node.names
            if not self._gone(f"{source}.{dotted(a.name)}")
            and source.split(".")[0] not in self.context.engine.roots
            and not self._is_left_over(f"{source}.{dotted(a.name)}", a)
        ]
        return self._result(updated_node, kept)

    def _passed_on(self, source: str, name: str) -> bool:
        """Does another file only pass a name of the framework on? Its conversion has that name no more."""
        if self.context.engine.is_claimed(f"{source}.{name}"):
            return True
        values = self.context.engine.settled(source, name)
        if self.context.source_api(values) is None:
            return False
        module = self.context.engine.finder.find(source)
        # A variable of its own stays in its conversion. A function or class of this name is in a branch that is never
        # taken, since it would be among the values.
        return module is None or not _assigns(module.tree, name)

    def _result(
        self, node: cst.Import | cst.ImportFrom, kept: list[cst.ImportAlias]
    ) -> cst.BaseSmallStatement | cst.RemovalSentinel:
        assert not isinstance(node.names, cst.ImportStar)
        if len(kept) == len(node.names):
            return node
        self.context.changed = True
        self.edits += 1
        if not kept:
            return cst.RemoveFromParent()
        kept[-1] = kept[-1].with_changes(
            comma=cst.MaybeSentinel.DEFAULT if not (isinstance(node, cst.ImportFrom) and node.lpar) else kept[-1].comma
        )
        return node.with_changes(names=kept)

    def visit_SimpleStatementLine(self, node: cst.SimpleStatementLine) -> bool:
        return any(isinstance(small, (cst.Import, cst.ImportFrom)) for small in node.body)

    def leave_IndentedBlock(
        self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock
    ) -> cst.IndentedBlock:
        """No blank lines at the top of a block whose first statement, an import, went away."""
        unchanged = len(updated_node.body) == len(original_node.body)
        if not updated_node.body or updated_node.body[0] is original_node.body[0] or unchanged:
            return updated_node
        first = updated_node.body[0]
        lines = list(getattr(first, "leading_lines", ()))
        while lines and lines[0].comment is None:
            lines.pop(0)
        return updated_node.with_changes(body=[first.with_changes(leading_lines=lines), *updated_node.body[1:]])

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.BaseStatement | cst.RemovalSentinel:
        if not updated_node.body:
            return cst.RemoveFromParent()
        return updated_node

    def visit_Expr(self, node: cst.Expr) -> bool:
        return False

    def leave_If(self, original_node: cst.If, updated_node: cst.If) -> cst.BaseStatement | cst.RemovalSentinel:
        """`if TYPE_CHECKING: from torch import Tensor`: without the import, nothing is left to ask for."""
        asks = isinstance(updated_node.test, cst.Name) and updated_node.orelse is None
        return cst.RemoveFromParent() if asks and not updated_node.body.body else updated_node

    def leave_Try(
        self, original_node: cst.Try, updated_node: cst.Try
    ) -> cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement] | cst.RemovalSentinel:
        """`try: from torch import x` / `except ImportError: ...`: without the framework, the handler's body holds."""
        left = [s for s in updated_node.body.body if not (isinstance(s, cst.BaseStatement) and _is_comment_only(s))]
        if left or not original_node.body.body or len(updated_node.handlers) != 1:
            return updated_node
        body = updated_node.handlers[0].body
        if not isinstance(body, cst.IndentedBlock) or not body.body:
            return cst.RemoveFromParent()
        first, *rest = body.body
        todos = [line for s in updated_node.body.body for line in getattr(s, "leading_lines", ())]
        lines = [*updated_node.leading_lines, *todos, *getattr(first, "leading_lines", ())]
        return cst.FlattenSentinel([first.with_changes(leading_lines=lines), *rest])


def _assigns(tree: cst.Module, name: str) -> bool:
    """Does a file give this name a value by an assignment?"""
    for part in walk(tree, inner=False):
        targets = [t.target for t in part.targets] if isinstance(part, cst.Assign) else []
        if isinstance(part, cst.AnnAssign):
            targets = [part.target]
        if any(isinstance(target, cst.Name) and target.value == name for target in targets):
            return True
    return False


def tidy(tree: cst.Module, context: Context, compat: str | None) -> cst.Module:
    """The finished module: imports and helpers in place."""
    editor = _ImportEditor(context, tree)
    body: list[cst.BaseStatement] = []
    at: int | None = None  # where the first import of the source framework stood
    held: list[cst.EmptyLine] = []  # comments and blank lines of imports that went away
    pending: list[cst.EmptyLine] = []  # statements that became comments, for the next statement to carry
    for statement in tree.body:
        if _is_comment_only(statement):
            pending += statement.leading_lines
            continue
        if pending and hasattr(statement, "leading_lines"):
            statement = statement.with_changes(leading_lines=[*pending, *statement.leading_lines])
            pending = []
        edits = editor.edits
        result = statement.visit(editor)
        if isinstance(result, cst.RemovalSentinel):
            lines = list(getattr(statement, "leading_lines", ()))
            if at is None:
                at, held = len(body), lines
            else:
                held += [line for line in lines if line.comment is not None]
            continue
        if isinstance(result, cst.FlattenSentinel):
            body.extend(result)
            continue
        if editor.edits > edits and at is None and isinstance(statement, cst.SimpleStatementLine):
            at = len(body)
        assert isinstance(result, cst.BaseStatement)
        body.append(result)
    if not context.changed:
        return tree
    texts = _helper_texts(context, compat)
    ours = _import_lines(context, body, context.helper_imports)
    if at is None:
        at = _after_docstring(body)
        held = [cst.EmptyLine(indent=False)] if at else []
    body = _with_imports(body, at, held, ours)
    if compat is not None and texts:
        body = _with_shared_helpers(body, f"from {compat} import {', '.join(sorted(texts))}")
    if compat is None and texts:
        body = _insert_helpers(body, list(texts.values()), tree)
    return tree.with_changes(body=body, footer=[*pending, *tree.footer])


def _is_comment_only(statement: cst.BaseStatement) -> bool:
    """A statement of the module that could not be converted: comments and a `pass` that nothing needs."""
    if not isinstance(statement, cst.SimpleStatementLine) or not isinstance(statement.body[0], cst.Pass):
        return False
    return any(line.comment is not None and MARK in line.comment.value for line in statement.leading_lines)


def _with_imports(
    body: list[cst.BaseStatement], at: int, held: list[cst.EmptyLine], lines: list[str]
) -> list[cst.BaseStatement]:
    """New imports: those of the standard library after the file's own ones, the others where the framework's stood."""
    standard = [line for line in lines if not _third_party(line)]
    others: list[cst.BaseStatement] = [cst.parse_statement(line) for line in lines if _third_party(line)]
    mine: list[cst.BaseStatement] = [cst.parse_statement(line) for line in standard]
    last = max((i for i, s in enumerate(body[:at]) if _is_standard_import(s)), default=None)
    before, after = body[:at], body[at:]
    if mine and last is not None:
        before = [*before[: last + 1], *mine, *before[last + 1 :]]
    elif mine:
        first = next((i for i, s in enumerate(after) if _is_standard_import(s)), None)
        if first is not None:  # the file's own ones come later: there they go
            later = after[first]
            mine[0] = mine[0].with_changes(leading_lines=getattr(later, "leading_lines", ()))
            after = [*after[:first], *mine, later.with_changes(leading_lines=[]), *after[first + 1 :]]
        elif others:
            others = [*mine, others[0].with_changes(leading_lines=[cst.EmptyLine(indent=False)]), *others[1:]]
        else:
            others = mine
    if (others or mine) and not held and not before and after and isinstance(after[0], (cst.FunctionDef, cst.ClassDef)):
        gap = max(0, 2 - len(after[0].leading_lines))
        after[0] = after[0].with_changes(leading_lines=[*[cst.EmptyLine(indent=False)] * gap, *after[0].leading_lines])
    if others:
        own = list(getattr(others[0], "leading_lines", ()))
        others[0] = others[0].with_changes(leading_lines=[*held, *own])
    elif after and held and hasattr(after[0], "leading_lines"):
        lead = list(after[0].leading_lines)
        after[0] = after[0].with_changes(
            leading_lines=[*held, *(line for line in lead if line.comment is not None or not held)]
        )
    return [*before, *others, *after]


def _with_shared_helpers(body: list[cst.BaseStatement], line: str) -> list[cst.BaseStatement]:
    """The import of the package's own helpers: first among the imports of the package, else after all others."""
    statement = cst.ensure_type(cst.parse_statement(line), cst.SimpleStatementLine)
    last = _after_docstring(body)
    for index, other in enumerate(body):
        small = other.body[0] if isinstance(other, cst.SimpleStatementLine) else None
        if isinstance(small, cst.ImportFrom) and small.relative:
            assert isinstance(other, cst.SimpleStatementLine)
            statement = statement.with_changes(leading_lines=other.leading_lines)
            return [*body[:index], statement, other.with_changes(leading_lines=[]), *body[index + 1 :]]
        if isinstance(small, (cst.Import, cst.ImportFrom)):
            last = index + 1
        elif isinstance(other, (cst.FunctionDef, cst.ClassDef)):
            break
    statement = statement.with_changes(leading_lines=[cst.EmptyLine(indent=False)])
    return [*body[:last], statement, *body[last:]]


def _is_standard_import(statement: cst.BaseStatement) -> bool:
    small = statement.body[0] if isinstance(statement, cst.SimpleStatementLine) else None
    if isinstance(small, cst.Import):
        return not _third_party("import " + dotted(small.names[0].name))
    if isinstance(small, cst.ImportFrom) and not small.relative and small.module is not None:
        name = dotted(small.module)
        return name != "__future__" and not _third_party("from " + name)
    return False


def _after_docstring(body: list[cst.BaseStatement]) -> int:
    at = 0
    for index, statement in enumerate(body):
        small = statement.body[0] if isinstance(statement, cst.SimpleStatementLine) else None
        is_doc = index == 0 and isinstance(small, cst.Expr) and isinstance(small.value, cst.SimpleString)
        future = isinstance(small, cst.ImportFrom) and small.module is not None and dotted(small.module) == "__future__"
        if is_doc or future:
            at = index + 1
    return at


def _imported(body: list[cst.BaseStatement]) -> set[str]:
    """Import statements that the file has already, as text."""
    found = set()
    empty = cst.Module([])
    for statement in body:
        if isinstance(statement, cst.SimpleStatementLine):
            for small in statement.body:
                if isinstance(small, cst.Import):
                    for alias in small.names:
                        found.add(
                            "import " + empty.code_for_node(alias.with_changes(comma=cst.MaybeSentinel.DEFAULT)).strip()
                        )
                elif (
                    isinstance(small, cst.ImportFrom)
                    and not isinstance(small.names, cst.ImportStar)
                    and small.module is not None
                ):
                    for alias in small.names:
                        text = empty.code_for_node(alias.with_changes(comma=cst.MaybeSentinel.DEFAULT)).strip()
                        found.add(f"from {dotted(small.module)} import {text}")
    return found


def _is_frameworks(context: Context, name: str) -> bool:
    """Did this name come from the source framework, whose import goes?"""
    cell = context.module.globals.get(name)
    return cell is not None and context.source_api(cell.values) is not None


def _used_names(tree: cst.Module) -> set[str]:
    used = _UsedNames()
    tree.visit(used)
    return used.names


class _UsedNames(Visitor):
    """Names outside import statements."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def visit_Name(self, node: cst.Name) -> bool:
        self.names.add(node.value)
        return False

    def visit_Annotation(self, node: cst.Annotation) -> bool:
        texts = [part.value for part in walk(node) if isinstance(part, cst.SimpleString)]
        self.names |= {name for text in texts for name in re.findall(r"[^\W\d]\w*", text)}  # types written as texts
        return True

    def visit_Import(self, node: cst.Import) -> bool:
        return False

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        return False


def _import_lines(context: Context, body: list[cst.BaseStatement], helpers: set[str]) -> list[str]:
    """Import statements for the aliases in use, in the usual order: `import x` before `from x import y`."""
    statements = context.kb.imports()
    known = _imported(body)
    used = _UsedNames()
    for part in body:
        part.visit(used)
    wanted = set()
    for alias in context.imports & statements.keys() & (used.names | helpers):
        statement = statements[alias]
        typing_name = statement.startswith(("from typing", "from collections.abc"))
        if statement not in known and not (
            typing_name and alias in context.imported and not _is_frameworks(context, alias)
        ):
            wanted.add(statement)
    return sorted(wanted, key=lambda s: (_third_party(s), s.startswith("from"), s.split()[1], s))


def _third_party(statement: str) -> bool:
    return statement.split()[1].split(".")[0] not in sys.stdlib_module_names


def _helper_texts(context: Context, compat: str | None) -> dict[str, str]:
    """Helpers with all that they use, each after what it needs: text by the name (or `name as other`) of its import."""
    kb = context.kb
    order: list[str] = []

    def add(name: str) -> None:
        helper = kb.helper(name)
        if helper is None or name in order:
            return
        for other in helper.uses:
            if other != name:
                add(other)
        if name not in order:
            order.append(name)
            if compat is None:
                context.imports |= set(helper.imports)
                context.helper_imports |= set(helper.imports)

    for name in sorted(context.helpers):
        add(name)
    if compat is not None:
        return {
            name if context.free_name(name) == name else f"{name} as {context.free_name(name)}": ""
            for name in sorted(context.helpers)
        }
    renamed = {name: context.free_name(name) for name in order if context.free_name(name) != name}
    texts: dict[str, str] = {}
    for name in order:
        helper = kb.helper(name)
        assert helper is not None
        texts[renamed.get(name, name)] = with_names(helper.text, renamed)
    return texts


def _insert_helpers(body: list[cst.BaseStatement], texts: list[str], tree: cst.Module) -> list[cst.BaseStatement]:
    """The helpers after the last import at the top of the file."""
    at = _after_docstring(body)
    for index, statement in enumerate(body):
        small = statement.body[0] if isinstance(statement, cst.SimpleStatementLine) else None
        if isinstance(small, (cst.Import, cst.ImportFrom)):
            at = index + 1
        elif isinstance(statement, (cst.FunctionDef, cst.ClassDef)):
            break
    statements: list[cst.BaseStatement] = []
    blank = [cst.EmptyLine(indent=False), cst.EmptyLine(indent=False)]
    for text in texts:
        part = cst.parse_module(text.strip("\n") + "\n", cst.PartialParserConfig(default_indent=tree.default_indent))
        parsed = list(part.body)
        leading = [*blank, *part.header, *parsed[0].leading_lines]
        parsed[0] = parsed[0].with_changes(leading_lines=leading)
        statements.extend(parsed)
    if at < len(body):
        following = body[at]
        lines = list(getattr(following, "leading_lines", ()))
        while lines and lines[0].comment is None:
            lines.pop(0)
        body[at] = following.with_changes(leading_lines=[*blank, *lines])
    return [*body[:at], *statements, *body[at:]]

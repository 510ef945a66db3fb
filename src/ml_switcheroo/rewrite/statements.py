"""Statements: TODO marks on what could not be converted, blocks that go away, assertions of the framework."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING, ClassVar, TypeGuard, cast

import libcst as cst

from ..analysis.base import strings
from ..analysis.nodes import walk
from ..convert.precedence import AND, ANYTHING, OR, SIGN, bare, fit, level, parenthesized
from .base import Walk, is_empty_context
from .choices import conjunction, only_assign
from .outside import with_stream
from .reach import only_complains
from .recording import KINDS
from .todo import commented_out, todo_lines

if TYPE_CHECKING:
    from .choices import Choice
    from .context import Finding


class StatementEdits(Walk):
    """Attaches findings to statements."""

    def enter(self, node: cst.CSTNode) -> bool:
        self.marks.append(len(self.context.findings))
        self.context.findings += self.untraced.get(node, ())
        self.context.findings += self.context.of_packages.get(node, ())
        return True

    def visit_SimpleStatementLine(self, node: cst.SimpleStatementLine) -> bool:
        self.enter(node)
        if all(map(self._is_setting, node.body)):
            return False
        self.context.findings += [self.alias_findings[small] for small in node.body if small in self.alias_findings]
        return True

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement] | cst.RemovalSentinel:
        errors = [f for f in self.new_findings() if f.severity == "error"]
        self.marks.pop()
        if all(map(self._is_setting, original_node.body)):
            self.context.changed = True
            return gone(original_node.leading_lines)
        if errors and all(error.keeps for error in errors):
            return updated_node.with_changes(leading_lines=[*updated_node.leading_lines, *todo_lines(errors)])
        if errors:
            lines = [*original_node.leading_lines, *todo_lines(errors)]
            if self.functions and not self.in_class_body():
                return original_node.with_changes(leading_lines=lines)
            return self._comment_out(original_node, errors)
        if not updated_node.body:
            return gone(original_node.leading_lines)
        if len(updated_node.body) > len(original_node.body):
            # one statement became two: each on a line of its own
            first, *rest = updated_node.body
            parts = [
                updated_node.with_changes(
                    body=[first.with_changes(semicolon=cst.MaybeSentinel.DEFAULT)],
                    trailing_whitespace=cst.TrailingWhitespace(),
                )
            ]
            parts += [
                cst.SimpleStatementLine([small.with_changes(semicolon=cst.MaybeSentinel.DEFAULT)]) for small in rest
            ]
            parts[-1] = parts[-1].with_changes(trailing_whitespace=updated_node.trailing_whitespace)
            return cst.FlattenSentinel(parts)
        return self._with_fixed(original_node, updated_node)

    # ---- arrays that are computed while a function is compiled -------------------------------------------------------

    def on_leave(
        self, original_node: cst.CSTNodeT, updated_node: cst.CSTNodeT
    ) -> cst.CSTNodeT | cst.RemovalSentinel | cst.FlattenSentinel[cst.CSTNodeT]:
        left = super().on_leave(original_node, updated_node)
        statement = self.fixed_parts.get(original_node)
        if statement is None or not isinstance(left, cst.BaseExpression):
            return left
        name = self._unused("mask")
        line = cst.SimpleStatementLine([cst.Assign([cst.AssignTarget(cst.Name(name))], fit(left, ANYTHING))])
        self.fixed_before.setdefault(statement, []).append(line)
        return cast("cst.CSTNodeT", cst.Name(name))

    def _unused(self, name: str) -> str:
        """A local name that nothing in this file has."""
        taken = self.context.bound | self.given_names
        found = next(f"{name}{i or ''}" for i in count() if f"{name}{i or ''}" not in taken)
        self.given_names.add(found)
        return found

    def _with_fixed(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement]:
        """A statement in, or behind, a block that computes arrays while the function is compiled."""
        lines = updated_node.leading_lines
        plain = updated_node.with_changes(leading_lines=[])
        before = self.fixed_before.get(original_node, [])
        if original_node in self.fixed:
            return self._compiling([*before, plain], lines)
        return cst.FlattenSentinel([self._compiling(before, lines), plain]) if before else updated_node

    def _joined(self, body: Sequence[cst.BaseStatement]) -> Sequence[cst.BaseStatement]:
        """A body in which blocks that follow each other, and that compute what has values, are one."""
        if not self.fixed and not self.fixed_parts:
            return body
        joined: list[cst.BaseStatement] = []
        for statement in body:
            last = joined[-1] if joined else None
            if self._is_compiling(last) and self._is_compiling(statement) and not statement.leading_lines:
                joined[-1] = self._compiling([*last.body.body, *statement.body.body], last.leading_lines)
            else:
                joined.append(statement)
        return joined

    def _is_compiling(self, node: cst.BaseStatement | None) -> TypeGuard[cst.With]:
        """Is this a block that `_compiling` has made?"""
        return isinstance(node, cst.With) and node in self.made_blocks

    def _compiling(self, body: Sequence[cst.BaseStatement], lines: Sequence[cst.EmptyLine]) -> cst.With:
        self.context.changed = True
        item = cst.WithItem(self.style_expression(self.style.compiling))
        block = cst.With([item], cst.IndentedBlock(body), leading_lines=lines)
        self.made_blocks.add(block)
        return block

    def _is_setting(self, statement: cst.BaseSmallStatement) -> bool:
        """Is it an assignment of a plain value to a setting of the framework that changes no numbers?"""
        if not isinstance(statement, cst.Assign) or any(isinstance(p, cst.Call) for p in walk(statement.value)):
            return False
        settings = strings(self.kb.source_framework.get("settings"))
        return all(bool(self._set_ops(target.target) & set(settings)) for target in statement.targets)

    def _set_ops(self, target: cst.BaseExpression) -> set[str]:
        """The ops that a name of the framework stands for: `torch.backends.cudnn.benchmark`."""
        if not isinstance(target, cst.Attribute) or not self.is_direct(target):
            return set()
        owner = self.context.source_api(self.facts(target.value))
        return {row.op for row in self.kb.read(f"{owner}.{target.attr.value}")}

    def leave_IndentedBlock(
        self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock
    ) -> cst.IndentedBlock:
        body, left = _closed_up(self._joined(updated_node.body))
        if body and _begins_empty(body[0]) and not _begins_empty(original_node.body[0]):  # what stood there went away
            lines = list(getattr(body[0], "leading_lines", ()))
            body = [body[0].with_changes(leading_lines=lines[_blank(lines) :]), *body[1:]]
        if body is updated_node.body:
            return updated_node
        lines = [line for line in left if line.comment is not None]
        return updated_node.with_changes(body=body, footer=[*lines, *updated_node.footer])

    def leave_Module(self, original_node: cst.Module, updated_node: cst.Module) -> cst.Module:
        body, left = _closed_up(updated_node.body)
        if self.stream_outside and self.style.stream is not None:
            body = with_stream(body, self.context.free_name(self.style.stream), self.style.stream_outside)
        if body is updated_node.body:
            return updated_node
        return updated_node.with_changes(body=body, footer=[*left, *updated_node.footer])

    def _comment_out(self, original: cst.BaseStatement, errors: list[Finding]) -> cst.BaseStatement:
        """Outside functions the original would stop the import: it becomes a comment; `pass` keeps the block valid."""
        lines = [*getattr(original, "leading_lines", ()), *commented_out(self.context.module.tree, original, errors)]
        return cst.SimpleStatementLine([cst.Pass()], leading_lines=lines)  # tidy takes the `pass` away where it can

    def _leave_compound(
        self, original: cst.BaseCompoundStatement, updated: cst.BaseCompoundStatement
    ) -> cst.BaseStatement:
        """A header that could not be converted keeps its original text under a TODO."""
        errors = [f for f in self.new_findings() if f.severity == "error" and f.node in self.header_nodes(original)]
        self.marks.pop()
        if not errors:
            return updated
        lines = [*updated.leading_lines, *todo_lines(errors)]
        if isinstance(original, (cst.FunctionDef, cst.ClassDef)) and isinstance(
            updated, (cst.FunctionDef, cst.ClassDef)
        ):
            if not self.functions or self.in_class_body():
                updated, rows = self._without_decorators(original, updated, errors)
                lines += rows
        header = {} if all(error.keeps for error in errors) else self.original_header(original)
        return updated.with_changes(leading_lines=lines, **header)

    def _without_decorators(
        self, original: cst.FunctionDef | cst.ClassDef, updated: cst.FunctionDef | cst.ClassDef, errors: list[Finding]
    ) -> tuple[cst.FunctionDef | cst.ClassDef, list[cst.EmptyLine]]:
        """Decorators that could not be converted would stop the import: they become comments."""
        nodes, code = {error.node for error in errors}, self.context.module.tree.code_for_node
        texts = [code(d.decorator) for d in original.decorators if nodes & Collector.of(d)]
        if any("\n" in text for text in texts):
            return updated, []
        kept = [d for d in updated.decorators if code(d.decorator) not in texts]
        rows = [cst.EmptyLine(comment=cst.Comment(f"# @{text}")) for text in texts]
        return updated.with_changes(decorators=kept), rows

    def leave_Param(self, original_node: cst.Param, updated_node: cst.Param) -> cst.Param:
        """An annotation that could not be converted would stop the import: it goes, its TODO stays."""
        if original_node.annotation is None or not self.is_open(original_node.annotation):
            return updated_node
        equal = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
        return updated_node.with_changes(
            annotation=None, equal=equal if updated_node.default is not None else cst.MaybeSentinel.DEFAULT
        )

    def is_open(self, node: cst.CSTNode) -> bool:
        """Is there an error in a part of the code?"""
        errors = {f.node for f in self.new_findings() if f.severity == "error"}
        return bool(errors) and not errors.isdisjoint(Collector.of(node))

    def header_nodes(self, node: cst.CSTNode) -> set[cst.CSTNode]:
        found: set[cst.CSTNode] = set()
        for name in self.HEADERS[type(node)]:
            value = getattr(node, name)
            for part in value if isinstance(value, Sequence) else [value]:
                part = part.type if isinstance(part, cst.ExceptHandler) else part
                if isinstance(part, cst.CSTNode):
                    found |= Collector.of(part)
        return found

    def original_header(self, node: cst.CSTNode) -> dict[str, object]:
        return {
            name: getattr(node, name)
            for name in self.HEADERS[type(node)]
            if name not in ("params", "decorators", "bases", "returns", "handlers")
        }

    HEADERS: ClassVar[dict[type, tuple[str, ...]]] = {
        cst.If: ("test",),
        cst.While: ("test",),
        cst.For: ("target", "iter"),
        cst.With: ("items",),
        cst.Match: ("subject",),
        cst.Try: ("handlers",),
        cst.FunctionDef: ("decorators", "params", "returns"),
        cst.ClassDef: ("decorators", "bases", "keywords"),
    }

    def visit_If(self, node: cst.If) -> bool:
        self.safe.add(node.test)
        return self.enter(node)

    def leave_If(
        self, original_node: cst.If, updated_node: cst.If
    ) -> cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement]:
        left = self._leave_compound(original_node, updated_node)
        choice = self.choices.get(original_node)
        if choice is not None and isinstance(left, cst.If) and left.test is updated_node.test:
            return self._chosen(choice, left)
        arrays = self.guards.get(original_node)
        if arrays and isinstance(left, cst.If):
            return left.with_changes(test=self._guarded(arrays, left.test, only_complains(original_node.body)))
        return left

    def visit_Try(self, node: cst.Try) -> bool:
        for handler in node.handlers:
            if handler.type is not None:
                self._mark_types(handler.type)
        return self.enter(node)

    def leave_Try(
        self, original_node: cst.Try, updated_node: cst.Try
    ) -> cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement]:
        left = self._leave_compound(original_node, updated_node)
        if original_node in self.engine.succeeding and isinstance(left, cst.Try):
            return self._without_handlers(left)
        if original_node not in self.engine.replaced or not isinstance(left, cst.Try):
            return left
        return self._without_replaced(original_node, left)

    def _without_handlers(self, node: cst.Try) -> cst.FlattenSentinel[cst.BaseStatement]:
        """Imports that cannot fail, and what follows them then."""
        parts = [node.body, *(part.body for part in (node.orelse, node.finalbody) if part is not None)]
        first, *rest = [line for part in parts if isinstance(part, cst.IndentedBlock) for line in part.body]
        lines = [*node.leading_lines, *getattr(first, "leading_lines", ())]
        self.context.changed = True
        return cst.FlattenSentinel([first.with_changes(leading_lines=lines), *rest])

    def _without_replaced(
        self, original_node: cst.Try, updated_node: cst.Try
    ) -> cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement]:
        """Of two versions of a layer, the framework's is the one that is known (analysis/imports.py).

        Calls that stand alone in its handler complain that the other version is missing, which is no longer so.
        """
        block = updated_node.handlers[0].body
        assert isinstance(block, cst.IndentedBlock)
        complaints = (
            isinstance(line, cst.SimpleStatementLine) and isinstance(line.body[0], cst.Expr) for line in block.body
        )
        first, *rest = [line for line, gone in zip(block.body, complaints, strict=True) if not gone]
        lines = [*updated_node.leading_lines, *getattr(first, "leading_lines", ())]
        last = updated_node.finalbody.body.body if updated_node.finalbody is not None else ()
        self.context.changed = True
        return cst.FlattenSentinel([first.with_changes(leading_lines=lines), *rest, *last])

    def leave_Assert(self, original_node: cst.Assert, updated_node: cst.Assert) -> cst.Assert:
        arrays = self.guards.get(original_node)
        if not arrays:
            return updated_node
        test = self._guarded(arrays, updated_node.test, False)
        return updated_node.with_changes(test=test, whitespace_after_assert=cst.SimpleWhitespace(" "))

    def _chosen(self, choice: Choice, node: cst.If) -> cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement]:
        """`if test: x = value` as a choice between two arrays that are both computed."""
        tests = conjunction(node.test)
        parts = [self._as_array(test, mask) for test, mask in zip(tests[choice.settings :], choice.masks, strict=True)]
        test = parts[0]
        for part in parts[1:]:
            test = self.style_expression(self.style.both, x=test, other=part)
        *before, last = node.body.body
        assign = only_assign(last)
        other: cst.BaseExpression = cst.Name(choice.name)
        if isinstance(node.orelse, cst.Else):
            otherwise = only_assign(node.orelse.body.body[0])
            other = otherwise.value if otherwise is not None else other
        if assign is None or not isinstance(last, cst.SimpleStatementLine):
            return node
        self.context.changed = True
        value = self.style_expression(self.style.choose, test=test, x=bare(assign.value), other=bare(other))
        last = last.with_changes(body=[assign.with_changes(value=value)])
        if choice.settings:
            settings = tests[0]
            for part in tests[1 : choice.settings]:
                settings = cst.BooleanOperation(settings, cst.And(), part)
            return node.with_changes(test=settings, body=node.body.with_changes(body=[*before, last]))
        body = [*before, last]
        lines = [*node.leading_lines, *getattr(body[0], "leading_lines", ())]
        body[0] = body[0].with_changes(leading_lines=lines)
        return cst.FlattenSentinel(body)

    def _as_array(self, test: cst.BaseExpression, mask: bool) -> cst.BaseExpression:
        """A part of a test as an array of truth values."""
        if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
            if not mask:
                return self.style_expression(self.style.negation, x=bare(test.expression))
            inner = test.expression if level(test.expression) >= SIGN else parenthesized(test.expression)
            return cst.UnaryOperation(cst.BitInvert(), inner)
        return bare(test)

    def _guarded(self, arrays: list[cst.BaseExpression], test: cst.BaseExpression, raises: bool) -> cst.BaseExpression:
        """A check that is passed where the arrays have no values, because the function is being traced."""
        name = self.context.helper_name(self.style.concrete)
        call = cst.Call(cst.Name(name), [cst.Arg(array.deep_clone()) for array in arrays])
        self.safe.add(call)
        first: cst.BaseExpression = call if raises else cst.UnaryOperation(cst.Not(), call)
        if level(test) < (AND if raises else OR):
            test = parenthesized(test)
        return cst.BooleanOperation(first, cst.And() if raises else cst.Or(), test)

    def visit_While(self, node: cst.While) -> bool:
        self.safe.add(node.test)
        return self.enter(node)

    def leave_While(self, original_node: cst.While, updated_node: cst.While) -> cst.BaseStatement:
        return self._leave_compound(original_node, updated_node)

    def leave_For(self, original_node: cst.For, updated_node: cst.For) -> cst.BaseStatement:
        return self._leave_compound(original_node, updated_node)

    def visit_Match(self, node: cst.Match) -> bool:
        return self.enter(node)

    def leave_Match(self, original_node: cst.Match, updated_node: cst.Match) -> cst.BaseStatement:
        return self._leave_compound(original_node, updated_node)

    # ---- with --------------------------------------------------------------------------------------------------------

    def block_kind(self, node: cst.BaseExpression) -> str | None:
        """stop for a block without gradients, record for one with them, drop for one that means nothing elsewhere."""
        func = node.func if isinstance(node, cst.Call) else node
        name = self.context.source_api(self.facts(func)) if self.is_direct(func) else None
        if name is None:
            return None
        rows = self.kb.read(name)
        kinds: dict[str, str] = self.kb.source_framework.get("blocks") or {}
        kind = kinds.get(rows[0].op) if rows else None
        return self.certain_kind(node) if kind in KINDS else kind

    def visit_With(self, node: cst.With) -> bool:
        kinds = [self.block_kind(item.item) for item in node.items]
        self.with_kinds[node] = kinds
        self.enter_blocks(node)
        return self.enter(node)

    def leave_With(
        self, original_node: cst.With, updated_node: cst.With
    ) -> cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement]:
        kinds = self.with_kinds[original_node]
        self.leave_blocks(original_node)
        for index, (old, new) in enumerate(zip(original_node.items, updated_node.items, strict=True)):
            if new.item is not old.item and is_empty_context(new.item) and new.asname is None:
                kinds[index] = kinds[index] or "drop"  # the row found that the block means nothing here
        if not any(kinds):
            return self._leave_compound(original_node, updated_node)
        for item, kind in zip(original_node.items, kinds, strict=True):
            if kind:
                nodes = Collector.of(item)
                self.context.findings[:] = [f for f in self.context.findings if f.node not in nodes]
        self.context.changed = True
        kept = [item for item, kind in zip(updated_node.items, kinds, strict=True) if not kind]
        if kept:
            kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
            return self._leave_compound(original_node, updated_node.with_changes(items=kept))
        self.marks.pop()
        suite = updated_node.body
        if isinstance(suite, cst.IndentedBlock):
            body = list(suite.body)
        else:
            assert isinstance(suite, cst.SimpleStatementSuite)
            body = [cst.SimpleStatementLine(suite.body)]
        if not body:
            return cst.FlattenSentinel([])
        lines = [*updated_node.leading_lines, *getattr(body[0], "leading_lines", ())]
        body[0] = body[0].with_changes(leading_lines=lines)
        return cst.FlattenSentinel(body)


_GONE = cst.Pass()  # stands, until its block is left, for a statement that went away


def gone(lines: Sequence[cst.EmptyLine]) -> cst.SimpleStatementLine | cst.RemovalSentinel:
    """What stays of a statement that goes away: its comments, for the next one (see _closed_up)."""
    if not lines:
        return cst.RemoveFromParent()
    return cst.SimpleStatementLine([_GONE], leading_lines=lines)


def is_gone(statement: cst.BaseStatement) -> bool:
    """Does this stand for a statement that went away?"""
    return isinstance(statement, cst.SimpleStatementLine) and len(statement.body) == 1 and statement.body[0] is _GONE


def _blank(lines: Sequence[cst.EmptyLine]) -> int:
    """How many of the lines are empty before anything comes."""
    return next((i for i, line in enumerate(lines) if line.comment is not None), len(lines))


def _begins_empty(statement: cst.BaseStatement) -> bool:
    return _blank(getattr(statement, "leading_lines", ())) > 0


def _closed_up(
    body: Sequence[cst.BaseStatement],
) -> tuple[Sequence[cst.BaseStatement], list[cst.EmptyLine]]:
    """The statements without those that went away, whose comments and blank lines the next one takes; what is left."""
    if not any(is_gone(s) for s in body):
        return body, []
    kept: list[cst.BaseStatement] = []
    lines: list[cst.EmptyLine] = []
    for statement in body:
        own = list(getattr(statement, "leading_lines", ()))
        if is_gone(statement):
            lines = _joined(lines, own)
        elif lines and hasattr(statement, "leading_lines"):
            own = _joined(lines, own)
            if not kept:  # no blank lines at the top of a block
                own = own[next((i for i, line in enumerate(own) if line.comment is not None), len(own)) :]
            kept.append(statement.with_changes(leading_lines=own))
            lines = []
        else:
            kept.append(statement)
    return kept, lines


def _joined(first: list[cst.EmptyLine], second: list[cst.EmptyLine]) -> list[cst.EmptyLine]:
    """Both groups of lines; where one holds only blank lines, the longer gap counts."""
    if any(line.comment is not None for line in first):
        return [*first, *second]
    gap = next((i for i, line in enumerate(second) if line.comment is not None), len(second))
    return [*(first if len(first) > gap else second[:gap]), *second[gap:]]


class Collector(cst.CSTVisitor):
    """All nodes of a tree."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: set[cst.CSTNode] = set()

    @classmethod
    def of(cls, node: cst.CSTNode) -> set[cst.CSTNode]:
        collector = cls()
        node.visit(collector)
        return collector.nodes

    def on_visit(self, node: cst.CSTNode) -> bool:
        self.nodes.add(node)
        return True

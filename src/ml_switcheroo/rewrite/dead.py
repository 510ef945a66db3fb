"""Branches that the target never takes: questions about compilers and their like go, with whatever was found in them.

Only outcomes that the conversion brought in count: `if False:` of the author's own stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.nodes import Visitor
from .statements import Collector, StatementEdits, gone, is_gone

if TYPE_CHECKING:
    from collections.abc import Sequence

_OUTCOMES = {"True": True, "False": False}


def _is_literal(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Name) and node.value in _OUTCOMES


class _Effects(Visitor):
    """May evaluating an expression change something?"""

    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def visit_Call(self, node: cst.Call) -> None:
        self.found = True

    def visit_NamedExpr(self, node: cst.NamedExpr) -> None:
        self.found = True

    def visit_Await(self, node: cst.Await) -> None:
        self.found = True

    def visit_Yield(self, node: cst.Yield) -> None:
        self.found = True


class DeadBranches(StatementEdits):
    """Folds tests whose outcome the conversion knows."""

    def outcome(self, original: cst.CSTNode, updated: cst.CSTNode) -> bool | None:
        """What an expression became, where that is True or False and was not before."""
        if isinstance(updated, cst.Name) and not _is_literal(original):
            return _OUTCOMES.get(updated.value)
        return None

    def leave_UnaryOperation(
        self, original_node: cst.UnaryOperation, updated_node: cst.UnaryOperation
    ) -> cst.BaseExpression:
        known = self.outcome(original_node.expression, updated_node.expression)
        if isinstance(updated_node.operator, cst.Not) and known is not None:
            return cst.Name(str(not known))
        return super().leave_UnaryOperation(original_node, updated_node)

    def leave_BooleanOperation(
        self, original_node: cst.BooleanOperation, updated_node: cst.BooleanOperation
    ) -> cst.BaseExpression:
        ends = isinstance(updated_node.operator, cst.Or)  # the left outcome that ends it
        left = self.outcome(original_node.left, updated_node.left)
        if left is not None:
            kept = updated_node.left if left is ends else updated_node.right
            self.forget_part(original_node.right if left is ends else original_node.left)
            return kept.with_changes(lpar=updated_node.lpar, rpar=updated_node.rpar) if updated_node.lpar else kept
        return updated_node

    def leave_IfExp(self, original_node: cst.IfExp, updated_node: cst.IfExp) -> cst.BaseExpression:
        known = self._truth(original_node.test, updated_node.test)
        if known is None:
            return updated_node
        self.forget_part(original_node.orelse if known else original_node.body)
        kept = updated_node.body if known else updated_node.orelse
        return kept.with_changes(lpar=updated_node.lpar, rpar=updated_node.rpar) if updated_node.lpar else kept

    def visit_If(self, node: cst.If) -> bool:
        if isinstance(node.orelse, cst.If):
            self.chained.add(node.orelse)
        return super().visit_If(node)

    def leave_If(  # type: ignore[override]  # an `elif` becomes an `else`, which libcst takes and does not declare
        self, original_node: cst.If, updated_node: cst.If
    ) -> cst.BaseStatement | cst.Else | cst.FlattenSentinel[cst.BaseStatement] | cst.RemovalSentinel:
        if self._always_raises(original_node, updated_node):
            self.context.report(
                original_node.test,
                "SW2003",
                "this always holds in the target, which has no such type: nothing after it would ever run",
                "take the check out, and convert what computes with arrays",
            )
            return super().leave_If(original_node, updated_node)
        left = super().leave_If(original_node, updated_node)
        if not isinstance(left, cst.If):
            return left
        known = self._truth(original_node.test, left.test)
        if known is None:
            test = self._without_neutral(original_node.test, left.test)
            return left if test is left.test else left.with_changes(test=test)
        self.context.changed = True
        if known:
            if original_node.orelse is not None:
                self.forget_part(original_node.orelse)
            if original_node in self.chained:
                return cst.Else(body=left.body, leading_lines=left.leading_lines)
            return self._spliced(original_node, left.body, left.leading_lines)
        self.forget_part(original_node.body)
        if isinstance(left.orelse, cst.If):
            lines = [*left.leading_lines, *left.orelse.leading_lines]
            return left.orelse.with_changes(leading_lines=lines)
        if original_node in self.chained:
            return left.orelse if left.orelse is not None else cst.RemoveFromParent()
        if left.orelse is not None:
            return self._spliced(original_node, left.orelse.body, left.leading_lines)
        return gone(left.leading_lines)

    def _always_raises(self, original: cst.If, updated: cst.If) -> bool:
        """Would a forward pass end here with an error: `if not isinstance(x, PackedSequence): raise ...`?"""
        if self.function not in self.effects.reached or not isinstance(original.body, cst.IndentedBlock):
            return False
        last = original.body.body[-1]
        raises = isinstance(last, cst.SimpleStatementLine) and isinstance(last.body[-1], cst.Raise)
        return raises and self.outcome(original.test, updated.test) is True

    def leave_IndentedBlock(
        self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock
    ) -> cst.IndentedBlock:
        done = super().leave_IndentedBlock(original_node, updated_node)
        assert isinstance(done, cst.IndentedBlock)
        for place, statement in enumerate(done.body[:-1]):
            if statement in self.ends:  # what follows a return that always comes is never reached
                origin = self.ends[statement]
                if origin in original_node.body:
                    for rest in original_node.body[list(original_node.body).index(origin) + 1 :]:
                        self.forget_part(rest)
                return done.with_changes(body=done.body[: place + 1])
        return done

    def _truth(self, original: cst.BaseExpression, updated: cst.BaseExpression) -> bool | None:
        """The outcome of a test, where only its truth matters."""
        known = self.outcome(original, updated)
        if known is None:
            known = self.engine.version_outcome(original)
        if known is None and isinstance(original, cst.BooleanOperation) and isinstance(updated, cst.BooleanOperation):
            ends = isinstance(updated.operator, cst.Or)
            if self.outcome(original.right, updated.right) is ends:
                reader = _Effects()
                original.left.visit(reader)
                if not reader.found:
                    self.forget_part(original.left)
                    return ends
        return known

    def _without_neutral(self, original: cst.BaseExpression, updated: cst.BaseExpression) -> cst.BaseExpression:
        """`self.training and True` as a test."""
        if isinstance(original, cst.BooleanOperation) and isinstance(updated, cst.BooleanOperation):
            right = self.outcome(original.right, updated.right)
            if right is not None and right is not isinstance(updated.operator, cst.Or):
                return self._without_neutral(original.left, updated.left)
        return updated

    def _spliced(
        self, original: cst.If, suite: cst.BaseSuite, lines: Sequence[cst.EmptyLine]
    ) -> cst.FlattenSentinel[cst.BaseStatement]:
        if isinstance(suite, cst.IndentedBlock):
            body = [statement for statement in suite.body if not is_gone(statement)]
        else:
            assert isinstance(suite, cst.SimpleStatementSuite)
            body = [cst.SimpleStatementLine(suite.body)]
        if body:
            body[0] = body[0].with_changes(leading_lines=[*lines, *getattr(body[0], "leading_lines", ())])
            last = body[-1]
            if isinstance(last, cst.SimpleStatementLine) and isinstance(
                last.body[-1], (cst.Return, cst.Raise, cst.Continue, cst.Break)
            ):
                self.ends[last] = original
        return cst.FlattenSentinel(body)

    def forget_part(self, node: cst.CSTNode) -> None:
        """What was found in code that goes is no finding."""
        nodes = Collector.of(node)
        self.context.findings[:] = [f for f in self.context.findings if f.node not in nodes]

"""The random stream of code outside functions: one for the whole file, so that no two draws are the same.

net = nn.Linear(2, 2)             rngs = nnx.Rngs(0)
x = torch.randn(1, 2)      ->     net = nnx.Linear(2, 2, rngs=rngs)
                                  x = jax.random.normal(rngs(), (1, 2))

A file that needs it once has it in place: `net = nnx.Linear(2, 2, rngs=nnx.Rngs(0))`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

if TYPE_CHECKING:
    from collections.abc import Sequence


def with_stream(body: Sequence[cst.BaseStatement], name: str, stream: str) -> list[cst.BaseStatement]:
    """The statements with the stream `name` made before its first use."""
    uses = [_uses(statement, name) for statement in body]
    at = next((i for i, (count, _) in enumerate(uses) if count), None)
    if at is None:
        return list(body)
    first = body[at]
    alone = sum(count for count, _ in uses) == uses[at][0]
    if alone and uses[at] == (1, False) and isinstance(first, cst.SimpleStatementLine):
        return [*body[:at], _put(first, name, stream), *body[at + 1 :]]
    if alone and isinstance(first, cst.If) and first.orelse is None and isinstance(first.body, cst.IndentedBlock):
        block = first.body.with_changes(body=with_stream(first.body.body, name, stream))
        return [*body[:at], first.with_changes(body=block), *body[at + 1 :]]
    lines = list(getattr(first, "leading_lines", ()))
    gap = next((i for i, line in enumerate(lines) if line.comment is not None), len(lines))
    made = cst.ensure_type(cst.parse_statement(f"{name} = {stream}"), cst.SimpleStatementLine)
    rest = lines[gap:] if isinstance(first, cst.SimpleStatementLine) else [cst.EmptyLine(indent=False), *lines[gap:]]
    return [
        *body[:at],
        made.with_changes(leading_lines=lines[:gap]),
        first.with_changes(leading_lines=rest),
        *body[at + 1 :],
    ]


def _uses(node: cst.CSTNode, name: str) -> tuple[int, bool]:
    """How often code outside functions reads a name, and whether a comprehension or loop repeats it."""
    finder = _Finder(name)
    node.visit(finder)
    return finder.count, finder.repeated


class _Finder(cst.CSTVisitor):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name, self.count, self.repeated, self.depth = name, 0, False, 0

    def visit_Name(self, node: cst.Name) -> None:
        if node.value == self.name:
            self.count += 1
            self.repeated = self.repeated or self.depth > 0

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        node.value.visit(self)
        return False

    def visit_Arg(self, node: cst.Arg) -> bool:
        node.value.visit(self)
        return False

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        return False

    def visit_Lambda(self, node: cst.Lambda) -> bool:
        return False

    def on_visit(self, node: cst.CSTNode) -> bool:
        self.depth += isinstance(node, cst.BaseComp)
        return super().on_visit(node)

    def on_leave(self, original_node: cst.CSTNode) -> None:
        self.depth -= isinstance(original_node, cst.BaseComp)
        super().on_leave(original_node)


class _Putter(cst.CSTTransformer):
    def __init__(self, name: str, stream: str) -> None:
        super().__init__()
        self.name, self.stream = name, stream

    def visit_Lambda(self, node: cst.Lambda) -> bool:
        return False

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> cst.Arg:
        return updated_node.with_changes(keyword=original_node.keyword)

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
        return cst.parse_expression(self.stream) if original_node.value == self.name else updated_node


def _put(statement: cst.SimpleStatementLine, name: str, stream: str) -> cst.BaseStatement:
    return cst.ensure_type(statement.visit(_Putter(name, stream)), cst.SimpleStatementLine)

"""Statements that could not be converted: a TODO comment above, the original below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

if TYPE_CHECKING:
    from .context import Finding

MARK = "TODO(ml_switcheroo"


def todo_lines(findings: list[Finding]) -> list[cst.EmptyLine]:
    """One comment line for each error, said once."""
    errors = [finding for finding in findings if finding.severity == "error"]
    lines = dict.fromkeys(f"# {MARK} {error.code}): {' '.join(error.message.split())}" for error in errors)
    return [cst.EmptyLine(comment=cst.Comment(line)) for line in lines]


def commented_out(module: cst.Module, node: cst.BaseStatement, findings: list[Finding]) -> list[cst.EmptyLine]:
    """A whole statement as comments, for places where the original would stop the file from being imported."""
    bare = node.with_changes(leading_lines=[])
    text = module.code_for_node(bare).rstrip("\n")
    rows = [cst.EmptyLine(comment=cst.Comment(f"# {line}".rstrip())) for line in text.split("\n")]
    return [*todo_lines(findings), *rows]

"""Blocks in which the source records no gradients: what they compute is a constant for the gradient.

with no_grad():                  y = lax.stop_gradient(self.net(x))
    y = self.net(x)        ->

Where a run decides whether gradients are recorded, the block stays, as a small context manager whose results say so:

with set_grad_enabled(train):    with no_grad(not train) as block:
    y = self.net(x)        ->        y = result_of(block, self.net(x))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.nodes import Visitor, children
from ..analysis.values import Const, Container, Scalar, Tensor, Unknown
from ..convert.precedence import NOT, bare, fit, parenthesized
from .base import Walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..analysis.values import Value

KINDS = ("stop", "record", "switch")
ON, OFF = None, ""  # of Walk.recording; any other text is the name of the block that decides
GROWING = frozenset({"append", "extend", "insert", "appendleft", "add"})


class Recording(Walk):
    """Marks what blocks without gradients compute."""

    def gradient_kind(self, node: cst.BaseExpression) -> str | None:
        """What a reference to the framework does to the recording of gradients; None for any other expression."""
        if not isinstance(node, (cst.Name, cst.Attribute)) or not self.is_direct(node):
            return None
        name = self.context.source_api(self.facts(node))
        rows = self.kb.read(name) if name is not None else []
        kinds: dict[str, str] = self.kb.source_framework.get("blocks") or {}
        kind = kinds.get(rows[0].op) if rows else None
        return kind if kind in KINDS else None

    def certain_kind(self, node: cst.BaseExpression) -> str | None:
        """stop or record for a block that is one of them in every run."""
        kind = self.gradient_kind(node.func if isinstance(node, cst.Call) else node)
        args = node.args if isinstance(node, cst.Call) else ()
        if kind is None or kind == "record" or not args:
            return kind if kind != "switch" else None
        value = args[0].value
        literal = value.value if isinstance(value, cst.Name) and len(args) == 1 else ""
        if literal not in ("True", "False"):
            return None
        return "stop" if (literal == "True") is (kind == "stop") else "record"

    def find_switches(self, function: cst.FunctionDef) -> None:
        """The blocks of a function of which a run decides, and the names of the framework that stand only in them."""
        if not self.style.no_grad:
            return
        found = _Function(self)
        function.body.visit(found)
        for item, references in found.items:
            self.switches.add(item)
            self.switched |= references
        for name, items in found.named.items():
            references = {r for value in found.values.get(name, []) for r in self._references(value)}
            if references and found.counts.get(name, 0) == len(items) + len(found.values[name]):
                self.switches.update(items)
                self.switched |= references

    def _references(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """The framework's names in an expression that decide about gradients."""
        if isinstance(node, (cst.Name, cst.Attribute)) and self.gradient_kind(node):
            yield node
        elif not isinstance(node, (cst.Lambda, cst.FunctionDef)):
            for child in children(node):
                yield from self._references(child)

    def enter_blocks(self, node: cst.With) -> None:
        """From here on, what is computed stands in these blocks."""
        for item, kind in zip(node.items, self.with_kinds[node], strict=True):
            if item in self.switches:
                named = item.asname.name if item.asname is not None else None
                free = "block" if "block" not in self.context.bound else "_block"
                name = named.value if isinstance(named, cst.Name) else free
                self.block_names[item] = name
                if self.recording[-1] is not ON:
                    what, hint = (
                        "a run decides about gradients inside a block that does",
                        "put both conditions into one block",
                    )
                    self.context.report(item.item, "SW2003", what, hint)
                self.recording.append(name)
            elif kind in KINDS:
                self.recording.append(OFF if kind == "stop" else ON)
            else:
                self.recording.append(self.recording[-1])

    def leave_blocks(self, node: cst.With) -> None:
        """The state before enter_blocks."""
        del self.recording[-len(node.items) :]

    def leave_WithItem(self, original_node: cst.WithItem, updated_node: cst.WithItem) -> cst.WithItem:
        if original_node not in self.switches or updated_node.asname is not None:
            return updated_node
        self.context.changed = True
        return updated_node.with_changes(asname=cst.AsName(cst.Name(self.block_names[original_node])))

    def switch_reference(self, original: cst.BaseExpression) -> cst.BaseExpression:
        """`no_grad` as a value."""
        name = cst.Name(self.context.helper_name(self.style.no_grad))
        if self.gradient_kind(original) == "stop":
            return name
        parameter = cst.Param(cst.Name("mode"))
        if self.gradient_kind(original) == "record":
            return cst.Lambda(cst.Parameters(), cst.Call(name, [cst.Arg(cst.Name("False"))]))
        negated = cst.UnaryOperation(cst.Not(), cst.Name("mode"))
        return cst.Lambda(cst.Parameters([parameter]), cst.Call(name, [cst.Arg(negated)]))

    def switch_call(self, original: cst.Call, updated: cst.Call) -> cst.BaseExpression:
        """`no_grad()`, `set_grad_enabled(train)`"""
        kind = self.gradient_kind(original.func)
        args = [cst.Arg(bare(arg.value)) for arg in updated.args]
        if kind == "record":
            args = [cst.Arg(cst.Name("False"))]
        elif kind == "switch":
            args = [cst.Arg(_negated(bare(arg.value))) for arg in updated.args]
        return cst.Call(cst.Name(self.context.helper_name(self.style.no_grad)), args)

    # ---- results -----------------------------------------------------------------------------------------------------

    def constant(
        self, original: cst.BaseExpression, value: cst.BaseExpression, *, stays: bool = False
    ) -> cst.BaseExpression:
        """What is computed here, as a constant for the gradient where the source records none.

        What a function that records none gives back is one; what it stores in a module (`stays`) has to be one, too.
        """
        certain = self._holds_arrays(original)
        return value if certain is False else self.constant_array(value, certain is True, stays=stays)

    def constant_array(
        self, value: cst.BaseExpression, certain: bool = True, *, stays: bool = False
    ) -> cst.BaseExpression:
        """The same for a value that is an array for certain, or may be or hold one."""
        state = self.recording[-1]
        if stays and state is ON and self.function in self.effects.reached and self.records_nothing():
            state = OFF
        if state is ON or self.style.stop_gradient is None:
            return value
        if any(f.name == "__init__" or (f.builds and f not in self.effects.reached) for f in self.functions):
            return value
        value = value if value.lpar or not isinstance(value, cst.Tuple) else parenthesized(value)
        if state is OFF and certain:
            return self.style_expression(self.style.stop_gradient, x=bare(value))
        inner = value if isinstance(value, cst.Tuple) else bare(value)
        if state is OFF:
            return cst.Call(cst.Name(self.context.helper_name(self.style.constants)), [cst.Arg(inner)])
        comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
        args = [cst.Arg(cst.Name(str(state)), comma=comma), cst.Arg(inner)]
        return cst.Call(cst.Name(self.context.helper_name(self.style.block_result)), args)

    def records_nothing(self) -> bool:
        """Is the function at hand one without gradients: `@no_grad()`?"""
        node = self.function.node if self.function is not None else None
        decorators = node.decorators if isinstance(node, cst.FunctionDef) else ()
        return any(self.decorator_kinds.get(decorator) == "stop" for decorator in decorators)

    def constant_arguments(self, original: cst.Call, updated: cst.Call) -> cst.Call:
        """`outputs.append(y)` in such a block."""
        func = original.func
        if self.recording[-1] is ON or not isinstance(func, cst.Attribute) or func.attr.value not in GROWING:
            return updated
        args = [
            new.with_changes(value=self.constant(old.value, new.value)) if not old.star and old.keyword is None else new
            for old, new in zip(original.args, updated.args, strict=False)
        ]
        return updated.with_changes(args=args) if len(args) == len(updated.args) else updated

    def _holds_arrays(self, node: cst.BaseExpression) -> bool | None:
        """True for an array, False for what has none in it, None for what may have."""
        if isinstance(node, (cst.List, cst.Tuple, cst.Dict)) and not node.elements:
            return False  # what is put in later is a constant already
        values = self.facts(node)
        if any(isinstance(v, Tensor) and v.role == "value" for v in values):
            plain = all(isinstance(v, (Tensor, Scalar)) or v == Const(None) for v in values)
            return True if plain else None
        for value in values:
            if isinstance(value, Container):
                cells = [value.site.elements, *(value.site.ordered or ()), *value.site.named.values()]
                if any(isinstance(v, (Tensor, Container, Unknown)) for cell in cells for v in cell.values):
                    return None
        if not any(isinstance(v, Unknown) for v in values):
            return False
        in_module = any(f.cls is not None and f.cls.is_module for f in self.functions)
        computed = isinstance(node, (cst.BinaryOperation, cst.UnaryOperation))
        return None if computed or (in_module and isinstance(node, (cst.Call, cst.IfExp))) else False


def holds_arrays_only(value: Value) -> bool:
    """Is this an array, or a tuple or list of arrays and nothing else?"""
    if isinstance(value, Container):
        cells = [value.site.elements, *(value.site.ordered or ()), *value.site.named.values()]
        return all(isinstance(v, (Tensor, Unknown)) or v == Const(None) for cell in cells for v in cell.values)
    return isinstance(value, (Tensor, Unknown)) or value == Const(None)


def _negated(node: cst.BaseExpression) -> cst.BaseExpression:
    if isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Not):
        return node.expression
    return cst.UnaryOperation(cst.Not(), fit(node, NOT))


class _Function(Visitor):
    """The `with` blocks of one function, and how its names are used."""

    def __init__(self, recording: Recording) -> None:
        super().__init__()
        self.recording = recording
        self.items: list[tuple[cst.WithItem, set[cst.CSTNode]]] = []  # with the framework's names in it
        self.named: dict[str, list[cst.WithItem]] = {}  # those that are a variable, or a call of one
        self.values: dict[str, list[cst.BaseExpression]] = {}
        self.counts: dict[str, int] = {}

    def visit_WithItem(self, node: cst.WithItem) -> None:
        if self.recording.certain_kind(node.item) is not None:
            return
        references = set(self.recording._references(node.item))
        func = node.item.func if isinstance(node.item, cst.Call) and not node.item.args else node.item
        if references:
            self.items.append((node, references))
        elif isinstance(func, cst.Name):
            self.named.setdefault(func.value, []).append(node)

    def visit_Assign(self, node: cst.Assign) -> None:
        target = node.targets[0].target
        if len(node.targets) == 1 and isinstance(target, cst.Name):
            self.values.setdefault(target.value, []).append(node.value)

    def visit_Name(self, node: cst.Name) -> None:
        self.counts[node.value] = self.counts.get(node.value, 0) + 1

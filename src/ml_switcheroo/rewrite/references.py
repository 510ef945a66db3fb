"""Names: the framework's as values, types and bases; marks on what stands around them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.calls import base_type
from ..analysis.values import (
    Api,
    Const,
    Tensor,
    Unknown,
)
from ..convert.base import Bound, Emission, Misfit, OpCall
from ..convert.bind import bind_property
from ..convert.emit import emit, without_row
from ..convert.precedence import bare
from ..kb.types import NO_TYPE
from .base import Walk
from .members import Members
from .notes import Notes
from .type_tests import TypeTests
from .wide import within

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..analysis.model import FunctionInfo
    from ..kb.model import ReadRow

SHAPELESS = frozenset({"shape", "ndim", "dtype", "size"})  # asked of a variable itself, without reading its value


def _for_values(rows: Sequence[ReadRow]) -> list[ReadRow]:
    """The rows that can stand for a function itself: those that ask nothing of a call's arguments, if there are any."""
    return [row for row in rows if row.when is None] or list(rows)


def _keeps(node: cst.BaseExpression, required: Sequence[str], keywords: Sequence[str]) -> bool:
    """Is an expression a call that takes these arguments as they are?"""
    if not isinstance(node, cst.Call):
        return False
    names = [a.value.value if isinstance(a.value, cst.Name) else "" for a in node.args]
    given = [(a.keyword.value if a.keyword else None, name) for a, name in zip(node.args, names, strict=True)]
    return given == [*((None, name) for name in required), *((name, name) for name in keywords)]


class References(Members, TypeTests, Notes, Walk):
    """Replaces what is read without being called."""

    # ---- marks -------------------------------------------------------------------------------------------------------

    def visit_Annotation(self, node: cst.Annotation) -> bool:
        self._mark_types(node.annotation, self.annotations)
        return True

    def leave_Annotation(self, original_node: cst.Annotation, updated_node: cst.Annotation) -> cst.Annotation:
        if original_node.annotation.lpar or updated_node.annotation is original_node.annotation:
            return updated_node
        return updated_node.with_changes(annotation=bare(updated_node.annotation))

    def _mark_types(self, node: cst.BaseExpression, kind: set[cst.CSTNode] | None = None) -> None:
        self.types.add(node)
        if kind is not None:
            kind.add(node)
        if isinstance(node, cst.Tuple):
            for element in node.elements:
                self._mark_types(element.value, kind)
        elif isinstance(node, cst.BinaryOperation):
            self._mark_types(node.left, kind)
            self._mark_types(node.right, kind)
        elif isinstance(node, (cst.List, cst.Set)):
            for element in node.elements:
                self._mark_types(element.value, kind)
        elif isinstance(node, cst.Subscript):
            self.types.add(node.value)
            for part in node.slice:
                if isinstance(part.slice, cst.Index):
                    self._mark_types(part.slice.value, kind)

    def leave_SimpleString(self, original_node: cst.SimpleString, updated_node: cst.SimpleString) -> cst.BaseExpression:
        """A type that is written as a text stays one."""
        written = self.engine.annotation_texts.get(original_node) if original_node in self.types else None
        if written is None:
            return updated_node
        code = self.context.module.tree.code_for_node
        before = len(self.context.findings)
        self._mark_types(written, self.annotations if original_node in self.annotations else None)
        translated = written.visit(self)
        self.context.findings[before:] = [replace(f, node=original_node) for f in self.context.findings[before:]]
        text = code(bare(translated)) if isinstance(translated, cst.BaseExpression) else code(written)
        if text == code(written):
            return updated_node
        quote = original_node.quote if original_node.quote not in text else '"""'
        return updated_node.with_changes(value=f"{quote}{text}{quote}")

    def visit_Arg(self, node: cst.Arg) -> bool:
        self.safe.add(node.value)
        return True

    def visit_Return(self, node: cst.Return) -> bool:
        if node.value is not None:
            self.safe.add(node.value)
        if isinstance(node.value, cst.Name) and self.effects.handed.is_variable(self.function, node.value.value):
            self.plain.add(node.value)
        return True

    def visit_Index(self, node: cst.Index) -> bool:
        self.safe.add(node.value)
        return True

    def visit_Element(self, node: cst.Element) -> bool:
        self.safe.add(node.value)
        return True

    def visit_BinaryOperation(self, node: cst.BinaryOperation) -> bool:
        self.arrays.update((node.left, node.right))
        return True

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        self.on_path.add(node.value)
        self.mark_flag(node)
        self.mark_note(node)
        if node.attr.value in SHAPELESS:
            self.peeked.add(node.value)
        self.arrays.add(node.value)  # None has none of an array's attributes
        return True

    def visit_Subscript(self, node: cst.Subscript) -> bool:
        self.peeked.add(node.value)
        if isinstance(index := node.slice[0].slice, cst.Index):
            self.check_class_key(node, node.value, index.value)
        return True

    def visit_BooleanOperation(self, node: cst.BooleanOperation) -> bool:
        self.operands.update((node.left, node.right))
        return True

    def visit_IfExp(self, node: cst.IfExp) -> bool:
        self.operands.update((node.body, node.test, node.orelse))
        return True

    def visit_Comparison(self, node: cst.Comparison) -> bool:
        self.mark_type_test(node)
        for part in node.comparisons:
            if isinstance(part.operator, (cst.Is, cst.IsNot)):
                self.plain.add(node.left)
                self.plain.add(part.comparator)
                if isinstance(part.comparator, cst.Name) and part.comparator.value == "None":
                    self.asked.add(node.left)
                if isinstance(node.left, cst.Attribute) and (name := self.kept_beside(node.left)) is not None:
                    self.beside[node.left] = name
        return True

    def leave_FormattedString(
        self, original_node: cst.FormattedString, updated_node: cst.FormattedString
    ) -> cst.FormattedString:
        """Texts that came into an f-string must not use its quotes (Python before 3.12 cannot read that)."""
        quote = updated_node.end[-1]
        swap = _Quotes(quote, "'" if quote == '"' else '"')
        parts = [
            new.visit(swap) if new is not old and isinstance(new, cst.FormattedStringExpression) else new
            for old, new in zip(original_node.parts, updated_node.parts, strict=True)
        ]
        return updated_node.with_changes(parts=parts)

    def leave_Comparison(self, original_node: cst.Comparison, updated_node: cst.Comparison) -> cst.BaseExpression:
        """`"silu" in dir(torch.nn.functional)`: what the framework offers is known from its snapshot."""
        tested = self.type_tested(original_node, updated_node)
        if tested is not None:
            return tested
        updated_node = self._with_range(original_node, updated_node)
        part = original_node.comparisons[0]
        if isinstance(part.operator, (cst.Is, cst.IsNot)) and len(original_node.comparisons) == 1:
            return self.by_value(original_node, updated_node)
        call = part.comparator
        if len(original_node.comparisons) > 1 or not isinstance(part.operator, (cst.In, cst.NotIn)):
            return updated_node
        if not isinstance(call, cst.Call) or len(call.args) != 1 or Api("builtins.dir") not in self.facts(call.func):
            return updated_node
        owner = self.context.source_api(self.facts(call.args[0].value))
        name = next(iter(self.facts(original_node.left)), None)
        if owner is None or not isinstance(name, Const):
            return updated_node
        self.context.changed = True
        known = self.kb.is_known_api(f"{owner}.{name.value}")
        return cst.Name(str(known == isinstance(part.operator, cst.In)))

    def _with_range(self, original: cst.Comparison, updated: cst.Comparison) -> cst.Comparison:
        """`x > 2**33`, with a number that the target's arrays can hold."""
        bits, old, new = self.style.int_bits, original.comparisons[0], updated.comparisons[0]
        if not bits or len(original.comparisons) != 1:
            return updated
        first, second = self.facts(original.left), self.facts(old.comparator)
        if not any(isinstance(value, Tensor) for value in first | second):
            return updated
        left = within(original.left, updated.left, first, bits)
        right = within(old.comparator, new.comparator, second, bits)
        if left is updated.left and right is new.comparator:
            return updated
        return updated.with_changes(left=left, comparisons=[new.with_changes(comparator=right)])

    def visit_Import(self, node: cst.Import) -> bool:
        return False

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        return False

    # ---- names -------------------------------------------------------------------------------------------------------

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
        if original_node in self.callees:
            return updated_node
        if self._is_handed(original_node):
            return self.style_expression(self.style.variable_read, x=updated_node)
        if not self.is_imported(original_node.value):
            return updated_node
        values = self.engine.facts.get(original_node)
        name = self.context.source_api(values) if values is not None else None
        return updated_node if name is None else self.reference(original_node, updated_node, name)

    def _is_handed(self, node: cst.Name) -> bool:
        """The value of a variable that was handed over as an argument (handed.py)."""
        if node in self.plain or node in self.peeked or node in self.effects.handed.arguments:
            return False
        if node in self.effects.handed.read:
            return True
        return self.engine.facts.get(node) is not None and self.effects.handed.is_variable(self.function, node.value)

    def is_imported(self, name: str) -> bool:
        """Is a name one that an import binds (and no variable of the functions around hides it)?"""
        for function in reversed(self.functions):
            if name in function.parameters:
                return False
            cell = function.variables.get(name)
            if cell is not None:
                return self._is_import_in(function, name)
        if name in self.context.imported:
            return True
        cell = self.context.module.globals.get(name)
        if cell is None:
            return False
        api = self.context.source_api(cell.values)
        return api is not None and (name not in self.context.bound or self.is_framework_module(api))

    def _is_import_in(self, function: FunctionInfo, name: str) -> bool:
        """Is a variable of a function one that only an import in it binds, or another name of a framework's module?"""
        api = self.context.source_api(function.variables[name].values)
        if api is None:
            return False
        return self.is_framework_module(api) or (name in self.context.imported and name not in self.context.bound)

    def is_framework_module(self, name: str) -> bool:
        """Does a name of the framework stand for a module of it (`torch.nn.functional`)?"""
        return not self.kb.read(name) and bool(self.kb.api_names(name))

    def is_direct(self, node: cst.BaseExpression) -> bool:
        """Does a reference name the framework itself (`nn.Conv2d`, an imported `Conv2d`), not a variable?"""
        while isinstance(node, cst.Attribute):
            node = node.value
        return isinstance(node, cst.Name) and self.is_imported(node.value)

    def reference(self, original: cst.BaseExpression, updated: cst.BaseExpression, name: str) -> cst.BaseExpression:
        """A framework name used as a value, or in an annotation."""
        before = len(self.context.findings)
        result = self._referred(original, updated, name)
        failed = any(finding.severity == "error" for finding in self.context.findings[before:])
        return self._vague_type(original, name, before) if failed and original in self.annotations else result

    def _vague_type(self, original: cst.BaseExpression, name: str, before: int) -> cst.BaseExpression:
        """An annotation changes nothing: one without counterpart says less, and is no reason to refuse the line."""
        del self.context.findings[before:]
        hubs = [hub for row in self.kb.read(name) if (hub := self.kb.hub(row.op)) is not None]
        module = self.kb.write("Module") if any(hub.kind == "layer" for hub in hubs) else None
        self.context.report(original, "SW2003", f"{name} has no counterpart as a type", severity="info")
        self.context.changed = True
        return self.target_text(module.isinstance) if module is not None and module.isinstance else cst.Name("object")

    def _referred(self, original: cst.BaseExpression, updated: cst.BaseExpression, name: str) -> cst.BaseExpression:
        if original in self.switched:
            return self.fitted(original, self.switch_reference(original))
        rows = self.kb.read(name)
        owner, _, last = name.rpartition(".")
        if last == "__kwdefaults__" and self.kb.read(owner):
            self.context.changed = True
            return cst.parse_expression(_keyword_defaults(self.kb.read(owner)[0]))
        if not rows:
            if original in self.on_path and (self.engine.kb.api_names(name) or self.kb.leads_on(name)):
                return updated  # a module of the framework on the way to one of its names
            if self.engine.kb.api_names(name):
                if original in self.types:
                    return cst.Name("object")  # a module is no type: the annotation says nothing
            self.context.report(
                original,
                "SW1001",
                f"{name} is not known",
                "add a row for it, or write the line in the target's own words",
            )
            return updated
        hubs = [hub for row in _for_values(rows) if (hub := self.kb.hub(row.op)) is not None]
        if name in self.effects.asked_types.types and original not in self.bases:
            self.types.add(original)
        as_class = original in self.types or original in self.bases
        hub = next(
            (h for h in hubs if h.kind in (("type", "layer") if as_class else ("constant", "type", "layer"))), hubs[0]
        )
        write = self.kb.write(hub.name)
        if write is None:
            missing = without_row(self.kb, hub, name)
            self.context.report(original, missing.code, missing.message, missing.hint)
            return updated
        if original in self.bases and hub.returns in self.engine.kind_types and hub.kind in ("type", "function"):
            code = "SW6002" if hub.returns in ("optimizer", "schedule") else "SW2003"
            self.context.report(original, code, f"a class that inherits from {name} cannot be converted")
            return updated
        if original in self.types or original in self.bases:
            text = write.isinstance if original in self.types else None
            if text == NO_TYPE and original in self.annotations:
                text = None
            if text is None and write.helper is not None:
                return cst.Name(self.context.helper_name(write.helper))
            if text is None and hub.kind in ("type", "constant"):
                return self.take(original, self._constant(name), updated)
            if text is None and hub.name == "Module":
                text = write.isinstance
            if text is not None:
                return self.target_text(text)
            refusal = next((form.refuse for form in write.forms if form.refuse), None)
            self.context.report(original, "SW2003", refusal or f"{name} has no counterpart as a class")
            return updated
        if hub.kind in ("constant", "type") and not any(p.default is None for p in hub.params.values()):
            return self.take(original, self._constant(name), updated)
        if write.helper is not None:
            return cst.Name(self.context.helper_name(write.helper))
        if write.isinstance is not None and hub.kind != "function":
            return self.target_text(write.isinstance)
        return self._function_value(original, updated, name)

    def target_text(self, text: str) -> cst.BaseExpression:
        self.context.use(imports=frozenset(self._aliases(text)))
        if self.kb.helper(text) is not None:
            return cst.Name(self.context.helper_name(text))
        return cst.parse_expression(text)

    def _constant(self, name: str) -> Emission | Misfit:
        call = bind_property(self.kb, name)
        return call if isinstance(call, Misfit) else emit(self.kb, call, self.place())

    def _function_value(
        self, original: cst.BaseExpression, updated: cst.BaseExpression, name: str
    ) -> cst.BaseExpression:
        """A function of the framework as a value: the target's function where it can be called alike, else a lambda."""
        row = _for_values(self.kb.read(name))[0]
        hub = self.kb.hub(row.op)
        assert hub is not None
        write = self.kb.write(hub.name)
        general = (
            next((form.helper for form in write.forms if form.when is None and form.helper), None) if write else None
        )
        if general is not None:  # takes all arguments, and whoever calls this value may give any
            return cst.Name(self.context.helper_name(general))
        required = [p.name for p in hub.params.values() if p.default is None]
        args = {p: Bound(cst.Name(p), cst.Name(p), frozenset({Unknown()}), True) for p in required}
        keywords = []
        for keyword in self.bound_keywords.get(original, ()):
            name = row.args.get(keyword, keyword)
            if name in hub.params and hub.params[name].default is not None:
                args[name] = Bound(cst.Name(keyword), cst.Name(keyword), frozenset({Unknown()}), True)
                keywords.append(keyword)
        result = emit(self.kb, OpCall(hub, row, args), self.place())
        if isinstance(result, Misfit):
            self.fail(original, result)
            return updated
        self.context.use(result.imports, result.helpers)
        node = result.node
        if keywords and not _keeps(node, required, keywords):
            named = cst.Parameters(
                params=[cst.Param(cst.Name(p)) for p in required],
                star_arg=cst.ParamStar(),
                kwonly_params=[cst.Param(cst.Name(p)) for p in keywords],
            )
            return self.fitted(original, cst.Lambda(params=named, body=node))
        if keywords and isinstance(node, cst.Call):
            return node.func
        if len(required) == 1 and required[0] == self.effects.with_sizes.get(row.api):  # `make(2, 3)`
            sizes = cst.Parameters(star_arg=cst.Param(cst.Name(required[0])))
            return self.fitted(original, cst.Lambda(params=sizes, body=node))
        if (
            isinstance(node, cst.Call)
            and [a.value.value if isinstance(a.value, cst.Name) and a.keyword is None else None for a in node.args]
            == required
        ):
            return node.func
        parameters = [cst.Param(cst.Name(p)) for p in required]
        for parameter in hub.params.values():
            if base_type(parameter.type) == "dtype" and parameter.default is not None:
                given = Bound(cst.Name(parameter.name), cst.Name(parameter.name), frozenset({Unknown()}), True)
                other = emit(self.kb, OpCall(hub, row, {**args, parameter.name: given}), self.place())
                if isinstance(other, Emission):
                    self.context.use(other.imports, other.helpers)
                    node = other.node
                    tight = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
                    parameters.append(cst.Param(cst.Name(parameter.name), default=cst.Name("None"), equal=tight))
        return self.fitted(original, cst.Lambda(params=cst.Parameters(params=parameters), body=node))


def _keyword_defaults(row: ReadRow) -> str:
    """The `__kwdefaults__` of a function of the framework, as Python text."""
    found = [p for signature in row.signatures for p in signature if p.kind == "ko" and p.default is not None]
    return f"{{{', '.join(f'{p.name!r}: {p.default}' for p in found)}}}" if found else "None"


class _Quotes(cst.CSTTransformer):
    """Gives plain texts other quotes."""

    def __init__(self, old: str, new: str) -> None:
        super().__init__()
        self.old, self.new = old, new

    def leave_SimpleString(self, original_node: cst.SimpleString, updated_node: cst.SimpleString) -> cst.SimpleString:
        value = updated_node.value
        inner = value[1:-1]
        if value[:1] != self.old or self.old in inner or self.new in inner:
            return updated_node
        return updated_node.with_changes(value=f"{self.new}{inner}{self.new}")

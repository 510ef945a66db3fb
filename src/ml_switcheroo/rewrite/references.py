"""Names and attributes: framework names as values, types and bases; properties of tensors; variables of modules."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.calls import base_type
from ..analysis.model import modules_of
from ..analysis.values import (
    Api,
    ClassRef,
    Const,
    FunctionRef,
    Instance,
    Layer,
    Scalar,
    Super,
    Tensor,
    Unknown,
    Values,
)
from ..convert.base import Bound, Emission, Misfit, OpCall
from ..convert.bind import bind_property
from ..convert.emit import emit, without_row
from ..convert.precedence import bare
from ..kb.types import NO_TYPE
from .base import Walk
from .dtypes import Dtypes
from .freezing import Freezing
from .fused import Fused, attribute
from .modes import Modes
from .type_tests import TypeTests
from .variables import layer_ops

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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


class References(Modes, Fused, Freezing, Dtypes, TypeTests, Walk):
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

    # ---- attributes --------------------------------------------------------------------------------------------------

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.BaseExpression:
        if original_node in self.callees:
            return updated_node
        values = self.engine.facts.get(original_node)
        owners = self.facts(original_node.value)
        if values is not None and self.is_direct(original_node):
            name = self.context.source_api(values)
            if name is not None:
                return self.reference(original_node, updated_node, name)
        if original_node in self.flags:
            return self.flag_read(original_node, updated_node) or updated_node
        attr = original_node.attr.value
        if attr == self.engine.training and self._is_module(owners) and original_node in self.safe_stores:
            return updated_node  # see mode_stored
        if attr == self.engine.training and (mode := self.mode_read(original_node, updated_node, owners)) is not None:
            return mode
        if all(isinstance(v, Unknown) for v in owners):
            if (asked := self._asked_of_dtype(attr)) is not None and original_node not in self.safe_stores:
                result = self._property_of(asked, updated_node.value, original_node.value)
                return self.take(original_node, result, updated_node)
            handed = original_node in self.effects.handed.arguments
            if original_node in self.loose and original_node not in self.symmetric:
                return updated_node.value if attr == "data" else self._loose(updated_node)
            if attr == "data" and handed:  # the function that is called changes the variable
                return updated_node.value
            weight = attr == "weight" and handed
            return self._weight_of(original_node, updated_node) if weight else updated_node
        api = f"{self.engine.module_type}.{attr}"
        if self._is_module(owners) and not self._is_own(owners, attr) and self._is_property(api):
            call = bind_property(self.kb, api, self.arg(updated_node.value, original_node.value))
            result = call if isinstance(call, Misfit) else emit(self.kb, call, self.place())
            return self.take(original_node, result, updated_node)
        if self._only_arrays_have(owners, attr):
            return self._property(original_node, updated_node, owners, attr)
        if any(isinstance(v, Layer) for v in owners):
            return self.layer_attribute(original_node, updated_node, owners, attr)
        if any(isinstance(v, (Instance, ClassRef)) for v in owners):
            return self._member(original_node, updated_node, owners, attr, values or frozenset())
        if any(isinstance(v, Tensor) for v in owners):
            return self._property(original_node, updated_node, owners, attr)
        known = self.kind_api(owners, attr)
        if known is not None and original_node not in self.safe_stores:
            return self.take(
                original_node, self._property_of(known, updated_node.value, original_node.value), updated_node
            )
        if any(isinstance(v, Super) for v in owners) and attr == self.engine.forward:
            return updated_node.with_changes(attr=cst.Name(self.style.forward))
        return updated_node

    def kind_api(self, owners: Values, attr: str) -> str | None:
        """The name of a property or method of a dtype, device or shape: `x.device.type` -> torch.device.type."""
        sure = [v for v in owners if not isinstance(v, Unknown) and v != Const(None)]  # None has no such attribute
        types = {self.engine.kind_types.get(v.type) if isinstance(v, Scalar) else None for v in sure}
        kind = next(iter(types)) if len(types) == 1 else None
        api = f"{kind}.{attr}"
        return api if kind is not None and self.kb.read(api) else None

    def _asked_of_dtype(self, attr: str) -> str | None:
        """A property of dtypes that is a method of tensors: read without a call, it is asked of a dtype."""
        api = f"{self.engine.kind_types.get('dtype')}.{attr}"
        method = f"{self.engine.tensor_type}.{attr}"
        callable_ = self.kb.is_known_api(method) and not self._is_property(method)
        return api if callable_ and self._is_property(api) else None

    def _property_of(self, api: str, new: cst.BaseExpression, original: cst.BaseExpression) -> Emission | Misfit:
        call = bind_property(self.kb, api, self.arg(new, original))
        return call if isinstance(call, Misfit) else emit(self.kb, call, self.place())

    def _is_module(self, owners: Values) -> bool:
        return bool(modules_of(owners))

    def _is_property(self, api: str) -> bool:
        return any((hub := self.kb.hub(row.op)) is not None and hub.kind == "property" for row in self.kb.read(api))

    def _is_own(self, owners: Values, attr: str) -> bool:
        """Does a class of the project define this attribute itself?"""
        return any(
            isinstance(v, Instance) and (self._stored(v, attr) or self.engine.find_method(v.cls, attr)) for v in owners
        )

    def _only_arrays_have(self, owners: Values, attr: str) -> bool:
        """A property of tensors, asked of what may be a tensor, or a module that has no such attribute."""
        if not any(isinstance(v, Tensor) for v in owners) or all(isinstance(v, Tensor) for v in owners):
            return False
        rows = self.kb.read(f"{self.engine.tensor_type}.{attr}")
        hub = self.kb.hub(rows[0].op) if rows else None
        if hub is None or hub.kind != "property" or attr == "data":
            return False
        for value in owners:
            layer = self.kb.hub(value.op) if isinstance(value, Layer) else None
            if isinstance(value, ClassRef) or (layer is not None and attr in (*layer.weights, *layer.params)):
                return False
            if isinstance(value, Instance) and any(cls.outside for cls in value.cls.mro()):
                return False
        return not self._is_own(owners, attr)

    def _property(
        self, original: cst.Attribute, updated: cst.Attribute, owners: Values, attr: str
    ) -> cst.BaseExpression:
        api = f"{self.engine.tensor_type}.{attr}"
        rows = self.kb.read(api)
        if original in self.filled and attr == "data":
            return updated.value
        if attr == "data" and isinstance(original.value, cst.Attribute) and self._is_variable(original.value):
            return updated.value
        if not rows:
            if attr in self.engine.tensor_methods:
                self.context.report(original, "SW1001", f"{api} is not known")
            return updated
        hub = self.kb.hub(rows[0].op)
        if hub is None or hub.kind != "property":
            return updated
        if original in self.safe_stores:  # written, not read
            if attr != "data":  # which store_attribute knows
                hint = "leave the line out, or choose what is trained where gradients are taken"
                self.context.report(
                    original, "SW2003", f"{api} cannot be written: arrays of the target have no such attribute", hint
                )
            return updated
        call = bind_property(self.kb, api, self.arg(updated.value, original.value))
        result = call if isinstance(call, Misfit) else emit(self.kb, call, self.place())
        return self.take(original, result, updated)

    def _member(
        self, original: cst.Attribute, updated: cst.Attribute, owners: Values, attr: str, values: Values
    ) -> cst.BaseExpression:
        """An attribute of an object of the project: the value of a variable is read from it."""
        if attr == self.engine.forward and original in self.safe_stores and self._is_module(owners):
            self._check_forward(original, owners)
            return updated
        if attr == self.engine.forward and any(isinstance(v, FunctionRef) for v in values) and self._is_module(owners):
            updated = updated.with_changes(attr=cst.Name(self.style.forward))
        if original in self.stored_methods:
            return self.stored_method(original, updated, self.stored_methods[original])
        if attr == self.engine.forward and any(isinstance(v, FunctionRef) for v in values) and self._is_module(owners):
            return updated
        layers = [v.cls.layer for v in owners if isinstance(v, Instance) and v.cls.layer]
        stored = frozenset(v for owner in owners if isinstance(owner, Instance) for v in self._stored(owner, attr))
        if not stored and layers and original not in self.safe_stores:
            return self.layer_attribute(original, updated, frozenset(Layer(op) for op in layers), attr)
        if original in self.plain or original in self.peeked or original in self.safe_stores:
            return updated
        roles = {v.role for v in stored if isinstance(v, Tensor)}
        if not roles or (roles == {"value"} and not self._is_constant(owners, attr)):
            if (
                not roles
                and any(isinstance(v, Tensor) for v in values)
                and not any(isinstance(v, Instance) for v in owners)
            ):
                return self._property(original, updated, owners, attr)
            return updated
        if values and not any(isinstance(v, (Tensor, Unknown)) for v in values):
            return updated  # whatever other code stores there, here it is none
        if any(isinstance(v, (Const, Scalar)) and v != Const(None) for v in stored):
            return updated  # it may be a number here, which cannot be read like a variable
        doubtful = Const(None) in values or any(not isinstance(v, Tensor) for v in stored)
        if doubtful and original not in self.arrays:
            if Const(None) in values or not all(isinstance(v, Tensor) for v in values):
                return self._if_there(original, updated, owners, stored)
        return self.style_expression(self.style.variable_read, x=updated)

    def _if_there(
        self, original: cst.Attribute, updated: cst.Attribute, owners: Values, stored: Values
    ) -> cst.BaseExpression:
        """What may be None here. Variables can be used like arrays; what holds a constant cannot."""
        attr = original.attr.value
        outside = attr not in self.effects.scratch and any(
            not cls.persistent.get(attr, True) for v in owners if isinstance(v, Instance) for cls in v.cls.mro()
        )
        plain = all(isinstance(v, Tensor) or v == Const(None) for v in stored)
        if not plain or not (outside or self._is_constant(owners, attr)):
            return updated
        test = cst.Comparison(updated.deep_clone(), [cst.ComparisonTarget(cst.Is(), cst.Name("None"))])
        value = self.style_expression(self.style.variable_read, x=updated)
        return self.fitted(original, cst.IfExp(test=test, body=cst.Name("None"), orelse=value))

    def _check_forward(self, original: cst.Attribute, owners: Values) -> None:
        """`self.forward = self.fast` chooses what a class computes, if it does not define that itself."""
        if self.style.forward == self.engine.forward:
            return
        own = any(isinstance(v, Instance) and self.engine.find_method(v.cls, self.engine.forward) for v in owners)
        if own or not self.chosen_methods(owners, self.engine.forward):
            self.context.report(
                original,
                "SW5001",
                "what one module computes cannot be replaced: the target takes it from the class",
                "choose with if inside the method",
            )

    def _stored(self, owner: Instance, attr: str) -> Values:
        found: Values = frozenset()
        for cls in owner.cls.mro():
            cell = cls.attributes.get(attr)
            if cell is not None:
                found |= cell.values
        return found

    def _is_constant(self, owners: Values, attr: str) -> bool:
        """Is this attribute an array that only the constructor sets (so that it is wrapped, see attributes.py)?"""
        return any(isinstance(v, Instance) and attr in self.constants_of(v) for v in owners)

    def constants_of(self, owner: Instance) -> set[str]:
        found: set[str] = set()
        for cls in owner.cls.mro():
            found |= cls.constants
        return found

    def layer_attribute(
        self, original: cst.Attribute, updated: cst.Attribute, owners: Values, attr: str
    ) -> cst.BaseExpression:
        """An attribute of a framework's layer: weights have other names (and orders of axes) in the target."""
        if original in self.beside:
            return updated.with_changes(attr=cst.Name(self.beside[original]))
        ops = sorted({v.op for v in owners if isinstance(v, Layer) and v.op != "Module"})
        rules = {op: self._weight_rule(op, attr) for op in ops}
        found = {rule for rule in rules.values() if rule is not None}
        if not found:
            renamed = {
                w.attributes[attr] for op in ops if (w := self.kb.write(op)) is not None and attr in w.attributes
            }
            if len(renamed) == 1:
                self.context.use()
                return updated.with_changes(attr=cst.Name(next(iter(renamed))))
            unknown = not ops and attr in ("weight",)
            return self._weight_of(original, updated) if unknown else updated
        paths = {path for path, _ in found}
        if len(paths) > 1:
            if all(list(order) == sorted(order) for _, order in found):
                self.symmetric.add(original)  # whichever it is, its axes stand as in the source
            return self._weight_of(original, updated)
        path, permutation = next(iter(found))
        mixed = len(found) > 1  # layers of several kinds, each with an order of its own
        if not path and (reason := self._dropped(ops, attr)) is not None:
            hint = "keep a variable of your own for it"
            self.context.report(original, "SW5003", f"the target's layer does not keep {attr}: {reason}", hint)
            return updated
        if not path and original in self.fused:
            return self.fill_parts(original, updated.value)
        if not path and original in self.asked and (part := self.part_beside(original)) is not None:
            return attribute(updated.value, part)
        if not path or (mixed and self.style.weight_view is None):
            parts = self.parts_of(original)
            hint = f"the target has {', '.join(parts)} in its place: write the line with these"
            if not parts:
                hint = "which class this is decides where it is: test that with isinstance() first"
            self.context.report(original, "SW5003", f"{attr} has no single counterpart in the target's layer", hint)
            return updated
        node: cst.BaseExpression = attribute(updated.value, path)
        self.context.use()
        mixed = mixed and attr != "bias" and original not in self.plain
        if original not in self.symmetric and (mixed or original in self.effects.handed.views):
            assert self.style.weight_view is not None
            node = cst.Call(cst.Name(self.context.helper_name(self.style.weight_view)), [cst.Arg(node)])
            permutation = ()
        straight = list(permutation) == sorted(permutation) or original in self.symmetric
        self.variables[original] = (node, () if straight else permutation)
        may_lack = straight and Const(None) in self.facts(original)  # which nothing can be read of
        if original in self.plain or attr == "bias" or may_lack or (original in self.peeked and straight):
            return node
        node = self.style_expression(self.style.variable_read, x=node)
        return node if straight else self.reordered(node, permutation)

    def reordered(self, node: cst.BaseExpression, axes: tuple[int, ...]) -> cst.BaseExpression:
        """The array with its axes in another order."""
        text = "{x}.T" if axes == (1, 0) else self.style.transpose.replace("{axes}", str(axes))
        return self.style_expression(text, x=node)

    def _loose(self, updated: cst.Attribute) -> cst.BaseExpression:
        """The weight or bias of a layer of unknown class, whose axes are in the source's order."""
        node: cst.BaseExpression = updated
        if updated.attr.value == "weight":
            node = cst.Call(cst.Name(self.context.helper_name("weight_view")), [cst.Arg(updated.value)])
        return self.style_expression(self.style.variable_read, x=node)

    def _weight_of(self, original: cst.Attribute, updated: cst.Attribute) -> cst.BaseExpression:
        """The weight of a layer of unknown class."""
        if original in self.safe_stores:  # which _store_weight refuses
            return updated
        if original in self.effects.handed.views and self.kb.helper("weight_view") is not None:
            return cst.Call(cst.Name(self.context.helper_name("weight_view")), [cst.Arg(updated.value)])
        if original in self.symmetric and self.kb.helper("weight_of") is not None:
            node = cst.Call(cst.Name(self.context.helper_name("weight_of")), [cst.Arg(updated.value)])
            self.variables[original] = (node, ())
            return self.style_expression(self.style.variable_read, x=node)
        if self.kb.helper("weight_of") is None or original not in self.plain:
            self.context.report(
                original, "SW1002", "which layer this is decides how its weight is stored, and the class is not known"
            )
            return updated
        return cst.Call(cst.Name(self.context.helper_name("weight_of")), [cst.Arg(updated.value)])

    def kept_beside(self, node: cst.BaseExpression) -> str | None:
        """What the target keeps exactly where the source keeps this tensor of a layer, which the target lacks."""
        if not isinstance(node, cst.Attribute):
            return None
        owners = self.facts(node.value)
        if any(isinstance(v, Instance) and self._stored(v, node.attr.value) for v in owners):
            return None
        rules = [w.weights.get(node.attr.value) for op in layer_ops(owners) if (w := self.kb.write(op)) is not None]
        found = {str(rule.get("beside", "")) if isinstance(rule, dict) else "" for rule in rules}
        return (found.pop() or None) if len(found) == 1 else None

    def _dropped(self, ops: Iterable[str], attr: str) -> str | None:
        """Why the target keeps no such tensor of these layers."""
        rules = [w.weights.get(attr) for op in ops if (w := self.kb.write(op)) is not None]
        return next((str(rule["drop"]) for rule in rules if isinstance(rule, dict) and "drop" in rule), None)

    def _weight_rule(self, op: str, attr: str) -> tuple[str, tuple[int, ...]] | None:
        write = self.kb.write(op)
        rule = write.weights.get(attr) if write is not None else None
        if rule is None:
            return None
        if not isinstance(rule, str):
            return ("", ())
        path, _, orders = rule.partition(" ")
        if not orders:
            return (path, ())
        source, _, target = orders.partition("->")
        if len(source) != len(target):
            return ("", ())
        return (path, tuple(target.index(axis) for axis in source))


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

"""How expressions are interpreted: names, attributes, operators, displays, comprehensions, subscripts."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any, ClassVar

import libcst as cst

from .base import Arguments, EngineBase
from .model import Cell, ClassInfo, FunctionInfo
from .narrowing import Narrowing
from .project import dotted
from .values import (
    NOTHING,
    UNKNOWN,
    UNKNOWNS,
    Api,
    ClassRef,
    Const,
    Container,
    Factory,
    FunctionRef,
    Instance,
    Layer,
    MethodRef,
    ModuleRef,
    Partial,
    Scalar,
    Super,
    Tensor,
    Text,
    Unknown,
    Value,
    Values,
)

if TYPE_CHECKING:
    from collections.abc import Callable

BUILTINS = frozenset(dir(builtins))
NUMBERS = frozenset({"int", "float", "bool", "number"})
INT, FLOAT, BOOL, STR, SHAPE = (frozenset({Scalar(t)}) for t in ("int", "float", "bool", "str", "shape"))
TENSOR: Values = frozenset({Tensor()})
MODULE_CONTAINERS = frozenset({"Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"})


class Expressions(Narrowing, EngineBase):
    """Evaluates expressions to sets of abstract values; every result is recorded as a fact."""

    def evaluate(self, node: cst.BaseExpression) -> Values:
        handler = self.EXPRESSIONS.get(type(node))
        values = handler(self, node) if handler is not None else UNKNOWNS
        facts = self.facts
        known = facts.get(node)
        if known is None:
            facts[node] = values
        elif not values <= known:
            facts[node] = known | values
        return values

    # ---- atoms -------------------------------------------------------------------------------------------------------

    def _name(self, node: cst.Name) -> Values:
        return self.lookup(node.value)

    def lookup(self, name: str) -> Values:
        return self.resolve(self._raw_lookup(name))

    def _raw_lookup(self, name: str) -> Values:
        found = self.env.get(name)
        if found is not None:
            return found
        if name in ("True", "False", "None"):
            return frozenset({Const({"True": True, "False": False, "None": None}[name])})
        function = self.current
        assert function is not None
        outer = function.outer if function.kind != "module" else None
        while outer is not None and outer.kind != "module":
            cell = outer.variables.get(name)
            if cell is not None:
                return self.read(cell)
            outer = outer.outer
        if function.kind != "module":
            cell = function.variables.get(name)
            if cell is not None and cell.values:
                return self.read(cell)
        cell = function.module.globals.get(name)
        if cell is not None:
            return self.read(cell) or self.missing()
        if name in BUILTINS:
            return frozenset({Api("builtins." + name)})
        cell = function.module.globals.setdefault(name, Cell())  # may be bound later
        self.read(cell)
        return self.missing()

    def _integer(self, node: cst.Integer) -> Values:
        return frozenset(
            {
                Const(
                    int(node.value.replace("_", ""), 0)
                    if not node.value.startswith("0") or len(node.value) == 1 or node.value[1] in "xXoObB"
                    else 0
                )
            }
        )

    def _float(self, node: cst.Float) -> Values:
        return frozenset({Const(float(node.value))})

    def _string(self, node: cst.SimpleString) -> Values:
        value = node.evaluated_value
        return frozenset({Const(value)})

    def _concatenated(self, node: cst.ConcatenatedString) -> Values:
        return _join_text([self.evaluate(node.left), self.evaluate(node.right)])

    def _formatted(self, node: cst.FormattedString) -> Values:
        parts: list[Values] = []
        for part in node.parts:
            if isinstance(part, cst.FormattedStringText):
                parts.append(frozenset({Const(part.value)}))
            elif isinstance(part, cst.FormattedStringExpression):
                values = self.evaluate(part.expression)
                parts.append(
                    values
                    if all(isinstance(v, Const) and isinstance(v.value, str) for v in values) and len(values) <= 4
                    else frozenset({Text("*")})
                )
        return _join_text(parts)

    # ---- operators ---------------------------------------------------------------------------------------------------

    def _binary(self, node: cst.BinaryOperation) -> Values:
        left, right = self.evaluate(node.left), self.evaluate(node.right)
        operator = type(node.operator).__name__
        if operator == "Modulo" and any(isinstance(v, (Const, Text, Scalar)) and _is_text(v) for v in left):
            return frozenset({Text(_percent(v)) for v in left if _is_text(v)})
        return self.binary(left, right, operator, node)

    def binary(self, left: Values, right: Values, operator: str, node: cst.CSTNode | None = None) -> Values:
        result = NOTHING
        both = left | right
        if not left or not right:
            return TENSOR if any(isinstance(v, Tensor) for v in both) else self.missing()
        if any(isinstance(v, Tensor) for v in both):
            return TENSOR
        if operator == "Add" and any(_is_text(v) for v in both):
            return _join_text([left, right])
        if operator in ("Add", "Multiply") and any(isinstance(v, Container) for v in both):
            for values in (left, right):
                kinds = [v for v in values if isinstance(v, Container)]
                for value in kinds:
                    if node is None:
                        result |= {value}
                        continue
                    site = self.site(node, value.site.kind)
                    for other in both:
                        if isinstance(other, Container):
                            self.write(site.elements, self.read(other.site.elements))
                    if (
                        operator == "Add"
                        and all(isinstance(v, Container) and v.site.ordered is not None for v in both)
                        and len(left) == len(right) == 1
                    ):
                        cells = [c for v in (*left, *right) if isinstance(v, Container) for c in v.site.ordered or ()]
                        site.ordered = cells
                    result |= {Container(site)}
            if any(isinstance(v, Scalar) and v.type == "shape" for v in both):
                result |= SHAPE
            return result or UNKNOWNS
        if operator in ("Add", "Multiply") and any(isinstance(v, Scalar) and v.type == "shape" for v in both):
            return SHAPE
        if any(isinstance(v, (Instance, Layer)) for v in both):
            return UNKNOWNS
        known = [_number(v) for v in both]
        if all(known):
            kinds_ = set(known)
            if operator == "Divide" or "float" in kinds_:
                return FLOAT
            if kinds_ <= {"int", "bool"}:
                return INT
            return frozenset({Scalar("number")})
        if any(isinstance(v, Scalar) and v.type == "ndarray" for v in both):
            return frozenset({Scalar("ndarray")})
        return UNKNOWNS

    def _unary(self, node: cst.UnaryOperation) -> Values:
        values = self.evaluate(node.expression)
        if isinstance(node.operator, cst.Not):
            return BOOL
        if isinstance(node.operator, cst.Minus) and len(values) == 1:
            only = next(iter(values))
            if isinstance(only, Const) and isinstance(only.value, (int, float)):
                return frozenset({Const(-only.value)})
        if any(isinstance(v, Tensor) for v in values):
            return TENSOR
        return frozenset(
            Scalar(type(v.value).__name__)
            if isinstance(v, Const) and v.value is not None
            else UNKNOWN
            if isinstance(v, Const)
            else v
            for v in values
        )

    def _boolean(self, node: cst.BooleanOperation) -> Values:
        left = self.evaluate(node.left)
        saved = dict(self.env)
        is_and = isinstance(node.operator, cst.And)
        self.narrow(node.left, is_and)
        right = self.evaluate(node.right)
        self.env = saved
        kept: Values
        if is_and:
            kept = frozenset(
                v
                for v in left
                if not isinstance(v, (Layer, Instance, ClassRef, Api)) and not (isinstance(v, Const) and v.value)
            )
        else:
            kept = frozenset(v for v in left if not (isinstance(v, Const) and not v.value))
        return kept | right

    def _comparison(self, node: cst.Comparison) -> Values:
        sides = self.evaluate(node.left)
        identity = False
        for part in node.comparisons:
            sides |= self.evaluate(part.comparator)
            identity = identity or isinstance(part.operator, (cst.Is, cst.IsNot, cst.In, cst.NotIn))
        if not identity and any(isinstance(v, Tensor) for v in sides):
            return TENSOR
        return BOOL

    def _conditional(self, node: cst.IfExp) -> Values:
        self.evaluate(node.test)
        saved = dict(self.env)
        self.narrow(node.test, True)
        result = self.evaluate(node.body)
        self.env = dict(saved)
        self.narrow(node.test, False)
        result |= self.evaluate(node.orelse)
        self.env = saved
        return result

    # ---- displays ----------------------------------------------------------------------------------------------------

    def _sequence(self, node: cst.List | cst.Tuple) -> Values:
        site = self.site(node, "list" if isinstance(node, cst.List) else "tuple")
        cells: list[Cell] | None = []
        for index, element in enumerate(node.elements):
            if isinstance(element, cst.StarredElement):
                inner = self.elements(self.evaluate(element.value), element.value)
                self.write(site.elements, inner)
                cells = None
                continue
            values = self.evaluate(element.value)
            self.write(site.elements, values)
            if cells is not None:
                cell = site.ordered[index] if site.ordered is not None and index < len(site.ordered) else Cell()
                self.write(cell, values)
                cells.append(cell)
        if not site.grown:
            site.ordered = cells
        return frozenset({Container(site)})

    def _set(self, node: cst.Set) -> Values:
        site = self.site(node, "set")
        for element in node.elements:
            self.write(site.elements, self.evaluate(element.value))
        return frozenset({Container(site)})

    def _dict(self, node: cst.Dict) -> Values:
        site = self.site(node, "dict")
        for element in node.elements:
            values = self.evaluate(element.value)
            if isinstance(element, cst.DictElement):
                keys = self.evaluate(element.key)
                self.write(site.elements, values)
                for key in keys:
                    if isinstance(key, Const) and isinstance(key.value, str):
                        self.write(site.named.setdefault(key.value, Cell()), values)
                    elif isinstance(key, Text):
                        self.write(site.patterns.setdefault(key.pattern, Cell()), values)
                    else:
                        self.write(site.patterns.setdefault("*", Cell()), values)
            else:
                self.merge_mapping(site, values)
        return frozenset({Container(site)})

    def merge_mapping(self, site: Any, values: Values) -> None:
        """Copies what a mapping holds into `site` (`{**other}`, `update(other)`)."""
        for value in values:
            if isinstance(value, Container):
                self.write(site.elements, self.read(value.site.elements))
                for name, cell in list(value.site.named.items()):
                    self.write(site.named.setdefault(name, Cell()), self.read(cell))
                for name, cell in list(value.site.patterns.items()):
                    self.write(site.patterns.setdefault(name, Cell()), self.read(cell))

    def _comprehension(self, node: cst.ListComp | cst.SetComp | cst.GeneratorExp) -> Values:
        saved = dict(self.env)
        self._comp_for(node.for_in)
        values = self.evaluate(node.elt)
        self.env = saved
        site = self.site(node, "set" if isinstance(node, cst.SetComp) else "list")
        self.write(site.elements, values)
        return frozenset({Container(site)})

    def _dict_comprehension(self, node: cst.DictComp) -> Values:
        saved = dict(self.env)
        self._comp_for(node.for_in)
        keys, values = self.evaluate(node.key), self.evaluate(node.value)
        self.env = saved
        site = self.site(node, "dict")
        self.write(site.elements, values)
        for key in keys:
            pattern = (
                key.value
                if isinstance(key, Const) and isinstance(key.value, str)
                else key.pattern
                if isinstance(key, Text)
                else "*"
            )
            self.write(site.patterns.setdefault(pattern, Cell()), values)
        return frozenset({Container(site)})

    def _comp_for(self, node: cst.CompFor) -> None:
        self.assign(node.target, self.elements(self.evaluate(node.iter), node.iter))
        for condition in node.ifs:
            self.evaluate(condition.test)
            self.narrow(condition.test, True)
        if node.inner_for_in is not None:
            self._comp_for(node.inner_for_in)

    def elements(self, values: Values, node: cst.BaseExpression | None) -> Values:
        """What iterating over these values gives."""
        found = NOTHING
        for value in values:
            if isinstance(value, Container):
                if value.site.kind in ("dict", "ModuleDict", "ParameterDict"):
                    found |= STR
                else:
                    found |= self.read(value.site.elements) or NOTHING
            elif isinstance(value, Tensor):
                found |= TENSOR
            elif isinstance(value, Scalar) and value.type in ("shape", "range"):
                found |= INT
            elif _is_text(value):
                found |= STR
            elif isinstance(value, Instance) and value.cls.self_site is not None:
                found |= self.container_elements(value.cls)
            elif (
                isinstance(value, Instance)
                and value.cls.container is None
                and (method := self.find_method(value.cls, "__iter__")) is not None
            ):
                iterate = FunctionRef(method, frozenset({value}))
                result = self.call(frozenset({iterate}), Arguments([], {}), value.cls.node)
                found |= self.elements(result, None) if result != values else UNKNOWNS
            else:
                found |= UNKNOWNS
        return found

    def container_elements(self, cls: ClassInfo) -> Values:
        """Children of a class that inherits from a module container."""
        found = NOTHING
        for parent in cls.mro():
            if parent.self_site is not None:
                found |= self.read(parent.self_site.elements)
                for cell in list(parent.self_site.named.values()) + list(parent.self_site.patterns.values()):
                    found |= self.read(cell)
        return found

    # ---- subscripts --------------------------------------------------------------------------------------------------

    def _subscript(self, node: cst.Subscript) -> Values:
        owners = self.evaluate(node.value)
        keys = NOTHING
        sliced = False
        for element in node.slice:
            if isinstance(element.slice, cst.Index):
                keys |= self.evaluate(element.slice.value)
            elif isinstance(element.slice, cst.Slice):
                sliced = True
                for part in (element.slice.lower, element.slice.upper, element.slice.step):
                    if part is not None:
                        self.evaluate(part)
        result = NOTHING
        for owner in owners:
            result |= self.item(owner, keys, sliced, node)
        return result or self.missing()

    def item(self, owner: Value, keys: Values, sliced: bool, node: cst.CSTNode) -> Values:
        if isinstance(owner, Tensor):
            return TENSOR
        if isinstance(owner, Scalar):
            if owner.type == "shape":
                return SHAPE if sliced else INT
            if owner.type == "str":
                return STR
            return frozenset({owner}) if owner.type == "ndarray" else UNKNOWNS
        if _is_text(owner):
            return STR
        if isinstance(owner, Instance):
            if owner.cls.self_site is not None:
                return self.container_elements(owner.cls)
            method = self.find_method(owner.cls, "__getitem__")
            if method is not None:
                return self.call(frozenset({FunctionRef(method, frozenset({owner}))}), Arguments([keys], {}), node)
            return UNKNOWNS
        if not isinstance(owner, Container):
            return UNKNOWNS
        site = owner.site
        if sliced:
            part = self.site(node, site.kind)
            self.write(part.elements, self.read(site.elements))
            return frozenset({Container(part)})
        found = NOTHING
        exact = True
        for key in keys:
            if (
                isinstance(key, Const)
                and isinstance(key.value, int)
                and site.ordered is not None
                and -len(site.ordered) <= key.value < len(site.ordered)
            ):
                found |= self.read(site.ordered[key.value])
            elif isinstance(key, Const) and isinstance(key.value, str) and key.value in site.named:
                found |= self.read(site.named[key.value])
            else:
                exact = False
        if exact and keys:
            return found
        return found | self.read(site.elements)

    # ---- attributes --------------------------------------------------------------------------------------------------

    def _attribute(self, node: cst.Attribute) -> Values:
        path = dotted(node)
        owners = self.evaluate(node.value)
        if path:
            known = self.env.get(path)
            if known is not None:
                return known
        return self.attribute_of(owners, node.attr.value, node)

    def attribute_of(self, owner: Values, name: str, node: cst.CSTNode) -> Values:
        found = NOTHING
        for value in owner:
            found |= self._attribute_of_one(value, name, node)
        return found or self.missing()

    def _attribute_of_one(self, value: Value, name: str, node: cst.CSTNode) -> Values:
        if isinstance(value, Api):
            return frozenset({Api(self.kb.canonical(f"{value.name}.{name}"))})
        if isinstance(value, ModuleRef):
            return self.imported(value.module.name, name)
        if isinstance(value, Instance):
            return self.member(value.cls, name, value)
        if isinstance(value, ClassRef):
            return self.class_member(value.cls, name)
        if isinstance(value, Super):
            for cls in value.cls.mro()[1:]:
                if name in cls.methods:
                    return frozenset({FunctionRef(cls.methods[name], frozenset({Instance(value.cls)}))})
            return frozenset({MethodRef(frozenset({value}), name)})
        if isinstance(value, Tensor) or (isinstance(value, Unknown) and name in ("shape", "ndim")):
            return self._tensor_attribute(value, name)
        if isinstance(value, Layer):
            return self._layer_attribute(value, name)
        if isinstance(value, Container):
            if name in value.site.named and value.site.kind in (*MODULE_CONTAINERS, "tuple"):
                return self.read(value.site.named[name])
            # A computed child name ("unit*") must not hide the methods of the container, such as add_module.
            method = hasattr(list, name) or self.kb.is_known_api(f"{self.module_type}.{name}")
            if value.site.kind in ("Sequential", "ModuleDict") and not method:
                found = NOTHING
                for pattern, cell in list(value.site.patterns.items()):
                    found |= self.read(cell) if _glob(pattern, name) else NOTHING
                if found:
                    return found
            return frozenset({MethodRef(frozenset({value}), name)})
        if isinstance(value, Unknown):
            return UNKNOWNS
        if isinstance(value, Scalar) and value.type in self.kind_types:
            hub = next((self.kb.hub(row.op) for row in self.kb.read(f"{self.kind_types[value.type]}.{name}")), None)
            if hub is not None and hub.kind == "property":
                return self.typed(hub.returns, None, frozenset({value})) or UNKNOWNS
        if isinstance(value, (FunctionRef, Partial, Factory, MethodRef)):
            return UNKNOWNS
        return frozenset({MethodRef(frozenset({value}), name)})

    def _tensor_attribute(self, value: Value, name: str) -> Values:
        rows = self.kb.read(f"{self.tensor_type}.{name}")
        for row in rows:
            hub = self.kb.hub(row.op)
            if hub is not None and hub.kind == "property":
                return self.typed(hub.returns, None, frozenset({value})) or UNKNOWNS
        if name in self.tensor_methods:
            return frozenset({MethodRef(frozenset({value}), name)})
        return UNKNOWNS

    def _layer_attribute(self, value: Layer, name: str) -> Values:
        hub = self.kb.hub(value.op)
        if hub is not None:
            if name in hub.weights:
                role = "buffer" if name.startswith(("running_", "num_batches")) else "parameter"
                return frozenset({Tensor(role), Const(None)}) if name == "bias" else frozenset({Tensor(role)})
            if name in hub.params:
                return self.typed(hub.params[name].type, None, NOTHING) or UNKNOWNS
        if name == self.training:
            return BOOL
        if value.op == "Module" and name in ("weight", "bias"):
            return frozenset({Tensor("parameter"), Const(None)})
        return frozenset({MethodRef(frozenset({value}), name)})

    def find_method(self, cls: ClassInfo, name: str) -> FunctionInfo | None:
        for parent in cls.mro():
            if name in parent.methods:
                return parent.methods[name]
        return None

    def member(self, cls: ClassInfo, name: str, instance: Value) -> Values:
        """`instance.name`: stored attributes of the class, its bases and its subclasses, methods, properties."""
        found = NOTHING
        method = self.find_method(cls, name)
        for parent in cls.mro():
            cell = parent.attributes.get(name)
            if cell is not None:
                found |= self.read(cell)
            elif parent is cls or method is None:
                found |= self.read(parent.attributes.setdefault(name, Cell()))
        if method is not None:
            if method.kind == "property":
                found |= self.call(
                    frozenset({FunctionRef(method, frozenset({instance}))}), Arguments([], {}), method.node
                )
            else:
                found |= {FunctionRef(method, frozenset({instance}))}
                for sub in cls.subclasses:
                    if name in sub.methods:
                        found |= {FunctionRef(sub.methods[name], frozenset({Instance(sub)}))}
        if not found:
            for parent in cls.mro():
                for pattern, cell in parent.attribute_patterns.items():
                    if _glob(pattern, name):
                        found |= self.read(cell)
                if parent.self_site is not None and name in parent.self_site.named:
                    found |= self.read(parent.self_site.named[name])
        if not found:
            for sub in cls.subclasses:
                cell = sub.attributes.get(name)
                if cell is not None:
                    found |= self.read(cell)
                if name in sub.methods:
                    found |= {FunctionRef(sub.methods[name], frozenset({Instance(sub)}))}
        if found:
            return found
        if cls.layer is not None:
            return self._layer_attribute(Layer(cls.layer), name)
        if cls.is_module and name == self.training:
            return BOOL
        if cls.is_module and (self.final or self.kb.is_known_api(f"{self.module_type}.{name}")):
            return frozenset({MethodRef(frozenset({instance}), name)})
        return self.missing()

    def class_member(self, cls: ClassInfo, name: str) -> Values:
        for parent in cls.mro():
            if name in parent.methods:
                method = parent.methods[name]
                bound = frozenset({ClassRef(cls)}) if method.kind == "classmethod" else None
                return frozenset({FunctionRef(method, bound)})
        found = NOTHING
        for parent in cls.mro():
            if name in parent.attributes:
                found |= self.read(parent.attributes[name])
        if name == "__name__":
            return STR
        if not found and cls.is_module:
            return frozenset({Api(f"{self.module_type}.{name}")})
        return found

    # ---- others ------------------------------------------------------------------------------------------------------

    def _lambda(self, node: cst.Lambda) -> Values:
        function = self.declare_function(node, None)
        for name, values in self.env.items():  # a lambda reads its surroundings as they are here
            if "." not in name and self.current is not None and self.current.kind != "module":
                cell = self.current.variables.setdefault(name, Cell())
                if name not in self.current.parameters:
                    self.write(cell, values)
        return frozenset({FunctionRef(function)})

    def _named(self, node: cst.NamedExpr) -> Values:
        values = self.evaluate(node.value)
        self.assign(node.target, values)
        return values

    def _starred(self, node: cst.StarredElement) -> Values:
        return self.evaluate(node.value)

    def _yield(self, node: cst.Yield) -> Values:
        function = self.current
        if function is not None:
            function.generator = True
        if function is not None and node.value is not None:
            if isinstance(node.value, cst.From):
                values = self.elements(self.evaluate(node.value.item), node.value.item)
            else:
                values = self.evaluate(node.value)
            site = self.site(function.node, "list")
            self.write(site.elements, values)
            self.write(function.result, frozenset({Container(site)}))
        return UNKNOWNS

    def _await(self, node: cst.Await) -> Values:
        return self.evaluate(node.expression)

    def _call(self, node: cst.Call) -> Values:
        return self.evaluate_call(node)

    def typed(self, text: str, node: cst.CSTNode | None, first: Values) -> Values:
        """Values for a hub type (docs/knowledge-base.md); empty for `any`."""
        text = text.strip()
        optional = text.endswith("?")
        head = text.rstrip("?").split("[")[0].split(" ")[0]
        none = frozenset({Const(None)}) if optional else NOTHING
        if head in ("tensor", "scalar_or_tensor"):
            return TENSOR | none
        if head in ("int", "float", "bool", "str", "dtype", "device", "shape", "number"):
            return frozenset({Scalar(head)}) | none
        if head == "dims":
            return INT | SHAPE | none
        if head in ("pair", "triple"):
            return SHAPE | INT | none
        if head == "none":
            return frozenset({Const(None)})
        if head == "module":
            return frozenset({Layer("Module")})
        if head.startswith("same"):
            return frozenset(Tensor() if isinstance(v, Tensor) else v for v in first)
        if head in ("list", "tuple") and node is not None:
            inner = text[text.index("[") + 1 : text.rindex("]")] if "[" in text else ""
            site = self.site(node, head)
            parts = _split_types(inner)
            if head == "tuple" and parts and parts[-1] != "...":
                if site.ordered is None:
                    site.ordered = [Cell() for _ in parts]
                for cell, part in zip(site.ordered, parts, strict=False):
                    field, colon, kind = part.partition(":")  # tuple[values: tensor, indices: tensor]
                    if colon:
                        site.named[field.strip()] = cell
                    values = self.typed(kind if colon else part, None, NOTHING) or UNKNOWNS
                    self.write(cell, values)
                    self.write(site.elements, values)
            else:
                for part in parts:
                    if part != "...":
                        self.write(site.elements, self.typed(part, None, NOTHING) or UNKNOWNS)
            return frozenset({Container(site)}) | none
        if head in ("list", "tuple"):
            return UNKNOWNS
        if head == "one":
            return STR
        return NOTHING

    EXPRESSIONS: ClassVar[dict[type, Callable[[Any, Any], Values]]] = {}


Expressions.EXPRESSIONS = {
    cst.Name: Expressions._name,
    cst.Integer: Expressions._integer,
    cst.Float: Expressions._float,
    cst.SimpleString: Expressions._string,
    cst.ConcatenatedString: Expressions._concatenated,
    cst.FormattedString: Expressions._formatted,
    cst.BinaryOperation: Expressions._binary,
    cst.UnaryOperation: Expressions._unary,
    cst.BooleanOperation: Expressions._boolean,
    cst.Comparison: Expressions._comparison,
    cst.IfExp: Expressions._conditional,
    cst.List: Expressions._sequence,
    cst.Tuple: Expressions._sequence,
    cst.Set: Expressions._set,
    cst.Dict: Expressions._dict,
    cst.ListComp: Expressions._comprehension,
    cst.SetComp: Expressions._comprehension,
    cst.GeneratorExp: Expressions._comprehension,
    cst.DictComp: Expressions._dict_comprehension,
    cst.Subscript: Expressions._subscript,
    cst.Attribute: Expressions._attribute,
    cst.Lambda: Expressions._lambda,
    cst.NamedExpr: Expressions._named,
    cst.StarredElement: Expressions._starred,
    cst.Yield: Expressions._yield,
    cst.Await: Expressions._await,
    cst.Call: Expressions._call,
}


def _number(value: Value) -> str | None:
    if isinstance(value, Const) and type(value.value) in (int, float, bool):
        return type(value.value).__name__
    if isinstance(value, Scalar) and value.type in NUMBERS:
        return value.type
    return None


def _is_text(value: Value) -> bool:
    return (
        isinstance(value, Text)
        or (isinstance(value, Const) and isinstance(value.value, str))
        or (isinstance(value, Scalar) and value.type == "str")
    )


def _percent(value: Value) -> str:
    """Pattern of `'unit%d' % i`."""
    text = value.value if isinstance(value, Const) else value.pattern if isinstance(value, Text) else "*"
    out, index = "", 0
    assert isinstance(text, str)
    while index < len(text):
        if text[index] == "%":
            index += 1
            while index < len(text) and not text[index].isalpha():
                index += 1
            out += "*"
        else:
            out += text[index]
        index += 1
    return out


def _join_text(parts: list[Values]) -> Values:
    """Concatenation of texts; at most a handful of combinations are kept apart."""
    results = {""}
    for values in parts:
        pieces = set()
        for value in values:
            if isinstance(value, Const) and isinstance(value.value, str):
                pieces.add(value.value)
            elif isinstance(value, Text):
                pieces.add(value.pattern)
            else:
                pieces.add("*")
        if len(pieces) * len(results) > 12:
            pieces = {"*"}
        results = {left + right for left in results for right in pieces or {"*"}}
    return frozenset(Text(r.replace("**", "*")) if "*" in r else Const(r) for r in results)


def _glob(pattern: str, name: str) -> bool:
    from fnmatch import fnmatchcase

    return fnmatchcase(name, pattern)


def _split_types(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for index, char in enumerate(text):
        depth += {"[": 1, "]": -1}.get(char, 0)
        if char == "," and depth == 0:
            parts.append(text[start:index].strip())
            start = index + 1
    last = text[start:].strip()
    return [*parts, last] if last else parts

"""Containers as expressions: displays, comprehensions, what iterating and subscripts give."""

from __future__ import annotations

from typing import Any

import libcst as cst

from .base import Arguments, EngineBase
from .model import Cell, ClassInfo, Site
from .narrowing import Narrowing
from .texts import glob, is_text
from .values import (
    INT,
    NONE,
    NOTHING,
    SHAPE,
    STR,
    TYPE,
    UNKNOWNS,
    Const,
    Container,
    FunctionRef,
    Instance,
    MethodRef,
    Scalar,
    Tensor,
    Text,
    Value,
    Values,
    classes,
)


class Displays(Narrowing, EngineBase):
    """Evaluates displays, comprehensions and subscripts."""

    def _sequence(self, node: cst.List | cst.Tuple) -> Values:
        site = self.site(node, "list" if isinstance(node, cst.List) else "tuple")
        cells: list[Cell] | None = []
        for index, element in enumerate(node.elements):
            if isinstance(element, cst.StarredElement):
                inner = self.elements(self.evaluate(element.value), element.value)
                self.loops.add(element.value)
                self.write(site.elements, inner)
                cells = None
                continue
            values = self.evaluate(element.value)
            self.write(site.elements, values)
            if cells is not None:
                cell = site.ordered[index] if site.ordered is not None and index < len(site.ordered) else Cell()
                self.write(cell, values)
                cells.append(cell)
        self.lay_out(site, cells)
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
                self.write(site.keys, classes(keys))
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
                self.write(site.keys, self.read(value.site.keys))
                for name, cell in list(value.site.named.items()):
                    self.write(site.named.setdefault(name, Cell()), self.read(cell))
                for name, cell in list(value.site.patterns.items()):
                    self.write(site.patterns.setdefault(name, Cell()), self.read(cell))

    def keys_of(self, site: Site) -> Values:
        """What iterating over a mapping gives."""
        found = self.read(site.keys)
        return found | STR if site.named or not found else found

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
        self.write(site.keys, classes(keys))
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
                    found |= self.keys_of(value.site)
                else:
                    found |= self.read(value.site.elements) or NOTHING
            elif isinstance(value, Tensor):
                found |= {Tensor(weak=value.weak, dtype=value.dtype)}
            elif isinstance(value, Scalar) and value.type in ("shape", "range"):
                found |= INT
            elif is_text(value):
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

    def _subscript(self, node: cst.Subscript) -> Values:
        owners = self.evaluate(node.value)
        keys = NOTHING
        sliced = False
        for element in node.slice:
            if isinstance(element.slice, cst.Index):
                keys |= self.evaluate(element.slice.value)
                if keys >= TYPE:
                    self.type_tests.add((element.slice, node.value))
            elif isinstance(element.slice, cst.Slice):
                sliced = True
                for part in (element.slice.lower, element.slice.upper, element.slice.step):
                    if part is not None:
                        self.evaluate(part)
        result = NOTHING
        for owner in owners - NONE if len(owners) > 1 else owners:
            result |= self.item(owner, keys, sliced, node)
        return result or self.missing()

    def item(self, owner: Value, keys: Values, sliced: bool, node: cst.CSTNode) -> Values:
        if isinstance(owner, Tensor):
            return frozenset({Tensor(weak=owner.weak, dtype=owner.dtype)})
        if isinstance(owner, Scalar):
            if owner.type == "shape":
                return SHAPE if sliced else INT
            if owner.type == "str":
                return STR
            if owner.type == "ndarray":  # an index may end at one of its numbers
                return frozenset({owner} if sliced else {owner, Scalar("number")})
            return UNKNOWNS
        if is_text(owner):
            return STR
        if isinstance(owner, Instance):
            if owner.cls.self_site is not None:
                return self.container_elements(owner.cls)
            method = self.find_method(owner.cls, "__getitem__")
            if method is not None:
                return self.call(frozenset({FunctionRef(method, frozenset({owner}))}), Arguments([keys], {}), node)
            return UNKNOWNS
        if isinstance(owner, MethodRef) and owner.name == "__dict__":  # `models.__dict__[name]`
            return self.computed_attribute(owner.receiver, keys, node)
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
                self.read(site.elements)  # what is put in under names that are not known comes with a pattern
                for pattern, cell in site.patterns.items():
                    found |= self.read(cell) if glob(pattern, key.value) else NOTHING
            else:
                exact = False
        if exact and keys:
            return found
        return found | self.read(site.elements)

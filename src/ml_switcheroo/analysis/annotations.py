"""What a type annotation says about a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from .values import NOTHING, UNKNOWNS, Api, ClassRef, Const, Container, Factory, Instance, Layer, Scalar, Tensor, Values

if TYPE_CHECKING:
    from .base import EngineBase

BUILTINS = {"int": "int", "float": "float", "bool": "bool", "str": "str"}
CONTAINERS = frozenset({"dict", "Dict", "list", "List", "tuple", "Tuple", "set", "Set"})
SEQUENCES = frozenset({"List", "list", "Sequence", "Iterable", "Tuple", "tuple", "Iterator", "Collection"})


def annotation_values(engine: EngineBase, node: cst.BaseExpression) -> Values:
    """Abstract values for an annotation; the empty set where it says nothing that the analysis knows."""
    if isinstance(node, cst.SimpleString):
        if node not in engine.annotation_texts:
            try:
                engine.annotation_texts[node] = cst.parse_expression(str(node.evaluated_value))
            except cst.ParserSyntaxError:
                return NOTHING
        node = engine.annotation_texts[node]
    if isinstance(node, cst.BinaryOperation):  # X | Y
        return annotation_values(engine, node.left) | annotation_values(engine, node.right)
    if isinstance(node, cst.Name):
        if node.value in BUILTINS:
            return frozenset({Scalar(BUILTINS[node.value])})
        if node.value == "None":
            return frozenset({Const(None)})
        if node.value in CONTAINERS:  # of whatever
            site = engine.site(node, node.value.lower())
            engine.write(site.elements, UNKNOWNS)
            return frozenset({Container(site)})
    if isinstance(node, cst.Subscript):
        return _generic(engine, node)
    if isinstance(node, (cst.Name, cst.Attribute)):
        found = NOTHING
        for value in engine.evaluate(node):
            if isinstance(value, ClassRef):
                found |= {Instance(value.cls)}
            elif isinstance(value, Api):
                found |= _api(engine, value.name)
        return found
    return NOTHING


def _api(engine: EngineBase, name: str) -> Values:
    if name == engine.tensor_type:
        return frozenset({Tensor()})
    if name == engine.module_type:
        return frozenset({Layer("Module")})
    rows = engine.kb.read(name)
    if rows:
        hub = engine.kb.hub(rows[0].op)
        if hub is not None and hub.kind == "layer":
            return frozenset({Layer(rows[0].op)})
        if hub is not None and hub.kind == "type" and hub.returns == "tensor":
            return frozenset({Tensor()})
        if hub is not None and hub.kind in ("type", "function"):  # what stands in an annotation is a class
            known = hub.returns in engine.kind_types or (hub.kind == "type" and hub.returns in ("int", "float"))
            return frozenset({Scalar(hub.returns)}) if known else NOTHING
    return NOTHING


def _look_up_names(engine: EngineBase, node: cst.BaseExpression) -> None:
    """Facts for the passes about the types in a type, whatever the analysis makes of the whole."""
    if isinstance(node, (cst.Name, cst.Attribute)):
        engine.evaluate(node)
    elif isinstance(node, (cst.Subscript, cst.SimpleString)):
        annotation_values(engine, node)
    elif isinstance(node, (cst.List, cst.Tuple)):
        for element in node.elements:
            _look_up_names(engine, element.value)
    elif isinstance(node, cst.BinaryOperation):
        _look_up_names(engine, node.left)
        _look_up_names(engine, node.right)


def _generic(engine: EngineBase, node: cst.Subscript) -> Values:
    if isinstance(node.value, (cst.Name, cst.Attribute)):
        engine.evaluate(node.value)  # a fact for the passes: the framework has generic types of its own
    head = (
        node.value.attr.value
        if isinstance(node.value, cst.Attribute)
        else node.value.value
        if isinstance(node.value, cst.Name)
        else ""
    )
    inner = [e.slice.value for e in node.slice if isinstance(e.slice, cst.Index)]
    if head != "Literal":
        for part in inner:
            _look_up_names(engine, part)
    if head in ("Optional", "Union", "Final", "Annotated", "ClassVar"):
        found = frozenset({Const(None)}) if head == "Optional" else NOTHING
        for part in inner[:1] if head == "Annotated" else inner:
            found |= annotation_values(engine, part)
        return found
    if head in ("Type", "type"):
        found = NOTHING
        for part in inner:
            for value in annotation_values(engine, part):
                if isinstance(value, Instance):
                    found |= {ClassRef(value.cls)}
                elif isinstance(value, Layer):
                    found |= {Factory()}
        return found
    if head == "Callable" and len(inner) == 2:
        results = annotation_values(engine, inner[1])
        return frozenset({Factory()}) if any(isinstance(v, (Layer, Instance)) for v in results) else NOTHING
    if head in SEQUENCES and inner:
        site = engine.site(node, "tuple" if head.lower() == "tuple" else "list")
        for part in inner:
            if not isinstance(part, cst.Ellipsis):
                engine.write(site.elements, annotation_values(engine, part))
        return frozenset({Container(site)})
    if head in ("Dict", "dict", "Mapping", "OrderedDict") and len(inner) == 2:
        site = engine.site(node, "dict")
        engine.write(site.elements, annotation_values(engine, inner[1]))
        return frozenset({Container(site)})
    return NOTHING

"""What the attributes of a value are: of objects and classes of the project, layers, tensors, containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .base import Arguments, EngineBase
from .model import MAPPINGS, MODULE_CONTAINERS, Cell, ClassInfo, FunctionInfo, Site, modules_of
from .texts import glob
from .values import (
    BOOL,
    INT,
    MASK,
    NDARRAY,
    NONE,
    NOTHING,
    SHAPE,
    STR,
    TENSOR,
    TYPE,
    UNKNOWNS,
    Api,
    ClassRef,
    Const,
    Container,
    Factory,
    FunctionRef,
    Instance,
    Layer,
    Made,
    MethodRef,
    ModuleRef,
    Partial,
    Scalar,
    Super,
    Tensor,
    Unknown,
    Value,
    Values,
    is_mask,
)
from .versions import VERSION

if TYPE_CHECKING:
    import libcst as cst

_OFNDARRAYS = {
    "T": NDARRAY,
    "mT": NDARRAY,
    "real": NDARRAY,
    "imag": NDARRAY,
    "shape": SHAPE,
    "ndim": INT,
    "size": INT,
}


class Attributes(EngineBase):
    """Reads attributes, and turns types of hub ops into values."""

    def attribute_of(self, owner: Values, name: str, node: cst.CSTNode) -> Values:
        found = NOTHING
        for value in owner - NONE if len(owner) > 1 else owner:  # code that goes on has found out that it is not None
            found |= self._attribute_of_one(value, name, node)
        return found or self.missing()

    def _attribute_of_one(self, value: Value, name: str, node: cst.CSTNode) -> Values:
        if isinstance(value, Api):
            if plain := self._plain_constant(value):
                return self.attribute_of(plain, name, node)
            return frozenset({Api(self.kb.canonical(f"{value.name}.{name}"))})
        if name == "__class__" and isinstance(value, (Layer, Unknown)):
            return TYPE
        if name == "__dict__" and isinstance(value, ModuleRef):
            return frozenset({MethodRef(frozenset({value}), name)})
        if isinstance(value, ModuleRef):
            return self.imported(value.module.name, name)
        if (parts := self._parts_by_name(value, name, node)) is not None:
            return parts
        if isinstance(value, Instance) and value.cls.differentiable:
            found = self.context_member(value.cls, name)
            if found is not None:
                return found
        if isinstance(value, Instance):
            if name == self.training and value.cls.is_module and not self._is_self(node):
                value.cls.uses_mode = True
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
            method = hasattr(dict if value.site.kind in MAPPINGS else list, name) or self._is_of_modules(name)
            if value.site.kind in ("Sequential", "ModuleDict") and not method:
                found = NOTHING
                for pattern, cell in list(value.site.patterns.items()):
                    found |= self.read(cell) if glob(pattern, name) else NOTHING
                if found:
                    return found
            if value.site.kind in MODULE_CONTAINERS:
                return frozenset({MethodRef(frozenset({value}), name)}) if method else UNKNOWNS
        if isinstance(value, Unknown):
            return UNKNOWNS
        if value == Scalar("ndarray") and name in _OFNDARRAYS:
            return _OFNDARRAYS[name]
        if isinstance(value, Scalar) and value.type in self.kind_types:
            hub = next((self.kb.hub(row.op) for row in self.kb.read(f"{self.kind_types[value.type]}.{name}")), None)
            if hub is not None and hub.kind == "property":
                return self.typed(hub.returns, None, frozenset({value})) or UNKNOWNS
            if not self.kb.is_known_api(f"{self.kind_types[value.type]}.{name}") and not hasattr(object, name):
                return NOTHING
        if isinstance(value, (FunctionRef, Partial, Factory, MethodRef)):
            return UNKNOWNS
        if isinstance(value, Made) and not self._is_of_modules(name):
            return UNKNOWNS
        kind = _python_type(value)
        if kind is not None and not hasattr(kind, name) and not name.startswith("_"):
            return NOTHING  # whatever has this attribute, it is not this value
        return frozenset({MethodRef(frozenset({value}), name)})

    def _plain_constant(self, api: Api) -> Values:
        """What a constant of the framework is (`torch.__version__`: a text); nothing where it is no text or number."""
        row = next(iter(self.kb.read(api.name)), None)
        hub = self.kb.hub(row.op) if row is not None else None
        self.asks_version = self.asks_version or (hub is not None and hub.name == VERSION)
        if hub is None or hub.kind != "constant" or hub.returns not in ("str", "int", "float", "bool"):
            return NOTHING
        return self.typed(hub.returns, None, NOTHING)

    def _is_self(self, node: cst.CSTNode) -> bool:
        """Does a method read an attribute of its own object?"""
        owner = getattr(node, "value", None)
        parameters = self.current.parameters if self.current is not None and self.current.cls is not None else []
        return getattr(owner, "value", None) in parameters[:1]

    def _is_of_modules(self, name: str) -> bool:
        """Is this an attribute of every module of the framework?"""
        return self.kb.is_known_api(f"{self.module_type}.{name}")

    def _parts_by_name(self, value: Value, name: str, node: cst.CSTNode) -> Values | None:
        """A property that gives the direct parts of a module by name."""
        if not modules_of(frozenset({value})) or (isinstance(value, Instance) and name in value.cls.attributes):
            return None
        if not self.names_parts(name):
            return None
        site = self.site(node, "dict")
        own = value.cls.self_site if isinstance(value, Instance) else None
        if isinstance(value, Instance) and own is not None and _names_all_parts(value.cls, own):
            for child, cell in own.named.items():
                self.write(site.named.setdefault(child, Cell()), self.read(cell))
            return frozenset({Container(site)})
        self.write(site.elements, frozenset({Layer("Module")}))
        for part in modules_of(self.parts_of(value)):
            self.write(site.elements, frozenset({part}))
        return frozenset({Container(site)})

    def names_parts(self, name: str) -> bool:
        """Does this attribute of modules give their direct parts by name?"""
        hubs = [self.kb.hub(row.op) for row in self.kb.read(f"{self.module_type}.{name}")]
        return any(hub is not None and hub.kind == "property" and hub.returns == "dict[module]" for hub in hubs)

    def parts_of(self, value: Value) -> Values:
        """What a module or container of the project is known to be made of."""
        sites = [value.site] if isinstance(value, Container) else []
        found = NOTHING
        for cls in value.cls.mro() if isinstance(value, Instance) else ():
            found |= self.read(cls.children)
            sites += [cls.self_site] if cls.self_site is not None else []
        for site in sites:
            for cell in [site.elements, *site.named.values(), *site.patterns.values()]:
                found |= self.read(cell)
        return found

    def _tensor_attribute(self, value: Value, name: str) -> Values:
        rows = self.kb.read(f"{self.tensor_type}.{name}")
        for row in rows:
            hub = self.kb.hub(row.op)
            if hub is not None and hub.kind == "property":
                return self.typed(hub.returns, None, frozenset({value})) or UNKNOWNS
        mapping = isinstance(value, Tensor) and value.weak and hasattr(dict, name)  # `cache.values()` of an argument
        if name in self.tensor_methods and not mapping:
            return frozenset({MethodRef(frozenset({value}), name)})
        return UNKNOWNS

    def _layer_attribute(self, value: Layer, name: str) -> Values:
        hub = self.kb.hub(value.op)
        if hub is not None:
            if name in hub.weights:
                role = "buffer" if name.startswith(("running_", "num_batches")) else "parameter"
                given = name in hub.params and hub.params[name].type.endswith("?")  # the constructor gets it, or None
                return frozenset({Tensor(role), Const(None)}) if name == "bias" or given else frozenset({Tensor(role)})
            if name in hub.parts:
                return frozenset({Layer(hub.parts[name])})
            if name in hub.params:
                return self.typed(hub.params[name].type, None, NOTHING) or UNKNOWNS
        if name == self.training:
            return BOOL
        if value.op == "Module" and name in ("weight", "bias"):
            return frozenset({Tensor("parameter"), Const(None)})
        if name in self.kb.added_weights:
            return frozenset({Tensor("parameter")})
        if not (self._is_of_modules(name) or hasattr(object, name)):
            return UNKNOWNS  # an attribute that something else has put there
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
        if not found and not (cls.is_module and self._is_of_modules(name)):  # a computed name hides no methods
            for parent in cls.mro():
                for pattern, cell in parent.attribute_patterns.items():
                    if glob(pattern, name):
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
            values = self._layer_attribute(Layer(cls.layer), name)
            if values == UNKNOWNS:
                return self.missing()  # what some method may store or register
            bare = MethodRef(frozenset({Layer(cls.layer)}), name)
            return frozenset({MethodRef(frozenset({instance}), name) if v == bare else v for v in values})
        if cls.is_module and name == self.training:
            return BOOL
        if any(name in parent.writers for parent in cls.mro()):  # assigned, whatever to
            return self.missing()
        if cls.is_module and (self.final or self.kb.is_known_api(f"{self.module_type}.{name}")):
            return frozenset({MethodRef(frozenset({instance}), name)})
        return self.missing()

    def class_member(self, cls: ClassInfo, name: str) -> Values:
        for parent in cls.mro():
            if name in parent.methods:
                method = parent.methods[name]
                bound = frozenset({ClassRef(cls)}) if method.kind == "classmethod" else None
                return frozenset({FunctionRef(method, bound)})
        if cls.differentiable and name == self.own_backward["apply"]:
            return frozenset({MethodRef(frozenset({ClassRef(cls)}), name)})
        found = NOTHING
        for parent in cls.mro():
            if name in parent.attributes:
                found |= self.read(parent.attributes[name])
        if name == "__name__":
            return STR
        if not found and cls.is_module:
            return frozenset({Api(f"{self.module_type}.{name}")})
        return found

    def typed(self, text: str, node: cst.CSTNode | None, first: Values) -> Values:
        """Values for a hub type (docs/knowledge-base.md); empty for `any`."""
        text = text.strip()
        optional = text.endswith("?")
        head = text.rstrip("?").split("[")[0].split(" ")[0]
        none = frozenset({Const(None)}) if optional else NOTHING
        if head in ("tensor", "scalar_or_tensor"):
            dtype = text[len(head) :].rstrip("?")
            if dtype == "[bool]" or (dtype == "[same]" and is_mask(first)):
                return MASK | none
            return TENSOR | none
        if head in ("int", "float", "bool", "str", "dtype", "device", "shape", "number") or head in self.kind_types:
            return frozenset({Scalar(head)}) | none
        if head == "dims":
            return INT | SHAPE | none
        if head in ("pair", "triple"):
            return SHAPE | INT | none
        if head == "none":
            return frozenset({Const(None)})
        if head == "module":  # or a certain layer: module[Embedding]
            return frozenset({Layer(text[text.index("[") + 1 : text.rindex("]")] if "[" in text else "Module")})
        if head.startswith("itself"):
            return first
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


def _split_types(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for index, char in enumerate(text):
        depth += {"[": 1, "]": -1}.get(char, 0)
        if char == "," and depth == 0:
            parts.append(text[start:index].strip())
            start = index + 1
    last = text[start:].strip()
    return [*parts, last] if last else parts


_PYTHON = {kind.__name__: kind for kind in (list, tuple, dict, set, int, float, bool, str, range)}


def _python_type(value: Value) -> type | None:
    """The class of a value that is one of Python's own; what a named tuple has besides starts with an underscore."""
    if isinstance(value, Const):
        return type(value.value)
    if isinstance(value, Scalar):
        return _PYTHON.get(value.type)
    if isinstance(value, Container):
        return _PYTHON.get(value.site.kind)
    return None


def _names_all_parts(cls: ClassInfo, own: Site) -> bool:
    """Are the parts of a container class exactly those that it gives names itself?"""
    others = any(modules_of(cell.values) and name not in own.named for name, cell in cls.attributes.items())
    return bool(own.named) and not (others or own.ordered or own.patterns) and len(cls.mro()) == 1

"""Methods of tensors and modules, as calls: their results, and what they register and store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .base import Arguments, EngineBase
from .model import Cell, ClassInfo, modules_of
from .values import (
    ARRAY_METHODS,
    NOTHING,
    REDUCING,
    STR,
    UNKNOWNS,
    ClassRef,
    Const,
    Container,
    Instance,
    Layer,
    MethodRef,
    Scalar,
    Super,
    Tensor,
    Text,
    Value,
    Values,
    number_type,
)

if TYPE_CHECKING:
    import libcst as cst


class MethodCalls(EngineBase):
    """Evaluates method calls on what is not an object of the project."""

    def _call_method(self, method: MethodRef, args: Arguments, node: cst.CSTNode) -> Values:
        found = NOTHING
        for owner in method.receiver:
            found |= self._call_method_of(owner, method.name, args, node)
        return found

    def _call_method_of(self, owner: Value, name: str, args: Arguments, node: cst.CSTNode) -> Values:
        if isinstance(owner, Tensor):
            return self._tensor_method(owner, name, args, node)
        if isinstance(owner, Container):
            return self.container_method(owner, name, args, node)
        if isinstance(owner, (ClassRef, Instance)) and owner.cls.differentiable:
            return self.call_with_backward(owner, name, args, node)
        if isinstance(owner, (Instance, Layer)):
            return self._module_method(frozenset({owner}), name, args, node)
        if isinstance(owner, Super):
            return self._super_method(owner.cls, name, args, node)
        if isinstance(owner, (Const, Text)) or (isinstance(owner, Scalar) and owner.type == "str"):
            return self.text_method(owner, name, args)
        if isinstance(owner, Scalar) and owner.type == "shape":
            return frozenset({Scalar("int")})
        if isinstance(owner, Scalar) and owner.type == "ndarray":
            if name == "tolist":
                return UNKNOWNS
            if name == "item":
                return frozenset({Scalar("number")})
            return frozenset({owner, Scalar("number")} if name in REDUCING else {owner})
        if number_type(owner) is not None and name in ARRAY_METHODS:  # a number of an array library
            return frozenset({Scalar("ndarray"), Scalar("number")})
        if isinstance(owner, Scalar) and owner.type in self.kind_types:
            rows = self.kb.read(f"{self.kind_types[owner.type]}.{name}")
            hub = self.kb.hub(rows[0].op) if rows else None
            if hub is not None:
                return self.typed(hub.returns, node, frozenset({owner})) or UNKNOWNS
        return UNKNOWNS

    def _tensor_method(self, owner: Tensor, name: str, args: Arguments, node: cst.CSTNode) -> Values:
        rows = self.kb.read(f"{self.tensor_type}.{name}")
        if not rows and name.endswith("_"):
            rows = self.kb.read(f"{self.tensor_type}.{name.rstrip('_')}")
        if not rows:
            return frozenset({Tensor()})
        row = self._fitting(rows, args, frozenset({owner}))
        hub = self.kb.hub(row.op)
        if hub is None:
            return UNKNOWNS
        if hub.kind == "inplace" and hub.returns.startswith("same"):  # the tensor itself, with what it is part of
            return frozenset({owner})
        return self.mask_made(hub, args) or self.typed(hub.returns, node, frozenset({owner})) or UNKNOWNS

    def _super_method(self, cls: ClassInfo, name: str, args: Arguments, node: cst.CSTNode) -> Values:
        if name == "__init__":
            if cls.container is not None:
                self.fill_children(self.own_site(cls), args)
            return frozenset({Const(None)})
        if name == self.forward and cls.container == "Sequential":
            return self._chain(self.own_site(cls), self.container_elements(cls), args, node)
        if name == self.forward and cls.layer is not None:
            return self.call(frozenset({Layer(cls.layer)}), args, node)
        return self._module_method(frozenset({Instance(cls)}), name, args, node)

    def _module_method(self, owner: Values, name: str, args: Arguments, node: cst.CSTNode) -> Values:
        """Methods that every module of a framework has; named as the hub's rows for them are."""
        module: Values = frozenset({Layer("Module")})
        if name == "__setattr__":
            self.store_computed_attribute(owner, args.get(0, "name"), args.get(1, "value"))
            return frozenset({Const(None)})
        if name == "__getattr__":
            return self.computed_attribute(owner, args.get(0, "name"), node)
        if name in ("add_module", "register_module"):
            self._name_child(owner, args.get(0, "name"), args.get(1, "module"))
            return frozenset({Const(None)})
        if name in ("register_buffer", "register_parameter"):
            self._register(owner, name, args)
            return frozenset({Const(None)})
        if name == "apply":
            self.call(args.get(0, "fn"), Arguments([module], {}), node)
            return owner
        if name in ("modules", "children"):
            return self._list_of(node, module | self._direct_children(owner, name))
        if name in ("named_modules", "named_children"):
            return self._list_of(node, self._pair(node, module | self._direct_children(owner, name)))
        listed = name in ("parameters", "named_parameters", "state_dict") and any(map(_has_layers, owner))
        parameter: Values = frozenset({Tensor("parameter", listed=listed)})
        if name in ("parameters", "buffers"):
            return self._list_of(node, parameter)
        if name in ("named_parameters", "named_buffers"):
            return self._list_of(node, self._pair(node, parameter))
        if name == self.forward:
            return self.call(owner, args, node)
        if name in ("state_dict",):
            site = self.site(node, "dict")
            self.write(site.patterns.setdefault("*", Cell()), frozenset({Tensor(listed=listed)}))
            self.write(site.elements, frozenset({Tensor(listed=listed)}))
            return frozenset({Container(site)})
        rows = self.kb.read(f"{self.module_type}.{name}")
        if rows:
            hub = self.kb.hub(rows[0].op)
            if hub is not None:
                return self.typed(hub.returns, node, owner) or owner
        return UNKNOWNS

    def _direct_children(self, owners: Values, name: str) -> Values:
        """The modules that modules of the project are known to be made of."""
        found = NOTHING
        for owner in owners if name.endswith("children") else ():
            found |= modules_of(self.parts_of(owner))
        return found

    def _list_of(self, node: cst.CSTNode, values: Values) -> Values:
        site = self.site(node, "list")
        self.write(site.elements, values)
        return frozenset({Container(site)})

    def _pair(self, node: cst.CSTNode, values: Values, keys: Values = STR) -> Values:
        site = self.site(node, "tuple")
        if site.ordered is None:
            site.ordered = [Cell(), Cell()]
        self.write(site.ordered[0], keys)
        self.write(site.ordered[1], values)
        self.write(site.elements, values | keys)
        return frozenset({Container(site)})

    def _name_part(self, names: Values, values: Values) -> None:
        """What a module without a class of its own gets: `noises = nn.Module(); noises.register_buffer(...)`."""
        for name in names:
            text = name.value if isinstance(name, Const) else name.pattern if isinstance(name, Text) else "*"
            if isinstance(text, str) and text != "*":
                self.write(self.bare.setdefault(text, Cell()), values)

    def _name_child(self, owners: Values, names: Values, values: Values) -> None:
        for owner in owners:
            if owner == Layer("Module") and modules_of(values):
                self._name_part(names, values)
            if isinstance(owner, Instance):
                cls = owner.cls
                self.write(cls.children, modules_of(values))
                for name in names:
                    if isinstance(name, Const) and isinstance(name.value, str):
                        self.write(cls.attributes.setdefault(name.value, Cell()), values)
                        if cls.container is not None:
                            self.write(self.own_site(cls).named.setdefault(name.value, Cell()), values)
                    else:
                        pattern = name.pattern if isinstance(name, Text) else "*"
                        if pattern != "*" or self._is_here(cls):  # else it replaces children, whatever their names are
                            self.write(cls.attribute_patterns.setdefault(pattern, Cell()), values)
                        if cls.container is not None:
                            self.write(self.own_site(cls).patterns.setdefault(pattern, Cell()), values)
                            self.write(self.own_site(cls).elements, values)

    def _is_here(self, cls: ClassInfo) -> bool:
        """Is this code of the class or of one of its bases?"""
        here = self.current
        while here is not None and here.cls is None:
            here = here.outer
        return here is not None and here.cls in cls.mro()

    def _register(self, owners: Values, name: str, args: Arguments) -> None:
        role = "buffer" if name == "register_buffer" else "parameter"
        values = args.get(1, "tensor" if role == "buffer" else "param")
        stored = frozenset(Tensor(role) if not (isinstance(v, Const) and v.value is None) else v for v in values)
        persistent = args.get(2, "persistent")
        for owner in owners:
            if owner == Layer("Module"):
                self._name_part(args.get(0, "name"), stored)
            if isinstance(owner, Instance):
                for key in args.get(0, "name"):
                    if isinstance(key, Const) and isinstance(key.value, str):
                        self.write(owner.cls.attributes.setdefault(key.value, Cell()), stored)
                        if role == "buffer":
                            owner.cls.persistent[key.value] = persistent != frozenset({Const(False)})
                    else:
                        self.write(
                            owner.cls.attribute_patterns.setdefault(
                                key.pattern if isinstance(key, Text) else "*", Cell()
                            ),
                            stored,
                        )

    def store_computed_attribute(self, owners: Values, names: Values, values: Values) -> None:
        """`setattr(self, f"layer{i}", ...)`."""
        self._name_child(owners, names, values)


def _has_layers(owner: Value) -> bool:
    """May a module have layers of the framework in it, whose weights a target may store otherwise?"""
    if isinstance(owner, Container):
        return owner.site.kind not in ("ParameterList", "ParameterDict")
    if not isinstance(owner, Instance):
        return True
    held = [v for cls in owner.cls.mro() for cell in cls.attributes.values() for v in cell.values]
    return owner.cls.layer is not None or any(isinstance(v, (Layer, Instance, Container)) for v in held)

"""Methods of lists, dicts and module containers, and of texts."""

from __future__ import annotations

import libcst as cst

from .base import Arguments, EngineBase
from .model import MAPPINGS, Cell, Site
from .values import NOTHING, TYPE, UNKNOWNS, Const, Container, Instance, Scalar, Text, Value, Values

NAMED = frozenset({"Sequential", "ModuleDict", "ParameterDict"})


class ContainerCalls(EngineBase):
    """What containers hold after their methods were called."""

    def fill_children(self, site: Site, args: Arguments) -> None:
        """Children given to the constructor of a module container."""
        single = args.positional[0] if len(args.positional) == 1 and not args.open else NOTHING
        mappings = [v for v in single if isinstance(v, Container) and v.site.kind in MAPPINGS]
        lists = [
            v for v in single if isinstance(v, Container) and v.site.kind in ("list", "tuple", "set", "ModuleList")
        ]
        if mappings:
            for mapping in mappings:
                for name, cell in list(mapping.site.named.items()):
                    self.write(site.named.setdefault(name, Cell()), self.read(cell))
                for pattern, cell in list(mapping.site.patterns.items()):
                    self.write(site.patterns.setdefault(pattern, Cell()), self.read(cell))
                self.write(site.elements, self.read(mapping.site.elements))
            return
        if site.kind != "Sequential" and single:
            for value in lists:
                self.write(site.elements, self.read(value.site.elements))
                self.lay_out(site, value.site.ordered if len(lists) == 1 else None)
            if not lists:
                self.write(site.elements, self.element_values(single))
            return
        for values in args.positional:
            self.write(site.elements, values)
        self.write(site.elements, args.starred)
        if args.open:
            self.lay_out(site, None)
        elif not site.grown:
            if site.ordered is None or len(site.ordered) != len(args.positional):
                self.lay_out(site, [Cell() for _ in args.positional])
            for cell, values in zip(site.ordered or (), args.positional, strict=True):
                self.write(cell, values)

    def container_method(self, owner: Container, name: str, args: Arguments, node: cst.CSTNode) -> Values:
        site = owner.site
        none: Values = frozenset({Const(None)})
        if name in ("append", "add", "appendleft"):
            self._grow(site, args.get(0))
            return none if site.kind in ("list", "set") else frozenset({owner})
        if name == "insert":
            self._grow(site, args.get(1))
            return none
        if name in ("extend", "union"):
            for value in args.get(0):
                if isinstance(value, Container):
                    self._grow(site, self.read(value.site.elements))
                else:
                    self._grow(site, self.element_values(frozenset({value})))
            return none if name == "extend" and site.kind == "list" else frozenset({owner})
        if name in ("add_module", "register_module"):
            self._named_child(site, args.get(0, "name"), args.get(1, "module"))
            return none
        if name in ("update", "load_state_dict"):
            if name == "update":
                for value in args.get(0):
                    if isinstance(value, Container):
                        for child, cell in list(value.site.named.items()):
                            self.write(site.named.setdefault(child, Cell()), self.read(cell))
                        for pattern, cell in list(value.site.patterns.items()):
                            self.write(site.patterns.setdefault(pattern, Cell()), self.read(cell))
                        self.write(site.elements, self.read(value.site.elements))
                        self.write(site.keys, self.read(value.site.keys))
                for keyword, values in args.keywords.items():
                    self.write(site.named.setdefault(keyword, Cell()), values)
                    self.write(site.elements, values)
            return none
        if name in ("pop", "popitem", "get", "setdefault", "__getitem__"):
            found = NOTHING
            if name == "pop":
                self.shift(owner)
            key_values = args.get(0)
            if key_values >= TYPE and isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
                self.type_tests.add((node, node.func.value))
            exact = bool(key_values)
            for key in key_values:
                if isinstance(key, Const) and isinstance(key.value, str) and site.kind in MAPPINGS:
                    if key.value in site.named:
                        found |= self.read(site.named[key.value])
                    elif site.patterns:
                        exact = False
                    else:
                        self.read(site.elements)
                else:
                    exact = False
            if not exact:
                found |= self.read(site.elements)
            default = args.get(1, "default")
            if name == "setdefault":
                for key in key_values:
                    if isinstance(key, Const) and isinstance(key.value, str):
                        self.write(site.named.setdefault(key.value, Cell()), default)
                self.write(site.elements, default)
            if name in ("get", "pop", "setdefault") and site.kind in MAPPINGS:
                found = found or self.missing()  # what nobody here puts in, others may
                found |= default or (frozenset({Const(None)}) if name == "get" else NOTHING)
            return found or self.missing()
        if name in ("items", "named_children", "named_modules"):
            return self._listing(node, self._pair(node, self._all(site), self.keys_of(site)))
        if name == "values" and site.kind == "dict" and site.named and not site.patterns:
            parts = [self.read(cell) for cell in site.named.values()]
            if site.elements.values <= frozenset().union(*parts):  # nothing else was put in
                return self._tuple(node, parts)
        if name in ("values", "children", "modules"):
            return self._listing(node, self._all(site))
        if name == "keys":
            return self._listing(node, self.keys_of(site))
        if name == "copy":
            return frozenset({owner})
        if name in ("index", "count", "__len__"):
            return frozenset({Scalar("int")})
        if site.kind not in ("list", "tuple", "dict", "set"):
            return self._module_method(frozenset({owner}), name, args, node)
        found = self.read(site.elements)
        return found or UNKNOWNS

    def _all(self, site: Site) -> Values:
        found = self.read(site.elements)
        for cell in [*site.named.values(), *site.patterns.values()]:
            found |= self.read(cell)
        return found

    def shift(self, owner: Value) -> None:
        """Something was taken out: what comes after it has another position, and in a Sequential another name."""
        own = owner.cls.self_site if isinstance(owner, Instance) else None
        site = owner.site if isinstance(owner, Container) else own
        if site is not None and site.kind not in MAPPINGS:
            self._grow(site, NOTHING)

    def _grow(self, site: Site, values: Values) -> None:
        self.lay_out(site, None)
        site.grown = True
        self.write(site.elements, values)

    def _named_child(self, site: Site, names: Values, values: Values) -> None:
        for name in names:
            if isinstance(name, Const) and isinstance(name.value, str):
                self.write(site.named.setdefault(name.value, Cell()), values)
            else:
                self.write(site.patterns.setdefault(name.pattern if isinstance(name, Text) else "*", Cell()), values)
        self.write(site.elements, values)

    def _listing(self, node: cst.CSTNode, values: Values) -> Values:
        site = self.site(node, "list")
        self.write(site.elements, values)
        return frozenset({Container(site)})

    def text_method(self, owner: Value, name: str, args: Arguments) -> Values:
        if name == "format":
            text = owner.value if isinstance(owner, Const) else owner.pattern if isinstance(owner, Text) else None
            return frozenset({Text(_braces(text))}) if isinstance(text, str) else frozenset({Scalar("str")})
        if name == "join":
            return frozenset({Text("*")})
        if name in ("split", "rsplit", "splitlines", "partition"):
            return UNKNOWNS
        if name.startswith(("is", "starts", "ends")):
            return frozenset({Scalar("bool")})
        if (
            name in ("lower", "upper", "strip", "replace")
            and isinstance(owner, Const)
            and isinstance(owner.value, str)
            and not args.positional
        ):
            return frozenset({Const(getattr(owner.value, name)())})
        if name in ("count", "find", "index"):
            return frozenset({Scalar("int")})
        return frozenset({Scalar("str")}) if not isinstance(owner, Instance) else UNKNOWNS


def _braces(text: str) -> str:
    out, depth = "", 0
    for char in text:
        if char == "{":
            depth += 1
            if depth == 1:
                out += "*"
        elif char == "}":
            depth = max(0, depth - 1)
        elif depth == 0:
            out += char
    return out

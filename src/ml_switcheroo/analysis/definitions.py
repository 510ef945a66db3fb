"""How definitions are interpreted: functions and their parameters, classes and their kinds."""

from __future__ import annotations

import libcst as cst

from .annotations import annotation_values
from .base import EngineBase
from .model import MODULE_CONTAINERS, Cell, ClassInfo, FunctionInfo
from .nodes import walk
from .project import dotted
from .values import (
    NOTHING,
    UNKNOWNS,
    Api,
    ClassRef,
    Const,
    Container,
    FunctionRef,
    Instance,
    Scalar,
    Tensor,
    Values,
)

OF_DICT = frozenset(dir(dict))
ONLY_OF_DICT = frozenset({"get", "items", "keys", "update"})


class Definitions(EngineBase):
    """Executes definitions of functions and classes."""

    def declare_function(self, node: cst.FunctionDef | cst.Lambda, cls: ClassInfo | None) -> FunctionInfo:
        """The FunctionInfo of a definition; parameters get what their defaults and annotations say."""
        function = self.functions.get(node)
        assert self.current is not None
        if function is None:
            module = self.current.module
            name = node.name.value if isinstance(node, cst.FunctionDef) else "<lambda>"
            prefix = (
                cls.qualname if cls is not None else ("" if self.current.kind == "module" else self.current.qualname)
            )
            function = FunctionInfo(
                name=name,
                qualname=f"{prefix}.{name}" if prefix else name,
                node=node,
                module=module,
                cls=cls,
                outer=self.current,
            )
            function.kind = "lambda" if isinstance(node, cst.Lambda) else ("method" if cls is not None else "function")
            self.functions[node] = function
            if isinstance(node, cst.FunctionDef):
                decorators = [
                    dotted(d.decorator.func if isinstance(d.decorator, cst.Call) else d.decorator)
                    for d in node.decorators
                ]
                if cls is not None:
                    for kind in ("staticmethod", "classmethod", "property"):
                        if kind in decorators or (kind == "property" and "cached_property" in " ".join(decorators)):
                            function.kind = kind
                    if any(d.endswith(".setter") for d in decorators):
                        function.kind = "method"
            for parameter in _parameters(node.params):
                function.parameters.append(parameter.name.value)
                function.variables[parameter.name.value] = Cell()
            if isinstance(node.params.star_arg, cst.Param):
                function.star = node.params.star_arg.name.value
            if node.params.star_kwarg is not None:
                function.double_star = node.params.star_kwarg.name.value
            if self.current.module in self.targets:
                self.start(function)
            if function.qualname not in module.functions:
                module.functions[function.qualname] = function
        self._seed_parameters(function, node.params)
        return function

    def _seed_parameters(self, function: FunctionInfo, params: cst.Parameters) -> None:
        mappings = _mappings(function.node) if self._is_forward(function) or self.is_pass(function) else frozenset()
        for index, parameter in enumerate(_parameters(params)):
            cell = function.variables[parameter.name.value]
            name = parameter.name.value
            typed = annotation_values(self, parameter.annotation.annotation) if parameter.annotation else NOTHING
            if name == function.star:
                cell_site = self.site(parameter, "tuple")
                self.write(cell, frozenset({Container(cell_site)}))
                self.write(cell_site.elements, typed)
                if self.is_pass(function):
                    self.write(cell_site.elements, self.seed_of_pass(function, index) or frozenset({Tensor(weak=True)}))
                continue
            if name == function.double_star:
                self.write(cell, frozenset({Container(self.site(parameter, "dict"))}))
                continue
            if index == 0 and function.cls is not None and function.kind in ("method", "property"):
                self.write(cell, frozenset({Instance(function.cls)}))
                continue
            if index == 0 and function.cls is not None and function.kind == "classmethod":
                self.write(cell, frozenset({ClassRef(function.cls)}))
                continue
            values = self.seed_of_pass(function, index) if self.is_pass(function) else NOTHING
            if values:
                self.write(cell, values)
                continue
            values = typed
            if parameter.default is not None:
                default = self.evaluate(parameter.default)
                function.defaults[name] = default
                values |= default | _types_of(default)
            elif not values and (self._is_forward(function) or self.is_pass(function)):
                values = frozenset({Tensor(weak=True)})
                if name in mappings:
                    batch = self.site(parameter, "dict")
                    self.write(batch.elements, values)
                    values = frozenset({Container(batch)})
            if self._is_forward(function) and parameter.default is not None and values == frozenset({Const(None)}):
                values |= {Tensor(weak=True)}
            self.write(cell, values)

    def _is_forward(self, function: FunctionInfo) -> bool:
        return function.cls is not None and function.cls.is_module and function.name in (self.forward, "__call__")

    def _function(self, node: cst.FunctionDef, cls: ClassInfo | None = None) -> None:
        function = self.declare_function(node, cls)
        result: Values = frozenset({FunctionRef(function)})
        for decorator in reversed(node.decorators):
            self.evaluate(decorator.decorator)
        if node.returns is not None:
            values = annotation_values(self, node.returns.annotation)
            if function.result.values <= UNKNOWNS and values and function.module not in self.targets:
                self.write(function.result, values)
            function.returns = values
        self.assign(node.name, result)

    def _look_again(self, changed: ClassInfo) -> None:
        """Methods that have been read before all bases were known may have found others, or none, behind `super()`."""
        for cls in self.classes.values():
            if changed in cls.mro():
                for method in cls.methods.values():
                    if method.calls:
                        self.enqueue(method)

    def _class(self, node: cst.ClassDef) -> None:
        assert self.current is not None
        cls = self.classes.get(node)
        module = self.current.module
        if cls is None:
            prefix = "" if self.current.kind == "module" else self.current.qualname + "."
            cls = ClassInfo(name=node.name.value, qualname=prefix + node.name.value, node=node, module=module)
            self.classes[node] = cls
            module.classes.setdefault(cls.qualname, cls)
        if cls.set_bases([self.evaluate(argument.value) for argument in node.bases if not argument.star]):
            self._look_again(cls)
        self._classify(cls)
        for decorator in node.decorators:
            values = self.evaluate(decorator.decorator)
            cls.dataclass = (
                cls.dataclass
                or any(isinstance(v, Api) and v.name.startswith("dataclasses.") for v in values)
                or "dataclass"
                in dotted(
                    decorator.decorator.func if isinstance(decorator.decorator, cst.Call) else decorator.decorator
                )
            )
        outer_env = self.env
        self.env = dict(outer_env)
        names_before = dict(self.env)
        for statement in node.body.body if isinstance(node.body, cst.IndentedBlock) else [node.body]:
            if isinstance(statement, cst.FunctionDef):
                self._function(statement, cls)
                method = self.functions[statement]
                known = cls.methods.get(method.name)
                if known is None or known.kind != "property" or method.kind == "property":
                    cls.methods[method.name] = method
            else:
                self.block([statement])
        for name, values in self.env.items():
            if "." in name or name in cls.methods or names_before.get(name) is values:
                continue
            others = {value.function for value in values if isinstance(value, FunctionRef)}
            if len(others) == len(values) == 1 and others <= set(cls.methods.values()):
                cls.methods[name] = others.pop()  # `forward = log_prob`
                continue
            if name not in outer_env or outer_env[name] != values:
                self.write(cls.attributes.setdefault(name, Cell()), values)
        self.env = outer_env
        self.assign(node.name, frozenset({ClassRef(cls)}))

    def _classify(self, cls: ClassInfo) -> None:
        """What kind of class this is, from its bases."""
        for base in cls.bases:
            for value in base:
                if isinstance(value, ClassRef):
                    parent = value.cls
                    if cls not in parent.subclasses:
                        parent.subclasses.append(cls)
                    cls.is_module = cls.is_module or parent.is_module
                    cls.differentiable = cls.differentiable or parent.differentiable
                    cls.container = cls.container or parent.container
                    cls.layer = cls.layer or parent.layer
                    cls.dataclass = cls.dataclass or parent.dataclass
                    cls.outside = cls.outside or parent.outside
                elif isinstance(value, Api):
                    if value.name == self.module_type:
                        cls.is_module = True
                        continue
                    if value.name == self.own_backward.get("base"):
                        cls.differentiable = True
                        continue
                    rows = self.kb.read(value.name)
                    if rows:
                        op = rows[0].op
                        hub = self.kb.hub(op)
                        if op in MODULE_CONTAINERS:
                            cls.container, cls.is_module = op, True
                        elif hub is not None and hub.kind == "layer":
                            cls.layer, cls.is_module = op, True
                    elif value.name.split(".")[0] in self.roots:
                        cls.outside = True
                elif value in UNKNOWNS:
                    cls.outside = True
        if cls.container is not None and cls.self_site is None:
            cls.self_site = self.site(cls.node, cls.container)


def _parameters(params: cst.Parameters) -> list[cst.Param]:
    """All parameters in the order of the signature, `*args` and `**kwargs` included."""
    found = [*params.posonly_params, *params.params]
    if isinstance(params.star_arg, cst.Param):
        found.append(params.star_arg)
    found.extend(params.kwonly_params)
    if params.star_kwarg is not None:
        found.append(params.star_kwarg)
    return found


def _mappings(function: cst.CSTNode) -> frozenset[str]:
    """The names that a function uses as dictionaries, and as nothing else: `batch["image"]`, `batch.get(key)`."""
    found: set[str] = set()
    others: set[str] = set()
    for node in walk(function):
        if isinstance(node, cst.Attribute) and isinstance(node.value, cst.Name):
            if node.attr.value in ONLY_OF_DICT:
                found.add(node.value.value)
            elif node.attr.value not in OF_DICT:
                others.add(node.value.value)
        elif isinstance(node, cst.Subscript) and isinstance(node.value, cst.Name):
            first = node.slice[0].slice
            index = first.value if isinstance(first, cst.Index) and len(node.slice) == 1 else None
            if isinstance(index, (cst.SimpleString, cst.FormattedString)):
                found.add(node.value.value)
            elif index is None or isinstance(index, (cst.Integer, cst.UnaryOperation)):
                others.add(node.value.value)
    return frozenset(found - others)


def _types_of(values: Values) -> Values:
    """A default is one of the values that may come: others of its type may, too."""
    return frozenset(Scalar(type(v.value).__name__) for v in values if isinstance(v, Const) and v.value is not None)

"""From the facts of the analysis to the grammar of the module trees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis import values as v
from ..analysis.nodes import Visitor
from ..analysis.project import dotted
from .grammar import (
    ANYTHING,
    CALLABLE,
    TENSOR,
    ClassRule,
    ContainerRule,
    Grammar,
    container,
    instance,
    is_tensor,
    layer,
    tensor,
)
from .ranks import Ranks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..analysis.base import EngineBase
    from ..analysis.model import ClassInfo, ModuleInfo, Site

NONE = v.Const(None)
BARE = "a module of parts"
MODULE_CONTAINERS = frozenset({"Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"})


def grammar_of(modules: Iterable[ModuleInfo], engine: EngineBase) -> Grammar:
    """The grammar of the module classes of these files, and of the classes elsewhere that they contain."""
    return _Collector(Ranks(engine)).collect(modules)


def ties_of(cls: ClassInfo) -> list[tuple[str, str]]:
    """Statements that give something a second name: `self.head.weight = self.embed.weight`, `self.b = self.a`."""
    found = []
    for function in cls.methods.values():
        finder = _Aliases(function.parameters[0] if function.parameters else "")
        function.node.visit(finder)
        found += finder.found
    return found


def always_set(cls: ClassInfo) -> set[str]:
    """The attributes that the constructor sets without a condition, as far as its own statements show."""
    found: set[str] = set()
    function = cls.methods.get("__init__")
    block = function.node.body if function is not None and isinstance(function.node, cst.FunctionDef) else None
    receiver = f"{function.parameters[0]}." if function is not None and function.parameters else "."
    register = {receiver + name for name in ("register_buffer", "register_parameter")}
    for statement in block.body if isinstance(block, cst.IndentedBlock) else ():
        for small in statement.body if isinstance(statement, cst.SimpleStatementLine) else ():
            targets = [target.target for target in small.targets] if isinstance(small, cst.Assign) else []
            targets += [small.target] if isinstance(small, cst.AnnAssign) and small.value is not None else []
            names = [dotted(target).removeprefix(receiver) for target in targets if dotted(target).startswith(receiver)]
            found |= {name for name in names if "." not in name}
            call = small.value if isinstance(small, cst.Expr) else None
            if isinstance(call, cst.Call) and len(call.args) > 1 and dotted(call.func) in register:
                name, value = call.args[0].value, call.args[1].value
                if isinstance(name, cst.SimpleString) and not (isinstance(value, cst.Name) and value.value == "None"):
                    found.add(str(name.evaluated_value))
    return found


class _Aliases(Visitor):
    def __init__(self, receiver: str) -> None:
        self.start = receiver + "."
        self.found: list[tuple[str, str]] = []

    def visit_Assign(self, node: cst.Assign) -> None:
        for target in node.targets:
            self._tie(dotted(target.target), dotted(node.value))

    def visit_Call(self, node: cst.Call) -> None:
        """`self.register_parameter("b", self.a)`"""
        if dotted(node.func) == f"{self.start}register_parameter" and len(node.args) > 1:
            name = node.args[0].value
            if isinstance(name, cst.SimpleString):
                self._tie(self.start + str(name.evaluated_value), dotted(node.args[1].value))

    def _tie(self, name: str, value: str) -> None:
        if name.startswith(self.start) and value.startswith(self.start) and name != value:
            self.found.append((name.removeprefix(self.start), value.removeprefix(self.start)))


class _Collector:
    def __init__(self, ranks: Ranks) -> None:
        self.ranks = ranks
        self.grammar = Grammar()
        self.names: dict[ClassInfo, str] = {}
        self.sites: dict[int, str] = {}
        self.kept: list[Site] = []  # keeps ids unique
        self.waiting: list[ClassInfo] = []

    def collect(self, modules: Iterable[ModuleInfo]) -> Grammar:
        modules = list(modules)
        for module in modules:
            for cls in module.classes.values():
                if cls.is_module:
                    self.name(cls)
        while self.waiting:
            cls = self.waiting.pop(0)
            self.grammar.classes[self.names[cls]] = self.rule(cls)
        for module in modules:
            self.factories(module)
            self.built_elsewhere(module)
        while self.waiting:  # what only the factories know
            cls = self.waiting.pop(0)
            self.grammar.classes[self.names[cls]] = self.rule(cls)
        return self.grammar

    def name(self, cls: ClassInfo) -> str:
        """A name for a class; its module comes before it where two files use the same name."""
        if cls not in self.names:
            name = cls.qualname if cls.qualname not in self.names.values() else f"{cls.module.name}.{cls.qualname}"
            while name in self.names.values():
                name += "_"
            self.names[cls] = name
            self.waiting.append(cls)
        return self.names[cls]

    def factories(self, module: ModuleInfo) -> None:
        """Functions and globals that give a container: a model need not be a class."""
        functions = [function for function in module.functions.values() if function.cls is None]
        results = [(f"{function.name}()", function.result.values) for function in functions]
        results += [(name, cell.values) for name, cell in module.globals.items()]
        for name, values in results:
            if any(isinstance(value, (v.Unknown, v.Instance)) for value in values):
                continue  # a function that hands through what it is given
            found = [child for child in self.children(values) if child.startswith("container ")]
            if found and name not in self.grammar.classes:
                self.grammar.classes[name] = ClassRule(itself=found)

    def built_elsewhere(self, module: ModuleInfo) -> None:
        """Classes of other files whose objects the functions of this one make: `build(ResNet, block=MyBlock)`."""
        facts = self.ranks.engine.facts
        for function in module.functions.values():
            for call in function.calls if function.cls is None else ():
                mentioned = [call.func, *(argument.value for argument in call.args)]
                for value in (value for node in mentioned for value in facts.get(node, v.NOTHING)):
                    if isinstance(value, v.ClassRef) and value.cls.is_module:
                        self.name(value.cls)

    def rule(self, cls: ClassInfo) -> ClassRule:
        rule = ClassRule(comment=cls.module.name)
        called = {name for owner in cls.mro() for name in owner.called}
        ranks = self.ranks.of(cls.mro())
        for owner in cls.mro():
            for table in (owner.attributes, owner.attribute_patterns):
                for name, cell in table.items():
                    found = self.children(cell.values, owner.persistent.get(name, True))
                    found = [tensor(ranks.get(name)) if child == TENSOR else child for child in found]
                    # '*' is kept for the names that a base may have of which nothing is known.
                    self.add(rule.children, "**" if name == "*" else name, found, name in called)
            if owner.layer is not None:
                rule.itself.append(layer(owner.layer))
            if owner.container is not None:
                site = owner.self_site
                rule.itself.append(self.site(site, owner.container) if site is not None else ANYTHING)
            if owner.outside:
                self.add(rule.children, "*", [ANYTHING])
        for owner in cls.mro():
            ties = [tie for tie in (*owner.ties, *ties_of(owner)) if self._may_share(rule.children, tie)]
            rule.ties += [tie for tie in ties if tie not in rule.ties]
            always = [name for name in always_set(owner) if all(map(is_tensor, rule.children.get(name, [""])))]
            rule.needed += [name for name in always if NONE not in cls.attribute(name)]
        return rule

    def children(self, values: v.Values, persistent: bool = True) -> list[str]:
        """The children that these values are; what cannot hold tensors of the checkpoint is left out."""
        found: list[str] = []
        for value in values:
            if isinstance(value, v.Unknown):
                found.append(ANYTHING)
            elif isinstance(value, v.Tensor) and (value.role == "parameter" or (value.role == "buffer" and persistent)):
                found.append(TENSOR)
            elif isinstance(value, v.Layer) and value.op in MODULE_CONTAINERS:
                if not any(isinstance(other, v.Container) and other.site.kind == value.op for other in values):
                    found.append(self.open_container(value.op))
            elif isinstance(value, v.Layer) and value.op == "Module":
                found += [ANYTHING, *self.bare()]
            elif isinstance(value, v.Layer):
                found.append(layer(value.op))
            elif isinstance(value, v.Instance) and value.cls.is_module:
                found.append(instance(self.name(value.cls)))
            elif isinstance(value, v.Container) and value.site.kind in MODULE_CONTAINERS:
                found.append(self.site(value.site, value.site.kind))
        return sorted(set(found))

    def bare(self) -> list[str]:
        """Modules without a class of their own, whose parts are assigned: `down = nn.Module(); down.block = block`."""
        parts = self.ranks.engine.bare
        if parts and BARE not in self.grammar.classes:
            rule = self.grammar.classes[BARE] = ClassRule(comment="modules whose parts are assigned")
            for name, cell in parts.items():
                self.add(rule.children, name, self.children(cell.values))
        return [instance(BARE)] if parts and self.grammar.classes[BARE].children else []

    def open_container(self, kind: str) -> str:
        """A container of which only the kind is known."""
        self.grammar.containers.setdefault(
            kind, ContainerRule(kind, {"*": [CALLABLE if kind == "Sequential" else ANYTHING]})
        )
        return container(kind)

    @staticmethod
    def _may_share(children: dict[str, list[str]], tie: tuple[str, str]) -> bool:
        """Can a statement be about modules or parameters? `self.width = self.dim` is not."""
        heads = [children.get(name.partition(".")[0], []) for name in tie]
        plain = any("." not in name and set(head) <= {ANYTHING} for name, head in zip(tie, heads, strict=True))
        return all(heads) and not plain

    def site(self, site: Site, kind: str) -> str:
        if id(site) not in self.sites:
            name = self.sites[id(site)] = f"{len(self.sites) + 1}"
            self.kept.append(site)
            rule = self.grammar.containers[name] = ContainerRule(kind)
            for position, cell in enumerate(site.ordered or ()):
                self.add(rule.children, str(position), self.children(cell.values), kind == "Sequential")
            if kind not in ("ModuleList", "ParameterList"):  # these have numbers only
                for table in (site.named, site.patterns):
                    for key, cell in table.items():
                        self.add(rule.children, key, self.children(cell.values), kind == "Sequential")
            if site.ordered is None:
                self.add(rule.children, "*", self.children(site.elements.values), kind == "Sequential")
        return container(self.sites[id(site)])

    def add(self, children: dict[str, list[str]], name: str, found: list[str], called: bool = False) -> None:
        """Adds what may stand under a name; what is called is no list of modules."""
        found = [CALLABLE if called and child == ANYTHING else child for child in found]
        have = children.setdefault(name, [])
        have += [child for child in found if child not in have]
        if not have:
            del children[name]

"""Which types the code of a project asks for: `isinstance(m, T)`, `type(m) == T`, `type(m) in KINDS`.

The name of a framework's class may become one of two things in the target: what makes a layer (often a helper with the
source's arguments), or the type that layers have. Where a class is only asked for, all its names stand for the type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.nodes import alternatives, children
from ..analysis.project import dotted
from ..analysis.values import NOTHING, UNKNOWN, Api, Container, Layer, Partial, Values

if TYPE_CHECKING:
    from ..analysis.engine import Engine
    from ..analysis.model import ModuleInfo, Site

TESTS = frozenset({"builtins.isinstance", "builtins.issubclass"})


def types_of_test(call: cst.Call, values: Values) -> cst.BaseExpression | None:
    """The types that `isinstance(x, types)` or `issubclass(x, types)` asks for; None for another call."""
    tests = len(call.args) == 2 and any(isinstance(v, Api) and v.name in TESTS for v in values)
    return call.args[1].value if tests else None


class AskedTypes:
    """Made once after the analysis, read-only afterwards.

    `layers` are the operations whose layers must stay objects, `kept` those of which some code reads what only layers
    with the source's arguments keep (`embed.padding_idx`), `types` the framework's names that stand for types
    wherever they are written, and `doubtful` those that reach tests by a variable, but stand for what makes the layer.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.tests = self._tests()
        self.layers = self._layers()
        self.kept = self._kept()
        given = {name for _, types in self.tests for name in self.given(types)}
        self.doubtful = (self._made(given) | self._elsewhere(given)) if given else set()
        self.types = given - self.doubtful

    def _tests(self) -> list[tuple[cst.CSTNode, cst.BaseExpression]]:
        """What is tested, and for which types."""
        tests: list[tuple[cst.CSTNode, cst.BaseExpression]] = list(self.engine.type_tests)
        for function in self.engine.visits:
            for call, callees in function.calls.items():
                if (types := types_of_test(call, callees)) is not None:
                    tests.append((call.args[0].value, types))
        return tests

    def names(self, types: cst.BaseExpression) -> set[str]:
        """The names of the frameworks' and Python's types in this expression, and in the containers that it names."""
        return {value.name for part in alternatives(types) for value in self._facts(part) if isinstance(value, Api)} | {
            name for part in alternatives(types) for name in self._held(part)
        }

    def given(self, types: cst.BaseExpression) -> set[str]:
        """The names of the framework's types that reach this expression in a variable or in a container."""
        found: set[str] = set()
        for part in alternatives(types):
            found |= {v.name for v in self._facts(part) if isinstance(v, Api) and not _spells(part, v)}
            found |= self._held(part)
        return {name for name in found if self.engine.kb.read(name)}

    def ops(self, types: cst.BaseExpression) -> set[str]:
        """The operations of the hub that these types stand for."""
        return {row.op for name in self.names(types) for row in self.engine.kb.read(name)}

    def _facts(self, node: cst.CSTNode) -> Values:
        return self.engine.facts.get(node, NOTHING)

    def _held(self, node: cst.BaseExpression) -> set[str]:
        """The types in containers that this expression may give; of a mapping, its keys."""
        sites = [value.site for value in self._facts(node) if isinstance(value, Container)]
        return {v.name for site in sites for v in _members(site) if isinstance(v, Api)}

    def _layers(self) -> set[str]:
        """Ops of layers that must stay objects: a plain function in their place would not be of the type asked for.

        Those that reach `isinstance(x, nn.Module)` or `type(x) == T`, and those that are named there.
        """
        found = {v.op for subject, _ in self.tests for v in self._facts(subject) if isinstance(v, Layer)}
        return found.union(*(self.ops(types) for _, types in self.tests))

    def _kept(self) -> set[str]:
        """The operations of whose layers something is read that the target's native ones do not keep."""
        found: set[str] = set()
        for node in self.engine.facts:
            if isinstance(node, cst.Attribute):
                for value in self._facts(node.value):
                    row = self.engine.kb.write(value.op) if isinstance(value, Layer) else None
                    if row is not None and node.attr.value in row.kept:
                        found.add(row.op)
        return found

    def _made(self, names: set[str]) -> set[str]:
        """Which of these classes are called by another name, or handed to something that may call them."""
        found: set[str] = set()
        for function in self.engine.visits:
            for call, callees in function.calls.items():
                parts = [callees, *(v.target for v in callees if isinstance(v, Partial))]
                own = dotted(call.func) in {*function.parameters, *function.variables}  # a variable of the same name
                made = {
                    v.name for part in parts for v in part if isinstance(v, Api) and (own or not _spells(call.func, v))
                }
                if any(v == UNKNOWN or (isinstance(v, Api) and v.name not in TESTS) for v in callees):
                    given = [self._facts(argument.value) for argument in call.args]
                    made |= {v.name for values in given for v in values if isinstance(v, Api)}
                found |= made & names
        return found

    def _elsewhere(self, names: set[str]) -> set[str]:
        """Which of these classes a module that is not converted here names without making or asking for one."""
        found: set[str] = set()
        asked: set[cst.CSTNode] = {part for _, types in self.tests for part in alternatives(types)}
        for module in self.engine.modules:
            if module not in self.engine.targets:
                found |= _named(module, self.engine, names, asked)
        return found


def _spells(node: cst.BaseExpression, api: Api) -> bool:
    """Is this the name of the framework itself, not a variable that holds it?"""
    return dotted(node).rpartition(".")[2] == api.name.rpartition(".")[2]


def _members(site: Site) -> Values:
    return site.keys.values if site.kind == "dict" else site.elements.values


def _named(module: ModuleInfo, engine: Engine, names: set[str], asked: set[cst.CSTNode]) -> set[str]:
    """The names among `names` that stand as values in a module."""
    found: set[str] = set()
    rest: list[cst.CSTNode] = [module.tree]
    while rest:
        node = rest.pop()
        if isinstance(node, (cst.Name, cst.Attribute)):
            values = engine.facts.get(node, NOTHING)
            if node not in asked:
                found |= {v.name for v in values if isinstance(v, Api) and v.name in names and _spells(node, v)}
            continue
        parts = children(node)
        if isinstance(node, cst.Call):
            parts = [part for part in parts if part is not node.func]
        rest += parts
    return found

"""Which types the code of a project asks for: `isinstance(m, T)`, `type(m) == T`, `type(m) in KINDS`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..analysis.nodes import alternatives
from ..analysis.project import dotted
from ..analysis.values import NOTHING, Api, Container, Layer, Values

if TYPE_CHECKING:
    import libcst as cst

    from ..analysis.engine import Engine
    from ..analysis.model import Site


class AskedTypes:
    """Made once after the analysis, read-only afterwards."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.tests = self._tests()
        self.layers = self._layers()
        self.displays = self._displays()

    def _tests(self) -> list[tuple[cst.CSTNode, cst.BaseExpression]]:
        """What is tested, and for which types."""
        tests = list(self.engine.type_tests)
        for function in self.engine.visits:
            for call, callees in function.calls.items():
                if len(call.args) == 2 and any(isinstance(v, Api) and v.name == "builtins.isinstance" for v in callees):
                    tests.append((call.args[0].value, call.args[1].value))
        return tests

    def names(self, types: cst.BaseExpression) -> set[str]:
        """The names of the frameworks' and Python's types in this expression, and in the containers that it names."""
        values = {value for part in alternatives(types) for value in self.engine.facts.get(part, NOTHING)}
        values |= {value for site in self._named(types) for value in site.elements.values}
        return {value.name for value in values if isinstance(value, Api)}

    def ops(self, types: cst.BaseExpression) -> set[str]:
        """The operations of the hub that these types stand for."""
        return {row.op for name in self.names(types) for row in self.engine.kb.read(name)}

    def elsewhere(self, types: cst.BaseExpression) -> bool:
        """Are some of them listed where nothing says that they are only asked for?"""
        return any(site.node not in self.displays for site in self._named(types))

    def _named(self, types: cst.BaseExpression) -> set[Site]:
        parts: list[Values] = [self.engine.facts.get(part, NOTHING) for part in alternatives(types)]
        return {value.site for values in parts for value in values if isinstance(value, Container)}

    def _layers(self) -> set[str]:
        """Ops of layers that must stay objects: a plain function in their place would not be of the type asked for.

        Those that reach `isinstance(x, nn.Module)` or `type(x) == T`, and those that are named there.
        """
        facts = self.engine.facts
        found = {v.op for subject, _ in self.tests for v in facts.get(subject, NOTHING) if isinstance(v, Layer)}
        return found.union(*(self.ops(types) for _, types in self.tests))

    def _displays(self) -> set[cst.CSTNode | None]:
        """`KINDS = (nn.Linear, nn.Conv2d)`: types that are asked for by this name, and never called."""
        made = {
            value
            for function in self.engine.visits
            for call, callees in function.calls.items()
            for value in callees
            if isinstance(value, Api) and dotted(call.func).rpartition(".")[2] != value.name.rpartition(".")[2]
        }
        sites = {site for _, types in self.tests for site in self._named(types)}
        return {site.node for site in sites if not made & site.elements.values}

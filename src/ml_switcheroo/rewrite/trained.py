"""What an optimizer trains: the trained arrays of a module, handed over as the module itself.

Adam(model.parameters(), lr=1e-3)   ->   Optimizer(model, adam(1e-3))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.values import Api
from .base import Walk
from .flow import assigned_once
from .statements import Collector

if TYPE_CHECKING:
    from ..kb.model import ReadRow

PARAMETERS = "parameters"  # the hub's type of such an argument, and the op that lists the arrays of a module
COPIES = frozenset({"builtins.list", "builtins.tuple", "builtins.iter"})


class Trained(Walk):
    """Finds the module behind `model.parameters()` where an optimizer is made."""

    def mark_trained(self, node: cst.Call) -> None:
        """Notes which argument of a call stands for a module, before the walk comes to it."""
        argument = self._trained_argument(node)
        if argument is None:
            return
        listing = self.listing(argument.value)
        self.trained[argument.value] = None
        if listing is not None:
            assert isinstance(listing.func, cst.Attribute)
            self.trained[argument.value] = listing.func.value
            self.listings.add(listing)

    def with_modules(self, original: cst.Call, updated: cst.Call) -> cst.Call:
        """The call with modules for their trained arrays; an error where it is not certain whose they are."""
        args = list(updated.args)
        for index, argument in enumerate(original.args):
            if argument.value not in self.trained:
                continue
            module = self.trained[argument.value]
            if module is None:
                self.context.report(
                    argument.value,
                    "SW6002",
                    "whose parameters these are, all of one module's, is not certain here",
                    "give the optimizer `model.parameters()`, without groups, and choose what is trained with a filter",
                )
                continue
            inside = Collector.of(argument.value)
            self.context.findings[:] = [f for f in self.context.findings if f.node not in inside]
            translated = module.visit(self)
            assert isinstance(translated, cst.BaseExpression)
            args[index] = args[index].with_changes(value=translated)
        return updated.with_changes(args=args) if args != list(updated.args) else updated

    def _trained_argument(self, node: cst.Call) -> cst.Arg | None:
        """The argument of an optimizer's class that says what it trains."""
        for value in self.facts(node.func):
            for row in self.kb.read(value.name) if isinstance(value, Api) else ():
                place = self._parameters_of(row)
                if place is None:
                    continue
                index, name = place
                for at, argument in enumerate(node.args):
                    if argument.keyword is not None and argument.keyword.value == name:
                        return argument
                    if at == index and argument.keyword is None and not argument.star:
                        return argument
        return None

    def _parameters_of(self, row: ReadRow) -> tuple[int, str] | None:
        """Position and name of the parameter that takes trained arrays."""
        hub = self.kb.hub(row.op)
        if hub is None:
            return None
        for signature in row.signatures:
            for index, param in enumerate(signature):
                known = hub.params.get(row.args.get(param.name, param.name))
                if known is not None and known.type == PARAMETERS:
                    return index, param.name
        return None

    # ---- whose they are ----------------------------------------------------------------------------------------------

    def listing(self, node: cst.BaseExpression) -> cst.Call | None:
        """The call `module.parameters()` whose arrays an expression holds, all of them."""
        if isinstance(node, cst.Call):
            if self._lists_parameters(node):
                return node
            names = {v.name for v in self.facts(node.func) if isinstance(v, Api)}
            if names and names <= COPIES and len(node.args) == 1 and not node.args[0].star:
                return self.listing(node.args[0].value)
            if names == {"builtins.filter"} and len(node.args) == 2:
                test = node.args[0].value
                if isinstance(test, cst.Lambda) and len(test.params.params) == 1:
                    if self._is_trained(test.body, test.params.params[0].name.value):
                        return self.listing(node.args[1].value)
        if isinstance(node, (cst.ListComp, cst.GeneratorExp)):
            loop = node.for_in
            plain = isinstance(node.elt, cst.Name) and isinstance(loop.target, cst.Name) and loop.inner_for_in is None
            if plain and node.elt.value == loop.target.value:  # type: ignore[attr-defined]
                if all(self._is_trained(part.test, loop.target.value) for part in loop.ifs):  # type: ignore[attr-defined]
                    return self.listing(loop.iter)
        if isinstance(node, cst.Name):
            scope = self.functions[-1].node if self.functions else self.context.module.tree
            made = assigned_once(scope, node.value)
            if made is not None and not isinstance(made, cst.GeneratorExp):
                return self.listing(made)
        return None

    def _lists_parameters(self, node: cst.Call) -> bool:
        if not isinstance(node.func, cst.Attribute) or node.args:
            return False
        rows = self.kb.read(f"{self.engine.module_type}.{node.func.attr.value}")
        own = self.project_method(self.facts(node.func.value), node.func.attr.value)
        return bool(rows) and rows[0].op == PARAMETERS and not own

    def _is_trained(self, test: cst.BaseExpression, name: str) -> bool:
        """`p.requires_grad`: what is not trained is no parameter in the target."""
        if not isinstance(test, cst.Attribute) or not isinstance(test.value, cst.Name) or test.value.value != name:
            return False
        rows = self.kb.read(f"{self.engine.tensor_type}.{test.attr.value}")
        return bool(rows) and rows[0].op == "requires_grad"

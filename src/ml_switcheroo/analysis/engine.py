"""Abstract interpretation of a project: which values can reach which expression.

Every function is interpreted statement by statement with a flow-sensitive environment; what crosses functions
(parameters, attributes, results, globals, closures) goes through cells. A function is looked at again when a cell that
it read has grown. Nothing of the user's code is executed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .base import EngineBase
from .calls import Calls
from .expressions import Expressions
from .statements import Statements

if TYPE_CHECKING:
    from .model import ModuleInfo
    from .values import Values

# Values looked at for one file and its neighbours; usual files need half at most. Each further file adds a third.
MAX_WORK = 1_000_000
MAX_VISITS = 60  # of one function: a safety bound; the sets are finite, so the fixed point comes long before


class TooMuchWorkError(Exception):
    """What a file's neighbours say of it cannot be followed within reason: they hold too much that may be anything."""


class Engine(Statements, Expressions, Calls):
    """Runs the worklist to its fixed point and keeps the facts."""

    def add_target(self, module: ModuleInfo) -> None:
        """A module that is to be converted: all its functions are looked at, called or not."""
        self.targets.add(module)
        self.load(module)

    def load(self, module: ModuleInfo) -> None:
        if module not in self.modules:
            self.modules.append(module)
            assert module.body is not None
            self.start(module.body)

    def run(self) -> None:
        """To the fixed point: first with what is known, then with the rest taken as unknown.

        Raises `TooMuchWorkError` where it would take too long and reading fewer neighbours would help.
        """
        self.bound = MAX_WORK * (2 + len(self.targets)) // 3 if self.finder.reach else None
        self._settle()
        while not self.final or self.starved:
            self.final = True
            for function in self.starved:
                self.enqueue(function)
            self.starved = set()
            self._settle()
        self.settle_calls()

    def _settle(self) -> None:
        while self.queue:
            function = self.queue.popleft()
            self.queued.discard(function)
            count = self.visits.get(function, 0)
            if count < MAX_VISITS:
                self.visits[function] = count + 1
                self.interpret(function)
                if self.bound is not None and self.work > self.bound:
                    raise TooMuchWorkError
                if function.kind == "module" and function.module.stars:
                    for name, cell in list(function.module.globals.items()):
                        if not cell.values:
                            self.fill_from_stars(function.module, name, cell)

    def settled(self, source: str, name: str) -> Values:
        """What a name of another file of the project is, after everything was looked at."""
        values = self.imported(source, name)
        if self.queue:
            self.run()
            values = self.imported(source, name)
        return values

    def element_values(self, values: Values) -> Values:
        return self.elements(values, None)


__all__ = ["Engine", "EngineBase"]

"""Tests of the type itself: `type(m) == nn.Linear`, `m.__class__ in (nn.Conv2d, nn.Linear)`.

A layer may be of a class of the target or of one that inherits from it, and an array is of none that has a name:
`isinstance` asks what is meant.
"""

from __future__ import annotations

import libcst as cst

from ..analysis.nodes import type_test
from ..analysis.values import Container
from ..convert.precedence import bare
from .base import Walk


class TypeTests(Walk):
    """Writes such tests with isinstance where the types are the framework's."""

    def mark_type_test(self, node: cst.Comparison) -> None:
        """Before its parts are translated."""
        asked = type_test(node)
        if asked is not None and self._asks_framework(asked[1]):
            self.plain.add(asked[0])
            self._mark_types(asked[1])

    def type_tested(self, original: cst.Comparison, updated: cst.Comparison) -> cst.BaseExpression | None:
        """The test with isinstance; None where it is another one."""
        asked, translated = type_test(original), type_test(updated)
        if asked is None or translated is None or not self._asks_framework(asked[1]):
            return None
        self.context.changed = True
        subject, types, holds = translated
        part = original.comparisons[0]
        if isinstance(types, (cst.List, cst.Set)):
            elements = list(types.elements)
            if len(elements) == 1 and not isinstance(elements[0], cst.StarredElement):
                types = elements[0].value
            else:
                types = cst.Tuple(elements)
        elif isinstance(part.operator, (cst.In, cst.NotIn)) and not self._is_tuple(asked[1]):
            types = cst.Call(cst.Name("tuple"), [cst.Arg(types)])  # isinstance takes no list and no set
        comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
        test = cst.Call(cst.Name("isinstance"), [cst.Arg(bare(subject), comma=comma), cst.Arg(types)])
        self._check_subclasses(original, asked[1])
        self.check_named_types(original, asked[1])
        return self.fitted(original, test if holds else cst.UnaryOperation(cst.Not(), test))

    def visit_Tuple(self, node: cst.Tuple) -> bool:
        if node in self.effects.asked_types.displays:
            self._mark_types(node)
        return True

    def visit_Set(self, node: cst.Set) -> bool:
        if node in self.effects.asked_types.displays:
            self._mark_types(node)
        return True

    def visit_List(self, node: cst.List) -> bool:
        if node in self.effects.asked_types.displays:
            self._mark_types(node)
        return True

    def _is_tuple(self, types: cst.BaseExpression) -> bool:
        known = self.facts(types)
        return isinstance(types, cst.Tuple) or (
            bool(known) and all(isinstance(v, Container) and v.site.kind == "tuple" for v in known)
        )

    def _asks_framework(self, types: cst.BaseExpression) -> bool:
        hubs = map(self.kb.hub, self._ops(types))
        return any(hub is not None and hub.kind in ("layer", "type") for hub in hubs)

    def _ops(self, types: cst.BaseExpression) -> set[str]:
        return self.effects.asked_types.ops(types)

    def _check_subclasses(self, node: cst.Comparison, types: cst.BaseExpression) -> None:
        """Is there a class of the project that isinstance would find besides?"""
        ops = self._ops(types)
        heirs = sorted(cls.name for cls in self.engine.classes.values() if {cls.layer, cls.container} & ops)
        if heirs:
            self.context.report(
                node,
                "SW5003",
                f"the target asks with isinstance() here, which holds for {', '.join(heirs[:3])}, too",
                "leave that class out by a test of its own, if it is not meant",
                severity="warning",
            )

    def check_named_types(self, node: cst.BaseExpression, types: cst.BaseExpression) -> None:
        """`isinstance(m, NORMS)`: a tuple whose classes are called as well holds what makes a layer, not its class."""
        if not self.effects.asked_types.elsewhere(types):
            return
        rows = [row for op in sorted(self._ops(types)) if (row := self.kb.write(op)) is not None]
        if doubtful := [row.op for row in rows if row.helper is not None and row.isinstance is not None]:
            self.context.report(
                node,
                "SW5003",
                f"these types are called elsewhere as well, and what makes {', '.join(doubtful[:3])} is no type",
                "name the types in the test itself",
                severity="warning",
            )

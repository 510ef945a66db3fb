"""Tests of the type itself: `type(m) == nn.Linear`, `m.__class__ in (nn.Conv2d, nn.Linear)`.

A layer may be of a class of the target or of one that inherits from it, and an array is of none that has a name:
`isinstance` asks what is meant.
"""

from __future__ import annotations

import libcst as cst

from ..analysis.nodes import type_test
from ..analysis.values import Api, Container
from ..convert.precedence import bare
from .base import Walk

_DISPLAYS = (cst.Tuple, cst.List, cst.Set)


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
        elif isinstance(part.operator, (cst.In, cst.NotIn)) and not isinstance(types, cst.Tuple):
            types = cst.Call(cst.Name("tuple"), [cst.Arg(types)])  # isinstance takes no list and no set
        comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
        test = cst.Call(cst.Name("isinstance"), [cst.Arg(bare(subject), comma=comma), cst.Arg(types)])
        self._check_subclasses(original, asked[1])
        self.check_named_types(original, asked[1])
        return self.fitted(original, test if holds else cst.UnaryOperation(cst.Not(), test))

    def _asked(self, types: cst.BaseExpression) -> list[str]:
        """The names of the framework's types among those that are asked for."""
        parts = [element.value for element in types.elements] if isinstance(types, _DISPLAYS) else [types]
        values = {v for part in parts for v in self.facts(part)}
        values |= {v for c in values if isinstance(c, Container) for v in c.site.elements.values}
        return sorted(v.name for v in values if isinstance(v, Api) and self.context.is_source(v.name))

    def _asks_framework(self, types: cst.BaseExpression) -> bool:
        hubs = [self.kb.hub(row.op) for name in self._asked(types) for row in self.kb.read(name)]
        return any(hub is not None and hub.kind in ("layer", "type") for hub in hubs)

    def _check_subclasses(self, node: cst.Comparison, types: cst.BaseExpression) -> None:
        """Is there a class of the project that isinstance would find besides?"""
        ops = {row.op for name in self._asked(types) for row in self.kb.read(name)}
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
        """`isinstance(m, NORMS)`: a tuple that is named elsewhere may hold classes that layers are not made from."""
        if isinstance(types, _DISPLAYS) or not any(isinstance(v, Container) for v in self.facts(types)):
            return
        ops = {row.op for name in self._asked(types) for row in self.kb.read(name)}
        rows = [row for op in sorted(ops) if (row := self.kb.write(op)) is not None]
        if doubtful := [row.op for row in rows if row.helper is not None and row.isinstance is not None]:
            self.context.report(
                node,
                "SW5003",
                f"the classes for {', '.join(doubtful[:3])} that are named elsewhere may not be those of the layers",
                "write the classes where they are asked for",
                severity="warning",
            )

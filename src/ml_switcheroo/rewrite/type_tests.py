"""Tests of the type itself: `type(m) == nn.Linear`, `m.__class__ in (nn.Conv2d, nn.Linear)`.

A layer may be of a class of the target or of one that inherits from it, and an array is of none that has a name:
`isinstance` asks what is meant.
"""

from __future__ import annotations

import libcst as cst

from ..analysis.nodes import alternatives, class_test, type_test
from ..analysis.values import Api, ClassRef, Container, Scalar, Tensor, Unknown, Values
from ..convert.precedence import bare
from ..kb.types import NO_TYPE
from .asked_types import types_of_test
from .base import Walk

_CLASS = Scalar("type")


class TypeTests(Walk):
    """Writes such tests with isinstance where the types are the framework's."""

    def mark_type_test(self, node: cst.Comparison) -> None:
        """Before its parts are translated."""
        asked = type_test(node)
        if asked is not None and self._asks_framework(asked[1]):
            self.plain.add(asked[0])
            self._mark_types(asked[1])
        elif self._is_class(node.left) and self._asks_framework(node.comparisons[0].comparator):
            self._mark_types(node.comparisons[0].comparator)

    def type_tested(self, original: cst.Comparison, updated: cst.Comparison) -> cst.BaseExpression | None:
        """The test with isinstance, or with issubclass of a variable; None where it is another one."""
        asked, translated, test = type_test(original), type_test(updated), "isinstance"
        if asked is None and self._is_class(original.left):
            asked, translated, test = class_test(original), class_test(updated), "issubclass"
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
        call = cst.Call(cst.Name(test), [cst.Arg(bare(subject), comma=comma), cst.Arg(bare(types))])
        self._check_subclasses(original, asked[1])
        self.check_named_types(original, asked[1])
        return self.fitted(original, call if holds else cst.UnaryOperation(cst.Not(), call))

    def is_of_no_type(self, call: cst.Call, values: Values) -> bool:
        """`isinstance(model, nn.DataParallel)`: does this ask for types only that nothing in the target has?"""
        types = types_of_test(call, values)
        if types is None:
            return False
        parts = [self.facts(part) for part in alternatives(types)]
        if not all(part and all(isinstance(v, Api) and self.kb.read(v.name) for v in part) for part in parts):
            return False
        return all((row := self.kb.write(op)) is not None and row.isinstance == NO_TYPE for op in self._ops(types))

    def tensor_test(self, call: cst.Call) -> cst.BaseExpression | None:
        """What `torch.is_tensor(self.bias)` asks about, where that may be a variable of the target."""
        api = self.context.source_api(self.facts(call.func))
        asks = api is not None and any(row.op == "is_tensor" for row in self.kb.read(api))
        subject = call.args[0].value if asks and len(call.args) == 1 and not call.args[0].star else None
        return subject if subject is not None and self._variable_types(subject) else None

    def tensor_tested(self, original: cst.Call, updated: cst.Call) -> cst.BaseExpression | None:
        """The same as a test of the type."""
        subject = self.tensor_test(original)
        if subject is None:
            return None
        kinds = [self.target_text(text) for text in self._variable_types(subject)]
        types = kinds[0] if len(kinds) == 1 else cst.Tuple([cst.Element(kind) for kind in kinds])
        comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
        argument = updated.args[0].with_changes(comma=comma, keyword=None, equal=cst.MaybeSentinel.DEFAULT)
        return updated.with_changes(func=cst.Name("isinstance"), args=[argument, cst.Arg(types)])

    def with_variable_types(self, original: cst.Call, updated: cst.Call, values: Values) -> cst.Call:
        """`isinstance(self.bias, nnx.Variable)`: a tensor of the source may be a variable that holds an array."""
        asked, types = types_of_test(original, values), types_of_test(updated, values)
        if asked is None or types is None or not isinstance(original.func, cst.Name):
            return updated
        texts = self._variable_types(original.args[0].value)
        before, after = alternatives(asked), alternatives(types)
        if not texts or len(before) != len(after) or not any(map(self._is_tensor_type, before)):
            return updated
        found: list[cst.BaseExpression] = []
        for old, new in zip(before, after, strict=True):
            found += map(self.target_text, texts) if self._is_tensor_type(old) else [new]
        new_types = found[0] if len(found) == 1 else cst.Tuple([cst.Element(part) for part in found])
        self.context.changed = True
        return updated.with_changes(args=[updated.args[0], updated.args[1].with_changes(value=new_types)])

    def _is_tensor_type(self, types: cst.BaseExpression) -> bool:
        return self.context.source_api(self.facts(types)) == self.engine.tensor_type

    def _variable_types(self, subject: cst.BaseExpression) -> list[str]:
        """Of what type a tensor of the source is in the target, where that may be one of variables."""
        tensors = [v for v in self.facts(subject) if isinstance(v, Tensor)]
        kept = [v for v in tensors if v.role in ("parameter", "buffer")]
        if not kept or not self.style.variable_type:
            return []
        # Another name than that of an attribute may stand for its value.
        known = isinstance(subject, cst.Attribute) and len(kept) == len(tensors)
        return [self.style.variable_type, *([] if known else [str(self.kb.target_framework["tensor"])])]

    def without_no_types(self, call: cst.Call, values: Values) -> cst.Call:
        """`isinstance(m, (nnx.Linear, ()))` without the part that nothing is of."""
        types = types_of_test(call, values)
        if not isinstance(types, cst.Tuple):
            return call
        kept = [e for e in types.elements if not (isinstance(e.value, cst.Tuple) and not e.value.elements)]
        if len(kept) == len(types.elements) or not kept:
            return call
        one = kept[0].value if len(kept) == 1 else types.with_changes(elements=kept)
        return call.with_changes(args=[call.args[0], call.args[1].with_changes(value=one)])

    def check_class_key(self, node: cst.BaseExpression, table: cst.BaseExpression, key: cst.BaseExpression) -> None:
        """`COSTS[type(m)]`: only the class itself is found, and a layer may be of one that inherits from it."""
        if not any(v == _CLASS for v in self.facts(key)):
            return
        if names := self._two_things(self.effects.asked_types.given(table)):
            self.context.report(
                node,
                "SW5005",
                f"this finds the class itself only, and the target has two for {', '.join(names[:3])}: the layer, and "
                "one with the source's arguments that inherits from it",
                "go through the items and ask with isinstance()",
                severity="warning",
            )

    def _is_class(self, node: cst.BaseExpression) -> bool:
        """A variable that holds the class of something."""
        values = self.facts(node)
        return _CLASS in values and all(v == _CLASS or isinstance(v, (Unknown, ClassRef)) for v in values)

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
                "SW5005",
                f"the target asks with isinstance() here, which holds for {', '.join(heirs[:3])}, too",
                "leave that class out by a test of its own, if it is not meant",
                severity="warning",
            )

    def check_named_types(self, node: cst.BaseExpression, types: cst.BaseExpression) -> None:
        """`isinstance(m, NORMS)`: a variable may hold what makes a layer, not its class."""
        asked = self.effects.asked_types
        if names := self._two_things(asked.given(types) & asked.doubtful):
            self.context.report(
                node,
                "SW5005",
                f"what this variable holds for {', '.join(names[:3])} makes the layer and is not its type, since it is "
                "called as well, or stands in a file that is not converted here",
                "name the types in the test itself",
                severity="warning",
            )

    def _two_things(self, names: set[str]) -> list[str]:
        """Which of these classes have a type in the target that is not what makes them."""
        rows = {name: self.kb.write(row.op) for name in names for row in self.kb.read(name)}
        return sorted(name for name, row in rows.items() if row is not None and row.helper and row.isinstance)

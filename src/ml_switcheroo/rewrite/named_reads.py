"""Attributes that are read by their names: `hasattr(layer, "weight")`, `getattr(nn, "ReLU")`."""

from __future__ import annotations

import libcst as cst

from ..analysis.usual import usual_names
from ..analysis.values import NOTHING, UNKNOWN, Api, Const, Instance, Layer, Scalar, Text, Value, Values
from .base import Walk

WEIGHT = "weight"  # which the target calls otherwise in each kind of layer


class NamedReads(Walk):
    """What the target has under such a name."""

    def read_by_name(self, original: cst.Call, updated: cst.Call, values: Values) -> cst.BaseExpression | None:
        """What `hasattr(owner, "name")` and `getattr(owner, "name")` become; None where they stay."""
        asked = {v.name for v in values if isinstance(v, Api)}
        if len(original.args) < 2 or any(argument.star or argument.keyword is not None for argument in original.args):
            return None
        if not asked & {"builtins.hasattr", "builtins.getattr"}:
            return None
        if renamed := self._called_otherwise(original):
            self.context.report(
                original,
                "SW1002",
                f"{' and '.join(renamed)} may have another name in the target's layer, and which is read is not known",
                "read each of them by its own name, where the class of the layer is known",
            )
            return original
        if "builtins.hasattr" in asked:
            return self._has(original, updated)
        return self._of_framework(original, updated) or self._of_layer(original, updated)

    def _name(self, call: cst.Call) -> str:
        """The name, where it is certain."""
        names = self.facts(call.args[1].value)
        name = next(iter(names)) if len(names) == 1 else None
        return name.value if isinstance(name, Const) and isinstance(name.value, str) else ""

    def _called_otherwise(self, call: cst.Call) -> list[str]:
        """Which of several names that may be asked for the target's layers call otherwise."""
        owners, names = self.facts(call.args[0].value), self.facts(call.args[1].value)
        texts = {v.value for v in names if isinstance(v, Const) and isinstance(v.value, str)}
        open_ended = WEIGHT in texts and len(names) > len(texts)  # other names than these may be asked for
        if not (len(texts) > 1 or open_ended) or not self._may_be_layer(owners):
            return []
        layers = {v.op for v in owners if isinstance(v, Layer)}
        rows = [self.kb.write(op) for op in (layers if layers and "Module" not in layers else self.kb.ops())]
        known = [{**row.attributes, **row.weights} for row in rows if row is not None]
        return sorted(texts & {name for places in known for name, place in places.items() if place not in (None, name)})

    # ---- hasattr -----------------------------------------------------------------------------------------------------

    def _has(self, original: cst.Call, updated: cst.Call) -> cst.BaseExpression | None:
        owners, name = self.facts(original.args[0].value), self._name(original)
        framework = self.context.source_api(owners)
        if framework is not None and name:  # what the framework offers is known from its snapshot
            self.context.changed = True
            return cst.Name(str(self.kb.is_known_api(f"{framework}.{name}")))
        names = self._layer_names(owners, name)
        if names is None:
            if name != WEIGHT or not self._may_be_layer(owners) or self.kb.helper("has_weight") is None:
                return None
            return cst.Call(cst.Name(self.context.helper_name("has_weight")), [cst.Arg(updated.args[0].value)])
        if names == {name}:
            return None
        self.context.changed = True
        test = [
            updated.with_changes(args=[updated.args[0], cst.Arg(cst.SimpleString(f'"{n}"'))]) for n in sorted(names)
        ]
        found: cst.BaseExpression = test[0]
        for other in test[1:]:
            found = cst.BooleanOperation(found, cst.Or(), other)
        return self.fitted(original, found)

    def _layer_names(self, owners: Values, name: str) -> set[str] | None:
        """The target's names of an attribute of layers that are all known."""
        if not owners or not name or not all(isinstance(v, Layer) and v.op != "Module" for v in owners):
            return None
        names = set()
        for op in {v.op for v in owners if isinstance(v, Layer)}:
            row = self.kb.write(op)
            rule = row.weights.get(name) if row is not None else None
            other = row.attributes.get(name, name) if row is not None else name
            if other is None or other.startswith("="):
                return None  # which the target's layer has not under any name
            path = rule.partition(" ")[0] if isinstance(rule, str) else other
            names.add(path.partition(".")[0] or name)
        return names

    def _may_be_layer(self, owners: Values) -> bool:
        """May this be a layer of the framework, and not only an object of the project with such an attribute?"""
        return any(
            v == UNKNOWN or isinstance(v, Layer) or (isinstance(v, Instance) and v.cls.layer is not None)
            for v in owners
        )

    # ---- getattr -----------------------------------------------------------------------------------------------------

    def _of_layer(self, original: cst.Call, updated: cst.Call) -> cst.BaseExpression | None:
        """`getattr(layer, "weight")` is `layer.weight`; with a value for layers without one, it is refused."""
        owner, name = original.args[0].value, self._name(original)
        owners = self.facts(owner)
        if not name.isidentifier() or not (self._layer_names(owners, name) or name == WEIGHT):
            return None
        names = self._layer_names(owners, name)
        if names == {name} or (names is None and not self._may_be_layer(owners)):
            return None
        if names is None or len(original.args) > 2:
            if self.kb.helper("weight_of") is not None:
                if name == WEIGHT and original in self.plain:  # `getattr(norm, "weight", None) is not None`
                    args = [part for i, part in enumerate(updated.args) if i != 1]
                    return cst.Call(cst.Name(self.context.helper_name("weight_of")), args)
                self.context.report(
                    original,
                    "SW1002",
                    f"which layer this is decides how its {name} is stored, and the class is not known",
                    f"test with isinstance(), and read layer.{name}",
                    severity="error" if len(original.args) > 2 else "warning",  # a layer without one says so itself
                )
            return updated
        read = cst.Attribute(owner, cst.Name(name))
        self.engine.facts[read] = self.facts(original)
        return self.layer_attribute(read, read.with_changes(value=updated.args[0].value), owners, name)

    # ---- the framework's own -----------------------------------------------------------------------------------------

    def _of_framework(self, original: cst.Call, updated: cst.Call) -> cst.BaseExpression | None:
        place = original.args[0].value
        while isinstance(place, cst.Call) and place.args:  # getattr(getattr(framework, "part"), "name")
            place = place.args[0].value
        owner = self.context.source_api(self.facts(original.args[0].value))
        if owner is None or not self.is_direct(place):
            return None
        names = self.facts(original.args[1].value) if len(original.args) > 1 else NOTHING
        certain = {v.value for v in names if isinstance(v, Const) and isinstance(v.value, str)}
        likely: dict[Value, list[str]] = {
            text: self.kb.names_like(owner, text.pattern) for text in names if isinstance(text, Text)
        }
        known = sorted(certain.union(*likely.values()))
        others = [v for v in names if not isinstance(v, Const) and not likely.get(v)]
        usual = usual_names(self.kb, owner, original, names)
        if usual:
            known, others = sorted({*known, *usual}), [*others, Scalar("str")]
        elif not known or any(v != Scalar("str") for v in others):
            self.context.report(
                original,
                "SW5003",
                "which name of the framework this reads is decided when it runs",
                "use a dictionary of the classes that may be asked for",
            )
            return original
        if original in self.on_path and all(self.is_framework_module(f"{owner}.{name}") for name in known):
            return updated
        elements: list[cst.DictElement] = []
        missing: list[str] = []
        for name in known:
            api = self.kb.canonical(f"{owner}.{name}")
            before = len(self.context.findings)
            marker = cst.Name("value")
            node = self.reference(marker, marker, api)
            if len(self.context.findings) > before:
                del self.context.findings[before:]
                missing.append(name)
                if name not in certain and len(missing) < len(known):  # one of several that a computed name may be
                    continue
                self.context.report(original, "SW1001", f"{api} is not known")
                return original
            elements.append(cst.DictElement(cst.SimpleString(repr(name).replace("'", '"')), node))
        if others or missing:  # an annotation says that the caller chooses, or not all have a counterpart
            found = ", ".join(name for name in known if name not in missing)
            self.context.report(
                original,
                "SW5003",
                f"which name this reads is decided when it runs: only {found} can be found here",
                "add to the dictionary what else may be asked for: another name is a KeyError",
                severity="warning",
            )
        elif len(elements) == 1:
            return elements[0].value
        return cst.Subscript(cst.Dict(elements), [cst.SubscriptElement(cst.Index(updated.args[1].value))])

"""Source text for drawn arguments, in the spellings that the source framework has for an operation."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .arrays import Recipe
from .domain import OBJECTS, Dtype, Made, Object, Source
from .objects import Programs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..kb.loader import KnowledgeBase
    from ..kb.model import ApiParam, HubOp, ReadRow


CLASS = "make"  # the variable that holds the class of a layer


class UnspellableError(Exception):
    """These arguments cannot be written in this spelling."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """One name of an operation in the source framework, with one of its signatures."""

    row: ReadRow
    signature: tuple[ApiParam, ...]
    suffix: str = ""  # of the method's name, where it changes its object (`add_`)


@dataclass
class Example:
    """A function of the source text, and what it is called with."""

    call: str  # the expression, as a user would paste it
    arguments: dict[str, Any]  # arrays (or lists of them), and numbers, by the names of its parameters
    layer: str = ""  # the construction of a layer, where `call` uses `self.layer`
    annotations: dict[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()  # statements before the result
    smooth: bool = True  # may gradients be taken?
    random: bool = False  # is something drawn when it runs?
    module: str = ""  # where the operation is found
    settings: dict[str, str] = field(default_factory=dict)  # of a layer that stand in variables: their types and values
    program: str = ""  # what stands around the call

    @property
    def recipes(self) -> list[Recipe]:
        """All arrays."""
        found = [r for value in self.arguments.values() for r in (value if isinstance(value, list) else [value])]
        return [recipe for recipe in found if isinstance(recipe, Recipe)]

    def paste(self) -> str:
        """The call with its arrays, as the source framework takes it."""
        parts = [f"{name} = {_in_words(value)}" for name, value in self.arguments.items()]
        layer = f"self.layer = {self.layer}; " if self.layer else ""
        return "; ".join([*parts, f"{layer}{'; '.join((*self.before, self.call))}"])

    def _body(self) -> list[str]:
        if self.program:
            return self.program.replace("{call}", self.call).splitlines()
        return [*self.before, f"return {self.call}"]

    def text(self, name: str, base: str = "", forward: str = "forward") -> list[str]:
        """The lines of its definition."""
        parameters = ", ".join(f"{p}: {kind}" for p, kind in self.annotations.items())
        body = self._body()
        if not self.layer:
            return [f"def {name}({parameters}):", *(f"    {line}" for line in body), "", ""]
        settings = "".join(f", {p}: {text}" for p, text in self.settings.items())
        return [
            f"class {name}({base}):",
            f"    def __init__(self{settings}):",
            "        super().__init__()",
            f"        self.layer = {self.layer}",
            "",
            f"    def {forward}(self, {parameters}):",
            *(f"        {line}" for line in body),
            "",
            "",
        ]


class Speller:
    """Writes calls in the source framework of a knowledge base."""

    def __init__(self, kb: KnowledgeBase) -> None:
        self.kb = kb
        self.tensor = str(kb.source_framework.get("tensor"))
        self.base = str(kb.source_framework.get("module_base"))
        self.forward = str(kb.source_framework.get("forward"))
        self.suffix = str(kb.source_framework.get("inplace_suffix") or "")
        self.methods = kb.tensor_methods()
        self.programs = Programs.of(kb.source_framework)
        self.by_op: dict[str, list[ReadRow]] = {}
        for name in kb.source_names():
            for row in kb.read(name):
                self.by_op.setdefault(row.op, []).append(row)
        copies = [row.api for row in self.by_op.get("clone", ()) if row.api.startswith(f"{self.tensor}.")]
        self.copy = copies[0].rpartition(".")[2] if copies else ""  # the method that gives a tensor of its own

    def spellings(self, op: str) -> list[Spelling]:
        """All of an op, with those methods that change their object."""
        found = [Spelling(row, s) for row in self.by_op.get(op, ()) for s in row.signatures or ((),)]
        return found + [replace(one, suffix=self.suffix) for one in found if self._changes(one.row.api)]

    def _changes(self, api: str) -> bool:
        """Is there such a method with the suffix, and none that has a row of its own?"""
        other, start = api + self.suffix, f"{self.tensor}."
        if not self.suffix or not self.copy or not api.startswith(start) or self.kb.read(other):
            return False
        return other.removeprefix(start) in self.methods

    def imports(self, examples: Sequence[Example]) -> list[str]:
        """Import statements for the names in the examples."""
        roots = {self.tensor.split(".")[0], self.base.split(".")[0]} - {"None"}
        modules = {self.base.rpartition(".")[0] for e in examples if e.layer}
        modules |= {e.module for e in examples if e.module.split(".")[0] not in roots} - {""}
        return [f"import {name}" for name in sorted(roots | modules - {self.tensor})]

    def function(
        self,
        op: HubOp,
        spelling: Spelling,
        given: dict[str, Any],
        choose: Any,
        prefix: str = "",
        variables: frozenset[str] = frozenset(),
    ) -> Example:
        """A function that calls the op. `choose(n)` draws a number below n; `prefix`: of the names of its arrays;
        `variables`: arguments that stand in a variable, so that what they are is not known from the text."""
        arrays: dict[str, Any] = {}
        api, method = spelling.row.api, spelling.row.api.startswith(f"{self.tensor}.")
        values = {name: self._value(prefix + name, value, arrays) for name, value in given.items()}
        for name in _plain(given, variables):
            arrays[name], values[name] = given[name], name
        first = next(iter(op.params), None)
        before: tuple[str, ...] = ()
        if method:
            if first is None or not isinstance(given.get(first), Recipe):
                raise UnspellableError("a method needs an array")
            receiver = values.pop(first)
            call = f"{receiver}.{api.rpartition('.')[2]}{spelling.suffix}"
            if op.kind == "inplace" or spelling.suffix:
                before = (f"{receiver} = {receiver}.{self.copy}()",)
        elif first is not None and self._is_class(api.rpartition(".")[0]):
            method = True
            call = f"{values.pop(first)}.{api.rpartition('.')[2]}"
        else:
            call = api
        if op.kind not in ("property", "constant"):
            call += f"({', '.join(self._arguments(op, spelling, values, given, choose))})"
        elif op.kind == "property" and not method:
            raise UnspellableError("a property of something else than an array")
        if op.kind == "inplace" or spelling.suffix:
            before, call = (*before, call), receiver if method else str(values.get(str(first)))
        smooth = not (spelling.suffix and op.returns == "tensor[bool]")  # what such a gradient should be nobody says
        return Example(call, arrays, annotations=self._annotations(arrays), before=before, smooth=smooth)

    def _is_class(self, api: str) -> bool:
        """Is this a class of objects other than arrays?"""
        if api == self.base:
            return True
        hubs = [self.kb.hub(row.op) for row in self.kb.read(api)]
        return any(hub is not None and hub.returns in OBJECTS for hub in hubs)

    def layer(
        self,
        op: HubOp,
        spelling: Spelling,
        given: dict[str, Any],
        inputs: dict[str, Any],
        choose: Any,
        variables: frozenset[str] = frozenset(),
        *,
        by_value: bool = False,
    ) -> Example:
        """A module with the op as its only layer; `by_value`: its class stands in a variable."""
        arrays: dict[str, Any] = {}
        values = {name: self._value(name, value, arrays) for name, value in given.items()}
        if arrays:
            raise UnspellableError("a layer that is built with arrays")
        settings = {name: f"{type(given[name]).__name__} = {values[name]}" for name in _plain(given, variables)}
        values |= {name: name for name in settings}
        if by_value:
            settings[CLASS] = f"type = {spelling.row.api}"
        name = CLASS if by_value else spelling.row.api
        made = f"{name}({', '.join(self._arguments(op, spelling, values, given, choose))})"
        called = {name: self._value(name, value, arrays) for name, value in inputs.items()}
        positional = True
        parts = []
        for name in op.call:
            if name == "returns":
                continue
            if name not in called:
                positional = False
            else:
                parts.append(called[name] if positional else f"{name}={called[name]}")
        call, module = f"self.layer({', '.join(parts)})", spelling.row.api.rpartition(".")[0]
        return Example(call, arrays, made, self._annotations(arrays), module=module, settings=settings)

    def _annotations(self, arrays: dict[str, Any]) -> dict[str, str]:
        plain = _plain(arrays, arrays.keys())
        return {name: type(value).__name__ if name in plain else self.tensor for name, value in arrays.items()}

    def _value(self, name: str, value: Any, arrays: dict[str, Any]) -> str:
        if isinstance(value, Recipe):
            arrays[name] = value
            return name
        if isinstance(value, Dtype):
            return self.dtype(value.name)
        if isinstance(value, Source):
            return value.text
        if isinstance(value, Object):
            return self.programs.objects[value.kind]
        if isinstance(value, Made):
            op, spellings = self.kb.hub(value.op), self.spellings(value.op)
            if op is None or not spellings:
                raise UnspellableError(f"{value.op} has no name")
            made = self.function(op, spellings[0], value.given, lambda below: below - 1, f"{name}_")
            arrays.update(made.arguments)
            return made.call
        if isinstance(value, list) and any(isinstance(item, Recipe) for item in value):
            return f"[{', '.join(self._value(f'{name}{i}', item, arrays) for i, item in enumerate(value))}]"
        return repr(value)

    def dtype(self, name: str) -> str:
        """The source's name of a dtype."""
        rows = self.by_op.get(name)
        if not rows:
            raise UnspellableError(f"no name for dtype {name}")
        return rows[0].api

    def _arguments(
        self, op: HubOp, spelling: Spelling, values: dict[str, str], given: dict[str, Any], choose: Any
    ) -> list[str]:
        parts: list[str] = []
        left = dict(values)
        positional = True
        for parameter in spelling.signature:
            name = spelling.row.args.get(parameter.name, parameter.name)
            if parameter.name in spelling.row.extra and name in left:  # another meaning here: only the usual one
                if repr(given[name]) != op.params[name].default:
                    raise UnspellableError(f"{parameter.name} means something else")
                del left[name]
            if name not in left and (only := _only(spelling.row, parameter)):
                parts.append(only if positional and parameter.kind != "ko" else f"{parameter.name}={only}")
                continue
            needed = parameter.default is None and parameter.kind in ("po", "pk")
            if name not in left and needed and parameter.name not in spelling.row.extra:
                hub = op.params.get(name)
                if hub is None or hub.default is None:
                    raise UnspellableError(f"{parameter.name} is not given")
                left[name] = hub.default
            if name not in left:
                positional = False
                continue
            text = left.pop(name)
            if parameter.kind == "va":
                items = given.get(name)
                if positional and isinstance(items, (tuple, list)) and items and choose(2):
                    parts += [text[1:-1].rstrip(",")]
                elif positional:
                    parts.append(text)
                else:
                    raise UnspellableError("arguments in a row after keywords")
                positional = False
            elif parameter.kind == "po" or (parameter.kind == "pk" and positional and choose(3)):
                if not positional:
                    raise UnspellableError(f"{parameter.name} is positional only")
                parts.append(text)
            else:
                positional = False
                parts.append(f"{parameter.name}={text}")
        if any(op.params[name].default is None for name in left):
            raise UnspellableError(f"no argument for {', '.join(left)}")
        if left:
            raise UnspellableError(f"this spelling has no {', '.join(left)}")
        return parts


def _plain(given: dict[str, Any], names: Iterable[str]) -> list[str]:
    """Which of these arguments are numbers, flags or texts."""
    return [name for name in sorted(names) if isinstance(given.get(name), (bool, int, float, str))]


def _only(row: ReadRow, parameter: ApiParam) -> str:
    """The value of an argument that the operation lacks, where the source wants it written and this spelling is for
    one value only."""
    rule = row.extra.get(parameter.name, "")
    asked = parameter.default is None or f"given({parameter.name})" in (row.when or "")
    return rule.removeprefix("only ").split(" or ")[0] if asked and rule.startswith("only ") else ""


def _in_words(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_in_words, value))}]"
    if not isinstance(value, Recipe):
        return repr(value)
    return f"{value.values} {value.dtype}{list(value.shape)} (seed {value.seed})"

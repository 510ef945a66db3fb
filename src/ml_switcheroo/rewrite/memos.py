"""What a module keeps of its parameters so as not to compute it twice, in evaluation for example.

    if key not in self.cache:
        self.cache[key] = self.bias[:, self.index]
    return self.cache[key]

A compiled function computes such a thing once as it is, and an array that one call has kept is of no use to the next
transformation. So the value stands where it is read, and what fills, empties and looks after the store goes: also a
`train()` that did nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import libcst as cst

from ..analysis.nodes import walk
from ..analysis.values import NOTHING, Api, MethodRef
from .base import Walk
from .statements import gone

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from ..analysis.engine import Engine
    from .context import Context

_PLACES = frozenset({"device", "dtype"})
_PURE_CALLS = frozenset({"str", "int", "float", "tuple", "len", "hash", "id"})


@dataclass
class Memos:
    """Statements and methods that go, and what stands where a kept value was read."""

    gone: set[cst.CSTNode] = field(default_factory=set)
    values: dict[cst.CSTNode, cst.BaseExpression] = field(default_factory=dict)


class MemoReads(Walk):
    """Writes values where they are read."""

    @property
    def memos(self) -> Memos:
        """Those of the file, looked for once."""
        if self._memos is None:
            self._memos = find_memos(self.context) if self.style.immutable else Memos()
            self.context.changed = self.context.changed or bool(self._memos.gone)
        return self._memos

    _memos: Memos | None = None

    def visit_SimpleStatementLine(self, node: cst.SimpleStatementLine) -> bool:
        return node not in self.memos.gone and super().visit_SimpleStatementLine(node) is not False

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> Any:
        if original_node in self.memos.gone:
            return gone(updated_node.leading_lines)
        return super().leave_SimpleStatementLine(original_node, updated_node)

    def visit_If(self, node: cst.If) -> bool:
        return node not in self.memos.gone and super().visit_If(node) is not False

    def leave_If(self, original_node: cst.If, updated_node: cst.If) -> Any:
        if original_node in self.memos.gone:
            return gone(updated_node.leading_lines)
        return super().leave_If(original_node, updated_node)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        return node not in self.memos.gone and super().visit_FunctionDef(node) is not False

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> Any:
        if original_node in self.memos.gone:
            self.context.explain(original_node, f"{original_node.name.value}() is left out: it has nothing to do")
            return cst.RemoveFromParent()
        return super().leave_FunctionDef(original_node, updated_node)

    def leave_IfExp(self, original_node: cst.IfExp, updated_node: cst.IfExp) -> cst.BaseExpression:
        value = self.memos.values.get(original_node.orelse)
        if value is not None and value.deep_equals(original_node.body):  # computed in training, else kept
            body = updated_node.body
            return body if isinstance(body, (cst.Subscript, cst.Call)) else self.fitted(original_node, body)
        return super().leave_IfExp(original_node, updated_node)

    def leave_Subscript(self, original_node: cst.Subscript, updated_node: cst.Subscript) -> cst.BaseExpression:
        value = self.memos.values.get(original_node)
        if value is None:
            return super().leave_Subscript(original_node, updated_node)
        return self._written_out(original_node, value)

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.BaseExpression:
        value = self.memos.values.get(original_node)
        if value is None:
            return super().leave_Attribute(original_node, updated_node)
        return self._written_out(original_node, value)

    def _written_out(self, original: cst.BaseExpression, value: cst.BaseExpression) -> cst.BaseExpression:
        translated = value.visit(self)
        assert isinstance(translated, cst.BaseExpression)
        return self.fitted(original, translated.deep_clone())


def find_memos(context: Context) -> Memos:
    """All those of a file."""
    finder = _Finder(context)
    if not finder.modules:
        return Memos()
    for cls in finder.modules:
        for method in _methods(cls):
            finder.look(method)
    return finder.result()


@dataclass
class _Store:
    """An attribute that may hold kept values: the places that are understood."""

    seen: set[cst.CSTNode] = field(default_factory=set)  # `self.cache`, wherever it is understood
    gone: set[cst.CSTNode] = field(default_factory=set)
    values: dict[cst.CSTNode, cst.BaseExpression] = field(default_factory=dict)
    filled: bool = False


class _Finder:
    def __init__(self, context: Context) -> None:
        self.engine: Engine = context.engine
        self.tree = context.module.tree
        self.modes = context.style.mode_methods
        self.modules = [
            node
            for node in self.tree.body
            if isinstance(node, cst.ClassDef) and (info := self.engine.classes.get(node)) is not None and info.is_module
        ]
        self.stores: dict[str, _Store] = {}
        self.keys: list[tuple[cst.FunctionDef, str, set[str]]] = []  # names of keys, and of the stores

    def store(self, name: str) -> _Store:
        return self.stores.setdefault(name, _Store())

    # ---- patterns ----------------------------------------------------------------------------------------------------

    def look(self, method: cst.FunctionDef) -> None:
        own = _own_name(method)
        if own is None:
            return
        for block in _blocks(method):
            for index, statement in enumerate(block):
                if (name := _emptied(statement, own)) is not None:
                    self._understood(name, statement, statement, own)
                elif isinstance(statement, cst.If):
                    following = block[index + 1] if index + 1 < len(block) else None
                    if not (self._filled(statement, following, own, method) or self._cleared(statement, own)):
                        self._switched(statement, own, method)

    def _understood(self, name: str, statement: cst.CSTNode, place: cst.CSTNode, own: str) -> None:
        store = self.store(name)
        store.gone.add(statement)
        store.seen |= {node for node in walk(place) if _is_own(node, own, name)}

    def _filled(self, node: cst.If, following: cst.CSTNode | None, own: str, method: cst.FunctionDef) -> bool:
        """`if key not in self.cache: self.cache[key] = value`, and one read in the next statement."""
        test, body = node.test, _statements(node.body)
        if node.orelse is not None or len(body) != 1 or following is None or not isinstance(test, cst.Comparison):
            return False
        assign = _assigned(body[0])
        if assign is None or len(test.comparisons) != 1 or not isinstance(test.comparisons[0].operator, cst.NotIn):
            return False
        owner, (target, value) = test.comparisons[0].comparator, assign
        if not isinstance(owner, cst.Attribute) or not _is_own(owner, own) or not self._is_pure(value):
            return False
        if not isinstance(target, cst.Subscript) or not target.value.deep_equals(owner):
            return False
        keys = [part.slice.value for part in target.slice if isinstance(part.slice, cst.Index)]
        if len(target.slice) != 1 or len(keys) != 1 or not keys[0].deep_equals(test.left):
            return False
        reads = [part for part in walk(following) if isinstance(part, cst.Subscript) and part.deep_equals(target)]
        name = owner.attr.value
        if len(reads) != 1 or isinstance(following, (cst.For, cst.While)) or not _is_told_by(test.left, value, method):
            return False
        self._understood(name, node, node, own)
        store = self.store(name)
        store.seen.add(reads[0].value)
        store.values[reads[0]] = value
        store.filled = True
        if isinstance(test.left, cst.Name):
            self.keys.append((method, test.left.value, {name}))
        return True

    def _cleared(self, node: cst.If, own: str) -> bool:
        """`if mode and self.cache: self.cache = {}`."""
        emptied = {_emptied(statement, own) for statement in _statements(node.body)}
        if node.orelse is not None or len(emptied) != 1 or (name := emptied.pop()) is None:
            return False
        parts = walk(node.test)
        if not all(isinstance(p, (cst.BooleanOperation, cst.And, cst.Name, cst.Dot)) or _is_own(p, own) for p in parts):
            return False
        self._understood(name, node, node, own)
        return True

    def _switched(self, node: cst.If, own: str, method: cst.FunctionDef) -> None:
        """`if mode and hasattr(self, "kept"): del self.kept` / `else: self.kept = value` in `train()`."""
        body = _statements(node.body)
        other = _statements(node.orelse.body) if isinstance(node.orelse, cst.Else) else []
        if method.name.value not in self.modes or len(body) != 1 or len(other) != 1:
            return
        assign = _assigned(other[0])
        line = body[0]
        deleted = line.body[0] if isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1 else None
        if assign is None or not isinstance(deleted, cst.Del):
            return
        target, value = assign
        names = {part.value for part in walk(value) if isinstance(part, cst.Name)} - {
            part.attr.value for part in walk(value) if isinstance(part, cst.Attribute)
        }
        if not isinstance(target, cst.Attribute) or not _is_own(target, own) or not self._is_pure(value):
            return
        if names != {own} or not deleted.target.deep_equals(target):
            return
        self._understood(target.attr.value, node, node, own)
        store = self.store(target.attr.value)
        store.filled = True
        for cls in self.modules:
            for other_method in _methods(cls) if any(part is method for part in _methods(cls)) else ():
                for part in walk(other_method):
                    if part not in store.seen and _is_own(part, _own_name(other_method) or "", target.attr.value):
                        if _own_name(other_method) == own and not _is_stored(part, other_method):
                            store.seen.add(part)
                            store.values[part] = value

    def _is_pure(self, value: cst.BaseExpression) -> bool:
        """Does it compute the same each time, as far as can be seen: no modules, no functions of the project?"""
        for part in walk(value):
            if isinstance(part, cst.Call):
                called = self.engine.facts.get(part.func, NOTHING)
                if not called or not all(isinstance(v, (Api, MethodRef)) for v in called) or self._draws(called):
                    return False
            elif isinstance(part, (cst.Lambda, cst.NamedExpr, cst.Await, cst.Yield)):
                return False
        return True

    def _draws(self, called: frozenset[object]) -> bool:
        kb = self.engine.kb
        names = [
            v.name if isinstance(v, Api) else f"{self.engine.tensor_type}.{v.name}"
            for v in called
            if isinstance(v, (Api, MethodRef))
        ]
        hubs = [kb.hub(row.op) for name in names for row in kb.read(name)]
        return any(hub is not None and hub.effects for hub in hubs)

    # ---- what of it holds --------------------------------------------------------------------------------------------

    def result(self) -> Memos:
        found = Memos()
        if not any(store.filled for store in self.stores.values()):
            return found
        used: dict[str, set[cst.CSTNode]] = {}
        texts = set()
        for part in walk(self.tree):
            if isinstance(part, cst.Attribute):
                used.setdefault(part.attr.value, set()).add(part)
            elif isinstance(part, cst.SimpleString):
                texts.add(part)
        kept = {
            name
            for name, store in self.stores.items()
            if store.filled
            and used[name] == store.seen
            and not any(t.raw_value == name and not _within(t, store.gone) for t in texts)
        }
        for name in kept:
            found.gone |= self.stores[name].gone
            found.values |= self.stores[name].values
        for method, name, stores in self.keys:
            if stores <= kept:
                found.gone |= _key_lines(method, name, found)
        for cls in self.modules:
            found.gone |= {line for line in _statements(cls.body) if _declared(line) in kept}
            found.gone |= {method for method in _methods(cls) if _is_idle(method, found)}
        return found


def _within(node: cst.CSTNode, statements: set[cst.CSTNode]) -> bool:
    return any(part is node for statement in statements for part in walk(statement))


def _methods(cls: cst.ClassDef) -> list[cst.FunctionDef]:
    return [part for part in cls.body.body if isinstance(part, cst.FunctionDef)]


def _own_name(method: cst.FunctionDef) -> str | None:
    return method.params.params[0].name.value if method.params.params else None


def _is_own(node: cst.CSTNode, own: str, name: str | None = None) -> bool:
    """`self.name`."""
    return (
        isinstance(node, cst.Attribute)
        and isinstance(node.value, cst.Name)
        and node.value.value == own
        and (name is None or node.attr.value == name)
    )


def _is_stored(node: cst.CSTNode, method: cst.FunctionDef) -> bool:
    for part in walk(method):
        if isinstance(part, (cst.AssignTarget, cst.AugAssign, cst.AnnAssign, cst.Del)):
            if any(inner is node for inner in walk(part.target)):
                return True
    return False


def _statements(body: cst.BaseSuite) -> Sequence[cst.CSTNode]:
    return body.body if isinstance(body, cst.IndentedBlock) else ()


def _blocks(node: cst.CSTNode) -> Iterator[Sequence[cst.CSTNode]]:
    for part in walk(node, inner=False):
        if isinstance(part, cst.IndentedBlock):
            yield part.body


def _assigned(statement: cst.CSTNode) -> tuple[cst.BaseExpression, cst.BaseExpression] | None:
    """The target and the value of a statement that is one assignment."""
    if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
        return None
    small = statement.body[0]
    if isinstance(small, cst.Assign) and len(small.targets) == 1:
        return small.targets[0].target, small.value
    if isinstance(small, cst.AnnAssign) and small.value is not None:
        return small.target, small.value
    return None


def _emptied(statement: cst.CSTNode, own: str) -> str | None:
    """The attribute to which `self.cache = {}` gives an empty dictionary."""
    assign = _assigned(statement)
    if assign is None or not isinstance(assign[0], cst.Attribute) or not _is_own(assign[0], own):
        return None
    value = assign[1]
    empty = isinstance(value, cst.Dict) and not value.elements
    made = isinstance(value, cst.Call) and not value.args and getattr(value.func, "value", None) == "dict"
    return assign[0].attr.value if empty or made else None


def _declared(statement: cst.CSTNode) -> str | None:
    """The attribute of `cache: dict[str, Tensor]` in the body of a class."""
    small = statement.body[0] if isinstance(statement, cst.SimpleStatementLine) and statement.body else None
    if isinstance(small, cst.AnnAssign) and small.value is None and isinstance(small.target, cst.Name):
        return small.target.value
    return None


def _is_told_by(key: cst.BaseExpression, value: cst.BaseExpression, method: cst.FunctionDef) -> bool:
    """Does a value depend on no other names of its method than its key tells? If not, what is kept may be old."""
    parameters = method.params
    local = {p.name.value for p in (*parameters.params[1:], *parameters.kwonly_params, *parameters.posonly_params)}
    made: dict[str, set[str]] = {}
    for part in walk(method):
        if isinstance(part, (cst.Assign, cst.AnnAssign, cst.AugAssign)):
            targets = part.targets if isinstance(part, cst.Assign) else (part,)
            plain = [target.target for target in targets if isinstance(target.target, (cst.Name, cst.Tuple))]
            for name in {name for target in plain for name in _names(target)}:
                made.setdefault(name, set()).update(_names(part.value, whole=True) if part.value is not None else ())
    local |= made.keys()
    told = _names(key, whole=True)
    for _ in made:
        told |= {name for known in told for name in made.get(known, ())}
    placed = {  # where an array lies and how exact it is says nothing of its values
        part.value
        for part in walk(value)
        if isinstance(part, cst.Attribute) and part.attr.value in _PLACES and isinstance(part.value, cst.Name)
    }
    return _names(value, but=placed) & local <= told


def _names(node: cst.CSTNode, *, whole: bool = False, but: Collection[cst.CSTNode] = ()) -> set[str]:
    """The names that are read, as a whole only (not `x` in `x.shape`) or in any way."""
    attributes = [part for part in walk(node) if isinstance(part, cst.Attribute)]
    passed = {part.attr for part in attributes} | ({part.value for part in attributes} if whole else set()) | set(but)
    return {part.value for part in walk(node) if isinstance(part, cst.Name) and part not in passed}


def _key_lines(method: cst.FunctionDef, name: str, found: Memos) -> set[cst.CSTNode]:
    """The line that makes a key which nothing else reads: `key = str(device)`."""
    lines = {
        statement
        for block in _blocks(method)
        for statement in block
        if (assign := _assigned(statement)) is not None and getattr(assign[0], "value", None) == name
    }
    if len(lines) != 1 or any(parameter.name.value == name for parameter in method.params.params):
        return set()
    line = next(iter(lines))
    assign = _assigned(line)
    assert assign is not None
    for part in walk(assign[1]):
        if isinstance(part, cst.Call) and getattr(part.func, "value", None) not in _PURE_CALLS:
            return set()
    parts = {part for part in walk(method) if isinstance(part, cst.Name) and part.value == name}
    known = {part for statement in (*found.gone, *found.values, line) for part in walk(statement)}
    written = {part for value in found.values.values() for part in walk(value)}
    return lines if parts <= known - written else set()


def _is_idle(method: cst.FunctionDef, found: Memos) -> bool:
    """Does a method only pass on to that of the base?"""
    passes = False
    lost = False
    for statement in _statements(method.body):
        if statement in found.gone:
            lost = True
            continue
        if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
            return False
        small = statement.body[0]
        value = small.value if isinstance(small, (cst.Expr, cst.Return)) else None
        if isinstance(small, cst.Expr) and isinstance(value, (cst.SimpleString, cst.ConcatenatedString)):
            continue
        if isinstance(small, cst.Return) and isinstance(value, cst.Name) and value.value == _own_name(method):
            continue
        if not _passes_on(value, method.name.value):
            return False
        passes = True
    return passes and lost


def _passes_on(node: cst.BaseExpression | None, name: str) -> bool:
    """`super().name(...)`."""
    if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute) or node.func.attr.value != name:
        return False
    owner = node.func.value
    return isinstance(owner, cst.Call) and isinstance(owner.func, cst.Name) and owner.func.value == "super"

"""The state that all parts of the abstract interpreter share: cells, facts, the worklist."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from .model import Cell, ClassInfo, FunctionInfo, ModuleInfo, Site
from .values import (
    CROWD,
    NOTHING,
    STR,
    UNKNOWN,
    UNKNOWNS,
    Api,
    Const,
    Container,
    FunctionRef,
    Imported,
    Instance,
    Made,
    MethodRef,
    Partial,
    Scalar,
    Tensor,
    Text,
    Unknown,
    Values,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import libcst as cst

    from ..kb.model import HubOp, ReadRow, WriteRow
    from .project import ModuleFinder
    from .values import ClassRef, Value

MAX_VALUES = 40  # more possibilities than this say nothing
CROWDING = (Api, Const, Imported, Made, MethodRef, Text)
NONE = Const(None)
PLAIN_CONTAINERS = frozenset({"list", "tuple", "dict", "set"})
MAX_NUMBERS = 2  # known numbers in one place; more are widened to their type
MAX_TEXTS = 24

Env = dict[str, Values]


class Knowledge(Protocol):
    """What the analysis asks of the knowledge base."""

    def hub(self, op: str) -> HubOp | None: ...
    def read(self, api: str) -> list[ReadRow]: ...
    def write(self, op: str) -> WriteRow | None: ...
    @property
    def added_weights(self) -> dict[str, str]: ...
    @property
    def claimed(self) -> frozenset[str]: ...

    def is_known_api(self, name: str) -> bool: ...
    def canonical(self, name: str) -> str: ...
    def api_names(self, prefix: str) -> list[str]: ...
    def names_like(self, prefix: str, pattern: str) -> list[str]: ...
    def tensor_methods(self) -> set[str]: ...
    @property
    def source_framework(self) -> dict[str, object]: ...


class EngineBase:
    """Facts, cells and the worklist; the parts (`Statements`, `Expressions`, `Calls`) interpret each construct."""

    def __init__(self, kb: Knowledge, finder: ModuleFinder) -> None:
        self.kb = kb
        self.finder = finder
        framework = kb.source_framework
        self.tensor_type = str(framework["tensor"])
        self.module_type = str(framework.get("module_base") or "")  # "": it has no modules
        self.forward = str(framework.get("forward") or "")
        self.inplace_suffix = str(framework.get("inplace_suffix") or "")
        self.kind_types = mapping(framework.get("kinds"))
        self.argument_aliases = mapping(framework.get("argument_aliases"))
        self.training = str(framework.get("training", ""))
        self.own_backward: dict[str, Any] = mapping(framework.get("own_backward"))
        self.libraries = mapping(framework.get("libraries"))  # array libraries that stay: name -> result
        self.roots = frozenset(strings(framework.get("roots")))
        self.packages = strings(framework.get("packages"))  # patterns: they are written for the framework
        self.tensor_methods = kb.tensor_methods()
        self.facts: dict[cst.CSTNode, Values] = {}
        self.annotation_texts: dict[cst.CSTNode, cst.BaseExpression] = {}  # types written as texts: "Tensor"
        self.submodules: set[str] = set()  # modules that `import a.b` has made attributes of their packages
        self.resolving: set[tuple[str, str]] = set()  # (module, name) of the imports that are being looked up
        self.final = False  # everything that can be known is known: what is still missing is unknown for good
        self.starved: set[FunctionInfo] = set()  # who met something of which nothing was known yet
        self.inlining: dict[FunctionInfo, Values] = {}  # small functions looked at for one call -> what they return
        self.chaining: frozenset[Site] = frozenset()  # Sequentials through which values flow just now
        self.forwarding: set[ClassInfo] = set()  # classes whose forward is an attribute that is called just now
        self.bare: dict[str, Cell] = {}  # what is assigned to attributes of modules without a class of their own
        self.operands: set[cst.CSTNode] = set()  # what is computed with, which no module is
        self.type_tests: set[tuple[cst.CSTNode, cst.BaseExpression]] = set()  # `type(m) == T`: m and T
        self.loops: set[cst.CSTNode] = set()  # what is gone through by `for`, `*` and unpacking
        self.factories: set[cst.CSTNode] = set()  # calls of unknown callables whose results are used as modules
        self.replaced_imports: dict[ModuleInfo, set[cst.ImportAlias]] = {}  # whose names others take (imports.py)
        self.asks_version = False  # does some file read the version of the source framework?
        self.version_outcomes: dict[cst.CSTNode, bool] = {}  # tests that only ask for it (versions.py)
        self.succeeding: set[cst.CSTNode] = set()  # `try` around imports that the framework has (imports.py)
        self.replaced: set[cst.CSTNode] = set()  # `try` whose handler imports the framework's own version (imports.py)
        self.applications: set[cst.CSTNode] = set()  # calls of modules, not of classes that the same name may hold
        self.functions: dict[cst.CSTNode, FunctionInfo] = {}
        self.classes: dict[cst.CSTNode, ClassInfo] = {}
        self.sites: dict[tuple[cst.CSTNode, str], Site] = {}
        self.modules: list[ModuleInfo] = []
        self.targets: set[ModuleInfo] = set()
        self.visits: dict[FunctionInfo, int] = {}
        self.queue: deque[FunctionInfo] = deque()
        self.queued: set[FunctionInfo] = set()
        self.started: set[FunctionInfo] = set()
        self.work = 0  # values met so far: a measure of time that is the same on every machine
        self.bound: int | None = None
        self.current: FunctionInfo | None = None
        self.env: Env = {}
        self.dead = False

    # ---- provided by the parts ---------------------------------------------------------------------------------------

    def evaluate(self, node: cst.BaseExpression) -> Values:
        raise NotImplementedError

    def call(self, callees: Values, args: Arguments, node: cst.CSTNode) -> Values:
        raise NotImplementedError

    def attribute_of(self, owner: Values, name: str, node: cst.CSTNode) -> Values:
        raise NotImplementedError

    def assign(self, target: cst.BaseExpression, values: Values) -> None:
        raise NotImplementedError

    def declare_function(self, node: cst.FunctionDef | cst.Lambda, cls: ClassInfo | None) -> FunctionInfo:
        raise NotImplementedError

    def block(self, body: Sequence[cst.CSTNode]) -> None:
        raise NotImplementedError

    def store_name(self, name: str, values: Values) -> None:
        raise NotImplementedError

    def global_of(self, module: ModuleInfo, name: str) -> Values:
        raise NotImplementedError

    def fill_from_stars(self, module: ModuleInfo, name: str, cell: Cell) -> None:
        raise NotImplementedError

    def load(self, module: ModuleInfo) -> None:
        raise NotImplementedError

    def evaluate_call(self, node: cst.Call) -> Values:
        raise NotImplementedError

    def elements(self, values: Values, node: cst.BaseExpression | None) -> Values:
        raise NotImplementedError

    def element_values(self, values: Values) -> Values:
        raise NotImplementedError

    def container_elements(self, cls: ClassInfo) -> Values:
        raise NotImplementedError

    def find_method(self, cls: ClassInfo, name: str) -> FunctionInfo | None:
        raise NotImplementedError

    def typed(self, text: str, node: cst.CSTNode | None, first: Values) -> Values:
        raise NotImplementedError

    def merge_mapping(self, site: Site, values: Values) -> None:
        raise NotImplementedError

    def store_computed_attribute(self, owners: Values, names: Values, values: Values) -> None:
        raise NotImplementedError

    def imported(self, source: str, name: str) -> Values:
        raise NotImplementedError

    def always_succeeds(self, node: cst.Try) -> bool:
        raise NotImplementedError

    def is_replaced(self, node: cst.Try) -> bool:
        raise NotImplementedError

    def resolve(self, values: Values) -> Values:
        raise NotImplementedError

    def binary(self, left: Values, right: Values, operator: str, node: cst.CSTNode | None = None) -> Values:
        raise NotImplementedError

    def _grow(self, site: Site, values: Values) -> None:
        raise NotImplementedError

    def computed_attribute(self, owners: Values, names: Values, node: cst.CSTNode) -> Values:
        raise NotImplementedError

    def _tuple(self, node: cst.CSTNode, parts: list[Values]) -> Values:
        raise NotImplementedError

    def names_parts(self, name: str) -> bool:
        raise NotImplementedError

    def parts_of(self, value: Value) -> Values:
        raise NotImplementedError

    def shift(self, owner: Value) -> None:
        raise NotImplementedError

    def container_method(self, owner: Container, name: str, args: Arguments, node: cst.CSTNode) -> Values:
        raise NotImplementedError

    def text_method(self, owner: Value, name: str, args: Arguments) -> Values:
        raise NotImplementedError

    def own_site(self, cls: ClassInfo) -> Site:
        raise NotImplementedError

    def fill_children(self, site: Site, args: Arguments) -> None:
        raise NotImplementedError

    def _chain(self, site: Site, elements: Values, args: Arguments, node: cst.CSTNode) -> Values:
        raise NotImplementedError

    def _fitting(self, rows: list[ReadRow], args: Arguments, receiver: Values | None) -> ReadRow:
        raise NotImplementedError

    def mask_made(self, hub: HubOp, args: Arguments) -> Values:
        raise NotImplementedError

    def is_pass(self, function: FunctionInfo) -> bool:
        raise NotImplementedError

    def seed_of_pass(self, function: FunctionInfo, index: int) -> Values:
        raise NotImplementedError

    def context_member(self, cls: ClassInfo, name: str) -> Values | None:
        raise NotImplementedError

    def call_with_backward(self, owner: ClassRef | Instance, name: str, args: Arguments, node: cst.CSTNode) -> Values:
        raise NotImplementedError

    def keys_of(self, site: Site) -> Values:
        raise NotImplementedError

    def _pair(self, node: cst.CSTNode, values: Values, keys: Values = STR) -> Values:
        raise NotImplementedError

    def _module_method(self, owner: Values, name: str, args: Arguments, node: cst.CSTNode) -> Values:
        raise NotImplementedError

    # ---- cells -------------------------------------------------------------------------------------------------------

    def read(self, cell: Cell) -> Values:
        if self.current is not None:
            cell.readers.add(self.current)
        return cell.values

    def write(self, cell: Cell, values: Values) -> None:
        new = values - cell.seen
        if not new:
            return
        cell.seen |= new
        joined = widen(cell.values | new)
        if joined <= cell.values:
            return
        cell.values = joined
        for reader in tuple(cell.readers):
            self.enqueue(reader)

    def lay_out(self, site: Site, cells: list[Cell] | None) -> None:
        """Says where each element of a container is, or that this is not known any more; a grown one stays unknown."""
        if site.grown:
            return
        lost = site.ordered is not None and cells is None
        site.ordered = cells
        if lost:
            for reader in tuple(site.elements.readers):
                self.enqueue(reader)

    def missing(self) -> Values:
        """For something of which nothing is known: nothing yet, and unknown once all else has settled."""
        if self.final:
            return UNKNOWNS
        if self.current is not None:
            self.starved.add(self.current)
        return NOTHING

    def enqueue(self, function: FunctionInfo) -> None:
        if function not in self.queued:
            self.queued.add(function)
            self.queue.append(function)

    def start(self, function: FunctionInfo) -> None:
        """Makes sure that a function is interpreted at least once."""
        if function not in self.started:
            self.started.add(function)
            self.enqueue(function)

    def site(self, node: cst.CSTNode, kind: str) -> Site:
        key = (node, kind)
        found = self.sites.get(key)
        if found is None:
            found = self.sites[key] = Site(kind=kind, node=node)
        return found

    def record(self, node: cst.CSTNode, values: Values) -> Values:
        known = self.facts.get(node)
        if known is None:
            self.facts[node] = values
        elif not values <= known:
            self.facts[node] = known | values
        return values

    def evidence_of_tensor(self, node: cst.BaseExpression) -> None:
        """A name of unknown kind met an operation of tensors only: from here on, and at its parameter, it is one."""
        self.evidence_of(node, Tensor(weak=True))

    def evidence_of(self, node: cst.BaseExpression, value: Value) -> None:
        """The same for anything that a name of unknown kind turns out to be."""
        name = getattr(node, "value", None)
        if type(node).__name__ != "Name" or not isinstance(name, str):
            return
        known = self.env.get(name)
        if not known or UNKNOWN not in known or any(not isinstance(v, Unknown) and v != Const(None) for v in known):
            return
        self.env[name] = (known - UNKNOWNS) | {value}
        if self.current is not None and name in self.current.parameters:
            self.write(self.current.variables[name], frozenset({value}))


class Arguments:
    """Evaluated arguments of a call: positional values, keywords, and whether `*` or `**` hide more."""

    __slots__ = ("keywords", "nodes", "open", "positional", "starred", "starred_map")

    def __init__(
        self,
        positional: list[Values],
        keywords: dict[str, Values],
        *,
        starred: Values = NOTHING,
        starred_map: Values = NOTHING,
        open_: bool = False,
    ) -> None:
        self.positional = positional
        self.keywords = keywords
        self.starred = starred  # element values of *args
        self.starred_map = starred_map  # **kwargs
        self.open = open_
        self.nodes: list[cst.Arg] = []

    def get(self, position: int, name: str | None = None) -> Values:
        if position < len(self.positional):
            return self.positional[position]
        if name is not None:
            return self.keywords.get(name, NOTHING)
        return NOTHING


def widen(values: Values) -> Values:
    """Keeps sets small: many constants of one type become that type, and a crowd of anything becomes unknown."""
    if CROWD in values:
        return frozenset(v for v in values if not _crowds(v))
    if len(values) > MAX_NUMBERS:
        by_type: dict[type, list[Const]] = {}
        for value in values:
            if type(value) is Const and value.value is not None:
                by_type.setdefault(type(value.value), []).append(value)
        for kind, constants in by_type.items():
            if len(constants) > (MAX_TEXTS if kind is str else MAX_NUMBERS):
                values = (values - frozenset(constants)) | {Scalar(kind.__name__)}
            elif kind is not str and Scalar(kind.__name__) in values:
                values -= frozenset(constants)
    if len(values) > 1:
        values = _join_bound(values)
    if len(values) > MAX_VALUES and sum(map(_crowds, values)) > MAX_VALUES:
        return frozenset(v for v in values if not _crowds(v)) | {UNKNOWN, CROWD}
    return values


def _crowds(value: Value) -> bool:
    """Is this what tables that nobody can follow are full of? Modules, their classes and functions always matter."""
    if isinstance(value, Container):
        return value.site.kind in PLAIN_CONTAINERS
    if isinstance(value, Instance):
        return not value.cls.is_module
    return isinstance(value, CROWDING) and value != NONE


def _join_bound(values: Values) -> Values:
    """One bound method or partial call stands for all of the same name: each growth of its object would add another."""
    bound: dict[object, list[MethodRef | Partial | FunctionRef]] = {}
    for value in values:
        if isinstance(value, MethodRef):
            bound.setdefault(value.name, []).append(value)
        elif isinstance(value, Partial):
            bound.setdefault(("partial", len(value.args)), []).append(value)
        elif isinstance(value, FunctionRef) and value.receiver is not None:
            bound.setdefault(value.function, []).append(value)
    for same in bound.values():
        if len(same) > 1:
            values = (values - frozenset(same)) | {_joined(same)}
    return values


def _joined(same: Sequence[MethodRef | Partial | FunctionRef]) -> Value:
    first = same[0]
    if isinstance(first, Partial):
        partials = [p for p in same if isinstance(p, Partial)]
        args = tuple(frozenset().union(*column) for column in zip(*(p.args for p in partials), strict=True))
        return Partial(frozenset().union(*(p.target for p in partials)), args)
    receiver: Values = frozenset().union(*(v.receiver or NOTHING for v in same if not isinstance(v, Partial)))
    return MethodRef(receiver, first.name) if isinstance(first, MethodRef) else FunctionRef(first.function, receiver)


def mapping(value: object) -> dict[str, str]:
    """A table in a framework's YAML; anything else has no entries."""
    return value if isinstance(value, dict) else {}


def strings(value: object) -> list[str]:
    """The entries of a list in a framework's YAML as texts; anything else has none."""
    return [str(item) for item in value] if isinstance(value, (list, tuple)) else []

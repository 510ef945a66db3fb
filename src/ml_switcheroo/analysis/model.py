"""What the analysis knows about a project: modules, classes, functions, containers. Read-only once it is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from .values import NOTHING, Value, Values

if TYPE_CHECKING:
    from pathlib import Path

    import libcst as cst

MAPPINGS = frozenset({"dict", "ModuleDict", "ParameterDict"})
MODULE_CONTAINERS = frozenset({"Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"})


@dataclass(eq=False, repr=False)
class Cell:
    """A variable, attribute, parameter or result: what it may hold, and who is looked at again when that grows.

    `seen` is all that was ever written: `values` may say the same in fewer words.
    """

    values: Values = NOTHING
    seen: set[Value] = field(default_factory=set)
    readers: set[FunctionInfo] = field(default_factory=set)

    def __repr__(self) -> str:
        return f"<cell {len(self.values)}>"


@dataclass(eq=False, repr=False)
class Site:
    """A place in the code that makes a container.

    `kind` is list, tuple, dict, set, Sequential, ModuleList, ModuleDict, ParameterList or ParameterDict. `ordered`
    holds the elements by position while the length is known, then None; `elements` joins all of them; `named` holds
    elements under literal keys, `patterns` those under computed keys (`unit*`), and `keys` the classes that are keys.
    """

    kind: str
    node: cst.CSTNode | None = None
    ordered: list[Cell] | None = None
    elements: Cell = field(default_factory=Cell)
    named: dict[str, Cell] = field(default_factory=dict)
    patterns: dict[str, Cell] = field(default_factory=dict)
    keys: Cell = field(default_factory=Cell)
    grown: bool = False  # something was appended after it was made: positions are no longer certain

    def __repr__(self) -> str:
        return f"<{self.kind}>"


@dataclass(eq=False, repr=False)
class FunctionInfo:
    """A function, method, lambda, or the body of a module or class (`node` is then the Module or ClassDef)."""

    name: str
    qualname: str
    node: cst.CSTNode
    module: ModuleInfo
    cls: ClassInfo | None = None
    outer: FunctionInfo | None = None
    variables: dict[str, Cell] = field(default_factory=dict)
    parameters: list[str] = field(default_factory=list)
    result: Cell = field(default_factory=Cell)
    kind: str = "function"  # function | method | classmethod | staticmethod | property | lambda | module | class
    star: str | None = None  # the name of *args
    double_star: str | None = None  # the name of **kwargs
    generator: bool = False
    calls: dict[cst.Call, Values] = field(default_factory=dict)  # every call of the body -> what may be called
    defaults: dict[str, Values] = field(default_factory=dict)
    small: bool | None = None  # a few statements only (analysis/calls.py)
    returns: Values = NOTHING  # what its annotation promises
    global_names: frozenset[str] | None = None
    # effects, closed over calls
    builds: bool = False  # makes layers or parameters, or initialises them: needs random keys at construction
    draws: bool = False  # draws random numbers when called

    def __repr__(self) -> str:
        return f"<function {self.qualname}>"


@dataclass(eq=False, repr=False)
class ClassInfo:
    """A class of the project; `attributes` joins what any method (or base of the project) stores on self."""

    name: str
    qualname: str
    node: cst.ClassDef
    module: ModuleInfo
    bases: list[Values] = field(default_factory=list)
    methods: dict[str, FunctionInfo] = field(default_factory=dict)
    attributes: dict[str, Cell] = field(default_factory=dict)
    attribute_patterns: dict[str, Cell] = field(default_factory=dict)  # setattr(self, f"layer{i}", ...) -> "layer*"
    children: Cell = field(default_factory=Cell)  # all modules that some method stores on self
    persistent: dict[str, bool] = field(default_factory=dict)  # buffers: kept in checkpoints?
    is_module: bool = False  # inherits from the framework's module class
    differentiable: bool = False  # a function with a backward pass of its own (analysis/functions.py)
    container: str | None = None  # 'Sequential' | 'ModuleList' | 'ModuleDict' when it inherits from that
    layer: str | None = None  # hub name when it inherits from a framework's layer
    ties: list[tuple[str, str]] = field(default_factory=list)  # dotted attribute paths that share one parameter
    writers: dict[str, set[str]] = field(default_factory=dict)  # attribute -> methods that store it
    called: set[str] = field(default_factory=set)  # attributes of self that some method calls
    constants: set[str] = field(default_factory=set)  # arrays that only the constructor sets
    dataclass: bool = False
    draws: bool = False  # some method draws random numbers: instances keep a random stream
    uses_mode: bool = False  # some method asks whether it is training
    outside: bool = False  # a base is known neither to the project nor to the knowledge base
    subclasses: list[ClassInfo] = field(default_factory=list)
    self_site: Site | None = None  # children of a class that is itself a container
    generation: ClassVar[int] = 0  # grows with every change of a base of any class
    _order: tuple[int, list[ClassInfo]] = (-1, [])

    def set_bases(self, bases: list[Values]) -> bool:
        """The values of the base classes, which may grow while the analysis goes on; are these others than before?"""
        if bases == self.bases:
            return False
        self.bases = bases
        ClassInfo.generation += 1
        return True

    def mro(self) -> list[ClassInfo]:
        """The classes of the project among the bases, this one first, in the order of attribute lookup."""
        if self._order[0] != ClassInfo.generation:
            self._order = (ClassInfo.generation, self._find_order())
        return self._order[1]

    def _find_order(self) -> list[ClassInfo]:
        from .values import ClassRef

        seen: dict[ClassInfo, None] = {}
        waiting = [self]
        while waiting:  # a name that may be one of several classes can make a circle of them
            cls = waiting.pop()
            if cls not in seen:
                seen[cls] = None
                bases = [value.cls for base in cls.bases for value in base if isinstance(value, ClassRef)]
                waiting += reversed(bases)
        return list(seen)

    @property
    def serves_modules(self) -> bool:
        """Does a module inherit from this class, or is it one?"""
        return any(cls.is_module for cls in (self, *self.descendants()))

    def descendants(self) -> list[ClassInfo]:
        """The classes of the project that inherit from this one, over any number of others."""
        seen: dict[ClassInfo, None] = {}
        waiting = list(self.subclasses)
        while waiting:  # see _find_order() for circles
            cls = waiting.pop()
            if cls not in seen:
                seen[cls] = None
                waiting += cls.subclasses
        return list(seen)

    def attribute(self, name: str) -> Values:
        """What `self.name` may hold, over the class and its bases."""
        found = NOTHING
        for cls in self.mro():
            cell = cls.attributes.get(name)
            if cell is not None:
                found |= cell.values
        return found

    def __repr__(self) -> str:
        return f"<class {self.qualname}>"


@dataclass(eq=False, repr=False)
class ModuleInfo:
    """One file."""

    name: str  # dotted name from the project's root ("timm.layers.drop")
    path: Path | None
    tree: cst.Module
    is_package: bool = False
    distance: int = 1_000  # imports between a file that is converted and this one
    body: FunctionInfo | None = None
    globals: dict[str, Cell] = field(default_factory=dict)
    stars: dict[str, None] = field(
        default_factory=dict
    )  # of a package: what it does `from ... import *` of, not yet read
    star_readers: set[FunctionInfo] = field(default_factory=set)  # who did `from this import *`
    classes: dict[str, ClassInfo] = field(default_factory=dict)
    functions: dict[str, FunctionInfo] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<module {self.name}>"


def modules_of(values: Values) -> Values:
    """Those of the values that are modules of the framework or the project, or containers of them."""
    from .values import Container, Instance, Layer

    return frozenset(
        value
        for value in values
        if isinstance(value, Layer)
        or (isinstance(value, Instance) and value.cls.is_module)
        or (isinstance(value, Container) and value.site.kind in MODULE_CONTAINERS)
    )

"""Python's own functions and the standard library, as far as models use them."""

from __future__ import annotations

import libcst as cst

from .base import Arguments, EngineBase
from .model import Cell, ClassInfo, FunctionInfo, ModuleInfo, Site
from .usual import usual_names
from .values import (
    BOOL,
    FLOAT,
    INT,
    NDARRAY,
    NOTHING,
    REDUCING,
    TYPE,
    UNKNOWNS,
    Api,
    ClassRef,
    Const,
    Container,
    FunctionRef,
    Instance,
    Layer,
    MethodRef,
    ModuleRef,
    Partial,
    Scalar,
    Tensor,
    Text,
    Value,
    Values,
    classes,
    number_type,
)

MATH_INTS = frozenset({"ceil", "floor", "gcd", "comb", "factorial", "isqrt", "trunc"})
# NumPy's functions of single numbers: numbers of numbers, arrays of arrays.
ELEMENTWISE = frozenset(
    [
        "abs",
        "absolute",
        "fabs",
        "sign",
        "sqrt",
        "cbrt",
        "square",
        "exp",
        "exp2",
        "expm1",
        "log",
        "log2",
        "log10",
        "log1p",
        "sin",
        "cos",
        "tan",
        "arcsin",
        "arccos",
        "arctan",
        "arctan2",
        "sinh",
        "cosh",
        "tanh",
        "arcsinh",
        "arccosh",
        "arctanh",
        "power",
        "float_power",
        "maximum",
        "minimum",
        "fmax",
        "fmin",
        "add",
        "subtract",
        "multiply",
        "divide",
        "true_divide",
        "floor_divide",
        "mod",
        "remainder",
        "hypot",
        "deg2rad",
        "rad2deg",
        "radians",
        "degrees",
        "clip",
        "round",
        "around",
        "rint",
        "trunc",
        "reciprocal",
        "negative",
        "nan_to_num",
        "float32",
        "float64",
        "float16",
        "int32",
        "int64",
        "mean",
        "sum",
        "median",
        "min",
        "max",
        "amin",
        "amax",
        "std",
        "var",
        "argmax",
        "argmin",
    ]
)
NUMBER: Values = frozenset({Scalar("number")})
SAME = frozenset({"copy.copy", "copy.deepcopy", "typing.cast", "builtins.iter"})
NONE: Values = frozenset({Const(None)})


SEVERAL = frozenset(  # functions of NumPy that return a tuple or list of arrays
    {
        "array_split", "broadcast_arrays", "diag_indices", "diag_indices_from", "dsplit", "histogram", "hsplit", "ix_",
        "meshgrid", "nonzero", "split", "tril_indices", "tril_indices_from", "triu_indices", "triu_indices_from",
        "unravel_index", "vsplit",
    }
)  # fmt: skip


class BuiltinCalls(EngineBase):
    """Calls of builtins, functools, collections, itertools, math, numpy, copy."""

    def call_library(self, name: str, args: Arguments, node: cst.CSTNode) -> Values | None:
        """The result, or None when the name is not one of these."""
        if name.startswith("builtins."):
            return self._builtin(name[9:], args, node)
        if name == "re.compile":  # its sub() and split() are those of texts
            return frozenset({Scalar("pattern")})
        if name in ("functools.partial", "functools.partialmethod"):
            targets = args.get(0)
            for target in targets:
                if isinstance(target, FunctionRef):
                    self._bind_keywords(target.function, args)
                elif isinstance(target, ClassRef):
                    init = self.find_method(target.cls, "__init__")
                    if init is not None:
                        self._bind_keywords(init, args)
            bound = tuple(args.positional[1:])
            inner = frozenset(v for v in targets if not isinstance(v, Partial))
            found = frozenset({Partial(inner, bound)}) if inner else NOTHING
            return found | frozenset(Partial(v.target, (*v.args, *bound)) for v in targets if isinstance(v, Partial))

        if name in ("collections.OrderedDict", "collections.defaultdict"):
            return self._mapping(args, node)
        if name in SAME:
            return args.get(1) if name == "typing.cast" else args.get(0)
        if name.startswith("math."):
            return INT if name[5:] in MATH_INTS else FLOAT
        if name == "itertools.repeat":
            return self._list(args.get(0), node)
        if name in ("itertools.chain", "itertools.islice", "itertools.product"):
            found = NOTHING
            for values in args.positional:
                found |= self.elements(values, None)
            return self._list(found | self.elements(args.starred, None), node)
        if name == "itertools.chain.from_iterable":
            return self._list(self.elements(self.elements(args.get(0), None), None), node)
        if name.startswith("numpy.") and "numpy" not in self.roots:
            return self._numpy(name.rsplit(".", 1)[1], args, node)
        if name in ("functools.reduce",):
            return UNKNOWNS
        return None

    def _numpy(self, name: str, args: Arguments, node: cst.CSTNode) -> Values:
        """What a function of NumPy returns: an array, a number, or one of the two where that hangs on the arguments."""
        if name in SEVERAL or (name == "where" and len(args.positional) == 1):
            return self._list(NDARRAY, node)
        if name in ("prod", "ceil", "floor"):
            return NUMBER
        if name not in ELEMENTWISE:
            return NDARRAY
        if not all(args.positional) and not self.missing():
            return NOTHING
        given = frozenset[Value]().union(*args.positional)
        if given and not args.open and all(number_type(v) for v in given):
            return NUMBER
        certain = any(values and all(isinstance(v, (Tensor, Container)) or v in NDARRAY for v in values)
                      for values in args.positional)  # fmt: skip
        if name in REDUCING:
            return NDARRAY | NUMBER
        return NDARRAY if certain else NDARRAY | NUMBER

    def _bind_keywords(self, function: FunctionInfo, args: Arguments) -> None:
        for name, values in args.keywords.items():
            if name in function.variables:
                self.write(function.variables[name], values)

    def _list(self, values: Values, node: cst.CSTNode) -> Values:
        site = self.site(node, "list")
        self.write(site.elements, values)
        return frozenset({Container(site)})

    def _mapping(self, args: Arguments, node: cst.CSTNode) -> Values:
        site = self.site(node, "dict")
        for value in args.get(0):
            if isinstance(value, Container) and value.site.kind in ("dict", "ModuleDict"):
                self.merge_mapping(site, frozenset({value}))
            elif isinstance(value, Container):  # a list of (key, value) pairs
                for pair in self.read(value.site.elements):
                    if isinstance(pair, Container) and pair.site.ordered is not None and len(pair.site.ordered) == 2:
                        self._store_pair(site, self.read(pair.site.ordered[0]), self.read(pair.site.ordered[1]))
        for key, values in args.keywords.items():
            self.write(site.named.setdefault(key, Cell()), values)
            self.write(site.elements, values)
        if args.starred_map:
            self.merge_mapping(site, args.starred_map)
        return frozenset({Container(site)})

    def _store_pair(self, site: Site, keys: Values, values: Values) -> None:
        self.write(site.elements, values)
        self.write(site.keys, classes(keys))
        for key in keys:
            if isinstance(key, Const) and isinstance(key.value, str):
                self.write(site.named.setdefault(key.value, Cell()), values)
            else:
                self.write(site.patterns.setdefault(key.pattern if isinstance(key, Text) else "*", Cell()), values)

    def _builtin(self, name: str, args: Arguments, node: cst.CSTNode) -> Values | None:
        first = args.get(0)
        if name in ("len", "int", "hash", "id", "ord"):
            return INT
        if name == "float":
            return FLOAT
        if name in ("isinstance", "issubclass", "hasattr", "callable", "bool", "any", "all"):
            return BOOL
        if name in ("str", "repr", "format", "chr"):
            return (
                first
                if first and all(isinstance(v, Const) and isinstance(v.value, str) for v in first)
                else frozenset({Text("*")})
            )
        if name == "range":
            return frozenset({Scalar("range")})
        if name in ("list", "tuple", "set", "frozenset", "sorted", "reversed", "iter"):
            kind = {"tuple": "tuple", "set": "set", "frozenset": "set"}.get(name, "list")
            site = self.site(node, kind)
            self.write(site.elements, self.elements(first, None) if first else NOTHING)
            ordered = [v for v in first if isinstance(v, Container)]
            exact = name in ("list", "tuple") and len(first) == 1 and ordered
            self.lay_out(site, ordered[0].site.ordered if exact else None)
            return frozenset({Container(site)})
        if name == "enumerate":
            return self._list(self._tuple(node, [INT, self.elements(first, None)]), node)
        if name == "zip":
            return (
                self._list(self._tuple(node, [self.elements(v, None) for v in args.positional]), node)
                if not args.open
                else UNKNOWNS
            )
        if name in ("map", "filter"):
            elements = self.elements(args.get(1), None)
            if name == "filter":
                return self._list(elements, node)
            return self._list(self.call(first, Arguments([elements], {}), node), node)
        if name == "dict":
            return self._mapping(args, node)
        if name in ("sum", "max", "min", "abs", "round", "pow", "divmod", "next"):
            pool = first if len(args.positional) > 1 or name in ("abs", "round", "pow") else self.elements(first, None)
            for values in args.positional[1:]:
                pool |= values
            if tensors := [v for v in pool if isinstance(v, Tensor)]:
                listed = name == "next" and any(v.listed for v in tensors)
                return frozenset({Tensor(weak=all(v.weak for v in tensors), listed=listed)})
            if name == "next":
                return pool
            kinds = {
                type(v.value).__name__ if isinstance(v, Const) else v.type if isinstance(v, Scalar) else "?"
                for v in pool
            }
            if name == "round" and len(args.positional) == 1:
                return INT
            return (
                INT
                if kinds and kinds <= {"int", "bool"}
                else FLOAT
                if kinds and kinds <= {"int", "bool", "float"}
                else UNKNOWNS
            )
        if name in ("staticmethod", "classmethod"):
            return first
        if name == "getattr":
            found = self.computed_attribute(args.get(0), args.get(1), node)
            for owner in first:
                if isinstance(owner, Api) and isinstance(node, cst.Call):
                    for usual in usual_names(self.kb, owner.name, node, args.get(1)):
                        found |= self.attribute_of(frozenset({owner}), usual, node)
            if found and all(isinstance(v, Api) and self.kb.is_known_api(v.name) for v in found):
                return found  # what the framework has: no default
            return found | args.get(2) or self.missing()
        if name in ("vars", "globals"):
            here = frozenset({ModuleRef(self.current.module)}) if self.current is not None else NOTHING
            modules = frozenset(v for v in (first if args.positional else here) if isinstance(v, ModuleRef))
            return frozenset({MethodRef(modules, "__dict__")}) if modules else UNKNOWNS
        if name == "locals":
            return self._locals(node)
        if name == "setattr":
            self.store_computed_attribute(first, args.get(1), args.get(2))
            return NONE
        if name == "type":
            return (
                frozenset().union(*(frozenset({ClassRef(v.cls)}) if isinstance(v, Instance) else TYPE for v in first))
                or TYPE
            )
        if name in ("print", "delattr"):
            return NONE
        return UNKNOWNS

    def _locals(self, node: cst.CSTNode) -> Values:
        """The variables that a function has where it asks for them; a method's own object is left out."""
        site, here = self.site(node, "dict"), self.current
        own = here.parameters[:1] if here is not None and here.cls is not None else []
        for name, values in list(self.env.items()):
            if "." not in name and name not in own:
                self.write(site.named.setdefault(name, Cell()), values)
                self.write(site.elements, values)
        return frozenset({Container(site)})

    def _tuple(self, node: cst.CSTNode, parts: list[Values]) -> Values:
        site = self.site(node, "tuple")
        if site.ordered is None or len(site.ordered) != len(parts):
            site.ordered = [Cell() for _ in parts]
        for cell, values in zip(site.ordered, parts, strict=True):
            self.write(cell, values)
            self.write(site.elements, values)
        return frozenset({Container(site)})

    def computed_attribute(self, owners: Values, names: Values, node: cst.CSTNode) -> Values:
        """What `getattr(owner, name)` may give."""
        found = NOTHING
        patterns: set[str] = set()
        for key in names:
            if isinstance(key, Const) and isinstance(key.value, str):
                found |= self.attribute_of(owners, key.value, node)
            else:
                patterns.add(key.pattern if isinstance(key, Text) else "*")
        # The owners may be hundreds of classes with the same bases: each base is looked through once.
        for pattern in patterns:
            for owner in owners:
                found |= self._makers(owner.module, pattern) if isinstance(owner, ModuleRef) else NOTHING
                if isinstance(owner, Api):
                    for name in self.kb.names_like(owner.name, pattern):
                        found |= self.attribute_of(frozenset({owner}), name, node)
            members: dict[ClassInfo, Values] = {}
            for cls in {owner.cls for owner in owners if isinstance(owner, Instance)}:
                matching = NOTHING
                for parent in cls.mro():
                    if parent not in members:
                        members[parent] = self._own_members(parent, pattern)
                    matching |= members[parent]
                found |= matching or self.missing()
        return found

    def _makers(self, module: ModuleInfo, pattern: str) -> Values:
        """The public functions of a module that make models: those are looked up by name."""
        from fnmatch import fnmatchcase

        self.load(module)
        found: set[Value] = set()
        for name in list(module.globals):
            if not name.startswith("_") and (pattern == "*" or fnmatchcase(name, pattern)):
                for value in self.imported(module.name, name):
                    if isinstance(value, FunctionRef) and any(
                        isinstance(made, Layer) or (isinstance(made, Instance) and made.cls.is_module)
                        for made in self.read(value.function.result)
                    ):
                        found.add(value)
        return frozenset(found)

    def _own_members(self, cls: ClassInfo, pattern: str) -> Values:
        """Modules and tensors that a class itself, not its bases, keeps under a name that fits."""
        from fnmatch import fnmatchcase

        cells = [cell for name, cell in cls.attributes.items() if pattern == "*" or fnmatchcase(name, pattern)]
        kept = [v for cell in cells for v in self.read(cell) if isinstance(v, (Instance, Layer, Container, Tensor))]
        found: Values = frozenset(kept)
        for other, cell in cls.attribute_patterns.items():
            if fnmatchcase(other.replace("*", "0"), pattern) or fnmatchcase(pattern.replace("*", "0"), other):
                found |= self.read(cell)
        return found

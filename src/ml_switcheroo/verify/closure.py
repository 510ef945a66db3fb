"""Which files does a model file really need? Its import closure, as a small tree that converts and runs on its own.

A package's `__init__.py` usually imports everything beside it. Only the statements that supply a name which is really
imported are kept, so that one model of a large package drags in a dozen files and not a thousand.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..analysis.project import module_name

if TYPE_CHECKING:
    from collections.abc import Iterable

ALL = "*"  # every name of the module is wanted
Uses = Sequence[tuple[str, ...]] | None  # the attributes of a module that are read: m.a.b -> ("a", "b"); None = any

_BLOCKS = (ast.If, ast.Try, ast.With)


@dataclass
class Module:
    """One file of the closure: where it was found, and which of its names are wanted."""

    name: str
    path: Path
    is_package: bool
    tree: ast.Module
    text: str
    bound: tuple[frozenset[str], ...]  # the names that each top-level statement binds
    wanted: set[str] = field(default_factory=set)
    whole: bool = False  # the file itself is wanted, not only names out of it
    kept: dict[int, set[str] | None] = field(default_factory=dict)  # statement index -> names kept (None = all of it)

    @property
    def package(self) -> str:
        """The package against which this file's relative imports count."""
        return self.name if self.is_package else self.name.rpartition(".")[0]


@dataclass
class Closure:
    """A model file and what it imports, ready to be written to a folder."""

    entry: str
    modules: dict[str, Module]
    packages: set[str]  # packages without a module of their own here: they become an empty __init__.py
    optional: set[str] = field(default_factory=set)  # other packages that are used if they are there (try: import ...)

    def files(self) -> dict[Path, str]:
        """Relative path -> text, for each file of the tree."""
        out: dict[Path, str] = {}
        for name in self.packages:
            out[_relative(name, True)] = ""
        for module in self.modules.values():
            out[_relative(module.name, module.is_package)] = _text(module)
        return out

    @property
    def entry_file(self) -> Path:
        """The model file, relative to the tree."""
        module = self.modules[self.entry]
        return _relative(module.name, module.is_package)

    def write(self, folder: Path, *, fall_back: bool = False) -> None:
        """Write the tree. `fall_back`: a package looks for what is not here in the place that it was copied from."""
        for path, text in self.files().items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if fall_back and path.name == "__init__.py":
                origin = self._origin(path)
                if origin is not None:
                    text = _with_fall_back(text, origin)
            target.write_text(text, encoding="utf-8")

    def _origin(self, path: Path) -> Path | None:
        name = ".".join(path.parent.parts)
        if name in self.modules:
            return self.modules[name].path.parent
        for module in self.modules.values():
            if module.name.startswith(name + "."):
                up = module.name.count(".") - name.count(".") + (1 if module.is_package else 0)
                return module.path.parents[up - 1]
        return None


def import_closure(
    path: Path, *, frameworks: Sequence[str], known: Iterable[str] = (), search: Sequence[Path] | None = None
) -> Closure:
    """The closure of the model file at `path`.

    `frameworks`: top-level names of the source framework; files of other packages are followed only if they import one.
    `known`: packages that the converter itself understands and that are therefore never followed.
    """
    name, root = module_name(path.resolve())
    finder = _Finder([root, *(search if search is not None else [Path(p) for p in sys.path if p])])
    entry = finder.load(name)
    if entry is None:
        raise ValueError(f"{path}: not a readable Python file")
    walker = _Walker(finder, entry, frozenset(frameworks), frozenset(known) | frozenset(frameworks))
    walker.want(entry, {ALL})
    walker.run()
    modules = {m.name: m for m in finder.cache.values() if m is not None and (m.whole or m.wanted)}
    named = [*modules, *walker.used_packages]
    packages = {parent for name_ in named for parent in [*_parents(name_), name_] if parent not in modules}
    return Closure(name, modules, packages, walker.optional - {m.partition(".")[0] for m in modules})


def merge(closures: Sequence[Closure]) -> Closure:
    """One closure that serves several model files: what they share is converted once. The first one's entry stays."""
    modules: dict[str, Module] = {}
    for module in (m for closure in closures for m in closure.modules.values()):
        known = modules.setdefault(module.name, replace(module, wanted=set(), kept={}))
        known.whole |= module.whole
        known.wanted |= module.wanted
        for index, names in module.kept.items():
            before = known.kept.get(index, set())
            known.kept[index] = None if names is None or before is None else before | names
    packages = {name for closure in closures for name in closure.packages} - set(modules)
    return Closure(closures[0].entry, modules, packages, {name for closure in closures for name in closure.optional})


class _Finder:
    """Finds and parses modules by dotted name."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self.roots = list(dict.fromkeys(p.resolve() for p in roots if p.is_dir()))
        self.cache: dict[str, Module | None] = {}

    def load(self, name: str) -> Module | None:
        if name not in self.cache:
            self.cache[name] = self._load(name)
        return self.cache[name]

    def _load(self, name: str) -> Module | None:
        if not name:
            return None
        relative = Path(*name.split("."))
        for root in self.roots:
            for path, is_package in (
                (root / relative / "__init__.py", True),
                (root / relative.with_suffix(".py"), False),
            ):
                if "." not in name.rpartition(".")[2] and path.is_file():
                    parsed = _parse(path)
                    return Module(name, path, is_package, *parsed) if parsed is not None else None
        return None

    def is_namespace(self, name: str) -> bool:
        return any((root / Path(*name.split("."))).is_dir() for root in self.roots)


@lru_cache(maxsize=2048)  # the closures of many models of one package share most of their files
def _parse(path: Path) -> tuple[ast.Module, str, tuple[frozenset[str], ...]] | None:
    try:
        text = path.read_text(encoding="utf-8-sig")
        tree = ast.parse(text)
        return tree, text, tuple(frozenset(_bound(statement)) for statement in tree.body)
    except (SyntaxError, UnicodeDecodeError, OSError, ValueError):
        return None


class _Walker:
    """Follows imports until nothing new is wanted."""

    def __init__(self, finder: _Finder, entry: Module, frameworks: frozenset[str], stop: frozenset[str]) -> None:
        self.finder = finder
        self.entry = entry
        self.own = {
            entry.name.partition(".")[0]
        }  # packages that the tree replaces: all that is used of them is followed
        self.left: set[str] = set()  # packages of which something was not followed
        self.frameworks = frameworks
        self.stop = stop
        self.todo: list[Module] = []
        self.optional: set[str] = set()
        self.used_packages: set[str] = set()

    def run(self) -> None:
        """Follow all imports; those of a package that the tree turns out to replace once more, all of them."""
        while self.todo:
            module = self.todo.pop()
            if module.whole:
                self._follow_whole(module)
            else:
                self._follow_names(module)
            if not self.todo:
                there = [m for m in self.finder.cache.values() if m is not None and (m.whole or m.wanted)]
                replaced = ({m.name.partition(".")[0] for m in there} & self.left) - self.own
                self.own |= replaced
                self.todo += there if replaced else []

    def want(self, module: Module, names: set[str]) -> None:
        """Note that `names` of a module are wanted; an ordinary file is always wanted whole."""
        whole = not module.is_package or ALL in names or module is self.entry
        if whole and not module.whole:
            module.whole = True
            self.todo.append(module)
        elif not module.whole and not names <= module.wanted:
            module.wanted |= names
            self.todo.append(module)

    def _follow_whole(self, module: Module) -> None:
        deep = module is self.entry
        guarded = {id(node) for node in _guarded(module.tree)}
        for node in _imports(module.tree.body, deep):
            if id(node) in guarded and not self._own(module, node):
                self.optional |= {name.partition(".")[0] for name in _imported(module, node)}
                self.optional -= self.stop | sys.stdlib_module_names
            else:
                self._follow(module, node, None)

    def _own(self, module: Module, node: ast.Import | ast.ImportFrom) -> bool:
        top = module.name.partition(".")[0]
        return all(name.partition(".")[0] == top for name in _imported(module, node))

    def _follow_names(self, module: Module) -> None:
        """Keep the statements of an `__init__` that supply the wanted names, and follow their imports."""
        pending, done = list(module.wanted), set()
        while pending:
            name = pending.pop()
            if name in done:
                continue
            done.add(name)
            index = self._binder(module, name)
            if index is None:
                continue
            statement = module.tree.body[index]
            if isinstance(statement, ast.ImportFrom | ast.Import):
                kept = module.kept.setdefault(index, set())
                assert kept is not None
                kept.add(name)
                self._follow(module, statement, {name})
                continue
            for at in [index, *_changes(module.tree.body, name)]:
                module.kept[at] = None
                for node in _imports([module.tree.body[at]], False):
                    self._follow(module, node, None)
                pending += _loaded(module.tree.body[at])
                for local in _loaded(module.tree.body[at]):
                    if self._passes_on(module, local):
                        self._member(module.name, local, _uses(module.tree.body[at], local))

    def _binder(self, module: Module, name: str) -> int | None:
        """The last statement that binds `name` in an `__init__`; a star import that supplies it counts."""
        for index in range(len(module.tree.body) - 1, -1, -1):
            statement = module.tree.body[index]
            if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
                origin = self.finder.load(_absolute(module, statement))
                if origin is not None and self._exports(origin, name, set()):
                    return index
            elif name in module.bound[index]:
                return index
        return None

    def _exports(self, module: Module, name: str, seen: set[str]) -> bool:
        if module.name in seen:
            return False
        seen.add(module.name)
        listed = _listed(module.tree)
        if listed is not None:
            return name in listed
        for statement, bound in zip(module.tree.body, module.bound, strict=True):
            if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
                origin = self.finder.load(_absolute(module, statement))
                if origin is not None and self._exports(origin, name, seen):
                    return True
            elif name in bound:
                return True
        return False

    def _follow(self, module: Module, node: ast.Import | ast.ImportFrom, only: set[str] | None) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if only is None or _binds(alias) in only:
                    self._follow_import(module, alias)
            return
        base = _absolute(module, node)
        if node.names[0].name == "*":
            found = self.finder.load(base) if self._followed(base) else None
            if found is not None:
                self.want(found, {ALL} if only is None else only)
            return
        for alias in node.names:
            local = alias.asname or alias.name
            # What an __init__ passes on is looked into from where it is used.
            passed_on = only is not None and base == module.name
            if only is None or local in only:
                self._member(base, alias.name, [] if passed_on else _uses(module.tree, local))

    def _follow_import(self, module: Module, alias: ast.alias) -> None:
        """`import a.b.c`: the module is there as an object, and so are its parents."""
        found = self.finder.load(alias.name) if self._followed(alias.name) else None
        if found is None:
            return
        uses = _uses(module.tree, _binds(alias))
        if alias.asname is None and "." in alias.name and uses is not None:
            inner = tuple(alias.name.split(".")[1:])
            top = self.finder.load(_binds(alias))
            if top is not None:
                self._object(top, [use for use in uses if use[: len(inner)] != inner])
            uses = [use[len(inner) :] for use in uses if use[: len(inner)] == inner]
        self._object(found, uses)

    def _object(self, module: Module, uses: Uses) -> None:
        """A module is used as an object: of a package, only the attributes that are used count."""
        if not module.is_package or uses is None:
            self.want(module, {ALL})
            return
        self.used_packages.add(module.name)
        for use in uses:
            if use:
                self._member(module.name, use[0], [use[1:]])

    def _member(self, base: str, member: str, uses: Uses) -> None:
        """`from base import member`: a name of that file, or a module beside it."""
        if not self._followed(base):
            return
        found, inner = self.finder.load(base), self.finder.load(f"{base}.{member}")
        bound = found is not None and self._binder(found, member) is not None
        if found is not None and (bound or not found.is_package):
            self.want(found, {member})
        if inner is not None and (found is None or not bound or self._passes_on(found, member)):
            self._object(inner, uses)

    def _passes_on(self, package: Module, member: str) -> bool:
        """Whether an `__init__` only imports this module of its own: `from . import member`."""
        index = self._binder(package, member)
        statement = package.tree.body[index] if index is not None else None
        return isinstance(statement, ast.ImportFrom) and _absolute(package, statement) == package.name

    def _followed(self, name: str) -> bool:
        top = name.partition(".")[0]
        if top in self.stop or top in sys.stdlib_module_names:
            return False
        if top in self.own:
            return True
        module = self.finder.load(name)
        if module is None:
            return self.finder.is_namespace(name)
        if self._touches_framework(module, set()):
            return True
        self.left.add(top)
        return False

    def _touches_framework(self, module: Module, seen: set[str]) -> bool:
        """Whether a file of another package imports the source framework, itself or through its own package."""
        if module.name in seen:
            return False
        seen.add(module.name)
        top = module.name.partition(".")[0]
        for node in _imports(module.tree.body, False):
            for name in _imported(module, node):
                first = name.partition(".")[0]
                if first in self.frameworks:
                    return True
                if first == top:
                    inner = self.finder.load(name)
                    if inner is not None and self._touches_framework(inner, seen):
                        return True
        return False


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if node.level == 0:
        return node.module or ""
    base = module.package.split(".")
    base = base[: len(base) - (node.level - 1)] if node.level > 1 else base
    return ".".join([*base, *([node.module] if node.module else [])])


def _imported(module: Module, node: ast.Import | ast.ImportFrom) -> list[str]:
    return [a.name for a in node.names] if isinstance(node, ast.Import) else [_absolute(module, node)]


def _uses(tree: ast.AST, local: str) -> Uses:
    """How a name is used in a file: `m.a.b(m.c)` -> [("a", "b"), ("c",)]; None where it is used as a whole."""
    found: list[tuple[str, ...]] = []
    inside: set[int] = set()
    for node in ast.walk(tree):  # outer attributes come before inner ones
        if isinstance(node, ast.Attribute) and id(node) not in inside:
            chain: list[str] = []
            at: ast.expr = node
            while isinstance(at, ast.Attribute):
                inside.add(id(at))
                chain.insert(0, at.attr)
                at = at.value
            if isinstance(at, ast.Name) and at.id == local:
                inside.add(id(at))
                found.append(tuple(chain))
        elif isinstance(node, ast.Name) and node.id == local and id(node) not in inside:
            return None
    return found


def _guarded(tree: ast.Module) -> list[ast.AST]:
    """Imports under a `try` that allows for their failure."""
    found: list[ast.AST] = []
    for statement in ast.walk(tree):
        if isinstance(statement, ast.Try) and any(_catches_imports(handler) for handler in statement.handlers):
            found += [node for inner in statement.body for node in ast.walk(inner)]
    return found


def _catches_imports(handler: ast.ExceptHandler) -> bool:
    caught = ast.unparse(handler.type) if handler.type is not None else "Exception"
    return any(name in caught for name in ("ImportError", "ModuleNotFoundError", "Exception"))


def _imports(body: Sequence[ast.stmt], deep: bool) -> list[ast.Import | ast.ImportFrom]:
    """The import statements that run when the file is imported (`deep`: those inside functions too)."""
    found: list[ast.Import | ast.ImportFrom] = []
    for statement in body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            found.append(statement)
        elif isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.dump(statement.test):
            found += _imports(statement.orelse, deep)
        elif deep or isinstance(statement, (*_BLOCKS, ast.ClassDef)):
            for inner in _bodies(statement):
                found += _imports(inner, deep)
    return found


def _bodies(statement: ast.stmt) -> list[list[ast.stmt]]:
    bodies = [getattr(statement, name, []) for name in ("body", "orelse", "finalbody")]
    bodies += [handler.body for handler in getattr(statement, "handlers", [])]
    return [b for b in bodies if isinstance(b, list)]


def _binds(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _bound(statement: ast.stmt) -> set[str]:
    """Names that a top-level statement binds."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {_binds(a) if isinstance(statement, ast.Import) else (a.asname or a.name) for a in statement.names}
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.dump(statement.test):
        return set().union(*(_bound(s) for s in statement.orelse))
    names = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    if isinstance(statement, _BLOCKS):
        for body in _bodies(statement):
            for inner in body:
                names |= _bound(inner)
    return names


def _listed(tree: ast.Module) -> set[str] | None:
    """The names in a module's `__all__`; None where it has none, or one that is computed."""
    names: set[str] | None = None
    for statement in tree.body:
        if isinstance(statement, ast.Assign | ast.AugAssign | ast.AnnAssign):
            target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
            if isinstance(target, ast.Name) and target.id == "__all__":
                if not isinstance(statement.value, ast.List | ast.Tuple):
                    return None
                names = (names or set()) | {str(e.value) for e in statement.value.elts if isinstance(e, ast.Constant)}
    return names


def _changes(body: Sequence[ast.stmt], name: str) -> list[int]:
    """Statements that bind nothing but may fill a value: `registry.update(more)`, `registry["a"] = 1`, loops."""
    found = []
    for index, statement in enumerate(body):
        fills = isinstance(statement, ast.Expr | ast.AugAssign | ast.For) or (
            isinstance(statement, ast.Assign) and not isinstance(statement.targets[0], ast.Name)
        )
        if fills and name in _loaded(statement):
            found.append(index)
    return found


def _loaded(statement: ast.stmt) -> list[str]:
    return sorted({n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)})


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:i]) for i in range(1, len(parts))]


def _relative(name: str, is_package: bool) -> Path:
    path = Path(*name.split("."))
    return path / "__init__.py" if is_package else path.with_suffix(".py")


def _text(module: Module) -> str:
    if module.whole:
        return module.text
    lines: list[str] = []
    for index in sorted(module.kept):
        statement, names = module.tree.body[index], module.kept[index]
        if names is None:
            lines.append(ast.get_source_segment(module.text, statement) or ast.unparse(statement))
        else:
            lines.append(_import_text(statement, names))
    return "\n".join(lines) + "\n" if lines else ""


def _import_text(statement: ast.stmt, names: set[str]) -> str:
    if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
        aliases = [ast.alias(name=name) for name in sorted(names)]
        return ast.unparse(ast.ImportFrom(statement.module, aliases, statement.level))
    assert isinstance(statement, ast.Import | ast.ImportFrom)
    if isinstance(statement, ast.Import):
        return ast.unparse(ast.Import([a for a in statement.names if _binds(a) in names]))
    kept = [a for a in statement.names if (a.asname or a.name) in names]
    return ast.unparse(ast.ImportFrom(statement.module, kept, statement.level))


def _with_fall_back(text: str, origin: Path) -> str:
    """Let a trimmed package find the files that were left out, after its `from __future__` lines."""
    line = f"__path__.append({str(origin)!r})\n"
    future = [i for i, row in enumerate(text.splitlines(keepends=True)) if row.startswith("from __future__")]
    rows = text.splitlines(keepends=True)
    at = future[-1] + 1 if future else _after_docstring(text)
    return "".join([*rows[:at], line, *rows[at:]])


def _after_docstring(text: str) -> int:
    body = ast.parse(text).body
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) and body[0].end_lineno:
        return body[0].end_lineno
    return 0

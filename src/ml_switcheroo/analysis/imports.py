"""How imports are interpreted: names of the project are looked up when somebody uses them."""

from __future__ import annotations

from fnmatch import fnmatchcase

import libcst as cst

from .base import EngineBase
from .model import Cell, ModuleInfo
from .project import dotted, import_source
from .values import (
    NOTHING,
    UNKNOWNS,
    Api,
    Imported,
    ModuleRef,
    Value,
    Values,
)


class Imports(EngineBase):
    """Executes imports, and finds what an imported name is."""

    def _import(self, node: cst.Import) -> None:
        for alias in node.names:
            name = dotted(alias.name)
            if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
                self._bind_import(alias.asname.name.value, name)
            else:
                top = name.split(".")[0]
                if self.finder.locate(name) is not None and name != top:
                    self.submodules.add(name)
                self._bind_import(top, top)

    def _bind_import(self, name: str, full: str) -> None:
        if self.finder.locate(full) is not None:
            self.store_name(name, frozenset({Imported(full, "")}))
        else:
            self.store_name(name, frozenset({Api(self.kb.canonical(full))}))

    def _import_from(self, node: cst.ImportFrom) -> None:
        assert self.current is not None
        source = import_source(node, self.current.module)
        mine = self.finder.locate(source) is not None
        if isinstance(node.names, cst.ImportStar):
            self._import_star(source, mine=mine)
            return
        for alias in node.names:
            name = dotted(alias.name)
            bound = (
                alias.asname.name.value
                if alias.asname is not None and isinstance(alias.asname.name, cst.Name)
                else name
            )
            full = f"{source}.{name}"
            value: Value = (
                Imported(source, name)
                if (mine or self.finder.locate(full)) and not self.is_claimed(full)
                else Api(self.kb.canonical(full))
            )
            if alias in self._replaced_imports(self.current.module):
                self.env[bound] = frozenset({value})  # which functions, called later, do not see
            else:
                self.store_name(bound, frozenset({value}))

    def _replaced_imports(self, module: ModuleInfo) -> set[cst.ImportAlias]:
        """Imports at the top of a file whose names a later import takes."""
        found = self.replaced_imports.get(module)
        if found is None:
            found = self.replaced_imports[module] = set()
            bound: dict[str, cst.ImportAlias] = {}
            for line in module.tree.body:
                for small in line.body if isinstance(line, cst.SimpleStatementLine) else ():
                    aliases = small.names if isinstance(small, cst.ImportFrom) else ()
                    for alias in aliases if not isinstance(aliases, cst.ImportStar) else ():
                        name = alias.evaluated_alias or alias.evaluated_name
                        if name in bound:
                            found.add(bound[name])
                        bound[name] = alias
        return found

    def is_replaced(self, node: cst.Try) -> bool:
        """Does a handler import from the framework what `try` imports from elsewhere?

        `try: from fast import FusedNorm as Norm`, `except ImportError: from framework import LayerNorm as Norm`: what
        stands for a layer of the framework belongs to the framework, too, and is of no use elsewhere.
        """
        assert self.current is not None
        if node.orelse is not None or len(node.handlers) != 1:
            return False
        tried, instead = _imports(node.body), _imports(node.handlers[0].body)
        if not tried or tried.keys() - instead.keys() or len(tried) != len(node.body.body):
            return False
        sources = {import_source(found, self.current.module) for found, _ in tried.values()}
        if any(self.finder.locate(name) or name.split(".")[0] in self.roots for name in sources):
            return False
        names = [self.kb.canonical(f"{dotted(instead[name][0].module)}.{instead[name][1]}") for name in tried]
        return all(self.kb.is_known_api(name) for name in names)

    def always_succeeds(self, node: cst.Try) -> bool:
        """Does `try` only import what the framework has for certain, so that its handlers never run?

        Names of settings (`HAS_NORM = True`) may stand behind the imports.
        """
        assert self.current is not None
        if not isinstance(node.body, cst.IndentedBlock):
            return False
        found = False
        for line in node.body.body:
            for statement in line.body if isinstance(line, cst.SimpleStatementLine) else ():
                if isinstance(statement, (cst.Import, cst.ImportFrom)):
                    found = True
                    if not self._exists(statement, self.current.module):
                        return False
                elif not _is_setting(statement):
                    return False
            if not isinstance(line, cst.SimpleStatementLine):
                return False
        return found

    def _exists(self, node: cst.Import | cst.ImportFrom, module: ModuleInfo) -> bool:
        """Is everything that is imported here a known name of the framework?"""
        if isinstance(node.names, cst.ImportStar):
            return False
        source = import_source(node, module) + "." if isinstance(node, cst.ImportFrom) else ""
        names = [source + dotted(alias.name) for alias in node.names]
        if any(self.finder.locate(name) or name.split(".")[0] not in self.roots for name in names):
            return False
        return all(name in self.roots or self.kb.is_known_api(self.kb.canonical(name)) for name in names)

    def resolve(self, values: Values) -> Values:
        """Values with what was imported but not looked at replaced by what it is."""
        for value in values:
            if isinstance(value, Imported):
                found: Values = frozenset(v for v in values if not isinstance(v, Imported))
                for other in values:
                    if isinstance(other, Imported):
                        found |= self.imported(other.source, other.name)
                return found
        return values

    def is_claimed(self, name: str) -> bool:
        """Does a row say what a name of the project means, whatever its code does?

        What rows say of packages for the framework is for files that come without them.
        """
        package = name.split(".", 1)[0]
        return name in self.kb.claimed and not any(fnmatchcase(package, pattern) for pattern in self.packages)

    def imported(self, source: str, name: str) -> Values:
        """What `from source import name` gives; without a name, the module."""
        if self.is_claimed(f"{source}.{name}"):
            return frozenset({Api(f"{source}.{name}")})
        asker = self.current.module if self.current is not None else None
        module = self.finder.find(source, asker)
        if not name:
            if module is None:
                return UNKNOWNS
            self.load(module)
            return frozenset({ModuleRef(module)})
        values = NOTHING
        if module is not None:
            self.load(module)
            values = self.global_of(module, name)
            if (source, name) in self.resolving:  # files that import a name from each other: what others give, decides
                return frozenset(v for v in values if not isinstance(v, Imported))
            self.resolving.add((source, name))
            values = self.resolve(values - {Imported(source, name)})
            self.resolving.discard((source, name))
        sub = self.finder.find(f"{source}.{name}", asker) if not values else None
        if sub is not None:
            self.load(sub)
            return frozenset({ModuleRef(sub)})
        return values or self.missing()

    def global_of(self, module: ModuleInfo, name: str) -> Values:
        """What a module's name holds, be it that a package gets it by `from .part import *`."""
        cell = module.globals.setdefault(name, Cell())
        if not cell.values and module.stars and module.body in self.visits:
            self.fill_from_stars(module, name, cell)
        return self.read(cell)

    def fill_from_stars(self, module: ModuleInfo, name: str, cell: Cell) -> None:
        for source in reversed(module.stars):  # the last one wins
            if self.finder.binds(source, name):
                self.write(cell, frozenset({Imported(source, name)}))
                return

    def _import_star(self, source: str, *, mine: bool) -> None:
        assert self.current is not None
        here = self.current.module
        if mine and here.is_package and self.current is here.body and here not in self.targets:
            here.stars.setdefault(source)  # a package may name hundreds of files: only what is asked for is read
            for reader in tuple(here.star_readers):
                self.enqueue(reader)
            return
        module = self.finder.find(source, here) if mine else None
        if module is None:
            for name in self.kb.api_names(source):
                self.store_name(name, frozenset({Api(self.kb.canonical(f"{source}.{name}"))}))
            return
        self.load(module)
        module.star_readers.add(self.current)
        for name, cell in list(module.globals.items()):
            if not name.startswith("_"):
                self.store_name(name, self.read(cell))
        for inner in module.stars:
            self._import_star(inner, mine=True)


def _imports(block: cst.BaseSuite) -> dict[str, tuple[cst.ImportFrom, str]]:
    """The names that the import statements of a block bind: each with its statement, and its name there."""
    found: dict[str, tuple[cst.ImportFrom, str]] = {}
    for line in block.body:
        for small in line.body if isinstance(line, cst.SimpleStatementLine) else ():
            if isinstance(small, cst.ImportFrom) and not isinstance(small.names, cst.ImportStar):
                for alias in small.names:
                    renamed = alias.asname.name if alias.asname is not None else None
                    name = dotted(alias.name)
                    found[renamed.value if isinstance(renamed, cst.Name) else name] = (small, name)
    return found


def _is_setting(node: cst.BaseSmallStatement) -> bool:
    """`HAS_NORM = True`, or nothing at all"""
    if isinstance(node, cst.Assign):
        return isinstance(node.value, (cst.Name, cst.SimpleString, cst.BaseNumber))
    return isinstance(node, (cst.Pass, cst.Expr)) and not isinstance(getattr(node, "value", None), cst.Call)

"""One file: text in, converted text and diagnostics out."""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .detect import import_position
from .diagnostics import Diagnostic, diagnose

if TYPE_CHECKING:
    from collections.abc import Sequence

    import libcst as cst

    from .analysis.engine import Engine
    from .analysis.model import ModuleInfo
    from .kb.loader import KnowledgeBase
    from .rewrite.context import Context
    from .rewrite.effects import Effects


@dataclass
class Conversion:
    """A converted file.

    `helpers` are the definitions that it needs (written into it, or to be imported); `decisions` explain for `-v` what
    became what.
    """

    code: str
    diagnostics: list[Diagnostic] = field(default_factory=list)
    source: str | None = None
    target: str = "jax"
    helpers: tuple[str, ...] = ()
    decisions: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """No part of the file was left unconverted."""
        return not any(d.severity == "error" for d in self.diagnostics)


class Project:
    """The analysed files of one project, for one pair of frameworks. Read-only once `analyse` has run.

    `reach`: how many imports away from these files a module is read for what it says about them.
    """

    def __init__(self, source: str, target: str, reach: int | None = None) -> None:
        from .analysis.engine import Engine
        from .analysis.project import MAX_REACH, ModuleFinder
        from .kb import load

        self.source, self.target = source, target
        self.kb: KnowledgeBase = load(source, target)
        roots = self.kb.source_framework.get("roots") or []
        self.finder = ModuleFinder(roots, MAX_REACH if reach is None else reach)
        self.engine: Engine = Engine(self.kb, self.finder)
        self._effects: Effects | None = None

    def add(self, path: Path, text: str | None = None, tree: cst.Module | None = None) -> ModuleInfo:
        """Makes a file one of those to be converted."""
        module = self.finder.add_file(path, text, tree)
        self.engine.add_target(module)
        return module

    def add_text(self, tree: cst.Module) -> ModuleInfo:
        module = self.finder.add_text(tree)
        self.engine.add_target(module)
        return module

    def analyse(self) -> None:
        """What may reach every expression of the files; with fewer of their neighbours where these hold too much."""
        from .analysis.engine import Engine, TooMuchWorkError

        try:
            self.engine.run()
        except TooMuchWorkError:
            targets = [module for module in self.engine.modules if module in self.engine.targets]
            self.finder.forget_neighbours(self.finder.reach - 1)
            self.engine = Engine(self.kb, self.finder)
            for module in targets:
                self.engine.add_target(module)
            self.analyse()

    @property
    def effects(self) -> Effects:
        """Analyses everything that was added, once."""
        if self._effects is None:
            from .rewrite.effects import Effects

            self.analyse()
            self._effects = Effects(self.engine, self.target)
        return self._effects


def load_project(
    paths: Sequence[Path], *, root: Path | None = None, source: str = "torch", target: str = "jax"
) -> Project:
    """Parses and analyses many files at once, so that they know each other's classes and signatures."""
    import libcst as cst

    project = Project(source, target)
    for path in paths:
        try:
            project.add(Path(path))
        except (cst.ParserSyntaxError, ValueError, OSError):
            continue  # the file's own conversion reports it
    _ = project.effects
    return project


def detect_source(text: str, target: str = "jax", path: Path | None = None) -> str | None:
    """The framework that a text imports first; None when it imports none that we know, or only the target.

    With its `path`, files count whose names it takes over: `from .common import *`.
    """
    from .detect import taken_over
    from .kb import framework_data, framework_names

    names = framework_names()
    skip: set[str] = set()
    current: str | None = names.get(target, target)
    while current:
        skip.add(current)
        current = framework_data(current).get("extends")
    # Code of every framework uses some libraries, too: those are a source only where the user says so.
    asked = {name for name in set(names.values()) if framework_data(name).get("detected") is False}
    others = sorted(set(names.values()) - skip - asked)
    texts = [text]
    for one in texts:
        found = [(at, name) for name in others if (at := import_position(one, name)) is not None]
        if found:
            return min(found)[1]
        if one is text and path is not None:
            texts += taken_over(text, path)
    return None


def convert(
    text: str,
    *,
    source: str | None = None,
    target: str = "jax",
    path: Path | str | None = None,
    project: Project | None = None,
    compat: str | None = None,
) -> Conversion:
    """Converts one file's text.

    `path` tells where the file lies, so that modules of its project are found; `project` is an analysis made before
    that covers it; `compat` names a module from which helpers are imported instead of being written into the file.
    Raises `libcst.ParserSyntaxError` for text that is not Python.
    """
    import libcst as cst

    if source is None:
        place = Path(path) if path is not None else None
        source = project.source if project is not None else detect_source(text, target, place)
    if source is None:
        cst.parse_module(text)  # a syntax error is one in any case
        return Conversion(text, [], None, target)
    where = Path(path) if path is not None else None
    if project is None:
        project = Project(source, target)
        tree = cst.parse_module(text)
        module = (
            project.add(where, text, tree) if where is not None and where.suffix == ".py" else project.add_text(tree)
        )
    else:
        assert where is not None
        module = project.add(where, text)
    return _convert_module(project, module, text, str(path) if path is not None else "", compat)


def _convert_module(project: Project, module: ModuleInfo, text: str, path: str, compat: str | None) -> Conversion:
    from .frameworks.style import style_of
    from .plugins import PLUGINS
    from .rewrite.context import Context
    from .rewrite.names import bound_names
    from .rewrite.packages import uses_of_packages
    from .rewrite.tidy import tidy
    from .rewrite.translate import translate

    bound, imported = bound_names(module.tree)
    effects = project.effects  # everything is analysed from here on
    # `from .common import *` brings what that file imports itself, the framework's names among it
    imported |= {name for name in module.globals if name not in bound}
    context = Context(
        engine=project.engine,
        effects=effects,
        kb=project.kb,
        style=style_of(str(project.kb.target_framework.get("style", ""))),
        module=module,
        imported=imported,
        bound=bound,
        plugins=PLUGINS,
    )
    context.bound |= {name for name in imported if context.stays(name)}
    context.of_packages = uses_of_packages(text, context)
    tree = tidy(translate(module.tree, context), context, compat)
    if context.changed:
        _check_neighbours(tree, context, project.source)
    code = tree.code if context.changed or context.findings else text
    if code is not text and not _is_python(code) and _is_python(text):
        raise AssertionError("the conversion is no valid Python")
    return Conversion(
        code,
        _diagnostics(context, path),
        project.source,
        project.target,
        tuple(sorted(context.helpers)),
        _decisions(context),
    )


def _check_neighbours(tree: cst.Module, context: Context, source: str) -> None:
    """Says which modules of its project a file still imports that use the source framework and stay as they are."""
    engine = context.engine
    converted = {module.path for module in engine.targets}
    before, after = _imported(context.module.tree, context), _imported(tree, context)
    found: dict[str, cst.CSTNode] = {}
    for name in before.keys() & after.keys():
        path = engine.finder.locate(name)
        if path is not None and path not in converted:
            if import_position(path.read_text(encoding="utf-8", errors="replace"), source) is not None:
                found[name] = before[name]
    if found:
        some = ", ".join(sorted(found)[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
        context.report(
            found[min(found)],
            "SW0014",
            f"this imports {some}, written for the same framework and not converted here",
            "convert the folder, so that they fit together",
            severity="warning",
        )


def _imported(tree: cst.Module, context: Context) -> dict[str, cst.CSTNode]:
    """The modules that the statements of a file import, by their dotted names."""
    import libcst as cst

    from .analysis.nodes import walk
    from .analysis.project import dotted, import_source

    found: dict[str, cst.CSTNode] = {}
    for node in walk(tree):
        if isinstance(node, cst.Import):
            found.update((dotted(alias.name), node) for alias in node.names)
        elif isinstance(node, cst.ImportFrom):
            base = import_source(node, context.module)
            parts = () if isinstance(node.names, cst.ImportStar) else node.names
            names = [f"{base}.{dotted(alias.name)}" for alias in parts]
            found.update((name, node) for name in names if context.engine.finder.locate(name))
            found[base] = node
    return found


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def _decisions(context: Context) -> list[str]:
    """What became what, each once with how often."""
    counts = Counter(text for _, text in context.decisions)
    return [text if count == 1 else f"{text} ({count} times)" for text, count in counts.items()]


def _diagnostics(context: Context, path: str) -> list[Diagnostic]:
    """Findings with their positions, which are computed only when there is something to say."""
    if not context.findings:
        return []
    from libcst.metadata import MetadataWrapper, PositionProvider

    wrapper = MetadataWrapper(context.module.tree, unsafe_skip_copy=True)
    positions = wrapper.resolve(PositionProvider)
    found = []
    for finding in context.findings:
        place = positions.get(finding.node)
        line, col = (place.start.line, place.start.column + 1) if place is not None else (0, 0)
        found.append(
            diagnose(
                finding.code,
                finding.message,
                hint=finding.hint or None,
                path=path,
                line=line,
                col=col,
                severity=finding.severity,
            )
        )
    return sorted(found, key=lambda d: (d.line, d.col))

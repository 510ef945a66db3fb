"""Loads the compiled knowledge base: `kb.load("torch", "jax")`. Needs neither YAML nor a framework."""

from __future__ import annotations

import json
import re
import sys
import zlib
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from . import layers, paths
from .model import ApiParam, Form, Helper, HubOp, Param, ReadRow, Signature, WriteRow
from .stamp import layer_stamp, stamp

if TYPE_CHECKING:
    from pathlib import Path


class Table:
    """One compiled table: texts by key, parsed when asked for."""

    def __init__(self, path: Path) -> None:
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            text = ""
        self.texts: dict[str, str] = dict([line.split("\t", 1) for line in text.split("\n")]) if text else {}

    def get(self, key: str) -> Any:
        """The parsed entry, or None."""
        text = self.texts.get(key)
        return None if text is None else json.loads(text)


class Spoke:
    """The compiled tables of one framework, read when first needed."""

    def __init__(self, folder: Path, name: str, framework: dict[str, Any]) -> None:
        self.folder, self.name, self.framework = folder, name, framework

    @cached_property
    def rows(self) -> Table:
        """Reading rows by canonical api name."""
        return Table(self.folder / f"{self.name}.read.tsv")

    @cached_property
    def writes(self) -> Table:
        """Writing rows by op."""
        return Table(self.folder / f"{self.name}.write.tsv")

    @cached_property
    def helpers(self) -> Table:
        """Helper definitions by name."""
        return Table(self.folder / f"{self.name}.helpers.tsv")

    @cached_property
    def calls(self) -> Table:
        """Signatures of what the write texts call, by the name that they use."""
        return Table(self.folder / f"{self.name}.calls.tsv")

    @cached_property
    def names(self) -> frozenset[str]:
        """All public names."""
        return frozenset((self.folder / f"{self.name}.names.tsv").read_text(encoding="utf-8").split("\n"))

    @cached_property
    def aliases(self) -> dict[str, str]:
        """The canonical names of aliases."""
        return Table(self.folder / f"{self.name}.aliases.tsv").texts


class KnowledgeBase:
    """What is known about converting one framework into another."""

    def __init__(self, folder: Path, source: list[Spoke], target: list[Spoke]) -> None:
        self._hub = Table(folder / "hub.tsv")
        self._source, self._target = source, target
        self.source_framework = _layered(source)
        self.target_framework = _layered(target)
        self._ops: dict[str, HubOp | None] = {}
        self._reads: dict[str, list[ReadRow]] = {}
        self._writes: dict[str, WriteRow | None] = {}
        self._helpers: dict[str, Helper | None] = {}
        self._calls: dict[str, Signature | None] = {}
        self._members: dict[str, list[str]] | None = None

    def hub(self, op: str) -> HubOp | None:
        """The meaning of an abstract op."""
        if op not in self._ops:
            packed = self._hub.get(op)
            self._ops[op] = None if packed is None else _hub_op(op, packed)
        return self._ops[op]

    def ops(self) -> list[str]:
        """Names of all abstract ops."""
        return list(self._hub.texts)

    @cached_property
    def added_weights(self) -> dict[str, str]:
        """Weights that functions add to a layer which they take and give back (`weight_g`), and their op."""
        adding = [op for op, text in self._hub.texts.items() if '"same(module)"' in text]
        return {name: op for op in adding if (hub := self.hub(op)) is not None for name in hub.weights}

    def source_names(self) -> list[str]:
        """The source's names that rows claim."""
        return [name for spoke in self._source for name in spoke.rows.texts]

    def read(self, api_name: str) -> list[ReadRow]:
        """All meanings of a source name, in the order in which they are to be tried; empty when nothing is known."""
        name = self.canonical(api_name)
        if name not in self._reads:
            packed = [row for spoke in self._source for row in spoke.rows.get(name) or ()]
            self._reads[name] = [_read_row(row) for row in packed]
        return self._reads[name]

    def write(self, op: str) -> WriteRow | None:
        """How the target writes an op; the nearest spoke of the target wins."""
        if op not in self._writes:
            packed = next((found for spoke in self._target if (found := spoke.writes.get(op)) is not None), None)
            self._writes[op] = None if packed is None else _write_row(op, packed)
        return self._writes[op]

    def content(self, op: str) -> str:
        """All that is written about an op, as one text: it changes when anything about the op does."""
        parts = [self._hub.texts.get(op, "")]
        parts += [t for spoke in self._source for t in spoke.rows.texts.values() if f'"{op}"' in t]
        waiting = [t for spoke in self._target if (t := spoke.writes.texts.get(op)) is not None]
        seen: set[str] = set()
        while waiting:
            text = waiting.pop()
            parts.append(text)
            named = [n for spoke in self._target for n in spoke.helpers.texts if n not in seen and n in text]
            seen.update(named)
            waiting += [spoke.helpers.texts[n] for n in named for spoke in self._target if n in spoke.helpers.texts]
        return "\n".join(parts)

    def source_row(self, op: str) -> WriteRow | None:
        """How the source itself spells an op when it is written (`isinstance`, `attributes` of its layers)."""
        packed = next((found for spoke in self._source if (found := spoke.writes.get(op)) is not None), None)
        return None if packed is None else _write_row(op, packed)

    def helper(self, name: str) -> Helper | None:
        """A definition to copy into the output."""
        if name not in self._helpers:
            packed = next((found for spoke in self._target if (found := spoke.helpers.get(name)) is not None), None)
            self._helpers[name] = (
                None if packed is None else Helper(name, packed[0], tuple(packed[1]), tuple(packed[2]), packed[3])
            )
        return self._helpers[name]

    def target_signature(self, name: str) -> Signature | None:
        """The signature of a helper, or of a name that write texts call (`jnp.sum`)."""
        if name not in self._calls:
            packed = next((found for spoke in self._target if (found := spoke.calls.get(name)) is not None), None)
            self._calls[name] = None if packed is None else _signature(packed)
        return self._calls[name]

    def imports(self) -> dict[str, str]:
        """Import statements of the target by alias: `{"jnp": "import jax.numpy as jnp"}`."""
        return dict(self.target_framework.get("imports", {}))

    def is_known_api(self, name: str) -> bool:
        """Whether the source framework has this public name, or a row claims it."""
        return any(name in spoke.names or name in spoke.rows.texts for spoke in self._source)

    @cached_property
    def claimed(self) -> frozenset[str]:
        """Names of other packages for which there are rows: a library for the framework, or a user's own code."""
        roots = set(self.source_framework.get("roots") or ())
        names = (name for spoke in self._source for name in spoke.rows.texts)
        return frozenset(name for name in names if name.split(".", 1)[0] not in roots)

    def canonical(self, name: str) -> str:
        """The one name for all spellings of a source api: `torch.nn.modules.conv.Conv2d` -> `torch.nn.Conv2d`."""
        for spoke in self._source:
            if name in spoke.names:
                return spoke.aliases.get(name, name)
        head, dot, last = name.rpartition(".")
        if dot and any(head in spoke.aliases for spoke in self._source):  # a method of a class named by another path
            return f"{self.canonical(head)}.{last}"
        return name

    def api_names(self, prefix: str) -> list[str]:
        """The public names right under a module or class, for `from torch.nn import *`."""
        if self._members is None:
            members: dict[str, set[str]] = {}
            for spoke in self._source:
                for name in spoke.names:
                    parent, _, last = name.rpartition(".")
                    if not last.startswith("_"):
                        members.setdefault(parent, set()).add(last)
            self._members = {parent: sorted(names) for parent, names in members.items()}
        return self._members.get(prefix, [])

    def names_like(self, prefix: str, pattern: str) -> list[str]:
        """The public names under a module that a text may be: `Conv*d` is Conv1d, ..., but not ConvTranspose1d.

        Each `*` stands for one word or a number; a pattern without anything fixed says nothing.
        """
        if not pattern.strip("*"):
            return []
        likely = re.compile("([A-Z]?[a-z]*|[0-9]+)".join(map(re.escape, pattern.split("*"))))
        return [name for name in self.api_names(prefix) if likely.fullmatch(name)]

    def leads_on(self, prefix: str) -> bool:
        """Do rows claim names below this one, which is no module of the recorded API (an object with settings)?"""
        return any(name.startswith(f"{prefix}.") for spoke in self._source for name in spoke.rows.texts)

    def tensor_methods(self) -> set[str]:
        """Names of the methods and properties of the source's tensors."""
        tensor = self.source_framework.get("tensor")
        return set(self.api_names(tensor)) if tensor else set()


def _layered(spokes: list[Spoke]) -> dict[str, Any]:
    """The data of a framework over that of what it extends; imports and roots are joined."""
    merged: dict[str, Any] = {}
    for spoke in reversed(spokes):
        imports = {**merged.get("imports", {}), **(spoke.framework.get("imports") or {})}
        roots = [*(spoke.framework.get("roots") or []), *merged.get("roots", [])]
        merged = {**merged, **spoke.framework, "imports": imports, "roots": list(dict.fromkeys(roots))}
    return merged


def _hub_op(op: str, packed: list[Any]) -> HubOp:
    kind, params, returns, call, weights, effects, doc, parts, draw, undrawn = packed
    return HubOp(
        op,
        kind,
        {name: Param(name, type_, default) for name, type_, default in params},
        returns,
        call,
        weights,
        tuple(effects),
        doc,
        parts,
        tuple(draw),
        undrawn,
    )


def _signature(packed: list[list[Any]]) -> Signature:
    return tuple(ApiParam(name, kind, default) for name, kind, default in packed)


def _read_row(packed: list[Any]) -> ReadRow:
    op, api, signatures, args, extra, when = packed
    return ReadRow(op, api, tuple(_signature(one) for one in signatures), args, extra, when)


def _write_row(op: str, packed: dict[str, Any]) -> WriteRow:
    return WriteRow(
        op,
        tuple(_form(form) for form in packed["forms"]),
        packed.get("helper"),
        packed.get("isinstance"),
        packed.get("attributes", {}),
        packed.get("weights", {}),
        tuple(packed.get("needs", ())),
        tuple(packed.get("ignore", ())),
        packed.get("concrete", {}),
        tuple(packed.get("kept", ())),
    )


def _form(packed: dict[str, Any]) -> Form:
    values = dict(packed)
    if "signature" in values:
        values["signature"] = _signature(values["signature"])
    values["covers"] = tuple(values.get("covers", ()))
    return Form(**values)


@cache
def _frameworks(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "frameworks.json").read_text(encoding="utf-8"))
    return found


def framework_names(folder: Path | None = None) -> dict[str, str]:
    """Every name and alias that `load` takes, with the spoke it stands for."""
    data = _frameworks(_ready() if folder is None else folder)
    names = {name: name for name in data}
    for name, framework in data.items():
        for alias in framework.get("aliases") or ():
            names[alias] = name
    return names


def spoke_name(name: str) -> str:
    """The spoke behind the name or alias of a framework, ours or one that an installed package brings along."""
    known = framework_names()
    if name not in known and layers.find_installed(name):
        reload()
        known = framework_names()
    return _known(name, known)


def _known(name: str, known: dict[str, str]) -> str:
    if name not in known:
        raise InputError("SW0007", f"unknown framework {name!r}", f"known: {', '.join(sorted(known))}")
    return known[name]


def framework_data(name: str) -> dict[str, Any]:
    """What `_framework.yaml` says of one framework, by its own name."""
    return dict(_frameworks(_ready())[name])


def _stack(folder: Path, name: str) -> list[Spoke]:
    data = _frameworks(folder)
    spoke: str | None = _known(name, framework_names(folder))
    found: list[Spoke] = []
    while spoke in data and spoke not in [one.name for one in found]:
        found.append(_spoke(folder, spoke))
        spoke = data[spoke].get("extends")
    return found


@cache
def _spoke(folder: Path, name: str) -> Spoke:
    return Spoke(folder, name, _frameworks(folder)[name])


@cache
def _ready() -> Path:
    """The folder of the compiled tables: ours, or ours with the user's own rows over them."""
    folder = _own()
    above = layers.active()
    return _with_layers(folder, above) if above else folder


def _with_layers(own: Path, above: list[Path]) -> Path:
    """The tables of ours and all layers, built when one of them has changed; a changed one has a folder of its own."""
    mark = "\n".join([(own / "stamp").read_text(encoding="utf-8"), *(f"{one} {layer_stamp(one)}" for one in above)])
    name = f"{zlib.crc32(mark.encode()):08x}"
    own_home = [] if layers.is_installed(above[-1]) else [above[-1] / layers.COMPILED]
    homes = [*own_home, layers.cache_folder()]
    for home in homes:
        folder = home / name
        try:
            if (folder / "stamp").read_text(encoding="utf-8") == mark:
                return _with_warning(folder)
        except OSError:
            continue
    try:
        from .build import build_layered
    except ModuleNotFoundError:
        raise InputError(
            "SW0012",
            f"the rows in {layers.shown(above[-1])} have changed, and compiling them needs a YAML parser",
            "pip install pyyaml, then try again",
        ) from None
    for home in homes:
        try:
            home.mkdir(parents=True, exist_ok=True)
            (home / ".gitignore").write_text("*\n", encoding="utf-8")
            build_layered(paths.rows(), above, home / name, mark)
        except OSError:
            continue
        _forget_old(home)
        return _with_warning(home / name)
    raise InputError(
        "SW0005", f"no place for the compiled rows of {layers.shown(above[-1])}: {', '.join(map(str, homes))}"
    )


def _with_warning(folder: Path) -> Path:
    """Says, each time, which rows of the user are not in use."""
    problems = (folder / "problems").read_text(encoding="utf-8").splitlines()
    for problem in problems[:3]:
        print(problem, file=sys.stderr)
    if problems:
        print(f"knowledge base: {len(problems)} rows left out", file=sys.stderr)
    return folder


def _forget_old(home: Path) -> None:
    """Keeps the latest few: a program that still runs reads its tables when it needs them."""
    import shutil

    found = [folder for folder in home.iterdir() if (folder / "stamp").exists()]
    for folder in sorted(found, key=lambda one: (one / "stamp").stat().st_mtime_ns)[:-8]:
        shutil.rmtree(folder, ignore_errors=True)


def reload() -> None:
    """Forgets what was loaded, so that rows that were defined since are seen."""
    for function in (_ready, _frameworks, _spoke, load):
        function.cache_clear()


def _own() -> Path:
    """The folder of our own tables, built anew in a checkout whose rows have changed."""
    top = paths.checkout()
    folder = paths.COMPILED
    if top is not None:
        try:
            fresh = (folder / "stamp").read_text(encoding="utf-8") == stamp(top)
        except FileNotFoundError:
            fresh = False
        if not fresh:
            _rebuild(top, folder)
    return folder


def _rebuild(top: Path, folder: Path) -> None:
    """Compiles a checkout. Without a YAML parser the last compiled form serves on, if there is one."""
    try:
        from .build import build
    except ModuleNotFoundError:
        if not (folder / "stamp").exists():
            raise InputError(
                "SW0001", "the knowledge base is not compiled yet", "pip install pyyaml, then try again"
            ) from None
        return
    problems = build(top, folder)
    if problems:
        print(f"knowledge base: {len(problems)} rows left out, run python -m ml_switcheroo.kb.lint", file=sys.stderr)


@cache
def load(source: str, target: str) -> KnowledgeBase:
    """The knowledge base for one direction, by framework names (`torch`, `jax`, `flax_nnx`)."""
    source, target = spoke_name(source), spoke_name(target)
    folder = _ready()
    return KnowledgeBase(folder, _stack(folder, source), _stack(folder, target))


def load_from(folder: Path, source: str, target: str) -> KnowledgeBase:
    """As `load`, from another compiled folder: for tests and for third-party knowledge bases."""
    return KnowledgeBase(folder, _stack(folder, source), _stack(folder, target))

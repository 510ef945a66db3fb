"""Writes the migration script: the facts as readable data, then the modules of `weights/script` joined."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from .grammar import Grammar

PARTS = ("tensors", "checkpoint", "match", "output", "command")  # in the order in which they use each other
WIDTH = 116


def compose(
    grammar: Grammar,
    layers: Mapping[str, Any],
    places: Mapping[str, str],
    tied: Collection[str],
    needed: Mapping[str, list[str]],
    named: Collection[str] = (),
    *,
    model: str,
    source: str,
    target: str,
) -> str:
    """The text of the script."""
    ties = {name: rule.ties for name, rule in grammar.classes.items() if rule.ties}
    code, imports, typing_imports = _parts()
    inline = _inlined(grammar)
    shared = [name for name in grammar.containers if name not in inline]
    names = {name: str(number) for number, name in enumerate(shared, 1)}
    classes = _table({name: _class(grammar, rule, inline, names) for name, rule in grammar.classes.items()})
    containers = _table({names[name]: _box(grammar, name, inline, names) for name in shared})
    header = _HEADER.format(model=model, source=source, target=target)
    return "\n".join(
        [
            header,
            imports,
            "",
            f"if TYPE_CHECKING:\n{typing_imports}",
            "",
            _bar("The classes of the model"),
            _CLASSES_COMMENT,
            f"CLASSES: dict[str, Any] = {classes}",
            "",
            "# Containers that are met in several places, by number.",
            f"CONTAINERS: dict[str, Any] = {containers}",
            "",
            "# Names under which a class has one and the same tensor.",
            f"TIES: dict[str, Any] = {_table(ties)}",
            "",
            _bar("What happens to the tensors of each layer"),
            _LAYERS_COMMENT,
            f"LAYERS: dict[str, Any] = {_layers(layers)}",
            "",
            "# Layers that may borrow another layer's weight: they hold it as that one does, below their own place.",
            f"TIED: list[str] = {_table(sorted(tied))}",
            "",
            "# Tensors that every instance has: where one is missing, another reading is preferred.",
            f"NEEDED: dict[str, list[str]] = {_table(dict(needed))}",
            "",
            "# Layers that the files of the model name: where several would do, it is one of these.",
            f"NAMED: list[str] = {_table(sorted(named))}",
            "",
            "# Where a container of the target keeps its children by position.",
            f"PLACES: dict[str, str] = {_table(dict(places))}",
            "",
            code,
            "",
            'if __name__ == "__main__":',
            "    classes = {name: spread(own) for name, own in CLASSES.items()}",
            "    facts = Grammar(classes, CONTAINERS, spread(LAYERS), TIES, PLACES, TIED, NEEDED, NAMED)",
            f"    sys.exit(main(facts, {_quoted(_framework(target))}))",
            "",
        ]
    )


_HEADER = '''#!/usr/bin/env python3
"""Moves trained weights of {model} from {source} to {target}.

    python THIS_FILE input.pth output.safetensors      (--help lists the options, --dry-run shows what would go where)

It needs numpy; torch only to read .pth files, orbax-checkpoint only to write a folder. Every tensor of the input is
used or reported, what was written is read back, and on any error nothing is left behind. Made by ml_switcheroo.
"""

from __future__ import annotations
'''

_CLASSES_COMMENT = """\
# What may stand under each attribute: a layer, a class of the model, a container with its children by position or name
# ('*': any other), a tensor of its own (tensor 2: usually with two axes), or anything (a module from outside; callable:
# no list). '' is the class itself. The names and shapes in a checkpoint decide between the possibilities."""

_LAYERS_COMMENT = """\
# 'weight': 'kernel OI->IO' stores the tensor `weight`, whose axes are called O and I, as `kernel` with them swapped.
# A tensor can also be split in equal parts along an axis, or dropped. '*' is any number of axes. Of several rules in a
# list, the number of axes chooses. Layers with the same rules share an entry."""


def _framework(target: str) -> str:
    return {"jax": "flax", "flax_nnx": "flax"}.get(target, target)


def _bar(title: str) -> str:
    return f"# ---- {title} {'-' * max(3, 112 - len(title))}\n"


def _parts() -> tuple[str, str, str]:
    """The modules of `weights/script` without their imports, and their imports joined."""
    plain: set[str] = set()
    typing_only: set[str] = set()
    texts = []
    for part in PARTS:
        text = (Path(__file__).parent / "script" / f"{part}.py").read_text("utf-8")
        tree = ast.parse(text)
        lines = text.splitlines()
        gone: set[int] = set()
        for node in tree.body:
            block = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                _collect(node, plain)
            elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                for inner in node.body:
                    if isinstance(inner, (ast.Import, ast.ImportFrom)):
                        _collect(inner, typing_only)
                    else:
                        typing_only.add(ast.unparse(inner))
            elif node is not tree.body[0]:
                continue
            gone.update(block)
        body = "\n".join(line for number, line in enumerate(lines, 1) if number not in gone).strip("\n")
        body = re.sub(r"\n{4,}", "\n\n\n", body)
        title = (ast.get_docstring(tree) or part).splitlines()[0].rstrip(".").partition(":")[0]
        texts.append(f"\n{_bar(title)}\n{body}\n")
    typing_only -= plain
    first = sorted(line for line in plain if line != "import numpy as np")
    order = sorted(first, key=lambda line: (line.startswith("from"), line))
    imports = "\n".join(_joined(order)) + "\n\nimport numpy as np"
    nested = sorted(typing_only, key=lambda line: ("=" in line, line))
    return "\n".join(texts), imports, "\n".join(f"    {line}" for line in _joined(nested))


def _collect(node: ast.Import | ast.ImportFrom, into: set[str]) -> None:
    if isinstance(node, ast.ImportFrom) and (node.level or node.module == "__future__"):
        return
    for alias in node.names:
        name = f"{alias.name} as {alias.asname}" if alias.asname else alias.name
        into.add(f"from {node.module} import {name}" if isinstance(node, ast.ImportFrom) else f"import {name}")


def _joined(lines: list[str]) -> list[str]:
    """`from a import b` and `from a import c` on one line."""
    result: dict[str, list[str]] = {}
    for line in lines:
        head, is_from, name = line.partition(" import ")
        result.setdefault(head if is_from else line, []).append(name)
    ordered = {head: sorted(names, key=lambda name: (not name.isupper(), name)) for head, names in result.items()}
    return [f"{head} import {', '.join(names)}" if names[0] else head for head, names in ordered.items()]


def _inlined(grammar: Grammar) -> set[str]:
    """The containers that are mentioned once and not inside themselves: they are written where they are mentioned."""
    counts = dict.fromkeys(grammar.containers, 0)
    inside: dict[str, set[str]] = {}
    for children in grammar.children():
        for child in children:
            if child.startswith("container "):
                counts[child.partition(" ")[2]] += 1
    for name, box in grammar.containers.items():
        inside[name] = {
            child.partition(" ")[2]
            for group in box.children.values()
            for child in group
            if child.startswith("container ")
        }

    def reaches(start: str) -> bool:
        seen, waiting = set(), [*inside[start]]
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting += inside[name]
        return start in seen

    return {name for name, count in counts.items() if count == 1 and not reaches(name)}


def _class(grammar: Grammar, rule: Any, inline: set[str], names: dict[str, str]) -> dict[str, Any]:
    shown = {name: _children(grammar, children, inline, names) for name, children in rule.children.items()}
    shown = _grouped(shown, [name for name, children in shown.items() if children == ["anything"]])
    return {**shown, **({"": _children(grammar, rule.itself, inline, names)} if rule.itself else {})}


def _grouped(table: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """These names, which have the same entry, on one line at the end: of most, not even their kind is known."""
    rest = {name: entry for name, entry in table.items() if name not in names}
    return {**rest, **({" ".join(names): table[names[0]]} if names else {})}


def _box(grammar: Grammar, name: str, inline: set[str], names: dict[str, str]) -> dict[str, Any]:
    box = grammar.containers[name]
    return {box.kind: {key: _children(grammar, children, inline, names) for key, children in box.children.items()}}


def _children(grammar: Grammar, children: list[str], inline: set[str], names: dict[str, str]) -> list[Any]:
    shown: list[Any] = []
    for child in children:
        kind, _, name = child.partition(" ")
        if kind != "container":
            shown.append(child)
        else:
            shown.append(_box(grammar, name, inline, names) if name in inline else f"container {names[name]}")
    return shown


def _layers(layers: Mapping[str, Any]) -> str:
    """The rules of the layers; layers with the same rules share an entry."""
    groups: dict[str, list[str]] = {}
    for name, rules in layers.items():
        groups.setdefault(_flat(rules), []).append(name)
    return _table({" ".join(names): layers[names[0]] for names in groups.values()})


def _table(value: Any, indent: int = 0, used: int = 0) -> str:
    """A literal as a formatter would lay it out: on one line where it fits, else one entry a line."""
    flat = _flat(value)
    outermost = indent == used == 0
    if not value or isinstance(value, str) or (indent + used + len(flat) < WIDTH and not outermost):
        return flat
    pad = " " * (indent + 4)
    if isinstance(value, dict):
        entries = [f"{pad}{_quoted(key)}: {_table(item, indent + 4, len(key) + 4)}," for key, item in value.items()]
    else:
        entries = [f"{pad}{_table(item, indent + 4, 1)}," for item in value]
    first, last = ("{", "}") if isinstance(value, dict) else ("[", "]") if isinstance(value, list) else ("(", ")")
    return "\n".join([first, *entries, " " * indent + last])


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(key)}: {_flat(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flat, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_flat, value)) + ("," if len(value) == 1 else "") + ")"
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    """A string in double quotes, as code style has it."""
    shown = repr(text)
    return f'"{shown[1:-1]}"' if shown[0] == "'" and '"' not in text else shown

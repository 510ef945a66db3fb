"""YAML with line numbers and without its traps: duplicate keys, yes/no booleans, dates. For the build only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PREFIX = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One finding of the build or the lint."""

    path: str
    line: int
    message: str
    severity: str = "error"
    field: str = ""  # the keys that lead there: `ops.relu.torch.args`

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.severity}: {self.message}"


@dataclass(slots=True)
class Document:
    """A YAML file as plain values; `lines` gives the line of each key path."""

    path: str
    data: dict[str, Any] = field(default_factory=dict)
    lines: dict[tuple[Any, ...], int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, *keys: Any) -> int:
        """The line of a key path, or of the nearest part of it that has one."""
        for end in range(len(keys), 0, -1):
            if keys[:end] in self.lines:
                return self.lines[keys[:end]]
        return 1


def read_document(path: Path, shown: str) -> Document:
    """Reads one YAML file. What is wrong with it is in `problems`; bad values are left out."""
    document = Document(shown)
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=_LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        text = getattr(error, "problem", None) or str(error).splitlines()[0]
        document.problems.append(
            Problem(shown, mark.line + 1 if mark else 1, f"not YAML: {text} (quote texts that hold {{ }} [ ] : or #)")
        )
        return document
    except UnicodeDecodeError:
        document.problems.append(Problem(shown, 1, "not UTF-8 text"))
        return document
    if root is None:
        return document
    value = _value(root, (), document)
    if isinstance(value, dict):
        document.data = value
    else:
        document.problems.append(Problem(shown, 1, "the top of the file must be a mapping of names to rows"))
    return document


def _value(node: Any, keys: tuple[Any, ...], document: Document) -> Any:
    document.lines.setdefault(keys, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        found: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = _scalar(key_node, document) if isinstance(key_node, yaml.ScalarNode) else None
            line = key_node.start_mark.line + 1
            if not isinstance(key, str):
                if key_node.tag != _PREFIX + "bool":
                    document.problems.append(
                        Problem(document.path, line, f"key {_shown(key_node)} is no text: quote it")
                    )
                continue
            if key in found:
                document.problems.append(
                    Problem(document.path, line, f"duplicate key {key!r}, first on line {document.line(*keys, key)}")
                )
                continue
            inner = (*keys, key)
            document.lines[inner] = line
            found[key] = _value(value_node, inner, document)
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*keys, index), document) for index, item in enumerate(node.value)]
    return _scalar(node, document)


def _shown(node: Any) -> str:
    return repr(node.value) if isinstance(node, yaml.ScalarNode) else "in brackets"


def _scalar(node: Any, document: Document) -> Any:
    tag, text, line = node.tag.removeprefix(_PREFIX), node.value, node.start_mark.line + 1
    if tag == "str":
        return text
    if tag == "bool":
        if text.lower() in {"true", "false"}:
            return text.lower() == "true"
        document.problems.append(
            Problem(document.path, line, f"{text!r} is a boolean in YAML: write true or false, or quote it")
        )
        return None
    if tag == "null":
        return None
    if tag in {"int", "float"}:
        try:
            return int(text) if tag == "int" else float(text)
        except ValueError:
            document.problems.append(
                Problem(document.path, line, f"{text!r} is an unusual number: quote it or write it plainly")
            )
            return None
    if tag == "merge":
        document.problems.append(Problem(document.path, line, "merge keys (<<) are not used here: write the row out"))
        return None
    document.problems.append(Problem(document.path, line, f"{text!r} is a {tag} in YAML: quote it"))
    return None

"""Looks at installed packages in a process of its own: this one imports no framework.

python -m ml_switcheroo.authoring.introspect RESULT.json NAME ...
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

SECONDS = 180


@dataclass(frozen=True)
class Looked:
    """What an installed package says of one name."""

    signature: str | None
    doc: str
    version: str


def look(names: Sequence[str]) -> dict[str, Looked]:
    """Signature and documentation of public names; those that are not installed are missing."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        if not run_child([__name__, str(result), *names]) or not result.exists():
            return {}
        found: dict[str, list[Any]] = json.loads(result.read_text(encoding="utf-8"))
    return {name: Looked(*values) for name, values in found.items()}


def run_child(arguments: list[str]) -> bool:
    """Runs a module of ours; what frameworks print on the way is nobody's business."""
    # The parent's paths: the package may run from a checkout that is not installed.
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = {"JAX_PLATFORMS": "cpu", **os.environ, "PYTHONPATH": paths}
    try:
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def find(name: str) -> Any:
    """The object behind a dotted name; raises ImportError or AttributeError."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            value: Any = importlib.import_module(".".join(parts[:end]))
        except ImportError:
            continue
        for part in parts[end:]:
            value = getattr(value, part)
        return value
    raise ImportError(name)


def describe(name: str) -> list[Any] | None:
    """Signature, documentation and version, or None for what is not there."""
    try:
        value = find(name)
    except Exception:
        return None
    try:
        signature: str | None = str(inspect.signature(value))
    except (TypeError, ValueError):
        signature = None
    root = sys.modules.get(name.split(".")[0])
    return [signature, inspect.getdoc(value) or "", str(getattr(root, "__version__", ""))]


def main(arguments: list[str]) -> int:
    """Writes what is found, by name."""
    target, *names = arguments
    found = {name: told for name in names if (told := describe(name)) is not None}
    Path(target).write_text(json.dumps(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""A stand-in for the converter, so that everything around it can be tested alone and fast."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from ml_switcheroo.diagnostics import Diagnostic, diagnose
from ml_switcheroo.errors import InputError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from typer.testing import Result


@dataclass
class FakeConversion:
    code: str
    diagnostics: list[Diagnostic] = field(default_factory=list)
    source: str | None = None
    target: str = "jax"
    helpers: tuple[str, ...] = ()
    decisions: list[str] = field(default_factory=list)


def fake_convert(
    text: str,
    *,
    source: str | None = None,
    target: str = "jax",
    path: Path | str | None = None,
    project: object = None,
    compat: str | None = None,
) -> FakeConversion:
    """`import torch` becomes `import jax`; words in the text ask for trouble."""
    if "CRASH" in text:
        raise RuntimeError("something broke")
    if "DIE" in text:
        import os

        os._exit(3)
    if "def f(:" in text:
        raise InputError("SW0004", "invalid syntax", path=str(path), line=1, col=7)
    if "import torch" not in text:
        return FakeConversion(text, [], None, target)
    found = [
        diagnose("SW2003", "refused here", line=number, col=1)
        for number, line in enumerate(text.splitlines(), 1)
        if "REFUSE" in line
    ]
    helpers: tuple[str, ...] = ()
    code = text.replace("import torch", "import jax")
    if "HELPER" in text:
        helpers = ("Conv2d",)
        code = f"from {compat} import Conv2d\n{code}" if compat else f"class Conv2d: ...\n{code}"
    return FakeConversion(code, found, source or "torch", target, helpers, ["import torch -> import jax"])


def fake_load_project(paths: Sequence[Path], *, root: Path | None, source: str | None, target: str) -> dict[str, int]:
    return {"files": len(paths)}


def fake_detect_source(text: str, target: str = "jax") -> str | None:
    return "torch" if "import torch" in text else None


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts the stand-in where the converter is looked for."""
    module = ModuleType("ml_switcheroo.pipeline")
    module.__dict__.update(
        convert=fake_convert,
        load_project=fake_load_project,
        Conversion=FakeConversion,
        detect_source=fake_detect_source,
    )
    monkeypatch.setitem(sys.modules, "ml_switcheroo.pipeline", module)


@pytest.fixture
def run() -> Callable[..., Result]:
    """Runs the command line in this process: `run("convert", path)`."""
    from ml_switcheroo.cli import app

    def call(*arguments: str | os.PathLike[str], stdin: bytes | None = None) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin, catch_exceptions=False)

    return call

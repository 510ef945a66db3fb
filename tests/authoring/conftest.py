"""A place of one's own: an empty working directory and user folder, and the command line in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from ml_switcheroo import kb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from typer.testing import Result


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory, with the user's folders beside it and nothing of the real ones."""
    here = tmp_path / "work"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.delenv("ML_SWITCHEROO_KB", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("ml_switcheroo.fuzz.missing", lambda *_: ["jax"])  # proofs take long; they have their own tests
    kb.reload()
    yield here
    monkeypatch.undo()
    kb.reload()


@pytest.fixture
def run() -> Callable[..., Result]:
    """`run("define", path)`."""
    from ml_switcheroo.cli import app

    def call(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)

    return call

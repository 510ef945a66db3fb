"""`gen-weight-script` and `verify` as commands: what reaches the rooms behind them, and how their failures look."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from ml_switcheroo.diagnostics import diagnose
from ml_switcheroo.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

    Run = Callable[..., Result]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.py"
    path.write_text("import torch\n")
    return path


def script(code: str, *codes: str) -> Any:
    return lambda path, **_: SimpleNamespace(code=code, diagnostics=[diagnose(c, "m", path=str(path)) for c in codes])


def test_script_to_stdout_and_to_a_file(run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml_switcheroo.weights.gen_weight_script", script("# script\n"))
    assert run("gen-weight-script", model, "--source", "torch").stdout == "# script\n"
    result = run("gen-weight-script", model, "--source", "torch", "--out", tmp_path / "migrate.py")
    assert (result.exit_code, result.stdout) == (0, "")
    assert (tmp_path / "migrate.py").read_text() == "# script\n"


def test_script_with_gaps(run: Run, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml_switcheroo.weights.gen_weight_script", script("# script\n", "SW2001"))
    result = run("gen-weight-script", model, "--source", "torch")
    assert result.exit_code == 1
    assert f"{model}: SW2001 error: m" in result.stderr


@pytest.mark.parametrize(("error", "code"), [(InputError("SW0004", "bad"), "SW0004"), (ValueError("x"), "SW9001")])
def test_script_that_fails_is_one_line(
    run: Run, model: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    def fail(path: Path, **_: object) -> None:
        raise error

    monkeypatch.setattr("ml_switcheroo.weights.gen_weight_script", fail)
    result = run("gen-weight-script", model, "--source", "torch")
    assert result.exit_code == 2
    assert f" {code} error: " in result.stderr.splitlines()[0]


def test_script_of_a_missing_file(run: Run, tmp_path: Path) -> None:
    result = run("gen-weight-script", tmp_path / "none.py")
    assert result.exit_code == 2
    assert "SW0001" in result.stderr


def test_verify_hands_its_arguments_on(run: Run, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def cli_verify(path: str, build: str, inputs: list[str], **options: Any) -> int:
        seen.update(path=path, build=build, inputs=inputs, **options)
        return 1

    monkeypatch.setattr("ml_switcheroo.verify.cli_verify", cli_verify)
    result = run("verify", model, "--build", "Net()", "--input", "2x3", "--input", "2x4", "--no-train")
    assert result.exit_code == 1
    assert (seen["path"], seen["build"], seen["inputs"]) == (str(model), "Net()", ["2x3", "2x4"])
    assert (seen["target"], seen["source"], seen["train"]) == ("jax", None, False)


def test_verify_needs_to_know_how_to_build(run: Run, model: Path) -> None:
    assert run("verify", model, "--input", "2x3").exit_code == 2

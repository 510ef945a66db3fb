"""`ml_switcheroo convert` for single files: results, exit codes, reports, bad input."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

    Run = Callable[..., Result]

pytestmark = pytest.mark.usefixtures("fake")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.py"
    path.write_bytes(b"import torch  # keep\n")
    return path


def test_result_goes_to_stdout(run: Run, model: Path) -> None:
    result = run("convert", model)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "import jax  # keep\n", "")


def test_result_goes_to_the_file_named_by_out(run: Run, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out.py"
    result = run("convert", model, "--out", out)
    assert (result.exit_code, result.stdout) == (0, "")
    assert out.read_text() == "import jax  # keep\n"


def test_out_may_be_an_existing_folder(run: Run, model: Path, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    assert run("convert", model, "--out", tmp_path / "results").exit_code == 0
    assert (tmp_path / "results" / "model.py").exists()


def test_stdin_to_stdout(run: Run) -> None:
    result = run("convert", "-", stdin=b"import torch\n")
    assert (result.exit_code, result.stdout) == (0, "import jax\n")


def test_gaps_give_exit_code_1_and_a_line_with_a_place(run: Run, model: Path) -> None:
    model.write_text("import torch\nREFUSE\n")
    result = run("convert", model)
    assert result.exit_code == 1
    assert result.stdout == "import jax\nREFUSE\n"
    assert result.stderr.splitlines()[0] == f"{model}:2:1: SW2003 error: refused here"


def test_check_writes_nothing(run: Run, model: Path) -> None:
    model.write_text("import torch\nREFUSE\n")
    result = run("convert", model, "--check")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "SW2003" in result.stderr


def test_diff(run: Run, model: Path) -> None:
    result = run("convert", model, "--diff")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-2:] == ["-import torch  # keep", "+import jax  # keep"]


def test_verbose_explains(run: Run, model: Path) -> None:
    assert "import torch -> import jax" in run("convert", model, "-v").stderr


def test_json_report(run: Run, model: Path, tmp_path: Path) -> None:
    model.write_text("import torch\nREFUSE\n")
    run("convert", model, "--report", tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["summary"]["codes"] == {"SW2003": 1}
    assert report["exit_code"] == 1
    assert report["files"][0]["diagnostics"][0]["line"] == 2


def test_html_report_escapes_the_source(run: Run, model: Path, tmp_path: Path) -> None:
    model.write_text("import torch\n# <script>alert(1)</script>\nREFUSE\n")
    run("convert", model, "--report", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "SW2003" in page


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\x80\x04\x00\x00binary", "SW0003"),
        (b"x = '\xe9'\n", "SW0002"),
        (b"# coding: no-such-codec\n", "SW0002"),
        ("x = 1\n".encode("utf-16"), "SW0002"),
        (b"def f(:\n", "SW0004"),
        (b"import torch\nCRASH\n", "SW9001"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_2(
    run: Run, model: Path, tmp_path: Path, content: bytes, code: str
) -> None:
    model.write_bytes(content)
    out = tmp_path / "out.py"
    result = run("convert", model, "--out", out)
    assert result.exit_code == 2
    first, *rest = result.stderr.splitlines()
    assert first.startswith(str(model))
    assert f" {code} error: " in first
    assert all(line.startswith("    hint: ") for line in rest)
    assert not out.exists()


def test_missing_path(run: Run, tmp_path: Path) -> None:
    result = run("convert", tmp_path / "none.py")
    assert result.exit_code == 2
    assert "SW0001 error: No such file or directory" in result.stderr


def test_unknown_target(run: Run, model: Path) -> None:
    result = run("convert", model, "--target", "no_such")
    assert result.exit_code == 2
    assert "SW0007" in result.stderr


def test_unwritable_output(run: Run, model: Path) -> None:
    result = run("convert", model, "--out", os.path.join(os.devnull, "out.py"))
    assert result.exit_code == 2
    assert "SW0005 error: cannot write" in result.stderr


def test_a_folder_is_no_place_for_a_file(run: Run, model: Path, tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("")
    result = run("convert", model, "--out", tmp_path / "blocked" / "out.py")
    assert result.exit_code == 2
    assert "SW0005" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [["--check", "--out", "x.py"], ["--report", "report.txt"], ["--jobs", "0"], ["--no-such-option"]],
)
def test_usage_errors(run: Run, model: Path, arguments: list[str]) -> None:
    assert run("convert", model, *arguments).exit_code == 2


def test_encoding_mark_and_line_endings_survive(run: Run, tmp_path: Path) -> None:
    path, out = tmp_path / "a.py", tmp_path / "b.py"
    path.write_bytes("\ufeffimport torch\r\nx = 'é'  # HELPER\r\n".encode())
    assert run("convert", path, "--out", out).exit_code == 0
    assert out.read_bytes() == "\ufeffclass Conv2d: ...\r\nimport jax\r\nx = 'é'  # HELPER\r\n".encode()
    path.write_bytes("# coding: latin-1\nimport torch\nx = 'é'\n".encode("latin-1"))
    run("convert", path, "--out", out)
    assert out.read_bytes() == "# coding: latin-1\nimport jax\nx = 'é'\n".encode("latin-1")


def test_a_file_without_framework_code_is_byte_identical(run: Run, tmp_path: Path) -> None:
    path, out = tmp_path / "a.py", tmp_path / "b.py"
    data = b"x = 1 \r\ny = 2\n\n\n# mixed line ends, no newline at the end"
    path.write_bytes(data)
    result = run("convert", path, "--out", out)
    assert (result.exit_code, result.stderr) == (0, "")
    assert out.read_bytes() == data

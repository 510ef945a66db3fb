"""`ml_switcheroo convert` for folders: the tree, other files, shared helpers, workers, and files that go wrong."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from ml_switcheroo.project import convert_path, plan_jobs, summary
from ml_switcheroo.source import walk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

    Run = Callable[..., Result]

pytestmark = pytest.mark.usefixtures("fake")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    root = tmp_path / "pkg"
    files = {
        "__init__.py": "",
        "a.py": "import torch\n",
        "b.py": "import torch  # HELPER\n",
        "plain.py": "x = 1\n",
        "sub/__init__.py": "",
        "sub/c.py": "import torch  # HELPER\n",
        "sub/config.yaml": "a: 1\n",
        "__pycache__/a.cpython-311.pyc": "x",
        ".git/HEAD": "x",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture
def no_kb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml_switcheroo.compat.render_compat", lambda names, **_: f"# {sorted(names)}\n")


@pytest.mark.usefixtures("no_kb")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_tree_is_kept(run: Run, package: Path, tmp_path: Path, jobs: str) -> None:
    out = tmp_path / "out"
    result = run("convert", package, "--out", out, "--jobs", jobs)
    assert result.exit_code == 0
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()) == [
        "__init__.py",
        "_compat.py",
        "a.py",
        "b.py",
        "plain.py",
        "sub/__init__.py",
        "sub/c.py",
        "sub/config.yaml",
    ]
    assert (out / "a.py").read_text() == "import jax\n"
    assert (out / "b.py").read_text() == "from ._compat import Conv2d\nimport jax  # HELPER\n"
    assert (out / "sub/c.py").read_text() == "from .._compat import Conv2d\nimport jax  # HELPER\n"
    assert (out / "_compat.py").read_text() == "# ['Conv2d']\n"
    assert "3 converted, 3 without framework code, 1 other file; 0 errors" in result.stderr


def test_a_folder_needs_a_destination(run: Run, package: Path) -> None:
    assert run("convert", package).exit_code == 2
    assert run("convert", package, "--check").exit_code == 0


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("bad", ["CRASH", "DIE", "def f(:"])
def test_one_bad_file_leaves_the_others_converted(package: Path, tmp_path: Path, bad: str, jobs: int) -> None:
    if bad == "DIE" and jobs == 1:
        pytest.skip("would end this process")
    (package / "bad.py").write_text(f"import torch\n{bad}\n")
    result = convert_path(package, tmp_path / "out", jobs=jobs)
    assert result.exit_code == 1
    assert [file.name for file in result.files if file.status == "failed"] == ["bad.py"]
    assert [d.code for d in result.diagnostics] == ["SW0004" if bad == "def f(:" else "SW9001"]
    assert not (tmp_path / "out" / "bad.py").exists()
    assert (tmp_path / "out" / "a.py").read_text() == "import jax\n"
    assert "1 failed; 1 error, 0 warnings" in summary(result)


def test_the_internal_error_names_our_line(package: Path) -> None:
    (package / "bad.py").write_text("CRASH")
    [found] = convert_path(package, jobs=1).diagnostics
    pattern = r"internal error: RuntimeError: something broke at project\.py:\d+; nothing is written for this file"
    assert re.fullmatch(pattern, found.message)


def test_existing_destination_is_filled_not_emptied(package: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    convert_path(package, tmp_path / "out", jobs=1)
    assert (tmp_path / "out" / "mine.txt").read_text() == "keep"
    assert (tmp_path / "out" / "a.py").exists()


def test_nothing_is_left_behind_when_writing_fails(run: Run, package: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("convert", package, "--out", tmp_path / "file" / "out")
    assert result.exit_code == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "pkg"]


@pytest.mark.parametrize("out", [".", "..", "pkg_file"])
def test_refused_destinations(run: Run, package: Path, out: str) -> None:
    (package / "pkg_file").write_text("")
    result = run("convert", package, "--out", package / out)
    assert result.exit_code == 2
    assert "SW0005" in result.stderr


def test_destination_inside_the_source_is_not_converted_again(package: Path) -> None:
    for _ in range(2):
        convert_path(package, package / "jax", jobs=1)
    assert not (package / "jax" / "jax").exists()
    assert (package / "jax" / "a.py").exists()


def test_folder_without_python(run: Run, tmp_path: Path) -> None:
    result = run("convert", tmp_path, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "SW0001" in result.stderr


def test_where_helpers_come_from(tmp_path: Path) -> None:
    for name in [
        "script.py",
        "lib/__init__.py",
        "lib/_compat.py",
        "lib/deep/__init__.py",
        "lib/deep/x.py",
        "loose/y.py",
    ]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    jobs = {job.name: (job.compat, job.compat_file) for job in plan_jobs(tmp_path, list(walk(tmp_path)))}
    assert jobs == {
        "script.py": ("_compat", "_compat.py"),
        "lib/__init__.py": (".__compat", "lib/__compat.py"),
        "lib/_compat.py": (".__compat", "lib/__compat.py"),
        "lib/deep/__init__.py": ("..__compat", "lib/__compat.py"),
        "lib/deep/x.py": ("..__compat", "lib/__compat.py"),
        "loose/y.py": (None, ""),
    }


def test_progress_is_told(package: Path) -> None:
    totals: list[int] = []
    names: list[str] = []
    convert_path(package, jobs=1, on_start=totals.append, on_file=lambda file: names.append(file.name))
    assert totals == [6]
    assert sorted(names) == ["__init__.py", "a.py", "b.py", "plain.py", "sub/__init__.py", "sub/c.py"]


def test_report_of_a_folder(run: Run, package: Path, tmp_path: Path) -> None:
    (package / "bad.py").write_text("CRASH")
    run("convert", package, "--check", "--report", tmp_path / "r.json")
    data = json.loads((tmp_path / "r.json").read_text())
    assert data["summary"]["failed"] == 1
    assert len(data["files"]) == 7

"""The package itself: what importing it costs, its public names, the table of codes, start-up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ml_switcheroo.diagnostics import CODES, GROUPS, Diagnostic, diagnose, render_docs

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "jax", "flax", "numpy", "libcst", "yaml", "typer", "rich")


def python(code: str) -> str:
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); {code}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_import_is_light() -> None:
    loaded = python(f"import ml_switcheroo; print([m for m in {HEAVY!r} if m in sys.modules])")
    assert loaded == "[]"


def test_the_command_line_starts_without_frameworks_and_parser() -> None:
    loaded = python(
        "import ml_switcheroo.cli; print([m for m in ('torch', 'jax', 'numpy', 'libcst', 'yaml') if m in sys.modules])"
    )
    assert loaded == "[]"


def test_the_function_convert_is_not_hidden_by_the_folder_convert() -> None:
    code = "import ml_switcheroo.convert, ml_switcheroo, types; ml_switcheroo.convert = types.ModuleType('x'); "
    assert python(code + "print('convert' in vars(ml_switcheroo))") == "False"


def test_unknown_names_are_attribute_errors() -> None:
    import ml_switcheroo

    with pytest.raises(AttributeError, match="no_such"):
        _ = ml_switcheroo.no_such
    assert "convert_path" in dir(ml_switcheroo)


def test_version_starts_fast() -> None:
    """At most twice what the bare command-line library costs, in processor time and measured in turns.

    A bound in seconds would be one on the machine, and on what else it does.
    """

    def once(*command: str) -> float:
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        process = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return usage.ru_utime + usage.ru_stime

    turns = [(once("-m", "ml_switcheroo", "--version"), once("-c", "import typer.main")) for _ in range(5)]
    ours, bare = (min(times) for times in zip(*turns, strict=True))
    assert ours < 2 * bare


def test_docs_are_in_step_with_the_table() -> None:
    assert (ROOT / "docs" / "diagnostics.md").read_text() == render_docs(), "run: python -m ml_switcheroo.diagnostics"


@pytest.mark.parametrize("row", CODES.values(), ids=lambda row: row.code)
def test_each_code_is_complete(row: object) -> None:
    from ml_switcheroo.diagnostics import Code

    assert isinstance(row, Code)
    assert row.code[:3] in GROUPS
    assert len(row.code) == 6
    assert row.title
    assert row.example
    assert row.explanation.endswith((".", "?"))
    assert not row.hint.endswith(".")


def test_codes_are_unique() -> None:
    from ml_switcheroo.diagnostics import _TABLE

    assert len(_TABLE) == len(CODES)


def test_a_diagnostic_is_one_line_and_a_hint() -> None:
    found = diagnose("SW2003", "no way", path="a.py", line=3, col=5, hint="try this")
    assert found.format() == "a.py:3:5: SW2003 error: no way\n    hint: try this"
    assert Diagnostic("SW2003", "error", "no way").format() == "ml_switcheroo: SW2003 error: no way"
    with pytest.raises(KeyError):
        diagnose("SW0000", "unknown code")

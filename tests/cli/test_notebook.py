"""Notebooks: cells are converted in place, and what only IPython understands is kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ml_switcheroo.notebook import read_notebook
from ml_switcheroo.project import convert_path

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("fake")


def code(source: str | list[str]) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": "abc",
        "execution_count": 3,
        "metadata": {"tags": ["x"]},
        "outputs": [{"output_type": "stream", "name": "stdout", "text": ["old\n"]}],
        "source": source,
    }


def notebook(*cells: dict[str, Any], **metadata: Any) -> bytes:
    data = {"cells": list(cells), "metadata": {"kept": 1, **metadata}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(data).encode()


MAGIC_CELL = """%matplotlib inline
!pip install x \\
    y
import torch
files = !ls
torch?
if files:
    %time torch.zeros(1)
text = '''
%not a magic
'''
rest = (7
  % 4)"""


def test_cells_are_converted_and_the_rest_is_kept(tmp_path: Path) -> None:
    text = {"cell_type": "markdown", "metadata": {}, "source": ["# import torch"]}
    path = tmp_path / "n.ipynb"
    path.write_bytes(
        notebook(text, code(["import torch\n", "x = 1"]), code("%%bash\nimport torch"), code("import torch.nn"))
    )
    result = convert_path(path, tmp_path / "out.ipynb")
    assert result.exit_code == 0
    done = json.loads((tmp_path / "out.ipynb").read_text())
    assert done["cells"][0] == text
    assert done["cells"][1]["source"] == ["import jax\n", "x = 1"]
    assert "".join(done["cells"][2]["source"]) == "%%bash\nimport torch"
    assert done["cells"][3]["source"] == ["import jax.nn"]
    assert done["cells"][1]["outputs"] == []
    assert done["cells"][1]["execution_count"] is None
    assert done["cells"][1]["metadata"] == {"tags": ["x"]}
    assert done["metadata"] == {"kept": 1}
    assert [(d.code, d.path) for d in result.diagnostics] == [("SW0008", f"{path}#cell3")]


def test_magics_come_back_as_they_were() -> None:
    taken = read_notebook(notebook(code(MAGIC_CELL)), "n.ipynb")
    compile(taken.text, "n", "exec")
    assert "%not a magic" in taken.text
    assert "pip" not in taken.text
    assert "".join(json.loads(taken.with_code(taken.text))["cells"][0]["source"]) == MAGIC_CELL


def test_cell_magics_with_python_are_converted() -> None:
    taken = read_notebook(notebook(code("%%time\nimport torch")), "n.ipynb")
    changed = json.loads(taken.with_code(taken.text.replace("torch", "jax")))
    assert "".join(changed["cells"][0]["source"]) == "%%time\nimport jax"


def test_diagnostics_name_the_cell(tmp_path: Path) -> None:
    path = tmp_path / "n.ipynb"
    path.write_bytes(notebook(code("import torch"), code("y = 2\nREFUSE")))
    [found] = convert_path(path).diagnostics
    assert found.format().startswith(f"{path}#cell2:2:1: SW2003 error")


def test_a_cell_that_is_not_python_is_left_and_reported(tmp_path: Path) -> None:
    path = tmp_path / "n.ipynb"
    path.write_bytes(notebook(code("import torch"), code("print 'two'")))
    result = convert_path(path, tmp_path / "out.ipynb")
    assert result.exit_code == 1
    assert [(d.code, d.path) for d in result.diagnostics] == [("SW0004", f"{path}#cell2")]
    assert json.loads((tmp_path / "out.ipynb").read_text())["cells"][1]["source"] == "print 'two'"


def test_a_notebook_without_framework_code_is_byte_identical(tmp_path: Path) -> None:
    path = tmp_path / "n.ipynb"
    path.write_bytes(notebook(code("%ls\nx = 1")))
    convert_path(path, tmp_path / "out.ipynb")
    assert (tmp_path / "out.ipynb").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"cells": [1]}',
        b'{"cells": [], "nbformat": 3}',
        notebook(language_info={"name": "R"}),
        b"\xff",
    ],
)
def test_what_is_no_notebook_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "n.ipynb"
    path.write_bytes(content)
    result = convert_path(path)
    assert result.exit_code == 2
    assert [d.code for d in result.diagnostics] == ["SW0006"]

"""The whole path with the real converter: no framework is imported, and the laws hold for every example."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

from ml_switcheroo.project import convert_path

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

# Runs the command with every framework made impossible to import.
WITHOUT_FRAMEWORKS = """
import sys
for name in ("torch", "jax", "flax", "numpy", "yaml"):
    sys.modules[name] = None
from ml_switcheroo.cli import main
main()
"""


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", WITHOUT_FRAMEWORKS, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def comments(path: Path) -> list[str]:
    with path.open("rb") as file:
        found = [token.string for token in tokenize.tokenize(file.readline) if token.type == tokenize.COMMENT]
    return [comment for comment in found if not comment.startswith("# TODO(ml_switcheroo")]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_laws(path: Path, tmp_path: Path) -> None:
    out = tmp_path / path.name
    result = convert_path(path, out)
    text = out.read_text()
    ast.parse(text)
    errors = [d for d in result.diagnostics if d.severity == "error"]
    assert len(re.findall(r"# TODO\(ml_switcheroo SW\d{4}\)", text)) == len(errors)
    if not errors:
        assert not re.search(r"^\s*(import|from) torch\b|\btorch\.", text, re.MULTILINE)
    kept = comments(out)
    assert [comment for comment in comments(path) if comment not in kept] == []
    again = convert_path(out)
    assert again.files[0].after == text, "converting twice changes nothing"


def test_package(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run("convert", ROOT / "examples" / "tinydetect", "--out", out)
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in out.iterdir())
    assert names == ["__init__.py", "_compat.py", "backbone.py", "boxes.py", "layers.py", "model.py", "neck.py"]
    defined = {node.name for node in ast.parse((out / "_compat.py").read_text()).body if hasattr(node, "name")}
    imported: set[str] = set()
    for path in out.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "_compat":
                assert node.level == 1
                imported |= {alias.name for alias in node.names}
    assert imported
    assert imported <= defined


def test_one_file_through_the_command_line() -> None:
    done = run("convert", ROOT / "examples" / "unet.py", "--target", "jax")
    assert done.returncode == 0, done.stderr
    assert "nnx.Module" in done.stdout


def test_stdin() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-m", "ml_switcheroo", "convert", "-"],
        input="import torch\n\n\ndef f(x: torch.Tensor):\n    return torch.exp(x)\n",
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "jnp.exp(x)" in done.stdout


def test_python_interface() -> None:
    import ml_switcheroo

    done = ml_switcheroo.convert("import torch\nx = torch.zeros(3)\n", target="jax")
    assert done.ok
    assert done.source == "torch"
    assert "jnp.zeros" in done.code
    assert ml_switcheroo.convert("x = 1\n").code == "x = 1\n"


def test_unknown_target() -> None:
    done = run("convert", EXAMPLES[0], "--target", "no_such_framework")
    assert done.returncode == 2
    assert "SW0007 error: unknown framework 'no_such_framework'" in done.stderr


def test_notebook(tmp_path: Path) -> None:
    import json

    cells = [
        {
            "cell_type": "code",
            "metadata": {},
            "outputs": [],
            "source": "%matplotlib inline\nimport torch\nfrom torch import nn",
        },
        {"cell_type": "markdown", "metadata": {}, "source": "# A layer"},
        {
            "cell_type": "code",
            "metadata": {},
            "outputs": [],
            "source": "layer = nn.Conv2d(3, 8, 3)\nx = torch.zeros(1, 3, 9, 9)",
        },
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": "y = torch.relu(layer(x))\ny.shape"},
    ]
    path, out = tmp_path / "n.ipynb", tmp_path / "out.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    result = convert_path(path, out)
    assert result.exit_code in (0, 1)
    done = ["".join(cell["source"]) for cell in json.loads(out.read_text())["cells"]]
    assert len(done) == 4
    assert done[0].startswith("%matplotlib inline\n") or "\n%matplotlib inline\n" in done[0]
    assert done[1] == "# A layer"
    assert "jnp.zeros" in done[2]
    assert "jax.nn.relu(layer(x))" in done[3]
    assert "torch" not in "".join(done).replace("torch's", "")

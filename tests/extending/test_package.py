"""A framework that an installed package brings along: rows, a style, a helper and a plugin."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ml_switcheroo import kb
from ml_switcheroo.kb import layers
from ml_switcheroo.pipeline import convert
from ml_switcheroo.plugins import find_plugin

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(__file__).with_name("package")

SOURCE = """import torch
import torch.nn.functional as F


def f(x: torch.Tensor, y: torch.Tensor):
    z = F.relu(x + y)
    return torch.softmax(torch.square(z), dim=1), torch.add(x, y).sum(0)
"""

TARGET = """import tinynum as tn


def squared(x: tn.Array) -> tn.Array:
    \"\"\"x times itself.\"\"\"
    return x * x


def f(x: tn.Array, y: tn.Array):
    z = tn.ramp(x + y)
    return tn.normalised(squared(z), 1, 2.718281828459045), tn.total(tn.plus(x, y), axis=0)
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As after `pip install`: the package can be imported, and its entry points are recorded."""
    tomllib = pytest.importorskip("tomllib")  # Python 3.11
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    info = tmp_path / f"{project['name']}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(PACKAGE), *sys.path])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(layers, "_installed", [])
    find_plugin.cache_clear()
    kb.reload()
    yield
    monkeypatch.undo()
    find_plugin.cache_clear()
    kb.reload()


@pytest.mark.usefixtures("installed")
def test_to_the_framework() -> None:
    conversion = convert(SOURCE, source="torch", target="tinynum")
    assert [d for d in conversion.diagnostics if d.severity == "error"] == []
    assert conversion.code == TARGET


@pytest.mark.usefixtures("installed")
def test_what_is_written_runs() -> None:
    np = pytest.importorskip("numpy")
    torch = pytest.importorskip("torch")
    names: dict[str, object] = {}
    exec(convert(SOURCE, source="torch", target="tinynum").code, names)
    mine: dict[str, object] = {}
    exec(SOURCE, mine)
    x, y = np.random.default_rng(0).standard_normal((2, 3, 4)).astype("float32")
    wanted = mine["f"](torch.from_numpy(x), torch.from_numpy(y))  # type: ignore[operator]
    for a, b in zip(wanted, names["f"](x, y), strict=True):  # type: ignore[operator]
        np.testing.assert_allclose(a.numpy(), b, rtol=1e-5)


@pytest.mark.usefixtures("installed")
def test_refusals_are_those_of_the_rows() -> None:
    code = "import torch\n\n\ndef f(x: torch.Tensor):\n    return torch.sum(x, 1, keepdim=True), torch.tan(x)\n"
    found = [d.message for d in convert(code, source="torch", target="tinynum").diagnostics if d.severity == "error"]
    assert any("tinynum keeps no axes" in message for message in found)
    assert any("torch.tan" in message for message in found)


@pytest.mark.usefixtures("installed")
def test_from_the_framework() -> None:
    code = "import tinynum as tn\n\n\ndef f(x: tn.Array, y: tn.Array):\n    return tn.ramp(tn.plus(x, y))\n"
    conversion = convert(code, source="tinynum", target="jax")
    assert "jax.nn.relu(x + y)" in conversion.code


def test_without_the_package_it_is_not_known() -> None:
    from ml_switcheroo.errors import InputError

    with pytest.raises(InputError, match="unknown framework"):
        convert(SOURCE, source="torch", target="tinynum")

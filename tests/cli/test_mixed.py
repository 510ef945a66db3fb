"""Folders with files for several frameworks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ml_switcheroo.project import convert_path

if TYPE_CHECKING:
    from pathlib import Path

TORCH = "import torch\n\n\ndef f(x):\n    return torch.tanh(x)\n"
TENSORFLOW = "import tensorflow as tf\n\n\ndef f(x):\n    return tf.reduce_sum(x)\n"


def test_the_framework_of_most_files_is_converted(tmp_path: Path) -> None:
    for name, text in {"a.py": TENSORFLOW, "b.py": TORCH, "c.py": TORCH, "d.py": "x = 1\n"}.items():
        (tmp_path / "src" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "src" / name).write_text(text)
    result = convert_path(tmp_path / "src", tmp_path / "out")
    assert result.source == "torch"
    assert (tmp_path / "out" / "a.py").read_text() == TENSORFLOW
    assert "jnp.tanh" in (tmp_path / "out" / "b.py").read_text()
    assert [(file.name, d.code) for file in result.files for d in file.diagnostics] == [("a.py", "SW0013")]

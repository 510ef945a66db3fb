"""A sample of arbitrary files and of nasty texts: nothing crashes, and what has no framework code comes back as it was.

The full sweep over 2,000 files is benchmarks/robustness.py.
"""

from __future__ import annotations

import os
import site
from pathlib import Path

import pytest
from benchmarks.robustness import candidates, check

from ml_switcheroo.project import convert_path

SAMPLE = candidates(Path(os.__file__).parent, 30, seed=1) + candidates(Path(site.getsitepackages()[0]), 30, seed=2)


@pytest.mark.parametrize("path", SAMPLE, ids=lambda path: "/".join(Path(path).parts[-2:]))
def test_arbitrary_file(path: str) -> None:
    assert check(path).trouble == ""


NASTY = {
    "empty": "",
    "only a comment": "# nothing",
    "no newline at the end": "import torch\nx = torch.zeros(1)",
    "carriage returns": "import torch\r\n\r\nx = torch.zeros(1)\r\n",
    "tabs": "import torch\nif True:\n\tx = torch.zeros(1)\n",
    "form feed": "import torch\n\x0c\nx = torch.zeros(1)\n",
    "semicolons": "import torch; x = torch.zeros(1); y = x + 1\n",
    "backslashes": "import torch\nx = torch. \\\n    zeros(1)\n",
    "long sum": "import torch\nx = " + " + ".join(["torch.ones(1)"] * 1500) + "\n",
    "deep brackets": "import torch\nx = " + "(" * 90 + "torch.ones(1)" + ")" * 90 + "\n",
    "deep lists": "import torch\nx = " + "[" * 90 + "]" * 90 + "\n",
    "deep blocks": "import torch\n"
    + "".join("    " * n + "if x:\n" for n in range(18))
    + "    " * 18
    + "torch.ones(1)\n",
    "long line": "import torch\nx = torch.tensor([" + ", ".join(["1.5"] * 5000) + "])\n",
    "unicode names": "import torch\nδ = torch.zeros(1)\nclass Größe(torch.nn.Module): pass\n",
    "its own forward": "import torch\nclass A(torch.nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    "        self.forward = self.forward\ndef f():\n    return A()(torch.ones(2))\n",
    "shadowed": "import torch\ntorch = None\nx = torch\n",
    "import in a function": "def f():\n    import torch.nn.functional as F\n    return F\n",
    "import in try": "try:\n    import torch\nexcept ImportError:\n    torch = None\n",
    "star import": "from torch.nn import *\nlayer = Linear(1, 2)\n",
    "relative import of nothing": "from . import nothing\nfrom .. import more\nimport torch\n",
    "walrus": "import torch\nif (x := torch.ones(1)) is not None:\n    print(x)\n",
    "match": "import torch\nmatch torch.ones(1):\n    case 1: pass\n    case _: pass\n",
    "async": "import torch\nasync def f(x):\n    async with x as y:\n        await y\n    return torch.ones(1)\n",
    "recursive class": "from torch import nn\nclass A(nn.Module):\n    def forward(self, x): return A()(self(x))\n",
    "class inherits from itself": "import torch.nn as nn\nclass A(nn.Module): pass\nclass A(A): pass\n",
    "mutual bases": "import torch.nn as nn\nclass A(B): pass\nclass B(A): pass\n",
    "global": "import torch\ndef f():\n    global g\n    g = torch.ones(1)\n",
    "nonlocal": "import torch\ndef f(x):\n    def g():\n        nonlocal x\n        x = torch.ones(1)\n    return g\n",
    "decorators": "import torch\n@torch.no_grad()\n@(lambda f: f)\ndef f(x): return x\n",
    "type parameters in comments": "import torch\nx = []  # type: list[torch.Tensor]\n",
    "string annotations": "import torch\ndef f(x: 'torch.Tensor') -> 'torch.Tensor': return x\n",
    "bare names": "import torch\ntorch\ntorch.nn\ntorch.nn.Linear\n",
    "deleted": "import torch\nx = torch.ones(1)\ndel x\ndel torch\n",
    "exec": "import torch\nexec('x = torch.ones(1)')\n",
}


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY.keys())
def test_nasty_text(tmp_path: Path, text: str) -> None:
    path = tmp_path / "nasty.py"
    path.write_bytes(text.encode())
    [file] = convert_path(path).files
    assert not [d for d in file.diagnostics if d.code.startswith("SW9")], file.diagnostics
    assert file.content is not None
    compile(file.content, "nasty.py", "exec")


@pytest.mark.parametrize(
    "text", ["def f(:\n", "print 'x'\n", "x = (\n", "if True:\nx = 1\n", "'", "import torch\n\treturn\n"]
)
def test_syntax_error_is_one_line_with_a_place(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.py"
    path.write_text(text)
    result = convert_path(path, tmp_path / "out.py")
    assert result.exit_code == 2
    [found] = result.diagnostics
    assert found.code == "SW0004"
    assert found.line > 0
    assert "\n" not in found.message
    assert not (tmp_path / "out.py").exists()

"""What the files around a file say of it: how far they are read, through which imports, and what bounds the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ml_switcheroo.analysis import engine as engines
from ml_switcheroo.pipeline import Project, convert
from ml_switcheroo.project import convert_path

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


BLOCK = """
import torch
from torch import nn

class Noise(nn.Module):
    def forward(self, x):
        return x + torch.randn_like(x)
"""
NET = """
from torch import nn
from {where} import Noise

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.noise = Noise()

    def forward(self, x):
        return self.noise(x)
"""
CHAIN = {
    "pkg/__init__.py": "",
    **{
        f"pkg/{a}.py": f"from .{b} import Noise as Base\n\n\nclass Noise(Base):\n    pass\n"
        for a, b in ("ab", "bc", "cd")
    },
    "pkg/d.py": BLOCK,
}


def test_a_package_supplies_names_by_star_imports_of_its_parts(tmp_path: Path) -> None:
    others = {f"pkg/parts/other{n}.py": f"class Other{n}: pass\n" for n in range(5)}
    stars = "".join(f"from .other{n} import *\n" for n in range(5)) + "from .blocks import *\n"
    files = {
        "pkg/__init__.py": "",
        "pkg/parts/__init__.py": stars,
        "pkg/parts/blocks/__init__.py": "from .noise import *\n",
        "pkg/parts/blocks/noise.py": BLOCK,
        "pkg/net.py": NET.format(where=".parts"),
    }
    write(tmp_path, files | others)
    project = Project("torch", "jax")
    module = project.add(tmp_path / "pkg/net.py")
    code = convert(module.tree.code, path=tmp_path / "pkg/net.py", project=project).code
    assert "Noise(rngs=rngs)" in code
    assert {path.stem for path in project.finder.by_path} == {"net", "__init__", "noise"}  # none of the others


@pytest.mark.parametrize(("first", "read"), [("c", "cd"), ("b", "bc"), ("a", "ab")])
def test_only_near_files_are_read(tmp_path: Path, first: str, read: str) -> None:
    write(tmp_path, CHAIN | {"pkg/net.py": NET.format(where="." + first)})
    project = Project("torch", "jax")
    project.add(tmp_path / "pkg/net.py")
    project.analyse()
    assert {path.stem for path in project.finder.by_path} - {"net", "__init__"} == set(read)


def test_names_that_are_passed_on_are_no_distance(tmp_path: Path) -> None:
    passing = {f"pkg/{a}.py": f"from .{b} import Noise\n" for a, b in ("ab", "bc", "cd")}
    write(tmp_path, CHAIN | passing | {"pkg/net.py": NET.format(where=".a")})
    project = Project("torch", "jax")
    project.add(tmp_path / "pkg/net.py")
    project.analyse()
    assert "d" in {path.stem for path in project.finder.by_path}


def test_packages_between_two_files_are_no_distance(tmp_path: Path) -> None:
    packages = {f"pkg/{'/'.join('abcd'[:n])}/__init__.py": f"from .{'abcd'[n]} import Noise\n" for n in range(1, 4)}
    write(tmp_path, packages | {"pkg/a/b/c/d.py": BLOCK, "pkg/__init__.py": "", "pkg/net.py": NET.format(where=".a")})
    code = convert((tmp_path / "pkg/net.py").read_text(), path=tmp_path / "pkg/net.py").code
    assert "Noise(rngs=rngs)" in code


def test_too_much_work_reads_fewer_neighbours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, CHAIN | {"pkg/net.py": NET.format(where=".c")})
    path = tmp_path / "pkg/net.py"
    monkeypatch.setattr(engines, "MAX_WORK", 10)
    project = Project("torch", "jax")
    project.add(path)
    conversion = convert(path.read_text(), path=path, project=project)
    assert project.finder.reach == 0
    assert "class Net(nnx.Module)" in conversion.code  # the file itself is converted all the same
    assert conversion.ok


def test_circle_of_bases(tmp_path: Path) -> None:
    files = {
        "pkg/__init__.py": "",
        "pkg/a.py": "try:\n    from .b import Base\nexcept ImportError:\n    Base = object\nclass Part(Base): pass\n",
        "pkg/b.py": "from .a import Part\nclass Base(Part): pass\n",
        "pkg/net.py": "import torch\nfrom .a import Part\n\ndef f(x):\n    return Part(torch.relu(x)).size()\n",
    }
    write(tmp_path, files)
    assert convert((tmp_path / "pkg/net.py").read_text(), path=tmp_path / "pkg/net.py").code


def test_types_listed_in_another_file_are_doubtful_unless_it_is_converted_as_well(tmp_path: Path) -> None:
    files = {
        "pkg/__init__.py": "",
        "pkg/kinds.py": "from torch import nn\n\nKINDS = (nn.Linear, nn.LayerNorm)\nKIND = nn.Linear\n",
        "pkg/init.py": (
            "from torch import nn\nfrom .kinds import KIND, KINDS\n\n\n"
            "def init(m):\n    if isinstance(m, KINDS) or isinstance(m, KIND):\n        nn.init.ones_(m.weight)\n"
        ),
    }
    write(tmp_path, files)
    path = tmp_path / "pkg/init.py"
    alone = convert(files["pkg/init.py"], path=path, target="jax")
    assert [d.code for d in alone.diagnostics if d.severity == "warning"] == ["SW0014", "SW5005", "SW5005"]
    assert "pkg.kinds" in next(d.message for d in alone.diagnostics if d.code == "SW0014")

    project = Project("torch", "jax")
    for name in files:
        project.add(tmp_path / name)
    kinds = convert(files["pkg/kinds.py"], path=tmp_path / "pkg/kinds.py", project=project).code
    assert "KINDS = (nnx.Linear, nnx.LayerNorm)\nKIND = nnx.Linear" in kinds
    whole = convert(files["pkg/init.py"], path=path, project=project)
    assert not [d for d in whole.diagnostics if d.severity != "info"]


def test_a_package_that_is_at_hand_stands_for_itself(tmp_path: Path) -> None:
    """Rows for a library of the framework are for files that come without it."""
    drop = "from torch import nn\n\n\nclass DropPath(nn.Module):\n    def forward(self, x):\n        return x\n"
    net = NET.replace("Noise", "DropPath").format(where="timm.layers")
    alone = convert(net, target="jax")
    assert "def drop_path(" in alone.code
    assert "timm" not in alone.code.replace("Layers of the package timm", "")
    write(tmp_path, {"net.py": net, "timm/__init__.py": "", "timm/layers/__init__.py": drop})
    beside = convert(net, target="jax", path=tmp_path / "net.py")
    assert "from timm.layers import DropPath" in beside.code
    assert "def drop_path(" not in beside.code
    assert [d.code for d in beside.diagnostics] == ["SW0014"]


LATE = {
    "pkg/__init__.py": "",
    "pkg/zbase.py": """
from torch import nn

class Base(nn.Module):
    def __init__(self):
        super().__init__()
""",
    "pkg/net.py": """
from torch import nn
from .zbase import Base

class Net(Base):
    def __init__(self, n=1):
        super().__init__()
        self.fc = nn.Linear(n, n)
""",
}


def test_a_base_in_a_later_file_is_known_to_super(tmp_path: Path) -> None:
    """The constructor of a base takes the random streams, whichever of the two files comes first."""
    write(tmp_path, LATE)
    convert_path(tmp_path / "pkg", tmp_path / "out")
    assert "super().__init__(rngs=rngs)" in (tmp_path / "out" / "net.py").read_text()


def test_a_folder_without_init_belongs_to_the_package_around(tmp_path: Path) -> None:
    """`pkg/models/ranking/net.py` imports `pkg.basic`, where `models` has no `__init__.py`."""
    write(
        tmp_path,
        {
            "torch_pkg/__init__.py": "",
            "torch_pkg/basic.py": BLOCK,
            "torch_pkg/models/ranking/__init__.py": "",
            "torch_pkg/models/ranking/net.py": NET.format(where="torch_pkg.basic"),
        },
    )
    file = tmp_path / "torch_pkg/models/ranking/net.py"
    done = convert(file.read_text(), path=str(file))
    assert not [d for d in done.diagnostics if d.severity == "error"]
    assert "self.noise = Noise(rngs=rngs)" in done.code

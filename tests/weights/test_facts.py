"""What the source of a model says about its tree of modules, as it stands in the script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.weights.support import load

from ml_switcheroo.errors import InputError
from ml_switcheroo.weights import gen_weight_script

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "import torch\nfrom torch import nn\n\n"


def classes(tmp: Path, body: str) -> dict[str, Any]:
    """The CLASSES table, with the containers written out where they are used."""
    made = load(gen_weight_script(HEADER + body).code, tmp).module

    def shown(child: Any) -> Any:
        if isinstance(child, dict):
            return {key: shown(value) for key, value in child.items()}
        if isinstance(child, list):
            return [shown(item) for item in child]
        return shown(made.CONTAINERS[child.split()[1]]) if child.startswith("container ") else child

    found: dict[str, Any] = {name: shown(made.spread(own)) for name, own in made.CLASSES.items()}
    return found


def test_layers_parameters_and_buffers(tmp_path: Path) -> None:
    body = """
class Net(nn.Module):
    def __init__(self, flag, act=nn.ReLU):
        super().__init__()
        self.size = 3
        self.proj = nn.Linear(3, 4) if flag else nn.Conv2d(3, 4, 1)
        self.act = act()
        self.drop = nn.Dropout(0.1)
        self.token = nn.Parameter(torch.zeros(3))
        self.register_buffer("kept", torch.zeros(3))
        self.register_buffer("gone", torch.zeros(3), persistent=False)
"""
    found = classes(tmp_path, body)["Net"]
    assert sorted(found["proj"]) == ["layer Conv2d", "layer Linear"]
    assert found["token"] == found["kept"] == ["tensor 1"]
    assert not {"size", "drop", "gone"} & set(found)


def test_numbers_of_axes(tmp_path: Path) -> None:
    body = """
class Net(nn.Module):
    def __init__(self, n, shape, flag, **kw):
        super().__init__()
        size = 2
        self.a = nn.Parameter(torch.empty(n, 3 * size, **kw))
        self.b = nn.Parameter(torch.zeros((1, n, 1)) * 0.5)
        self.c = nn.Parameter(torch.ones(shape))
        self.d = nn.Parameter(torch.ones(4)) if flag else None
        self.e = nn.Parameter(torch.randn(*shape))
        self.register_buffer("f", torch.full((2, 2), 1.0))
        self.register_parameter("g", None)
        if flag:
            self.g = nn.Parameter(torch.ones(2, 2))
        self.h = nn.Parameter(torch.ones(2, 2)) if flag else nn.Parameter(torch.ones(2))
        self.i = nn.Parameter(torch.ones(2))
        self.i.data = torch.ones(2, 2)
        self.j = nn.Parameter(torch.full((2, 3), n))
        self.k = nn.Parameter(torch.Tensor(n, 3))
        self.l = nn.Parameter(torch.Tensor(n))
"""
    found = classes(tmp_path, body)["Net"]
    assert {name: children for name, (children,) in found.items()} == {
        "a": "tensor 2", "b": "tensor 3", "c": "tensor", "d": "tensor 1", "e": "tensor", "f": "tensor 2",
        "g": "tensor 2", "h": "tensor", "i": "tensor", "j": "tensor 2",
        "k": "tensor 2", "l": "tensor",
    }  # fmt: skip


def test_computed_names_and_grown_containers(tmp_path: Path) -> None:
    body = """
class Net(nn.Module):
    def __init__(self, n):
        super().__init__()
        layers = []
        for i in range(n):
            layers += [nn.Linear(3, 3)]
            setattr(self, f"extra{i}", nn.Embedding(3, 3))
        self.layers = nn.Sequential(*layers)
        self.stages = nn.Sequential()
        for i in range(n):
            self.stages.add_module("stage%d" % i, nn.Linear(3, 3))
        self.stages.add_module("last", nn.Conv2d(3, 3, 1))
        self.pair = nn.ModuleList([nn.Linear(1, 1), nn.Embedding(1, 1)])
"""
    found = classes(tmp_path, body)["Net"]
    assert found["extra*"] == ["layer Embedding"]
    assert found["layers"] == [{"Sequential": {"*": ["layer Linear"]}}]
    stages = found["stages"][0]["Sequential"]
    assert stages["stage*"] == ["layer Linear"]
    assert stages["last"] == ["layer Conv2d"]
    assert found["pair"] == [{"ModuleList": {"0": ["layer Linear"], "1": ["layer Embedding"]}}]


def test_a_list_that_a_callee_fills(tmp_path: Path) -> None:
    """The list is empty where the container is made from it, until the body of the other function is known."""
    body = """
class Net(nn.Module):
    def __init__(self, n):
        super().__init__()
        layers = nn.ModuleList()
        self.add(layers, nn.Linear(3, 3))
        self.layers = nn.Sequential(*layers)
        kept = []
        self.add(kept, nn.Linear(3, 3))
        self.copied = nn.ModuleList(list(kept))

    @staticmethod
    def add(layers, layer):
        layers.append(layer)
"""
    found = classes(tmp_path, body)["Net"]
    assert found["layers"] == [{"Sequential": {"*": ["layer Linear"]}}]
    assert found["copied"] == [{"ModuleList": {"*": ["layer Linear"]}}]


def test_children_that_come_as_pairs(tmp_path: Path) -> None:
    body = """
from typing import Any, Dict, List, Tuple

def stages(n, extra) -> Tuple[List[Tuple[str, nn.Module]], List[Dict[str, Any]]]:
    made, facts = [], []
    for i in range(n):
        made.append((f"stage{i}", nn.Sequential(nn.Linear(3, 3), nn.Embedding(3, 3))))
        facts.append(dict(module=f"stage{i}"))
    return (made, facts) if not extra else other(extra)

def other(extra) -> Tuple[List[Tuple[str, nn.Module]], List[Dict[str, Any]]]:
    return unknown(extra)

class Net(nn.Module):
    def __init__(self, n, extra=None):
        super().__init__()
        made, facts = stages(n, extra)
        for stage in made:
            self.add_module(*stage)
"""
    found = classes(tmp_path, body)["Net"]
    assert {"Sequential": {"0": ["layer Linear"], "1": ["layer Embedding"]}} in found["stage*"]


def test_bases_and_modules_from_outside(tmp_path: Path) -> None:
    body = """
class Block(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(1, 1), nn.ReLU())

class Norm(nn.LayerNorm):
    pass

class Net(nn.Module):
    def __init__(self, fn, items):
        super().__init__()
        self.fn, self.items, self.block, self.norm = fn, items, Block(), Norm(3)

    def forward(self, x):
        return self.fn(x)

class Child(Net):
    pass
"""
    found = classes(tmp_path, body)
    assert found["Block"][""][0]["Sequential"]["0"] == ["layer Linear"]
    assert found["Norm"] == {"": ["layer LayerNorm"]}
    assert found["Net"]["fn"] == ["anything callable"]
    assert found["Net"]["items"] == ["anything"]
    assert found["Child"] == found["Net"]


def test_ties(tmp_path: Path) -> None:
    body = """
class Lm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = self.width = dim
        self.size = self.dim
        self.wte = nn.Embedding(9, dim)
        self.head = nn.Linear(dim, 9)
        self.head.weight = self.wte.weight
        self.again = self.head
"""
    made = load(gen_weight_script(HEADER + body).code, tmp_path).module
    assert made.TIES == {"Lm": [("head.weight", "wte.weight"), ("again", "head")]}


def test_a_package_is_looked_up_beside_the_file(tmp_path: Path) -> None:
    package = tmp_path / "pkg"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "parts.py").write_text(HEADER + "class Part(nn.Module):\n    def __init__(self):\n"
                                      "        super().__init__()\n        self.fc = nn.Linear(2, 2)\n")  # fmt: skip
    (package / "net.py").write_text(HEADER + "from .parts import Part\n\nclass Net(nn.Module):\n"
                                    "    def __init__(self):\n"
                                    "        super().__init__()\n        self.part = Part()\n")  # fmt: skip
    for given in (package / "net.py", package):
        made = load(gen_weight_script(given).code, tmp_path).module
        assert "class Part" in made.CLASSES["Net"]["part"]
        assert made.CLASSES["Part"] == {"fc": ["layer Linear"]}


def test_bad_input_gets_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no model"):
        gen_weight_script("import torch\nx = 1\n")
    (tmp_path / "bad.py").write_text("class Net(:\n")
    with pytest.raises(InputError) as caught:
        gen_weight_script(tmp_path / "bad.py")
    assert caught.value.code == "SW0004"
    assert caught.value.line == 1


def test_layers_that_are_made_far_away(tmp_path: Path) -> None:
    """What a layer is made of decides how its weights are stored: scripts look further than conversions do."""
    head = "from torch import nn\n"
    files = {
        "net.py": "from one import Block\n\nclass Net(nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        self.block = Block(3)\n",
        "one.py": "from two import make\n\nclass Block(nn.Module):\n    def __init__(self, c):\n"
        "        super().__init__()\n        self.part = make(c)\n",
        "two.py": "from three import make_layer\n\ndef make(c):\n    return make_layer(c)\n",
        "three.py": "from four import layer\n\ndef make_layer(c):\n    return layer(c)\n",
        "four.py": "def layer(c):\n    return nn.Conv2d(c, c, 1)\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(head + text)
    code = gen_weight_script(tmp_path / "net.py").code
    assert '"part": ["layer Conv2d"]' in code

"""What converted code finds out about modules when it runs: their mode, the signature of their class."""

from __future__ import annotations

from typing import Any

import pytest

from ml_switcheroo import convert

nnx = pytest.importorskip("flax.nnx")

HEADER = "import inspect\n\nimport torch\nfrom torch import nn\n\n\n"
MODES = """
class Part(nn.Module):
    def __init__(self):
        super().__init__()
        self.training = False
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        return x + 1 if self.training else x


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.part = Part()

    def forward(self, x):
        return self.part(x)


def trains(model: nn.Module):
    return model.training


def in_eval(function):
    def inner(model, *args):
        was_training = model.training
        model.eval()
        result = function(model, *args)
        model.train(was_training)
        return result

    return inner


@in_eval
def run(model, x):
    return model(x)
"""


def executed(text: str) -> dict[str, Any]:
    done = convert(HEADER + text)
    assert not [d for d in done.diagnostics if d.severity == "error"]
    names: dict[str, Any] = {}
    exec(done.code, names)
    return names


def test_modes() -> None:
    made = executed(MODES)
    net = made["Net"](rngs=nnx.Rngs(0))
    assert net(1) == 1  # the part was switched by its constructor
    with pytest.raises(ValueError, match="not all the same"):
        made["trains"](net)
    net.train()
    assert (made["trains"](net), net(1)) == (True, 2)
    assert made["run"](net, 1) == 1
    assert (made["trains"](net), net(1)) == (True, 2)
    net.eval()
    assert (made["trains"](net), net(1)) == (False, 1)


def test_signatures() -> None:
    made = executed("""
class Net(nn.Module):
    def __init__(self, dim, norm=nn.LayerNorm, *, depth=1):
        super().__init__()
        self.norm = norm(dim)


def parameters(kind):
    return list(inspect.signature(kind).parameters)
""")
    assert made["parameters"](made["Net"]) == ["dim", "norm", "depth"]
    assert made["parameters"](made["parameters"]) == ["kind"]


def test_parts_of_a_fused_weight() -> None:
    made = executed("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = nn.MultiheadAttention(4, 2)
        nn.init.constant_(self.attn.in_proj_weight, 3.0)
        self.attn.in_proj_bias.data.fill_(2.0)
""")
    attn = made["Net"](rngs=nnx.Rngs(0)).attn
    for part in (attn.query, attn.key, attn.value):
        assert (part.kernel[...] == 3).all() and (part.bias[...] == 2).all()
    assert not (attn.out_proj.kernel[...] == 3).any()


def test_names_of_the_framework_in_texts() -> None:
    done = convert(HEADER + 'Adam, found = optional_import("torch.optim", name="Adam")\nx = torch.ones(1)\n')
    assert [(d.code, d.severity) for d in done.diagnostics if "texts" in d.message] == [("SW1001", "warning")]
    assert 'optional_import("torch.optim", name="Adam")' in done.code

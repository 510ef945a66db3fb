"""From torch source and weights to converted source and migrated weights: all tensors found, same outputs."""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.weights.support import load, read_st

from ml_switcheroo import convert
from ml_switcheroo.weights import gen_weight_script

torch = pytest.importorskip("torch")
nnx = pytest.importorskip("flax.nnx")

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "from collections import OrderedDict\nimport torch\nfrom torch import nn\nimport torch.nn.functional as F\n\n"

MODELS = {
    "containers": """
class Block(nn.Sequential):
    def __init__(self, a, b):
        super().__init__(nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU())

class Blocks(nn.ModuleList):
    def __init__(self, n):
        super().__init__([Block(4, 4) for _ in range(n)])

class Net(nn.Module):
    def __init__(self, depth=11):
        super().__init__()
        self.stem = nn.Sequential(OrderedDict([("conv", nn.Conv2d(3, 4, 1)), ("act", nn.ReLU())]))
        self.tail = nn.Sequential()
        for i in range(2):
            self.tail.add_module("unit%d" % i, Block(4, 4))
        self.blocks = Blocks(depth)
        self.heads = nn.ModuleDict({"a": nn.Linear(4, 2), "b": nn.Linear(4, 3, bias=False)})
        for i in range(2):
            setattr(self, f"extra{i}", nn.Linear(4, 4))

    def forward(self, x):
        x = self.tail(self.stem(x))
        for block in self.blocks:
            x = block(x)
        x = self.extra1(self.extra0(x.mean((2, 3))))
        return self.heads["a"](x).sum() + self.heads["b"](x).sum()
""",
    "tensors": """
class Norm(nn.LayerNorm):
    def forward(self, x):
        return super().forward(x) * 2

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch = nn.Conv1d(3, 6, 2, stride=2)
        self.up = nn.ConvTranspose2d(6, 4, 2, stride=2)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, 6))
        self.table = nn.Embedding(7, 6)
        self.norm = Norm(6)
        self.register_buffer("index", torch.arange(5), persistent=False)
        self.register_buffer("scale", torch.full((6,), 3.0))
        self.layer = nn.ParameterList([nn.Parameter(torch.ones(6)) for _ in range(2)])

    def forward(self, x):
        y = self.patch(x.flatten(2)).transpose(1, 2)
        y = torch.cat([self.cls_token.expand(y.shape[0], -1, -1), y], 1)
        y = self.norm(y)[:, :5] * self.scale + self.table(self.index) * self.layer[0] + self.layer[1]
        return self.up(y.transpose(1, 2)[..., None]).sum((2, 3))
""",
    "sequences": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(3, 4, num_layers=2, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(8, 4, batch_first=True)
        self.attn = nn.MultiheadAttention(4, 2, batch_first=True)
        self.enc = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), 2)

    def forward(self, x):
        y, _ = self.rnn(x.flatten(2).transpose(1, 2))
        y, _ = self.gru(y)
        z, _ = self.attn(y, y, y)
        return self.enc(z)
""",
    "tied": """
class Body(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4, bias=False)
        self.b = nn.Linear(4, 4)
        self.b.weight = self.a.weight

    def forward(self, x):
        return self.b(self.a(x))

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.shared = nn.Linear(3, 4)
        self.first = self.shared
        self.body = Body()

    def forward(self, x):
        return self.body(self.shared(x.mean((2, 3))) + self.first(x.mean((2, 3))))
""",
    "language": """
class Lm(nn.Module):
    def __init__(self, tie, back=False):
        super().__init__()
        self.wte = nn.Embedding(5, 4)
        self.lm_head = nn.Linear(4, 5, bias=back)
        if tie:
            self.lm_head.weight = self.wte.weight
        if back:
            self.wte.weight = self.lm_head.weight

    def forward(self, x):
        return self.lm_head(self.wte(x))

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.tied, self.free, self.back = Lm(True), Lm(False), Lm(False, True)

    def forward(self, x):
        x = x.sum((1, 2)).abs().long() % 5
        return self.tied(x) + self.free(x) + self.back(x)
""",
    "computed": """
from torch.nn.utils import spectral_norm, weight_norm
from torch.nn.utils.parametrizations import spectral_norm as spectral, weight_norm as weight

class Net(nn.Module):
    def __init__(self, norm=weight_norm):
        super().__init__()
        self.a = weight_norm(nn.Conv2d(3, 4, 3, padding=1))
        self.b = weight(nn.ConvTranspose2d(4, 6, 2), dim=1)
        self.c = spectral_norm(nn.Conv2d(6, 4, 1))
        self.d = spectral(nn.ConvTranspose2d(4, 6, 2, bias=False))
        self.e = weight_norm(nn.Linear(6, 5), dim=None)
        self.f = nn.ModuleList([norm(nn.Linear(5, 5)), spectral_norm(nn.Linear(5, 5))])

    def forward(self, x):
        x = self.d(self.c(self.b(self.a(x)))).mean((2, 3))
        return self.f[1](self.f[0](self.e(x))) * self.a.weight.mean()
""",
    "factories": """
def conv(a, b, layer=nn.Conv2d, norm=None):
    norm = norm or nn.BatchNorm2d
    return nn.Sequential(layer(a, b, 3, padding=1), norm(b))

class Residual(nn.Module):
    def __init__(self, fn, skip=None):
        super().__init__()
        self.fn = fn
        self.skip = skip or nn.Identity()

    def forward(self, x):
        return self.fn(x) + self.skip(x)

class Net(nn.Module):
    def __init__(self, act="relu", widths=(4, 5)):
        super().__init__()
        layers, last = [], 3
        for width in widths:
            layers += [Residual(conv(last, width), nn.Conv2d(last, width, 1)), getattr(nn, "ReLU")()]
            last = width
        self.net = nn.Sequential(*layers)
        self.out = None if act is None else nn.PReLU(last)

    def forward(self, x):
        x = self.net(x)
        return x if self.out is None else self.out(x)
""",
}


def run_source(text: str) -> Any:
    """Executes a module's text, with a name under which dataclasses and pickle find it."""
    module = types.ModuleType(f"made_{len(sys.modules)}")
    sys.modules[module.__name__] = module
    exec(compile(text, module.__name__, "exec"), module.__dict__)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_models(tmp_path: Path, name: str) -> None:
    import jax.numpy as jnp

    text = HEADER + MODELS[name]
    done = convert(text, source="torch")
    assert not [str(finding) for finding in done.diagnostics if finding.severity == "error"]
    torch.manual_seed(0)
    source = run_source(text).Net().eval()
    with torch.no_grad():
        for value in source.state_dict().values():
            if value.is_floating_point():
                value += 0.1 * torch.rand(value.shape)
    torch.save(source.state_dict(), tmp_path / "in.pth")
    ran = load(gen_weight_script(text).code, tmp_path).run(tmp_path / "in.pth", tmp_path / "out.safetensors")
    assert ran.code == 0, ran.err
    model = run_source(done.code).Net(rngs=nnx.Rngs(0))
    model.eval()
    state = nnx.state(model)
    flat = {".".join(map(str, path)): leaf for path, leaf in nnx.to_flat_state(state)}
    flat = {path: leaf for path, leaf in flat.items() if not isinstance(leaf, nnx.RngState)}
    found = read_st(tmp_path / "out.safetensors")
    assert set(found) == set(flat)
    for path, leaf in flat.items():
        assert leaf[...].shape == found[path].shape, path
        leaf[...] = jnp.asarray(found[path])
    nnx.update(model, state)
    x = torch.randn(2, 3, 4, 4)
    np.testing.assert_allclose(model(jnp.asarray(x.numpy())), source(x).detach().numpy(), rtol=2e-5, atol=2e-5)

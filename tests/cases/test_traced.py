"""What the conversion makes fit for tracing computes the same as the source: eagerly, compiled, and in gradients."""

from __future__ import annotations

import types
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
jax = pytest.importorskip("jax")
nnx = pytest.importorskip("flax.nnx")

from ml_switcheroo import convert  # noqa: E402

HEAD = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n\n"

MODELS = {
    "choices": """
class Net(nn.Module):
    def __init__(self, safe=True):
        super().__init__()
        self.safe = safe

    def forward(self, x, v):
        if x.sum() > 0:
            x = x * 2
        if self.safe and x.mean() > 0 and not (x > 1).all():
            limit = torch.finfo(x.dtype).max - 1000
            x = x.clamp(min=-limit, max=0.5)
        if x.abs().max() > 3:
            x = x + 1
        else:
            x = -x
        return x * v.sum()
""",
    "checks": """
def is_sorted(t):
    for i in range(len(t) - 1):
        if t[i] > t[i + 1]:
            return False
    return True


class Net(nn.Module):
    def forward(self, x, v):
        if not x.isfinite().all() or x.dim() != 2:
            raise ValueError(f"infinite: {x.max().item()}")
        elif not is_sorted(v):
            print("not sorted")
        else:
            x = x + 1
        if v.isfinite().all():
            x = x * 2
        else:
            raise ValueError("infinite")
        assert not torch.isnan(x).any(), "nan"
        return x * v
""",
    "masked writes": """
class Net(nn.Module):
    def forward(self, x, v):
        y = x * 1
        y[y > 1] = 0
        y[v[:4].abs() > 0.5] = v
        y[y < -1] += 1.5
        y[:, v > 0] *= 2
        y[v[:4] > 0.2, :] = 4
        z = y * v
        keep = z.abs() > 0.3
        z[keep] = y[keep]
        z[0] = z[0] * 2
        z[1][v > 0] = 3.0
        return z
""",
    "masked writes by a name": """
class Net(nn.Module):
    def forward(self, x, v):
        return self.fill(x, x > 0, v > 0)

    def fill(self, x, mask, col_mask):
        x = x * 2
        x[mask] = -1.0
        x[:, col_mask] -= 2
        return x
""",
    "masks": """
class Net(nn.Module):
    def unrelated(self, n):
        mask = torch.ones((n, n), dtype=torch.bool)
        mask.fill_diagonal_(0)
        for i in range(n // 2):
            mask[i, n // 2 + i] = 0
        return mask

    def forward(self, x, v):
        n = x.shape[0]
        close = x @ x.t()
        same = torch.eye(n, dtype=torch.bool, device=x.device)
        others = close[~same].view(n, -1)
        mask = self.unrelated(n)
        upper = close[torch.triu(torch.ones(n, n), 1).bool()]
        return others.sum(1) * v.sum() + close[mask].sum() + upper.mean()
""",
    "kept": """
class Net(nn.Module):
    def forward(self, x, v):
        loss = F.mse_loss(x, v.expand_as(x))
        stats = {"loss": loss.item(), "first": x[:1, :1].item() / 2}
        stats.update(total=float(v.detach().sum()))
        stats["both"] = loss.detach().cpu().item() + loss.item()
        return x * stats["loss"] + stats["first"] + stats["total"] * v + stats["both"]
""",
}


def module(text: str) -> dict[str, Any]:
    made = types.ModuleType("case")
    exec(compile(text, "case", "exec"), made.__dict__)
    return made.__dict__


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", MODELS)
def test_model(name: str, seed: int, compiled: bool) -> None:
    done = convert(HEAD + MODELS[name], source="torch", target="jax")
    assert done.ok, done.diagnostics
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(shape, dtype=np.float32) * (seed + 1) for shape in ((4, 5), (5,))]
    if name == "checks" and seed % 2:
        arrays[1].sort()
        if compiled:
            return  # what a check finds changes nothing there: see below
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    wanted = module(HEAD + MODELS[name])["Net"]()(*tensors)
    weight = rng.standard_normal(wanted.shape, dtype=np.float32)
    (wanted * torch.tensor(weight)).sum().backward()

    model = module(done.code)["Net"](rngs=nnx.Rngs(0))
    run = nnx.jit(lambda model, *xs: model(*xs)) if compiled else lambda model, *xs: model(*xs)
    if name == "checks" and compiled:
        wanted = wanted + 2 * tensors[1]  # untold whether v is sorted, the model takes the way without complaint
    np.testing.assert_allclose(run(model, *arrays), wanted.detach().numpy(), rtol=1e-5, atol=1e-5)
    if name == "checks":
        return
    found = jax.grad(lambda *xs: (run(model, *xs) * weight).sum(), argnums=(0, 1))(*map(jax.numpy.asarray, arrays))
    for got, tensor in zip(found, tensors, strict=True):
        wanted_gradient = np.zeros(tensor.shape) if tensor.grad is None else tensor.grad.numpy()
        np.testing.assert_allclose(got, wanted_gradient, rtol=1e-4, atol=1e-4)


def test_checks_complain_eagerly_only() -> None:
    done = convert(HEAD + MODELS["checks"], source="torch", target="jax")
    model = module(done.code)["Net"](rngs=nnx.Rngs(0))
    x, v = np.ones((4, 5), np.float32), np.ones(5, np.float32)
    x[0, 0] = np.inf
    with pytest.raises(ValueError, match="infinite: inf"):
        model(jax.numpy.asarray(x), jax.numpy.asarray(v))
    nnx.jit(lambda model, *xs: model(*xs))(model, x, v)

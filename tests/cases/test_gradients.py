"""Functions with a backward pass of their own: values and gradients are those of the source."""

from __future__ import annotations

import types
from typing import Any

import numpy as np
import pytest

from ml_switcheroo import convert

torch = pytest.importorskip("torch")
jax = pytest.importorskip("jax")

HEAD = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n"

# a function f of arrays, and the shapes of its arguments
SOURCES: dict[str, tuple[str, list[tuple[int, ...]]]] = {
    "blocks without gradients": (
        """
from contextlib import nullcontext

def pair(x, y):
    return x * y, [x + y, {"b": x, "a": y * 2}]

def f(x, y):
    outs = []
    with torch.no_grad():
        a, rest = pair(x, y)
        outs.append(x * x)
        with torch.enable_grad():
            b = x * 3
    for step in range(3):
        context = nullcontext if step == 1 else torch.no_grad
        with context():
            b, c = b * x, pair(x, y)[1][1]["a"]
            b = b + y if step else b
    with torch.set_grad_enabled(False):
        d = y.exp()
    return a * x + rest[0] * y + rest[1]["a"] + outs[0] * x + b + c + d * x
""",
        [(2, 3), (2, 3)],
    ),
    "angles of what is zero": (
        """
def f(x, y):
    z = torch.view_as_complex(torch.stack([x - x, y - y], -1))
    return torch.angle(z) + torch.atan2(x * 0, y - y) + torch.atan2(x, y)
""",
        [(2, 3), (2, 3)],
    ),
    "a wrong gradient stays as wrong as it was": (
        """
class Clipped(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.sqrt(x.abs())

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad / torch.sqrt(torch.clip(4.0 * x, min=1e-2))

def f(x):
    return Clipped.apply(x)
""",
        [(2, 3)],
    ),
    "constants, None and the context's own attributes": (
        """
def halves(ctx, x):
    ctx.shape = x.shape
    ctx.factors = (x * 2, 3.0)
    return x * 0.5

class Mixed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, mask, dim, scale=2.0):
        ctx.dim, ctx.scale = dim, scale
        if scale > 1:
            ctx.save_for_backward(halves(ctx, x), None)
        return x.softmax(dim) * scale + mask

    @staticmethod
    def backward(ctx, grad):
        x, nothing = ctx.saved_tensors
        assert nothing is None and x.shape == ctx.shape and isinstance(ctx.dim, int)
        assert ctx.needs_input_grad[0] and not ctx.needs_input_grad[2]
        return grad * ctx.scale + x + ctx.factors[0], grad.sum(ctx.dim, keepdim=True), None

def f(x, y):
    return Mixed.apply(x, y, -1)
""",
        [(2, 3), (2, 1)],
    ),
    "several results, one of them without gradient": (
        """
class Top(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        values, indices = x.max(dim=1)
        doubled = values * 2
        ctx.mark_non_differentiable(indices, doubled)
        ctx.save_for_backward(x, indices)
        return values, indices, doubled

    @staticmethod
    def backward(ctx, grad, nothing, zero):
        x, indices = ctx.saved_tensors
        return F.one_hot(indices, x.shape[1]) * (grad + zero).unsqueeze(1)

def f(x):
    values, indices, doubled = Top.apply(x)
    return values * indices + doubled * values
""",
        [(4, 3)],
    ),
    "a broadcast gradient is summed": (
        """
class Shift(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, bias):
        return x + bias

    @staticmethod
    def backward(ctx, grad):
        return grad, grad

def f(x, bias):
    return Shift.apply(x, bias) ** 2
""",
        [(4, 3), (3,)],
    ),
    "the context is set up apart": (
        """
class Cube(torch.autograd.Function):
    @staticmethod
    def forward(x, n):
        return x ** n

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.n = inputs
        ctx.save_for_backward(x, output)

    @staticmethod
    def backward(ctx, grad):
        x, output = ctx.saved_tensors
        return grad * ctx.n * output / x, None

def f(x):
    return Cube.apply(x, 3)
""",
        [(4, 3)],
    ),
    "one function calls another": (
        """
class Double(torch.autograd.Function):
    @classmethod
    def forward(cls, ctx, x):
        return x * 2

    @classmethod
    def backward(cls, ctx, grad):
        return grad * 5

class Outer(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return Double.apply(x) ** 2

    @staticmethod
    def backward(ctx, grad):
        return Double.apply(grad) * ctx.saved_tensors[0]

def f(x):
    return Outer.apply(Double.apply(x))
""",
        [(4, 3)],
    ),
    "reading softmax's own gradient": (
        """
class Softmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, dim):
        ctx.dim = dim
        y = x.softmax(dim)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, grad):
        (y,) = ctx.saved_tensors
        return torch._softmax_backward_data(grad, y, ctx.dim, y.dtype), None

def f(x):
    return Softmax.apply(x, -1) ** 3
""",
        [(4, 3)],
    ),
}


def module(text: str) -> dict[str, Any]:
    made = types.ModuleType("case")
    exec(compile(text, "case", "exec"), made.__dict__)
    return made.__dict__


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", SOURCES)
def test_gradients(name: str, compiled: bool) -> None:
    text, shapes = SOURCES[name]
    done = convert(HEAD + text, source="torch", target="jax")
    assert not done.diagnostics
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape, dtype=np.float32) for shape in shapes]
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    wanted = module(HEAD + text)["f"](*tensors)
    weight = rng.standard_normal(wanted.shape, dtype=np.float32)
    (wanted * torch.tensor(weight)).sum().backward()

    f = module(done.code)["f"]
    f = jax.jit(f) if compiled else f
    np.testing.assert_allclose(f(*arrays), wanted.detach().numpy(), rtol=1e-5, atol=1e-6)
    gradients = jax.grad(lambda *xs: (f(*xs) * weight).sum(), argnums=tuple(range(len(arrays))))(
        *map(jax.numpy.asarray, arrays)
    )
    for got, tensor in zip(gradients, tensors, strict=True):
        np.testing.assert_allclose(got, tensor.grad.numpy(), rtol=1e-5, atol=1e-6)

"""Optimizers take the steps that torch's take: every option that is mapped, written out and through the class as a value."""

from __future__ import annotations

import types
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
jnp = pytest.importorskip("jax.numpy")
pytest.importorskip("optax")

from flax import nnx  # noqa: E402

from ml_switcheroo import convert  # noqa: E402

CALLS = """
    SGD(lr=0.1)
    SGD(lr=0.1, momentum=0.9)
    SGD(lr=0.1, momentum=0.9, nesterov=True)
    SGD(lr=0.1, weight_decay=0.1)
    SGD(lr=0.1, momentum=0.9, weight_decay=0.1, nesterov=True)
    Adam()
    Adam(lr=0.1, betas=(0.8, 0.9), eps=1e-4)
    Adam(lr=0.1, weight_decay=0.1)
    Adam(lr=0.1, weight_decay=0.1, decoupled_weight_decay=True)
    AdamW(lr=0.1)
    AdamW(lr=0.1, betas=(0.8, 0.9), eps=1e-4, weight_decay=0)
    RMSprop()
    RMSprop(lr=0.1, alpha=0.9, eps=1e-3, centered=True)
    RMSprop(lr=0.1, momentum=0.9)
    RMSprop(lr=0.1, momentum=0.9, centered=True, weight_decay=0.1)
    Adagrad()
    Adagrad(lr=0.1, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.1, eps=1e-3)
    Adadelta()
    Adadelta(lr=0.5, rho=0.8, eps=1e-4, weight_decay=0.1)
    Adamax()
    Adamax(lr=0.1, betas=(0.8, 0.9), eps=1e-4, weight_decay=0.1)
    NAdam()
    NAdam(lr=0.1, betas=(0.8, 0.9), eps=1e-4, weight_decay=0.1, momentum_decay=0.1)
    NAdam(lr=0.1, weight_decay=0.1, decoupled_weight_decay=True)
    RAdam()
    RAdam(lr=0.1, betas=(0.8, 0.9), eps=1e-4, weight_decay=0.1)
    RAdam(lr=0.1, weight_decay=0.1, decoupled_weight_decay=True)
"""
SCALES = (1, 1e-3, 10, 1e-6, 1, 0.1, 1e-5, 3, 1, 1)  # of the gradients: large steps, and those that eps decides


class Net(nnx.Module):  # type: ignore[misc]
    def __init__(self, w: np.ndarray) -> None:
        self.w = nnx.Param(jnp.asarray(w))


def made(text: str) -> Any:
    """The function `make` of a converted text."""
    done = convert(f"import torch\nfrom torch import nn\n\n\ndef make(model: nn.Module):\n{text}", source="torch")
    assert not done.diagnostics, done.diagnostics
    module = types.ModuleType("case")
    exec(compile(done.code, "case", "exec"), module.__dict__)
    return module.__dict__["make"]


@pytest.mark.parametrize("as_value", [False, True], ids=["call", "value"])
@pytest.mark.parametrize("call", [line.strip() for line in CALLS.strip().splitlines()])
def test_the_same_steps(call: str, as_value: bool) -> None:
    name, _, options = call.partition("(")
    rng = np.random.default_rng(0)
    start = rng.standard_normal((4, 3), dtype=np.float32)
    gradients = [rng.standard_normal((4, 3), dtype=np.float32) * np.float32(scale) for scale in SCALES]

    parameter = torch.nn.Parameter(torch.tensor(start))
    optimizer = eval(f"torch.optim.{name}([parameter], {options}", {"torch": torch, "parameter": parameter})
    model = Net(start)
    if as_value:
        lines = f"    kinds = {{'it': torch.optim.{name}, 'sgd': torch.optim.SGD}}\n"
        make = made(f"{lines}    return kinds['it'](model.parameters(), {options}\n")
    else:
        make = made(f"    return torch.optim.{name}(model.parameters(), {options}\n")
    converted = make(model)
    for gradient in gradients:
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
        converted.update(model, nnx.State({"w": nnx.Param(jnp.asarray(gradient))}))
        # float32 powers of the betas near 1 differ in their last digits: 1 - 0.999 ** n loses four of them
        np.testing.assert_allclose(model.w[...], parameter.detach().numpy(), rtol=1e-4, atol=1e-5)

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


SCHEDULES = """
    LambdaLR(lambda t: 3 / max(t / 2, 1.0))
    StepLR(3)
    StepLR(2, gamma=0.5)
    MultiStepLR([1, 4, 5], gamma=0.3)
    ExponentialLR(0.7)
    ConstantLR()
    ConstantLR(factor=0.2, total_iters=3)
    LinearLR()
    LinearLR(start_factor=0.1, end_factor=0.6, total_iters=4)
    CosineAnnealingLR(6)
    PolynomialLR()
    PolynomialLR(total_iters=4, power=2.0)
    MultiplicativeLR(lambda n: 0.9 if n < 4 else 0.5)
    CosineAnnealingWarmRestarts(3)
    CosineAnnealingWarmRestarts(2, T_mult=2)
    CosineAnnealingLR(T_max=4, eta_min=0)
"""
SCHEDULED = """
    SGD(lr=0.1, momentum=0.9)
    AdamW(lr=0.1)
    RMSprop(lr=0.1, momentum=0.9)
    Adadelta(lr=0.5)
"""


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@pytest.mark.parametrize("call", [line.strip() for line in SCHEDULED.strip().splitlines()])
@pytest.mark.parametrize("schedule", [line.strip() for line in SCHEDULES.strip().splitlines()])
def test_the_same_steps_with_a_schedule(schedule: str, call: str, compiled: bool) -> None:
    if compiled and call.startswith(("RMSprop", "Adadelta")):
        pytest.skip("nothing of its own")
    name, _, options = call.partition("(")
    kind, _, settings = schedule.partition("(")
    rng = np.random.default_rng(0)
    start = rng.standard_normal((4, 3), dtype=np.float32)

    parameter = torch.nn.Parameter(torch.tensor(start))
    optimizer = eval(f"torch.optim.{name}([parameter], {options}", {"torch": torch, "parameter": parameter})
    theirs = eval(f"torch.optim.lr_scheduler.{kind}(optimizer, {settings}", {"torch": torch, "optimizer": optimizer})
    model = Net(start)
    lines = f"    optimizer = torch.optim.{name}(model.parameters(), {options}\n"
    lines += f"    return optimizer, torch.optim.lr_scheduler.{kind}(optimizer, {settings}\n"
    converted, ours = made(lines)(model)
    update = nnx.jit(nnx.Optimizer.update) if compiled else nnx.Optimizer.update
    for _ in range(10):
        gradient = rng.standard_normal((4, 3), dtype=np.float32)
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
        theirs.step()
        update(converted, model, nnx.State({"w": nnx.Param(jnp.asarray(gradient))}))
        ours.step()
        np.testing.assert_allclose(model.w[...], parameter.detach().numpy(), rtol=1e-4, atol=1e-5)
        rate = optimizer.defaults["lr"] * float(ours.scale[...])
        np.testing.assert_allclose(rate, theirs.get_last_lr()[0], rtol=1e-5, atol=1e-8)

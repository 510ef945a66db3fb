"""Runs a PyTorch model: its checkpoint, outputs, gradients and losses are what the converted model must reproduce."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .common import STEP_SIZE, STEPS, Worker, cotangents, flatten, is_float, run, to_numpy, zero_rates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

Tensors = dict[str, torch.Tensor]

ATTEMPTS = 4  # each with a tenth of the step of the one before
RUNAWAY = 20.0  # a loss of so many times the first one


def main(worker: Worker) -> None:
    """All steps of the source side."""
    warnings.simplefilter("ignore")
    job = worker.job
    torch.set_num_threads(int(job.get("threads", 1)))
    with worker.step("imports"):
        module = worker.import_model()
    with worker.step("builds") as line:
        torch.manual_seed(job["seed"])
        model = eval(job["build"], dict(vars(module)))
        if not isinstance(model, torch.nn.Module):
            raise TypeError(f"the build expression gives {type(model).__name__}, not a torch.nn.Module")
        line["parameters"] = sum(p.numel() for p in model.parameters())
        line["tensors"] = len(model.state_dict())
    if "checkpoint" in job:
        model.load_state_dict(torch.load(job["checkpoint"], weights_only=False))
    if job.get("double"):
        _widen(model, job.get("noise", 0.0), job["seed"])
    args, kwargs = worker.arguments(_tensor)
    if job.get("trace"):
        _trace(worker, model, args, kwargs)
        return
    if not job.get("double"):
        _vary(model, job["seed"])
        torch.save(model.state_dict(), worker.folder / "checkpoint.pth")
    with worker.step("forward"):
        model.eval()
        with torch.no_grad():
            result = model(*args, **kwargs)
        outputs = flatten(result)
        if not outputs:
            raise TypeError("the model returns no tensor")
        worker.save("forward.npz", flatten(result, numbers=True))
    weights = cotangents(outputs, job["seed"])
    worker.save("cotangents.npz", weights)
    if not weights:
        return
    with worker.step("gradients"):
        model.train().eval()  # some keep what they computed without gradients until the mode changes
        _gradients(worker, model, args, kwargs, weights)
    with worker.step("training") as line:
        line |= _training(worker, model, args, kwargs)


def _tensor(array: NDArray[Any]) -> torch.Tensor:
    tensor = torch.from_numpy(array.copy())
    return tensor.to(torch.get_default_dtype()) if tensor.is_floating_point() else tensor


def _widen(model: torch.nn.Module, noise: float, seed: int) -> None:
    """Go on in double precision: all values stay, but for noise of this share in the parameters."""
    torch.set_default_dtype(torch.float64)
    for name, wide in {"float": "float64", "float32": "float64", "cfloat": "cdouble", "complex64": "cdouble"}.items():
        setattr(torch, name, getattr(torch, wide))  # what the code of the model names single precision, too
    setattr(torch.Tensor, "float", torch.Tensor.double)  # noqa: B010 (a method that is typed as one)
    for tensor in [*model.parameters(), *model.buffers()]:
        if tensor.is_floating_point() or tensor.is_complex():
            tensor.data = tensor.data.to(torch.complex128 if tensor.is_complex() else torch.float64)
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters() if noise else ():
        parameter.data *= 1 + noise * torch.randn(parameter.shape, generator=generator)


def _real(value: torch.Tensor) -> torch.Tensor:
    value = value.real + value.imag if value.is_complex() else value
    return value.to(torch.get_default_dtype())


def _vary(model: torch.nn.Module, seed: int) -> None:
    """Move away from the initial values, as training would: branches that start at zero prove nothing."""
    generator = torch.Generator().manual_seed(seed)
    seen: set[int] = set()
    with torch.no_grad():
        for _, parameter in model.named_parameters():
            if parameter.is_floating_point() and id(parameter) not in seen:
                seen.add(id(parameter))
                parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator).to(parameter.dtype))
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.add_(0.1 * torch.randn(buffer.shape, generator=generator))
            elif name.endswith("running_var"):
                buffer.mul_(torch.exp(0.2 * torch.randn(buffer.shape, generator=generator)))


def _reduce(outputs: Mapping[str, Any], weights: Mapping[str, NDArray[Any]]) -> torch.Tensor:
    """The loss of the gradient step: the outputs times fixed random numbers."""
    total = torch.zeros(())
    for name, weight in weights.items():
        total = total + (_real(outputs[name]) * torch.from_numpy(weight)).sum() / max(weight.size, 1) ** 0.5
    return total


def _gradients(
    worker: Worker, model: torch.nn.Module, args: Any, kwargs: Any, weights: dict[str, NDArray[Any]]
) -> None:
    """Save the gradients as if they were a checkpoint: the migration script then maps them to the target's paths."""
    model.zero_grad(set_to_none=True)
    before = {name: value.clone() for name, value in model.state_dict().items() if torch.is_tensor(value)}
    loss = _reduce(flatten(model(*args, **kwargs)), weights)
    if loss.requires_grad:  # else nothing of the model is trained
        loss.backward()
    named = {n: p.grad for n, p in model.named_parameters(remove_duplicate=False)}
    found = {
        n: named[n] if named.get(n) is not None else torch.zeros_like(v) if n in named else v for n, v in before.items()
    }
    torch.save(found, worker.folder / "gradients.pth")
    model.zero_grad(set_to_none=True)


def training_loss(outputs: Mapping[str, Any], weights: Mapping[str, NDArray[Any]]) -> torch.Tensor:
    """A loss with a minimum: a random linear part and a square."""
    total = torch.zeros(())
    for name, weight in weights.items():
        value = _real(outputs[name])
        total = total + (value * torch.from_numpy(weight)).mean() + 0.5 * value.square().mean()
    return total


def _training(worker: Worker, model: torch.nn.Module, args: Any, kwargs: Any) -> dict[str, Any]:
    """A few steps of gradient descent, as large as the model bears: a loss that runs away shows rounding only."""
    start = {name: value.clone() for name, value in model.state_dict().items() if torch.is_tensor(value)}
    for attempt in range(ATTEMPTS):
        done = _steps(worker, model, args, kwargs, STEP_SIZE * 0.1**attempt)
        losses = np.abs(done["losses"])
        if bool(np.isfinite(losses).all()) and losses.max() <= RUNAWAY * max(losses[0], 1.0):
            break
        model.load_state_dict(start, strict=False)
    return done


def _steps(worker: Worker, model: torch.nn.Module, args: Any, kwargs: Any, size: float) -> dict[str, Any]:
    """Gradient descent without dropout, and the loss in evaluation mode afterwards."""
    for child in model.modules():
        zero_rates(child)
    model.train(bool(worker.job["train"]))
    seed, losses, rate, scale = worker.job["seed"], [], 0.0, 0.0
    weights: dict[str, NDArray[Any]] = {}
    for step in range(STEPS + 1):
        if step == STEPS:
            model.eval()
        outputs = flatten(model(*args, **kwargs))
        if not step:
            weights = cotangents(outputs, seed)
            worker.save("training_weights.npz", weights)
        loss = training_loss(outputs, weights if step < STEPS else cotangents(outputs, seed))
        losses.append(float(loss))
        if step == STEPS:
            break
        model.zero_grad(set_to_none=True)
        if loss.requires_grad:
            loss.backward()
        with torch.no_grad():
            moved = [p for p in model.parameters() if p.grad is not None]
            if not step:
                rate = size * _norm(moved) / max(_norm([p.grad for p in moved]), 1e-12)
                scale = sum(float(np.abs(to_numpy(o)).mean()) for o in outputs.values() if is_float(o))
            for parameter in moved:
                parameter -= rate * parameter.grad
    torch.save(model.state_dict(), worker.folder / "trained.pth")
    return {"losses": losses, "rate": rate, "scale": scale}


def _norm(tensors: list[Any]) -> float:
    return math.sqrt(sum(float(t.detach().abs().double().square().sum()) for t in tensors))


def _trace(worker: Worker, model: torch.nn.Module, args: Any, kwargs: Any) -> None:
    """Save what each submodule returns at its first call, in the order in which they finish."""
    seen: dict[str, Tensors] = {}

    def keep(name: str) -> Any:
        def hook(_module: Any, _args: Any, output: Any) -> None:
            seen.setdefault(name, {n: v.detach().clone() for n, v in flatten(output).items()})

        return hook

    for name, child in model.named_modules():
        child.register_forward_hook(keep(name))
    with worker.step("trace") as line, torch.no_grad():
        model.eval()(*args, **kwargs)
        line["order"] = list(seen)
        worker.save("trace.npz", {f"{n}|{k}": v for n, outs in seen.items() for k, v in outs.items()})


if __name__ == "__main__":
    run(main)

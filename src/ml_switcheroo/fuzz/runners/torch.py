"""PyTorch: the source side."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import torch

from ..worker import leaves, map_arrays, mixers

torch.set_num_threads(1)
# What it says of dtypes that it has no kernel for, where another framework is the source.
LACKS = re.compile(
    r"not implemented for '|does not support bool|could not infer output dtype|only support(s)? float|"
    r"Expected.*(floating|float)|must be floating|not supported (for|on) (bool|Bool)|expected scalar type"
)
NO_GRADIENT = re.compile(
    r"derivative for|derivative of|is not differentiable|modified by an inplace operation|does not require grad|"
    r"Autograd not support"
)


def run(function: Any, given: dict[str, Any], job: dict[str, Any]) -> dict[str, Any]:
    """Call a function or a module; outputs, and the gradients of its floating inputs."""
    try:
        return _run(function, given, job)
    except RuntimeError as error:
        if not job["gradients"] or not NO_GRADIENT.search(str(error)):
            raise
        return _run(function, given, job | {"gradients": False})
    finally:  # of what is chosen for the whole program the next call must not know
        torch.set_autocast_enabled("cpu", False)
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(True)
        torch.use_deterministic_algorithms(False)
        torch.autograd.set_detect_anomaly(False)


def _run(function: Any, given: dict[str, Any], job: dict[str, Any]) -> dict[str, Any]:
    arguments = {name: map_arrays(value, _tensor) for name, value in given.items()}
    floats = _floats(arguments) if job["gradients"] else {}
    for tensor in floats.values():
        tensor.requires_grad_()
    parameters: dict[str, Any] = {}
    if isinstance(function, type):
        model = function()
        if any(torch.nn.parameter.is_lazy(tensor) for tensor in (*model.parameters(), *model.buffers())):
            with torch.no_grad():
                model.eval()(**arguments)
        _vary(model)
        if job["weights"]:
            _save(model.state_dict(), job["weights"])
        model.train(job["train"])
        parameters = dict(model.named_parameters(remove_duplicate=False))
        function = model
    torch.manual_seed(0)
    found, plain = leaves(function(**arguments), lambda value: isinstance(value, (torch.Tensor, np.ndarray)))
    found = {name: torch.as_tensor(value) for name, value in found.items()}
    outcome: dict[str, Any] = {
        "outputs": {name: _numpy(value) for name, value in found.items()},
        "plain": plain,
        "dtypes": {name: str(value.dtype).removeprefix("torch.") for name, value in found.items()},
    }
    if job["gradients"]:
        outcome["gradients"] = _gradients(found, floats, parameters, function, job)
    if job.get("after") and job["train"]:
        _save(function.state_dict(), job["after"])
    return outcome


def _gradients(found: Any, floats: Any, parameters: Any, function: Any, job: Any) -> dict[str, Any]:
    smooth = {n: v for n, v in found.items() if (v.is_floating_point() or v.is_complex()) and v.requires_grad}
    if not smooth:
        return {}
    weights = mixers(smooth)
    total: Any = 0
    for name, value in smooth.items():
        value = value.real + value.imag if value.is_complex() else value
        total = total + (value.float() * torch.from_numpy(weights[name])).sum()
    wanted = {**floats, **parameters}
    grads = torch.autograd.grad(total, list(wanted.values()), allow_unused=True)
    named = {n: torch.zeros_like(t) if g is None else g for (n, t), g in zip(wanted.items(), grads, strict=True)}
    if job.get("moved"):
        _save({n: named.get(n, v) for n, v in function.state_dict().items()}, job["moved"])
    return {name: _numpy(named[name]) for name in floats}


def _tensor(array: Any, recipe: Any) -> Any:
    tensor = torch.from_numpy(np.ascontiguousarray(array)) if array.ndim else torch.tensor(array[()])
    tensor = tensor.reshape(array.shape)
    return tensor.bfloat16() if recipe.dtype == "bfloat16" else tensor


def _floats(arguments: dict[str, Any]) -> dict[str, Any]:
    found, _ = leaves(arguments, torch.is_tensor)
    return {name: t for name, t in found.items() if t.is_floating_point()}


def _numpy(tensor: Any) -> Any:
    tensor = tensor.detach().resolve_conj().resolve_neg()
    if tensor.is_sparse or tensor.is_quantized:
        raise TypeError("a tensor that is not dense")
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def _vary(model: Any) -> None:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                noise = torch.rand(tensor.shape, generator=generator).to(tensor.dtype)
                tensor.copy_(0.5 + noise if name.endswith("running_var") else tensor + 0.3 * (noise - 0.5))


def _save(state: Any, path: str) -> None:
    from safetensors.torch import save_file

    if not state:
        return
    save_file({name: value.detach().clone().contiguous() for name, value in state.items()}, path)

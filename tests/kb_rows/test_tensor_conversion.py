"""Tensor rows at work in whole conversions: what the analysis and the passes make of them."""

from __future__ import annotations

import pytest

import ml_switcheroo

# Statements of a forward method, and what becomes of them.
# fmt: off
CASES = {
    "i = x.topk(2, dim=-1).indices\nreturn x.gather(-1, i)":
        "i = topk_with_index(x, 2, dim=-1).indices\nreturn gather_along(x, -1, i)",
    "r = torch.max(x, 1)\nreturn r.values.gather(-1, r.indices)":
        "r = max_with_index(x, 1)\nreturn gather_along(r.values, -1, r.indices)",
    "return x.sum(axis=1, keepdims=True)": "return jnp.sum(x, axis=1, keepdims=True)",
    "return x.max(axis=0, keepdims=True).values": "return max_with_index(x, dim=0, keepdim=True).values",
    "return torch.zeros(3) if x.device.type == 'cpu' else x":
        "return jnp.zeros((3,)) if jax.default_backend() == 'cpu' else x",
    "return x.shape.numel(), x.size()[1:].numel()": "return math.prod(x.shape), math.prod(x.shape[1:])",
    "return x.dtype.is_floating_point": "return jnp.issubdtype(x.dtype, jnp.floating)",
    "return x.to(device='cuda', dtype=torch.half)": "return x.astype(jnp.float16)",
    "return x.split(1, 1)[1].float()": "return split_by_size(x, 1, 1)[1].astype(jnp.float32)",
    "return [t.sum() for t in x.unbind(1)]": "return [jnp.sum(t) for t in jnp.unstack(x, axis=1)]",
    "b, n = x.size()\nreturn x.view(b, n, -1).permute(0, 2, 1)":
        "b, n = x.shape\nreturn jnp.transpose(x.reshape(b, n, -1), (0, 2, 1))",
    "return x.new_empty((3,)).bernoulli_(0.9)":
        "return bernoulli_like(jnp.zeros((3,), dtype=x.dtype), 0.9, rngs=self.rngs)",
}
# fmt: on
SOURCE = "import torch\nimport torch.nn as nn\n\n\nclass Net(nn.Module):\n    def forward(self, x):\n{body}\n"


def lines(text: str) -> str:
    return "".join(f"        {line}\n" for line in text.splitlines()).rstrip("\n")


@pytest.mark.parametrize("body", CASES)
def test_conversion(body: str) -> None:
    result = ml_switcheroo.convert(SOURCE.format(body=lines(body)), source="torch", target="jax")
    assert not result.diagnostics
    assert lines(CASES[body]) in result.code


def test_a_written_property_is_refused() -> None:
    result = ml_switcheroo.convert(
        SOURCE.format(body=lines("x.requires_grad = False\nreturn x")), source="torch", target="jax"
    )
    assert [one.code for one in result.diagnostics] == ["SW2003"]
    assert "x.requires_grad = False" in result.code

"""How drawn arguments are written in the source framework."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("hypothesis")

from ml_switcheroo import kb
from ml_switcheroo.fuzz.arrays import Recipe
from ml_switcheroo.fuzz.domain import Dtype
from ml_switcheroo.fuzz.spelling import Speller, UnspellableError

KB = kb.load("torch", "jax")
SPELLER = Speller(KB)
X, Y = Recipe((2, 3)), Recipe((2, 3), seed=1)

# op, name in the source, arguments, what `choose` says (0: keywords and tuples), text
TEXTS: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("add", "torch.add", {"x": X, "other": Y, "alpha": 2}, 1, "torch.add(x, other, alpha=2)"),
    ("add", "torch.add", {"x": X, "other": 1}, 0, "torch.add(input=x, other=1)"),
    ("add", "torch.Tensor.add", {"x": X, "other": 0.5}, 1, "x.add(0.5)"),
    ("sum", "torch.Tensor.sum", {"x": X, "dim": (0, 1), "keepdim": True}, 1, "x.sum((0, 1), True)"),
    ("cat", "torch.cat", {"tensors": [X, Y], "dim": 1}, 1, "torch.cat([tensors0, tensors1], 1)"),
    ("zeros", "torch.zeros", {"size": (2, 3), "dtype": Dtype("int32")}, 1, "torch.zeros(2, 3, dtype=torch.int32)"),
    ("zeros", "torch.zeros", {"size": (2, 3)}, 0, "torch.zeros((2, 3))"),
    ("view", "torch.Tensor.view", {"x": X, "shape": (-1,)}, 1, "x.view(-1)"),
]


@pytest.mark.parametrize(("op", "api", "given", "choice", "text"), TEXTS, ids=[t[-1] for t in TEXTS])
def test_calls(op: str, api: str, given: dict[str, Any], choice: int, text: str) -> None:
    hub = KB.hub(op)
    assert hub is not None
    found = []
    for spelling in SPELLER.spellings(op):
        if spelling.row.api == api:
            try:
                found.append(SPELLER.function(hub, spelling, given, lambda _: choice).call)
            except UnspellableError:
                continue
    assert text in found


def test_a_layer_is_a_module_with_that_layer() -> None:
    hub = KB.hub("Linear")
    assert hub is not None
    spelling = SPELLER.spellings("Linear")[0]
    given = {"in_features": 3, "out_features": 2, "bias": False}
    example = SPELLER.layer(hub, spelling, given, {"input": X}, lambda _: 1)
    assert "\n".join(example.text("Net", SPELLER.base, SPELLER.forward)).strip() == (
        "class Net(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.layer = torch.nn.Linear(3, 2, False)\n"
        "\n"
        "    def forward(self, input: torch.Tensor):\n"
        "        return self.layer(input)"
    )

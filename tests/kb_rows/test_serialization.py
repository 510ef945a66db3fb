"""Files that converted programs write and read."""

from __future__ import annotations

import io
import types
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
jnp = pytest.importorskip("jax.numpy")
nnx = pytest.importorskip("flax.nnx")

from ml_switcheroo import convert  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 3)
        self.norm = nn.BatchNorm1d(3)
        self.drop = nn.Dropout(0.5)
        self.optimizer = torch.optim.Adam(self.parameters())

    def forward(self, x):
        return self.drop(self.norm(self.fc(x)))


def save(value, f):
    torch.save(value, f)


def load(f):
    return torch.load(f, map_location=lambda storage, location: storage)


def state(net: Net):
    return net.state_dict()
"""


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    done = convert(TEXT, source="torch")
    assert not done.diagnostics
    module = types.ModuleType("case")
    exec(compile(done.code, "case", "exec"), module.__dict__)
    return module.__dict__


def test_what_is_saved_comes_back(names: dict[str, Any], tmp_path: Path) -> None:
    value = {"a": jnp.arange(3), 2: [jnp.ones((2,), jnp.bfloat16), "text", None], "n": np.int64(7), "t": (1, 2.5)}
    names["save"](value, tmp_path / "file")
    back = names["load"](str(tmp_path / "file"))
    assert list(back) == list(value)
    assert isinstance(back["a"], type(value["a"]))
    assert back["a"].tolist() == [0, 1, 2]
    assert back[2][0].dtype == jnp.bfloat16
    assert back[2][1:] == ["text", None]
    assert back["n"] == 7
    assert isinstance(back["n"], np.int64)
    assert back["t"] == (1, 2.5)


def test_a_state_has_the_names_of_the_migrated_weights(names: dict[str, Any]) -> None:
    """Neither random streams nor an optimizer that the module holds belong to it."""
    net = names["Net"](rngs=nnx.Rngs(0))
    assert sorted(names["state"](net)) == ["fc.bias", "fc.kernel", "norm.bias", "norm.mean", "norm.scale", "norm.var"]


def test_a_module_comes_back_whole(names: dict[str, Any]) -> None:
    net = nnx.Sequential(nnx.Linear(2, 3, rngs=nnx.Rngs(0)), nnx.Dropout(0.5, rngs=nnx.Rngs(1)))
    file = io.BytesIO()
    names["save"](net, file)
    file.seek(0)
    back = names["load"](file)
    x = jnp.ones((4, 2))
    np.testing.assert_array_equal(back(x), net(x))


@pytest.mark.parametrize("new", [True, False])
def test_checkpoints_of_the_source_are_refused(names: dict[str, Any], tmp_path: Path, new: bool) -> None:
    torch.save({"w": torch.ones(2)}, tmp_path / "w.pth", _use_new_zipfile_serialization=new)
    with pytest.raises(ValueError, match="gen-weight-script"):
        names["load"](tmp_path / "w.pth")

"""Weights computed from other parameters: training steps, with the power iterations in them, are those of torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ml_switcheroo.verify import run_ladder

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("torch")
pytest.importorskip("flax")

TEXT = """
import torch
from torch import nn
from torch.nn.utils import remove_spectral_norm, spectral_norm, weight_norm
from torch.nn.utils.parametrizations import spectral_norm as spectral


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = weight_norm(nn.Conv1d(3, 4, 3, padding=1), dim=1)
        self.b = spectral_norm(nn.ConvTranspose1d(4, 6, 2), n_power_iterations=2)
        self.c = spectral(nn.ConvTranspose1d(6, 4, 2))
        self.d = spectral_norm(nn.Linear(4, 4))
        self.e = weight_norm(spectral(nn.Embedding(3, 4)) if False else nn.Linear(4, 2), dim=None)
        self.f = spectral_norm(nn.Linear(2, 2))
        remove_spectral_norm(self.f)

    def forward(self, x):
        x = self.c(self.b(self.a(x)))
        return self.f(self.e(self.d(x.transpose(1, 2))))
"""


@pytest.mark.slow
def test_training_steps(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(TEXT)
    result = run_ladder(tmp_path / "net.py", "Net()", ["2x3x8"], timeout=150)
    assert result.ok, result.to_json()

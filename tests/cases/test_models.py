"""The example models through the ladder: converted, built, given the source's weights, and run on both sides."""

from __future__ import annotations

from pathlib import Path

import pytest

from ml_switcheroo.verify import run_ladder

pytest.importorskip("torch")
pytest.importorskip("flax")

EXAMPLES = Path(__file__).parents[2] / "examples"

# file, how to build it, its inputs, whether training mode draws no random numbers (so that both sides can be compared)
MODELS = [
    pytest.param("resnet.py", "resnet18(num_classes=10, zero_init_residual=True)", ["8x3x32x32"], True, id="resnet18"),
    pytest.param(
        "gpt.py",
        "GPT(GPTConfig(block_size=16, vocab_size=40, n_layer=2, n_head=2, n_embd=16, dropout=0.0))",
        ["2x8:int<40"],
        True,
        id="gpt",
    ),
    pytest.param(
        "lstm_lm.py", "LSTMLanguageModel(30, 12, 12, 2, dropout=0.0, tie_weights=True)", ["2x7:int<30"], True, id="lstm"
    ),
    pytest.param("unet.py", "UNet(3, 1, width=4)", ["2x3x36x44"], True, id="unet"),
    pytest.param("unet.py", "UNet(3, 1, width=4, bilinear=True)", ["2x3x32x32"], True, id="unet bilinear"),
    pytest.param("vae.py", "VAE()", ["2x1x32x32:uniform"], False, id="vae"),
    pytest.param(
        "vit.py",
        "VisionTransformer(img_size=16, patch_size=8, num_classes=10, embed_dim=24, depth=2, num_heads=2)",
        ["2x3x16x16"],
        True,
        id="vit",
    ),
    pytest.param(
        "timeseries_transformer.py", "TimeSeriesTransformer(3, 4, causal=True)", ["2x12x3"], False, id="time series"
    ),
    pytest.param("tinydetect/model.py", "build_detector(num_classes=5)", ["4x3x64x64"], True, id="tinydetect"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("file", "build", "inputs", "train"), MODELS)
def test_every_rung_holds(file: str, build: str, inputs: list[str], train: bool) -> None:
    result = run_ladder(EXAMPLES / file, build, inputs, train=train, timeout=150)
    assert result.ok, result.to_json()
    assert not result.diagnostics

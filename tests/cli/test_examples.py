"""The example models run as they stand in PyTorch: forward and backward."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

torch = pytest.importorskip("torch")

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    torch.manual_seed(0)

    def call(name: str) -> ModuleType:
        for known in [known for known in sys.modules if known.partition(".")[0] == name]:
            del sys.modules[known]
        return __import__(name)

    return call


def gradients_are_finite(model: Any, loss: Any) -> bool:
    loss.backward()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    return bool(grads) and all(bool(torch.isfinite(grad).all()) for grad in grads)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_resnet(load: Any, name: str) -> None:
    model = getattr(load("resnet"), name)(num_classes=10, zero_init_residual=True)
    out = model(torch.randn(2, 3, 32, 32))
    assert out.shape == (2, 10)
    assert gradients_are_finite(model, out.square().sum())


def test_gpt(load: Any) -> None:
    gpt = load("gpt")
    model = gpt.GPT(gpt.GPTConfig(n_layer=2))
    tokens = torch.randint(0, 512, (2, 8))
    logits, loss = model(tokens, tokens)
    assert logits.shape == (2, 8, 512)
    assert gradients_are_finite(model, loss)
    assert model.eval().generate(tokens, 3, top_k=5).shape == (2, 11)


def test_lstm_lm(load: Any) -> None:
    lstm_lm = load("lstm_lm")
    model = lstm_lm.LSTMLanguageModel(50, tie_weights=True)
    tokens = torch.randint(0, 50, (2, 7))
    log_probs, hidden = model(tokens)
    assert log_probs.shape == (2, 7, 50)
    assert gradients_are_finite(model, lstm_lm.sequence_loss(log_probs, tokens))
    assert model(tokens, hidden)[0].shape == (2, 7, 50)


@pytest.mark.parametrize("bilinear", [False, True])
def test_unet(load: Any, bilinear: bool) -> None:
    unet = load("unet")
    model = unet.UNet(3, 1, width=8, bilinear=bilinear)
    out = model(torch.randn(2, 3, 36, 44))
    assert out.shape == (2, 1, 36, 44)
    assert gradients_are_finite(model, unet.dice_loss(out, (torch.rand_like(out) > 0.5).float()))


def test_vae(load: Any) -> None:
    vae = load("vae")
    model = vae.VAE()
    x = torch.rand(2, 1, 32, 32)
    recon, mu, logvar = model(x)
    assert recon.shape == x.shape
    assert gradients_are_finite(model, vae.vae_loss(recon, x, mu, logvar))
    assert model.sample(3).shape == (3, 1, 32, 32)


def test_vit(load: Any) -> None:
    model = load("vit").VisionTransformer(img_size=32, patch_size=8, num_classes=10, embed_dim=48, depth=2)
    out = model(torch.randn(2, 3, 32, 32))
    assert out.shape == (2, 10)
    assert gradients_are_finite(model, out.square().sum())


@pytest.mark.parametrize("causal", [False, True])
def test_timeseries_transformer(load: Any, causal: bool) -> None:
    module = load("timeseries_transformer")
    model = module.TimeSeriesTransformer(3, 4, causal=causal)
    out = model(torch.randn(2, 12, 3))
    assert out.shape == (2, 4, 3)
    assert gradients_are_finite(model, module.quantile_loss(out, torch.randn(2, 4, 3)))


def test_tinydetect(load: Any) -> None:
    tinydetect = load("tinydetect")
    model = tinydetect.build_detector(num_classes=5)
    logits, boxes = model(torch.randn(2, 3, 64, 64))
    assert logits.shape == (2, 84, 5)
    assert boxes.shape == (2, 84, 4)
    assert tinydetect.box_iou(boxes[0], boxes[1]).shape == (84, 84)
    assert gradients_are_finite(model, logits.square().mean() + boxes.square().mean())

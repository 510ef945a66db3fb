"""EXTENDING_WITH_DSL.md: its example is executed as it stands there."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import ml_switcheroo

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    Run = Callable[..., Result]

DOCUMENT = (Path(__file__).parents[2] / "EXTENDING_WITH_DSL.md").read_text(encoding="utf-8")
# Blocks that begin with the name of a file.
BLOCKS: dict[str, str] = dict(re.findall(r"```(?:yaml|python)\n# (\S+)\n(.*?)```", DOCUMENT, re.DOTALL))


@pytest.fixture
def defined(home: Path, run: Run) -> Path:
    for name, text in BLOCKS.items():
        (home / name).write_text(text, encoding="utf-8")
    for line in re.findall(r"^ml_switcheroo (define .*)$", DOCUMENT.split("```sh")[1].split("```")[0], re.MULTILINE):
        done = run(*line.split())
        assert done.exit_code == 0, done.stderr
    return home


@pytest.mark.parametrize("beside", [True, False])
def test_the_model_becomes_what_the_document_says(defined: Path, beside: bool) -> None:
    if not beside:  # the code of the package need not be there; where it is, the definition counts
        (defined / "lab_ops.py").unlink()
    done = ml_switcheroo.convert(BLOCKS["model.py"], source="torch", path=defined / "model.py")
    assert done.diagnostics == []
    assert done.code.endswith("\n\n\n" + BLOCKS["model_jax.py"])
    assert done.helpers == ("ScaledSquareplus", "squareplus")
    assert "import lab_ops" not in done.code and "from lab_ops" not in done.code


def test_what_is_refused(defined: Path) -> None:
    text = "import torch, lab_ops\n\ndef f(x: torch.Tensor):\n    return lab_ops.squareplus(x, negative=True)\n"
    assert "squareplus(negative=True) is not written yet" in ml_switcheroo.convert(text, source="torch").code


def test_the_second_example(defined: Path, run: Run) -> None:
    assert run("define", "relu.yaml").exit_code == 0
    text = "import torch, lab_ops\n\ndef f(x: torch.Tensor):\n    return torch.relu(lab_ops.ramp(x))\n"
    assert "return jnp.maximum(jnp.maximum(x, 0), 0)" in ml_switcheroo.convert(text, source="torch").code


SPOILT = [("tensor, b", "tensr, b"), ("bias: b", "bias: c"), ("helper: squareplus}", "helper: squarplus}")]
MESSAGES = re.findall(r"^squareplus\.yaml:\d+: .*$", DOCUMENT, re.MULTILINE)


@pytest.mark.parametrize(("change", "message"), zip(SPOILT, MESSAGES, strict=True))
def test_the_messages(defined: Path, run: Run, change: tuple[str, str], message: str) -> None:
    spoilt = BLOCKS["squareplus.yaml"].replace(*change, 1)
    (defined / "squareplus.yaml").write_text(f"# squareplus.yaml\n{spoilt}")
    done = run("define", "squareplus.yaml")
    assert done.exit_code == 2
    assert message.removesuffix(" ...") in done.stderr


def test_both_sides_compute_the_same(defined: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch, jnp = pytest.importorskip("torch"), pytest.importorskip("jax.numpy")
    nnx = pytest.importorskip("flax.nnx")
    monkeypatch.syspath_prepend(str(defined))
    monkeypatch.delitem(sys.modules, "lab_ops", raising=False)
    source: dict[str, Any] = {"__name__": "model"}
    exec(compile(BLOCKS["model.py"], "model.py", "exec"), source)
    target: dict[str, Any] = {"__name__": "model_jax"}
    exec(compile(ml_switcheroo.convert(BLOCKS["model.py"], source="torch").code, "model_jax.py", "exec"), target)
    old, new = source["Net"](), target["Net"](rngs=nnx.Rngs(0))
    scale = torch.tensor([0.5, 1.0, -2.0])
    with torch.no_grad():
        old.act.scale.copy_(scale)
    new.act.scale.value = jnp.asarray(scale.numpy())
    x = torch.linspace(-3, 3, 12).reshape(4, 3)
    expected = old(x).detach().numpy()
    assert abs(expected - new(jnp.asarray(x.numpy()))).max() < 1e-6
    sys.modules.pop("lab_ops", None)

"""`suggest`: what the prompt says, with and without the frameworks. No framework is imported by these tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

import ml_switcheroo
from ml_switcheroo.authoring import introspect, suggest
from ml_switcheroo.authoring.introspect import Looked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from typer.testing import Result

    Run = Callable[..., Result]

SRC = Path(ml_switcheroo.__file__).parents[1]


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suggest, "look", lambda names: {})


def yaml_of(prompt: str) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = yaml.safe_load(prompt.split("```yaml\n")[1].split("```")[0])["ops"]
    return found


# name -> what the prompt has to hold
PROMPTS: dict[str, list[str]] = {
    "torch.nn.functional.softshrink": [
        "There are rows for `torch.nn.functional.softshrink` already; a definition of the same op replaces them:",
        "- op `softshrink` (snapshots/torch/",
        "flax_nnx: mapped (helper)",
        "- `torch.nn.functional.softshrink(input, lambd=0.5)` (recorded, torch 2.",
        "- `jax.nn.soft_sign(x)`",
        "def softshrink(x: jax.Array, lambd: float = 0.5)",
        "ml_switcheroo define softshrink.yaml --dry-run",
        "ml_switcheroo ci --op softshrink",
        "functions below `jax`, layers below `flax_nnx`",
    ],
    "nn.FractionalMaxPool2d": ["flax_nnx: refused: fractional pooling draws its windows"],
    "torch.nn.modules.conv.Conv2d": ["Write the definition of `torch.nn.Conv2d`", "- op `Conv2d`"],
    "torch.distributed.AllreduceOptions": [
        "`torch.distributed.AllreduceOptions` is not known yet: no row speaks of it.",
        "`torch.distributed.AllreduceOptions`, a class; no signature is known",
    ],
    "einops.layers.torch.Rearrange": ["- op `"],
}


@pytest.mark.parametrize("api", PROMPTS)
def test_prompts(nothing_installed: None, api: str) -> None:
    prompt = suggest.suggest(api)
    assert [part for part in PROMPTS[api] if part not in prompt] == []
    assert "It is not installed here" in prompt


def test_similar_rows_are_in_the_form_of_the_answer(nothing_installed: None, home: Path, run: Run) -> None:
    ops = yaml_of(suggest.suggest("torch.nn.functional.softsign"))
    assert ops["softsign"]["jax"] == {"api": "jax.nn.soft_sign", "write": "jax.nn.soft_sign(x)"}
    assert len(ops) > 3
    path = home / "answer.yaml"
    path.write_text(yaml.safe_dump({"ops": {"softsign": ops["softsign"]}}))
    assert run("define", path, "--dry-run").exit_code == 0


def test_what_is_installed_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def look(names: Sequence[str]) -> dict[str, Looked]:
        asked.extend(names)
        return {
            names[0]: Looked("(input, lambd=0.75)", "Shrinks.\n\nMore.", "9.9"),
            names[1]: Looked(None, "Near.", "1"),
        }

    monkeypatch.setattr(suggest, "look", look)
    prompt = suggest.suggest("torch.nn.functional.softshrink", target="flax")
    assert "`torch.nn.functional.softshrink(input, lambd=0.75)` (installed, 9.9)" in prompt
    assert "> Shrinks.\n>\n> More." in prompt
    assert f"- `{asked[1]}" in prompt and "\n  Near.\n" in prompt


@pytest.mark.parametrize(
    ("api", "hint"),
    [
        ("torch.nn.functional.sofshrink", "did you mean torch.nn.functional.softshrink"),
        ("softshrnk", "did you mean torch.nn."),
        ("no_such_package.zqxj", "give the full public name"),
        ("", "give the full public name"),
    ],
)
def test_an_unknown_name(nothing_installed: None, run: Run, api: str, hint: str) -> None:
    done = run("suggest", api)
    assert (done.exit_code, done.stdout) == (2, "")
    assert hint in done.stderr


def test_an_unknown_target(run: Run) -> None:
    done = run("suggest", "torch.relu", "--target", "jaks")
    assert done.exit_code == 2
    assert "SW0007" in done.stderr


def test_a_name_of_another_package_is_looked_at() -> None:
    prompt = suggest.suggest("json.dumps")
    assert "`json.dumps(obj, *, skipkeys=False" in prompt and "> Serialize ``obj``" in prompt


def test_the_child_says_what_is_there() -> None:
    found = introspect.look(["json.dumps", "json.JSONDecoder.decode", "json.no", "no_such_package.f", "math.pi"])
    assert sorted(found) == ["json.JSONDecoder.decode", "json.dumps", "math.pi"]
    assert found["json.JSONDecoder.decode"].signature is not None
    assert found["math.pi"].signature is None


def test_this_process_imports_no_framework(tmp_path: Path) -> None:
    code = (
        "import sys; from ml_switcheroo.authoring import define, suggest, sync; suggest.look = lambda names: {}; "
        "suggest.suggest('torch.relu'); print([m for m in ('torch', 'jax', 'flax', 'numpy') if m in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[]"

"""The ladder on a pair written by hand: it holds for the right twin, and each mistake is found at its rung."""

from __future__ import annotations

from pathlib import Path

import pytest

from ml_switcheroo.verify import Converted, LadderResult, VerifyError, run_ladder

pytest.importorskip("torch")
pytest.importorskip("flax")

PAIRS = Path(__file__).parent / "pairs"
BUILD = "Net(Block(3, 8))"
INPUTS = ["4x3x8x8", "scale=4x1:uniform"]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all runs: the source side is the same, and runs once."""
    return tmp_path_factory.mktemp("kept")


def climb(
    tmp_path: Path, *changes: tuple[str, str], kept: Path, script: str | None = None, timeout: float = 120
) -> LadderResult:
    """Run the pair, with changes made to the target's text."""
    tree = tmp_path / "tree"
    tree.mkdir()
    text = (PAIRS / "net_flax.py").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (tree / "net_torch.py").write_text(text)
    migrate = tmp_path / "migrate.py"
    migrate.write_text(script or (PAIRS / "migrate.py").read_text())
    return run_ladder(
        PAIRS / "net_torch.py", BUILD, INPUTS, converted=Converted(tree, script=migrate), timeout=timeout,
        keep=kept,
    )  # fmt: skip


def test_the_right_twin_reaches_the_last_rung(tmp_path: Path, kept: Path) -> None:
    result = climb(tmp_path, kept=kept)
    assert result.ok, result.to_json()
    assert result.rungs[3].figure == 12
    assert all(r.figure is not None and r.figure < 1e-4 for r in result.rungs[4:])


# a mistake in the target, the rung that must find it, what the reason must say
MISTAKES = [
    pytest.param(
        [("import jax\n", "import jax\nimport torch\n")], "imports", "still imports torch", id="source import"
    ),
    pytest.param([("use_bias=False", "use_bias=True")], "weights", "first.conv.bias", id="a weight too many"),
    pytest.param([("epsilon=1e-5", "epsilon=1e-1")], "forward", "layer that differs: first.norm", id="epsilon"),
    pytest.param(
        [("x = self.body", "x = x * float(x.max() > -9)\n        x = self.body")], "jit", "", id="not traceable"
    ),
    pytest.param([("x.mean((2, 3))", "jax.lax.stop_gradient(x.mean((2, 3)))")], "gradients", "", id="gradient cut"),
    pytest.param(
        [("self.momentum * self.mean[...]", "0.8 * self.mean[...]")], "training", "in evaluation", id="momentum"
    ),
    pytest.param([("import jax\n", "import jax\nimport os\nos.abort()\n")], "imports", "SIGABRT", id="crash"),
]


@pytest.mark.parametrize(("changes", "rung", "reason"), MISTAKES)
def test_a_mistake_is_found_at_its_rung(
    tmp_path: Path, kept: Path, changes: list[tuple[str, str]], rung: str, reason: str
) -> None:
    result = climb(tmp_path, *changes, kept=kept)
    assert result.missed is not None
    assert result.missed.name == rung, result.to_json()
    assert reason in result.missed.reason
    assert result.silently_wrong


ROUNDED = "x.mean((2, 3)) + {} * jnp.finfo(x.dtype).eps * x.std((2, 3))"


def test_what_is_right_in_double_precision_is_rounding(tmp_path: Path, kept: Path) -> None:
    result = climb(tmp_path, ("x.mean((2, 3))", ROUNDED.format("1e4")), kept=kept)
    assert result.ok, result.to_json()
    forward = result.rungs[4]
    assert "in single precision" in forward.reason
    assert forward.figure is not None
    assert forward.figure < 1e-9


def test_rounding_that_the_source_does_not_have_is_no_excuse(tmp_path: Path, kept: Path) -> None:
    result = climb(tmp_path, ("x.mean((2, 3))", ROUNDED.format("1e6")), kept=kept)
    assert result.missed is not None
    assert result.missed.name == "forward"
    assert "rounding explains no more than" in result.missed.reason


def test_a_hang_is_a_result(tmp_path: Path, kept: Path) -> None:
    result = climb(tmp_path, ("import jax\n", "import time\ntime.sleep(60)\nimport jax\n"), kept=kept, timeout=20)
    assert result.missed is not None
    assert (result.missed.name, result.missed.reason) == ("imports", "took longer than 20 s")
    assert not result.silently_wrong  # nothing was found out


def test_a_failing_migration_script_misses_the_weights_rung(tmp_path: Path, kept: Path) -> None:
    result = climb(tmp_path, script="raise SystemExit('conv.weight is cut short')", kept=kept)
    assert result.missed is not None
    assert (result.missed.name, result.missed.reason) == ("weights", "migration script: conv.weight is cut short")


@pytest.mark.parametrize(
    ("path", "build", "inputs", "message"),
    [
        ("no_such.py", "Net()", ["1"], "no such file"),
        ("net_torch.py", "Net(", ["1"], "build expression"),
        ("net_torch.py", "Net", ["1"], "it must make the model"),
        ("net_torch.py", BUILD, ["2y3"], "a shape looks like"),
        ("net_torch.py", "Nut()", ["1"], "the source model fails: builds: NameError"),
        ("net_torch.py", BUILD, ["4x4x8x8"], "the source model fails: forward: RuntimeError"),
    ],
)
def test_bad_requests(tmp_path: Path, path: str, build: str, inputs: list[str], message: str) -> None:
    with pytest.raises(VerifyError, match=message.replace("(", r"\(")):
        run_ladder(PAIRS / path, build, inputs, converted=Converted(tmp_path))

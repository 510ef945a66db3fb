"""`matrix`: what is known about each public name, and which proofs it counts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from ml_switcheroo.cli import app
from ml_switcheroo.report import matrix as view

if TYPE_CHECKING:
    from pathlib import Path

RUN = {
    "source": "torch",
    "target": "jax",
    "examples": 20,
    "versions": {"torch": "2.13.0"},
    "ops": {"relu": {"status": "equal"}, "gelu": {"status": "failing"}, "no_grad": {"status": "refused"}},
}


@pytest.fixture(scope="module")
def found() -> view.Matrix:
    return view.matrix("torch", ["jax"], [RUN | {"date": "2026-01-31"}])


@pytest.mark.parametrize(
    ("name", "status", "proof"),
    [
        ("torch.relu", "mapped", "equal"),
        ("torch.relu_", "mapped", "equal"),
        ("torch.nn.functional.gelu", "mapped", "failing"),
        ("torch.nn.Linear", "mapped", ""),
        ("torch.nn.Conv2d", "mapped", ""),
        ("torch.Tensor.stride", "refused", ""),
    ],
)
def test_what_is_said_of_a_name(found: view.Matrix, name: str, status: str, proof: str) -> None:
    entry = next(n for n in found.names if n.name == name)
    assert (entry.status["jax"], entry.proof["jax"]) == (status, proof)


def test_shares_add_up(found: view.Matrix) -> None:
    for area in [*found.areas(), None]:
        counts = found.counts("jax", area)
        assert sum(counts[status] for status in view.STATUSES) == counts["names"] > 0
    proved = [n.name for n in found.names if n.proof["jax"] == "equal"]
    assert found.counts("jax")["proved"] == len(proved) > 1
    assert not any(name.rpartition(".")[2].startswith("_") for name in (n.name for n in found.names))


def test_filters(found: view.Matrix) -> None:
    some = view.only(found, areas=["torch.nn"], status="refused", containing="Lazy")
    assert some.names
    assert all(n.area == "torch.nn" and "Lazy" in n.name and n.status["jax"] == "refused" for n in some.names)


def call(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["matrix", *arguments])
    return result.exit_code, result.output


@pytest.fixture
def report(tmp_path: Path) -> str:
    path = tmp_path / "ci.json"
    path.write_text(json.dumps({"runs": [RUN]}))
    return str(path)


@pytest.mark.parametrize("form", ["terminal", "markdown", "html", "json"])
def test_every_form_says_where_the_proofs_are_from(form: str, report: str) -> None:
    code, text = call("--area", "torch.nn.functional", "--format", form, "--report", report)
    assert code == 0
    assert "20 examples" in text
    assert "torch.nn.functional" in text


def test_json_has_every_name(report: str) -> None:
    data: dict[str, Any] = json.loads(call("--format", "json", "--report", report)[1])
    entry = data["names"]["torch.nn.functional.gelu"]
    assert entry == {"ops": ["gelu"], "status": {"jax": "mapped"}, "proof": {"jax": "failing"}}
    assert data["total"]["jax"]["names"] == len(data["names"])


@pytest.mark.parametrize("arguments", [("--area", "torch.n"), ("--status", "known"), ("--report", "nothing.json")])
def test_bad_filters_are_one_line(arguments: tuple[str, str]) -> None:
    code, text = call(*arguments)
    assert code == 2
    assert "error: " in text
    assert "Traceback" not in text

"""NumPy: a target without modules and gradients whose dtypes are compared as they are, and a source."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("hypothesis")
pytest.importorskip("torch")
pytest.importorskip("scipy")

from ml_switcheroo.fuzz import missing, needed, spokes
from ml_switcheroo.fuzz.forms import replaced_row
from ml_switcheroo.fuzz.prove import Prover
from ml_switcheroo.fuzz.worker import runner_of

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = 4


@pytest.fixture(scope="module")
def prover() -> Iterator[Prover]:
    with Prover("torch", "numpy", examples=EXAMPLES) as prover:
        yield prover


@pytest.mark.parametrize("op", ["sum", "cat", "max_dim", "scatter_add", "softmax", "rand"])
def test_right_rows_pass(prover: Prover, op: str) -> None:
    proof = prover.prove(op)
    assert (proof.status, proof.reason) == ("equal", "")
    assert proof.examples >= EXAMPLES
    assert proof.gradients == 0


def test_double_precision_is_not_single_precision(prover: Prover) -> None:
    row = prover.kb.write("linspace")
    assert row is not None
    wide = dataclasses.replace(row.forms[0], emit="np.linspace(start, end, steps)")
    with replaced_row(prover.kb, "linspace", dataclasses.replace(row, forms=(wide, *row.forms[1:]))):
        proof = prover.prove("linspace")
    assert proof.status == "failing"
    assert "float64 instead of float32" in proof.reason


@pytest.mark.parametrize("op", ["bfloat16", "backward"])
def test_what_it_cannot_do_is_refused(prover: Prover, op: str) -> None:
    assert prover.prove(op).status == "refused"


def test_it_is_a_source_too() -> None:
    with Prover("numpy", "torch", examples=EXAMPLES) as prover:
        for op in ("exp", "cat"):
            proof = prover.prove(op)
            assert (proof.status, proof.reason) == ("equal", "")
            assert proof.examples >= EXAMPLES


def test_a_framework_runs_in_what_it_stands_on() -> None:
    assert spokes("jax") == ["flax_nnx", "jax"]
    assert runner_of("jax") == "jax"
    assert needed("numpy") == ["numpy", "scipy"]
    assert missing("numpy") == []

"""Keras: eager functions whose gradients are compared, and one global random state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("hypothesis")
pytest.importorskip("torch")
pytest.importorskip("keras")

from ml_switcheroo.fuzz.prove import Prover

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = 4


@pytest.fixture(scope="module")
def prover() -> Iterator[Prover]:
    with Prover("torch", "keras", examples=EXAMPLES) as prover:
        yield prover


@pytest.mark.parametrize("op", ["sum", "cat", "max_dim", "scatter_add", "softmax", "conv2d", "float64"])
def test_right_rows_pass(prover: Prover, op: str) -> None:
    proof = prover.prove(op)
    assert (proof.status, proof.examples) == ("equal", 1 if op == "float64" else EXAMPLES), proof.reason


def test_gradients_are_compared(prover: Prover) -> None:
    assert prover.prove("conv2d").gradients > 0


def test_draws_follow_the_same_law(prover: Prover) -> None:
    assert prover.prove("rand").status == "equal"


@pytest.mark.parametrize("op", ["lgamma", "backward"])
def test_what_it_cannot_do_is_refused(prover: Prover, op: str) -> None:
    assert prover.prove(op).status == "refused"

"""The fuzzer passes right rows and catches wrong ones."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("hypothesis")
pytest.importorskip("torch")
pytest.importorskip("jax")

from ml_switcheroo.fuzz import known, report
from ml_switcheroo.fuzz.forms import replaced_row
from ml_switcheroo.fuzz.mutations import detected, mutations
from ml_switcheroo.fuzz.prove import Proof, Prover

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def prover() -> Iterator[Prover]:
    with Prover("torch", "jax") as prover:
        yield prover


@pytest.mark.parametrize("op", ["add", "sum", "permute", "where", "Linear", "LayerNorm"])
def test_right_rows_pass(prover: Prover, op: str) -> None:
    proof = prover.prove(op)
    assert (proof.status, proof.reason) == ("equal", "")
    assert proof.examples >= 20


@pytest.mark.parametrize("op", ["sub", "cumsum", "amax", "transpose"])
def test_wrong_rows_are_caught(prover: Prover, op: str) -> None:
    right = prover.prove(op)
    found = list(mutations(prover.kb, op))
    assert found
    for what, row in found:
        with replaced_row(prover.kb, op, row):
            proof = prover.prove(op)
        assert detected(right, proof), f"{op}, {what}: {proof}"
        assert proof.call or proof.status != "failing"


def test_every_form_of_a_row_is_reached(prover: Prover) -> None:
    """Also one that only few draws are written in: a mistake there shows."""
    row = prover.kb.write("var")
    assert row is not None
    assert prover.prove("var").unreached == []
    for index, form in enumerate(row.forms):
        wrong = dataclasses.replace(form, emit=form.emit and f"1 + {form.emit}", refuse=None if form.emit else "wrong")
        changed = dataclasses.replace(row, forms=(*row.forms[:index], wrong, *row.forms[index + 1 :]))
        with replaced_row(prover.kb, "var", changed):
            assert prover.prove("var").status == "failing", form


def test_a_run_is_the_same_with_the_same_seed(prover: Prover) -> None:
    assert prover.prove("mul").to_json() == prover.prove("mul").to_json()


def test_a_crash_of_the_source_is_no_end(prover: Prover) -> None:
    side = prover.trial.sides[0]
    results, _ = side.ask(
        "import os\ndef f():\n    os._exit(3)\n", [{"name": "f", "arguments": {}, "gradients": False}]
    )
    assert not results[0]["ok"]
    assert "died" in results[0]["reason"]
    assert prover.prove("neg").status == "equal"


def test_proofs_are_kept_until_a_row_changes(prover: Prover, tmp_path: Path) -> None:
    cache = report.Cache(tmp_path, prover.kb, {"seed": 0})
    proof = Proof("softmax", "equal", examples=3)
    cache.put(proof)
    assert cache.get("softmax") == proof
    assert cache.get("add") is None
    assert report.Cache(tmp_path, prover.kb, {"seed": 1}).get("softmax") is None


KNOWN = {"torch to jax": {"a": "a reason", "b": "a reason"}}


@pytest.mark.parametrize(
    ("statuses", "unexpected"),
    [
        ({"a": "failing", "b": "failing", "c": "equal"}, []),
        ({"a": "failing", "b": "failing", "c": "failing"}, ["c: why"]),
        ({"a": "equal", "b": "failing"}, ["a is listed as failing, and is equal: take it out of the list"]),
        ({"a": "failing"}, ["b is listed as failing, and there is no such operation"]),
    ],
)
def test_known_failures_are_strict(
    statuses: dict[str, str], unexpected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "known.json"
    file.write_text(json.dumps(KNOWN))
    monkeypatch.setattr(known, "KNOWN", file)
    proofs = [Proof(op, status, reason="why" if status == "failing" else "") for op, status in statuses.items()]
    assert report.expected(proofs, "torch", "jax", whole=True) == unexpected
    failing = [p for p in proofs if p.op in ("a", "b") and statuses[p.op] == "failing"]
    assert all(p.status == "xfail" and p.reason == "a reason (why)" for p in failing)


def test_single_calls_that_differ_as_known(prover: Prover, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def prove(entry: dict[str, str]) -> Proof:
        file = tmp_path / "known.json"
        file.write_text(json.dumps({"torch to jax": {"sign": entry}}))
        monkeypatch.setattr(known, "KNOWN", file)
        monkeypatch.setattr(prover, "known", known.known("torch", "jax"))
        return prover.prove("sign")

    proof = prove({"calls": r"nan.* instead of .*0", "why": "NaN has no sign"})
    assert (proof.status, proof.examples, proof.differences) == ("equal", 20, ["NaN has no sign"])
    assert proof.known
    assert report.expected([proof], "torch", "jax", whole=True) == []
    other = prove({"calls": "another failure", "why": "another reason"})
    assert other.status == "failing"
    proof.differences = []
    told = ["sign: no call shows the listed difference any more: another reason"]
    assert report.expected([proof], "torch", "jax", whole=True) == told
    assert report.expected([proof], "torch", "jax", whole=True, usual=False) == []


def test_every_proof_is_plain_data() -> None:
    proof = Proof("add", "equal", spellings=["x + y"])
    assert Proof(**json.loads(json.dumps(proof.to_json()))) == proof
    assert {f.name for f in dataclasses.fields(Proof)} == set(proof.to_json())

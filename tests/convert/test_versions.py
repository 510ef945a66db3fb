"""Tests that ask for the version of the source framework, read without running them."""

from __future__ import annotations

import libcst as cst
import pytest

from ml_switcheroo.analysis.versions import asks_for_version
from ml_switcheroo.kb.loader import load

KB = load("torch", "jax")

TABLE = [
    # what stands above the test, the test, its outcome
    ("new = '2.0'", "new == '2.0'", None),  # no version of the framework
    ("aten = torch.ops.aten", "hasattr(aten, 'relu')", None),  # a name that is that of an attribute, too
    ("parts = dict(parts=1)", "len(parts)", None),  # or of a keyword
]


@pytest.mark.parametrize(("above", "test", "outcome"), TABLE, ids=[row[1] for row in TABLE])
def test_outcome(above: str, test: str, outcome: bool | None) -> None:
    assert asks_for_version(cst.parse_expression(test), cst.parse_module(above + "\n"), {}, KB) is outcome

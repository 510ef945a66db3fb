"""What a loaded knowledge base answers, and how fast."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ml_switcheroo import kb
from ml_switcheroo.errors import InputError
from ml_switcheroo.kb.build import build
from ml_switcheroo.kb.loader import Table
from ml_switcheroo.kb.stamp import stamp

if TYPE_CHECKING:
    from ml_switcheroo.kb import KnowledgeBase
    from ml_switcheroo.kb.model import ReadRow

    from .conftest import Write


def names(row: ReadRow) -> list[list[str]]:
    return [[parameter.name for parameter in signature] for signature in row.signatures]


def test_hub_row(base: KnowledgeBase) -> None:
    linear = base.hub("Linear")
    assert linear is not None
    assert linear.kind == "layer"
    assert linear.params["bias"].type == "bool"
    assert linear.params["bias"].default == "True"
    assert linear.params["in_features"].default is None
    assert linear.call == {"x": "tensor", "returns": "tensor"}
    assert linear.effects == ("init",)
    assert base.hub("nothing") is None


def test_overloads_of_one_name_are_sorted_by_required_parameters(base: KnowledgeBase) -> None:
    rows = base.read("alpha.max")
    assert {row.op for row in rows[:2]} == {"max_dim", "maximum"}
    assert rows[2].op == "max"


def test_each_row_keeps_only_the_signatures_that_can_mean_it(base: KnowledgeBase) -> None:
    rows = {row.op: row for row in base.read("alpha.max")}
    assert names(rows["max_dim"]) == [["input", "dim", "keepdim", "out"]]
    assert names(rows["maximum"]) == [["input", "other", "out"]]
    assert names(rows["max"]) == [["input", "out"]]


def test_the_receiver_of_a_method_is_in_no_signature(base: KnowledgeBase) -> None:
    rows = {row.op: row for row in base.read("alpha.Tensor.view")}
    assert names(rows["view"]) == [["size"], ["size"]]
    assert [signature[0].kind for signature in rows["view"].signatures] == ["pk", "va"]
    assert names(rows["view_dtype"]) == [["dtype"]]


def test_a_property_has_no_signature(base: KnowledgeBase) -> None:
    assert base.read("alpha.Tensor.shape")[0].signatures == ()


def test_names_are_canonical(base: KnowledgeBase) -> None:
    assert base.canonical("alpha.nn.modules.linear.Linear") == "alpha.nn.Linear"
    assert base.canonical("alpha.nn.modules.linear.Linear.forward") == "alpha.nn.Linear.forward"
    assert base.canonical("other.thing") == "other.thing"
    assert base.read("alpha.nn.modules.linear.Linear") == base.read("alpha.nn.Linear") != []
    assert base.read("alpha.nothing") == []


def test_public_names(base: KnowledgeBase) -> None:
    assert base.is_known_api("alpha.nn.Linear")
    assert not base.is_known_api("alpha.nn.Nothing")
    assert base.api_names("alpha.nn") == ["Linear", "Module", "modules"] or base.api_names("alpha.nn") == [
        "Linear",
        "Module",
    ]
    assert base.tensor_methods() == {"view", "max", "shape"}


def test_the_nearest_spoke_of_the_target_wins_and_the_base_fills_in(base: KnowledgeBase) -> None:
    linear, relu = base.write("Linear"), base.write("relu")
    assert linear is not None
    assert relu is not None
    assert relu.forms[0].emit == "bt.relu(x)"
    assert linear.helper == "Linear"
    assert linear.needs == ("rngs",)
    assert linear.weights == {"weight": "kernel OI->IO", "bias": "bias"}
    assert base.write("nothing") is None


def test_forms(base: KnowledgeBase) -> None:
    linear, refused = base.write("Linear"), base.write("view_dtype")
    assert linear is not None
    assert refused is not None
    first, second = linear.forms
    assert first.when == "bias"
    assert first.covers == ("in_features", "out_features", "bias")
    assert second.signature is not None
    assert [parameter.name for parameter in second.signature] == ["in_features", "out_features", "bias", "rngs"]
    assert refused.forms[0].refuse == "bits cannot be read as another dtype here"


def test_helpers_carry_what_they_use(base: KnowledgeBase) -> None:
    pair, linear = base.helper("max_with_index"), base.helper("Linear")
    assert pair is not None
    assert linear is not None
    assert pair.text.startswith("# Both at once, as a pair.\ndef max_with_index(")
    assert pair.uses == ("largest",)
    assert pair.imports == ()
    assert linear.kind == "class"
    assert linear.uses == ("Base",)
    assert base.helper("nothing") is None


def test_layered_framework_data(base: KnowledgeBase) -> None:
    assert base.imports() == {"bt": "import beta as bt", "partial": "from functools import partial"}
    assert base.target_framework["roots"] == ["gamma", "beta"]
    assert base.target_framework["name"] == "gamma"
    assert base.source_framework["tensor"] == "alpha.Tensor"


def test_unknown_framework(tmp_path: Path, checkout: Write) -> None:
    build(checkout({}), tmp_path / "compiled")
    with pytest.raises(InputError, match="delta"):
        kb.load_from(tmp_path / "compiled", "alpha", "delta")


def test_a_bad_row_is_left_out_and_the_rest_stays(tmp_path: Path, checkout: Write) -> None:
    top = checkout({"snapshots/beta/fn.yaml": "relu: {write: bt.relu(x}\nmax: {write: bt.max(x)}\n"})
    assert build(top, tmp_path / "compiled")
    loaded = kb.load_from(tmp_path / "compiled", "alpha", "beta")
    assert loaded.write("relu") is None or loaded.write("max") is not None
    assert build(top, tmp_path / "strict", strict=True)
    assert not (tmp_path / "strict").exists()


def test_the_stamp_changes_with_any_file(checkout: Write) -> None:
    top = checkout({})
    first = stamp(top)
    assert stamp(top) == first
    path = top / "snapshots/beta/helpers/fn.py"
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    second = stamp(top)
    assert second != first
    (top / "semantics" / "new.yaml").write_text("", encoding="utf-8")
    assert stamp(top) != second


def test_loading_imports_neither_yaml_nor_a_framework() -> None:
    kb.load("torch", "jax")
    code = (
        "import sys; from ml_switcheroo import kb; kb.load('torch', 'jax').read('torch.relu');"
        "print([name for name in ('yaml', 'torch', 'jax', 'numpy', 'libcst', 'ast') if name in sys.modules])"
    )
    source = str(Path(kb.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() in {"[]", "['ast']"}  # dataclasses may pull in ast through inspect


def test_jax_means_flax_first() -> None:
    loaded = kb.load("torch", "jax")
    assert loaded.target_framework["name"] == "flax_nnx"
    assert loaded is kb.load("torch", "jax")
    assert {"jnp", "jax", "lax", "nnx", "np", "math", "functools", "partial", "NamedTuple"} <= set(loaded.imports())
    assert kb.framework_names()["jax"] == "flax_nnx"


def test_a_missing_table_is_empty(tmp_path: Path) -> None:
    assert Table(tmp_path / "none.tsv").get("x") is None

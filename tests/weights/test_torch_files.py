"""Checkpoints that torch wrote: their wrappers, shared memory, types, old formats and damage."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.weights.support import Script, read_st, script

torch = pytest.importorskip("torch")

if TYPE_CHECKING:
    from pathlib import Path

NET = {"Net": {"conv": "layer Conv2d", "fc": "layer Linear", "out": "layer Linear"}}


def state() -> dict[str, Any]:
    torch.manual_seed(0)
    return {"conv.weight": torch.randn(4, 3, 2, 2), "conv.bias": torch.randn(4), "fc.weight": torch.randn(5, 4)}


def migrate(tmp: Path, made: Script, saved: object, *options: object, **how: Any) -> tuple[dict[str, Any], str]:
    torch.save(saved, tmp / "in.pth", **how)
    ran = made.run(tmp / "in.pth", tmp / "out.safetensors", *options)
    assert ran.code == 0, ran.err
    return read_st(tmp / "out.safetensors"), ran.out


def test_a_state_dict(tmp_path: Path) -> None:
    found, _ = migrate(tmp_path, script(tmp_path, NET), state())
    assert set(found) == {"conv.kernel", "conv.bias", "fc.kernel"}
    np.testing.assert_array_equal(found["conv.kernel"], state()["conv.weight"].permute(2, 3, 1, 0).numpy())


def test_the_format_from_before_torch_1_6(tmp_path: Path) -> None:
    found, _ = migrate(tmp_path, script(tmp_path, NET), state(), _use_new_zipfile_serialization=False)
    np.testing.assert_array_equal(found["fc.kernel"], state()["fc.weight"].numpy().T)


def test_wrappers_are_opened(tmp_path: Path) -> None:
    made = script(tmp_path, NET)
    momentum = {"state": {0: {"exp_avg": torch.zeros(3)}}}
    for saved in ({"state_dict": state(), "epoch": 3, "optimizer": momentum}, {"model": {"params": state()}}):
        found, said = migrate(tmp_path, made, saved)
        assert set(found) == {"conv.kernel", "conv.bias", "fc.kernel"}
        assert "the weights are the entry" in said
    wrapped = {"module." + key: value for key, value in state().items()} | {"module.step": 3}
    found, said = migrate(tmp_path, made, wrapped)
    assert "module.step: skipped, it is a int" in said
    assert "the prefix module. of all names is taken off" in said
    assert set(found) == {"conv.kernel", "conv.bias", "fc.kernel"}
    torch.save({"one": state(), "two": state()}, tmp_path / "in.pth")
    said = made.run(tmp_path / "in.pth", tmp_path / "out.safetensors").err
    assert "several dictionaries of tensors (one, two); choose one with --entry" in said
    assert made.run(tmp_path / "in.pth", tmp_path / "out.safetensors", "--entry", "two").code == 0


def test_types_and_layouts(tmp_path: Path) -> None:
    made = script(tmp_path, {"Net": {**dict.fromkeys("abcdefg", "tensor"), "fc": "layer Linear"}})
    saved = {
        "a": torch.randn(3, 4).t(), "b": torch.tensor([True, False]), "c": torch.tensor(5), "d": torch.zeros(0, 2),
        "e": torch.randn(3, dtype=torch.complex64).conj(), "f": torch.randn(4).double()[::2],
        "g": torch.randn(1, 4).expand(3, 4),
        "fc.weight": torch.randn(3, 2).bfloat16(),
    }  # fmt: skip
    torch.save(saved, tmp_path / "in.pth")
    assert made.run(tmp_path / "in.pth", tmp_path / "out.safetensors").code == 0
    from safetensors.torch import load_file

    found = load_file(tmp_path / "out.safetensors")
    for key in "abcdefg":
        assert torch.equal(found[key], saved[key].resolve_conj())
        assert found[key].dtype == saved[key].dtype
    assert torch.equal(found["fc.kernel"], saved["fc.weight"].t())


def test_one_memory_under_two_names_is_written_once(tmp_path: Path) -> None:
    made = script(tmp_path, NET)
    weight = torch.randn(4, 4)
    found, said = migrate(tmp_path, made, {"fc.weight": weight, "out.weight": weight})
    assert set(found) == {"fc.kernel"}
    assert "1 left out, shared with fc.kernel: out.weight" in said
    found, _ = migrate(tmp_path, made, {"fc.weight": weight, "out.weight": weight.clone()})
    assert set(found) == {"fc.kernel", "out.kernel"}


def test_two_buffers_made_from_one_tensor_stay_two(tmp_path: Path) -> None:
    one = torch.ones(3)
    found, _ = migrate(tmp_path, script(tmp_path, {"Net": {"a": "tensor", "b": "tensor"}}), {"a": one, "b": one})
    assert set(found) == {"a", "b"}


def test_one_memory_in_two_orders_of_axes(tmp_path: Path) -> None:
    weight = torch.randn(5, 4)
    for head, kept in (("head", "head.kernel.weight"), ("xhead", "wte.embedding")):
        made = script(tmp_path, {"Net": {"wte": "layer Embedding", head: "layer Linear"}})
        found, _ = migrate(tmp_path, made, {"wte.weight": weight, f"{head}.weight": weight})
        assert set(found) == {kept}
        np.testing.assert_array_equal(found[kept], weight.numpy())


def test_shards(tmp_path: Path) -> None:
    whole = state()
    torch.save({"conv.weight": whole["conv.weight"]}, tmp_path / "pytorch_model-00001-of-00002.bin")
    torch.save({key: whole[key] for key in ("conv.bias", "fc.weight")}, tmp_path / "pytorch_model-00002-of-00002.bin")
    weight_map = {key: f"pytorch_model-0000{1 if key == 'conv.weight' else 2}-of-00002.bin" for key in whole}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": weight_map}))
    ran = script(tmp_path, NET).run(tmp_path, tmp_path / "out.safetensors")
    assert ran.code == 0, ran.err
    assert set(read_st(tmp_path / "out.safetensors")) == {"conv.kernel", "conv.bias", "fc.kernel"}


def test_damage_gets_one_line(tmp_path: Path) -> None:
    made = script(tmp_path, NET)
    torch.save(state(), tmp_path / "in.pth")
    whole = (tmp_path / "in.pth").read_bytes()
    torch.save(state(), tmp_path / "in.pth", _use_new_zipfile_serialization=False)
    old = (tmp_path / "in.pth").read_bytes()
    cases = {
        whole[: len(whole) // 2]: "truncated or not a PyTorch checkpoint",
        old[: len(old) // 2]: "truncated or not a PyTorch checkpoint",
        old[:-10]: "truncated or not a PyTorch checkpoint",
        b"": "truncated or not a PyTorch checkpoint",
        b"hello, this is text": "truncated or not a PyTorch checkpoint",
    }
    for data, words in cases.items():
        (tmp_path / "in.pth").write_bytes(data)
        ran = made.run(tmp_path / "in.pth", tmp_path / "out.safetensors")
        assert ran.code == 2
        assert words in ran.err
        assert ran.err.count("\n") == 1, ran.err
        assert not (tmp_path / "out.safetensors").exists()


def test_objects_are_refused_by_name(tmp_path: Path) -> None:
    made = script(tmp_path, NET)
    for saved, words in (
        ({"state_dict": state(), "args": argparse.Namespace(a=1)}, "holds argparse.Namespace, not only tensors"),
        (torch.nn.Linear(2, 2), "Linear, not only tensors; save the weights alone"),
        ([torch.zeros(1)], "holds a list, not a dictionary of tensors"),
        ({"a": 1}, "holds no tensors"),
        ({"fc.weight": torch.zeros(2, 2).to_sparse()}, "cannot be carried over"),
    ):
        torch.save(saved, tmp_path / "in.pth")
        ran = made.run(tmp_path / "in.pth", tmp_path / "out.safetensors")
        assert ran.code == 2
        assert words in ran.err
        assert ran.err.count("\n") == 1


@pytest.mark.slow
def test_an_orbax_folder(tmp_path: Path) -> None:
    ocp = pytest.importorskip("orbax.checkpoint")
    made = script(tmp_path, NET)
    paths = (tmp_path / "in.pth", tmp_path / "folder")
    saved = state() | {"out.weight": torch.randn(2, 2).bfloat16()}
    torch.save(saved, tmp_path / "in.pth")
    ran = made.run(*paths)
    assert ran.code == 0, ran.err
    with ocp.PyTreeCheckpointer() as checkpointer:
        restored = checkpointer.restore((tmp_path / "folder").absolute())
    np.testing.assert_array_equal(restored["fc"]["kernel"], saved["fc.weight"].numpy().T)
    assert str(restored["out"]["kernel"].dtype) == "bfloat16"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "in.pth", "migrate.py"]
    assert "exists already" in made.run(*paths).err
    torch.save(state() | {"out.weight": torch.zeros(0, 2)}, tmp_path / "in.pth")
    said = made.run(tmp_path / "in.pth", tmp_path / "other").err
    assert "orbax cannot write this: Cannot save arrays with zero size" in said
    assert not (tmp_path / "other").exists()

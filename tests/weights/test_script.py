"""The migration script on hand-made grammars: what goes where, what is refused, and that nothing is left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.weights.support import Script, read_st, script, state, write_st

if TYPE_CHECKING:
    from pathlib import Path

NET = {"Net": {"conv": "layer Conv2d", "bn": "layer BatchNorm2d", "fc": "layer Linear"}}


def migrate(tmp: Path, made: Script, tensors: dict[str, Any], *options: object) -> dict[str, Any]:
    ran = made.run(write_st(tmp / "in.safetensors", tensors), tmp / "out.safetensors", *options)
    assert ran.code == 0, ran.err
    return read_st(tmp / "out.safetensors")


def refused(tmp: Path, made: Script, tensors: dict[str, Any], *options: object) -> str:
    before = {path.name for path in tmp.iterdir()} | {"in.safetensors"}
    ran = made.run(write_st(tmp / "in.safetensors", tensors), tmp / "out.safetensors", *options)
    assert ran.code == 2
    assert {path.name for path in tmp.iterdir()} == before
    return ran.err


def test_permutes_renames_and_drops(tmp_path: Path) -> None:
    source = state(
        conv__weight=(4, 3, 5, 2),
        bn__weight=(4,),
        bn__bias=(4,),
        bn__running_mean=(4,),
        bn__running_var=(4,),
        fc__weight=(6, 4),
        fc__bias=(6,),
    )
    source["bn.num_batches_tracked"] = np.array(7)
    found = migrate(tmp_path, script(tmp_path, NET), source)
    assert set(found) == {"conv.kernel", "bn.scale", "bn.bias", "bn.mean", "bn.var", "fc.kernel", "fc.bias"}
    np.testing.assert_array_equal(found["conv.kernel"], source["conv.weight"].transpose(2, 3, 1, 0))
    np.testing.assert_array_equal(found["fc.kernel"], source["fc.weight"].T)
    np.testing.assert_array_equal(found["bn.mean"], source["bn.running_mean"])


def test_splits_fused_projections_and_expands_patterns(tmp_path: Path) -> None:
    made = script(tmp_path, {"Net": {"attn": "layer MultiheadAttention", "rnn": "layer LSTM"}})
    source = state(
        attn__in_proj_weight=(12, 4), attn__in_proj_bias=(12,),
        attn__out_proj__weight=(4, 4), attn__out_proj__bias=(4,),
        rnn__weight_ih_l0=(8, 3), rnn__weight_hh_l0=(8, 2), rnn__bias_hh_l10=(8,),
    )  # fmt: skip
    found = migrate(tmp_path, made, source)
    np.testing.assert_array_equal(found["attn.key.kernel"], source["attn.in_proj_weight"][4:8].T)
    np.testing.assert_array_equal(found["attn.value.bias"], source["attn.in_proj_bias"][8:])
    np.testing.assert_array_equal(found["attn.out.kernel"], source["attn.out_proj.weight"].T)
    np.testing.assert_array_equal(found["rnn.cells.0.ih.kernel"], source["rnn.weight_ih_l0"].T)
    assert "rnn.cells.10.hh.bias" in found
    assert len(found) == 11


def test_containers_and_depth_come_from_the_checkpoint(tmp_path: Path) -> None:
    made = script(
        tmp_path,
        {"Net": {"stages": "container 1", "stack": "container 3", "heads": "container 4",
                 "scale": "tensor", "tail": "class Tail"},
         "Block": {"fc": "layer Linear"}, "Tail": {"": "container 5", "norm": "layer LayerNorm"}},
        {"1": {"ModuleList": {"*": "container 2"}}, "2": {"Sequential": {"*": ["class Block", "layer Linear"]}},
         "3": {"Sequential": {"0": "layer Linear", "norm*": "layer LayerNorm"}},
         "4": {"ModuleDict": {"a": "layer Linear"}},
         "5": {"Sequential": {"*": "layer Linear"}}},
    )  # fmt: skip
    source = state(
        stages__0__0__fc__weight=(2, 3), stages__0__11__weight=(2, 3), stages__3__0__fc__weight=(2, 2),
        stack__0__weight=(2, 2),
        stack__norm1__weight=(2,), heads__a__weight=(1, 2), scale=(1, 1, 3),
        tail__0__weight=(2, 2), tail__norm__bias=(2,), tail__norm__weight=(2,),
    )  # fmt: skip
    assert set(migrate(tmp_path, made, source)) == {
        "stages.0.layers.0.fc.kernel", "stages.0.layers.11.kernel", "stages.3.layers.0.fc.kernel",
        "stack.layers.0.kernel",
        "stack.norm1.scale", "heads.a.kernel", "scale", "tail.layers.0.kernel", "tail.norm.bias", "tail.norm.scale",
    }  # fmt: skip


def test_a_container_inside_itself(tmp_path: Path) -> None:
    made = script(
        tmp_path, {"Net": {"tree": "container 1"}}, {"1": {"ModuleList": {"*": ["layer Linear", "container 1"]}}}
    )
    assert set(migrate(tmp_path, made, state(tree__0__1__0__weight=(2, 2)))) == {"tree.0.1.0.kernel"}


def test_shapes_decide_between_possibilities(tmp_path: Path) -> None:
    made = script(
        tmp_path,
        {"Net": {"a": ["layer Conv2d", "layer Linear", "layer ReLU"], "b": ["layer BatchNorm2d", "layer LayerNorm"]}},
    )
    found = migrate(tmp_path, made, state(a__weight=(4, 3, 1, 1), b__weight=(4,), b__bias=(4,)))
    assert found["a.kernel"].shape == (1, 1, 3, 4)
    assert set(found) == {"a.kernel", "b.scale", "b.bias"}


def test_a_tensor_with_a_usual_number_of_axes(tmp_path: Path) -> None:
    made = script(
        tmp_path,
        {"Net": {"a": ["class Experts", "layer Conv2d"], "b": ["class Experts", "layer Conv2d"], "c": "class Experts"},
         "Experts": {"weight": "tensor 2"}},
    )  # fmt: skip
    tensors = state(a__weight=(4, 3, 1, 1), b__weight=(4, 3), c__weight=(1, 4, 3))
    assert set(migrate(tmp_path, made, tensors)) == {"a.kernel", "b.weight", "c.weight"}


def test_counted_batches_tell_a_norm_from_a_frozen_one(tmp_path: Path) -> None:
    frozen = dict.fromkeys(("weight", "bias", "running_mean", "running_var"), "tensor 1")
    made = script(tmp_path, {"Net": {"a b": ["class Frozen", "layer BatchNorm2d"]}, "Frozen": frozen})
    tensors = state(**{f"{name}__{key}": (4,) for name in "ab" for key in frozen})
    tensors["b.num_batches_tracked"] = np.array(7)
    found = migrate(tmp_path, made, tensors)
    assert set(found) == {f"a.{name}" for name in frozen} | {"b.scale", "b.bias", "b.mean", "b.var"}


def test_embedding_or_linear_is_never_guessed(tmp_path: Path) -> None:
    made = script(tmp_path, {"Net": {"proj": ["layer Embedding", "layer Linear"]}})
    said = refused(tmp_path, made, state(proj__weight=(4, 3)))
    assert "proj may be: layer Embedding, layer Linear" in said
    assert "--as 'proj=Embedding'" in said
    assert set(migrate(tmp_path, made, state(proj__weight=(4, 3), proj__bias=(4,)))) == {"proj.kernel", "proj.bias"}
    assert set(migrate(tmp_path, made, state(proj__weight=(4, 3)), "--as", "pr*=Linear")) == {"proj.kernel"}
    assert set(migrate(tmp_path, made, state(proj__weight=(4, 3)), "--as", "proj=Embedding")) == {"proj.embedding"}


def test_a_class_from_outside_is_told_by_its_tensors(tmp_path: Path) -> None:
    made = script(tmp_path, {"Residual": {"fn": "anything"}, "Mlp": {"up": "layer Linear", "gate": "tensor"}})
    ran = made.run(write_st(tmp_path / "in.safetensors", state(fn__up__weight=(3, 2), fn__gate=(3, 2))), "--dry-run")
    assert ran.code == 0
    assert "fn.up.weight [3, 2] -> fn.up.kernel [2, 3] (axes 1, 0)" in ran.out
    assert "fn.gate [3, 2] -> fn.gate [3, 2] (as it is)" in ran.out
    assert "class Mlp fits" in ran.out
    assert "cannot be told" in refused(tmp_path, made, state(fn__weight=(3, 2)))
    assert "is no checkpoint of any of the classes" in refused(tmp_path, made, state(fn__weight=(3, 2), fn__other=(3,)))


def test_several_models_in_one_file(tmp_path: Path) -> None:
    made = script(
        tmp_path, {"A": {"x": "layer Linear"}, "B": {"x": "layer Embedding"}, "C": {"x": "layer Linear", "y": "tensor"}}
    )
    said = refused(tmp_path, made, state(x__weight=(2, 3)))
    assert "the model may be: class A, class B" in said
    assert "--class A" in said
    assert set(migrate(tmp_path, made, state(x__weight=(2, 3)), "--class", "B")) == {"x.embedding"}
    assert set(migrate(tmp_path, made, state(x__weight=(2, 3), y=(1,)))) == {"x.kernel", "y"}


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"fc__weight": (2, 3), "extra": (1,)}, "extra: class Net has nothing with tensors named extra"),
        ({"fc__weight": (2, 3), "fc__scale": (1,)}, "fc.scale: layer Linear has no tensor scale"),
        ({"conv__weight": (2, 3)}, "conv.weight: layer Conv2d stores weight with 4 axes, here it has 2"),
        ({"fc__bias": (2,)}, "here is none"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, tensors: dict[str, tuple[int, ...]], words: str) -> None:
    assert words in refused(tmp_path, script(tmp_path, NET), state(**tensors))


def test_uneven_split_is_refused(tmp_path: Path) -> None:
    made = script(tmp_path, {"Net": {"attn": "layer MultiheadAttention"}})
    assert "splits in_proj_bias in 3, but its shape is [10]" in refused(tmp_path, made, state(attn__in_proj_bias=(10,)))


TIED = {"Lm": {"head": "layer Linear", "body": "class Body"}, "Body": {"proj": "layer Linear"}}


def test_tied_weights_are_written_once(tmp_path: Path) -> None:
    made = script(tmp_path, TIED, Lm=[("head.weight", "body.proj.weight")])
    one = state(head__weight=(3, 2))["head.weight"]
    both = migrate(tmp_path, made, {"head.weight": one, "body.proj.weight": one})
    assert set(both) == {"body.proj.kernel"}
    # safetensors files keep one of the names, perhaps the other one
    only = migrate(tmp_path, made, {"head.weight": one})
    assert set(only) == {"body.proj.kernel"}
    np.testing.assert_array_equal(only["body.proj.kernel"], one.T)
    # a tie may depend on the configuration
    untied = migrate(tmp_path, made, {"head.weight": one, "body.proj.weight": one + 1})
    assert set(untied) == {"head.kernel", "body.proj.kernel"}


def test_tied_layers_that_store_it_differently(tmp_path: Path) -> None:
    made = script(
        tmp_path, {"Lm": {"head": "layer Linear", "wte": "layer Embedding"}}, Lm=[("head.weight", "wte.weight")]
    )
    one = state(head__weight=(5, 2))["head.weight"]
    for tensors in ({"head.weight": one, "wte.weight": one}, {"head.weight": one}):
        found = migrate(tmp_path, made, tensors)
        assert set(found) == {"head.kernel.weight"}  # the tied layer holds the variable of the embedding there
        np.testing.assert_array_equal(found["head.kernel.weight"], one)


def test_a_weight_of_a_layer_under_a_name_of_the_class(tmp_path: Path) -> None:
    made = script(
        tmp_path,
        {"Net": {"lin": "layer Linear", "norm": "layer LayerNorm", "own": "tensor 2", "gain": "tensor 1"}},
        Net=[("own", "lin.weight"), ("gain", "norm.weight")],
    )
    weight, gain = (state(**{name: shape})[name] for name, shape in (("w", (2, 3)), ("g", (3,))))
    found = migrate(
        tmp_path, made, {"lin.weight": weight, "own": weight, "norm.weight": gain, "norm.bias": gain + 1, "gain": gain}
    )
    assert set(found) == {"lin.kernel", "gain", "norm.bias"}  # each under the path that the target meets first
    np.testing.assert_array_equal(found["lin.kernel"], weight.T)


def test_a_module_under_two_names(tmp_path: Path) -> None:
    made = script(
        tmp_path, {"Net": {"b": "layer Linear", "a": "layer Linear", "c": "layer Linear"}}, Net=[("b", "a"), ("c", "b")]
    )
    one = state(a__weight=(3, 2), a__bias=(3,))
    everywhere = {f"{name}.{key[2:]}": value for name in "abc" for key, value in one.items()}
    assert set(migrate(tmp_path, made, everywhere)) == {"a.kernel", "a.bias"}


def test_prefixes_of_wrappers_are_taken_off(tmp_path: Path) -> None:
    made = script(tmp_path, NET)
    plain = state(fc__weight=(2, 3))["fc.weight"]
    for name in ("module.fc.weight", "_orig_mod.fc.weight", "module._orig_mod.fc.weight", "model.net.fc.weight"):
        ran = made.run(write_st(tmp_path / "in.safetensors", {name: plain}), tmp_path / "out.safetensors")
        assert ran.code == 0
        assert "taken off" in ran.out
        assert set(read_st(tmp_path / "out.safetensors")) == {"fc.kernel"}
    assert set(migrate(tmp_path, made, {"a.b.fc.weight": plain}, "--strip", "a.b")) == {"fc.kernel"}


def test_a_report_accounts_for_every_tensor(tmp_path: Path) -> None:
    source = state(fc__weight=(2, 3), bn__weight=(2,)) | {"bn.num_batches_tracked": np.array(3)}
    migrate(tmp_path, script(tmp_path, NET), source, "--report", tmp_path / "report.json")
    rows = {row["key"]: row for row in json.loads((tmp_path / "report.json").read_text())["tensors"]}
    assert set(rows) == set(source)
    assert rows["fc.weight"] == {
        "key": "fc.weight", "dtype": "F32", "shape": [2, 3], "path": "fc.kernel",
        "new_shape": [3, 2], "transform": "axes 1, 0",
    }  # fmt: skip
    assert rows["bn.num_batches_tracked"]["dropped"] == "the target does not count batches"


def test_types_are_kept(tmp_path: Path) -> None:
    made = script(tmp_path, {"Net": dict.fromkeys("abcdef", "tensor") | {"fc": "layer Linear"}})
    bf16 = np.arange(6, dtype=np.uint16).reshape(2, 3) + 0x3F80
    source = {
        "a": np.array([True, False, True]), "b": np.arange(3), "c": np.array([1.5]),
        "d": np.array([[2]], np.float16), "e": np.int32(4),
        "f": np.zeros((0, 3), np.float32), "fc.weight": bf16,
    }  # fmt: skip
    write_st(tmp_path / "in.safetensors", source)
    assert made.run(tmp_path / "in.safetensors", tmp_path / "out.safetensors").code == 0
    import safetensors

    with safetensors.safe_open(tmp_path / "out.safetensors", "np") as file:
        assert file.get_slice("fc.kernel").get_dtype() == "BF16"
        for key in "abcdef":
            np.testing.assert_array_equal(file.get_tensor(key), source[key])
            assert file.get_tensor(key).dtype == source[key].dtype
    data = (tmp_path / "out.safetensors").read_bytes()
    assert bf16.T.tobytes() in data


# ---- sharded ---------------------------------------------------------------------------------------------------------


def sharded(tmp: Path) -> tuple[Path, dict[str, Any]]:
    folder = tmp / "shards"
    folder.mkdir(exist_ok=True)
    source = state(fc__weight=(20, 30), conv__weight=(8, 3, 3, 3), fc__bias=(20,))
    write_st(folder / "m-1.safetensors", {"fc.weight": source["fc.weight"]})
    write_st(folder / "m-2.safetensors", {key: source[key] for key in ("conv.weight", "fc.bias")})
    weight_map = {"fc.weight": "m-1.safetensors", "conv.weight": "m-2.safetensors", "fc.bias": "m-2.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return folder, source


def test_shards_in_and_out(tmp_path: Path) -> None:
    folder, source = sharded(tmp_path)
    made = script(tmp_path, NET)
    for given in (folder, folder / "model.safetensors.index.json"):
        ran = made.run(given, tmp_path / "out.safetensors", "--max-shard-size", "2KB")
        assert ran.code == 0, ran.err
    index = json.loads((tmp_path / "out.safetensors.index.json").read_text())
    files = sorted(set(index["weight_map"].values()))
    assert files == ["out-00001-of-00002.safetensors", "out-00002-of-00002.safetensors"]
    found = {key: read_st(tmp_path / name)[key] for key, name in index["weight_map"].items()}
    np.testing.assert_array_equal(found["fc.kernel"], source["fc.weight"].T)
    assert set(found) == {"fc.kernel", "fc.bias", "conv.kernel"}
    assert not (tmp_path / "out.safetensors").exists()


def test_incomplete_shards_are_named(tmp_path: Path) -> None:
    folder, source = sharded(tmp_path)
    made = script(tmp_path, NET)
    write_st(folder / "m-2.safetensors", {"conv.weight": source["conv.weight"]})
    assert (
        "m-2.safetensors: incomplete: the index says that it holds fc.bias"
        in made.run(folder, tmp_path / "o.safetensors").err
    )
    (folder / "m-2.safetensors").unlink()
    assert "the shard m-2.safetensors is missing" in made.run(folder, tmp_path / "o.safetensors").err
    (folder / "model.safetensors.index.json").write_text("[]")
    assert "not an index of shards" in made.run(folder, tmp_path / "o.safetensors").err
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../m-1.safetensors"}}')
    assert "not a file beside it" in made.run(folder, tmp_path / "o.safetensors").err


# ---- broken input ----------------------------------------------------------------------------------------------------


def test_broken_files_get_one_line(tmp_path: Path) -> None:
    made = script(tmp_path, NET)
    whole = write_st(tmp_path / "in.safetensors", state(fc__weight=(20, 30))).read_bytes()
    cases = {
        "truncated: fc.weight ends at byte": whole[:-100],
        "does not fit in its 6 bytes": whole[:6],
        "truncated or not a safetensors file": b"PK" + whole,
        "its header is not JSON": whole[:8] + b"?" + whole[9:],
        "belong to no tensor": whole + b"more",
        "corrupt: fc.weight": whole.replace(b"[20, 30]", b"[20, 31]"),
        "has the type F99": whole.replace(b"F32", b"F99"),
        "is not complete": whole.replace(b'"shape"', b'"shapf"'),
        "holds no tensors": (2).to_bytes(8, "little") + b"{}",
    }
    before = sorted(path.name for path in tmp_path.iterdir())
    for words, data in cases.items():
        (tmp_path / "in.safetensors").write_bytes(data)
        ran = made.run(tmp_path / "in.safetensors", tmp_path / "out.safetensors")
        assert ran.code == 2
        assert words in ran.err
        assert "in.safetensors" in ran.err
        assert ran.err.count("\n") == 1
        assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_bad_commands_get_one_line(tmp_path: Path) -> None:
    made = script(tmp_path, NET)
    source = write_st(tmp_path / "in.safetensors", state(fc__weight=(2, 3)))
    commands: dict[str, list[object]] = {
        "no such file": [tmp_path / "none.pth", tmp_path / "out.safetensors"],
        "holds no checkpoint": [tmp_path / "empty", tmp_path / "out.safetensors"],
        "the output is a .safetensors file": [source, tmp_path / "out.pth"],
        "name the output": [source],
        "does not exist": [source, tmp_path / "no" / "out.safetensors"],
        "no such class": [source, tmp_path / "out.safetensors", "--class", "Other"],
        "neither a class nor a layer": [source, tmp_path / "out.safetensors", "--as", "fc=Strange"],
        "write it as": [source, tmp_path / "out.safetensors", "--as", "fc"],
        "does not begin with it": [source, tmp_path / "out.safetensors", "--strip", "a"],
    }
    for words, arguments in commands.items():
        (tmp_path / "empty").mkdir(exist_ok=True)
        ran = made.run(*arguments)
        assert ran.code == 2
        assert words in ran.err
        assert ran.err.count("\n") == 1


def test_a_disk_that_lies_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = script(tmp_path, NET)
    monkeypatch.setattr(made.module.os, "fsync", lambda _: None)
    original = made.module.zlib.crc32
    calls = iter(range(100))
    fake = type("zlib", (), {"crc32": staticmethod(lambda data, start=0: original(data, start) ^ next(calls))})
    monkeypatch.setattr(made.module, "zlib", fake)
    assert "cannot be read back" in refused(tmp_path, made, state(fc__weight=(2, 3)))


def test_runs_alone(tmp_path: Path) -> None:
    made = script(tmp_path, NET)
    assert "import ml_switcheroo" not in made.text
    assert "from ml_switcheroo" not in made.text
    source = write_st(tmp_path / "in.safetensors", state(fc__weight=(2, 3)))
    command = [sys.executable, "-I", str(tmp_path / "migrate.py"), str(source), str(tmp_path / "out.safetensors")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "1 tensors read, 1 written" in ran.stdout
    assert set(read_st(tmp_path / "out.safetensors")) == {"fc.kernel"}


def test_a_reading_under_which_no_tensor_is_missing_wins(tmp_path: Path) -> None:
    made = script(tmp_path, {"Net": {"norm": ["layer LayerNorm", "class Scaled"]}, "Scaled": {"weight": "tensor"}})
    assert set(migrate(tmp_path, made, state(norm__weight=(3,), norm__bias=(3,)))) == {"norm.scale", "norm.bias"}
    made = script(tmp_path, {"Net": {"norm": ["layer BatchNorm2d", "layer PReLU"]}})
    assert set(migrate(tmp_path, made, state(norm__weight=(3,)))) == {"norm.negative_slope"}


def test_a_class_that_is_a_layer_keeps_its_tensors_beside_children_with_computed_names(tmp_path: Path) -> None:
    made = script(tmp_path, {"Net": {"norm": "class Norm"}, "Norm": {"": "layer LayerNorm", "**": "layer Linear"}})
    assert set(migrate(tmp_path, made, state(norm__weight=(3,), norm__bias=(3,)))) == {"norm.scale", "norm.bias"}

"""Scripts made from hand-made grammars, and checkpoints to feed them."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import itertools
import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ml_switcheroo.kb.model import HubOp, WriteRow
from ml_switcheroo.weights.generate import script_from_grammar
from ml_switcheroo.weights.grammar import ClassRule, ContainerRule, Grammar

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

LAYERS: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "Linear": ({"weight": "OI", "bias": "O?"}, {"weight": "kernel OI->IO", "bias": "bias"}),
    "Embedding": ({"weight": "NE"}, {"weight": "embedding"}),
    "Conv2d": ({"weight": "OIHW", "bias": "O?"}, {"weight": "kernel OIHW->HWIO", "bias": "bias"}),
    "BatchNorm2d": (
        {"weight": "O", "bias": "O?", "running_mean": "O", "running_var": "O", "num_batches_tracked": ""},
        {
            "weight": "scale",
            "bias": "bias",
            "running_mean": "mean",
            "running_var": "var",
            "num_batches_tracked": {"drop": "the target does not count batches"},
        },
    ),
    "LayerNorm": ({"weight": "", "bias": ""}, {"weight": "scale", "bias": "bias"}),
    "PReLU": ({"weight": "O"}, {"weight": "negative_slope"}),
    "MultiheadAttention": (
        {"in_proj_weight": "OI", "in_proj_bias": "O?", "out_proj.weight": "OI", "out_proj.bias": "O?"},
        {
            "in_proj_weight": {"split": ["query.kernel", "key.kernel", "value.kernel"], "axis": 0, "layout": "OI->IO"},
            "in_proj_bias": {"split": ["query.bias", "key.bias", "value.bias"], "axis": 0},
            r"out_proj\.weight": "out.kernel OI->IO",
            "out_proj.bias": "out.bias",
        },
    ),
    "LSTM": (
        {r"weight_(ih|hh)_l(\d+)": "OI", r"bias_(ih|hh)_l(\d+)": "O?"},
        {r"weight_(ih|hh)_l(\d+)": r"cells.\2.\1.kernel OI->IO", r"bias_(ih|hh)_l(\d+)": r"cells.\2.\1.bias"},
    ),
    "ReLU": ({}, {}),
}
HUB = {name: HubOp(name, "layer", weights=hub) for name, (hub, _) in LAYERS.items()}
WRITE = {name: WriteRow(name, weights=row) for name, (_, row) in LAYERS.items()}
_numbers = itertools.count()


@dataclass
class Ran:
    """What a run of a script said."""

    code: int
    out: str
    err: str


@dataclass
class Script:
    """A generated script, loaded as a module."""

    text: str
    module: ModuleType

    def run(self, *arguments: object) -> Ran:
        """Runs its command line."""
        module = self.module
        classes = {name: module.spread(own) for name, own in module.CLASSES.items()}
        layers = module.spread(module.LAYERS)
        grammar = module.Grammar(
            classes, module.CONTAINERS, layers, module.TIES, module.PLACES, module.TIED, module.NEEDED
        )
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = module.main(grammar, "flax", [str(argument) for argument in arguments])
        return Ran(code, out.getvalue(), err.getvalue())


def load(text: str, folder: Path) -> Script:
    """Writes a script and imports it."""
    path = folder / "migrate.py"
    path.write_text(text, "utf-8")
    name = f"migrate_{next(_numbers)}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return Script(text, module)


def script(
    folder: Path, classes: dict[str, Any], containers: dict[str, Any] | None = None, **ties: list[tuple[str, str]]
) -> Script:
    """A script for {'Net': {'fc': 'layer Linear'}}; several possibilities as a list, '' for the class itself."""

    def listed(children: str | list[str]) -> list[str]:
        return [children] if isinstance(children, str) else list(children)

    grammar = Grammar()
    for name, attributes in classes.items():
        children = {key: listed(value) for key, value in attributes.items()}
        grammar.classes[name] = ClassRule(children, children.pop("", []), ties.get(name, []))
    for name, box in (containers or {}).items():
        ((kind, inside),) = box.items()
        grammar.containers[name] = ContainerRule(kind, {key: listed(value) for key, value in inside.items()})
    text, _ = script_from_grammar(grammar, HUB, WRITE, ["Linear"])
    return load(text, folder)


def write_st(path: Path, tensors: dict[str, Any]) -> Path:
    """A safetensors file, written byte by byte so that the tests do not trust the code under test."""
    header, data = {}, b""
    for key, array in tensors.items():
        array = np.ascontiguousarray(array)
        names = {
            "f4": "F32",
            "f8": "F64",
            "f2": "F16",
            "i8": "I64",
            "i4": "I32",
            "u2": "BF16",
            "b1": "BOOL",
            "u1": "U8",
        }
        header[key] = {
            "dtype": names[array.dtype.str[1:]],
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + array.nbytes],
        }
        data += array.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def read_st(path: Path) -> dict[str, Any]:
    """Reads a safetensors file with the library that users have."""
    from safetensors.numpy import load_file

    return dict(load_file(path))


def state(**shapes: tuple[int, ...]) -> dict[str, Any]:
    """Numbers for names; `__` in a keyword stands for a dot."""
    rng = np.random.default_rng(0)
    return {key.replace("__", "."): rng.standard_normal(shape).astype(np.float32) for key, shape in shapes.items()}

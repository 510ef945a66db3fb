"""A small checkout of its own for the tests: rows as text, built into a temporary folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from ml_switcheroo.kb import KnowledgeBase, load_from
from ml_switcheroo.kb.build import build

API = """{"framework": "alpha", "version": "1.0", "names": {
"alpha": ["module"],
"alpha.nn": ["module"],
"alpha.Tensor": ["class",["(data)"]],
"alpha.Tensor.view": ["method",["(dtype)","(size)","(*size)"]],
"alpha.Tensor.max": ["method",["()","(other)","(dim, keepdim=False)"]],
"alpha.Tensor.shape": ["property"],
"alpha.max": ["function",
 ["(input, *, out=None)","(input, other, *, out=None)","(input, dim, keepdim=False, *, out=None)"]],
"alpha.relu": ["function",["(input, inplace=False)"]],
"alpha.nn.Linear": ["class",["(in_features, out_features, bias=True)"]],
"alpha.nn.modules.linear.Linear": ["class",[],"alpha.nn.Linear"],
"alpha.nn.Module": ["class",["()"]],
"alpha.float32": ["constant"],
"alpha.float": ["constant",[],"alpha.float32"]
}}
"""

BETA_API = """{"framework": "beta", "version": "2.0", "names": {
"beta": ["module"],
"beta.Array": ["class",["()"]],
"beta.Module": ["class",["()"]],
"beta.maximum": ["function",["(x, y, /)"]],
"beta.max": ["function",["(a, axis=None, keepdims=False)"]],
"beta.relu": ["function",["(x)"]],
"beta.reshape": ["function",["(a, shape)"]],
"beta.Dense": ["class",["(features_in, features_out, *, use_bias=True, rngs)"]]
}}
"""

FILES: dict[str, str] = {
    "semantics/fn.yaml": """\
relu: {doc: Zero where negative., params: {x: tensor}, returns: tensor}
max: {doc: Largest value., params: {x: tensor}, returns: tensor}
max_dim:
  doc: Largest values along dim and where they are.
  params: {x: tensor, dim: int, keepdim: bool = False}
  returns: "tuple[tensor, tensor]"
maximum: {doc: The larger of two., params: {x: tensor, other: tensor}, returns: tensor}
view: {doc: Another shape., params: {x: tensor, size: shape}, returns: tensor}
view_dtype: {doc: Other bits., params: {x: tensor, dtype: dtype}, returns: tensor}
shape: {doc: The lengths of the axes., kind: property, params: {x: tensor}, returns: shape}
""",
    "semantics/nn.yaml": """\
Linear:
  doc: Affine map of the last axis.
  kind: layer
  params: {in_features: int 1..8, out_features: int 1..8, bias: bool = True}
  call: {x: tensor, returns: tensor}
  weights: {weight: OI, bias: O}
  effects: [init]
""",
    "snapshots/alpha/_framework.yaml": """\
roots: [alpha]
tensor: alpha.Tensor
module_base: alpha.nn.Module
forward: forward
imports: {alpha: import alpha}
""",
    "snapshots/alpha/api.json": API,
    "snapshots/alpha/fn.yaml": """\
relu: {api: alpha.relu, args: {input: x}, extra: {inplace: drop}}
max: {api: [alpha.max, alpha.Tensor.max], args: {input: x}}
max_dim: {api: [alpha.max, alpha.Tensor.max], args: {input: x}}
maximum: {api: [alpha.max, alpha.Tensor.max], args: {input: x}}
view: {api: alpha.Tensor.view}
view_dtype: {api: alpha.Tensor.view}
shape: {api: alpha.Tensor.shape}
""",
    "snapshots/alpha/nn.yaml": "Linear: {api: alpha.nn.Linear}\n",
    "snapshots/beta/_framework.yaml": """\
roots: [beta]
tensor: beta.Array
module_base: beta.Module
imports: {bt: import beta as bt, partial: from functools import partial}
""",
    "snapshots/beta/api.json": BETA_API,
    "snapshots/beta/fn.yaml": """\
relu: {write: bt.relu(x)}
max: {write: bt.max(x)}
max_dim: {helper: max_with_index}
maximum: {write: "bt.maximum(x, other)"}
view: {write: "bt.reshape(x, size)"}
view_dtype: {refuse: bits cannot be read as another dtype here}
shape: {write: x.shape}
""",
    "snapshots/beta/helpers/fn.py": '''\
"""Helpers."""

import beta as bt


def largest(x, dim):
    """The largest along dim."""
    return bt.max(x, axis=dim)


# Both at once, as a pair.
def max_with_index(x, dim, keepdim=False):
    """The largest along dim, twice."""
    return largest(x, dim), largest(x, dim if not keepdim else dim)
''',
    "snapshots/gamma/_framework.yaml": "aliases: [beta, g]\nextends: beta\nroots: [gamma]\n",
    "snapshots/gamma/nn.yaml": """\
Linear:
  helper: Linear
  write:
    - {when: bias, emit: "bt.Dense(in_features, out_features, use_bias=bias, rngs=rngs)"}
    - {helper: Linear}
  isinstance: bt.Dense
  weights: {weight: "kernel OI->IO", bias: bias}
  needs: [rngs]
""",
    "snapshots/gamma/helpers/nn.py": '''\
"""Layer helpers."""

import beta as bt


class Base(bt.Dense):
    """The common part."""

    def __init__(self, in_features, out_features, bias=True, *, rngs):
        super().__init__(in_features, out_features, use_bias=bias, rngs=rngs)


class Linear(Base):
    """Affine map."""
''',
}

Write = Callable[[Mapping[str, str]], Path]


@pytest.fixture
def checkout(tmp_path: Path) -> Write:
    """Writes the small knowledge base with some files changed, and returns its folder."""

    def write(changes: Mapping[str, str]) -> Path:
        for name, text in {**FILES, **changes}.items():
            path = tmp_path / "top" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path / "top"

    return write


@pytest.fixture
def base(checkout: Write, tmp_path: Path) -> KnowledgeBase:
    """The small knowledge base, compiled and loaded from alpha to gamma over beta."""
    problems = build(checkout({}), tmp_path / "compiled")
    assert problems == []
    return load_from(tmp_path / "compiled", "alpha", "g")

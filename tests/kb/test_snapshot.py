"""Signatures from stubs, docstrings and introspection, and the snapshots in the repository."""

from __future__ import annotations

import importlib.metadata
import inspect
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from ml_switcheroo.kb import paths, snapshot
from ml_switcheroo.kb.plans import PLANS
from ml_switcheroo.kb.signature import parse_signature, show

if TYPE_CHECKING:
    from collections.abc import Callable

STUB = '''
from typing import overload

@overload
def max(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    r"""max(input, *, out=None) -> Tensor"""

@overload
def max(input: Tensor, dim: _int, keepdim: _bool = False, *, out: Tensor | None = None) -> Any: ...
@overload
def max(input: Tensor, dim: str | None, keepdim: _bool = False, *, out: Tensor | None = None) -> Any: ...
def size(self: Tensor, /, dim: int) -> int: ...

class device:
    @overload
    def __init__(self, device: str) -> None: ...
    @overload
    def __init__(self, type: str, index: int) -> None: ...

class TensorBase:
    @overload
    def view(self, dtype: _dtype) -> Tensor: ...
    @overload
    def view(self, *size: _int) -> Tensor: ...
    @staticmethod
    def make(value: Any, *rest: Any, **more: Any) -> Tensor: ...
'''


def test_overloads_of_a_stub_lose_annotations_and_duplicates() -> None:
    found = snapshot.stub_signatures(STUB)
    assert found["max"] == ["(input, *, out=None)", "(input, dim, keepdim=False, *, out=None)"]
    assert found["device"] == ["(device)", "(type, index)"]
    assert found["size"] == ["(input, /, dim)"]


def test_methods_of_a_stub_lose_self() -> None:
    found = snapshot.stub_signatures(STUB, "TensorBase")
    assert found == {"view": ["(dtype)", "(*size)"], "make": ["(value, *rest, **more)"]}


def plain(a, /, b, c=1, *rest, d, e=None, **more): ...  # type: ignore[no-untyped-def]
def bare_star(a, *, b="x"): ...  # type: ignore[no-untyped-def]
def only_positional(a, b=2.5, /): ...  # type: ignore[no-untyped-def]
def opaque(key=plain, start=float("inf"), end=-1e-5, pair=(1, 2)): ...  # type: ignore[no-untyped-def]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (plain, "(a, /, b, c=1, *rest, d, e=None, **more)"),
        (bare_star, "(a, *, b='x')"),
        (only_positional, "(a, b=2.5, /)"),
    ],
)
def test_signature_text(function: Callable[..., Any], expected: str) -> None:
    assert snapshot.signature_text(list(inspect.signature(function).parameters.values())) == expected


def test_defaults_are_literals_or_public_names_or_opaque() -> None:
    parameters = list(inspect.signature(opaque).parameters.values())
    text = snapshot.signature_text(parameters, {id(plain): "package.plain"})
    assert text == "(key=package.plain, start=float('inf'), end=-1e-05, pair=(1, 2))"
    assert snapshot.default_text(object(), {}) == "..."


@pytest.mark.parametrize("text", ["()", "(x)", "(x, dim=None, *, out=None)", "(*size, dtype=None)", "(a, **more)"])
def test_signatures_survive_a_round_trip(text: str) -> None:
    assert show(parse_signature(text)) == text


def names(framework: str) -> dict[str, list[Any]]:
    data = json.loads((paths.snapshots() / framework / "api.json").read_text(encoding="utf-8"))
    found: dict[str, list[Any]] = data["names"]
    return found


@pytest.mark.parametrize("framework", ["torch", "jax", "flax_nnx"])
def test_a_snapshot_is_well_formed(framework: str) -> None:
    entries = names(framework)
    assert list(entries) == sorted(entries)
    for name, entry in entries.items():
        assert entry[0] in {"module", "class", "function", "method", "property", "constant"}, name
        for text in entry[1] if len(entry) > 1 else ():
            parse_signature(text)
        if len(entry) > 2:
            assert len(entries[entry[2]]) < 3, f"{name}: alias of an alias"
    assert (paths.snapshots() / framework / "api.json").stat().st_size < 2_000_000


def test_what_real_code_asks_of_torch() -> None:
    torch = names("torch")
    assert "(input, dim, keepdim=False, *, out=None)" in torch["torch.max"][1]
    assert "(*size)" in torch["torch.Tensor.view"][1]
    assert torch["torch.Tensor.shape"] == ["property"]
    assert torch["torch.nn.modules.conv.Conv2d"][2] == "torch.nn.Conv2d"
    assert torch["torch.nn.parameter.Parameter"][2] == "torch.nn.Parameter"
    assert torch["torch.float"][2] == "torch.float32"
    assert torch["torch.nn.functional.conv2d"][2] == "torch.conv2d"
    assert torch["torch.nn.functional.max_pool2d"][1] == [
        "(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False)"
    ]
    assert torch["torch.nn.LSTM"][1][0].startswith("(input_size, hidden_size, num_layers=1,")
    for private in ("torch.nn.modules.batchnorm._BatchNorm", "torch.nn.modules.utils._pair"):
        assert private in torch


@pytest.mark.parametrize("framework", ["torch", "jax", "flax_nnx"])
def test_the_snapshot_is_what_the_installed_framework_gives(framework: str) -> None:
    path = paths.snapshots() / framework / "api.json"
    distribution = PLANS[framework].distribution
    try:
        installed = importlib.metadata.version(distribution).split("+")[0]
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{distribution} is not installed")
    recorded = json.loads(path.read_text(encoding="utf-8"))["version"]
    if installed != recorded:
        pytest.skip(f"{distribution} {installed} is installed, the snapshot is of {recorded}")
    # In a process of its own: what other tests make the framework import wraps some of its functions.
    code = (
        f"import json; from ml_switcheroo.kb import snapshot; print(json.dumps(snapshot.take({framework!r})['names']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    taken = json.loads(done.stdout.splitlines()[-1])
    committed = names(framework)
    # Parts of a framework that need a device or an optional package come and go; what is called does not.
    different = [name for name in taken.keys() & committed.keys() if taken[name] != committed[name]]
    assert different == []
    assert len(taken.keys() ^ committed.keys()) < 0.02 * len(committed)

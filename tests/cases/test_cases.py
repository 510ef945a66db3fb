"""Every case of the tables in this folder: the text that comes out, the diagnostics, and where asked the numbers."""

from __future__ import annotations

import difflib
import os
import re
import types
from typing import Any

import numpy as np
import pytest

from .tables import PRELUDE, Case, all_cases, same_text, without_imports

CASES = all_cases()
RUNS = [case for case in CASES if case.run]


def marked(cases: list[Case]) -> list[Any]:
    return [
        pytest.param(case, id=case.id, marks=[pytest.mark.xfail(strict=True, reason=case.xfail)] if case.xfail else [])
        for case in cases
    ]


@pytest.mark.parametrize("case", marked(CASES))
def test_text(case: Case) -> None:
    done = case.convert()
    found = sorted((d.line, d.severity, d.code) for d in done.diagnostics if d.severity in ("error", "warning"))
    if case.after is None:
        got, wanted = done.code, case.before
    elif case.exact:
        got, wanted = done.code, case.after
    else:
        got, wanted = without_imports(done.code), without_imports(case.after)
    difference = "\n".join(difflib.unified_diff(wanted.splitlines(), got.splitlines(), "wanted", "got", lineterm=""))
    assert same_text(wanted, got), f"\n{difference}\n" + "\n".join(map(str, done.diagnostics))
    assert found == sorted(case.expected), "\n".join(map(str, done.diagnostics))


def arrays(seed: int = 0) -> dict[str, Any]:
    """What `run:` lines may call: x(2, 3) floats, n(2, 3) whole numbers, b(2, 3) booleans; the same on both sides."""
    rng = np.random.default_rng(seed)
    return {
        "x": lambda *shape: rng.standard_normal(shape, dtype=np.float32),
        "n": lambda *shape, high=5: rng.integers(0, high, shape, dtype=np.int32),
        "b": lambda *shape: rng.random(shape) < 0.5,
    }


def executed(text: str, names: dict[str, Any]) -> dict[str, Any]:
    module = types.ModuleType("case")
    exec(compile(text, "case", "exec"), module.__dict__)
    return {**module.__dict__, **names}


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for key in sorted(value) for leaf in leaves(value[key])]
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


def array_of(framework: str) -> Any:
    """What makes an array of a framework from one of NumPy."""
    if framework == "numpy":
        return np.copy
    if framework == "torch":
        return pytest.importorskip("torch").from_numpy
    if framework == "mlx":
        return pytest.importorskip("mlx.core").array
    if framework == "tensorflow":
        return pytest.importorskip("tensorflow").constant
    if framework == "keras":
        os.environ.setdefault("KERAS_BACKEND", "jax")
        return pytest.importorskip("keras.ops").convert_to_tensor
    return pytest.importorskip("jax.numpy").asarray


@pytest.mark.filterwarnings("ignore:Explicitly requested dtype")  # JAX as a backend holds no 64 bits by default
@pytest.mark.parametrize("case", marked(RUNS))
def test_numbers(case: Case) -> None:
    makers = [array_of(case.source), array_of(case.target)]
    text = case.convert(inline=True).code
    for line in case.run:
        line = re.sub(r"\b([xnb])\(", r"__\1(", line)
        sides = []
        for code, make in zip((case.before, text), makers, strict=True):
            draws = {f"__{name}": lambda *a, f=f, m=make, **k: m(f(*a, **k)) for name, f in arrays().items()}
            sides.append(leaves(eval(line, executed(code, draws))))
        assert len(sides[0]) == len(sides[1])
        for wanted, got in zip(*sides, strict=True):
            if hasattr(wanted, "detach"):
                wanted = wanted.detach().numpy()
            if isinstance(wanted, np.ndarray):
                assert np.shape(got) == wanted.shape
                assert np.asarray(got).dtype.kind == wanted.dtype.kind
                assert case.target != "numpy" or np.asarray(got).dtype == wanted.dtype
            np.testing.assert_allclose(np.asarray(got), np.asarray(wanted), rtol=1e-5, atol=1e-6)


def test_the_tables_say_what_they_mean() -> None:
    """Headings are unique, and blocks that need no prelude do not repeat it."""
    names = [case.id for case in CASES]
    assert len(names) == len(set(names))
    assert not [case.id for case in CASES if case.before.count(PRELUDE) > 1]

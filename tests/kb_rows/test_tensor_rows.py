"""Every tensor row reads its torch call and writes JAX that computes the same: values, shapes, dtypes and gradients."""

from __future__ import annotations

from typing import Any

import libcst as cst
import numpy as np
import pytest

torch = pytest.importorskip("torch")
jax = pytest.importorskip("jax")
nnx = pytest.importorskip("flax.nnx")

import jax.numpy as jnp  # noqa: E402
from tests.kb_rows.tensor_rows import DRAWN, REFUSED, ROWS  # noqa: E402

from ml_switcheroo import kb  # noqa: E402
from ml_switcheroo.analysis.values import UNKNOWNS, Api, Scalar, Tensor, Value, Values  # noqa: E402
from ml_switcheroo.convert.base import CallArg, Emission, Misfit, OpCall, Place  # noqa: E402
from ml_switcheroo.convert.bind import bind, bind_property  # noqa: E402
from ml_switcheroo.convert.emit import emit  # noqa: E402

BASE = kb.load("torch", "jax")
PLACE = Place(rngs=cst.Name("rngs"))


class RefusedError(Exception):
    """The rows do not convert this."""


def variables() -> dict[str, Any]:
    """Inputs of the expressions, as numpy arrays and Python values."""
    rng = np.random.default_rng(0)
    steps = iter(np.linspace(0.0, 0.1, 50))  # no two arrays share a value

    def normal(*shape: int) -> np.ndarray:
        values = np.linspace(-1.9, 2.1, int(np.prod(shape))) + next(steps)
        return rng.permutation(values).reshape(shape).astype(np.float32)

    def whole(high: int, *shape: int) -> np.ndarray:
        return rng.integers(0, high, shape)

    x = normal(2, 3, 4)
    return {
        "x": x,
        "y": normal(2, 3, 4),
        "p": (normal(2, 3, 4) + 2.0) / 4.2,
        "t": np.round(np.abs(normal(2, 3, 4))),
        "m": normal(3, 4),
        "n": normal(4, 5),
        "d": normal(3, 3),
        "v": normal(4),
        "u": normal(4),
        "b2": normal(2, 4, 3),
        "i": whole(4, 2, 3, 4),
        "j": whole(4, 2, 3, 4) + 1,
        "q": rng.random((2, 3, 4)) > 0.4,
        "z": (normal(2, 3) + 1j * normal(2, 3)).astype(np.complex64),
        "g": np.argsort(rng.random((2, 3, 4)), axis=0),
        "r": np.array([2, 0]),
        "r3": np.array([2, 0, 1]),
        "one": normal(2, 1, 4),
        "s": np.float32(0.75),
        "half": normal(3, 4).astype(np.float16),
        "big": normal(2000),
        "k": 2,
        "sizes": (4, 6),
        "order": (2, 0, 1),
        "split_list": [1, 3],
        "flag": True,
    }


ARRAYS = {name: value for name, value in variables().items() if isinstance(value, (np.ndarray, np.floating))}
PLAIN = {name: value for name, value in variables().items() if name not in ARRAYS}
KINDS: dict[str, Values] = {
    **{name: frozenset({Tensor()}) for name in ARRAYS},
    "k": frozenset({Scalar("int")}),
    "sizes": frozenset({Scalar("shape")}),
    "order": frozenset({Scalar("shape")}),
    "flag": frozenset({Scalar("bool")}),
    "array": frozenset({Scalar("ndarray")}),
}


class Converter(cst.CSTTransformer):
    """Converts one expression by the rows, without the passes: names starting with torch, and methods of tensors."""

    def __init__(self) -> None:
        self.values: dict[cst.CSTNode, Values] = {}
        self.used: set[str] = set()
        self.ops: set[str] = set()
        self.parts: set[cst.CSTNode] = set()

    def dotted(self, node: cst.BaseExpression) -> str | None:
        if isinstance(node, cst.Name):
            return node.value
        if isinstance(node, cst.Attribute):
            head = self.dotted(node.value)
            return None if head is None else f"{head}.{node.attr.value}"
        return None

    def kinds(self, node: cst.BaseExpression) -> Values:
        if node in self.values:
            return self.values[node]
        if isinstance(node, cst.Name):
            return KINDS.get(node.value, UNKNOWNS)
        if isinstance(node, cst.Subscript):
            base = self.kinds(node.value)
            return base if any(isinstance(one, Tensor) for one in base) else UNKNOWNS
        if isinstance(node, (cst.BinaryOperation, cst.Comparison, cst.UnaryOperation)):
            parts = [child for child in node.children if isinstance(child, cst.BaseExpression)]
            if any(isinstance(one, Tensor) for part in parts for one in self.kinds(part)):
                return frozenset({Tensor()})
        name = self.dotted(node) or ""
        return frozenset({Api(name)}) if name.startswith("torch.") else UNKNOWNS

    def api(self, node: cst.BaseExpression) -> tuple[str, cst.Attribute | None]:
        name = self.dotted(node) or ""
        if name.startswith("torch."):
            return name, None
        if isinstance(node, cst.Attribute):
            kinds = self.kinds(node.value)
            if any(isinstance(one, Tensor) for one in kinds):
                return f"torch.Tensor.{node.attr.value}", node
            if kinds == frozenset({Scalar("dtype")}):
                return f"torch.dtype.{node.attr.value}", node
        return "", None

    def visit_Call(self, node: cst.Call) -> None:
        self.parts.add(node.func)

    def visit_Attribute(self, node: cst.Attribute) -> None:
        if (self.dotted(node) or "").startswith("torch."):
            self.parts.add(node.value)

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.BaseExpression:
        api, attribute = self.api(original_node)
        if original_node in self.parts or not api:
            return updated_node
        receiver = None
        if attribute is not None:
            receiver = CallArg(updated_node.value, original_node.value, self.kinds(original_node.value))
        return self.finish(original_node, bind_property(BASE, api, receiver))

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        api, attribute = self.api(original_node.func)
        if not api:
            return updated_node
        receiver = None
        if attribute is not None:
            assert isinstance(updated_node.func, cst.Attribute)
            receiver = CallArg(updated_node.func.value, attribute.value, self.kinds(attribute.value))
        args = [
            CallArg(new.value, old.value, self.kinds(old.value), new.keyword.value if new.keyword else None, new.star)
            for old, new in zip(original_node.args, updated_node.args, strict=True)
        ]
        call = bind(BASE, api, args, receiver, updated_node)
        if isinstance(call, Misfit) and api.endswith("_"):  # the passes read add_ by the row of add
            call = bind(BASE, api.removesuffix("_"), args, receiver, updated_node)
        return self.finish(original_node, call)

    def finish(self, node: cst.BaseExpression, call: OpCall | Misfit) -> cst.BaseExpression:
        if isinstance(call, Misfit):
            raise RefusedError(f"{call.code} {call.message} {call.hint}")
        result = emit(BASE, call, PLACE)
        if isinstance(result, Misfit):
            raise RefusedError(f"{result.code} {result.message} {result.hint}")
        self.ops.add(call.op.name)
        self.used |= result.helpers
        words: dict[str, Value] = {
            "tensor": Tensor(),
            "shape": Scalar("shape"),
            "dtype": Scalar("dtype"),
            "device": Scalar("device"),
            "int": Scalar("int"),
        }
        found = words.get(call.op.returns.split("[")[0])
        self.values[node] = UNKNOWNS if found is None else frozenset({found})
        assert isinstance(result, Emission)
        return result.node


def convert(source: str) -> tuple[str, Converter]:
    """The JAX text of a torch expression."""
    converter = Converter()
    module = cst.parse_module(source)
    return module.visit(converter).code.strip(), converter


def helpers() -> dict[str, Any]:
    """All helpers of the target and its import aliases, as the output would define them."""
    names: dict[str, Any] = {}
    for statement in BASE.imports().values():
        exec(statement, names)
    wanted = [name for family in kb_files() for name in family]
    texts = [BASE.helper(name) for name in wanted]
    exec(
        "from __future__ import annotations\n" + "\n\n".join(helper.text for helper in texts if helper is not None),
        names,
    )
    return names


def kb_files() -> list[list[str]]:
    """Names of the helpers of the tensor families, in an order in which each follows what it uses at definition."""
    used: list[str] = []

    def add(name: str) -> None:
        helper = BASE.helper(name)
        if helper is not None and name not in used:
            for other in helper.uses:
                add(other)
            if name not in used:
                used.append(name)

    for op in BASE.ops():
        row = BASE.write(op)
        for form in row.forms if row is not None else ():
            if form.helper and form.helper[0].islower():
                add(form.helper)
    return [used]


HELPERS = helpers()


def scope(target: bool, arrays: dict[str, Any]) -> dict[str, Any]:
    """The names that an expression sees, on one side."""
    lift = jnp.asarray if target else torch.tensor
    names = {
        name: lift(value) if isinstance(value, (np.ndarray, np.floating)) else value for name, value in arrays.items()
    }
    names |= PLAIN | {"rows": [names["m"], names["m"]], "array": ARRAYS["m"]}
    names["unknown_dtype"] = jnp.dtype("float32") if target else torch.float32
    names["unknown_tensor"] = names["x"]
    names["unknown_device"] = "cpu"
    names["obj"] = [1, 2]
    return {**HELPERS, **names, "rngs": nnx.Rngs(0)} if target else {**names, "torch": torch}


def parts(value: Any) -> list[Any]:
    """The single values of a result."""
    if isinstance(value, (tuple, list)):
        return [one for part in value for one in parts(part)]
    return [value]


NARROW = {"int64": "int32", "float64": "float32", "complex128": "complex64"}


def compare(ours: Any, theirs: Any, exact_dtype: bool = True) -> None:
    """Same number of results, and the same shape, dtype and values of each."""
    mine, expected = parts(ours), parts(theirs)
    assert len(mine) == len(expected), f"{len(mine)} results, not {len(expected)}"
    for one, other in zip(mine, expected, strict=True):
        if isinstance(other, torch.Tensor):
            other = other.detach().resolve_conj().numpy()
            assert isinstance(one, (jax.Array, np.ndarray, np.generic, float, int, bool)), type(one)
            dtype = NARROW.get(other.dtype.name, other.dtype.name)
            if exact_dtype:
                assert np.asarray(one).dtype.name == dtype, f"dtype {np.asarray(one).dtype} instead of {dtype}"
            assert np.shape(one) == other.shape, f"shape {np.shape(one)} instead of {other.shape}"
            tolerance = 2e-3 if dtype == "float16" else 2e-5
            np.testing.assert_allclose(
                np.asarray(one, dtype=dtype), other.astype(dtype), rtol=tolerance, atol=tolerance
            )
        elif isinstance(other, torch.dtype):
            word = str(other).removeprefix("torch.")
            assert jnp.dtype(one) == jnp.dtype(NARROW.get(word, word))
        elif isinstance(other, float):
            np.testing.assert_allclose(one, other, rtol=1e-6)
        else:
            assert np.all(one == other), f"{one!r} instead of {other!r}"


def gradients(source: str, target: str) -> None:
    """The gradient of a weighted sum of all float results, with respect to every float variable of the expression."""
    names = sorted(
        {part.value for part in _names(source)} & {n for n, a in ARRAYS.items() if a.dtype == np.float32} - {"big"}
    )
    values = scope(False, ARRAYS)
    for name in names:
        values[name].requires_grad_()
    copies = {name: values[name] * 1 for name in names}
    values["rows"] = [copies.get("m", values["m"])] * 2
    results = [
        one for one in parts(eval(source, {**values, **copies})) if isinstance(one, torch.Tensor) and one.requires_grad
    ]
    results = [one for one in results if one.dtype == torch.float32 and bool(torch.isfinite(one).all())]
    if not results:
        return
    weights = [np.cos(np.arange(one.numel())).reshape(one.shape).astype(np.float32) for one in results]
    total = sum((one * torch.tensor(w)).sum() for one, w in zip(results, weights, strict=True))
    try:
        grads = torch.autograd.grad(total, [values[name] for name in names], allow_unused=True)
    except (NotImplementedError, RuntimeError):
        return  # torch itself has no gradient here

    def loss(given: dict[str, Any]) -> Any:
        found = [one for one in parts(eval(target, scope(True, {**ARRAYS, **given}))) if isinstance(one, jax.Array)]
        found = [one for one in found if one.dtype == jnp.float32]
        return sum(jnp.sum(one * w) for one, w in zip(found, weights, strict=True))

    ours = jax.grad(loss)({name: jnp.asarray(ARRAYS[name]) for name in names})
    for name, grad in zip(names, grads, strict=True):
        expected = np.zeros_like(ARRAYS[name]) if grad is None else grad.numpy()
        np.testing.assert_allclose(
            ours[name], expected, rtol=2e-4, atol=2e-5, err_msg=f"gradient of {name} through {target}"
        )


def _names(source: str) -> list[cst.Name]:
    found: list[cst.Name] = []

    class Collector(cst.CSTVisitor):
        def visit_Name(self, node: cst.Name) -> None:
            found.append(node)

    cst.parse_module(source).visit(Collector())
    return found


pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of its own old spellings
EXPRESSIONS = [(family, line.strip()) for family, text in ROWS.items() for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize(("family", "source"), EXPRESSIONS, ids=[source for _, source in EXPRESSIONS])
def test_row(family: str, source: str) -> None:
    target, converter = convert(source)
    assert "torch" not in target, target
    theirs = eval(source, scope(False, ARRAYS))
    if isinstance(theirs, torch.Tensor) and theirs.dtype == torch.complex128:
        pytest.skip("no complex128")
    ours = eval(target, scope(True, ARRAYS))
    compare(ours, theirs)
    if family in DIFFERENTIATED and not converter.ops & NO_GRADIENT and "prod')" not in source:
        gradients(source, target)


# The other families hold nothing but moves of elements, or nothing to differentiate.
# scatter_reduce with prod has no gradient in JAX for repeated places: jax.grad says so.
DIFFERENTIATED = {"indexing", "elementwise", "reduction", "sorting", "cumulative", "complex", "autograd", "misc"}
# Results whose gradient torch does not define, refuses, or defines as an accident of its implementation.
NO_GRADIENT = {
    "to_numpy",
    "tolist",
    "item",
    "detach",
    "nextafter",
    "heaviside",
    "view_dtype",
    "result_type",
    "half",
    "bfloat16",
    "to_device",
    "requires_grad_",
    "fmax",
    "fmin",
}


@pytest.mark.parametrize(("source", "reason"), REFUSED.items())
def test_refused(source: str, reason: str) -> None:
    with pytest.raises(RefusedError, match="SW2") as caught:
        convert(source)
    assert reason in str(caught.value)


@pytest.mark.parametrize(("source", "moments"), DRAWN.items(), ids=list(DRAWN))
def test_drawn(source: str, moments: tuple[float, float] | None) -> None:
    target, _ = convert(source)
    ours, theirs = eval(target, scope(True, ARRAYS)), eval(source, scope(False, ARRAYS))
    assert ours.shape == tuple(theirs.shape)
    word = str(theirs.dtype).removeprefix("torch.")
    assert ours.dtype.name == NARROW.get(word, word)
    if moments is not None:
        mean, spread = moments
        values = np.asarray(ours, dtype=np.float64)
        assert abs(values.mean() - mean) < 5 * spread / np.sqrt(values.size) + 1e-3
        assert abs(values.std() - spread) < 0.1 * spread


@pytest.mark.parametrize("replacement", [True, False])
def test_multinomial_draws_each_place_as_often_as_its_weight_says(replacement: bool) -> None:
    target, _ = convert(f"torch.multinomial(weights, 1, replacement={replacement})")
    weights = jnp.tile(jnp.array([[0.1, 0.0, 0.9]]), (3000, 1))
    draws = np.asarray(eval(target, {**HELPERS, "rngs": nnx.Rngs(1), "weights": weights}))
    assert not (draws == 1).any()
    assert abs((draws == 2).mean() - 0.9) < 0.03

"""Functions under rarer names, each called once on both sides: old spellings, copies of views, derivatives of functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
jax = pytest.importorskip("jax")
pytest.importorskip("flax")

import jax.numpy as jnp  # noqa: E402

import ml_switcheroo  # noqa: E402

CALLS = """
    torch.layer_norm(x, (5,), None, None, 1e-5, True)
    torch.group_norm(x, 2, None, None, 1e-5)
    torch.instance_norm(x, None, None, None, None, True, 0.1, 1e-5, True)
    torch.batch_norm(x, None, None, None, None, True, 0.1, 1e-5, False)
    torch.embedding(x[0], i)
    torch.kl_div(x, p, 1)
    torch.kl_div(x, p, 1, log_target=True)
    torch.hinge_embedding_loss(x, torch.sign(y), 1.0, 1)
    torch.binary_cross_entropy_with_logits(x, p, p + 1, None, 1)
    torch.binary_cross_entropy_with_logits(x, p, None, p + 1, 1)
    torch.poisson_nll_loss(x, p, True, False, 1e-8, 1)
    torch.cosine_embedding_loss(x[0], y[0], torch.ones(4), margin=0.1, reduction=1)
    torch.margin_ranking_loss(x, y, torch.sign(x), 0.1, 1)
    torch.triplet_margin_loss(x[0], y[0], p[0], 1.0, 2.0, 1e-6, False, 1)
    torch.ctc_loss(F.log_softmax(x.transpose(0, 1), -1), torch.tensor([[1, 2], [3, 1]]), (4, 4), (2, 2), 0, 1)
    torch.max_pool1d(x, 2)
    torch.max_pool1d(x, 3, 1, 1)
    torch.max_pool2d(x, 2)
    torch.max_pool3d(x[None], (1, 2, 2), ceil_mode=True)
    torch.max_pool1d_with_indices(x, 2)
    torch.adaptive_max_pool1d(x, 2)
    F.max_pool2d_with_indices(x, 2)
    F.adaptive_max_pool2d_with_indices(x, 2)
    torch.constant_pad_nd(x, (1, 2))
    torch.constant_pad_nd(x, (1, 2, 0, 1), 0.5)
    torch.grid_sampler(x[None], torch.stack([p[0], p[1]], -1)[None], 0, 0, False)
    torch.grid_sampler_2d(x[None], torch.stack([p[0], p[1]], -1)[None], 0, 0, True)
    torch.affine_grid_generator(x[:, :2, :3], (2, 1, 3, 4), False)
    torch.native_channel_shuffle(x, 2)
    torch.view_copy(x, (8, 5))
    torch.permute_copy(x, (2, 0, 1))
    torch.transpose_copy(x, 0, 1)
    torch.t_copy(x[0])
    torch.squeeze_copy(x[:1])
    torch.squeeze_copy(x[:1], 0)
    torch.unsqueeze_copy(x, 1)
    torch.expand_copy(x[:1], (3, 4, 5))
    torch.split_copy(x, 2, 1)
    torch.split_with_sizes_copy(x, [1, 3], 1)
    torch.unsafe_split_with_sizes(x, [2, 3], 2)
    torch.unbind_copy(x)
    torch.unfold_copy(x, 2, 2, 1)
    torch.diagonal_copy(x, 0, 1, 2)
    torch.select_copy(x, 1, 2)
    torch.narrow_copy(x, 1, 1, 2)
    x.narrow_copy(2, 0, 3)
    torch.alias_copy(x)
    torch.view_as_real_copy(torch.complex(x, y))
    torch.view_as_complex_copy(torch.stack([x, y], -1))
    (p + 1).polygamma(1)
    torch.orgqr(x[0, :, :3], p[0, 0, :3])
    torch.special.modified_bessel_i0(x)
    torch.special.modified_bessel_i1(x)
    x.new_empty_strided((2, 3), (3, 1)).shape
    torch.empty_strided((2, 3), (3, 1)).shape
    torch.range(0, 3)
    torch.range(1, -2, -0.75)
    torch.from_dlpack(x)
    torch.dsplit(x, [2, 3])
    x.sum_to_size(1, 5)
    torch.index_reduce(x, 2, i, y[:, :, :3], "amax", include_self=False)
    torch.index_reduce(x, 0, i[:1], y[:1], "mean")
    torch.diagonal_scatter(x, y[:, 0, :4], 1, 1, 2)
    torch.nonzero_static(x > 0, size=50)
    torch.histogram(x, 4, range=(-1.0, 1.0))
    x.histogram(torch.tensor([-2.0, 0.0, 0.5, 2.0]), density=True)
    torch.gradient(x)
    torch.gradient(x, spacing=[0.5, 2.0], dim=[0, 2])
    torch.frobenius_norm(x, (1, 2))
    torch.nuclear_norm(x, (1, 2))
    torch.norm_except_dim(x, 2, 1)
    torch.conv_tbc(x, torch.ones(3, 5, 2), torch.ones(2), 1)
    torch.can_cast(torch.int32, torch.float32), torch.can_cast(torch.float32, torch.int32)
    torch.sym_max(3, 4) + torch.sym_min(3, 4) + torch.sym_int(2.5) + torch.sym_sum([1, 2]) + torch.sym_float(2) + torch.sym_sqrt(4)
    torch.sym_not(True)
    torch.cond(x.sum() > 0, torch.sin, torch.cos, (x,))
    torch.func.jvp(torch.sin, (x,), (y,))
    torch.func.vjp(torch.sin, x)[1](y)[0]
    torch.func.vjp(torch.mul, x, y)[1](p)
    torch.func.linearize(torch.sin, x)[1](y)
    torch.func.grad_and_value(lambda a: (a**3).sum())(x)
    torch.func.grad_and_value(lambda a: ((a**3).sum(), a * 2), has_aux=True)(x)
    torch.func.functionalize(torch.sin)(x)
    torch.func.debug_unwrap(x)
    torch.autograd.functional.jacobian(torch.sin, x[0, 0])
    torch.autograd.functional.jacobian(lambda a, b: a * b, (x[0, 0], y[0, 0]))
    torch.autograd.functional.hessian(lambda a: (a**3).sum(), x[0, 0])
    torch.autograd.functional.vjp(lambda a: a**3, x, y)
    torch.autograd.functional.vjp(lambda a, b: (a * b).sum(), (x, y))
    torch.autograd.functional.jvp(lambda a: a**3, x, y)
    torch.autograd.functional.hvp(lambda a: (a**3).sum(), x, y)
    torch.autograd.functional.hvp(lambda a, b: (a**3 * b).sum(), (x, y), (y, x))
    torch.autograd.functional.vhp(lambda a: (a**3).sum(), x, y)
    torch.nn.utils.get_total_norm([x, y[0]])
    torch.nn.utils.get_total_norm([x, y[0]], norm_type=float("inf"))
    torch.cuda.memory_allocated() + torch.cuda.max_memory_allocated()
    torch.autograd.is_tensor_like(x)
    x.dim_order()
    torch.are_deterministic_algorithms_enabled()
    torch.backends.cuda.is_built() and torch.cuda.is_tf32_supported()
    torch.signal.windows.kaiser(7, beta=3.0, sym=False)
    torch.signal.windows.exponential(6, tau=0.7)
    torch.signal.windows.exponential(6, center=1.0, sym=False)
    torch.signal.windows.gaussian(1, std=2.0)
    torch.signal.windows.cosine(1, sym=False), torch.signal.windows.cosine(5, sym=False), torch.signal.windows.cosine(4)
    torch.nonzero_static(x[:0], size=2)
"""
ROWS = [line.strip() for line in CALLS.strip().splitlines()]
VALUES = {
    "x": np.random.default_rng(0).standard_normal((2, 4, 5)).astype(np.float32),
    "y": np.random.default_rng(1).standard_normal((2, 4, 5)).astype(np.float32),
    "p": np.random.default_rng(2).random((2, 4, 5)).astype(np.float32),
    "i": np.array([0, 3, 1]),
}


@pytest.fixture(scope="module")
def both() -> tuple[dict[str, Any], dict[str, Any]]:
    """The source with a function for each line, and its conversion."""
    source = "import torch\nimport torch.nn.functional as F\n"
    for number, row in enumerate(ROWS):
        source += f"\n\ndef call_{number}(x, y, p, i):\n    return {row}\n"
    converted = ml_switcheroo.convert(source, source="torch", target="jax")
    assert [(ROWS[(one.line - 6) // 4], one.message) for one in converted.diagnostics if one.severity == "error"] == []
    theirs: dict[str, Any] = {}
    ours: dict[str, Any] = {}
    exec(compile(source, "source.py", "exec"), theirs)
    exec(compile(converted.code, "converted.py", "exec"), ours)
    return ours, theirs


def flat(value: Any) -> list[np.ndarray]:
    if isinstance(value, (tuple, list)):
        return [one for part in value for one in flat(part)]
    return [value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)]


@pytest.mark.filterwarnings("ignore")  # the names are old
@pytest.mark.parametrize("number", range(len(ROWS)), ids=ROWS)
def test_it_computes_the_same(number: int, both: tuple[dict[str, Any], dict[str, Any]]) -> None:
    ours, theirs = both
    expected = flat(theirs[f"call_{number}"](**{name: torch.tensor(value) for name, value in VALUES.items()}))
    found = flat(ours[f"call_{number}"](**{name: jnp.asarray(value) for name, value in VALUES.items()}))
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        if isinstance(other.dtype, np.dtype) and other.ndim:
            name = {"int64": "int32", "float64": "float32"}.get(other.dtype.name, other.dtype.name)
            assert one.dtype == np.dtype(name)
        np.testing.assert_allclose(one, other, rtol=5e-5, atol=5e-5)


def test_draws_of_a_binomial() -> None:
    done = ml_switcheroo.convert("import torch\n\n\ndef f(n, p):\n    return torch.binomial(n, p)\n", target="jax")
    ours: dict[str, Any] = {}
    exec(compile(done.code, "converted.py", "exec"), ours)
    draws = ours["f"](jnp.full((5000,), 8.0), jnp.full((5000,), 0.25), rngs=ours["nnx"].Rngs(0))
    assert draws.dtype == jnp.float32
    assert abs(float(draws.mean()) - 2) < 0.1
    assert abs(float(draws.var()) - 1.5) < 0.15

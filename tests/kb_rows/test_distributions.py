"""Distributions: what they compute, and what is drawn from them, against torch's."""

from __future__ import annotations

import types
from functools import cache
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
jax = pytest.importorskip("jax")

import jax.numpy as jnp  # noqa: E402
import torch.distributions as D  # noqa: E402
from flax import nnx  # noqa: E402

from ml_switcheroo import convert  # noqa: E402

A = np.array([[0.3, 1.2, 2.5], [0.9, 4.0, 0.1]], np.float32)
B = np.array([0.7, 1.5, 3.0], np.float32)
P = np.array([[0.2, 0.5, 0.7], [0.9, 0.4, 0.3]], np.float32)
C = np.array([[2.0, 0.5, 0.3], [0.2, 0.3, 0.6]], np.float32)
TRIL = np.array([[1.2, 0, 0], [0.3, 0.8, 0], [-0.4, 0.2, 0.5]], np.float32)
COVARIANCE = TRIL @ TRIL.T

# Each line: how the distribution is made from the arrays a and b, values of which the probability is asked, what it has.
FAMILIES = """
    Normal(a, b) | A | cdf icdf kl
    Normal(a, 2) | A | cdf icdf kl
    LogNormal(a, b) | A | kl
    HalfNormal(b) | A | cdf icdf kl
    Uniform(-a, b) | 0 * A | cdf icdf kl
    Exponential(b) | A | cdf icdf kl
    Laplace(a, b) | A - 1 | cdf icdf kl
    Gumbel(a, b) | A | cdf icdf kl
    Cauchy(a, b) | A | cdf icdf kl
    StudentT(b + 2, a, b) | A |
    Gamma(a, b) | A | kl
    Chi2(b) | A |
    Beta(a, b) | P | kl
    Dirichlet(a) | P / P.sum(-1, keepdims=True) | kl
    Poisson(b) | np.round(A) | kl
    Bernoulli(probs=a / 5) | np.round(P) | kl
    Bernoulli(logits=a) | np.round(P) | kl
    Geometric(probs=a / 5) | np.round(A) | kl
    Geometric(logits=a) | np.round(A) | kl
    Categorical(probs=a) | np.array([2, 0]) | kl
    Categorical(logits=a) | np.array([[2, 0], [1, 1]]) | kl
    OneHotCategorical(logits=a) | np.eye(3, dtype=np.float32)[[1, 2]] | kl
    OneHotCategoricalStraightThrough(probs=a) | np.eye(3, dtype=np.float32)[[1, 2]] |
    MultivariateNormal(a, scale_tril=TRIL) | P | kl
    MultivariateNormal(a, covariance_matrix=COVARIANCE) | P | kl
    MultivariateNormal(b, precision_matrix=COVARIANCE) | P | kl
    Independent(Normal(a, b), 1) | P | kl
    Independent(Bernoulli(logits=a), 2) | np.round(P) | kl
    MixtureSameFamily(Categorical(logits=a), Normal(a, b)) | P[0, :2] |
    MixtureSameFamily(Categorical(logits=b), Independent(Normal(M, 0.5), 1)) | P[0, :2] |
"""
ROWS = [[part.strip() for part in line.split("|")] for line in FAMILIES.strip().splitlines()]
IDS = [row[0] for row in ROWS]
M = np.array([[0.1, 0.2], [1.0, -1.0], [3.0, 2.0]], np.float32)
NAMES = {"A": A, "B": B, "P": P, "np": np}
CONSTANTS = {"TRIL": TRIL, "COVARIANCE": COVARIANCE, "M": M}


def torch_made(text: str, a: Any, b: Any) -> Any:
    """The distribution in torch."""
    constants = {name: torch.tensor(value) for name, value in CONSTANTS.items()}
    return eval(text, {**vars(D), **constants, "a": a, "b": b})


@cache
def everything() -> dict[str, Any]:
    """A converted file in which function number n makes the distribution of line n."""
    names = sorted({name for text in IDS for name in vars(D) if f"{name}(" in text and name[0].isupper()})
    code = f"from torch.distributions import {', '.join(names)}, kl_divergence\n\n\n"
    for number, text in enumerate(IDS):
        code += f"def make_{number}(a, b, TRIL, COVARIANCE, M):\n    return {text}\n\n\n"
    code += "def divergence(p, q):\n    return kl_divergence(p, q)\n"
    done = convert(code, source="torch")
    assert not done.diagnostics, done.diagnostics
    module = types.ModuleType("case")
    exec(compile(done.code, "case", "exec"), module.__dict__)
    return module.__dict__


def converted(text: str) -> Any:
    """The function that makes it, converted."""
    make = everything()[f"make_{IDS.index(text)}"]
    constants = {name: jnp.asarray(value) for name, value in CONSTANTS.items()}
    return lambda a, b: make(a, b, **constants)


def same(got: Any, expected: Any, what: str, tolerance: float = 2e-4) -> None:
    expected = expected.detach().numpy() if hasattr(expected, "detach") else np.asarray(expected)
    assert np.shape(got) == expected.shape, f"{what}: {np.shape(got)} for {expected.shape}"
    np.testing.assert_allclose(np.asarray(got), expected, tolerance, 2e-5, err_msg=what)


def asked(dist: Any, value: Any, wanted: list[str]) -> dict[str, Any]:
    """What a distribution tells, in either framework."""
    found = {name: getattr(dist, name) for name in ("mean", "variance", "stddev")}
    found["log_prob"] = dist.log_prob(value)
    family = type(dist).__name__
    if family not in ("Poisson", "MixtureSameFamily"):
        found["entropy"] = dist.entropy()
    if family not in ("Uniform", "MixtureSameFamily") and not (family == "Independent" and "Bern" in str(dist)):
        found["mode"] = dist.mode
    if "cdf" in wanted:
        found["cdf"] = dist.cdf(value)
    return found


@pytest.mark.parametrize(("text", "value", "wanted"), ROWS, ids=IDS)
def test_it_tells_the_same(text: str, value: str, wanted: str) -> None:
    make = converted(text)
    values = np.asarray(eval(value, NAMES))
    expected = asked(torch_made(text, torch.tensor(A), torch.tensor(B)), torch.tensor(values), wanted.split())
    dist = make(jnp.asarray(A), jnp.asarray(B))
    got = asked(dist, jnp.asarray(values), wanted.split())
    for name, value_expected in expected.items():
        same(got[name], value_expected, name)
    reference = torch_made(text, torch.tensor(A), torch.tensor(B))
    assert dist.batch_shape == tuple(reference.batch_shape)
    assert dist.event_shape == tuple(reference.event_shape)
    assert dist.has_rsample == reference.has_rsample
    if "icdf" in wanted:
        same(dist.icdf(jnp.asarray(P)), reference.icdf(torch.tensor(P)), "icdf")
    if "Mixture" not in text and "Independent" not in text:
        shape = (4, *dist.batch_shape)
        same(dist.expand(shape).mean, reference.expand(shape).mean, "expand")


@pytest.mark.parametrize(("text", "value", "wanted"), ROWS, ids=IDS)
def test_gradients_and_divergence(text: str, value: str, wanted: str) -> None:
    """Gradients of the sum of everything, through a distribution that crosses `jit` as a pytree."""
    make = converted(text)
    values = np.asarray(eval(value, NAMES))
    other = (A[::-1] * 0.8 + 0.1, B * 1.3)

    def loss(dist: Any, second: Any, values: Any, kl: Any) -> Any:
        total = dist.log_prob(values).sum()
        if type(dist).__name__ not in ("Poisson", "MixtureSameFamily"):
            total = total + dist.entropy().sum()
        if "kl" in wanted.split() and not text.startswith("Uniform"):
            total = total + kl(dist, second).sum()
        return total

    a, b = torch.tensor(A, requires_grad=True), torch.tensor(B, requires_grad=True)
    seconds = torch_made(text, torch.tensor(other[0].copy()), torch.tensor(other[1]))
    expected = loss(torch_made(text, a, b), seconds, torch.tensor(values), D.kl_divergence)
    expected.backward()

    @jax.jit  # type: ignore[untyped-decorator]
    def ours(a: Any, b: Any, second: Any) -> Any:
        return loss(make(a, b), second, jnp.asarray(values), everything()["divergence"])

    second = make(jnp.asarray(other[0]), jnp.asarray(other[1]))
    got, grads = jax.value_and_grad(ours, (0, 1))(jnp.asarray(A), jnp.asarray(B), second)
    same(got, expected, "value")
    for name, grad, parameter in zip("ab", grads, (a, b), strict=True):
        if parameter.grad is not None:
            same(grad, parameter.grad, f"gradient of {name}", 2e-3)


@pytest.mark.parametrize(("text", "value", "wanted"), ROWS, ids=IDS)
def test_draws_follow_the_law(text: str, value: str, wanted: str) -> None:
    dist = converted(text)(jnp.asarray(A), jnp.asarray(B))
    reference = torch_made(text, torch.tensor(A), torch.tensor(B))
    draws = dist.sample((4000,), rngs=nnx.Rngs(0))
    theirs = reference.sample((4000,))
    assert draws.shape == tuple(theirs.shape)
    assert jnp.issubdtype(draws.dtype, jnp.floating) == theirs.dtype.is_floating_point
    for level in (0.1, 0.3, 0.5, 0.7, 0.9):  # as many lie below the quantiles of the reference as its own draws
        quantile = np.quantile(theirs.numpy(), level, axis=0, method="lower")
        shares = [(np.asarray(side) <= quantile).mean(axis=0) for side in (draws, theirs)]
        assert np.abs(shares[0] - shares[1]).max() < 0.06, level
    if reference.has_rsample:
        assert dist.rsample(rngs=nnx.Rngs(0)).shape == tuple(reference.rsample().shape)
    else:
        with pytest.raises(NotImplementedError):
            dist.rsample(rngs=nnx.Rngs(0))


def test_gradients_flow_through_draws() -> None:
    make = converted("Normal(a, b)")

    def mean(b: Any) -> Any:
        return (make(0.0, b).rsample((20_000,), rngs=nnx.Rngs(0)) ** 2).mean()

    assert abs(float(jax.grad(mean)(jnp.float32(1.5))) - 3) < 0.2  # the derivative of b ** 2


def test_families_that_differ_have_no_divergence() -> None:
    normal, laplace = converted("Normal(a, b)")(0.0, 1.0), converted("Laplace(a, b)")(0.0, 1.0)
    with pytest.raises(NotImplementedError, match="Normal and Laplace"):
        everything()["divergence"](normal, laplace)

"""Probability distributions: small classes that are pytrees of their parameters."""

import math

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


def float_arrays(*values: jax.Array | float) -> list[jax.Array]:
    """Numbers and arrays as arrays of one shape."""
    return jnp.broadcast_arrays(*(jnp.asarray(v if hasattr(v, "dtype") else float(v)) for v in values))


def log_of_probs(probs: jax.Array) -> jax.Array:
    """Logarithms of probabilities, which are finite for 0, too."""
    eps = jnp.finfo(probs.dtype).eps
    return jnp.log(jnp.clip(probs, eps, 1 - eps))


def probs_and_logits(probs, logits) -> tuple[jax.Array, jax.Array]:
    """Both of the probability of 1 and its log-odds, from either."""
    if probs is None:
        (logits,) = float_arrays(logits)
        return jax.nn.sigmoid(logits), logits
    (probs,) = float_arrays(probs)
    eps = jnp.finfo(probs.dtype).eps
    clipped = jnp.clip(probs, eps, 1 - eps)
    return probs, jnp.log(clipped) - jnp.log1p(-clipped)


def kl_divergence(p, q) -> jax.Array:
    """The Kullback-Leibler divergence of the distribution q from p, which is of the same family."""
    if type(p) is not type(q):
        raise NotImplementedError(f"kl_divergence of {type(p).__name__} and {type(q).__name__}")
    return p.kl_divergence(q)


class Distribution(nnx.Pytree):
    """A probability distribution: parameters that are arrays, broadcast to one shape. Draws take a random stream."""

    has_rsample = True  # do gradients flow through draws?
    event_ndim = 0  # axes of one draw

    def __setattr__(self, name, value):
        """Parameters are parts of the pytree, while they are traced, too."""
        super().__setattr__(name, nnx.data(value) if isinstance(value, jax.Array) else value)

    @property
    def batch_shape(self) -> tuple[int, ...]:
        return self.mean.shape[: self.mean.ndim - self.event_ndim]

    @property
    def event_shape(self) -> tuple[int, ...]:
        return self.mean.shape[self.mean.ndim - self.event_ndim :]

    @property
    def stddev(self) -> jax.Array:
        return jnp.sqrt(self.variance)

    def perplexity(self) -> jax.Array:
        return jnp.exp(self.entropy())

    def sample(self, sample_shape: tuple[int, ...] = (), *, rngs: nnx.Rngs) -> jax.Array:
        """Draws through which no gradients flow."""
        shape = (*sample_shape, *self.batch_shape, *self.event_shape)
        return lax.stop_gradient(self.draw(rngs(), shape))

    def rsample(self, sample_shape: tuple[int, ...] = (), *, rngs: nnx.Rngs) -> jax.Array:
        """Draws through which gradients flow to the parameters."""
        if not self.has_rsample:
            raise NotImplementedError(f"no gradients flow through draws of {type(self).__name__}")
        return self.draw(rngs(), (*sample_shape, *self.batch_shape, *self.event_shape))

    def expand(self, batch_shape: tuple[int, ...]):
        """The same distribution, with parameters broadcast to another batch shape."""
        ndim = len(self.batch_shape)
        return jax.tree.map(lambda p: jnp.broadcast_to(p, (*batch_shape, *p.shape[ndim:])), self)


class Normal(Distribution):
    """The normal distribution."""

    def __init__(self, loc, scale):
        self.loc, self.scale = float_arrays(loc, scale)

    mean = mode = property(lambda self: self.loc)
    stddev = property(lambda self: self.scale)
    variance = property(lambda self: self.scale**2)

    def draw(self, key, shape):
        return self.loc + self.scale * jax.random.normal(key, shape, self.loc.dtype)

    def log_prob(self, value):
        return -((value - self.loc) ** 2) / (2 * self.variance) - jnp.log(self.scale) - math.log(2 * math.pi) / 2

    def entropy(self):
        return 0.5 + 0.5 * math.log(2 * math.pi) + jnp.log(self.scale)

    def cdf(self, value):
        return jax.scipy.stats.norm.cdf(value, self.loc, self.scale)

    def icdf(self, value):
        return jax.scipy.stats.norm.ppf(value, self.loc, self.scale)

    def kl_divergence(self, other):
        ratio = (self.scale / other.scale) ** 2
        return 0.5 * (ratio + ((self.loc - other.loc) / other.scale) ** 2 - 1 - jnp.log(ratio))


class LogNormal(Distribution):
    """The distribution of a number whose logarithm is normal."""

    def __init__(self, loc, scale):
        self.base_dist = Normal(loc, scale)

    loc = property(lambda self: self.base_dist.loc)
    scale = property(lambda self: self.base_dist.scale)
    mean = property(lambda self: jnp.exp(self.loc + self.scale**2 / 2))
    mode = property(lambda self: jnp.exp(self.loc - self.scale**2))
    variance = property(lambda self: jnp.expm1(self.scale**2) * jnp.exp(2 * self.loc + self.scale**2))

    def draw(self, key, shape):
        return jnp.exp(self.base_dist.draw(key, shape))

    def log_prob(self, value):
        return self.base_dist.log_prob(jnp.log(value)) - jnp.log(value)

    def entropy(self):
        return self.base_dist.entropy() + self.loc

    def cdf(self, value):
        return self.base_dist.cdf(jnp.log(value))

    def icdf(self, value):
        return jnp.exp(self.base_dist.icdf(value))

    def kl_divergence(self, other):
        return self.base_dist.kl_divergence(other.base_dist)


class HalfNormal(Distribution):
    """The distribution of the size of a normal number around 0."""

    def __init__(self, scale):
        self.base_dist = Normal(0, scale)

    scale = property(lambda self: self.base_dist.scale)
    mean = property(lambda self: self.scale * math.sqrt(2 / math.pi))
    mode = property(lambda self: jnp.zeros_like(self.scale))
    variance = property(lambda self: self.scale**2 * (1 - 2 / math.pi))

    def draw(self, key, shape):
        return jnp.abs(self.base_dist.draw(key, shape))

    def log_prob(self, value):
        return jnp.where(jnp.asarray(value) < 0, -jnp.inf, self.base_dist.log_prob(value) + math.log(2))

    def entropy(self):
        return self.base_dist.entropy() - math.log(2)

    def cdf(self, value):
        return 2 * self.base_dist.cdf(value) - 1

    def icdf(self, value):
        return self.base_dist.icdf((value + 1) / 2)

    def kl_divergence(self, other):
        return self.base_dist.kl_divergence(other.base_dist)


class MultivariateNormal(Distribution):
    """The normal distribution of vectors, from one of a covariance matrix, its inverse and its Cholesky factor."""

    event_ndim = 1

    def __init__(self, loc, covariance_matrix=None, precision_matrix=None, scale_tril=None):
        if precision_matrix is not None:
            covariance_matrix = jnp.linalg.inv(precision_matrix)
        if covariance_matrix is not None:
            scale_tril = jnp.linalg.cholesky(covariance_matrix)
        batch = jnp.broadcast_shapes(loc.shape[:-1], scale_tril.shape[:-2])
        self.loc = jnp.broadcast_to(loc, (*batch, loc.shape[-1]))
        self.scale_tril = jnp.broadcast_to(scale_tril, (*batch, *scale_tril.shape[-2:]))

    mean = mode = property(lambda self: self.loc)
    variance = property(lambda self: (self.scale_tril**2).sum(axis=-1))
    covariance_matrix = property(lambda self: self.scale_tril @ self.scale_tril.mT)
    precision_matrix = property(lambda self: jnp.linalg.inv(self.covariance_matrix))
    half_log_det = property(lambda self: jnp.log(jnp.diagonal(self.scale_tril, axis1=-2, axis2=-1)).sum(axis=-1))

    def whiten(self, x):
        """The solution of scale_tril @ y = x, for the columns of x."""
        batch = jnp.broadcast_shapes(self.batch_shape, x.shape[:-2])
        scale_tril = jnp.broadcast_to(self.scale_tril, (*batch, *self.scale_tril.shape[-2:]))
        return jax.scipy.linalg.solve_triangular(scale_tril, jnp.broadcast_to(x, (*batch, *x.shape[-2:])), lower=True)

    def draw(self, key, shape):
        return self.loc + (self.scale_tril @ jax.random.normal(key, (*shape, 1), self.loc.dtype))[..., 0]

    def log_prob(self, value):
        distance = (self.whiten((value - self.loc)[..., None]) ** 2).sum(axis=(-2, -1))
        return -0.5 * (self.loc.shape[-1] * math.log(2 * math.pi) + distance) - self.half_log_det

    def entropy(self):
        return 0.5 * self.loc.shape[-1] * (1 + math.log(2 * math.pi)) + self.half_log_det

    def kl_divergence(self, other):
        trace = (other.whiten(self.scale_tril) ** 2).sum(axis=(-2, -1))
        distance = (other.whiten((self.loc - other.loc)[..., None]) ** 2).sum(axis=(-2, -1))
        return other.half_log_det - self.half_log_det + 0.5 * (trace + distance - self.loc.shape[-1])


class Uniform(Distribution):
    """The uniform distribution of [low, high)."""

    def __init__(self, low, high):
        self.low, self.high = float_arrays(low, high)

    mean = property(lambda self: (self.low + self.high) / 2)
    mode = property(lambda self: jnp.full_like(self.low, jnp.nan))
    variance = property(lambda self: (self.high - self.low) ** 2 / 12)

    def draw(self, key, shape):
        return self.low + (self.high - self.low) * jax.random.uniform(key, shape, self.low.dtype)

    def log_prob(self, value):
        inside = (self.low <= value) & (value < self.high)
        return jnp.where(inside, 0.0, -jnp.inf) - jnp.log(self.high - self.low)

    def entropy(self):
        return jnp.log(self.high - self.low)

    def cdf(self, value):
        return jnp.clip((value - self.low) / (self.high - self.low), 0, 1)

    def icdf(self, value):
        return self.low + value * (self.high - self.low)

    def kl_divergence(self, other):
        covered = (other.low <= self.low) & (self.high <= other.high)
        return jnp.where(covered, jnp.log((other.high - other.low) / (self.high - self.low)), jnp.inf)


class Exponential(Distribution):
    """The exponential distribution."""

    def __init__(self, rate):
        (self.rate,) = float_arrays(rate)

    mean = property(lambda self: 1 / self.rate)
    mode = property(lambda self: jnp.zeros_like(self.rate))
    stddev = property(lambda self: 1 / self.rate)
    variance = property(lambda self: self.rate**-2)

    def draw(self, key, shape):
        return jax.random.exponential(key, shape, self.rate.dtype) / self.rate

    def log_prob(self, value):
        return jnp.log(self.rate) - self.rate * value

    def entropy(self):
        return 1 - jnp.log(self.rate)

    def cdf(self, value):
        return 1 - jnp.exp(-self.rate * value)

    def icdf(self, value):
        return -jnp.log1p(-value) / self.rate

    def kl_divergence(self, other):
        ratio = other.rate / self.rate
        return ratio - 1 - jnp.log(ratio)


class Laplace(Distribution):
    """The Laplace distribution."""

    def __init__(self, loc, scale):
        self.loc, self.scale = float_arrays(loc, scale)

    mean = mode = property(lambda self: self.loc)
    variance = property(lambda self: 2 * self.scale**2)
    stddev = property(lambda self: math.sqrt(2) * self.scale)

    def draw(self, key, shape):
        return self.loc + self.scale * jax.random.laplace(key, shape, self.loc.dtype)

    def log_prob(self, value):
        return -jnp.log(2 * self.scale) - jnp.abs(value - self.loc) / self.scale

    def entropy(self):
        return 1 + jnp.log(2 * self.scale)

    def cdf(self, value):
        distance = (value - self.loc) / self.scale
        return 0.5 - 0.5 * jnp.sign(distance) * jnp.expm1(-jnp.abs(distance))

    def icdf(self, value):
        side = value - 0.5
        return self.loc - self.scale * jnp.sign(side) * jnp.log1p(-2 * jnp.abs(side))

    def kl_divergence(self, other):
        ratio, distance = self.scale / other.scale, jnp.abs(self.loc - other.loc)
        return distance / other.scale + ratio * jnp.exp(-distance / self.scale) - 1 - jnp.log(ratio)


class Gumbel(Distribution):
    """The Gumbel distribution."""

    def __init__(self, loc, scale):
        self.loc, self.scale = float_arrays(loc, scale)

    mean = property(lambda self: self.loc + self.scale * jnp.euler_gamma)
    mode = property(lambda self: self.loc)
    stddev = property(lambda self: math.pi / math.sqrt(6) * self.scale)
    variance = property(lambda self: self.stddev**2)

    def draw(self, key, shape):
        return self.loc + self.scale * jax.random.gumbel(key, shape, self.loc.dtype)

    def log_prob(self, value):
        distance = (self.loc - value) / self.scale
        return distance - jnp.exp(distance) - jnp.log(self.scale)

    def entropy(self):
        return jnp.log(self.scale) + 1 + jnp.euler_gamma

    def cdf(self, value):
        return jnp.exp(-jnp.exp((self.loc - value) / self.scale))

    def icdf(self, value):
        return self.loc - self.scale * jnp.log(-jnp.log(value))

    def kl_divergence(self, other):
        ratio, distance = self.scale / other.scale, (self.loc - other.loc) / other.scale
        tail = jnp.exp(lax.lgamma(1 + ratio) - distance)
        return distance - jnp.log(ratio) + ratio * jnp.euler_gamma + tail - (1 + jnp.euler_gamma)


class Cauchy(Distribution):
    """The Cauchy distribution, which has no mean."""

    def __init__(self, loc, scale):
        self.loc, self.scale = float_arrays(loc, scale)

    mean = property(lambda self: jnp.full_like(self.loc, jnp.nan))
    mode = property(lambda self: self.loc)
    variance = property(lambda self: jnp.full_like(self.loc, jnp.inf))

    def draw(self, key, shape):
        return self.loc + self.scale * jax.random.cauchy(key, shape, self.loc.dtype)

    def log_prob(self, value):
        return -math.log(math.pi) - jnp.log(self.scale) - jnp.log1p(((value - self.loc) / self.scale) ** 2)

    def entropy(self):
        return math.log(4 * math.pi) + jnp.log(self.scale)

    def cdf(self, value):
        return jnp.arctan((value - self.loc) / self.scale) / math.pi + 0.5

    def icdf(self, value):
        return self.loc + self.scale * jnp.tan(math.pi * (value - 0.5))

    def kl_divergence(self, other):
        total = (self.scale + other.scale) ** 2 + (self.loc - other.loc) ** 2
        return jnp.log(total) - jnp.log(4 * self.scale * other.scale)


class StudentT(Distribution):
    """Student's t distribution."""

    def __init__(self, df, loc=0.0, scale=1.0):
        self.df, self.loc, self.scale = float_arrays(df, loc, scale)

    mean = property(lambda self: jnp.where(self.df > 1, self.loc, jnp.nan))
    mode = property(lambda self: self.loc)

    @property
    def variance(self):
        finite = self.scale**2 * self.df / jnp.where(self.df > 2, self.df - 2, 1)
        return jnp.where(self.df > 2, finite, jnp.where(self.df > 1, jnp.inf, jnp.nan))

    def draw(self, key, shape):
        return self.loc + self.scale * jax.random.t(key, self.df, shape, self.df.dtype)

    def log_prob(self, value):
        return jax.scipy.stats.t.logpdf(value, self.df, self.loc, self.scale)

    def entropy(self):
        half = (self.df + 1) / 2
        spread = lax.digamma(half) - lax.digamma(self.df / 2)
        return jnp.log(self.scale * jnp.sqrt(self.df)) + half * spread + jax.scipy.special.betaln(self.df / 2, 0.5)


class Gamma(Distribution):
    """The gamma distribution."""

    def __init__(self, concentration, rate):
        self.concentration, self.rate = float_arrays(concentration, rate)

    mean = property(lambda self: self.concentration / self.rate)
    mode = property(lambda self: jnp.maximum((self.concentration - 1) / self.rate, 0))
    variance = property(lambda self: self.concentration / self.rate**2)

    def draw(self, key, shape):
        return jax.random.gamma(key, self.concentration, shape, self.rate.dtype) / self.rate

    def log_prob(self, value):
        powers = jax.scipy.special.xlogy(self.concentration - 1, value) - lax.lgamma(self.concentration)
        return self.concentration * jnp.log(self.rate) + powers - self.rate * value

    def entropy(self):
        a = self.concentration
        return a - jnp.log(self.rate) + lax.lgamma(a) + (1 - a) * lax.digamma(a)

    def cdf(self, value):
        return jax.scipy.special.gammainc(self.concentration, self.rate * value)

    def kl_divergence(self, other):
        a, b = self.concentration, other.concentration
        shapes = lax.lgamma(b) - lax.lgamma(a) + (a - b) * lax.digamma(a)
        return b * jnp.log(self.rate / other.rate) + shapes + (other.rate - self.rate) * a / self.rate


class Chi2(Gamma):
    """The chi-squared distribution."""

    def __init__(self, df):
        super().__init__(0.5 * df, 0.5)

    df = property(lambda self: 2 * self.concentration)


class Dirichlet(Distribution):
    """The Dirichlet distribution, of vectors of probabilities."""

    event_ndim = 1

    def __init__(self, concentration):
        self.concentration = concentration

    total = property(lambda self: self.concentration.sum(axis=-1, keepdims=True))
    mean = property(lambda self: self.concentration / self.total)
    variance = property(lambda self: self.mean * (1 - self.mean) / (self.total + 1))

    @property
    def mode(self):
        above = jnp.maximum(self.concentration - 1, 0)
        total = above.sum(axis=-1, keepdims=True)
        in_corners = (self.concentration < 1).all(axis=-1, keepdims=True)  # of which the first one is named
        return jnp.where(in_corners, jnp.eye(1, above.shape[-1], dtype=above.dtype)[0], above / total)

    def draw(self, key, shape):
        return jax.random.dirichlet(key, self.concentration, shape[:-1], self.concentration.dtype)

    def log_norm(self):
        return lax.lgamma(self.concentration).sum(axis=-1) - lax.lgamma(self.total[..., 0])

    def log_prob(self, value):
        return jax.scipy.special.xlogy(self.concentration - 1, value).sum(axis=-1) - self.log_norm()

    def entropy(self):
        a, total = self.concentration, self.total[..., 0]
        spread = (total - a.shape[-1]) * lax.digamma(total) - ((a - 1) * lax.digamma(a)).sum(axis=-1)
        return self.log_norm() + spread

    def kl_divergence(self, other):
        a, b = self.concentration, other.concentration
        spread = (a - b) * (lax.digamma(a) - lax.digamma(self.total))
        return other.log_norm() - self.log_norm() + spread.sum(axis=-1)


class Beta(Distribution):
    """The beta distribution."""

    def __init__(self, concentration1, concentration0):
        self.dirichlet = Dirichlet(jnp.stack(float_arrays(concentration1, concentration0), axis=-1))

    concentration1 = property(lambda self: self.dirichlet.concentration[..., 0])
    concentration0 = property(lambda self: self.dirichlet.concentration[..., 1])
    mean = property(lambda self: self.dirichlet.mean[..., 0])
    mode = property(lambda self: self.dirichlet.mode[..., 0])
    variance = property(lambda self: self.dirichlet.variance[..., 0])

    def draw(self, key, shape):
        return self.dirichlet.draw(key, (*shape, 2))[..., 0]

    def log_prob(self, value):
        return self.dirichlet.log_prob(jnp.stack([value, 1.0 - value], axis=-1))

    def entropy(self):
        return self.dirichlet.entropy()

    def kl_divergence(self, other):
        return self.dirichlet.kl_divergence(other.dirichlet)


class Poisson(Distribution):
    """The Poisson distribution."""

    has_rsample = False

    def __init__(self, rate):
        (self.rate,) = float_arrays(rate)

    mean = variance = property(lambda self: self.rate)
    mode = property(lambda self: jnp.floor(self.rate))

    def draw(self, key, shape):
        return jax.random.poisson(key, self.rate, shape).astype(self.rate.dtype)

    def log_prob(self, value):
        return jax.scipy.special.xlogy(value, self.rate) - self.rate - jax.scipy.special.gammaln(value + 1)

    def kl_divergence(self, other):
        return self.rate * jnp.log(self.rate / other.rate) - (self.rate - other.rate)


class Bernoulli(Distribution):
    """The distribution of 0 and 1, from the probability of 1 or its log-odds."""

    has_rsample = False

    def __init__(self, probs=None, logits=None):
        self.probs, self.logits = probs_and_logits(probs, logits)

    mean = property(lambda self: self.probs)
    mode = property(lambda self: jnp.where(self.probs == 0.5, jnp.nan, (self.probs > 0.5).astype(self.probs.dtype)))
    variance = property(lambda self: self.probs * (1 - self.probs))

    def draw(self, key, shape):
        return jax.random.bernoulli(key, self.probs, shape).astype(self.probs.dtype)

    def log_prob(self, value):
        return value * self.logits - jax.nn.softplus(self.logits)

    def entropy(self):
        return jax.nn.softplus(self.logits) - self.probs * self.logits

    def kl_divergence(self, other):
        p, q = self, other
        one = p.probs * (jax.nn.softplus(-q.logits) - jax.nn.softplus(-p.logits))
        zero = (1 - p.probs) * (jax.nn.softplus(q.logits) - jax.nn.softplus(p.logits))
        one = jnp.where(p.probs == 0, 0, jnp.where(q.probs == 0, jnp.inf, one))
        zero = jnp.where(p.probs == 1, 0, jnp.where(q.probs == 1, jnp.inf, zero))
        return one + zero


class Geometric(Distribution):
    """The distribution of the number of failures before the first success."""

    has_rsample = False

    def __init__(self, probs=None, logits=None):
        self.probs, self.logits = probs_and_logits(probs, logits)

    mean = property(lambda self: 1 / self.probs - 1)
    mode = property(lambda self: jnp.zeros_like(self.probs))
    variance = property(lambda self: (1 / self.probs - 1) / self.probs)

    def draw(self, key, shape):
        return (jax.random.geometric(key, self.probs, shape) - 1).astype(self.probs.dtype)

    def log_prob(self, value):
        return jax.scipy.special.xlog1py(value, -self.probs) + jnp.log(self.probs)

    def entropy(self):
        return (jax.nn.softplus(self.logits) - self.probs * self.logits) / self.probs

    def kl_divergence(self, other):
        return -self.entropy() - jnp.log1p(-other.probs) / self.probs - other.logits


class Categorical(Distribution):
    """The distribution of class numbers, from the probabilities of the classes or their logarithms."""

    has_rsample = False

    def __init__(self, probs=None, logits=None):
        if probs is None:
            self.logits = jax.nn.log_softmax(logits, axis=-1)
            self.probs = jax.nn.softmax(logits, axis=-1)
        else:
            self.probs = probs / probs.sum(axis=-1, keepdims=True)
            self.logits = log_of_probs(self.probs)

    mean = variance = property(lambda self: jnp.full(self.probs.shape[:-1], jnp.nan, self.probs.dtype))
    mode = property(lambda self: self.probs.argmax(axis=-1))

    def draw(self, key, shape):
        return jax.random.categorical(key, self.logits, shape=shape)

    def log_prob(self, value):
        value = jnp.asarray(value).astype(int)
        shape = jnp.broadcast_shapes(value.shape, self.batch_shape)
        logits = jnp.broadcast_to(self.logits, (*shape, self.logits.shape[-1]))
        return jnp.take_along_axis(logits, jnp.broadcast_to(value, shape)[..., None], axis=-1)[..., 0]

    def entropy(self):
        finite = jnp.maximum(self.logits, jnp.finfo(self.logits.dtype).min)
        return -(self.probs * finite).sum(axis=-1)

    def kl_divergence(self, other):
        terms = self.probs * (self.logits - other.logits)
        terms = jnp.where(self.probs == 0, 0, jnp.where(other.probs == 0, jnp.inf, terms))
        return terms.sum(axis=-1)


class OneHotCategorical(Distribution):
    """The distribution of classes as vectors of zeros and a one."""

    has_rsample = False
    event_ndim = 1

    def __init__(self, probs=None, logits=None):
        self.categorical = Categorical(probs, logits)

    probs = mean = property(lambda self: self.categorical.probs)
    logits = property(lambda self: self.categorical.logits)
    mode = property(lambda self: self.one_hot(self.categorical.mode))
    variance = property(lambda self: self.probs * (1 - self.probs))

    def one_hot(self, classes):
        return jax.nn.one_hot(classes, self.probs.shape[-1], dtype=self.probs.dtype)

    def draw(self, key, shape):
        return self.one_hot(self.categorical.draw(key, shape[:-1]))

    def log_prob(self, value):
        return self.categorical.log_prob(value.argmax(axis=-1))

    def entropy(self):
        return self.categorical.entropy()

    def kl_divergence(self, other):
        return self.categorical.kl_divergence(other.categorical)


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """Classes as vectors of zeros and a one, whose gradients are those of their probabilities."""

    has_rsample = True

    def draw(self, key, shape):
        return super().draw(key, shape) + (self.probs - lax.stop_gradient(self.probs))


class Independent(Distribution):
    """A distribution whose last batch axes are axes of one draw."""

    def __init__(self, base_distribution, reinterpreted_batch_ndims: int):
        self.base_dist = base_distribution
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims

    has_rsample = property(lambda self: self.base_dist.has_rsample)
    event_ndim = property(lambda self: self.reinterpreted_batch_ndims + len(self.base_dist.event_shape))
    batch_ndim = property(lambda self: len(self.base_dist.batch_shape) - self.reinterpreted_batch_ndims)
    batch_shape = property(lambda self: self.base_dist.batch_shape[: self.batch_ndim])
    event_shape = property(lambda self: self.base_dist.batch_shape[self.batch_ndim :] + self.base_dist.event_shape)
    mean = property(lambda self: self.base_dist.mean)
    mode = property(lambda self: self.base_dist.mode)
    variance = property(lambda self: self.base_dist.variance)

    def summed(self, x):
        return x.sum(axis=tuple(range(-self.reinterpreted_batch_ndims, 0)))

    def draw(self, key, shape):
        return self.base_dist.draw(key, shape)

    def log_prob(self, value):
        return self.summed(self.base_dist.log_prob(value))

    def entropy(self):
        return self.summed(self.base_dist.entropy())

    def kl_divergence(self, other):
        return self.summed(kl_divergence(self.base_dist, other.base_dist))


class MixtureSameFamily(Distribution):
    """A mixture: the last batch axis of one distribution, weighted by a categorical one."""

    has_rsample = False

    def __init__(self, mixture_distribution, component_distribution):
        self.mixture_distribution = mixture_distribution
        self.component_distribution = component_distribution

    event_ndim = property(lambda self: len(self.component_distribution.event_shape))
    mean = property(lambda self: self.mixed(self.component_distribution.mean))

    @property
    def variance(self):
        mean, axis = self.mean, -1 - self.event_ndim
        spread = (self.component_distribution.mean - jnp.expand_dims(mean, axis)) ** 2
        return self.mixed(self.component_distribution.variance + spread)

    def mixed(self, x):
        """The mean over the parts, which lie on the axis before those of one draw."""
        weights = self.mixture_distribution.probs
        weights = weights.reshape(*weights.shape, *[1] * self.event_ndim)
        return (weights * x).sum(axis=-1 - self.event_ndim)

    def draw(self, key, shape):
        part, value = jax.random.split(key)
        batch, event = shape[: len(shape) - self.event_ndim], shape[len(shape) - self.event_ndim :]
        parts = self.mixture_distribution.draw(part, batch)
        parts = parts.reshape(*batch, 1, *[1] * self.event_ndim)
        values = self.component_distribution.draw(value, (*batch, self.mixture_distribution.probs.shape[-1], *event))
        return jnp.take_along_axis(values, parts, axis=-1 - self.event_ndim).squeeze(axis=-1 - self.event_ndim)

    def log_prob(self, value):
        value = jnp.expand_dims(value, -1 - self.event_ndim)
        parts = self.component_distribution.log_prob(value) + self.mixture_distribution.logits
        return jax.nn.logsumexp(parts, axis=-1)

    def cdf(self, value):
        parts = self.component_distribution.cdf(jnp.expand_dims(value, -1))
        return (parts * self.mixture_distribution.probs).sum(axis=-1)

"""Activation layers with torch's constructors, for where the class itself is a value."""
# fmt: off (long signatures are filled, not one argument a line: these texts are copied into outputs)

import jax
import jax.numpy as jnp
from flax import nnx


class ReLU(nnx.Module):
    """max(x, 0)."""

    def __init__(self, inplace=False, *, rngs: nnx.Rngs | None = None):
        pass

    def __call__(self, input):
        return nnx.relu(input)


class ReLU6(nnx.Module):
    """x cut off below 0 and above 6."""

    def __init__(self, inplace=False, *, rngs: nnx.Rngs | None = None):
        pass

    def __call__(self, input):
        return nnx.relu6(input)


class LeakyReLU(nnx.Module):
    """x, times negative_slope where it is negative."""

    def __init__(self, negative_slope=0.01, inplace=False, *, rngs: nnx.Rngs | None = None):
        self.negative_slope = negative_slope

    def __call__(self, input):
        return nnx.leaky_relu(input, self.negative_slope)


class RReLU(nnx.Module):
    """x, times a slope where it is negative: random between lower and upper in training, their mean otherwise."""

    def __init__(self, lower=1 / 8, upper=1 / 3, inplace=False, *, rngs: nnx.Rngs):
        self.lower, self.upper, self.deterministic, self.rngs = lower, upper, False, rngs.fork()

    def __call__(self, input):
        return rrelu(input, self.lower, self.upper, not self.deterministic, rngs=self.rngs)


class PReLU(nnx.Module):
    """x, times a learned slope (one for all channels or one for each) where it is negative."""

    def __init__(self, num_parameters=1, init=0.25, device=None, dtype=None, *, rngs: nnx.Rngs | None = None):
        self.num_parameters = num_parameters
        self.weight = nnx.Param(jnp.full(num_parameters, init, dtype or jnp.float32))

    def __call__(self, input):
        return prelu(input, self.weight[...])


class ELU(nnx.Module):
    """x, and alpha * (exp(x) - 1) where it is negative."""

    def __init__(self, alpha=1.0, inplace=False, *, rngs: nnx.Rngs | None = None):
        self.alpha = alpha

    def __call__(self, input):
        return nnx.elu(input, self.alpha)


class CELU(nnx.Module):
    """x, and alpha * (exp(x / alpha) - 1) where it is negative."""

    def __init__(self, alpha=1.0, inplace=False, *, rngs: nnx.Rngs | None = None):
        self.alpha = alpha

    def __call__(self, input):
        return nnx.celu(input, self.alpha)


class SELU(nnx.Module):
    """Scaled exponential linear unit."""

    def __init__(self, inplace=False, *, rngs: nnx.Rngs | None = None):
        pass

    def __call__(self, input):
        return nnx.selu(input)


class GELU(nnx.Module):
    """x times the normal distribution function of x."""

    def __init__(self, approximate="none", *, rngs: nnx.Rngs | None = None):
        self.approximate = approximate

    def __call__(self, input):
        return nnx.gelu(input, approximate=self.approximate == "tanh")


class SiLU(nnx.Module):
    """x * sigmoid(x)."""

    def __init__(self, inplace=False, *, rngs: nnx.Rngs | None = None):
        pass

    def __call__(self, input):
        return nnx.silu(input)


class Mish(nnx.Module):
    """x * tanh(softplus(x))."""

    def __init__(self, inplace=False, *, rngs: nnx.Rngs | None = None):
        pass

    def __call__(self, input):
        return jax.nn.mish(input)


class Sigmoid(nnx.Module):
    """1 / (1 + exp(-x))."""

    def __init__(self, *, rngs: nnx.Rngs | None = None):
        pass

    def __call__(self, input):
        return nnx.sigmoid(input)


class LogSigmoid(nnx.Module):
    """log(sigmoid(x))."""

    def __init__(self, *, rngs: nnx.Rngs | None = None):
        pass

    def __call__(self, input):
        return nnx.log_sigmoid(input)


class Tanh(nnx.Module):
    """Hyperbolic tangent."""

    def __init__(self, *, rngs: nnx.Rngs | None = None):
        pass

    def __call__(self, input):
        return jnp.tanh(input)


class Tanhshrink(nnx.Module):
    """x - tanh(x)."""

    def __init__(self, *, rngs: nnx.Rngs | None = None):
        pass

    def __call__(self, input):
        return tanhshrink(input)


class Hardtanh(nnx.Module):
    """x cut off below min_val and above max_val."""

    def __init__(self, min_val=-1.0, max_val=1.0, inplace=False, *, rngs: nnx.Rngs | None = None):
        self.min_val, self.max_val = min_val, max_val

    def __call__(self, input):
        return jnp.clip(input, self.min_val, self.max_val)


class Hardsigmoid(nnx.Module):
    """x / 6 + 1 / 2, cut off below 0 and above 1."""

    def __init__(self, inplace=False, *, rngs: nnx.Rngs | None = None):
        pass

    def __call__(self, input):
        return jax.nn.hard_sigmoid(input)


class Hardswish(nnx.Module):
    """x * hardsigmoid(x)."""

    def __init__(self, inplace=False, *, rngs: nnx.Rngs | None = None):
        pass

    def __call__(self, input):
        return jax.nn.hard_swish(input)


class Hardshrink(nnx.Module):
    """x, and 0 within lambd of it."""

    def __init__(self, lambd=0.5, *, rngs: nnx.Rngs | None = None):
        self.lambd = lambd

    def __call__(self, input):
        return hardshrink(input, self.lambd)


class Softshrink(nnx.Module):
    """x moved towards 0 by lambd."""

    def __init__(self, lambd=0.5, *, rngs: nnx.Rngs | None = None):
        self.lambd = lambd

    def __call__(self, input):
        return softshrink(input, self.lambd)


class Softplus(nnx.Module):
    """log(1 + exp(beta * x)) / beta."""

    def __init__(self, beta=1.0, threshold=20.0, *, rngs: nnx.Rngs | None = None):
        self.beta, self.threshold = beta, threshold

    def __call__(self, input):
        return softplus(input, self.beta, self.threshold)


class Softsign(nnx.Module):
    """x / (1 + |x|)."""

    def __init__(self, *, rngs: nnx.Rngs | None = None):
        pass

    def __call__(self, input):
        return nnx.soft_sign(input)


class Softmin(nnx.Module):
    """Softmax of -x."""

    def __init__(self, dim=None, *, rngs: nnx.Rngs | None = None):
        self.dim = dim

    def __call__(self, input):
        return softmax_implicit(-input) if self.dim is None else nnx.softmax(-input, axis=self.dim)


class Softmax(nnx.Module):
    """Exponentials of x along dim, normalised to sum to one."""

    def __init__(self, dim=None, *, rngs: nnx.Rngs | None = None):
        self.dim = dim

    def __call__(self, input):
        return softmax_implicit(input) if self.dim is None else nnx.softmax(input, axis=self.dim)


class LogSoftmax(nnx.Module):
    """Logarithm of softmax."""

    def __init__(self, dim=None, *, rngs: nnx.Rngs | None = None):
        self.dim = dim

    def __call__(self, input):
        return log_softmax_implicit(input) if self.dim is None else nnx.log_softmax(input, axis=self.dim)


class Softmax2d(nnx.Module):
    """Softmax over the channels of (N, C, H, W)."""

    def __init__(self, *, rngs: nnx.Rngs | None = None):
        pass

    def __call__(self, input):
        return nnx.softmax(input, axis=-3)


class Threshold(nnx.Module):
    """x, and value where it is not above the threshold."""

    def __init__(self, threshold, value, inplace=False, *, rngs: nnx.Rngs | None = None):
        self.threshold, self.value = threshold, value

    def __call__(self, input):
        return jnp.where(input <= self.threshold, self.value, input)


class GLU(nnx.Module):
    """First half of x along dim times the sigmoid of the second half."""

    def __init__(self, dim=-1, *, rngs: nnx.Rngs | None = None):
        self.dim = dim

    def __call__(self, input):
        return nnx.glu(input, axis=self.dim)

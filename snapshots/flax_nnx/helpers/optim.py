"""torch's optimizers, for the trained parameters of a module: functions with torch's arguments."""
# fmt: off (long signatures are filled, not one argument a line: these texts are copied into outputs)

import math

import jax
import jax.numpy as jnp
import optax
from flax import nnx


def SGD(params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False):
    """An optimizer for the parameters of a module: steps against the gradient, with momentum."""

    def init(params):
        return jnp.ones([]), jax.tree.map(jnp.zeros_like, params)

    def update(grads, state, params=None):
        share, trace = state  # the first step takes the whole gradient
        trace = jax.tree.map(lambda t, g: momentum * t + share.astype(g.dtype) * g, trace, grads)
        return trace, (jnp.full([], 1 - dampening, jnp.float32), trace)

    damped = momentum != 0 and dampening != 0
    scale = optax.GradientTransformation(init, update) if damped else optax.trace(momentum, nesterov)
    return optimizer_for(params, scale, lr, weight_decay)


def Adam(params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False, decoupled_weight_decay=False):
    """An optimizer for the parameters of a module: Adam, whose weight decay is part of the gradient."""
    b1, b2 = betas

    def init(params):
        zeros = jax.tree.map(jnp.zeros_like, params)
        return jnp.zeros([]), zeros, zeros, zeros

    def update(grads, state, params=None):
        count, mu, nu, top = state
        count = count + 1
        mu = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, mu, grads)
        nu = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g**2, nu, grads)
        top = jax.tree.map(jnp.maximum, top, nu)  # before the correction of its bias, unlike optax.amsgrad

        def step(m, v):
            return m / (1 - b1**count) / (jnp.sqrt(v / (1 - b2**count)) + eps)

        return jax.tree.map(step, mu, top), (count, mu, nu, top)

    scale = optax.GradientTransformation(init, update) if amsgrad else optax.scale_by_adam(b1, b2, eps)
    return optimizer_for(params, scale, lr, weight_decay, decoupled_weight_decay)


def AdamW(params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False):
    """An optimizer for the parameters of a module: Adam, with weight decay apart from the gradient."""
    return Adam(params, lr, betas, eps, weight_decay, amsgrad, decoupled_weight_decay=True)


def RMSprop(params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, centered=False):
    """An optimizer for the parameters of a module: steps divided by the root of the mean squared gradient."""
    scale = (optax.scale_by_stddev if centered else optax.scale_by_rms)(alpha, eps, eps_in_sqrt=False)
    return optimizer_for(params, optax.chain(scale, optax.trace(momentum)), lr, weight_decay)


def Adagrad(params, lr=1e-2, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10):
    """An optimizer for the parameters of a module: steps divided by the root of the sum of squared gradients."""

    def init(params):
        return jnp.zeros([]), jax.tree.map(lambda p: jnp.full_like(p, initial_accumulator_value), params)

    def update(grads, state, params=None):
        count, total = state
        total = jax.tree.map(lambda t, g: t + g**2, total, grads)
        grads = jax.tree.map(lambda t, g: g / (jnp.sqrt(t) + eps) / (1 + count * lr_decay), total, grads)
        return grads, (count + 1, total)

    return optimizer_for(params, optax.GradientTransformation(init, update), lr, weight_decay)


def Adadelta(params, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0):
    """An optimizer for the parameters of a module: steps scaled by the ratio of past steps and gradients."""
    return optimizer_for(params, optax.scale_by_adadelta(rho, eps), lr, weight_decay)


def Adamax(params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0):
    """An optimizer for the parameters of a module: Adam by the largest gradient."""
    return optimizer_for(params, optax.scale_by_adamax(*betas, eps), lr, weight_decay)


def NAdam(
    params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, momentum_decay=4e-3, decoupled_weight_decay=False
):
    """An optimizer for the parameters of a module: Adam with Nesterov's momentum, which grows with the steps."""
    b1, b2 = betas

    def init(params):
        zeros = jax.tree.map(jnp.zeros_like, params)
        return jnp.zeros([]), jnp.ones([]), zeros, zeros

    def update(grads, state, params=None):
        count, product, mu, nu = state
        count = count + 1
        now, after = (b1 * (1 - 0.5 * 0.96 ** (step * momentum_decay)) for step in (count, count + 1))
        product = product * now
        mu = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, mu, grads)
        nu = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g**2, nu, grads)

        def step(g, m, v):
            ahead = (1 - now) / (1 - product) * g + after / (1 - product * after) * m
            return ahead / (jnp.sqrt(v / (1 - b2**count)) + eps)

        return jax.tree.map(step, grads, mu, nu), (count, product, mu, nu)

    return optimizer_for(params, optax.GradientTransformation(init, update), lr, weight_decay, decoupled_weight_decay)


def RAdam(params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, decoupled_weight_decay=False):
    """An optimizer for the parameters of a module: Adam that leaves its scale out while that is uncertain."""
    b1, b2 = betas
    longest, rate = 2 / (1 - b2) - 1, -math.log(b2)

    def init(params):
        zeros = jax.tree.map(jnp.zeros_like, params)
        return jnp.zeros([]), zeros, zeros

    def update(grads, state, params=None):
        count, mu, nu = state
        count = count + 1
        mu = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, mu, grads)
        nu = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g**2, nu, grads)
        x = count * rate
        share = jnp.where(x < 0.1, x / 2 - x**2 / 12 + x**4 / 720, 1 - x / jnp.expm1(x))
        length = longest - 2 / rate + 2 / rate * share  # longest - 2 * count * b2**count / (1 - b2**count)
        ratio = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        factor = jnp.sqrt(jnp.where(length > 5, ratio * -jnp.expm1(-x), 1))

        def step(m, v):
            return m / (1 - b1**count) * jnp.where(length > 5, factor / (jnp.sqrt(v) + eps), 1)

        return jax.tree.map(step, mu, nu), (count, mu, nu)

    return optimizer_for(params, optax.GradientTransformation(init, update), lr, weight_decay, decoupled_weight_decay)


def optimizer_for(model, scale, lr, weight_decay=0, decoupled=False):
    """An optimizer whose steps are lr times the scaled gradients; the decay is added before (torch's L2) or after."""
    decay = optax.add_decayed_weights(weight_decay)
    parts = (scale, decay) if decoupled else (decay, scale)
    return nnx.Optimizer(model, optax.chain(*parts, optax.scale_by_learning_rate(lr)), wrt=nnx.Param)


def clip_grad_norm(grads, max_norm):
    """Gradients scaled to a norm of at most max_norm, with torch's margin of 1e-6."""
    scale = jnp.minimum(max_norm / (optax.global_norm(grads) + 1e-6), 1.0)
    return jax.tree.map(lambda g: g * scale, grads)


def clip_grad_value(grads, clip_value):
    """Gradients cut to the range from -clip_value to clip_value."""
    return jax.tree.map(lambda g: jnp.clip(g, -clip_value, clip_value), grads)


class LRScheduler:
    """Scales the steps of an optimizer, and so its learning rate: by factor(n) after n calls of step()."""

    def __init__(self, optimizer, factor):
        if hasattr(optimizer.tx, "unscaled"):
            raise NotImplementedError("an optimizer takes one schedule: multiply the factors in one LambdaLR")
        self.factor, self.steps, self.scale = factor, 0, nnx.OptState(jnp.asarray(factor(0), jnp.float32))
        optimizer.tx = ScaledSteps(optimizer.tx)
        optimizer.opt_state = nnx.data((optimizer.opt_state, self.scale))

    def step(self):
        """Go on to the next learning rate."""
        self.steps += 1
        self.scale[...] = jnp.asarray(self.factor(self.steps), jnp.float32)


class ScaledSteps:
    """A gradient transformation whose steps are scaled by a number in its state."""

    def __init__(self, unscaled):
        self.unscaled = unscaled

    def init(self, params):
        return self.unscaled.init(params), jnp.ones([])

    def update(self, grads, state, params=None, **extra):
        inner, scale = state
        steps, inner = self.unscaled.update(grads, inner, params, **extra)
        return jax.tree.map(lambda step: step * scale, steps), (inner, scale)


def LambdaLR(optimizer, lr_lambda):
    """A schedule: the learning rate times lr_lambda(n) after n steps."""
    return LRScheduler(optimizer, lr_lambda[0] if isinstance(lr_lambda, (list, tuple)) else lr_lambda)


def StepLR(optimizer, step_size, gamma=0.1):
    """A schedule: the learning rate times gamma after every step_size steps."""
    return LRScheduler(optimizer, lambda n: gamma ** (n // step_size))


def MultiStepLR(optimizer, milestones, gamma=0.1):
    """A schedule: the learning rate times gamma at each milestone."""
    milestones = list(milestones)
    return LRScheduler(optimizer, lambda n: gamma ** sum(n >= milestone for milestone in milestones))


def ExponentialLR(optimizer, gamma):
    """A schedule: the learning rate times gamma at each step."""
    return LRScheduler(optimizer, lambda n: gamma**n)


def ConstantLR(optimizer, factor=1 / 3, total_iters=5):
    """A schedule: the learning rate times factor for the first total_iters steps."""
    return LRScheduler(optimizer, lambda n: factor if n < total_iters else 1.0)


def LinearLR(optimizer, start_factor=1 / 3, end_factor=1.0, total_iters=5):
    """A schedule: the learning rate times a factor that goes from one number to another in total_iters steps."""
    return LRScheduler(optimizer, lambda n: start_factor + (end_factor - start_factor) * min(n / total_iters, 1))


def CosineAnnealingLR(optimizer, T_max, eta_min=0.0):
    """A schedule: the learning rate follows a cosine down to zero in T_max steps, and up again."""
    if eta_min:
        raise NotImplementedError("a schedule scales the steps of an optimizer, whose learning rate it does not know")
    return LRScheduler(optimizer, lambda n: (1 + math.cos(math.pi * n / T_max)) / 2)
def PolynomialLR(optimizer, total_iters=5, power=1.0):
    """A schedule: the learning rate falls to zero in total_iters steps, as a power of the steps that are left."""
    return LRScheduler(optimizer, lambda n: (1 - min(n / total_iters, 1)) ** power)


def MultiplicativeLR(optimizer, lr_lambda):
    """A schedule: step number n multiplies the learning rate by lr_lambda(n)."""
    factor = lr_lambda[0] if isinstance(lr_lambda, (list, tuple)) else lr_lambda
    return LRScheduler(optimizer, lambda n: math.prod(factor(step) for step in range(1, n + 1)))


def CosineAnnealingWarmRestarts(optimizer, T_0, T_mult=1, eta_min=0.0):
    """A schedule: the learning rate follows a cosine down to zero in T_0 steps, then in T_mult times as many, ..."""
    if eta_min:
        raise NotImplementedError("a schedule scales the steps of an optimizer, whose learning rate it does not know")

    def factor(n):
        length = T_0
        while n >= length:
            n, length = n - length, length * T_mult
        return (1 + math.cos(math.pi * n / length)) / 2

    return LRScheduler(optimizer, factor)

"""Losses with torch's arguments and reductions."""

import math

import jax
import jax.numpy as jnp
from jax import lax


def reduce_loss(loss: jax.Array, reduction: str) -> jax.Array:
    """Mean, sum or nothing."""
    if reduction == "none":
        return loss
    return loss.mean() if reduction == "mean" else loss.sum()


def distance_from_zero(x: jax.Array) -> jax.Array:
    """abs(x) whose slope at zero is 0, as torch has it (JAX has 1)."""
    return x * jnp.sign(x)


def mse_loss(x, target, reduction="mean", weight=None) -> jax.Array:
    """Squared differences."""
    loss = jnp.square(x - target)
    if weight is None:
        return reduce_loss(loss, reduction)
    return weighted_loss(loss, weight, reduction)


def l1_loss(x, target, reduction="mean", weight=None) -> jax.Array:
    """Absolute differences."""
    loss = distance_from_zero(x - target)
    if weight is None:
        return reduce_loss(loss, reduction)
    return weighted_loss(loss, weight, reduction)


def weighted_loss(loss, weight, reduction) -> jax.Array:
    """Mean over the sum of the weights, sum or nothing."""
    loss = loss * weight
    return loss.sum() / weight.sum() if reduction == "mean" else reduce_loss(loss, reduction)


def smooth_l1_loss(x, target, reduction="mean", beta=1.0) -> jax.Array:
    """Squared differences (over 2 beta) below beta and absolute ones above."""
    gap = distance_from_zero(x - target)
    loss = gap if beta == 0 else jnp.where(gap < beta, 0.5 * gap * gap / beta, gap - 0.5 * beta)
    return reduce_loss(loss, reduction)


def huber_loss(x, target, reduction="mean", delta=1.0, weight=None) -> jax.Array:
    """Half squared differences up to delta, and delta times the absolute ones above."""
    gap = distance_from_zero(x - target)
    loss = jnp.where(gap < delta, 0.5 * gap * gap, delta * (gap - 0.5 * delta))
    return reduce_loss(loss if weight is None else loss * weight, reduction)


def nll_loss(x, target, weight=None, ignore_index=-100, reduction="mean") -> jax.Array:
    """Minus the log-probability x (classes on axis 1) of the target classes, each weighted by its class."""
    axis = 1 if x.ndim > 1 else 0
    kept = target != ignore_index
    label = jnp.where(kept, target, 0)
    share = kept.astype(x.dtype) if weight is None else jnp.where(kept, weight[label], 0)
    picked = jnp.take_along_axis(x, jnp.expand_dims(label, axis), axis).squeeze(axis)
    loss = -share * jnp.where(kept, picked, 0)  # which may be -inf where nothing is kept
    return loss.sum() / share.sum() if reduction == "mean" else reduce_loss(loss, reduction)


def cross_entropy(
    x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0
) -> jax.Array:
    """Cross entropy of logits x (classes on axis 1) and target classes, or class probabilities of the shape of x."""
    axis = 1 if x.ndim > 1 else 0
    classes = x.shape[axis]
    log_p = jax.nn.log_softmax(x, axis=axis)
    form = [-1 if i == axis else 1 for i in range(x.ndim)]
    weighted = log_p if weight is None else log_p * weight.reshape(form)
    if jnp.issubdtype(target.dtype, jnp.floating):
        target = target * (1 - label_smoothing) + label_smoothing / classes
        loss = -(weighted * target).sum(axis)
        return loss.sum() / (x.size // classes) if reduction == "mean" else reduce_loss(loss, reduction)
    loss = nll_loss(log_p, target, weight, ignore_index, "none")
    kept = target != ignore_index
    share = kept.astype(x.dtype) if weight is None else jnp.where(kept, weight[jnp.where(kept, target, 0)], 0)
    if label_smoothing:
        smooth = jnp.where(kept, -weighted.sum(axis) / classes, 0)
        loss = (1 - label_smoothing) * loss + label_smoothing * smooth
    return loss.sum() / share.sum() if reduction == "mean" else reduce_loss(loss, reduction)


def binary_cross_entropy(x, target, weight=None, reduction="mean") -> jax.Array:
    """Cross entropy of probabilities x and targets; logarithms stop at -100, as in torch."""
    # log(0) is cut off, so its infinite slope must not reach the gradient either.
    log_p = jnp.maximum(jnp.log(jnp.where(x > 0, x, jnp.finfo(x.dtype).tiny)), -100)
    log_p = jnp.where(x > 0, log_p, -100)
    log_q = jnp.where(x < 1, jnp.maximum(jnp.log1p(-jnp.where(x < 1, x, 0)), -100), -100)
    loss = -(target * log_p + (1 - target) * log_q)
    return reduce_loss(loss if weight is None else loss * weight, reduction)


def binary_cross_entropy_with_logits(x, target, weight=None, reduction="mean", pos_weight=None) -> jax.Array:
    """Cross entropy of sigmoid(x) and targets; pos_weight scales the positive ones."""
    positive = 1 if pos_weight is None else 1 + (pos_weight - 1) * target
    loss = (1 - target) * x - positive * jax.nn.log_sigmoid(x)
    return reduce_loss(loss if weight is None else loss * weight, reduction)


def kl_div(x, target, reduction="mean", log_target=False) -> jax.Array:
    """target * (log(target) - x) for log-probabilities x; 'batchmean' divides the sum by the batch size."""
    if log_target:
        loss = jnp.exp(target) * (target - x)
    else:
        loss = jax.scipy.special.xlogy(target, target) - target * x
    return loss.sum() / x.shape[0] if reduction == "batchmean" else reduce_loss(loss, reduction)


def poisson_nll_loss(x, target, log_input=True, full=False, eps=1e-8, reduction="mean") -> jax.Array:
    """Minus the log-likelihood of counts `target` for rates x (or their logarithms)."""
    loss = jnp.exp(x) - target * x if log_input else x - target * jnp.log(x + eps)
    if full:  # Stirling's formula for log(target!)
        count = jnp.where(target > 1, target, 1)
        loss = loss + jnp.where(
            target > 1, target * jnp.log(count) - target + 0.5 * jnp.log(2 * math.pi * count), 0
        )
    return reduce_loss(loss, reduction)


def gaussian_nll_loss(x, target, var, full=False, eps=1e-6, reduction="mean") -> jax.Array:
    """Minus the log-likelihood of target under a normal distribution of mean x and variance var."""
    var = jnp.asarray(var, x.dtype)
    if 0 < var.ndim < x.ndim:  # one variance for a whole row
        var = var[..., None]
    var = var + lax.stop_gradient(jnp.maximum(var, eps) - var)
    loss = 0.5 * (jnp.log(var) + jnp.square(x - target) / var)
    return reduce_loss(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


def cosine_embedding_loss(x1, x2, target, margin=0, reduction="mean") -> jax.Array:
    """1 - cosine where target is 1, max(0, cosine - margin) where it is -1."""
    # torch's formula here: the tiny number is added to each squared length.
    squares = ((x1 * x1).sum(-1) + 1e-12) * ((x2 * x2).sum(-1) + 1e-12)
    cosine = (x1 * x2).sum(-1) * lax.rsqrt(squares)
    loss = jnp.where(target == 1, 1 - cosine, jnp.where(target == -1, jax.nn.relu(cosine - margin), 0))
    return reduce_loss(loss, reduction)


def margin_ranking_loss(x1, x2, target, margin=0, reduction="mean") -> jax.Array:
    """max(0, -target * (x1 - x2) + margin)."""
    return reduce_loss(jax.nn.relu(-target * (x1 - x2) + margin), reduction)


def hinge_embedding_loss(x, target, margin=1.0, reduction="mean") -> jax.Array:
    """x where target is 1, max(0, margin - x) where it is -1."""
    loss = jnp.where(target == 1, 0, jax.nn.relu(margin - x)) + jnp.where(target == -1, 0, x)
    return reduce_loss(loss, reduction)


def soft_margin_loss(x, target, reduction="mean") -> jax.Array:
    """log(1 + exp(-target * x))."""
    return reduce_loss(jax.nn.softplus(-target * x), reduction)


def multilabel_soft_margin_loss(x, target, weight=None, reduction="mean") -> jax.Array:
    """Binary cross entropy with logits, averaged over the classes (last axis)."""
    loss = binary_cross_entropy_with_logits(x, target, weight, "none")
    return reduce_loss(loss.mean(-1), reduction)


def multi_margin_loss(x, target, p=1, margin=1.0, weight=None, reduction="mean") -> jax.Array:
    """Mean over the other classes of max(0, margin - x[target] + x[class]) ** p."""
    label = jnp.expand_dims(target, -1)
    gap = jax.nn.relu(margin - jnp.take_along_axis(x, label, -1) + x) ** p
    if weight is not None:
        gap = gap * weight[label]
    others = jnp.arange(x.shape[-1]) != label
    return reduce_loss(jnp.where(others, gap, 0).sum(-1) / x.shape[-1], reduction)


def multilabel_margin_loss(x, target, reduction="mean") -> jax.Array:
    """Mean of max(0, 1 - x[target] + x[other]) over target classes and others; -1 ends the targets of a row."""
    listed = jnp.cumsum(target < 0, axis=-1) == 0
    label = jnp.where(listed, target, 0)
    is_target = (jax.nn.one_hot(label, x.shape[-1], dtype=x.dtype) * listed[..., None]).max(-2) > 0
    gap = jax.nn.relu(1 - jnp.take_along_axis(x, label, -1)[..., None] + x[..., None, :])
    loss = jnp.where(listed[..., None] & ~is_target[..., None, :], gap, 0).sum((-1, -2)) / x.shape[-1]
    return reduce_loss(loss, reduction)


def triplet_margin_loss(
    anchor, positive, negative, margin=1.0, p=2, eps=1e-6, swap=False, reduction="mean"
) -> jax.Array:
    """max(0, margin + distance(anchor, positive) - distance(anchor, negative))."""
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = jnp.minimum(far, pairwise_distance(positive, negative, p, eps))
    return reduce_loss(jax.nn.relu(margin + near - far), reduction)


def triplet_margin_with_distance_loss(
    anchor, positive, negative, distance_function=None, margin=1.0, swap=False, reduction="mean"
) -> jax.Array:
    """triplet_margin_loss with a distance of one's own."""
    distance = pairwise_distance if distance_function is None else distance_function
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = jnp.minimum(far, distance(positive, negative))
    return reduce_loss(jax.nn.relu(margin + near - far), reduction)


def ctc_loss(
    log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean", zero_infinity=False
) -> jax.Array:
    """Minus the log-probability of the target sequences over all alignments; log_probs is [time, batch, classes]."""
    single = log_probs.ndim == 2
    if single:
        log_probs, targets = log_probs[:, None], targets.reshape(1, -1)
    steps, batch, _ = log_probs.shape
    input_lengths = jnp.broadcast_to(jnp.asarray(input_lengths), (batch,))
    target_lengths = jnp.broadcast_to(jnp.asarray(target_lengths), (batch,))
    if targets.ndim == 1:  # all targets in one row, one after the other: [batch, length], longer than needed
        start = jnp.cumsum(target_lengths) - target_lengths
        targets = targets[jnp.minimum(start[:, None] + jnp.arange(targets.size), targets.size - 1)]
    # A blank before, between and after the labels; a state may be entered from itself, its neighbour, or past a blank.
    states = jnp.full((batch, 2 * targets.shape[1] + 1), blank).at[:, 1::2].set(targets)
    skip = jnp.zeros(states.shape, bool).at[:, 2:].set((states[:, 2:] != blank) & (states[:, 2:] != states[:, :-2]))
    never = -1e30  # instead of -inf, whose gradients are nan
    emit = jnp.take_along_axis(log_probs, jnp.broadcast_to(states, (steps, *states.shape)), -1)
    alpha = jnp.full(states.shape, never, log_probs.dtype).at[:, :2].set(emit[0, :, :2])

    def step(alpha, now):
        time, emit = now
        one = jnp.pad(alpha, ((0, 0), (1, 0)), constant_values=never)[:, :-1]
        two = jnp.where(skip, jnp.pad(alpha, ((0, 0), (2, 0)), constant_values=never)[:, :-2], never)
        moved = jnp.maximum(jax.nn.logsumexp(jnp.stack([alpha, one, two]), axis=0) + emit, never)
        return jnp.where((time < input_lengths)[:, None], moved, alpha), None

    alpha, _ = lax.scan(step, alpha, (jnp.arange(1, steps), emit[1:]))
    last = 2 * target_lengths[:, None]
    ends = jnp.take_along_axis(alpha, jnp.concatenate([last, jnp.maximum(last - 1, 0)], 1), 1)
    ends = ends.at[:, 1].set(jnp.where(target_lengths > 0, ends[:, 1], never))
    score = jax.nn.logsumexp(ends, axis=1)
    loss = jnp.where(score < never / 2, 0.0 if zero_infinity else jnp.inf, -score)
    if reduction == "mean":
        return (loss / jnp.maximum(target_lengths, 1)).mean()
    return loss.sum() if reduction == "sum" else loss[0] if single else loss

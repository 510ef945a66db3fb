"""Losses with torch's arguments and reductions."""

import math

import mlx.core as mx
import mlx.nn as nn


def reduce_loss(loss: mx.array, reduction: str) -> mx.array:
    """Mean, sum or nothing."""
    if reduction == "none":
        return loss
    return loss.mean() if reduction == "mean" else loss.sum()


def mse_loss(x, target, reduction="mean", weight=None) -> mx.array:
    """Squared differences."""
    loss = mx.square(x - target)
    if weight is None:
        return reduce_loss(loss, reduction)
    return weighted_loss(loss, weight, reduction)


def l1_loss(x, target, reduction="mean", weight=None) -> mx.array:
    """Absolute differences."""
    loss = mx.abs(x - target)
    if weight is None:
        return reduce_loss(loss, reduction)
    return weighted_loss(loss, weight, reduction)


def weighted_loss(loss, weight, reduction) -> mx.array:
    """Mean over the sum of the weights, sum or nothing."""
    loss = loss * weight
    return loss.sum() / weight.sum() if reduction == "mean" else reduce_loss(loss, reduction)


def smooth_l1_loss(x, target, reduction="mean", beta=1.0) -> mx.array:
    """Squared differences (over 2 beta) below beta and absolute ones above."""
    gap = mx.abs(x - target)
    loss = gap if beta == 0 else mx.where(gap < beta, 0.5 * gap * gap / beta, gap - 0.5 * beta)
    return reduce_loss(loss, reduction)


def huber_loss(x, target, reduction="mean", delta=1.0, weight=None) -> mx.array:
    """Half squared differences up to delta, and delta times the absolute ones above."""
    gap = mx.abs(x - target)
    loss = mx.where(gap < delta, 0.5 * gap * gap, delta * (gap - 0.5 * delta))
    return reduce_loss(loss if weight is None else loss * weight, reduction)


def nll_loss(x, target, weight=None, ignore_index=-100, reduction="mean") -> mx.array:
    """Minus the log-probability x (classes on axis 1) of the target classes, each weighted by its class."""
    axis = 1 if x.ndim > 1 else 0
    kept = target != ignore_index
    label = mx.where(kept, target, 0)
    share = kept.astype(x.dtype) if weight is None else mx.where(kept, weight[label], 0)
    loss = -share * mx.take_along_axis(x, mx.expand_dims(label, axis), axis).squeeze(axis)
    return loss.sum() / share.sum() if reduction == "mean" else reduce_loss(loss, reduction)


def cross_entropy(
    x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0
) -> mx.array:
    """Cross entropy of logits x (classes on axis 1) and target classes, or class probabilities of the shape of x."""
    axis = 1 if x.ndim > 1 else 0
    classes = x.shape[axis]
    log_p = log_softmax(x, axis=axis)
    form = [-1 if i == axis else 1 for i in range(x.ndim)]
    weighted = log_p if weight is None else log_p * weight.reshape(form)
    if mx.issubdtype(target.dtype, mx.floating):
        target = target * (1 - label_smoothing) + label_smoothing / classes
        loss = -(weighted * target).sum(axis)
        return loss.sum() / (x.size // classes) if reduction == "mean" else reduce_loss(loss, reduction)
    loss = nll_loss(log_p, target, weight, ignore_index, "none")
    kept = target != ignore_index
    share = kept.astype(x.dtype) if weight is None else mx.where(kept, weight[mx.where(kept, target, 0)], 0)
    if label_smoothing:
        smooth = mx.where(kept, -weighted.sum(axis) / classes, 0)
        loss = (1 - label_smoothing) * loss + label_smoothing * smooth
    return loss.sum() / share.sum() if reduction == "mean" else reduce_loss(loss, reduction)


def binary_cross_entropy(x, target, weight=None, reduction="mean") -> mx.array:
    """Cross entropy of probabilities x and targets; logarithms stop at -100, as in torch."""
    # log(0) is cut off, so its infinite slope must not reach the gradient either.
    log_p = mx.maximum(mx.log(mx.where(x > 0, x, 1e-30 if x.dtype == mx.float32 else 1e-7)), -100)
    log_p = mx.where(x > 0, log_p, -100)
    log_q = mx.where(x < 1, mx.maximum(mx.log1p(-mx.where(x < 1, x, 0)), -100), -100)
    loss = -(target * log_p + (1 - target) * log_q)
    return reduce_loss(loss if weight is None else loss * weight, reduction)


def binary_cross_entropy_with_logits(x, target, weight=None, reduction="mean", pos_weight=None) -> mx.array:
    """Cross entropy of sigmoid(x) and targets; pos_weight scales the positive ones."""
    positive = 1 if pos_weight is None else 1 + (pos_weight - 1) * target
    loss = (1 - target) * x - positive * nn.log_sigmoid(x)
    return reduce_loss(loss if weight is None else loss * weight, reduction)


def kl_div(x, target, reduction="mean", log_target=False) -> mx.array:
    """target * (log(target) - x) for log-probabilities x; 'batchmean' divides the sum by the batch size."""
    if log_target:
        loss = mx.exp(target) * (target - x)
    else:
        loss = xlogy(target, target) - target * x
    return loss.sum() / x.shape[0] if reduction == "batchmean" else reduce_loss(loss, reduction)


def poisson_nll_loss(x, target, log_input=True, full=False, eps=1e-8, reduction="mean") -> mx.array:
    """Minus the log-likelihood of counts `target` for rates x (or their logarithms)."""
    loss = mx.exp(x) - target * x if log_input else x - target * mx.log(x + eps)
    if full:  # Stirling's formula for log(target!)
        count = mx.where(target > 1, target, 1)
        loss = loss + mx.where(
            target > 1, target * mx.log(count) - target + 0.5 * mx.log(2 * math.pi * count), 0
        )
    return reduce_loss(loss, reduction)


def gaussian_nll_loss(x, target, var, full=False, eps=1e-6, reduction="mean") -> mx.array:
    """Minus the log-likelihood of target under a normal distribution of mean x and variance var."""
    var = mx.array(var, dtype=x.dtype)
    if 0 < var.ndim < x.ndim:  # one variance for a whole row
        var = var[..., None]
    var = var + mx.stop_gradient(mx.maximum(var, eps) - var)
    loss = 0.5 * (mx.log(var) + mx.square(x - target) / var)
    return reduce_loss(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


def cosine_embedding_loss(x1, x2, target, margin=0, reduction="mean") -> mx.array:
    """1 - cosine where target is 1, max(0, cosine - margin) where it is -1."""
    # torch's formula here: the tiny number is added to each squared length.
    squares = ((x1 * x1).sum(-1) + 1e-12) * ((x2 * x2).sum(-1) + 1e-12)
    cosine = (x1 * x2).sum(-1) * mx.rsqrt(squares)
    loss = mx.where(target == 1, 1 - cosine, mx.where(target == -1, nn.relu(cosine - margin), 0))
    return reduce_loss(loss, reduction)


def margin_ranking_loss(x1, x2, target, margin=0, reduction="mean") -> mx.array:
    """max(0, -target * (x1 - x2) + margin)."""
    return reduce_loss(nn.relu(-target * (x1 - x2) + margin), reduction)


def hinge_embedding_loss(x, target, margin=1.0, reduction="mean") -> mx.array:
    """x where target is 1, max(0, margin - x) where it is -1."""
    loss = mx.where(target == 1, 0, nn.relu(margin - x)) + mx.where(target == -1, 0, x)
    return reduce_loss(loss, reduction)


def soft_margin_loss(x, target, reduction="mean") -> mx.array:
    """log(1 + exp(-target * x))."""
    return reduce_loss(nn.softplus(-target * x), reduction)


def multilabel_soft_margin_loss(x, target, weight=None, reduction="mean") -> mx.array:
    """Binary cross entropy with logits, averaged over the classes (last axis)."""
    loss = binary_cross_entropy_with_logits(x, target, weight, "none")
    return reduce_loss(loss.mean(-1), reduction)


def multi_margin_loss(x, target, p=1, margin=1.0, weight=None, reduction="mean") -> mx.array:
    """Mean over the other classes of max(0, margin - x[target] + x[class]) ** p."""
    label = mx.expand_dims(target, -1)
    gap = nn.relu(margin - mx.take_along_axis(x, label, -1) + x) ** p
    if weight is not None:
        gap = gap * weight[label]
    others = mx.arange(x.shape[-1]) != label
    return reduce_loss(mx.where(others, gap, 0).sum(-1) / x.shape[-1], reduction)


def multilabel_margin_loss(x, target, reduction="mean") -> mx.array:
    """Mean of max(0, 1 - x[target] + x[other]) over target classes and others; -1 ends the targets of a row."""
    listed = mx.cumsum((target < 0).astype(mx.int32), axis=-1) == 0
    label = mx.where(listed, target, 0)
    is_target = mx.any((label[..., None] == mx.arange(x.shape[-1])) & listed[..., None], axis=-2)
    gap = nn.relu(1 - mx.take_along_axis(x, label, -1)[..., None] + x[..., None, :])
    loss = mx.where(listed[..., None] & mx.logical_not(is_target)[..., None, :], gap, 0).sum((-1, -2)) / x.shape[-1]
    return reduce_loss(loss, reduction)


def triplet_margin_loss(
    anchor, positive, negative, margin=1.0, p=2, eps=1e-6, swap=False, reduction="mean"
) -> mx.array:
    """max(0, margin + distance(anchor, positive) - distance(anchor, negative))."""
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = mx.minimum(far, pairwise_distance(positive, negative, p, eps))
    return reduce_loss(nn.relu(margin + near - far), reduction)


def triplet_margin_with_distance_loss(
    anchor, positive, negative, distance_function=None, margin=1.0, swap=False, reduction="mean"
) -> mx.array:
    """triplet_margin_loss with a distance of one's own."""
    distance = pairwise_distance if distance_function is None else distance_function
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = mx.minimum(far, distance(positive, negative))
    return reduce_loss(nn.relu(margin + near - far), reduction)


def ctc_loss(
    log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean", zero_infinity=False
) -> mx.array:
    """Minus the log-probability of the target sequences over all alignments; log_probs is [time, batch, classes]."""
    single = log_probs.ndim == 2
    if single:
        log_probs, targets = log_probs[:, None], targets.reshape(1, -1)
    steps, batch, _ = log_probs.shape
    input_lengths, target_lengths = (
        mx.broadcast_to(mx.array(lengths), (batch,)) for lengths in (input_lengths, target_lengths)
    )
    if targets.ndim == 1:  # all targets in one row, one after the other: [batch, length], longer than needed
        start = mx.cumsum(target_lengths) - target_lengths
        targets = targets[mx.minimum(start[:, None] + mx.arange(targets.size), targets.size - 1)]
    # A blank before, between and after the labels; a state may be entered from itself, its neighbour, or past a blank.
    states = mx.full((batch, 2 * targets.shape[1] + 1), blank, dtype=targets.dtype)
    states[:, 1::2] = targets
    skip = mx.pad((states[:, 2:] != blank) & (states[:, 2:] != states[:, :-2]), [(0, 0), (2, 0)])
    never = -1e30  # instead of -inf, whose gradients are nan
    emit = mx.take_along_axis(log_probs, mx.broadcast_to(states, (steps, *states.shape)), -1)
    alpha = mx.where(mx.arange(states.shape[1]) < 2, emit[0], never)
    for time in range(1, steps):
        one = mx.pad(alpha, [(0, 0), (1, 0)], constant_values=never)[:, :-1]
        two = mx.where(skip, mx.pad(alpha, [(0, 0), (2, 0)], constant_values=never)[:, :-2], never)
        moved = mx.maximum(mx.logsumexp(mx.stack([alpha, one, two]), axis=0) + emit[time], never)
        alpha = mx.where((time < input_lengths)[:, None], moved, alpha)
    last = 2 * target_lengths[:, None]
    ends = mx.take_along_axis(alpha, mx.concatenate([last, mx.maximum(last - 1, 0)], axis=1), axis=1)
    ends = mx.where(mx.stack([target_lengths >= 0, target_lengths > 0], axis=1), ends, never)
    score = mx.logsumexp(ends, axis=1)
    loss = mx.where(score < never / 2, 0.0 if zero_infinity else mx.inf, -score)
    if reduction == "mean":
        return (loss / mx.maximum(target_lengths, 1)).mean()
    return loss.sum() if reduction == "sum" else loss[0] if single else loss

"""Losses with torch's arguments and reductions."""

import math
from typing import Any

import keras
from keras import ops


def reduce_loss(loss: Any, reduction: str) -> Any:
    """Mean, sum or nothing."""
    if reduction == "none":
        return loss
    return ops.mean(loss) if reduction == "mean" else ops.sum(loss)


def mse_loss(x, target, reduction="mean", weight=None) -> Any:
    """Squared differences."""
    loss = ops.square(x - target)
    if weight is None:
        return reduce_loss(loss, reduction)
    return weighted_loss(loss, weight, reduction)


def l1_loss(x, target, reduction="mean", weight=None) -> Any:
    """Absolute differences."""
    loss = ops.abs(x - target)
    if weight is None:
        return reduce_loss(loss, reduction)
    return weighted_loss(loss, weight, reduction)


def weighted_loss(loss, weight, reduction) -> Any:
    """Mean over the sum of the weights, sum or nothing."""
    loss = loss * weight
    return ops.sum(loss) / ops.sum(weight) if reduction == "mean" else reduce_loss(loss, reduction)


def smooth_l1_loss(x, target, reduction="mean", beta=1.0) -> Any:
    """Squared differences (over 2 beta) below beta and absolute ones above."""
    gap = ops.abs(x - target)
    loss = gap if beta == 0 else ops.where(gap < beta, 0.5 * gap * gap / beta, gap - 0.5 * beta)
    return reduce_loss(loss, reduction)


def huber_loss(x, target, reduction="mean", delta=1.0, weight=None) -> Any:
    """Half squared differences up to delta, and delta times the absolute ones above."""
    gap = ops.abs(x - target)
    loss = ops.where(gap < delta, 0.5 * gap * gap, delta * (gap - 0.5 * delta))
    return reduce_loss(loss if weight is None else loss * weight, reduction)


def nll_loss(x, target, weight=None, ignore_index=-100, reduction="mean") -> Any:
    """Minus the log-probability x (classes on axis 1) of the target classes, each weighted by its class."""
    axis = 1 if x.ndim > 1 else 0
    kept = target != ignore_index
    label = ops.where(kept, target, 0)
    share = ops.cast(kept, x.dtype) if weight is None else ops.where(kept, ops.take(weight, label, axis=0), 0)
    loss = -share * ops.squeeze(ops.take_along_axis(x, ops.expand_dims(label, axis), axis), axis)
    return ops.sum(loss) / ops.sum(share) if reduction == "mean" else reduce_loss(loss, reduction)


def cross_entropy(x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0) -> Any:
    """Cross entropy of logits x (classes on axis 1) and target classes, or class probabilities of the shape of x."""
    axis = 1 if x.ndim > 1 else 0
    classes = x.shape[axis]
    log_p = ops.log_softmax(x, axis=axis)
    form = [-1 if i == axis else 1 for i in range(x.ndim)]
    weighted = log_p if weight is None else log_p * ops.reshape(weight, form)
    if keras.backend.is_float_dtype(target.dtype):
        target = target * (1 - label_smoothing) + label_smoothing / classes
        loss = -ops.sum((weighted * target), axis)
        count = math.prod(x.shape) // classes
        return ops.sum(loss) / count if reduction == "mean" else reduce_loss(loss, reduction)
    loss = nll_loss(log_p, target, weight, ignore_index, "none")
    kept = target != ignore_index
    share = (
        ops.cast(kept, x.dtype)
        if weight is None
        else ops.where(kept, ops.take(weight, ops.where(kept, target, 0), axis=0), 0)
    )
    if label_smoothing:
        smooth = ops.where(kept, -ops.sum(weighted, axis) / classes, 0)
        loss = (1 - label_smoothing) * loss + label_smoothing * smooth
    return ops.sum(loss) / ops.sum(share) if reduction == "mean" else reduce_loss(loss, reduction)


def binary_cross_entropy(x, target, weight=None, reduction="mean") -> Any:
    """Cross entropy of probabilities x and targets; logarithms stop at -100, as in torch."""
    # log(0) is cut off, so its infinite slope must not reach the gradient either.
    log_p = ops.maximum(ops.log(ops.where(x > 0, x, 1e-30 if x.dtype == "float32" else 1e-7)), -100)
    log_p = ops.where(x > 0, log_p, -100)
    log_q = ops.where(x < 1, ops.maximum(ops.log1p(-ops.where(x < 1, x, 0)), -100), -100)
    loss = -(target * log_p + (1 - target) * log_q)
    return reduce_loss(loss if weight is None else loss * weight, reduction)


def binary_cross_entropy_with_logits(x, target, weight=None, reduction="mean", pos_weight=None) -> Any:
    """Cross entropy of sigmoid(x) and targets; pos_weight scales the positive ones."""
    positive = 1 if pos_weight is None else 1 + (pos_weight - 1) * target
    loss = (1 - target) * x - positive * ops.log_sigmoid(x)
    return reduce_loss(loss if weight is None else loss * weight, reduction)


def kl_div(x, target, reduction="mean", log_target=False) -> Any:
    """target * (log(target) - x) for log-probabilities x; 'batchmean' divides the sum by the batch size."""
    if log_target:
        loss = ops.exp(target) * (target - x)
    else:
        loss = xlogy(target, target) - target * x
    return ops.sum(loss) / x.shape[0] if reduction == "batchmean" else reduce_loss(loss, reduction)


def poisson_nll_loss(x, target, log_input=True, full=False, eps=1e-8, reduction="mean") -> Any:
    """Minus the log-likelihood of counts `target` for rates x (or their logarithms)."""
    loss = ops.exp(x) - target * x if log_input else x - target * ops.log(x + eps)
    if full:  # Stirling's formula for log(target!)
        count = ops.where(target > 1, target, 1)
        loss = loss + ops.where(target > 1, target * ops.log(count) - target + 0.5 * ops.log(2 * math.pi * count), 0)
    return reduce_loss(loss, reduction)


def gaussian_nll_loss(x, target, var, full=False, eps=1e-6, reduction="mean") -> Any:
    """Minus the log-likelihood of target under a normal distribution of mean x and variance var."""
    var = ops.cast(var, x.dtype)
    if 0 < var.ndim < x.ndim:  # one variance for a whole row
        var = var[..., None]
    var = var + ops.stop_gradient(ops.maximum(var, eps) - var)
    loss = 0.5 * (ops.log(var) + ops.square(x - target) / var)
    return reduce_loss(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


def cosine_embedding_loss(x1, x2, target, margin=0, reduction="mean") -> Any:
    """1 - cosine where target is 1, max(0, cosine - margin) where it is -1."""
    # torch's formula here: the tiny number is added to each squared length.
    squares = (ops.sum((x1 * x1), -1) + 1e-12) * (ops.sum((x2 * x2), -1) + 1e-12)
    cosine = ops.sum((x1 * x2), -1) * ops.rsqrt(squares)
    loss = ops.where(target == 1, 1 - cosine, ops.where(target == -1, ops.relu(cosine - margin), 0))
    return reduce_loss(loss, reduction)


def margin_ranking_loss(x1, x2, target, margin=0, reduction="mean") -> Any:
    """max(0, -target * (x1 - x2) + margin)."""
    return reduce_loss(ops.relu(-target * (x1 - x2) + margin), reduction)


def hinge_embedding_loss(x, target, margin=1.0, reduction="mean") -> Any:
    """x where target is 1, max(0, margin - x) where it is -1."""
    loss = ops.where(target == 1, 0, ops.relu(margin - x)) + ops.where(target == -1, 0, x)
    return reduce_loss(loss, reduction)


def soft_margin_loss(x, target, reduction="mean") -> Any:
    """log(1 + exp(-target * x))."""
    return reduce_loss(ops.softplus(-target * x), reduction)


def multilabel_soft_margin_loss(x, target, weight=None, reduction="mean") -> Any:
    """Binary cross entropy with logits, averaged over the classes (last axis)."""
    loss = binary_cross_entropy_with_logits(x, target, weight, "none")
    return reduce_loss(ops.mean(loss, -1), reduction)


def multi_margin_loss(x, target, p=1, margin=1.0, weight=None, reduction="mean") -> Any:
    """Mean over the other classes of max(0, margin - x[target] + x[class]) ** p."""
    label = ops.expand_dims(target, -1)
    gap = ops.relu(margin - ops.take_along_axis(x, label, -1) + x) ** p
    if weight is not None:
        gap = gap * ops.take(weight, label, axis=0)
    others = ops.arange(x.shape[-1], dtype=label.dtype) != label
    return reduce_loss(ops.sum(ops.where(others, gap, 0), -1) / x.shape[-1], reduction)


def multilabel_margin_loss(x, target, reduction="mean") -> Any:
    """Mean of max(0, 1 - x[target] + x[other]) over target classes and others; -1 ends the targets of a row."""
    listed = ops.cumsum(ops.cast((target < 0), "int32"), axis=-1) == 0
    label = ops.where(listed, target, 0)
    is_target = ops.any((label[..., None] == ops.arange(x.shape[-1], dtype=label.dtype)) & listed[..., None], axis=-2)
    gap = ops.relu(1 - ops.take_along_axis(x, label, -1)[..., None] + x[..., None, :])
    loss = ops.sum(ops.where(listed[..., None] & ~is_target[..., None, :], gap, 0), (-1, -2)) / x.shape[-1]
    return reduce_loss(loss, reduction)


def triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2, eps=1e-6, swap=False, reduction="mean") -> Any:
    """max(0, margin + distance(anchor, positive) - distance(anchor, negative))."""
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = ops.minimum(far, pairwise_distance(positive, negative, p, eps))
    return reduce_loss(ops.relu(margin + near - far), reduction)


def triplet_margin_with_distance_loss(
    anchor, positive, negative, distance_function=None, margin=1.0, swap=False, reduction="mean"
) -> Any:
    """triplet_margin_loss with a distance of one's own."""
    distance = pairwise_distance if distance_function is None else distance_function
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = ops.minimum(far, distance(positive, negative))
    return reduce_loss(ops.relu(margin + near - far), reduction)


def ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean", zero_infinity=False) -> Any:
    """Minus the log-probability of the target sequences over all alignments; log_probs is [time, batch, classes]."""
    single = log_probs.ndim == 2
    if single:
        log_probs, targets = log_probs[:, None], ops.reshape(targets, (1, -1))
    steps, batch, _ = log_probs.shape
    input_lengths, target_lengths = (
        ops.broadcast_to(ops.convert_to_tensor(lengths), (batch,)) for lengths in (input_lengths, target_lengths)
    )
    if targets.ndim == 1:  # all targets in one row, one after the other: [batch, length], longer than needed
        start = ops.cumsum(target_lengths) - target_lengths
        targets = ops.take(
            targets,
            ops.minimum(start[:, None] + ops.arange(targets.shape[0], dtype=start.dtype), targets.shape[0] - 1),
            axis=0,
        )
    # A blank before, between and after the labels; a state may be entered from itself, its neighbour, or past a blank.
    blanks = ops.full(targets.shape, blank, dtype=targets.dtype)
    states = ops.reshape(ops.stack([blanks, targets], axis=2), [batch, -1])
    states = ops.pad(states, [(0, 0), (0, 1)], constant_values=blank)
    skip = ops.pad((states[:, 2:] != blank) & (states[:, 2:] != states[:, :-2]), [(0, 0), (2, 0)])
    never = -1e30  # instead of -inf, whose gradients are nan
    emit = ops.take_along_axis(log_probs, ops.broadcast_to(states, (steps, *states.shape)), -1)
    alpha = ops.where(ops.arange(states.shape[1]) < 2, emit[0], never)
    for time in range(1, steps):
        one = ops.pad(alpha, [(0, 0), (1, 0)], constant_values=never)[:, :-1]
        two = ops.where(skip, ops.pad(alpha, [(0, 0), (2, 0)], constant_values=never)[:, :-2], never)
        moved = ops.maximum(ops.logsumexp(ops.stack([alpha, one, two]), axis=0) + emit[time], never)
        alpha = ops.where((time < input_lengths)[:, None], moved, alpha)
    last = 2 * target_lengths[:, None]
    ends = ops.take_along_axis(alpha, ops.concatenate([last, ops.maximum(last - 1, 0)], axis=1), axis=1)
    ends = ops.where(ops.stack([target_lengths >= 0, target_lengths > 0], axis=1), ends, never)
    score = ops.logsumexp(ends, axis=1)
    loss = ops.where(score < never / 2, 0.0 if zero_infinity else math.inf, -score)
    if reduction == "mean":
        return ops.mean(loss / ops.cast(ops.maximum(target_lengths, 1), loss.dtype))
    return ops.sum(loss) if reduction == "sum" else loss[0] if single else loss

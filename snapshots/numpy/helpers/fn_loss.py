"""Losses with torch's arguments and reductions."""

import math

import numpy as np
from scipy import special


def reduce_loss(loss: np.ndarray, reduction: str) -> np.ndarray:
    """Mean, sum or nothing."""
    if reduction == "none":
        return loss
    return loss.mean() if reduction == "mean" else loss.sum()


def mse_loss(x, target, reduction="mean", weight=None) -> np.ndarray:
    """Squared differences."""
    loss = np.square(x - target)
    if weight is None:
        return reduce_loss(loss, reduction)
    return weighted_loss(loss, weight, reduction)


def l1_loss(x, target, reduction="mean", weight=None) -> np.ndarray:
    """Absolute differences."""
    loss = np.abs(x - target)
    if weight is None:
        return reduce_loss(loss, reduction)
    return weighted_loss(loss, weight, reduction)


def weighted_loss(loss, weight, reduction) -> np.ndarray:
    """Mean over the sum of the weights, sum or nothing."""
    loss = loss * weight
    return loss.sum() / weight.sum() if reduction == "mean" else reduce_loss(loss, reduction)


def smooth_l1_loss(x, target, reduction="mean", beta=1.0) -> np.ndarray:
    """Squared differences (over 2 beta) below beta and absolute ones above."""
    gap = np.abs(x - target)
    loss = gap if beta == 0 else np.where(gap < beta, 0.5 * gap * gap / beta, gap - 0.5 * beta)
    return reduce_loss(loss, reduction)


def huber_loss(x, target, reduction="mean", delta=1.0, weight=None) -> np.ndarray:
    """Half squared differences up to delta, and delta times the absolute ones above."""
    gap = np.abs(x - target)
    loss = np.where(gap < delta, 0.5 * gap * gap, delta * (gap - 0.5 * delta))
    return reduce_loss(loss if weight is None else loss * weight, reduction)


def nll_loss(x, target, weight=None, ignore_index=-100, reduction="mean") -> np.ndarray:
    """Minus the log-probability x (classes on axis 1) of the target classes, each weighted by its class."""
    axis = 1 if x.ndim > 1 else 0
    kept = target != ignore_index
    label = np.where(kept, target, 0)
    share = kept.astype(x.dtype) if weight is None else np.where(kept, weight[label], 0)
    loss = -share * np.take_along_axis(x, np.expand_dims(label, axis), axis).squeeze(axis)
    return loss.sum() / share.sum() if reduction == "mean" else reduce_loss(loss, reduction)


def cross_entropy(
    x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0
) -> np.ndarray:
    """Cross entropy of logits x (classes on axis 1) and target classes, or class probabilities of the shape of x."""
    axis = 1 if x.ndim > 1 else 0
    classes = x.shape[axis]
    log_p = log_softmax(x, axis=axis)
    form = [-1 if i == axis else 1 for i in range(x.ndim)]
    weighted = log_p if weight is None else log_p * weight.reshape(form)
    if np.issubdtype(target.dtype, np.floating):
        target = target * (1 - label_smoothing) + label_smoothing / classes
        loss = -(weighted * target).sum(axis)
        return loss.sum() / (x.size // classes) if reduction == "mean" else reduce_loss(loss, reduction)
    loss = nll_loss(log_p, target, weight, ignore_index, "none")
    kept = target != ignore_index
    share = kept.astype(x.dtype) if weight is None else np.where(kept, weight[np.where(kept, target, 0)], 0)
    if label_smoothing:
        smooth = np.where(kept, -weighted.sum(axis) / classes, 0)
        loss = (1 - label_smoothing) * loss + label_smoothing * smooth
    return loss.sum() / share.sum() if reduction == "mean" else reduce_loss(loss, reduction)


def binary_cross_entropy(x, target, weight=None, reduction="mean") -> np.ndarray:
    """Cross entropy of probabilities x and targets; logarithms stop at -100, as in torch."""
    with np.errstate(divide="ignore"):
        log_p, log_q = np.maximum(np.log(x), -100), np.maximum(np.log1p(-x), -100)
    loss = -(target * log_p + (1 - target) * log_q)
    return reduce_loss(loss if weight is None else loss * weight, reduction)


def binary_cross_entropy_with_logits(x, target, weight=None, reduction="mean", pos_weight=None) -> np.ndarray:
    """Cross entropy of sigmoid(x) and targets; pos_weight scales the positive ones."""
    positive = 1 if pos_weight is None else 1 + (pos_weight - 1) * target
    loss = (1 - target) * x - positive * -np.logaddexp(-(x), 0)
    return reduce_loss(loss if weight is None else loss * weight, reduction)


def kl_div(x, target, reduction="mean", log_target=False) -> np.ndarray:
    """target * (log(target) - x) for log-probabilities x; 'batchmean' divides the sum by the batch size."""
    if log_target:
        loss = np.exp(target) * (target - x)
    else:
        loss = special.xlogy(target, target) - target * x
    return loss.sum() / x.shape[0] if reduction == "batchmean" else reduce_loss(loss, reduction)


def poisson_nll_loss(x, target, log_input=True, full=False, eps=1e-8, reduction="mean") -> np.ndarray:
    """Minus the log-likelihood of counts `target` for rates x (or their logarithms)."""
    loss = np.exp(x) - target * x if log_input else x - target * np.log(x + eps)
    if full:  # Stirling's formula for log(target!)
        count = np.where(target > 1, target, 1)
        loss = loss + np.where(
            target > 1, target * np.log(count) - target + 0.5 * np.log(2 * math.pi * count), 0
        )
    return reduce_loss(loss, reduction)


def gaussian_nll_loss(x, target, var, full=False, eps=1e-6, reduction="mean") -> np.ndarray:
    """Minus the log-likelihood of target under a normal distribution of mean x and variance var."""
    var = np.asarray(var, x.dtype)
    if 0 < var.ndim < x.ndim:  # one variance for a whole row
        var = var[..., None]
    var = np.maximum(var, eps)
    loss = 0.5 * (np.log(var) + np.square(x - target) / var)
    return reduce_loss(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


def cosine_embedding_loss(x1, x2, target, margin=0, reduction="mean") -> np.ndarray:
    """1 - cosine where target is 1, max(0, cosine - margin) where it is -1."""
    # torch's formula here: the tiny number is added to each squared length.
    squares = ((x1 * x1).sum(-1) + 1e-12) * ((x2 * x2).sum(-1) + 1e-12)
    cosine = (x1 * x2).sum(-1) / np.sqrt(squares)
    loss = np.where(target == 1, 1 - cosine, np.where(target == -1, np.maximum(cosine - margin, 0), 0))
    return reduce_loss(loss, reduction)


def margin_ranking_loss(x1, x2, target, margin=0, reduction="mean") -> np.ndarray:
    """max(0, -target * (x1 - x2) + margin)."""
    return reduce_loss(np.maximum(-target * (x1 - x2) + margin, 0), reduction)


def hinge_embedding_loss(x, target, margin=1.0, reduction="mean") -> np.ndarray:
    """x where target is 1, max(0, margin - x) where it is -1."""
    loss = np.where(target == 1, 0, np.maximum(margin - x, 0)) + np.where(target == -1, 0, x)
    return reduce_loss(loss, reduction)


def soft_margin_loss(x, target, reduction="mean") -> np.ndarray:
    """log(1 + exp(-target * x))."""
    return reduce_loss(np.logaddexp(-target * x, 0), reduction)


def multilabel_soft_margin_loss(x, target, weight=None, reduction="mean") -> np.ndarray:
    """Binary cross entropy with logits, averaged over the classes (last axis)."""
    loss = binary_cross_entropy_with_logits(x, target, weight, "none")
    return reduce_loss(loss.mean(-1), reduction)


def multi_margin_loss(x, target, p=1, margin=1.0, weight=None, reduction="mean") -> np.ndarray:
    """Mean over the other classes of max(0, margin - x[target] + x[class]) ** p."""
    label = np.expand_dims(target, -1)
    gap = np.maximum(margin - np.take_along_axis(x, label, -1) + x, 0) ** p
    if weight is not None:
        gap = gap * weight[label]
    others = np.arange(x.shape[-1]) != label
    return reduce_loss(np.where(others, gap, 0).sum(-1) / x.shape[-1], reduction)


def multilabel_margin_loss(x, target, reduction="mean") -> np.ndarray:
    """Mean of max(0, 1 - x[target] + x[other]) over target classes and others; -1 ends the targets of a row."""
    listed = np.cumsum(target < 0, axis=-1) == 0
    label = np.where(listed, target, 0)
    is_target = (one_hot(label, x.shape[-1]) * listed[..., None]).max(-2) > 0
    gap = np.maximum(1 - np.take_along_axis(x, label, -1)[..., None] + x[..., None, :], 0)
    loss = np.where(listed[..., None] & ~is_target[..., None, :], gap, 0).sum((-1, -2)) / x.shape[-1]
    return reduce_loss(loss, reduction)


def triplet_margin_loss(
    anchor, positive, negative, margin=1.0, p=2, eps=1e-6, swap=False, reduction="mean"
) -> np.ndarray:
    """max(0, margin + distance(anchor, positive) - distance(anchor, negative))."""
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = np.minimum(far, pairwise_distance(positive, negative, p, eps))
    return reduce_loss(np.maximum(margin + near - far, 0), reduction)


def triplet_margin_with_distance_loss(
    anchor, positive, negative, distance_function=None, margin=1.0, swap=False, reduction="mean"
) -> np.ndarray:
    """triplet_margin_loss with a distance of one's own."""
    distance = pairwise_distance if distance_function is None else distance_function
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = np.minimum(far, distance(positive, negative))
    return reduce_loss(np.maximum(margin + near - far, 0), reduction)


def ctc_loss(
    log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean", zero_infinity=False
) -> np.ndarray:
    """Minus the log-probability of the target sequences over all alignments; log_probs is [time, batch, classes]."""
    single = log_probs.ndim == 2
    if single:
        log_probs, targets = log_probs[:, None], targets.reshape(1, -1)
    steps, batch, _ = log_probs.shape
    input_lengths = np.broadcast_to(input_lengths, (batch,))
    target_lengths = np.broadcast_to(target_lengths, (batch,))
    if targets.ndim == 1:  # all targets in one row, one after the other: [batch, length], longer than needed
        start = np.cumsum(target_lengths) - target_lengths
        targets = targets[np.minimum(start[:, None] + np.arange(targets.size), targets.size - 1)]
    # A blank before, between and after the labels; a state may be entered from itself, its neighbour, or past a blank.
    states = np.full((batch, 2 * targets.shape[1] + 1), blank)
    states[:, 1::2] = targets
    skip = np.zeros(states.shape, bool)
    skip[:, 2:] = (states[:, 2:] != blank) & (states[:, 2:] != states[:, :-2])
    emit = np.take_along_axis(log_probs, np.broadcast_to(states, (steps, *states.shape)), -1)
    alpha = np.full(states.shape, -np.inf, log_probs.dtype)
    alpha[:, :2] = emit[0, :, :2]
    for time in range(1, steps):
        one = np.pad(alpha, ((0, 0), (1, 0)), constant_values=-np.inf)[:, :-1]
        two = np.where(skip, np.pad(alpha, ((0, 0), (2, 0)), constant_values=-np.inf)[:, :-2], -np.inf)
        moved = np.logaddexp(np.logaddexp(alpha, one), two) + emit[time]
        alpha = np.where((time < input_lengths)[:, None], moved, alpha)
    last = 2 * target_lengths
    score, rows = alpha[np.arange(batch), last], np.arange(batch)
    score = np.where(target_lengths > 0, np.logaddexp(score, alpha[rows, np.maximum(last - 1, 0)]), score)
    loss = np.where(np.isneginf(score), 0.0 if zero_infinity else np.inf, -score)
    if reduction == "mean":
        return (loss / np.maximum(target_lengths, 1).astype(loss.dtype)).mean()
    return loss.sum() if reduction == "sum" else loss[0] if single else loss

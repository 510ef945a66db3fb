"""Losses as layers, with torch's constructors."""
# fmt: off (long signatures are filled, not one argument a line: these texts are copied into outputs)

from flax import nnx


class L1Loss(nnx.Module):
    """Absolute differences."""

    def __init__(self, reduction="mean", *, rngs: nnx.Rngs | None = None):
        self.reduction = reduction

    def __call__(self, input, target):
        return l1_loss(input, target, reduction=self.reduction)


class MSELoss(nnx.Module):
    """Squared differences."""

    def __init__(self, reduction="mean", *, rngs: nnx.Rngs | None = None):
        self.reduction = reduction

    def __call__(self, input, target):
        return mse_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(nnx.Module):
    """Squared differences below beta and absolute ones above."""

    def __init__(self, reduction="mean", beta=1.0, *, rngs: nnx.Rngs | None = None):
        self.reduction, self.beta = reduction, beta

    def __call__(self, input, target):
        return smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(nnx.Module):
    """Squared differences below delta and delta times the absolute ones above."""

    def __init__(self, reduction="mean", delta=1.0, *, rngs: nnx.Rngs | None = None):
        self.reduction, self.delta = reduction, delta

    def __call__(self, input, target):
        return huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class NLLLoss(nnx.Module):
    """Negative log-probability of the target class."""

    def __init__(self, weight=None, ignore_index=-100, reduction="mean", *, rngs: nnx.Rngs | None = None):
        self.ignore_index, self.reduction = ignore_index, reduction
        self.weight = nnx.data(None if weight is None else Buffer(weight))

    def __call__(self, input, target):
        weight = None if self.weight is None else self.weight[...]
        return nll_loss(input, target, weight=weight, ignore_index=self.ignore_index, reduction=self.reduction)


class CrossEntropyLoss(nnx.Module):
    """Cross entropy of logits and target classes or class probabilities."""

    def __init__(
        self, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0, *, rngs: nnx.Rngs | None = None
    ):
        self.ignore_index, self.reduction, self.label_smoothing = ignore_index, reduction, label_smoothing
        self.weight = nnx.data(None if weight is None else Buffer(weight))

    def __call__(self, input, target):
        weight = None if self.weight is None else self.weight[...]
        return cross_entropy(
            input, target, weight=weight, ignore_index=self.ignore_index, reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class BCELoss(nnx.Module):
    """Cross entropy of probabilities and targets."""

    def __init__(self, weight=None, reduction="mean", *, rngs: nnx.Rngs | None = None):
        self.reduction = reduction
        self.weight = nnx.data(None if weight is None else Buffer(weight))

    def __call__(self, input, target):
        weight = None if self.weight is None else self.weight[...]
        return binary_cross_entropy(input, target, weight=weight, reduction=self.reduction)


class BCEWithLogitsLoss(nnx.Module):
    """Cross entropy of the sigmoid of the input and targets."""

    def __init__(self, weight=None, reduction="mean", pos_weight=None, *, rngs: nnx.Rngs | None = None):
        self.reduction = reduction
        self.weight = nnx.data(None if weight is None else Buffer(weight))
        self.pos_weight = nnx.data(None if pos_weight is None else Buffer(pos_weight))

    def __call__(self, input, target):
        weight = None if self.weight is None else self.weight[...]
        pos_weight = None if self.pos_weight is None else self.pos_weight[...]
        return binary_cross_entropy_with_logits(
            input, target, weight=weight, reduction=self.reduction, pos_weight=pos_weight
        )


class KLDivLoss(nnx.Module):
    """target * (log(target) - input) for log-probabilities."""

    def __init__(self, reduction="mean", log_target=False, *, rngs: nnx.Rngs | None = None):
        self.reduction, self.log_target = reduction, log_target

    def __call__(self, input, target):
        return kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


class PoissonNLLLoss(nnx.Module):
    """Negative log-likelihood of counts under a Poisson distribution."""

    def __init__(self, log_input=True, full=False, eps=1e-08, reduction="mean", *, rngs: nnx.Rngs | None = None):
        self.log_input, self.full, self.eps, self.reduction = log_input, full, eps, reduction

    def __call__(self, log_input, target):
        return poisson_nll_loss(
            log_input, target, log_input=self.log_input, full=self.full, eps=self.eps, reduction=self.reduction
        )


class GaussianNLLLoss(nnx.Module):
    """Negative log-likelihood under a normal distribution of given variance."""

    def __init__(self, *, full=False, eps=1e-06, reduction="mean", rngs: nnx.Rngs | None = None):
        self.full, self.eps, self.reduction = full, eps, reduction

    def __call__(self, input, target, var):
        return gaussian_nll_loss(input, target, var, full=self.full, eps=self.eps, reduction=self.reduction)


class CosineEmbeddingLoss(nnx.Module):
    """1 - cosine for targets of 1, max(0, cosine - margin) for targets of -1."""

    def __init__(self, margin=0.0, reduction="mean", *, rngs: nnx.Rngs | None = None):
        self.margin, self.reduction = margin, reduction

    def __call__(self, input1, input2, target):
        return cosine_embedding_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)


class MarginRankingLoss(nnx.Module):
    """max(0, -target * (input1 - input2) + margin)."""

    def __init__(self, margin=0.0, reduction="mean", *, rngs: nnx.Rngs | None = None):
        self.margin, self.reduction = margin, reduction

    def __call__(self, input1, input2, target):
        return margin_ranking_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)


class HingeEmbeddingLoss(nnx.Module):
    """The input for targets of 1, max(0, margin - input) for targets of -1."""

    def __init__(self, margin=1.0, reduction="mean", *, rngs: nnx.Rngs | None = None):
        self.margin, self.reduction = margin, reduction

    def __call__(self, input, target):
        return hinge_embedding_loss(input, target, margin=self.margin, reduction=self.reduction)


class SoftMarginLoss(nnx.Module):
    """log(1 + exp(-target * input))."""

    def __init__(self, reduction="mean", *, rngs: nnx.Rngs | None = None):
        self.reduction = reduction

    def __call__(self, input, target):
        return soft_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(nnx.Module):
    """Binary cross entropy with logits, averaged over the classes."""

    def __init__(self, weight=None, reduction="mean", *, rngs: nnx.Rngs | None = None):
        self.reduction = reduction
        self.weight = nnx.data(None if weight is None else Buffer(weight))

    def __call__(self, input, target):
        weight = None if self.weight is None else self.weight[...]
        return multilabel_soft_margin_loss(input, target, weight=weight, reduction=self.reduction)


class MultiMarginLoss(nnx.Module):
    """How far the other classes come within a margin of the target class."""

    def __init__(self, p=1, margin=1.0, weight=None, reduction="mean", *, rngs: nnx.Rngs | None = None):
        self.p, self.margin, self.reduction = p, margin, reduction
        self.weight = nnx.data(None if weight is None else Buffer(weight))

    def __call__(self, input, target):
        weight = None if self.weight is None else self.weight[...]
        return multi_margin_loss(input, target, p=self.p, margin=self.margin, weight=weight, reduction=self.reduction)


class MultiLabelMarginLoss(nnx.Module):
    """How far the other classes come within 1 of any target class."""

    def __init__(self, reduction="mean", *, rngs: nnx.Rngs | None = None):
        self.reduction = reduction

    def __call__(self, input, target):
        return multilabel_margin_loss(input, target, reduction=self.reduction)


class TripletMarginLoss(nnx.Module):
    """How much closer the positive is to the anchor than the negative, short of a margin."""

    def __init__(self, margin=1.0, p=2.0, eps=1e-06, swap=False, reduction="mean", *, rngs: nnx.Rngs | None = None):
        self.margin, self.p, self.eps, self.swap, self.reduction = margin, p, eps, swap, reduction

    def __call__(self, anchor, positive, negative):
        return triplet_margin_loss(
            anchor, positive, negative, margin=self.margin, p=self.p, eps=self.eps, swap=self.swap,
            reduction=self.reduction,
        )


class TripletMarginWithDistanceLoss(nnx.Module):
    """TripletMarginLoss with a distance of one's own."""

    def __init__(
        self, *, distance_function=None, margin=1.0, swap=False, reduction="mean", rngs: nnx.Rngs | None = None
    ):
        self.distance_function, self.margin, self.swap, self.reduction = distance_function, margin, swap, reduction

    def __call__(self, anchor, positive, negative):
        return triplet_margin_with_distance_loss(
            anchor, positive, negative, distance_function=self.distance_function, margin=self.margin, swap=self.swap,
            reduction=self.reduction,
        )


class CTCLoss(nnx.Module):
    """Negative log-probability of the target sequences under all alignments."""

    def __init__(self, blank=0, reduction="mean", zero_infinity=False, *, rngs: nnx.Rngs | None = None):
        self.blank, self.reduction, self.zero_infinity = blank, reduction, zero_infinity

    def __call__(self, log_probs, targets, input_lengths, target_lengths):
        return ctc_loss(
            log_probs, targets, input_lengths, target_lengths, blank=self.blank, reduction=self.reduction,
            zero_infinity=self.zero_infinity,
        )


class Loss(nnx.Module):
    """What losses are derived from."""

    def __init__(self, reduction="mean", *, rngs: nnx.Rngs | None = None):
        self.reduction = reduction


class WeightedLoss(nnx.Module):
    """What losses with a weight for each class are derived from."""

    def __init__(self, weight=None, reduction="mean", *, rngs: nnx.Rngs | None = None):
        self.reduction = reduction
        self.weight = nnx.data(None if weight is None else Buffer(weight))

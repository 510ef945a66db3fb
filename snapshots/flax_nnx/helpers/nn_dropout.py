"""Dropout layers with torch's constructors."""
# fmt: off (long signatures are filled, not one argument a line: these texts are copied into outputs)

from flax import nnx


class Dropout(nnx.Dropout):
    """Dropout of single values, with torch's constructor."""

    def __init__(self, p=0.5, inplace=False, *, rngs: nnx.Rngs):
        super().__init__(p, rngs=rngs)


class _DropoutNd(nnx.Module):
    """What the dropout layers below share: their rate, mode and random stream."""

    def __init__(self, p=0.5, inplace=False, *, rngs: nnx.Rngs):
        self.rate, self.deterministic, self.rngs = p, False, rngs.fork()


class Dropout1d(_DropoutNd):
    """Dropout of whole channels of (N, C, L), with torch's constructor."""

    def __call__(self, input):
        return dropout1d(input, self.rate, not self.deterministic, rngs=self.rngs)


class Dropout2d(_DropoutNd):
    """Dropout of whole channels of (N, C, H, W), with torch's constructor."""

    def __call__(self, input):
        return dropout2d(input, self.rate, not self.deterministic, rngs=self.rngs)


class Dropout3d(_DropoutNd):
    """Dropout of whole channels of (N, C, D, H, W), with torch's constructor."""

    def __call__(self, input):
        return dropout3d(input, self.rate, not self.deterministic, rngs=self.rngs)


class AlphaDropout(_DropoutNd):
    """Dropout that keeps mean and variance of SELU activations, with torch's constructor."""

    def __call__(self, input):
        return alpha_dropout(input, self.rate, not self.deterministic, rngs=self.rngs)


class FeatureAlphaDropout(_DropoutNd):
    """Alpha dropout of whole channels, with torch's constructor."""

    def __call__(self, input):
        return feature_alpha_dropout(input, self.rate, not self.deterministic, rngs=self.rngs)

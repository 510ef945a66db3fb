"""Resizing, shuffling and padding layers, with torch's constructors."""
# fmt: off (long signatures are filled, not one argument a line: these texts are copied into outputs)

from flax import nnx


class Upsample(nnx.Module):
    """Resizes the spatial axes of (N, C, *spatial)."""

    def __init__(
        self, size=None, scale_factor=None, mode="nearest", align_corners=None, recompute_scale_factor=None, *,
        rngs: nnx.Rngs | None = None,
    ):
        self.size, self.scale_factor, self.mode = size, scale_factor, mode
        self.align_corners, self.recompute_scale_factor = align_corners, recompute_scale_factor

    def __call__(self, input):
        return interpolate(
            input, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor
        )


class UpsamplingNearest2d(Upsample):
    """Resizes images by repeating pixels."""

    def __init__(self, size=None, scale_factor=None, *, rngs: nnx.Rngs | None = None):
        super().__init__(size, scale_factor, "nearest")


class UpsamplingBilinear2d(Upsample):
    """Resizes images bilinearly with aligned corners."""

    def __init__(self, size=None, scale_factor=None, *, rngs: nnx.Rngs | None = None):
        super().__init__(size, scale_factor, "bilinear", align_corners=True)


class PixelShuffle(nnx.Module):
    """(N, C r^2, H, W) to (N, C, H r, W r)."""

    def __init__(self, upscale_factor, *, rngs: nnx.Rngs | None = None):
        self.upscale_factor = upscale_factor

    def __call__(self, input):
        return pixel_shuffle(input, self.upscale_factor)


class PixelUnshuffle(nnx.Module):
    """(N, C, H r, W r) to (N, C r^2, H, W)."""

    def __init__(self, downscale_factor, *, rngs: nnx.Rngs | None = None):
        self.downscale_factor = downscale_factor

    def __call__(self, input):
        return pixel_unshuffle(input, self.downscale_factor)


class ChannelShuffle(nnx.Module):
    """Spreads each group of channels evenly over all channels."""

    def __init__(self, groups, *, rngs: nnx.Rngs | None = None):
        self.groups = groups

    def __call__(self, input):
        return channel_shuffle(input, self.groups)


class _PadNd(nnx.Module):
    """What the padding layers share: (before, after) pairs from the last axis on, or one number for all."""

    rank = 2
    mode = "constant"

    def __init__(self, padding, *, rngs: nnx.Rngs | None = None):
        self.padding = (padding,) * (2 * self.rank) if isinstance(padding, int) else tuple(padding)

    def __call__(self, input):
        return pad(input, self.padding, self.mode)


class _ConstantPadNd(_PadNd):
    """Padding with one value."""

    def __init__(self, padding, value, *, rngs: nnx.Rngs | None = None):
        super().__init__(padding)
        self.value = value

    def __call__(self, input):
        return pad(input, self.padding, "constant", self.value)


class ZeroPad1d(_PadNd):
    """Puts zeros around the last 1 axis."""

    rank = 1


class ZeroPad2d(_PadNd):
    """Puts zeros around the last 2 axes."""

    rank = 2


class ZeroPad3d(_PadNd):
    """Puts zeros around the last 3 axes."""

    rank = 3


class ConstantPad1d(_ConstantPadNd):
    """Puts one value around the last 1 axis."""

    rank = 1


class ConstantPad2d(_ConstantPadNd):
    """Puts one value around the last 2 axes."""

    rank = 2


class ConstantPad3d(_ConstantPadNd):
    """Puts one value around the last 3 axes."""

    rank = 3


class ReflectionPad1d(_PadNd):
    """Puts the mirrored inside around the last 1 axis."""

    rank = 1
    mode = "reflect"


class ReflectionPad2d(_PadNd):
    """Puts the mirrored inside around the last 2 axes."""

    rank = 2
    mode = "reflect"


class ReflectionPad3d(_PadNd):
    """Puts the mirrored inside around the last 3 axes."""

    rank = 3
    mode = "reflect"


class ReplicationPad1d(_PadNd):
    """Puts the nearest values around the last 1 axis."""

    rank = 1
    mode = "replicate"


class ReplicationPad2d(_PadNd):
    """Puts the nearest values around the last 2 axes."""

    rank = 2
    mode = "replicate"


class ReplicationPad3d(_PadNd):
    """Puts the nearest values around the last 3 axes."""

    rank = 3
    mode = "replicate"


class CircularPad1d(_PadNd):
    """Puts the values of the other end around the last 1 axis."""

    rank = 1
    mode = "circular"


class CircularPad2d(_PadNd):
    """Puts the values of the other end around the last 2 axes."""

    rank = 2
    mode = "circular"


class CircularPad3d(_PadNd):
    """Puts the values of the other end around the last 3 axes."""

    rank = 3
    mode = "circular"

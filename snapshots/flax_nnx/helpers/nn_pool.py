"""Pooling layers with torch's constructors."""
# fmt: off (long signatures are filled, not one argument a line: these texts are copied into outputs)

from flax import nnx


class _MaxPoolNd(nnx.Module):
    """What the max pooling layers share: their settings."""

    def __init__(
        self, kernel_size, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False, *,
        rngs: nnx.Rngs | None = None,
    ):
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation, self.ceil_mode = padding, dilation, ceil_mode
        self.return_indices = return_indices


class MaxPool1d(_MaxPoolNd):
    """Largest value of every window over (N, C, L); positions are given by MaxPool1dWithIndices."""

    def __call__(self, input):
        if self.return_indices:
            raise ValueError("return_indices must be known when the layer is written")
        return max_pool1d(input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)


class MaxPool2d(_MaxPoolNd):
    """Largest value of every window over (N, C, H, W); positions are given by MaxPool2dWithIndices."""

    def __call__(self, input):
        if self.return_indices:
            raise ValueError("return_indices must be known when the layer is written")
        return max_pool2d(input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)


class MaxPool3d(_MaxPoolNd):
    """Largest value of every window over (N, C, D, H, W); positions are given by MaxPool3dWithIndices."""

    def __call__(self, input):
        if self.return_indices:
            raise ValueError("return_indices must be known when the layer is written")
        return max_pool3d(input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)


class MaxPool1dWithIndices(_MaxPoolNd):
    """Largest value of every window over (N, C, L) and, if return_indices, its flat position."""

    def __call__(self, input):
        values, indices = max_pool1d_with_indices(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
        )
        return (values, indices) if self.return_indices else values


class MaxPool2dWithIndices(_MaxPoolNd):
    """Largest value of every window over (N, C, H, W) and, if return_indices, its flat position."""

    def __call__(self, input):
        values, indices = max_pool2d_with_indices(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
        )
        return (values, indices) if self.return_indices else values


class MaxPool3dWithIndices(_MaxPoolNd):
    """Largest value of every window over (N, C, D, H, W) and, if return_indices, its flat position."""

    def __call__(self, input):
        values, indices = max_pool3d_with_indices(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
        )
        return (values, indices) if self.return_indices else values


class MaxUnpool1d(nnx.Module):
    """Puts values back at the positions that max pooling gave, zeros elsewhere."""

    def __init__(self, kernel_size, stride=None, padding=0, *, rngs: nnx.Rngs | None = None):
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding

    def __call__(self, input, indices, output_size=None):
        return max_unpool1d(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool2d(nnx.Module):
    """Puts values back at the positions that max pooling gave, zeros elsewhere."""

    def __init__(self, kernel_size, stride=None, padding=0, *, rngs: nnx.Rngs | None = None):
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding

    def __call__(self, input, indices, output_size=None):
        return max_unpool2d(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool3d(nnx.Module):
    """Puts values back at the positions that max pooling gave, zeros elsewhere."""

    def __init__(self, kernel_size, stride=None, padding=0, *, rngs: nnx.Rngs | None = None):
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding

    def __call__(self, input, indices, output_size=None):
        return max_unpool3d(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class AvgPool1d(nnx.Module):
    """Mean of every window over (N, C, L)."""

    def __init__(
        self, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, *,
        rngs: nnx.Rngs | None = None,
    ):
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def __call__(self, input):
        return avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class AvgPool2d(nnx.Module):
    """Mean of every window over (N, C, H, W)."""

    def __init__(
        self, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None, *,
        rngs: nnx.Rngs | None = None,
    ):
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding
        self.ceil_mode, self.count_include_pad, self.divisor_override = ceil_mode, count_include_pad, divisor_override

    def __call__(self, input):
        return avg_pool2d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad,
            self.divisor_override,
        )


class AvgPool3d(nnx.Module):
    """Mean of every window over (N, C, D, H, W)."""

    def __init__(
        self, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None, *,
        rngs: nnx.Rngs | None = None,
    ):
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding
        self.ceil_mode, self.count_include_pad, self.divisor_override = ceil_mode, count_include_pad, divisor_override

    def __call__(self, input):
        return avg_pool3d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad,
            self.divisor_override,
        )


class LPPool1d(nnx.Module):
    """p-norm of every window over (N, C, L)."""

    def __init__(self, norm_type, kernel_size, stride=None, ceil_mode=False, *, rngs: nnx.Rngs | None = None):
        self.norm_type, self.kernel_size, self.stride, self.ceil_mode = norm_type, kernel_size, stride, ceil_mode

    def __call__(self, input):
        return lp_pool1d(input, self.norm_type, self.kernel_size, self.stride, self.ceil_mode)


class LPPool2d(nnx.Module):
    """p-norm of every window over (N, C, H, W)."""

    def __init__(self, norm_type, kernel_size, stride=None, ceil_mode=False, *, rngs: nnx.Rngs | None = None):
        self.norm_type, self.kernel_size, self.stride, self.ceil_mode = norm_type, kernel_size, stride, ceil_mode

    def __call__(self, input):
        return lp_pool2d(input, self.norm_type, self.kernel_size, self.stride, self.ceil_mode)


class LPPool3d(nnx.Module):
    """p-norm of every window over (N, C, D, H, W)."""

    def __init__(self, norm_type, kernel_size, stride=None, ceil_mode=False, *, rngs: nnx.Rngs | None = None):
        self.norm_type, self.kernel_size, self.stride, self.ceil_mode = norm_type, kernel_size, stride, ceil_mode

    def __call__(self, input):
        return lp_pool3d(input, self.norm_type, self.kernel_size, self.stride, self.ceil_mode)


class AdaptiveAvgPool1d(nnx.Module):
    """Means of windows that divide (N, C, L) into output_size parts."""

    def __init__(self, output_size, *, rngs: nnx.Rngs | None = None):
        self.output_size = output_size if isinstance(output_size, int) or output_size is None else tuple(output_size)

    def __call__(self, input):
        return adaptive_avg_pool1d(input, self.output_size)


class AdaptiveAvgPool2d(nnx.Module):
    """Means of windows that divide (N, C, H, W) into output_size parts."""

    def __init__(self, output_size, *, rngs: nnx.Rngs | None = None):
        self.output_size = output_size if isinstance(output_size, int) or output_size is None else tuple(output_size)

    def __call__(self, input):
        return adaptive_avg_pool2d(input, self.output_size)


class AdaptiveAvgPool3d(nnx.Module):
    """Means of windows that divide (N, C, D, H, W) into output_size parts."""

    def __init__(self, output_size, *, rngs: nnx.Rngs | None = None):
        self.output_size = output_size if isinstance(output_size, int) or output_size is None else tuple(output_size)

    def __call__(self, input):
        return adaptive_avg_pool3d(input, self.output_size)


class AdaptiveMaxPool1d(nnx.Module):
    """Largest values of windows that divide (N, C, L) into output_size parts."""

    def __init__(self, output_size, return_indices=False, *, rngs: nnx.Rngs | None = None):
        if return_indices:
            raise ValueError("return_indices must be known when the layer is written")
        self.output_size = output_size if isinstance(output_size, int) or output_size is None else tuple(output_size)

    def __call__(self, input):
        return adaptive_max_pool1d(input, self.output_size)


class AdaptiveMaxPool1dWithIndices(nnx.Module):
    """Largest values of windows that divide (N, C, L) into output_size parts; if return_indices, their positions."""

    def __init__(self, output_size, return_indices=False, *, rngs: nnx.Rngs | None = None):
        self.return_indices = return_indices
        self.output_size = output_size if isinstance(output_size, int) or output_size is None else tuple(output_size)

    def __call__(self, input):
        values, indices = adaptive_max_pool1d_with_indices(input, self.output_size)
        return (values, indices) if self.return_indices else values


class AdaptiveMaxPool2d(nnx.Module):
    """Largest values of windows that divide (N, C, H, W) into output_size parts."""

    def __init__(self, output_size, return_indices=False, *, rngs: nnx.Rngs | None = None):
        if return_indices:
            raise ValueError("return_indices must be known when the layer is written")
        self.output_size = output_size if isinstance(output_size, int) or output_size is None else tuple(output_size)

    def __call__(self, input):
        return adaptive_max_pool2d(input, self.output_size)


class AdaptiveMaxPool2dWithIndices(nnx.Module):
    """Largest values of windows that divide (N, C, H, W) into output_size parts; if return_indices, their positions."""

    def __init__(self, output_size, return_indices=False, *, rngs: nnx.Rngs | None = None):
        self.return_indices = return_indices
        self.output_size = output_size if isinstance(output_size, int) or output_size is None else tuple(output_size)

    def __call__(self, input):
        values, indices = adaptive_max_pool2d_with_indices(input, self.output_size)
        return (values, indices) if self.return_indices else values


class AdaptiveMaxPool3d(nnx.Module):
    """Largest values of windows that divide (N, C, D, H, W) into output_size parts."""

    def __init__(self, output_size, return_indices=False, *, rngs: nnx.Rngs | None = None):
        if return_indices:
            raise ValueError("return_indices must be known when the layer is written")
        self.output_size = output_size if isinstance(output_size, int) or output_size is None else tuple(output_size)

    def __call__(self, input):
        return adaptive_max_pool3d(input, self.output_size)


class AdaptiveMaxPool3dWithIndices(nnx.Module):
    """Largest values of windows that divide (N, C, D, H, W) into output_size parts; positions too if return_indices."""

    def __init__(self, output_size, return_indices=False, *, rngs: nnx.Rngs | None = None):
        self.return_indices = return_indices
        self.output_size = output_size if isinstance(output_size, int) or output_size is None else tuple(output_size)

    def __call__(self, input):
        values, indices = adaptive_max_pool3d_with_indices(input, self.output_size)
        return (values, indices) if self.return_indices else values

"""Fourier transforms along any axis with torch's norms, and short-time ones with torch's conventions."""

import math
from typing import Any

import numpy as np
from keras import ops


def to_length(x: Any, length: int) -> Any:
    """x with its last axis cut, or filled up with zeros, to a length."""
    return ops.pad(x[..., :length], [(0, 0)] * (x.ndim - 1) + [(0, max(0, length - x.shape[-1]))])


def joined(parts: tuple[Any, Any]) -> Any:
    """Complex numbers from real and imaginary parts, which is what transforms give."""
    return ops.view_as_complex(ops.stack(parts, axis=-1))


def norm_of(n: int, norm: str | None) -> float:
    """What a transform divides by."""
    return {"ortho": math.sqrt(n), "forward": n}.get(norm, 1)


def complex_fft(x: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
    """Fourier transform along dim, of length n."""
    rows = ops.moveaxis(x, dim, -1)
    n = rows.shape[-1] if n is None else n
    parts = (ops.real(rows), ops.imag(rows)) if is_complex(x) else (rows, ops.zeros_like(rows))
    real, imag = ops.fft(tuple(to_length(ops.cast(part, "float32"), n) for part in parts))
    return ops.moveaxis(joined((real, imag)) / norm_of(n, norm), -1, dim)


def inverse_fft(x: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
    """Inverse Fourier transform along dim, of length n."""
    n = x.shape[dim] if n is None else n
    return ops.conj(complex_fft(ops.conj(x), n, dim)) / (n / norm_of(n, norm))


def real_fft(x: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
    """The first half of the Fourier transform of real numbers along dim."""
    rows = ops.moveaxis(x, dim, -1)
    n = rows.shape[-1] if n is None else n
    return ops.moveaxis(joined(ops.rfft(to_length(ops.cast(rows, "float32"), n))) / norm_of(n, norm), -1, dim)


def inverse_real_fft(x: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
    """The real numbers whose transform has x as its first half."""
    rows = ops.moveaxis(x, dim, -1)
    n = 2 * (rows.shape[-1] - 1) if n is None else n
    rows = to_length(rows, n // 2 + 1)
    parts = (ops.real(rows), ops.imag(rows)) if is_complex(x) else (rows, ops.zeros_like(rows))
    return ops.moveaxis(ops.irfft(parts, fft_length=n) * norm_of(n, norm), -1, dim)


def fftshift(x: Any, dim: Any = None) -> Any:
    """x with the frequency zero in the middle."""
    dims = range(x.ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    for axis in dims:
        x = ops.roll(x, x.shape[axis] // 2, axis=axis)
    return x


def ifftshift(x: Any, dim: Any = None) -> Any:
    """x with the frequency zero, which was in the middle, first."""
    dims = range(x.ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    for axis in dims:
        x = ops.roll(x, -(x.shape[axis] // 2), axis=axis)
    return x


def stft_window(n_fft: int, win_length: int | None, window: Any | None) -> Any:
    """The window, with zeros around it to the length n_fft."""
    win_length = n_fft if win_length is None else win_length
    window = ops.ones((win_length,)) if window is None else window
    left = (n_fft - win_length) // 2
    return ops.pad(window, [(left, n_fft - win_length - left)])


def frame_places(size: int, length: int, step: int) -> Any:
    """The places of windows of a length, one a row, each so many steps after the one before."""
    return ops.convert_to_tensor(np.arange(0, size - length + 1, step)[:, None] + np.arange(length))


def stft(
    x,
    n_fft,
    hop_length=None,
    win_length=None,
    window=None,
    center=True,
    pad_mode="reflect",
    normalized=False,
    onesided=None,
) -> Any:
    """Fourier transforms of overlapping windows of x [time] or [batch time]: [batch, frequency, frame]."""
    hop_length = n_fft // 4 if hop_length is None else hop_length
    window = stft_window(n_fft, win_length, window)
    if center:
        x = pad(x, (n_fft // 2, n_fft // 2), pad_mode)
    frames = ops.take(x, frame_places(x.shape[-1], n_fft, hop_length), axis=-1)
    frames = frames * ops.cast(window, frames.dtype)
    half = not is_complex(frames) if onesided is None else onesided
    out = real_fft(frames) if half else complex_fft(frames)
    return ops.swapaxes(out / n_fft**0.5 if normalized else out, -1, -2)


def istft(
    x, n_fft, hop_length=None, win_length=None, window=None, center=True, normalized=False, onesided=None, length=None
) -> Any:
    """The signal whose stft is x [batch, frequency, frame], by overlap and add."""
    hop_length = n_fft // 4 if hop_length is None else hop_length
    window = stft_window(n_fft, win_length, window)
    half = x.shape[-2] != n_fft if onesided is None else onesided
    x = ops.swapaxes(x, -1, -2) * (n_fft**0.5 if normalized else 1)
    frames = (inverse_real_fft(x, n_fft) if half else ops.real(inverse_fft(x))) * window
    count, lead = frames.shape[-2], frames.shape[:-2]
    total = n_fft + hop_length * (count - 1)
    places = ops.reshape(frame_places(total, n_fft, hop_length), (-1,))
    rows = ops.transpose(ops.reshape(frames, (-1, count * n_fft)))
    signal = ops.reshape(ops.transpose(ops.segment_sum(rows, places, total)), (*lead, total))
    weight = ops.segment_sum(ops.tile(window**2, (count,)), places, total)
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else total - n_fft // 2 if center else total
    out = signal[..., start:end] / weight[start:end]
    return out if length is None else to_length(out, length)

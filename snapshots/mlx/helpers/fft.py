"""Fourier transforms that MLX lacks, and short-time ones with torch's conventions."""

import mlx.core as mx
import numpy as np


def other_norm(norm: str | None) -> str:
    """The norm of the inverse transform that divides where this one does."""
    return {"ortho": "ortho", "forward": "backward"}.get(norm, "forward")


def hfft(x: mx.array, n: int | None = None, dim: int = -1, norm: str | None = None) -> mx.array:
    """Fourier transform of a signal with half of it given: the rest is its mirror image, conjugated."""
    n = 2 * (x.shape[dim] - 1) if n is None else n
    return mx.fft.irfft(mx.conj(x), n=n, axis=dim, norm=other_norm(norm))


def ihfft(x: mx.array, n: int | None = None, dim: int = -1, norm: str | None = None) -> mx.array:
    """The inverse of hfft: half of the spectrum of real numbers."""
    return mx.conj(mx.fft.rfft(x, n=n, axis=dim, norm=other_norm(norm)))


def stft_window(n_fft: int, win_length: int | None, window: mx.array | None) -> mx.array:
    """The window, with zeros around it to the length n_fft."""
    win_length = n_fft if win_length is None else win_length
    window = mx.ones(win_length) if window is None else window
    left = (n_fft - win_length) // 2
    return mx.pad(window, (left, n_fft - win_length - left))


def stft(
    x, n_fft, hop_length=None, win_length=None, window=None, center=True, pad_mode="reflect", normalized=False,
    onesided=None,
) -> mx.array:
    """Fourier transforms of overlapping windows of x [time] or [batch time]: [batch, frequency, frame]."""
    hop_length = n_fft // 4 if hop_length is None else hop_length
    window = stft_window(n_fft, win_length, window)
    if center:
        x = pad(x, (n_fft // 2, n_fft // 2), pad_mode)
    starts = mx.arange((x.shape[-1] - n_fft) // hop_length + 1) * hop_length
    frames = mx.take(x, starts[:, None] + mx.arange(n_fft), axis=-1) * window
    half = frames.dtype != mx.complex64 if onesided is None else onesided
    out = mx.fft.rfft(frames) if half else mx.fft.fft(frames)
    return (out / n_fft**0.5 if normalized else out).swapaxes(-1, -2)


def istft(
    x, n_fft, hop_length=None, win_length=None, window=None, center=True, normalized=False, onesided=None, length=None
) -> mx.array:
    """The signal whose stft is x [batch, frequency, frame], by overlap and add."""
    hop_length = n_fft // 4 if hop_length is None else hop_length
    window = stft_window(n_fft, win_length, window)
    half = x.shape[-2] != n_fft if onesided is None else onesided
    x = x.swapaxes(-1, -2) * (n_fft**0.5 if normalized else 1)
    frames = (mx.fft.irfft(x, n_fft) if half else mx.fft.ifft(x, n_fft).real) * window
    count = frames.shape[-2]
    where = mx.arange(count)[:, None] * hop_length + mx.arange(n_fft)
    total = n_fft + hop_length * (count - 1)
    lead = frames.shape[:-2]
    signal = mx.zeros((int(np.prod(lead)), total)).at[:, where].add(frames.reshape(-1, count, n_fft))
    weight = mx.zeros(total).at[where].add(mx.broadcast_to(window**2, where.shape))
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else total - n_fft // 2 if center else total
    out = signal.reshape(*lead, total)[..., start:end] / weight[start:end]
    missing = 0 if length is None else max(0, length - out.shape[-1])
    return mx.pad(out, [(0, 0)] * (out.ndim - 1) + [(0, missing)])

"""Fourier transforms along any axes with torch's norms, and short-time ones with torch's conventions."""

import math
from collections.abc import Callable, Sequence

import tensorflow as tf
import tensorflow.experimental.numpy as tnp


def to_length(x: tf.Tensor, length: int) -> tf.Tensor:
    """x with its last axis cut, or filled up with zeros, to a length."""
    return tf.pad(x[..., :length], [(0, 0)] * (x.ndim - 1) + [(0, max(0, length - x.shape[-1]))])


def transform(
    function: Callable, x: tf.Tensor, n: int | None = None, dim: int = -1, norm: str | None = None
) -> tf.Tensor:
    """A transform of tf.signal along dim, of length n."""
    inverse, real = function in (tf.signal.ifft, tf.signal.irfft), function is tf.signal.rfft
    rows = tnp.moveaxis(x, dim, -1)
    rows = rows if real or rows.dtype.is_complex else tf.cast(rows, tf.complex64)
    if function is tf.signal.irfft:
        n = 2 * (rows.shape[-1] - 1) if n is None else n
        out = tf.signal.irfft(to_length(rows, n // 2 + 1), [n])
    else:
        n = rows.shape[-1] if n is None else n
        out = function(to_length(rows, n))
    scale = {"ortho": math.sqrt(n), "forward": n, "backward": 1, None: 1}[norm]
    return tnp.moveaxis(out * tf.cast(scale if inverse else 1 / scale, out.dtype), -1, dim)


def transform_axes(
    function: Callable,
    x: tf.Tensor,
    s: Sequence[int] | None = None,
    dim: int | Sequence[int] | None = None,
    norm: str | None = None,
) -> tf.Tensor:
    """A transform of tf.signal along several axes; of the real ones only the last is a real one."""
    if dim is None:
        dim = range(-x.ndim if s is None else -len(s), 0)
    dims = [dim] if isinstance(dim, int) else list(dim)
    sizes = [None] * len(dims) if s is None else [None if n == -1 else n for n in s]
    *others, (last, n) = zip(dims, sizes)
    whole = tf.signal.ifft if function is tf.signal.irfft else tf.signal.fft
    if function is tf.signal.rfft:
        x = transform(function, x, n, last, norm)
    for axis, size in others:
        x = transform(whole if function in (tf.signal.rfft, tf.signal.irfft) else function, x, size, axis, norm)
    return x if function is tf.signal.rfft else transform(function, x, n, last, norm)


def other_norm(norm: str | None) -> str:
    """The norm of the inverse transform that divides where this one does."""
    return {"ortho": "ortho", "forward": "backward"}.get(norm, "forward")


def hfft(x: tf.Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> tf.Tensor:
    """Fourier transform of a signal with half of it given: the rest is its mirror image, conjugated."""
    x = tf.math.conj(x if x.dtype.is_complex else tf.cast(x, tf.complex64))
    return transform(tf.signal.irfft, x, n, dim, other_norm(norm))


def ihfft(x: tf.Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> tf.Tensor:
    """The inverse of hfft: half of the spectrum of real numbers."""
    return tf.math.conj(transform(tf.signal.rfft, x, n, dim, other_norm(norm)))


def stft_window(n_fft: int, win_length: int | None, window: tf.Tensor | None) -> tf.Tensor:
    """The window, with zeros around it to the length n_fft."""
    win_length = n_fft if win_length is None else win_length
    window = tf.ones([win_length]) if window is None else window
    left = (n_fft - win_length) // 2
    return tf.pad(window, [(left, n_fft - win_length - left)])


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
) -> tf.Tensor:
    """Fourier transforms of overlapping windows of x [time] or [batch time]: [batch, frequency, frame]."""
    hop_length = n_fft // 4 if hop_length is None else hop_length
    window = stft_window(n_fft, win_length, window)
    if center:
        x = pad(x, (n_fft // 2, n_fft // 2), pad_mode)
    frames = tf.signal.frame(x, n_fft, hop_length)
    frames = frames * tf.cast(window, frames.dtype)
    half = not frames.dtype.is_complex if onesided is None else onesided
    out = tf.signal.rfft(frames) if half else tf.signal.fft(tf.cast(frames, tf.complex64))
    return tnp.swapaxes(out / n_fft**0.5 if normalized else out, -1, -2)


def istft(
    x, n_fft, hop_length=None, win_length=None, window=None, center=True, normalized=False, onesided=None, length=None
) -> tf.Tensor:
    """The signal whose stft is x [batch, frequency, frame], by overlap and add."""
    hop_length = n_fft // 4 if hop_length is None else hop_length
    window = stft_window(n_fft, win_length, window)
    half = x.shape[-2] != n_fft if onesided is None else onesided
    x = tnp.swapaxes(x, -1, -2) * (n_fft**0.5 if normalized else 1)
    frames = (tf.signal.irfft(x, [n_fft]) if half else tf.math.real(tf.signal.ifft(x))) * window
    signal = tf.signal.overlap_and_add(frames, hop_length)
    weight = tf.signal.overlap_and_add(tf.broadcast_to(window**2, frames.shape[-2:]), hop_length)
    total = signal.shape[-1]
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else total - n_fft // 2 if center else total
    out = signal[..., start:end] / weight[start:end]
    return out if length is None else to_length(out, length)

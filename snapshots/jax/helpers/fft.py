"""Short-time Fourier transforms with torch's conventions."""

import jax
import jax.numpy as jnp
import numpy as np


def stft_window(n_fft: int, win_length: int | None, window: jax.Array | None) -> jax.Array:
    """The window, with zeros around it to the length n_fft."""
    win_length = n_fft if win_length is None else win_length
    window = jnp.ones(win_length) if window is None else window
    left = (n_fft - win_length) // 2
    return jnp.pad(window, (left, n_fft - win_length - left))


def stft(
    x, n_fft, hop_length=None, win_length=None, window=None, center=True, pad_mode="reflect", normalized=False,
    onesided=None,
) -> jax.Array:
    """Fourier transforms of overlapping windows of x [time] or [batch time]: [batch, frequency, frame]."""
    hop_length = n_fft // 4 if hop_length is None else hop_length
    window = stft_window(n_fft, win_length, window)
    if center:
        mode = {"reflect": "reflect", "replicate": "edge", "circular": "wrap", "constant": "constant"}[pad_mode]
        x = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(n_fft // 2, n_fft // 2)], mode=mode)
    starts = np.arange((x.shape[-1] - n_fft) // hop_length + 1) * hop_length
    frames = x[..., starts[:, None] + np.arange(n_fft)] * window
    half = not jnp.iscomplexobj(frames) if onesided is None else onesided
    out = jnp.fft.rfft(frames) if half else jnp.fft.fft(frames)
    return (out / n_fft**0.5 if normalized else out).swapaxes(-1, -2)


def stft_pairs(
    x, n_fft, hop_length=None, win_length=None, window=None, center=True, pad_mode="reflect", normalized=False,
    onesided=None,
) -> jax.Array:
    """Real and imaginary parts, along a last axis, of the Fourier transforms of overlapping windows of x."""
    out = stft(x, n_fft, hop_length, win_length, window, center, pad_mode, normalized, onesided)
    return jnp.stack([out.real, out.imag], axis=-1)


def istft(
    x, n_fft, hop_length=None, win_length=None, window=None, center=True, normalized=False, onesided=None, length=None
) -> jax.Array:
    """The signal whose stft is x [batch, frequency, frame], by overlap and add."""
    hop_length = n_fft // 4 if hop_length is None else hop_length
    window = stft_window(n_fft, win_length, window)
    half = x.shape[-2] != n_fft if onesided is None else onesided
    x = x.swapaxes(-1, -2) * (n_fft**0.5 if normalized else 1)
    frames = (jnp.fft.irfft(x, n_fft) if half else jnp.fft.ifft(x, n_fft).real) * window
    count = frames.shape[-2]
    where = np.arange(count)[:, None] * hop_length + np.arange(n_fft)
    total = n_fft + hop_length * (count - 1)
    signal = jnp.zeros((*frames.shape[:-2], total), frames.dtype).at[..., where].add(frames)
    weight = jnp.zeros(total, frames.dtype).at[where].add(jnp.broadcast_to(window**2, where.shape))
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else total - n_fft // 2 if center else total
    out = signal[..., start:end] / weight[start:end]
    missing = 0 if length is None else max(0, length - out.shape[-1])
    return jnp.pad(out, [(0, 0)] * (out.ndim - 1) + [(0, missing)])

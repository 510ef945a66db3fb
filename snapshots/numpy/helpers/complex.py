"""Complex numbers from pairs of real ones and back."""

import numpy as np


def complex_from_parts(real: np.ndarray, imag: np.ndarray) -> np.ndarray:
    """Complex numbers from real and imaginary part."""
    real, imag = np.broadcast_arrays(real, imag)
    made = np.empty(real.shape, np.result_type(real, np.complex64))
    made.real, made.imag = real, imag
    return made


def angle_of(x: np.ndarray) -> np.ndarray:
    """Angle of complex numbers; of real ones 0, or pi below zero."""
    if np.iscomplexobj(x):
        return np.angle(x)
    angle = np.where(np.isnan(x), x, np.where(x < 0, np.pi, 0))
    return angle.astype(np.result_type(x, np.float16) if np.issubdtype(x.dtype, np.floating) else np.float32)


def polar(abs: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Complex numbers from length and angle."""
    return complex_from_parts(abs * np.cos(angle), abs * np.sin(angle))


def view_as_complex(x: np.ndarray) -> np.ndarray:
    """Complex numbers from a last axis that holds real and imaginary part."""
    return complex_from_parts(x[..., 0], x[..., 1])


def view_as_real(x: np.ndarray) -> np.ndarray:
    """Real and imaginary part of x as a new last axis."""
    return np.stack([x.real, x.imag], axis=-1)

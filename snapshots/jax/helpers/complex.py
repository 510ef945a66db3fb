"""Complex numbers from pairs of real ones and back."""

import jax
import jax.numpy as jnp
from jax import lax


def angle(x: jax.Array) -> jax.Array:
    """Angle of complex numbers; its gradient at 0 is 0, where that of jnp.angle is NaN."""
    zero = x == 0
    return jnp.where(zero, lax.stop_gradient(jnp.angle(x)), jnp.angle(jnp.where(zero, 1, x)))


def polar(abs: jax.Array, angle: jax.Array) -> jax.Array:
    """Complex numbers from length and angle."""
    return lax.complex(abs * jnp.cos(angle), abs * jnp.sin(angle))


def view_as_complex(x: jax.Array) -> jax.Array:
    """Complex numbers from a last axis that holds real and imaginary part."""
    return lax.complex(x[..., 0], x[..., 1])


def view_as_real(x: jax.Array) -> jax.Array:
    """Real and imaginary part of x as a new last axis."""
    return jnp.stack([x.real, x.imag], axis=-1)

"""Questions about elements that MLX lacks."""

import mlx.core as mx


def is_among(x: mx.array | float, test_elements: mx.array | float, invert: bool = False) -> mx.array:
    """Where x is one of test_elements."""
    found = mx.any(mx.array(x)[..., None] == mx.array(test_elements).flatten(), axis=-1)
    return mx.logical_not(found) if invert else found

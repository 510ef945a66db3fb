"""Boxes are (x1, y1, x2, y2) in pixels of the input image."""

import jax
import jax.numpy as jnp


def grid_centers(height: int, width: int, stride: int, device=None) -> jax.Array:
    """Centres of the cells of a feature map, (height * width, 2)."""
    ys = (jnp.arange(height) + 0.5) * stride
    xs = (jnp.arange(width) + 0.5) * stride
    y, x = jnp.meshgrid(ys, xs, indexing="ij")
    return jnp.stack((x, y), axis=-1).reshape(-1, 2)


def decode_boxes(centers: jax.Array, distances: jax.Array) -> jax.Array:
    """Centres and distances to the four sides give boxes."""
    lt = centers - distances[..., :2]
    rb = centers + distances[..., 2:]
    return jnp.concatenate([lt, rb], axis=-1)


def box_area(boxes: jax.Array) -> jax.Array:
    return jnp.clip(boxes[..., 2] - boxes[..., 0], min=0) * jnp.clip(boxes[..., 3] - boxes[..., 1], min=0)


def box_iou(boxes1: jax.Array, boxes2: jax.Array) -> jax.Array:
    """Intersection over union of all pairs, (N, M)."""
    lt = jnp.maximum(boxes1[:, None, :2], boxes2[None, :, :2])
    rb = jnp.minimum(boxes1[:, None, 2:], boxes2[None, :, 2:])
    wh = jnp.clip(rb - lt, min=0)
    inter = wh[..., 0] * wh[..., 1]
    union = box_area(boxes1)[:, None] + box_area(boxes2)[None, :] - inter
    return inter / jnp.clip(union, min=1e-6)

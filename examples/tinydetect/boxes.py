"""Boxes are (x1, y1, x2, y2) in pixels of the input image."""

import torch
from torch import Tensor


def grid_centers(height: int, width: int, stride: int, device=None) -> Tensor:
    """Centres of the cells of a feature map, (height * width, 2)."""
    ys = (torch.arange(height, device=device) + 0.5) * stride
    xs = (torch.arange(width, device=device) + 0.5) * stride
    y, x = torch.meshgrid(ys, xs, indexing="ij")
    return torch.stack((x, y), dim=-1).reshape(-1, 2)


def decode_boxes(centers: Tensor, distances: Tensor) -> Tensor:
    """Centres and distances to the four sides give boxes."""
    lt = centers - distances[..., :2]
    rb = centers + distances[..., 2:]
    return torch.cat([lt, rb], dim=-1)


def box_area(boxes: Tensor) -> Tensor:
    return (boxes[..., 2] - boxes[..., 0]).clamp(min=0) * (boxes[..., 3] - boxes[..., 1]).clamp(min=0)


def box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Intersection over union of all pairs, (N, M)."""
    lt = torch.max(boxes1[:, None, :2], boxes2[None, :, :2])
    rb = torch.min(boxes1[:, None, 2:], boxes2[None, :, 2:])
    wh = (rb - lt).clamp(min=0)
    inter = wh[..., 0] * wh[..., 1]
    union = box_area(boxes1)[:, None] + box_area(boxes2)[None, :] - inter
    return inter / union.clamp(min=1e-6)

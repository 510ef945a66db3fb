"""A tiny one-stage object detector: a backbone, a feature pyramid and two heads."""

from .boxes import box_iou, decode_boxes
from .model import TinyDetector, build_detector

__all__ = ["TinyDetector", "box_iou", "build_detector", "decode_boxes"]

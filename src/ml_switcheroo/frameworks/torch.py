"""PyTorch as a target: plain array code, written in place as in the source."""

from .style import Style

STYLE = Style(forward="forward", mode="{self}.training", transpose="{x}.permute{axes}")

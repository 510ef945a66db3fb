"""MLX: arrays that can be written to (their slices are copies), one global random state."""

from .style import Style

STYLE = Style(
    forward="__call__",
    whole="{x}[...]",
    put="put_into",
    copies=True,
    mask_read="take_where",
    transpose="mx.transpose({x}, {axes})",
    stop_gradient="mx.stop_gradient({x})",
)

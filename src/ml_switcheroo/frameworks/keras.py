"""Keras: the tensors of its backend, read and written at places by helpers; one global random state."""

from .style import Style

STYLE = Style(
    forward="call",
    immutable=True,
    index_write=(("", "with_items"),),
    index_of="np.s_",
    index_read="items_of",
    choose="ops.where({test}, {x}, {other})",
    both="ops.logical_and({x}, {other})",
    negation="ops.logical_not({x})",
    truth_as="ops.cast({x}, {other}.dtype)",
    transpose="ops.transpose({x}, {axes})",
    stop_gradient="ops.stop_gradient({x})",
)

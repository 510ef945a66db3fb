"""TensorFlow: immutable arrays, read and written at places by helpers; one global random state."""

from .style import Style

STYLE = Style(
    forward="__call__",
    immutable=True,
    index_write=(("", "with_items"),),
    index_of="np.s_",
    index_read="items_of",
    mask_read="tf.boolean_mask({x}, {mask})",
    choose="tf.where({test}, {x}, {other})",
    both="tf.logical_and({x}, {other})",
    negation="tf.logical_not({x})",
    truth_as="tf.cast({x}, {other}.dtype)",
    transpose="tf.transpose({x}, {axes})",
    stop_gradient="tf.stop_gradient({x})",
)

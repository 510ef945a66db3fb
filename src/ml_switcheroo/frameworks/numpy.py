"""NumPy: arrays that can be written to, no modules, random numbers from one `np.random.Generator`."""

from .style import ARRAY_METHODS, Style

STYLE = Style(
    forward="__call__",
    stream="rng",
    stream_type="np.random.Generator",
    stream_outside="np.random.default_rng(0)",
    stream_seeded="np.random.default_rng({x})",
    whole="{x}[...]",
    put="put_into",
    alike=ARRAY_METHODS,
)

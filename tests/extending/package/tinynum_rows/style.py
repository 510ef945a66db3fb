"""What the rows cannot say: modules and random streams, of which tinynum has none."""

from ml_switcheroo.frameworks.style import Style

STYLE = Style(forward="__call__", immutable=True)

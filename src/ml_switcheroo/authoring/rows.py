"""The rows in force, as they are written: ours and those of the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InputError
from ..kb import layers, paths

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ..kb.sources import Sources


def rows_in_force(candidate: Path | None = None, instead: Mapping[str, Path] | None = None) -> Sources:
    """Everything, with a layer that may not be in force yet, and some of its definition files read from elsewhere."""
    try:
        from ..kb.merge import Layer, read_layered
    except ModuleNotFoundError:
        raise InputError("SW0012", "reading rows needs a YAML parser", "pip install pyyaml, then try again") from None
    if not (paths.rows() / "semantics").is_dir():
        raise InputError("SW0012", f"this installation lacks its rows ({paths.rows()})", "install it anew")
    above = [Layer(folder) for folder in layers.active() if folder != candidate]
    if candidate is not None:  # the project's layer stands over the user's
        above.insert(0 if candidate == layers.user_folder() else len(above), Layer(candidate, dict(instead or {})))
    return read_layered(paths.rows(), above)

"""Where the knowledge base lies: the YAML folders of a source checkout, and the compiled form beside the package."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
COMPILED = PACKAGE / "_kb"
SHIPPED = PACKAGE / "_rows"  # the rows as written, in an installed package


def checkout() -> Path | None:
    """The top of the source checkout that this package runs from, or None for an installed package."""
    top = PACKAGE.parent.parent
    return top if (top / "semantics").is_dir() and (top / "snapshots").is_dir() else None


def rows() -> Path:
    """The folder that holds semantics/ and snapshots/: the checkout, or what an installed package carries."""
    return checkout() or SHIPPED


def snapshots() -> Path:
    """The folder of spokes in the checkout."""
    top = checkout()
    if top is None:
        raise FileNotFoundError("snapshots/ exists only in a source checkout of ml_switcheroo")
    return top / "snapshots"

"""The proof that a converted model computes the same: run both sides, compare, name what differs."""

from __future__ import annotations

from .cli_view import cli_verify
from .errors import VerifyError
from .inputs import InputSpec, parse_input
from .ladder import RUNGS, Converted, LadderResult, Rung, convert_closure, convert_tree, run_ladder

__all__ = [
    "RUNGS",
    "Converted",
    "InputSpec",
    "LadderResult",
    "Rung",
    "VerifyError",
    "cli_verify",
    "convert_closure",
    "convert_tree",
    "parse_input",
    "run_ladder",
]

"""The proof that a converted model computes the same: run both sides, compare, name what differs."""

from __future__ import annotations

from .cli_view import cli_verify
from .closure import Closure, merge
from .errors import VerifyError
from .inputs import InputSpec, parse_input
from .ladder import add_script, closure_of, convert_closure, convert_tree, run_ladder
from .run import RUNGS, Converted, LadderResult, Rung

__all__ = [
    "RUNGS",
    "Closure",
    "Converted",
    "InputSpec",
    "LadderResult",
    "Rung",
    "VerifyError",
    "add_script",
    "cli_verify",
    "closure_of",
    "convert_closure",
    "convert_tree",
    "merge",
    "parse_input",
    "run_ladder",
]

"""The migration of trained weights: a standalone script from the class facts and the `weights` rows."""

from __future__ import annotations

from .generate import ScriptResult, gen_weight_script

__all__ = ["ScriptResult", "gen_weight_script"]

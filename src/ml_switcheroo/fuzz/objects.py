"""Calls on what is no array (modules, optimizers, schedules): each stands in a small program of the source.

The programs are texts of the source framework (`programs` in its `_framework.yaml`), since how a model is trained is
what differs most between frameworks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..kb.types import parse_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..kb.model import HubOp

VALUE = "value"  # the array that a program calls its model with
SHAPE = "tensor[B 4]"


@dataclass(frozen=True)
class Programs:
    """What a framework writes around such calls."""

    objects: Mapping[str, str] = field(default_factory=dict)  # by kind of value, how it is written
    classes: str = ""  # definitions for all of them
    gives: Mapping[str, str] = field(default_factory=dict)  # the program for a call that gives something
    changes: Mapping[str, str] = field(default_factory=dict)  # and for one that gives nothing

    @classmethod
    def of(cls, framework: Mapping[str, Any]) -> Programs:
        """Those that the facts of a framework hold."""
        return cls(**(framework.get("programs") or {}))

    def around(self, op: HubOp) -> str:
        """The program for the calls of an operation; empty if they stand alone."""
        if op.kind == "layer":
            return ""
        texts = self.changes if op.returns == "none" else self.gives
        kinds = [op.returns, *(parse_type(param.type).name for param in op.params.values())]
        return next((texts[kind] for kind in kinds if kind in texts), "")

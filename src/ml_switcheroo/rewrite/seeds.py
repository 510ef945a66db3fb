"""Global seeds, in code that has a random stream of its own."""

from __future__ import annotations

import libcst as cst

from ..convert.precedence import bare
from .base import Walk


class Seeds(Walk):
    """Statements that set a seed."""

    def seeded(self, call: cst.Call, updated: cst.Call) -> cst.BaseSmallStatement | cst.RemovalSentinel | None:
        """A global seed, in code that has a stream of its own: a new stream with this seed takes its place."""
        rows = self.kb.read(self.context.source_api(self.facts(call.func)) or "")
        if not rows or rows[0].op != "manual_seed" or len(call.args) != 1 or not self.style.stream_seeded:
            return None
        if self.classes or (self.functions and not self.effects.takes_stream(self.functions[-1])):
            return None
        self.leave_out()
        seed = bare(updated.args[0].value)
        place = self.functions[-1].node if self.functions else None
        text = cst.Module(()).code_for_node(seed)
        if self.seeds.get(place) == text:  # for another device: there is one stream for all of them
            return cst.RemoveFromParent()
        self.seeds[place] = text
        name = cst.Name(str(self.style.stream) if self.functions else self.context.free_name(str(self.style.stream)))
        return cst.Assign([cst.AssignTarget(name)], self.style_expression(self.style.stream_seeded, x=seed))

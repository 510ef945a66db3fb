"""Round 2: one walk over the tree in which every framework name, call, class and write is replaced by the target's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from .calls import Calls
from .dead import DeadBranches
from .definitions import Definitions
from .memos import MemoReads
from .own_methods import OwnMethods
from .recording import Recording
from .references import References
from .statements import StatementEdits
from .stores import Stores
from .training import Training

if TYPE_CHECKING:
    from .context import Context


class Translator(
    MemoReads, DeadBranches, OwnMethods, Definitions, Training, Recording, StatementEdits, Stores, Calls, References
):
    """All edits of round 2: facts are those of the original nodes, new text is built from the updated children."""


def translate(tree: cst.Module, context: Context) -> cst.Module:
    """The tree in the target framework; findings, helpers and imports are left in the context."""
    result = tree.visit(Translator(context))
    assert isinstance(result, cst.Module)
    return result

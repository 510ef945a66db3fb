"""Which form of the target's row a call is written in: a form that no call reaches is not proved."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from ..kb.model import Form
from .spelling import CLASS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..kb.loader import KnowledgeBase
    from ..kb.model import WriteRow
    from .spelling import Example
    from .trial import Trial

_MARK = re.compile(r"\[form (\d+)\]")


class Forms:
    """The forms of one row that write something, and which of them calls use.

    The converter itself is asked: a row whose forms are refused, each with its number, stands for the row.
    """

    def __init__(self, kb: KnowledgeBase, trial: Trial, op: str) -> None:
        self.kb, self.trial, self.op = kb, trial, op
        row = kb.write(op)
        forms = row.forms if row is not None else ()
        self.texts = {index: _shown(form) for index, form in enumerate(forms) if form.refuse is None}
        self.made: int | None = None  # the form that stands for the class of a layer where it is in a variable
        hub = kb.hub(op)
        if row is not None and row.helper is not None and hub is not None and hub.kind == "layer":
            helpers = {form.helper: index for index, form in enumerate(forms)}
            self.made = helpers.get(row.helper, len(forms))
            self.texts[self.made] = row.helper
        self.known: dict[str, int | None] = {}  # text of a call -> the form that it is written in

    def used(self, examples: Sequence[Example | None]) -> list[int | None]:
        """The number of the form that each call is written in; None where it is not converted."""
        row = self.kb.write(self.op)
        new = {_text(e): e for e in examples if e is not None and _text(e) not in self.known}
        if row is not None and new:
            with replaced_row(self.kb, self.op, _marked(row)):
                refusals = self.trial.refusals(list(new.values()))
            for index, text in enumerate(new):
                mark = _MARK.search(refusals.get(index, ""))
                self.known[text] = self.made if CLASS in new[text].settings else int(mark[1]) if mark else None
        return [None if e is None else self.known.get(_text(e)) for e in examples]


@contextmanager
def replaced_row(kb: KnowledgeBase, op: str, row: WriteRow) -> Iterator[None]:
    """Another row in the place of the target's; what the pipeline loads is this knowledge base."""
    kept = kb.write(op)
    assert kept is not None
    kb._writes[op] = row
    try:
        yield
    finally:
        kb._writes[op] = kept


def _marked(row: WriteRow) -> WriteRow:
    forms = [
        form if form.refuse is not None else Form(when=form.when, refuse=f"[form {index}]", covers=form.covers)
        for index, form in enumerate(row.forms)
    ]
    if row.helper is not None and all(form.helper != row.helper for form in row.forms):  # where no form holds
        forms.append(Form(refuse=f"[form {len(forms)}]", covers=tuple(row.ignore)))
    return replace(row, forms=tuple(forms), helper=None)


def _text(example: Example) -> str:
    return "\n".join(example.text("f"))


def _shown(form: Form) -> str:
    """A form as it stands in the row."""
    what = form.emit or form.api or form.helper or form.plugin or ""
    return f"{what} when {form.when}" if form.when else what

"""What is known about the public names of a framework: mapped, refused with a reason, or not known; and what is proved.

Proofs are those of a run of `ml_switcheroo ci`.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from .. import kb as knowledge
from ..errors import InputError
from ..kb import paths

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ..kb.loader import KnowledgeBase

STATUSES = ("mapped", "refused", "unknown")
NO_NAMES = frozenset({"module"})


@dataclass(frozen=True, slots=True)
class Name:
    """A public name: the operations that it can mean, and what becomes of them in each target."""

    name: str
    area: str
    ops: tuple[str, ...]
    status: dict[str, str]  # by target: mapped, refused, unknown
    proof: dict[str, str]  # by target: the status in the report of ci; nothing where it was not run


@dataclass
class Matrix:
    """All names of a source, in the order of its areas."""

    source: str
    targets: tuple[str, ...]
    names: list[Name]
    runs: dict[str, str] = field(default_factory=dict)  # by target: which run of ci the proofs are from

    def areas(self) -> list[str]:
        """Areas that have names, in order."""
        return list(dict.fromkeys(name.area for name in self.names))

    def counts(self, target: str, area: str | None = None) -> Counter[str]:
        """How many names have which status; `proved`: of the mapped ones, those that ci found equal."""
        names = [n for n in self.names if area is None or n.area == area]
        counts = Counter(n.status[target] for n in names)
        counts["proved"] = sum(n.status[target] == "mapped" and n.proof.get(target) == "equal" for n in names)
        counts["names"] = len(names)
        return counts

    def to_json(self) -> dict[str, Any]:
        """Counts by area and target, and every name."""
        return {
            "source": self.source,
            "targets": list(self.targets),
            "proofs": self.runs,
            "areas": {a: {t: dict(self.counts(t, a)) for t in self.targets} for a in self.areas()},
            "total": {target: dict(self.counts(target)) for target in self.targets},
            "names": {n.name: {"ops": list(n.ops), "status": n.status, "proof": n.proof} for n in self.names},
        }


def matrix(source: str, targets: Sequence[str], reports: Sequence[dict[str, Any]] = ()) -> Matrix:
    """Look up every public name of the source's areas. `reports`: runs of ci, as its JSON has them."""
    bases = {target: knowledge.load(source, target) for target in targets}
    first = next(iter(bases.values()))
    runs = {run["target"]: run for run in reports if run["source"] == source}
    names = []
    for area, members in _areas(source, first).items():
        for name in members:
            ops = tuple(dict.fromkeys(row.op for row in _rows(first, name)))
            status = {target: _status(base, ops) for target, base in bases.items()}
            proofs = {t: _proof(runs[t]["ops"], ops) for t in targets if t in runs}
            names.append(Name(name, area, ops, status, proofs))
    return Matrix(source, tuple(targets), names, {t: _said(runs[t]) for t in targets if t in runs})


def only(matrix: Matrix, *, areas: Sequence[str] = (), status: str | None = None, containing: str = "") -> Matrix:
    """The names of some areas, of one status in any target, or with a text in them."""
    for area in areas:
        if area not in matrix.areas():
            raise InputError("SW0009", f"there is no area {area!r}", f"known: {', '.join(matrix.areas())}")
    if status is not None and status not in STATUSES:
        raise InputError("SW0009", f"there is no status {status!r}", f"known: {', '.join(STATUSES)}")
    kept = [
        name
        for name in matrix.names
        if (not areas or name.area in areas)
        and containing in name.name
        and (status is None or status in name.status.values())
    ]
    return Matrix(matrix.source, matrix.targets, kept, matrix.runs)


def reports_for(source: str, targets: Sequence[str], file: Path | None) -> list[dict[str, Any]]:
    """The runs of a report, or the last whole run toward each target."""
    from ..fuzz.report import last_report

    if file is not None:
        return read_reports(file)
    kept = [last_report(source, target) for target in targets]
    return [run for path in kept if path.is_file() for run in read_reports(path)]


def read_reports(path: Path) -> list[dict[str, Any]]:
    """The runs in a file that `ci --json-report` wrote, with the day on which it did."""
    try:
        day = date.fromtimestamp(path.stat().st_mtime).isoformat()
        data = json.loads(path.read_text(encoding="utf-8"))
        runs: list[dict[str, Any]] = [run | {"date": day} for run in data["runs"]]
    except (OSError, ValueError, KeyError, TypeError):
        hint = "give the file that `ml_switcheroo ci --json-report` wrote"
        raise InputError("SW0005", "this is no report of ci", hint, path=str(path)) from None
    return runs


def _areas(source: str, kb: KnowledgeBase) -> dict[str, list[str]]:
    """The public names right under each area of the framework."""
    spokes = [knowledge.spoke_name(source)]
    data = knowledge.framework_data(spokes[0])
    while data.get("extends"):
        spokes.append(data["extends"])
        data = knowledge.framework_data(spokes[-1])
    found: dict[str, list[str]] = {}
    for spoke in spokes:
        file = paths.rows() / "snapshots" / spoke / "api.json"
        entries: dict[str, list[Any]] = json.loads(file.read_text(encoding="utf-8"))["names"]
        own = knowledge.framework_data(spoke)
        claimed_only = set(own.get("areas_of_claimed_classes") or ())
        for area in own.get("areas") or ():
            found[area] = [
                name
                for name, entry in entries.items()
                if name.rpartition(".")[0] == area
                and not name.rpartition(".")[2].startswith("_")
                and entry[0] not in NO_NAMES
                and not (area in claimed_only and entry[0] == "class" and not kb.read(name))
            ]
    return found


def status_of(kb: KnowledgeBase, name: str) -> str:
    """mapped, refused or unknown, for one public name of the source."""
    return _status(kb, [row.op for row in _rows(kb, name)])


def _rows(kb: KnowledgeBase, name: str) -> Sequence[Any]:
    suffix = str(kb.source_framework.get("inplace_suffix") or "")
    plain = name[: -len(suffix)] if suffix and name.endswith(suffix) else name
    return kb.read(name) or kb.read(plain)


def _status(kb: KnowledgeBase, ops: Sequence[str]) -> str:
    """Mapped if any of the operations can be written; refused if all that are known are refused."""
    rows = [row for op in ops if (row := kb.write(op)) is not None]
    if any(row.helper or row.isinstance or any(form.refuse is None for form in row.forms) for row in rows):
        return "mapped"
    return "refused" if rows else "unknown"


def _proof(proofs: dict[str, Any], ops: Sequence[str]) -> str:
    """The best that is known of the operations which a name can mean."""
    found = [proofs[op]["status"] for op in ops if op in proofs]
    order = ("failing", "equal", "xfail", "refused", "not drawn", "not mapped")
    return min(found, key=order.index) if found else ""


def _said(run: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    return f"{run['date']}, {run['examples']} examples an operation ({versions})"


# ---- views ----------------------------------------------------------------------------------------------------------


def table(matrix: Matrix, *, names: bool = False) -> list[list[str]]:
    """Rows of texts, the first with the titles; with `names` a row for each name instead of each area."""
    if names:
        head = ["name", *matrix.targets, *(f"{t}: proved" for t in matrix.runs), "operations"]
        return [
            head,
            *(
                [n.name, *(n.status[t] for t in matrix.targets), *(n.proof.get(t, "") for t in matrix.runs),
                 ", ".join(n.ops)]
                for n in matrix.names
            ),
        ]  # fmt: skip
    head = ["area", "names"]
    for target in matrix.targets:
        head += [f"{target}: {status}" for status in STATUSES] + [f"{target}: accounted for"]
        head += [f"{target}: proved"] if target in matrix.runs else []
    rows = [head]
    for area in [*matrix.areas(), None]:
        row = [area or "all", str(matrix.counts(matrix.targets[0], area)["names"])]
        for target in matrix.targets:
            counts = matrix.counts(target, area)
            known = counts["mapped"] + counts["refused"]
            row += [str(counts[status]) for status in STATUSES]
            row.append(f"{100 * known / max(counts['names'], 1):.0f} %")
            row += [str(counts["proved"])] if target in matrix.runs else []
        rows.append(row)
    return rows


def footnote(matrix: Matrix) -> str:
    """Where the proofs come from."""
    if not matrix.runs:
        return "proofs: none, since `ml_switcheroo ci` has not been run as a whole; give a report with --report"
    return "; ".join(f"proofs toward {target}: ci of {said}" for target, said in matrix.runs.items())


def as_markdown(matrix: Matrix, *, names: bool = False) -> str:
    """A table for documentation."""
    rows = table(matrix, names=names)
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines.insert(1, f"|{'---|' * len(rows[0])}")
    return "\n".join([*lines, "", footnote(matrix)]) + "\n"


def as_html(matrix: Matrix, *, names: bool = False) -> str:
    """One page without scripts."""
    from html import escape

    from .html_report import page

    rows = table(matrix, names=names)
    cells = ["".join(f"<th>{escape(text)}</th>" for text in rows[0])]
    cells += ["".join(f"<td>{escape(text)}</td>" for text in row) for row in rows[1:]]
    body = "<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + f"</table><p>{escape(footnote(matrix))}</p>"
    return page(f"The public names of {matrix.source}", [body])


def as_json(matrix: Matrix, *, names: bool = False) -> str:
    """Everything."""
    return json.dumps(matrix.to_json(), indent=1) + "\n"


def show(matrix: Matrix, *, names: bool = False) -> None:
    """The table on a terminal."""
    from rich.console import Console
    from rich.table import Table

    rows = table(matrix, names=names)
    drawn = Table(box=None, header_style="bold")
    for index, title in enumerate(rows[0]):
        drawn.add_column(title, justify="left" if names or not index else "right", no_wrap=not index)
    for row in rows[1:]:
        drawn.add_row(*row)
    console = Console(markup=False, highlight=False)
    console.print(drawn)
    console.print(footnote(matrix))


FORMATS: dict[str, Callable[..., str]] = {"markdown": as_markdown, "html": as_html, "json": as_json}

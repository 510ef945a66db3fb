"""The report for people: one page without scripts or links to elsewhere; files with gaps come first and are open."""

from __future__ import annotations

import difflib
from html import escape
from typing import TYPE_CHECKING

from .. import __version__
from ..diagnostics import CODES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..project import FileResult, Result

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
body { color: #222; background: #fff; }
code, pre { font: 13px/1.45 ui-monospace, monospace; }
pre { overflow-x: auto; background: #f6f6f6; padding: .75rem; }
table { border-collapse: collapse; }
td, th { text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top; }
summary { cursor: pointer; padding: .3rem 0; }
.error { color: #a4001d; } .warning { color: #8a5a00; } .info { color: #555; }
.add { background: #e2f5e4; display: block; } .del { background: #fbe3e4; display: block; }
.at { color: #555; display: block; }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #181818; } pre { background: #242424; }
  .error { color: #ff8a93; } .warning { color: #e9b765; } .info, .at { color: #aaa; }
  .add { background: #16351b; } .del { background: #42191d; }
}
"""
MAX_DIFF_LINES = 4000


def render(result: Result) -> str:
    """The report as one HTML page."""
    errors = sum(diagnostic.severity == "error" for diagnostic in result.diagnostics)
    warnings = sum(diagnostic.severity == "warning" for diagnostic in result.diagnostics)
    rows = [
        ("Converted", result.count("converted")),
        ("Without framework code", result.count("unchanged")),
        ("Failed", result.count("failed")),
        ("Other files copied", len(result.copied)),
        ("Errors", errors),
        ("Warnings", warnings),
    ]
    title = f"Conversion from {result.source or 'an unknown framework'} to {result.target}"
    parts = [
        "<table>",
        *(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows),
        "</table>",
    ]
    ordered = sorted(result.files, key=lambda file: (file.ok, not file.diagnostics, file.name))
    parts += [_file(file) for file in ordered]
    return page(title, parts)


def page(title: str, parts: Sequence[str]) -> str:
    """A whole page around its parts."""
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        *parts,
        f'<p class="info">ml_switcheroo {__version__}</p></body></html>',
    ]
    return "\n".join(lines) + "\n"


def _file(file: FileResult) -> str:
    opened = "" if file.ok else " open"
    parts = [f"<details{opened}><summary><code>{escape(file.name)}</code> {file.status}, "]
    parts.append(f"{len(file.diagnostics)} diagnostics</summary>")
    if file.diagnostics:
        parts.append("<table>")
        for found in file.diagnostics:
            row = CODES.get(found.code)
            hint = f'<br><span class="info">{escape(found.hint)}</span>' if found.hint else ""
            title = escape(row.title) if row else ""
            parts.append(
                f'<tr><td>{found.line or ""}</td><td class="{found.severity}" title="{title}">'
                f"{found.code}</td><td>{escape(found.message)}{hint}</td></tr>"
            )
        parts.append("</table>")
    if file.status == "converted":
        parts.append(f"<pre>{_diff(file)}</pre>")
    parts.append("</details>")
    return "".join(parts)


def _diff(file: FileResult) -> str:
    lines = []
    changes = difflib.unified_diff(file.before.splitlines(), file.after.splitlines(), "before", "after", lineterm="")
    for number, line in enumerate(changes):
        if number < 2:
            continue
        if number > MAX_DIFF_LINES:
            lines.append('<span class="at">(cut here)</span>')
            break
        kind = {"+": "add", "-": "del", "@": "at"}.get(line[:1])
        lines.append(f'<span class="{kind}">{escape(line)}</span>' if kind else escape(line) + "\n")
    return "".join(lines)

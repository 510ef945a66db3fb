"""The report for machines. `format` grows when a field changes its meaning; new fields may appear at any time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .. import __version__

if TYPE_CHECKING:
    from ..project import Result

FORMAT = 1


def as_data(result: Result) -> dict[str, object]:
    """The report as plain dictionaries and lists."""
    found = result.diagnostics
    codes: dict[str, int] = {}
    for diagnostic in found:
        codes[diagnostic.code] = codes.get(diagnostic.code, 0) + 1
    return {
        "format": FORMAT,
        "tool": {"name": "ml_switcheroo", "version": __version__},
        "source": result.source,
        "target": result.target,
        "exit_code": result.exit_code,
        "summary": {
            "files": len(result.files),
            "converted": result.count("converted"),
            "unchanged": result.count("unchanged"),
            "failed": result.count("failed"),
            "copied": len(result.copied),
            "errors": sum(diagnostic.severity == "error" for diagnostic in found),
            "warnings": sum(diagnostic.severity == "warning" for diagnostic in found),
            "codes": dict(sorted(codes.items())),
        },
        "files": [
            {
                "path": file.path,
                "name": file.name,
                "status": file.status,
                "source": file.source,
                "helpers": list(file.helpers),
                "helpers_from": file.compat or None,
                "diagnostics": [diagnostic.as_dict() for diagnostic in file.diagnostics],
            }
            for file in result.files
        ],
        "generated": sorted(result.generated),
        "copied": result.copied,
    }


def render(result: Result) -> str:
    """The report as JSON text."""
    return json.dumps(as_data(result), indent=2) + "\n"

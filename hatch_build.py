"""Build hook of the wheel: compiles the knowledge base into the package, so that no YAML parser is needed later."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class KnowledgeBaseHook(BuildHookInterface):  # type: ignore[misc]
    """Runs `ml_switcheroo.kb.build` before files are collected. A row that cannot be compiled stops the build."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Writes `src/ml_switcheroo/_kb/`, which pyproject.toml lists among the artifacts, and takes the rows along."""
        top = Path(self.root)
        sys.path.insert(0, str(top / "src"))
        try:
            from ml_switcheroo.kb.build import build
        finally:
            sys.path.pop(0)
        if self.target_name == "wheel" and version != "editable":  # `define` and `suggest` read the rows as written
            for folder in ("semantics", "snapshots"):
                build_data["force_include"][str(top / folder)] = f"ml_switcheroo/_rows/{folder}"
        problems = build(top, top / "src" / "ml_switcheroo" / "_kb", strict=True)
        if problems:
            listed = "\n".join(str(problem) for problem in sorted(problems)[:20])
            raise SystemExit(f"the knowledge base cannot be compiled, {len(problems)} problems:\n{listed}")

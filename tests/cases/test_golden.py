"""The converted examples under examples/jax/ are what the converter makes of the examples today."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from ml_switcheroo.project import convert_path

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "examples" / "jax"
SOURCES = [*sorted((ROOT / "examples").glob("*.py")), ROOT / "examples" / "tinydetect"]


@pytest.mark.parametrize("source", SOURCES, ids=[p.stem for p in SOURCES])
def test_converted_example(source: Path, tmp_path: Path) -> None:
    kept, fresh = GOLDEN / source.name, tmp_path / source.name
    result = convert_path(source, fresh, target="jax", jobs=1)
    assert not result.diagnostics
    names = [""] if source.is_file() else sorted({p.name for folder in (kept, fresh) for p in folder.glob("*.py")})
    for name in names:
        pair = [path / name if name else path for path in (kept, fresh)]
        old, new = (path.read_text().splitlines() if path.exists() else [] for path in pair)
        difference = "\n".join(difflib.unified_diff(old, new, "kept", "fresh", lineterm=""))
        place = source.relative_to(ROOT)
        again = f"ml_switcheroo convert {place} --target jax --out examples/jax/{source.name}"
        assert not difference, f"look at the difference; if it is right, run\n    {again}\n\n{difference}"

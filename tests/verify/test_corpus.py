"""A fixed quarter of the benchmark's real models: none may get less far than `benchmarks/results/corpus.json` says.

Models whose packages are not installed (`python benchmarks/corpus.py --setup`) are skipped. Those that took long when
the results were recorded are marked slow.
"""

from __future__ import annotations

import json
import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("flax")
pytest.importorskip("yaml")

from benchmarks import corpus

from ml_switcheroo.verify import RUNGS, parse_input

if TYPE_CHECKING:
    from pathlib import Path

CORPUS = corpus.Corpus.read()
SEARCH = corpus.search_path(filter(None, os.environ.get("CORPUS_PACKAGES", "").split(os.pathsep)))
RESULTS = corpus.HERE / "results" / "corpus.json"
SAMPLE = corpus.chosen(CORPUS, None, "quarter")
FAST = 30.0  # seconds
FAST_OF_ITS_KIND = 40.0  # for the fastest model of a kind of which there is no faster one


def test_the_data_file() -> None:
    ids = [entry.id for entry in CORPUS.entries]
    assert len(ids) == len(set(ids)) >= 120
    assert 0.2 <= len(SAMPLE) / len(ids) <= 0.35
    assert {entry.kind for entry in SAMPLE} == {entry.kind for entry in CORPUS.entries}
    for entry in CORPUS.entries:
        assert entry.package in CORPUS.packages
        for text in entry.inputs:
            parse_input(text)


@lru_cache
def expected() -> dict[str, dict[str, Any]]:
    """The committed results by id."""
    if not RESULTS.is_file():
        return {}
    return {row["id"]: row for row in json.loads(RESULTS.read_text())["models"]}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where conversions are kept: one of each package serves all its models."""
    path = tmp_path_factory.mktemp("corpus")
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(path / "compiled"))
    return path


def is_slow(entry: corpus.Entry) -> bool:
    """Did this model take long, or is nothing recorded for it?"""

    def seconds(one: corpus.Entry) -> float:
        return float(expected().get(one.id, {}).get("seconds") or FAST_OF_ITS_KIND + 1)

    fastest = min((other for other in SAMPLE if other.kind == entry.kind), key=seconds)
    return seconds(entry) > (FAST_OF_ITS_KIND if entry is fastest else FAST)


def parameter(entry: corpus.Entry) -> Any:
    """The entry with its marks: one worker does all models of a package, so that the package is converted once."""
    slow = [pytest.mark.slow] if is_slow(entry) else []
    return pytest.param(entry, marks=[pytest.mark.xdist_group(f"{entry.top} {is_slow(entry)}"), *slow], id=entry.id)


@lru_cache
def convert(top: str, slow: bool, folder: Path) -> str:
    """Convert a package once."""
    entries = [entry for entry in SAMPLE if entry.top == top and is_slow(entry) == slow]
    return corpus.convert_package(top, entries, SEARCH, folder / str(slow), timeout=600)


@pytest.mark.parametrize("entry", map(parameter, SAMPLE))
def test_a_real_model_gets_as_far_as_recorded(entry: corpus.Entry, folder: Path) -> None:
    if corpus.file_of(entry, SEARCH) is None:
        pytest.skip(f"{entry.package} is not installed")
    if entry.id not in expected():
        pytest.skip("no result is recorded for this model yet: python benchmarks/corpus.py --sample quarter --save")
    slow = is_slow(entry)
    row = corpus.climb(entry, SEARCH, folder / str(slow), convert(entry.top, slow, folder), timeout=600)
    assert row["missed"] != "source", row["reason"]
    before = expected()[entry.id]
    order = ["source", *RUNGS, None]
    assert order.index(row["missed"]) >= order.index(before["missed"]), f"{row['missed']}: {row['reason']}"
    assert not row["silently_wrong"] or before.get("silently_wrong"), f"{row['missed']}: {row['reason']}"

"""What a run of the fuzzer found: results by operation, known failures, the cache, and how they are shown."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import needed
from .known import known
from .prove import Proof

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..kb.loader import KnowledgeBase


def versions(*frameworks: str) -> dict[str, str]:
    """Versions of what ran."""
    from ..kb.snapshot import installed_version

    found = {"ml_switcheroo": installed_version("ml_switcheroo")}
    for framework in frameworks:
        for package in needed(framework):
            found[package] = installed_version(package)
    return found


def default_cache() -> Path:
    """Where proofs are kept between runs."""
    from ..kb.layers import cache_folder

    return cache_folder() / "proofs"


def last_report(source: str, target: str) -> Path:
    """Where the last run over all operations of a direction is kept."""
    from ..kb.layers import cache_folder

    return cache_folder() / "ci" / f"{source}_{target}.json"


def expected(proofs: Iterable[Proof], source: str, target: str, *, whole: bool, usual: bool = True) -> list[str]:
    """What is not as known; proofs of known failures get the status xfail. `usual`: the calls are those of every run
    that asks for nothing else, so that known ones must be among them."""
    entries = known(source, target)
    unexpected: list[str] = []
    seen: set[str] = set()
    for proof in proofs:
        seen.add(proof.op)
        always = next((one.why for one in entries.get(proof.op, ()) if not one.calls), None)
        if always is None:
            if proof.status == "failing":
                unexpected.append(f"{proof.op}: {proof.reason}")
            elif usual:
                unmet = [
                    one.why for one in entries.get(proof.op, ()) if not one.varies and one.why not in proof.differences
                ]
                unexpected += [f"{proof.op}: no call shows the listed difference any more: {why}" for why in unmet]
        elif proof.status == "failing":
            proof.status, proof.reason = "xfail", f"{always} ({proof.reason})"
        else:
            unexpected.append(f"{proof.op} is listed as failing, and is {proof.status}: take it out of the list")
    if whole:
        unexpected += [f"{op} is listed as failing, and there is no such operation" for op in entries if op not in seen]
    return unexpected


class Cache:
    """Proofs of rows that have not changed since, by content: rows, helpers, known differences, the fuzzer itself,
    versions, seed."""

    def __init__(self, folder: Path | None, kb: KnowledgeBase, facts: dict[str, Any]) -> None:
        self.folder, self.kb = folder, kb
        own = sorted(Path(__file__).parent.rglob("*.py"))
        text = json.dumps(facts, sort_keys=True) + "".join(p.read_text(encoding="utf-8") for p in own)
        self.facts = hashlib.sha256(text.encode()).hexdigest()
        self.known = known(str(facts.get("source")), str(facts.get("target")))

    def path(self, op: str) -> Path | None:
        """Where an operation's proof would be."""
        if self.folder is None:
            return None
        key = hashlib.sha256(f"{self.facts}{op}{self.kb.content(op)}{self.known.get(op)}".encode()).hexdigest()[:24]
        return self.folder / f"{op}.{key}.json"

    def get(self, op: str) -> Proof | None:
        """The proof of an unchanged operation."""
        path = self.path(op)
        if path is None or not path.is_file():
            return None
        return Proof(**json.loads(path.read_text(encoding="utf-8")))

    def put(self, proof: Proof) -> None:
        """Keeps a proof."""
        path = self.path(proof.op)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            scratch = path.with_suffix(".new")
            scratch.write_text(json.dumps(proof.to_json()), encoding="utf-8")
            scratch.replace(path)


def summary(proofs: Iterable[Proof]) -> dict[str, int]:
    """How many operations have which status."""
    counts = Counter(proof.status for proof in proofs)
    return {status: counts[status] for status in sorted(counts)}


def to_json(proofs: list[Proof], facts: dict[str, Any]) -> dict[str, Any]:
    """The whole report."""
    return {**facts, "summary": summary(proofs), "ops": {proof.op: proof.to_json() for proof in proofs}}

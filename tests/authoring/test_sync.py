"""`sync`: differences between two recorded APIs, and the rows that they touch. The snapshot itself: tests/kb."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from ml_switcheroo.authoring import sync
from ml_switcheroo.errors import InputError
from ml_switcheroo.kb import paths, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

    Run = Callable[..., Result]


def recorded(framework: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((paths.rows() / "snapshots" / framework / "api.json").read_text())
    return data


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], None]:
    def put(data: dict[str, Any]) -> None:
        monkeypatch.setattr(sync, "fresh_snapshot", lambda framework: snapshot.dump(data))

    return put


OLD = {
    "a": ["module"],
    "a.same": ["function", ["(x)"]],
    "a.gone": ["function", ["(x)"]],
    "a.changed": ["function", ["(x)"]],
    "a.kind": ["function", ["(x)"]],
    "a.path.same": ["function", [], "a.same"],
    "a.path.gone": ["function", [], "a.gone"],
}
NEW = {
    "a": ["module"],
    "a.same": ["function", ["(x)"]],
    "a.changed": ["function", ["(x, *, y=1)"]],
    "a.kind": ["class", ["(x)"]],
    "a.new": ["function", []],
}


def test_differences() -> None:
    changes = sync.compare(
        {"framework": "a", "version": "1", "names": OLD}, {"framework": "a", "version": "2", "names": NEW}
    )
    assert (changes.recorded, changes.installed) == ("1", "2")
    assert changes.appeared == ["a.new"]
    assert changes.vanished == ["a.gone"]
    assert changes.changed == {
        "a.changed": ("function (x)", "function (x, *, y=1)"),
        "a.kind": ("function (x)", "class (x)"),
    }


def test_a_name_that_became_an_alias_has_not_vanished() -> None:
    old = {"a.f": ["function", ["(x)"]]}
    new = {"a.g": ["function", ["(x)"]], "a.f": ["function", [], "a.g"]}
    changes = sync.compare(
        {"framework": "a", "version": "1", "names": old}, {"framework": "a", "version": "2", "names": new}
    )
    assert (changes.appeared, changes.vanished, changes.changed) == (["a.g"], [], {})


def test_nothing_new(installed: Callable[[dict[str, Any]], None], run: Run) -> None:
    installed(recorded("jax"))
    done = run("sync", "jax")
    assert done.exit_code == 0
    assert done.stdout.endswith("0 appeared, 0 vanished, 0 changed; 0 rows are touched\n")


# framework, name, its new signature (None: it vanishes) -> rows: framework, op, broken
TOUCHED: dict[str, tuple[str, str, str | None, tuple[str, str, str]]] = {
    "api": ("torch", "torch.nn.functional.softsign", "(input, steepness=1)", ("torch", "softsign", "")),
    "api gone": ("torch", "torch.nn.functional.softsign", None, ("torch", "softsign", "unknown name")),
    "api misfit": ("torch", "torch.nn.functional.softsign", "(tensor)", ("torch", "softsign", "no signature fits")),
    "write": ("jax", "jax.lax.lgamma", None, ("jax", "lgamma", "")),
    "helper": ("jax", "jax.lax.reduce_window", None, ("jax", "avg_pool2d", "")),
    "helper of what stands on it": ("jax", "jax.nn.softplus", None, ("flax_nnx", "Softplus", "")),
}


@pytest.mark.parametrize("case", TOUCHED)
def test_rows(installed: Callable[[dict[str, Any]], None], run: Run, case: str) -> None:
    framework, name, signature, row = TOUCHED[case]
    data = copy.deepcopy(recorded(framework))
    if signature is None:
        del data["names"][name]
    else:
        data["names"][name] = ["function", [signature]]
    installed(data)
    done = run("sync", framework, "--json")
    assert done.exit_code == 1
    rows = {(one["framework"], one["op"]): one for one in json.loads(done.stdout)["rows"]}
    assert name in rows[row[:2]]["names"]
    assert row[2] in rows[row[:2]]["broken"] and bool(row[2]) == bool(rows[row[:2]]["broken"])
    shown = run("sync", framework).stdout
    assert f"{rows[row[:2]]['place']}: {row[1]} ({row[0]}) uses " in shown
    assert ("no longer compiles: " if row[2] else "look at it") in shown


def test_write_records_it(
    installed: Callable[[dict[str, Any]], None], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = tmp_path / "top"
    (top / "semantics").mkdir(parents=True)
    (top / "snapshots" / "jax").mkdir(parents=True)
    api = top / "snapshots" / "jax" / "api.json"
    api.write_text(snapshot.dump({"framework": "jax", "version": "0", "names": OLD}))
    monkeypatch.setattr(paths, "checkout", lambda: top)
    installed({"framework": "jax", "version": "1", "names": NEW})
    assert run("sync", "jax").exit_code == 0
    assert json.loads(api.read_text())["version"] == "0"
    assert "recorded in " in run("sync", "jax", "--write").stdout
    assert json.loads(api.read_text())["version"] == "1"


def test_write_needs_a_checkout(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "checkout", lambda: None)
    done = run("sync", "jax", "--write")
    assert done.exit_code == 2
    assert "needs a source checkout" in done.stderr


def test_an_unknown_framework(run: Run) -> None:
    done = run("sync", "jaks")
    assert done.exit_code == 2
    assert "SW0007" in done.stderr


def test_a_framework_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "run_child", lambda arguments: False)
    with pytest.raises(InputError, match="cannot be looked at"):
        sync.fresh_snapshot("jax")


def test_the_installed_version_is_looked_at() -> None:
    pytest.importorskip("jax")
    data = json.loads(sync.fresh_snapshot("jax"))
    assert "jax.numpy.sum" in data["names"]

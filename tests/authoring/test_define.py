"""`define`: what a bad file is told, and what a good one does."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import ml_switcheroo
from ml_switcheroo import kb
from ml_switcheroo.authoring.define import define
from ml_switcheroo.errors import InputError
from ml_switcheroo.kb import layers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typer.testing import Result

    Run = Callable[..., Result]

SRC = Path(ml_switcheroo.__file__).parents[1]

GOOD = '''\
ops:
  shrink_twice:
    doc: x moved towards zero by lambd, two times.
    params: {x: tensor, lambd: float = 0.5}
    returns: tensor
    torch: {api: torch.nn.functional.shrink_twice, args: {input: x}, sig: "(input, lambd=0.5)"}
    jax: {helper: shrink_twice}
helpers:
  jax: |
    import jax


    def shrink_twice(x: jax.Array, lambd: float = 0.5) -> jax.Array:
        """softshrink of softshrink."""
        return softshrink(softshrink(x, lambd), lambd)
'''

MEANING = GOOD[GOOD.index("    doc:") : GOOD.index("    torch:")]

# What is changed in the good file, and what is said: line, field, message.
BAD: dict[str, tuple[str, str, int, str, str]] = {
    "no YAML": ("params: {x", "params: [x", 4, "", "not YAML"),
    "twice": ("    returns: tensor\n", "    doc: again\n", 5, "", "duplicate key 'doc', first on line 3"),
    "top key": ("helpers:", "helper:", 8, "helper", "unknown key 'helper', did you mean helpers"),
    "no ops": ("ops:", "op:", 1, "op", "unknown key 'op', did you mean ops (an op stands below ops:)"),
    "framework": ("    torch:", "    troch:", 6, "ops.shrink_twice.troch", "unknown key 'troch', did you mean torch; "),
    "helpers of": ("\n  jax: |", "\n  jx: |", 9, "helpers.jx", "unknown framework 'jx', did you mean jax; known: "),
    "type": ("x: tensor,", "x: tensr,", 4, "ops.shrink_twice.params.x", "unknown type 'tensr', did you mean tensor"),
    "default": ("= 0.5}", "= half}", 4, "ops.shrink_twice.params.lambd", "default 'half' is no Python literal"),
    "row key": (", sig:", ", sign:", 6, "ops.shrink_twice.torch.sign", "unknown key 'sign' in a row, did you mean sig"),
    "argument": ("{input: x}", "{input: y}", 6, "ops.shrink_twice.torch.args.input", "has no parameter 'y'; it has x"),
    "sig": ('(input, lambd=0.5)"', '(input lambd)"', 6, "ops.shrink_twice.torch.sig", "is no signature such as"),
    "helper": (
        "{helper: shrink_twice}",
        "{helper: shrink_twise}",
        7,
        "ops.shrink_twice.jax.helper",
        "helper 'shrink_twise' is defined in no helpers/*.py of jax, did you mean shrink_twice",
    ),
    "form": (
        "{helper: shrink_twice}",
        "{wriet: x}",
        7,
        "ops.shrink_twice.jax.wriet",
        "unknown key 'wriet' in a row, did you mean write",
    ),
    "write": (
        "{helper: shrink_twice}",
        '{write: "jnp.wher(x > lambd, x, x)"}',
        7,
        "ops.shrink_twice.jax.write",
        "unknown name jnp.wher (jax.numpy.wher is not in api.json), did you mean jax.numpy.where",
    ),
    "write name": (
        "{helper: shrink_twice}",
        '{write: "jnp.abs(x, lamda)"}',
        7,
        "ops.shrink_twice.jax.write",
        "unknown name 'lamda' in 'jnp.abs(x, lamda)': no parameter, no alias of _framework.yaml, no helper, did you me",
    ),
    "loses": (
        "{helper: shrink_twice}",
        '{write: "jnp.abs(x)"}',
        7,
        "ops.shrink_twice.jax.write",
        "'jnp.abs(x)' does not write lambd",
    ),
    "nothing": ("{helper: shrink_twice}", "", 7, "ops.shrink_twice.jax", "a row is a mapping such as {api: ...}"),
    "Python": ("def shrink_twice(x:", "def shrink_twice(x", 13, "", "not Python: "),
    "helper's name": (
        "return softshrink(",
        "return softshrnk(",
        13,
        "",
        "helper shrink_twice: unknown name 'softshrnk'",
    ),
    "taken": (
        "    def shrink_twice(",
        "    def softshrink(",
        13,
        "helpers.jax",
        "jax has one of this name already, at ",
    ),
    "hub row": (
        MEANING,
        "",
        3,
        "ops.shrink_twice.torch",
        "no hub row of this name",
    ),
    "claimed": (
        'torch.nn.functional.shrink_twice, args: {input: x}, sig: "(input, lambd=0.5)"',
        "torch.nn.functional.softshrink, args: {input: x}",
        6,
        "ops.shrink_twice.torch.api",
        "torch.nn.functional.softshrink(input) also fits softshrink at snapshots/torch/fn_activation.yaml:",
    ),
}


def write(text: str, name: str = "mine.yaml") -> Path:
    path = Path(name)
    path.write_text(text)
    return path


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_told_where_and_changes_nothing(home: Path, run: Run, case: str) -> None:
    old, new, line, field, message = BAD[case]
    assert old in GOOD
    done = run("define", write(GOOD.replace(old, new, 1)), "--json")
    assert done.exit_code == 2
    said = json.loads(done.stdout)
    assert not said["ok"] and said["installed"] is None
    found = [one for one in said["problems"] if (one["line"], one["field"]) == (line, field)]
    assert any(message in one["message"] for one in found), said["problems"]
    assert {one["file"] for one in said["problems"]} == {"mine.yaml"}
    assert [path.name for path in home.iterdir()] == ["mine.yaml"]


def test_a_bad_file_on_the_terminal(home: Path, run: Run) -> None:
    done = run("define", write(GOOD.replace("tensor,", "tensr,")))
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("mine.yaml:4: error: shrink_twice: x: unknown type 'tensr', did you mean tensor;")
    assert done.stderr.endswith("nothing was changed\n")


@pytest.mark.parametrize(("name", "code"), [("none.yaml", "SW0001"), ("mine.txt", "SW0001")])
def test_a_file_that_cannot_be_read(home: Path, run: Run, name: str, code: str) -> None:
    write(GOOD, "mine.txt")
    done = run("define", name)
    assert done.exit_code == 2
    assert code in done.stderr
    told = run("define", name, "--json")
    assert told.exit_code == 2
    assert json.loads(told.stdout)["problems"][0]["file"] == name


def places(value: object, keys: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield keys
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield from places(inner, (*keys, key))


STRANGE: list[Any] = [None, 1, True, [], {}, ["a"], [{}], {"a": {"b": [1]}}, "(", "x y"]


def test_no_value_anywhere_is_a_trace(home: Path) -> None:
    """Each part of a good file is replaced by values of other kinds: it is told so, or does not matter."""
    good = yaml.safe_load(GOOD) | {"imports": {"jax": {"fast": "import fastops as fast"}}}
    for index, keys in enumerate(places(good)):
        for strange in (STRANGE[index % 10], STRANGE[(index + 3) % 10], STRANGE[(index + 7) % 10]):
            data = copy.deepcopy(good)
            owner = data
            for key in keys[:-1]:
                owner = owner[key]
            if keys:
                owner[keys[-1]] = strange
            done = define(write(yaml.safe_dump(data if keys else strange, sort_keys=False)), dry_run=True)
            assert done.ok or done.problems


def test_what_was_installed_stays_when_a_bad_file_follows(home: Path, run: Run) -> None:
    assert run("define", write(GOOD)).exit_code == 0
    assert run("define", write(GOOD.replace("tensor,", "tensr,"))).exit_code == 2
    assert Path(".ml_switcheroo/ops/mine.yaml").read_text() == GOOD


def test_a_dry_run_installs_nothing(home: Path, run: Run) -> None:
    done = run("define", write(GOOD), "--dry-run")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "shrink_twice: new op, jax, torch",
        "mine.yaml is good; it would be installed as .ml_switcheroo/ops/mine.yaml (project)",
    ]
    assert [path.name for path in home.iterdir()] == ["mine.yaml"]


def converted(text: str) -> str:
    return ml_switcheroo.convert(textwrap.dedent(text), source="torch").code


USE = """
import torch
import torch.nn.functional as F

def f(x: torch.Tensor):
    return F.shrink_twice(x, lambd=0.25)
"""


def test_a_new_op_converts_at_once(home: Path, run: Run) -> None:
    assert "TODO" in converted(USE)
    done = run("define", write(GOOD))
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "shrink_twice: new op, jax, torch",
        "installed as .ml_switcheroo/ops/mine.yaml (project)",
        "not proved (jax not installed): run `ml_switcheroo ci --op shrink_twice`",
    ]
    assert "return shrink_twice(x, lambd=0.25)" in converted(USE)
    assert "def softshrink(" in converted(USE)


def test_the_project_is_found_from_below(home: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("define", write(GOOD))
    (home / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(home / "deep" / "er")
    kb.reload()
    assert "shrink_twice(x" in converted(USE)
    done = run("define", write(GOOD.replace("0.5", "0.25"), "mine.yaml"))
    assert "installed as " in done.stdout and (home / ".ml_switcheroo/ops/mine.yaml").read_text() != GOOD
    monkeypatch.chdir(home.parent)
    kb.reload()
    assert "TODO" in converted(USE)


CHANGED = """\
ops:
  relu:
    jax: {write: "jnp.maximum(x, 0)"}
"""


def test_a_row_of_ours_is_replaced_in_one_framework(home: Path, run: Run) -> None:
    done = run("define", write(CHANGED))
    assert done.stdout.startswith("relu: changes the op, jax\n")
    assert "return jnp.maximum(x, 0)" in converted("import torch\ndef f(x: torch.Tensor):\n    return torch.relu(x)\n")


ADDED = """\
ops:
  relu:
    torch: {add: true, api: fastops.ramp, sig: "(input)", args: {input: x}}
"""


def test_a_spelling_is_added_to_those_of_ours(home: Path, run: Run) -> None:
    assert run("define", write(ADDED)).exit_code == 0
    text = converted("import torch\nimport fastops\ndef f(x: torch.Tensor):\n    return fastops.ramp(torch.relu(x))\n")
    assert "return jax.nn.relu(jax.nn.relu(x))" in text


IMPORTS = """\
ops:
  relu:
    jax: {write: "fast.ramp(x)"}
imports:
  jax: {fast: import fastops.jax as fast}
"""


def test_an_alias_of_ones_own(home: Path, run: Run) -> None:
    assert run("define", write(IMPORTS)).exit_code == 0
    text = converted("import torch\ndef f(x: torch.Tensor):\n    return torch.relu(x)\n")
    assert "import fastops.jax as fast" in text and "return fast.ramp(x)" in text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("import fastops.jax as fast", "fastops", "expected an import statement, got 'fastops'"),
        ("as fast", "as faster", "does not bind the name fast"),
        (
            "{fast: import fastops.jax as fast}",
            "{jnp: import fastops as jnp}",
            "jnp is 'import jax.numpy as jnp' already",
        ),
        ("{fast: import fastops.jax as fast}", "", "expected a mapping of aliases to statements, got nothing"),
    ],
)
def test_bad_aliases(home: Path, run: Run, old: str, new: str, message: str) -> None:
    done = run("define", write(IMPORTS.replace(old, new)))
    assert done.exit_code == 2
    assert message in done.stderr


def test_a_new_meaning_must_suit_the_rows_that_stay(home: Path, run: Run) -> None:
    done = run("define", write("ops:\n  leaky_relu: {doc: Other names., params: {x: tensor, slope: float = 0.1}}\n"))
    assert done.exit_code == 2
    assert "snapshots/jax/fn_activation.yaml" in done.stderr


def test_the_project_stands_over_the_user(home: Path, run: Run) -> None:
    relu = "import torch\ndef f(x: torch.Tensor):\n    return torch.relu(x)\n"
    assert "(user)" in run("define", write(CHANGED), "--user").stdout
    assert (layers.user_folder() / "ops" / "mine.yaml").exists()
    assert "jnp.maximum(x, 0)" in converted(relu)
    run("define", write(CHANGED.replace("x, 0", "0, x")))
    assert "jnp.maximum(0, x)" in converted(relu)


def test_a_file_of_the_same_name_replaces_the_earlier_one(home: Path, run: Run) -> None:
    run("define", write(GOOD))
    done = run("define", write(CHANGED))
    assert "shrink_twice: no longer defined by .ml_switcheroo/ops/mine.yaml" in done.stdout
    assert "TODO" in converted(USE)


def test_an_op_has_one_file(home: Path, run: Run) -> None:
    run("define", write(GOOD))
    done = run("define", write(GOOD, "other.yaml"))
    assert done.exit_code == 2
    assert (
        "other.yaml:2: error: shrink_twice: duplicate hub row, first at .ml_switcheroo/ops/mine.yaml:2" in done.stderr
    )


def test_rows_in_the_layout_of_ours(home: Path) -> None:
    for name, text in {
        "semantics/own.yaml": "ramp: {doc: Ramp., params: {x: tensor}, returns: tensor}\n",
        "snapshots/torch/own.yaml": "ramp: {api: fastops.ramp, sig: (input), args: {input: x}}\n",
        "snapshots/jax/own.yaml": "ramp: {helper: ramp}\n",
        "snapshots/jax/helpers/own.py": 'import jax\n\n\ndef ramp(x):\n    """Ramp."""\n    return jax.nn.relu(x)\n',
    }.items():
        path = home / ".ml_switcheroo" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    kb.reload()
    text = converted("import torch\nimport fastops\ndef f(x: torch.Tensor):\n    return fastops.ramp(x)\n")
    assert "return ramp(x)" in text and "def ramp(x):" in text


def test_a_file_that_was_spoilt_later_is_named_each_time(
    home: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run("define", write(GOOD))
    Path(".ml_switcheroo/ops/mine.yaml").write_text(GOOD.replace("tensor,", "tensr,"))
    for _ in range(2):
        kb.reload()
        assert "TODO" in converted(USE)
        assert ".ml_switcheroo/ops/mine.yaml:4: error: shrink_twice: x: unknown type" in capsys.readouterr().err


def test_compiled_rows_need_no_yaml_parser(home: Path, run: Run) -> None:
    run("define", write(GOOD))
    converted(USE)
    code = "import sys; sys.modules['yaml'] = None; import ml_switcheroo as m; print(m.convert(sys.stdin.read()).code)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=USE,
        env={**os.environ, "PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "shrink_twice(x, lambd=0.25)" in done.stdout


def test_the_variable_names_other_layers(home: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("define", write(GOOD))
    monkeypatch.setenv("ML_SWITCHEROO_KB", "")
    kb.reload()
    assert "TODO" in converted(USE)
    assert "not in force" in run("define", write(GOOD)).stdout
    monkeypatch.setenv("ML_SWITCHEROO_KB", str(home / ".ml_switcheroo"))
    kb.reload()
    assert "shrink_twice(x" in converted(USE)


def test_a_folder_of_somebody_else_is_left_out(
    home: Path, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run("define", write(GOOD))
    monkeypatch.setattr(layers, "_is_ours", lambda folder: False)
    kb.reload()
    assert "TODO" in converted(USE)
    assert "belongs to another user" in capsys.readouterr().err


def test_without_a_yaml_parser(home: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(GOOD)
    for name in ("yaml", "ml_switcheroo.kb.merge", "ml_switcheroo.kb.build"):
        monkeypatch.setitem(sys.modules, name, None)
    done = run("define", path)
    assert done.exit_code == 2
    assert "SW0012 error: reading rows needs a YAML parser" in done.stderr
    (home / ".ml_switcheroo" / "ops").mkdir(parents=True)
    kb.reload()
    with pytest.raises(InputError, match="have changed, and compiling them needs a YAML parser"):
        kb.load("torch", "jax")


def test_the_fuzzer_is_asked_where_there_is_one(home: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("hypothesis")
    from ml_switcheroo.fuzz.prove import Proof

    monkeypatch.setattr("ml_switcheroo.fuzz.missing", lambda *_: [])
    proofs = [Proof("shrink_twice", "equal", examples=20, worst=1e-7)]
    monkeypatch.setattr("ml_switcheroo.fuzz.prove.prove", lambda ops, **_: proofs)
    assert run("define", write(GOOD)).stdout.endswith("shrink_twice: equal, 20 calls, largest error 1.0e-07\n")

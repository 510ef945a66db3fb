"""Each mistake that the lint knows: the changed files, and what it says where."""

from __future__ import annotations

import pytest

from ml_switcheroo.kb import paths
from ml_switcheroo.kb.lint import lint

from .conftest import FILES, Write

FN, BETA, HELPERS = "snapshots/alpha/fn.yaml", "snapshots/beta/fn.yaml", "snapshots/beta/helpers/fn.py"
HUB, LAYERS, GAMMA = "semantics/fn.yaml", "semantics/nn.yaml", "snapshots/gamma/nn.yaml"


def replaced(path: str, old: str, new: str) -> dict[str, str]:
    assert old in FILES[path]
    return {path: FILES[path].replace(old, new)}


def added(path: str, text: str) -> dict[str, str]:
    return {path: FILES[path] + text}


CASES: dict[str, tuple[dict[str, str], str]] = {
    # YAML itself
    "duplicate key": (added(FN, "relu: {api: alpha.relu}\n"), f"{FN}:8: error: duplicate key 'relu', first on line 1"),
    "yes is a boolean": (replaced(FN, "inplace: drop", "inplace: no"), f"{FN}:1: error: 'no' is a boolean in YAML"),
    "broken YAML": (added(FN, "x: {write: [f(a, b}\n"), f"{FN}:8: error: not YAML"),
    "a date": (replaced(HUB, "doc: Largest value.", "doc: 2020-01-01"), f"{HUB}:2: error: '2020-01-01' is a timestamp"),
    "empty row": (added(FN, "empty:\n"), f"{FN}:8: error: empty: a row is a mapping"),
    # the hub
    "unknown type": (
        replaced(HUB, "dim: int", "dim: integer"),
        f"{HUB}:5: error: max_dim: dim: unknown type 'integer'",
    ),
    "bad default": (
        replaced(HUB, "= False", "= no way"),
        f"{HUB}:5: error: max_dim: parameter keepdim: default 'no way'",
    ),
    "unknown kind": (replaced(HUB, "kind: property", "kind: prop"), f"{HUB}:10: error: shape: unknown kind 'prop'"),
    "unknown effect": (replaced(LAYERS, "[init]", "[inits]"), f"{LAYERS}:7: error: Linear: unknown effect 'inits'"),
    "unknown key": (
        replaced(LAYERS, "call:", "calls:"),
        f"{LAYERS}:5: error: Linear: unknown key 'calls' in a hub row",
    ),
    "hub twice": (added(LAYERS, "relu: {doc: a}\n"), f"{LAYERS}:8: error: relu: duplicate hub row, first at {HUB}:1"),
    # reading
    "no hub row": (added(FN, "other: {api: alpha.relu}\n"), f"{FN}:8: error: other: no hub row of this name"),
    "unknown api": (replaced(FN, "alpha.relu", "alpha.rule"), f"{FN}:1: error: relu: alpha.rule: unknown name"),
    "did you mean": (replaced(FN, "alpha.relu", "alpha.rellu"), "did you mean alpha.relu"),
    "unknown parameter": (
        replaced(FN, "{input: x}, extra", "{input: y}, extra"),
        "relu has no parameter 'y'; it has x",
    ),
    "unknown argument": (
        replaced(FN, "{inplace: drop}", "{in_place: drop}"),
        f"{FN}:1: error: relu: extra names 'in_place', which no signature of alpha.relu has: (input, inplace=False)",
    ),
    "bad extra": (replaced(FN, "inplace: drop", "inplace: forget"), "expected drop, 'refuse: reason', 'only VALUE', "),
    "a setting of no parameter": (
        replaced(FN, "inplace: drop", "inplace: 'sets y: True = 1'"),
        "extra: inplace: relu has no parameter 'y'",
    ),
    "a setting that is no literal": (
        replaced(FN, "inplace: drop", "inplace: 'sets x: True = some'"),
        "extra: inplace: 'some' is no literal",
    ),
    "no signature fits": (
        replaced(FN, "relu: {api: alpha.relu, args: {input: x}, ", "relu: {api: alpha.relu, "),
        f"{FN}:1: error: relu: alpha.relu: no signature fits: (input, inplace=False): 'input' is no parameter of relu",
    ),
    "bad sig": (
        added(FN, "x: {api: alpha.relu, sig: '(a b)'}\n") | added(HUB, "x: {doc: a}\n"),
        "is no signature such as",
    ),
    "foreign api": (
        added(FN, "x: {api: other.f}\n") | added(HUB, "x: {doc: a}\n"),
        "x: other.f: not a name of alpha: state its signature with sig:",
    ),
    "bad when": (
        replaced(FN, "extra: {inplace: drop}", "when: 'inplac', extra: {inplace: drop}"),
        "unknown name 'inplac'",
    ),
    "claimed twice": (
        added(FN, "clip: {api: alpha.relu, args: {input: x}, extra: {inplace: drop}}\n")
        | added(HUB, "clip: {doc: a, params: {x: tensor}}\n"),
        f"{FN}:8: error: clip: alpha.relu(input) also fits relu at {FN}:1",
    ),
    "second row": (
        added("snapshots/alpha/nn.yaml", "relu: {api: alpha.relu}\n"),
        f"relu: second row of alpha, first at {FN}:1",
    ),
    # writing
    "unparsable text": (replaced(BETA, "bt.relu(x)", "bt.relu(x"), f"{BETA}:1: error: relu: 'bt.relu(x' is no Python"),
    "unknown name in text": (replaced(BETA, "bt.relu(x)", "jnp.relu(x)"), "relu: unknown name 'jnp' in 'jnp.relu(x)'"),
    "unknown target api": (
        replaced(BETA, "bt.relu(x)", "bt.rule(x)"),
        "unknown name bt.rule (beta.rule is not in api.json)",
    ),
    "unknown keyword": (
        replaced(BETA, "bt.max(x)", "'bt.max(x, dim=0)'"),
        "bt.max(x, dim=0): no keyword 'dim'; signature (a, axis=None, keepdims=False)",
    ),
    "missing argument": (replaced(BETA, "bt.maximum(x, other)", "bt.maximum(x) + other"), "bt.maximum(x): misses 'y'"),
    "forgotten parameter": (
        replaced(BETA, "bt.maximum(x, other)", "bt.relu(x)"),
        f"{BETA}:4: error: maximum: 'bt.relu(x)' does not write other",
    ),
    "unwritten in a helper": (
        replaced(HELPERS, "def max_with_index(x, dim, keepdim=False)", "def max_with_index(x, dim)"),
        "max_dim: helper max_with_index does not write keepdim",
    ),
    "helper wants more": (
        replaced(HELPERS, "def max_with_index(x, dim,", "def max_with_index(x, axis, dim,"),
        "'axis' is no parameter of max_dim (x, dim, keepdim)",
    ),
    "no such helper": (
        replaced(BETA, "helper: max_with_index", "helper: maxi"),
        "helper 'maxi' is defined in no helpers/*.py",
    ),
    "no such plugin": (replaced(BETA, "write: x.shape", "plugin: shape"), "plugin 'shape': no file plugins/shape.py"),
    "two rungs": (
        replaced(BETA, "write: x.shape", "write: [{emit: x.shape, refuse: a}]"),
        "a form needs exactly one of emit, api, helper, refuse, plugin; this one has emit, refuse",
    ),
    "unknown key in a form": (
        replaced(BETA, "write: x.shape", "write: [{text: x.shape}]"),
        "unknown key 'text' in a form",
    ),
    "rngs without needs": (replaced(GAMMA, "  needs: [rngs]\n", ""), "Linear: the text uses rngs: add needs: [rngs]"),
    "unknown isinstance": (
        replaced(GAMMA, "isinstance: bt.Dense", "isinstance: bt.Dens"),
        "isinstance: bt.Dens is neither",
    ),
    "weight forgotten": (replaced(GAMMA, ", bias: bias}", "}"), "weights: no rule for bias of the hub row"),
    "weight unknown": (
        replaced(GAMMA, ", bias: bias}", ", bias: bias, b: c}"),
        "weights: the hub row has no weight 'b'",
    ),
    "wrong permutation": (replaced(GAMMA, "OI->IO", "OI->IOX"), "'kernel OI->IOX' is no permutation"),
    "wrong layout": (replaced(GAMMA, "OI->IO", "IO->OI"), "the hub row says OI, this rule starts from IO"),
    # helpers and the framework
    "helper unused": (
        added(HELPERS, '\n\ndef spare(x):\n    """Spare."""\n    return x\n'),
        "helper spare is used by no row",
    ),
    "helper without name": (
        replaced(HELPERS, "bt.max(x, axis=dim)", "np.max(x, axis=dim)"),
        f"{HELPERS}:6: error: helper largest: unknown name 'np'",
    ),
    "unknown import": (
        replaced(HELPERS, "import beta as bt\n", "import beta as bt\nimport os\n"),
        "import of os: not in imports",
    ),
    "layer helper without rngs": (
        replaced("snapshots/gamma/helpers/nn.py", "bias=True, *, rngs):", "bias=True):"),
        "helper Linear: its constructor lacks keyword-only rngs",
    ),
    "framework key": (added("snapshots/alpha/_framework.yaml", "rots: [a]\n"), "unknown key 'rots'"),
    "framework import": (
        replaced("snapshots/alpha/_framework.yaml", "import alpha}", "import beta}"),
        "imports: alpha: 'import beta' does not bind the name alpha",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_lint_says(case: str, checkout: Write) -> None:
    changes, expected = CASES[case]
    found = [str(problem) for problem in lint(checkout(changes))]
    assert any(expected in text for text in found), "\n".join(found) or "no finding"


def test_a_clean_knowledge_base_has_no_finding(checkout: Write) -> None:
    assert [str(problem) for problem in lint(checkout({}))] == []


def test_ignore_and_when_answer_for_a_parameter(checkout: Write) -> None:
    rows = {
        "maximum": "{write: bt.relu(x), ignore: [other]}",
        "max_dim": '{write: [{when: "not keepdim", emit: "bt.max(x, axis=dim)"},'
        ' {emit: "bt.max(x, axis=dim, keepdims=True)"}]}',
    }
    text = (
        FILES[BETA]
        .replace('{write: "bt.maximum(x, other)"}', rows["maximum"])
        .replace("{helper: max_with_index}", rows["max_dim"])
    )
    found = [problem for problem in lint(checkout({BETA: text})) if "is used by no row" not in problem.message]
    assert found == []


def test_the_real_knowledge_base_is_clean() -> None:
    top = paths.checkout()
    assert top is not None
    assert [str(problem) for problem in lint(top) if problem.severity == "error"] == []

"""`suggest API`: a prompt that holds all that a language model needs to write the definition of an operation.

What the API is comes from the installed framework, and from the recorded api.json where it is not installed.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..kb import spoke_name
from .introspect import Looked, look
from .rows import rows_in_force

if TYPE_CHECKING:
    from ..kb.sources import Row, Sources, Spoke

CANDIDATES = 8
SIMILAR = 4
ALIKE = 0.65  # from here on two names are called similar
LONG_DOC, SHORT_DOC = 6000, 500

SCHEMA = """\
```text
ops:
  NAME:                      # snake_case for functions, CamelCase for layers
    # what the op means, the same for all frameworks
    doc: one line, plain words
    kind: function           # {kinds}
    params: {{x: tensor, dim: "int = -1"}}   # type, or "type = Python literal"; the tensor it works on is x
    returns: tensor
    effects: []              # {effects}
    # layers: params are the constructor's; call: {{x: tensor, returns: tensor}} and weights: {{weight: OI, bias: "O?"}}
    # how a framework spells it; frameworks: {frameworks}
    FRAMEWORK:
      api: [public.name, other.spelling]     # how it is read and, without write or helper, written
      args: {{input: x}}       # argument of the api: parameter of the op; same names need no entry
      extra: {{out: drop}}     # arguments that the op lacks: drop, "refuse: reason" or "only LITERAL"
      sig: "(input, dim=-1)" # only where the recorded signature is missing or wrong
    FRAMEWORK: {{write: "jnp.where(x > 0, x, 0)"}}            # Python text with the names of the parameters
    FRAMEWORK: {{write: [{{when: "dim is None", emit: "..."}}, {{refuse: reason}}]}}   # the first form that holds
    FRAMEWORK: {{helper: name}}                             # a function below helpers:, parameters named as the op's
    FRAMEWORK: {{refuse: why it is impossible, and what to do instead}}
helpers:
  FRAMEWORK: |               # typed, one-line docstring, works under jit, differentiable; import aliases: {aliases}
    def name(x, dim=-1): ...
```
types: {types}
keys of a row: {row_keys}"""


@dataclass(frozen=True)
class Subject:
    """The API that is asked about."""

    name: str
    spoke: str  # "" for a name of another package
    kind: str
    signatures: list[str]


def suggest(api: str, *, target: str | None = None) -> str:
    """The prompt for one API. Raises InputError for a name that nobody knows."""
    sources = rows_in_force()
    subject = _subject(sources, api)
    targets = _targets(sources, subject, target)
    similar = _similar_ops(sources, subject, targets)
    candidates = {name: _candidates(sources, name, subject, similar) for name in targets}
    looked = look([subject.name, *(one for found in candidates.values() for one in found)])
    if not subject.spoke and subject.name not in looked:
        raise _unknown(sources, api)
    parts = [
        _status(sources, subject, targets),
        f"Write the definition of `{subject.name}` for ml_switcheroo, so that code which uses it can be converted to "
        f"{' and '.join(_title(sources, name) for name in targets)}.",
        _api(sources, subject, looked.get(subject.name)),
        *(_nearest(sources, name, found, looked) for name, found in candidates.items()),
        _similar(sources, subject, targets, similar),
        _format(sources, targets),
        _answer(sources, subject, targets),
    ]
    return "\n\n".join(parts) + "\n"


def _title(sources: Sources, name: str) -> str:
    return str(sources.spokes[name].framework.get("title") or name)


def _subject(sources: Sources, api: str) -> Subject:
    for name in (api, *(f"{root}.{api}" for spoke in sources.spokes.values() for root in _roots(spoke))):
        for spoke in sources.spokes.values():
            entry = spoke.api.get(name)
            if entry is not None:
                canonical = entry.alias_of or name
                entry = spoke.api.get(canonical, entry)
                return Subject(canonical, spoke.name, entry.kind, entry.signatures)
    for spoke in sources.spokes.values():
        for rows in spoke.rows.values():
            for row in rows:
                if api in _claimed(row):
                    return Subject(api, spoke.name, "function", [str(row.data["sig"])] if row.data.get("sig") else [])
    if any(api.split(".")[0] in _roots(spoke) for spoke in sources.spokes.values()) or "." not in api:
        raise _unknown(sources, api)
    return Subject(api, "", "function", [])


def _roots(spoke: Spoke) -> list[str]:
    return [str(root) for root in spoke.framework.get("roots") or ()]


def _unknown(sources: Sources, api: str) -> InputError:
    from ..kb.near import nearest

    names = {name.rpartition(".")[2]: name for spoke in sources.spokes.values() for name in sorted(spoke.api)}
    full = [name for spoke in sources.spokes.values() for name in spoke.api]
    close = nearest(api, full, 3, 0.75) or [names[one] for one in nearest(api.rpartition(".")[2], names, 3, 0.75)]
    hint = f"did you mean {', '.join(close)}" if close else "give the full public name, such as torch.nn.functional.glu"
    return InputError("SW0011", f"{api}: no framework and no installed package has this name", hint, path="usage")


def _targets(sources: Sources, subject: Subject, target: str | None) -> list[str]:
    """Spokes to write for: the one that is asked for, or every one on which no other stands but the API's own."""
    if target is not None:
        return [spoke_name(target)]
    below = {str(spoke.framework.get("extends")) for spoke in sources.spokes.values()}
    own = {one.name for one in sources.stack(subject.spoke)} if subject.spoke else set()
    return [name for name in sources.spokes if name not in below and name not in own]


# --- what is known already ------------------------------------------------------------------------------------


def _claimed(row: Row) -> list[str]:
    api = row.data.get("api")
    return [one for one in (api if isinstance(api, list) else [api]) if isinstance(one, str)]


def _ops(sources: Sources, subject: Subject) -> dict[str, Row]:
    """The ops that the name stands for, with the row that says so."""
    found: dict[str, Row] = {}
    for spoke in sources.stack(subject.spoke):
        for op, rows in spoke.rows.items():
            for row in rows:
                if any(sources.canonical(spoke, api) == subject.name for api in _claimed(row)):
                    found.setdefault(op, row)
    return found


def _status(sources: Sources, subject: Subject, targets: list[str]) -> str:
    ops = _ops(sources, subject)
    if not ops:
        return f"`{subject.name}` is not known yet: no row speaks of it."
    lines = [f"There are rows for `{subject.name}` already; a definition of the same op replaces them:"]
    for op, row in ops.items():
        place = f"{row.document.path}:{row.document.line(*row.keys)}"
        written = [f"{name}: {_writes(sources, name, op)}" for name in targets]
        lines.append(f"- op `{op}` ({place}); {'; '.join(written)}")
    return "\n".join(lines)


def _writes(sources: Sources, name: str, op: str) -> str:
    """`mapped (write)`, `refused: reason` or `not mapped`."""
    rows = next((one.rows[op] for one in sources.stack(name) if op in one.rows), [])
    if not rows:
        return "not mapped"
    refusals = [str(row.data["refuse"]) for row in rows if row.data.get("refuse")]
    if len(refusals) == len(rows):
        return f"refused: {refusals[0]}"
    rung = next((key for key in ("write", "helper", "plugin", "api") for row in rows if row.data.get(key)), "api")
    return f"mapped ({rung})"


def _api(sources: Sources, subject: Subject, looked: Looked | None) -> str:
    version = sources.spokes[subject.spoke].version if subject.spoke else ""
    lines = ["## The API", ""]
    lines += [f"- `{subject.name}{text}` (recorded, {subject.spoke} {version})" for text in subject.signatures]
    if looked is not None and looked.signature:
        lines.append(f"- `{subject.name}{looked.signature}` (installed, {looked.version})")
    if len(lines) == 2:
        lines.append(f"- `{subject.name}`, a {subject.kind}; no signature is known")
    if looked is None:
        lines += ["", f"It is not installed here, so that its documentation is missing; it is a {subject.kind}."]
    elif looked.doc:
        lines += ["", "Documentation:", "", _quoted(looked.doc, LONG_DOC)]
    return "\n".join(lines)


def _quoted(text: str, limit: int) -> str:
    cut = text if len(text) <= limit else text[:limit].rsplit("\n", 1)[0] + "\n..."
    return "\n".join(f"> {line}".rstrip() for line in cut.strip().splitlines())


# --- what is like it ------------------------------------------------------------------------------------------


def likeness(one: str, other: str) -> float:
    """How alike the last parts of two public names are, 0 to 1."""
    first, second = (name.rpartition(".")[2].replace("_", "").lower() for name in (one, other))
    if not first or not second:
        return 0.0
    if first == second:
        return 1.0
    matcher = difflib.SequenceMatcher(None, first, second, autojunk=False)
    ratio = matcher.ratio() if matcher.real_quick_ratio() >= ALIKE and matcher.quick_ratio() >= ALIKE else 0.0
    contained = min(len(first), len(second)) >= 4 and (first in second or second in first)
    return max(ratio, 0.75 if contained else 0.0)


def _candidates(sources: Sources, target: str, subject: Subject, similar: list[str]) -> list[str]:
    """The names of the target most like that of the API, best first, and those that similar rows write."""
    kinds = {"class"} if subject.kind == "class" else {"function", "method", "class"}
    scored: list[tuple[float, int, str]] = []
    for spoke in sources.stack(target):
        for name, entry in spoke.api.items():
            last = name.rpartition(".")[2]
            if entry.alias_of is None and not last.startswith("_") and entry.kind in kinds:
                score = likeness(subject.name, name)
                if score >= ALIKE:
                    scored.append((-score, name.count("."), name))
    written = [name for op in similar for name in _written_names(sources, target, op)]
    return list(dict.fromkeys([*(name for _, _, name in sorted(scored)[:CANDIDATES]), *written]))[:CANDIDATES]


def _written_names(sources: Sources, target: str, op: str) -> list[str]:
    """The public names that the rows of an op call in the target."""
    from ..kb.build import called_names

    found: list[str] = []
    for spoke in sources.stack(target):
        for row in spoke.rows.get(op, []):
            written = row.data.get("write")
            for one in written if isinstance(written, list) else [written]:
                text = one.get("emit") if isinstance(one, dict) else one
                names = called_names(text) if isinstance(text, str) else ()
                found += [full for name in sorted(names) if (full := sources.dotted(spoke, name)) is not None]
    return [name for name in found if any(name in one.api for one in sources.stack(target))]


def _nearest(sources: Sources, target: str, names: list[str], looked: dict[str, Looked]) -> str:
    lines = [f"## Names of {_title(sources, target)} that may serve (nearest by name, or written by similar rows)", ""]
    for name in names:
        entry = next(one.api[name] for one in sources.stack(target) if name in one.api)
        told = looked.get(name)
        signatures = entry.signatures or ([told.signature] if told is not None and told.signature else [""])
        lines.append(f"- `{name}{signatures[0]}`")
        if told is not None and told.doc:
            lines.append("  " + re.sub(r"\s+", " ", told.doc[:SHORT_DOC].split("\n\n")[0]))
    if not names:
        lines.append("None: it will need a `write` text, a helper or a refusal.")
    return "\n".join(lines)


def _similar_ops(sources: Sources, subject: Subject, targets: list[str]) -> list[str]:
    """The ops that the API stands for already, and those most like it that have rows for the targets."""
    layer = subject.kind == "class"

    def score(op: str) -> float:
        kind = sources.hub[op].data.get("kind", "function")
        return likeness(subject.name, op) + (0.2 if (kind == "layer") == layer else 0.0)

    complete = [op for op in sources.hub if all(_has_row(sources, op, name) for name in targets)]
    found = sorted(complete, key=lambda op: (-score(op), op))[:SIMILAR]
    return list(dict.fromkeys([*_ops(sources, subject), *found]))


def _similar(sources: Sources, subject: Subject, targets: list[str], similar: list[str]) -> str:
    """These ops in the form of the answer, with their helpers."""
    import yaml

    spokes = [subject.spoke, *dict.fromkeys(one.name for name in targets for one in sources.stack(name))]
    ops: dict[str, Any] = {}
    for op in similar:
        if op in sources.hub:
            ops[op] = dict(sources.hub[op].data)
        for name in spokes:
            rows = [row.data for row in sources.spokes[name].rows.get(op, [])] if name in sources.spokes else []
            if rows:
                ops.setdefault(op, {})[name] = rows[0] if len(rows) == 1 else rows
    text = yaml.safe_dump({"ops": ops}, sort_keys=False, width=110, default_flow_style=None, allow_unicode=True)
    helpers = [sources.helper(sources.spokes[name], str(helper)) for name, helper in _helpers_in(ops, targets)]
    texts = "\n\n".join(dict.fromkeys(helper.text for helper in helpers if helper is not None))
    found = f"## Definitions of similar operations\n\n```yaml\n{text}```"
    return f"{found}\n\nTheir helpers:\n\n```python\n{texts}\n```" if texts else found


def _has_row(sources: Sources, op: str, name: str) -> bool:
    return any(op in one.rows for one in sources.stack(name))


def _helpers_in(ops: dict[str, Any], targets: list[str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []

    def visit(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("helper"), str):
                found.extend((name, value["helper"]) for name in targets)
            for one in value.values():
                visit(one)
        elif isinstance(value, list):
            for one in value:
                visit(one)

    visit(ops)
    return found


# --- how to answer --------------------------------------------------------------------------------------------


def _format(sources: Sources, targets: list[str]) -> str:
    from ..kb.compiler import EFFECTS, KINDS, ROW_KEYS
    from ..kb.types import NAMES

    aliases = dict.fromkeys(alias for name in targets for alias in sources.imports(sources.spokes[name]))
    schema = SCHEMA.format(
        kinds=", ".join(sorted(KINDS)),
        effects=", ".join(sorted(EFFECTS)),
        frameworks=", ".join(sources.spokes),
        aliases=", ".join(aliases),
        types=", ".join(sorted(NAMES)) + "; `T?` may be None, `one of a b`, `pair[int]`, `list[tensor]`",
        row_keys=", ".join(sorted(ROW_KEYS)),
    )
    return f"## The format (EXTENDING_WITH_DSL.md)\n\n{schema}"


def _answer(sources: Sources, subject: Subject, targets: list[str]) -> str:
    places = []
    for name in targets:
        stack = [one.name for one in sources.stack(name)]
        places.append(
            f"functions below `{stack[-1]}`, layers below `{stack[0]}`" if len(stack) > 1 else f"below `{name}`"
        )
    op = next(iter(_ops(sources, subject)), subject.name.rpartition(".")[2])
    source = subject.spoke or "its framework"
    return f"""\
## The answer

One YAML file, {op}.yaml, and nothing else. It holds the meaning, the source ({source}) and the target
({"; ".join(places)}). Write what is equal in values, gradients, shapes and dtypes;
refuse, with the reason, what cannot be. Where the defaults of the two differ, write the argument. It is checked by:

```sh
ml_switcheroo define {op}.yaml --dry-run    # form: every mistake with line, field and what was expected
ml_switcheroo define {op}.yaml              # installs it
ml_switcheroo ci --op {op}                  # compares the numbers on drawn inputs
```"""

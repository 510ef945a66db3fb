"""Checks the knowledge base as written and says `file:line: error: what is wrong`.

    python -m ml_switcheroo.kb.lint [--all] [family ...]

Families are file names without `.yaml`/`.py`; with none, everything is checked. Warnings show with --all.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import paths
from .build import compile_sources
from .compiler import HubRow, RowError, hub_row, is_method, pack_read, pack_write, read_apis, row_forms
from .near import near
from .signature import Entry, show
from .sources import Row, Sources, Spoke, import_target, read_sources
from .types import NO_TYPE, Type, TypeTextError, parse_type
from .yamltext import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .helperfiles import Definition

FRAMEWORK_KEYS = frozenset(
    [
        "name",
        "title",
        "distribution",
        "aliases",
        "extends",
        "roots",
        "module_base",
        "tensor",
        "forward",
        "inplace_suffix",
        "number_index",
        "areas",
        "areas_of_claimed_classes",
        "argument_aliases",
        "names",
        "kinds",
        "own_backward",
        "loading_methods",
        "mixins",
        "packages",
        "free_names",
        "programs",
        "usual_names",
        "training",
        "stream",
        "style",
        "blocks",
        "settings",
        "libraries",
        "views",
        "perhaps_itself",
        "imports",
        "helpers",
        "also",
        "detected",
        "lacks",
    ]
)
_BUILTINS = frozenset(dir(builtins)) | {"__name__", "__class__"}
_PERMUTE = re.compile(r"([A-Za-z0-9]+)->([A-Za-z0-9]+)$")


def lint(top: Path) -> list[Problem]:
    """All findings for the checkout at `top`, in the order of files and lines."""
    return check(read_sources(top))


def check(sources: Sources, whole: Sources | None = None) -> list[Problem]:
    """All findings for what was read, or for a part of the `whole`."""
    _, _, problems = compile_sources(sources)
    used = _used_helpers(whole or sources)
    found = set(problems)
    hub: dict[str, HubRow] = {}
    for op, row in sources.hub.items():
        try:
            hub[op] = hub_row(row)
        except RowError:
            continue  # reported by the build
        if not row.data.get("doc"):
            found.add(row.problem("no doc: say in one line what the op does", severity="warning"))
    for spoke in sources.spokes.values():
        found.update(_framework(sources, spoke))
        for op, rows in spoke.rows.items():
            if op in hub:
                for row in rows:
                    found.update(_read_row(sources, spoke, row, hub[op]))
                    found.update(_write_row(sources, spoke, row, hub[op]))
                found.update(_layer(sources, spoke, rows, hub[op]))
        found.update(_ambiguous(sources, spoke, hub))
        found.update(_helpers(sources, spoke, used))
    return sorted(found)


# --- framework data -----------------------------------------------------------------------------------------


def _framework(sources: Sources, spoke: Spoke) -> Iterator[Problem]:
    path = f"snapshots/{spoke.name}/_framework.yaml"
    if not spoke.framework:
        yield Problem(path, 1, "missing or empty: it states roots, imports, tensor, module_base, forward")
        return
    for key in spoke.framework:
        if key not in FRAMEWORK_KEYS:
            yield Problem(path, 1, f"unknown key {key!r}; known: {', '.join(sorted(FRAMEWORK_KEYS))}")
    for alias, statement in (spoke.framework.get("imports") or {}).items():
        if import_target(str(statement)) is None:
            yield Problem(path, 1, f"imports: {alias}: {statement!r} is no import statement")
        elif not re.search(rf"\b{re.escape(alias)}$", str(statement)):
            yield Problem(path, 1, f"imports: {alias}: {statement!r} does not bind the name {alias}")
    for key in ("module_base", "tensor"):
        name = spoke.framework.get(key)
        if name and sources.lookup(spoke, name) is None:
            yield Problem(path, 1, f"{key}: {name} is not in api.json")


# --- reading ------------------------------------------------------------------------------------------------


def _read_row(sources: Sources, spoke: Spoke, row: Row, hub: HubRow) -> Iterator[Problem]:
    """Mappings that no signature of the claimed names has, and optional arguments that nobody thought of."""
    try:
        apis = read_apis(row)
        packs = [pack_read(sources, spoke, row, hub, api) for api in apis]
    except RowError:
        return  # reported by the build
    if not packs:
        return
    signatures = [signature for pack in packs for signature in pack[2]]
    names = {name for signature in signatures for name, _, _ in signature}
    plain = {name for signature in signatures for name, kind, _ in signature if kind in {"po", "pk", "ko"}}
    catches = any(kind == "vk" for signature in signatures for _, kind, _ in signature)
    every = {name for api in apis for signature in sources.api_signatures(spoke, api) for name, _, _ in signature}
    shown = "; ".join(dict.fromkeys(show(signature) for signature in signatures)) or "no signature"
    for key in ("args", "extra"):
        for name in row.data.get(key) or {}:
            if name not in names | every and not catches and not any(is_method(sources, spoke, api) for api in apis):
                yield row.problem(
                    f"{key} names {name!r}, which no signature of {', '.join(apis)} has: {shown}", key, name
                )
    mapped = set(row.data.get("args") or {}) | set(row.data.get("extra") or {}) | set(hub.params) | {"out"}
    for name in sorted(str(name) for name in plain - mapped if name):
        yield row.problem(
            f"argument {name!r} of {apis[0]} is no parameter of {hub.op} and not in extra: calls with it are refused",
            "api",
            severity="warning",
        )


_NUMBERS = {"int", "float"}
_ATOMS = {
    "number": _NUMBERS,
    "float": _NUMBERS,
    "complex": _NUMBERS,
    "dims": {"int", "sequence"},
    "shape": {"int", "sequence"},
    "pair": {"int", "sequence"},
    "triple": {"int", "sequence"},
    "list": {"sequence"},
    "tuple": {"sequence"},
    "scalar_or_tensor": {"int", "float", "tensor"},
}


def _atoms(text: str) -> set[str]:
    """The kinds of value that a type admits, coarsely; empty for `any`."""
    try:
        return _type_atoms(parse_type(text))
    except TypeTextError:
        return set()


def _type_atoms(type_: Type) -> set[str]:
    if type_.alternatives:
        parts = [_type_atoms(one) for one in type_.alternatives]
        return set() if any(not part for part in parts) else set().union(*parts)
    if type_.name == "one of":
        return {"int" if choice.lstrip("-").isdigit() else "str" for choice in type_.choices}
    if type_.name in {"any", "same", "itself"}:
        return set()
    return _ATOMS.get(type_.name, {type_.name})


def _ambiguous(sources: Sources, spoke: Spoke, hub: dict[str, HubRow]) -> Iterator[Problem]:
    """Two ops that claim one api with calls that fit both."""
    claims: dict[str, list[tuple[Row, list[Any]]]] = {}
    for rows in spoke.rows.values():
        for row in rows:
            if row.op not in hub:
                continue
            try:
                for api in read_apis(row):
                    packed = pack_read(sources, spoke, row, hub[row.op], api)
                    claims.setdefault(sources.canonical(spoke, api), []).append((row, packed))
            except RowError:
                continue
    for api, claimed in claims.items():
        for index, (row, packed) in enumerate(claimed):
            for other, other_packed in claimed[:index]:
                if row.op == other.op or packed[5] is not None or other_packed[5] is not None:
                    continue
                call = _common_call(packed, other_packed, hub[row.op], hub[other.op], is_method(sources, spoke, api))
                if call is not None:
                    where = f"{other.document.path}:{other.document.line(*other.keys)}"
                    yield row.problem(
                        f"{api}{call} also fits {other.op} at {where}: tell them apart by types, arguments or when:",
                        "api",
                    )


def _common_call(packed: list[Any], other: list[Any], hub: HubRow, other_hub: HubRow, method: bool) -> str | None:
    """A call with required arguments only that fits both rows, as text."""
    if not packed[2] and not other[2]:
        return ""
    for signature in packed[2]:
        for second in other[2]:
            first_needs, second_needs = _needed(signature, packed, hub), _needed(second, other, other_hub)
            if len(first_needs) != len(second_needs):
                continue
            pairs = list(zip(first_needs, second_needs, strict=True))
            if all(
                kind == "po" or name == other_name for (name, _, kind), (other_name, _, _) in pairs if kind == "ko"
            ) and all(not one or not two or one & two for (_, one, _), (_, two, _) in pairs):
                return f"({', '.join(name for name, _, _ in first_needs)})"
    return None


def _needed(signature: list[Entry], packed: list[Any], hub: HubRow) -> list[tuple[str, set[str], str]]:
    """The arguments that a call must give to mean the op: name, kinds of value, kind of parameter."""
    found = []
    for name, kind, default in signature:
        target = packed[3].get(name, name)
        if target in hub.params and (hub.params[target][1] is None or default is None) and kind != "vk":
            atoms = _atoms(hub.params[target][0])
            found.append((str(name), atoms if kind != "va" or not atoms else atoms | {"int", "sequence"}, str(kind)))
        elif target not in hub.params and default is None and kind in {"po", "pk", "ko"}:
            found.append((str(name), set(), str(kind)))
    return found


# --- writing ------------------------------------------------------------------------------------------------


def _write_row(sources: Sources, spoke: Spoke, row: Row, hub: HubRow) -> Iterator[Problem]:
    try:
        forms = row_forms(sources, spoke, row, hub)
    except RowError:
        return  # reported by the build
    if "write" not in row.data and "helper" not in row.data and "plugin" not in row.data:
        yield from _api_only(row, hub, forms)
        return
    if hub.kind == "type":
        return
    # A property of the target's arrays may be a constant: then nothing is lost when the array itself is not written.
    questioned: set[str] = set(list(hub.params)[:1]) if hub.kind == "property" else set()
    for index, form in enumerate(forms):
        keys = (
            ("write", index)
            if isinstance(row.data.get("write"), list) and index < len(row.data["write"])
            else ("write",)
        )
        if "when" in form:
            questioned |= _identifiers(form["when"]) & set(hub.params)
        if "emit" in form:
            yield from _emit(sources, spoke, row, hub, form, keys)
        if "helper" in form:
            yield from _helper_form(sources, spoke, row, hub, form, keys)
        if (
            "plugin" in form
            and not (_code(sources) / "plugins" / f"{form['plugin']}.py").exists()
            and form["plugin"] not in _offered_plugins()
        ):
            yield row.problem(
                f"plugin {form['plugin']!r}: no file plugins/{form['plugin']}.py, and no installed package offers it",
                *keys,
            )
        if "refuse" not in form and "plugin" not in form:
            missing = [name for name in hub.params if name not in {*form["covers"], *questioned}]
            if missing:
                what = f"helper {form['helper']}" if "helper" in form else repr(form.get("emit") or form.get("api"))
                yield row.problem(
                    f"{what} does not write {', '.join(missing)}: write it, test it with when:, or list it in ignore:",
                    *keys,
                )


def _api_only(row: Row, hub: HubRow, forms: list[dict[str, Any]]) -> Iterator[Problem]:
    """A row that only reads may lack parameters, which a target of that name would lose."""
    for form in forms:
        if "api" in form and "signature" in form:
            missing = [name for name in hub.params if name not in form["covers"]]
            if missing:
                yield row.problem(
                    f"as a target, {form['api']} would not write {', '.join(missing)}", "api", severity="warning"
                )


def _code(sources: Sources) -> Path:
    """The code that belongs to the rows: beside them in a checkout, else this package."""
    folder = sources.top / "src" / "ml_switcheroo"
    return folder if folder.is_dir() or sources.top != paths.rows() else paths.PACKAGE


def _offered_plugins() -> set[str]:
    from importlib.metadata import entry_points

    return {entry.name for entry in entry_points(group="ml_switcheroo.plugins")}


def _identifiers(text: str) -> set[str]:
    return {part.id for part in ast.walk(ast.parse(text.strip(), mode="eval")) if isinstance(part, ast.Name)}


def _stream(sources: Sources, spoke: Spoke) -> str:
    """The name of the random stream in texts and helpers."""
    return str(next((s.framework["stream"] for s in sources.stack(spoke.name) if s.framework.get("stream")), "rngs"))


def _emit(
    sources: Sources, spoke: Spoke, row: Row, hub: HubRow, form: dict[str, Any], keys: tuple[Any, ...]
) -> Iterator[Problem]:
    tree = ast.parse(form["emit"].strip(), mode="eval")
    imports, stream = sources.imports(spoke), _stream(sources, spoke)
    bound = {part.id for part in ast.walk(tree) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
    bound |= {
        argument.arg
        for part in ast.walk(tree)
        if isinstance(part, ast.arguments)
        for argument in [*part.posonlyargs, *part.args, *part.kwonlyargs]
    }
    for name in sorted({part.id for part in ast.walk(tree) if isinstance(part, ast.Name)} - bound):
        if name == stream and stream not in hub.params:
            if "rngs" not in (row.data.get("needs") or ()):
                yield row.problem(f"the text uses {stream}: add needs: [rngs]", *keys)
        elif (
            name not in hub.params
            and name not in imports
            and name not in _BUILTINS
            and sources.helper(spoke, name) is None
        ):
            known = [*hub.params, *imports, *(one for other in sources.stack(spoke.name) for one in other.helpers)]
            yield row.problem(
                f"unknown name {name!r} in {form['emit']!r}: no parameter, no alias of _framework.yaml, no helper"
                + near(name, known),
                *keys,
            )
    for part in ast.walk(tree):
        if isinstance(part, ast.Call):
            yield from _call(sources, spoke, row, part, keys)
        elif isinstance(part, ast.Attribute):
            yield from _attribute(sources, spoke, row, part, keys)


def _full_name(sources: Sources, spoke: Spoke, node: ast.expr) -> str | None:
    """The dotted api name that an expression stands for."""
    text = ast.unparse(node)
    return sources.dotted(spoke, text) if re.fullmatch(r"[\w.]+", text) else None


def _roots(sources: Sources, spoke: Spoke) -> set[str]:
    return {root for one in sources.stack(spoke.name) for root in one.framework.get("roots") or ()}


def _attribute(
    sources: Sources, spoke: Spoke, row: Row, node: ast.Attribute, keys: tuple[Any, ...]
) -> Iterator[Problem]:
    name = _full_name(sources, spoke, node)
    if name is None or name.split(".")[0] not in _roots(sources, spoke) or sources.lookup(spoke, name) is not None:
        return
    parent = name.rpartition(".")[0]
    known = sources.lookup(spoke, parent)
    if known is None or known.kind in {"module", "class"}:  # an attribute of a value (jnp.add.at) is not in api.json
        members = [one for other in sources.stack(spoke.name) for one in other.api if one.startswith(f"{parent}.")]
        yield row.problem(f"unknown name {ast.unparse(node)} ({name} is not in api.json){near(name, members)}", *keys)


def _call(sources: Sources, spoke: Spoke, row: Row, node: ast.Call, keys: tuple[Any, ...]) -> Iterator[Problem]:
    """Keywords that the called api or helper does not have."""
    if isinstance(node.func, ast.Name) and (definition := sources.helper(spoke, node.func.id)) is not None:
        signature = sources.helper_signature(spoke, definition)
        signatures = [] if signature is None else [signature]
    else:
        name = _full_name(sources, spoke, node.func)
        signatures = sources.api_signatures(spoke, name) if name else []
    if not signatures:
        return
    keywords = {keyword.arg for keyword in node.keywords if keyword.arg}
    stars = any(isinstance(argument, ast.Starred) for argument in node.args) or any(
        keyword.arg is None for keyword in node.keywords
    )
    reasons = [_call_misfit(signature, len(node.args), keywords, stars) for signature in signatures]
    if all(reasons):
        yield row.problem(
            f"{ast.unparse(node)}: {reasons[0]}; signature {'; '.join(show(signature) for signature in signatures)}",
            *keys,
        )


def _call_misfit(signature: list[Entry], positional: int, keywords: set[str], stars: bool) -> str | None:
    names = {str(name) for name, kind, _ in signature if kind in {"pk", "ko"}}
    open_ended = any(kind == "vk" for _, kind, _ in signature)
    unknown = sorted(keywords - names)
    if unknown and not open_ended:
        return f"no keyword {unknown[0]!r}"
    slots = [str(name) for name, kind, _ in signature if kind in {"po", "pk"}]
    if positional > len(slots) and not any(kind == "va" for _, kind, _ in signature):
        return f"takes {len(slots)} positional arguments"
    twice = sorted(set(slots[:positional]) & keywords)
    if twice:
        return f"{twice[0]!r} given twice"
    missing = [str(name) for name, kind, default in signature if default is None and kind in {"po", "pk", "ko"}]
    missing = [name for name in missing if name not in slots[:positional] and name not in keywords]
    return f"misses {missing[0]!r}" if missing and not stars else None


def _helper_form(
    sources: Sources, spoke: Spoke, row: Row, hub: HubRow, form: dict[str, Any], keys: tuple[Any, ...]
) -> Iterator[Problem]:
    signature: list[Entry] | None = form.get("signature")
    if signature is None:
        return
    args, stream = form.get("args", {}), _stream(sources, spoke)
    for name, kind, default in signature:
        if name == stream and stream not in hub.params:
            if default is None and "rngs" not in (row.data.get("needs") or ()):
                yield row.problem(f"helper {form['helper']} takes {stream}: add needs: [rngs]", *keys)
        elif kind in {"po", "pk", "ko"} and default is None and args.get(str(name), name) not in hub.params:
            yield row.problem(
                f"helper {form['helper']}{show(signature)}: {name!r} is no parameter of {hub.op}"
                f" ({', '.join(hub.params)})",
                *keys,
            )


def _layer(sources: Sources, spoke: Spoke, rows: list[Row], hub: HubRow) -> Iterator[Problem]:
    """Weights and the class helper of a layer row."""
    try:
        packed = pack_write(sources, spoke, rows, hub)
    except RowError:
        return
    if packed is None:
        return
    row = rows[0]
    if hub.kind == "layer" and "helper" in packed:
        definition = sources.helper(spoke, packed["helper"])
        signature = None if definition is None else sources.helper_signature(spoke, definition)
        if definition is not None and definition.kind != "class":
            yield row.problem(f"helper {packed['helper']} of a layer must be a class", "helper")
        elif signature is not None and not any(name == "rngs" or kind == "vk" for name, kind, _ in signature):
            yield row.problem(
                f"helper {packed['helper']}: its constructor lacks keyword-only rngs "
                "(rngs: nnx.Rngs | None = None if it draws nothing)",
                "helper",
            )
    if packed.get("isinstance", NO_TYPE) != NO_TYPE:
        name = sources.dotted(spoke, packed["isinstance"])
        if sources.helper(spoke, packed["isinstance"]) is None and (
            name is None or sources.lookup(spoke, name) is None
        ):
            yield row.problem(f"isinstance: {packed['isinstance']} is neither a helper nor a known name", "isinstance")
    weights = {str(name): str(layout).removesuffix("?") for name, layout in (hub.data.get("weights") or {}).items()}
    rules = packed.get("weights", {})
    if "forms" in packed and "weights" in packed:
        for name in weights:
            if name not in rules and not any(_matches(rule, name) for rule in rules):
                yield row.problem(f"weights: no rule for {name} of the hub row", "weights")
    if weights and not rules and any({"helper", "emit"} & form.keys() for form in packed["forms"]):
        yield row.problem(
            f"no weights: checkpoints cannot be moved ({', '.join(weights)} of the hub row)", severity="warning"
        )
    for rule, value in rules.items():
        yield from _weight_rule(row, weights, rule, value)


def _matches(rule: str, name: str) -> bool:
    try:
        return re.fullmatch(rule, name) is not None
    except re.error:
        return False


def _weight_rule(row: Row, weights: dict[str, str], rule: str, value: Any) -> Iterator[Problem]:
    if rule.isidentifier() and rule not in weights:
        pattern = any(_matches(name, rule) for name in weights)
        if not pattern:
            yield row.problem(
                f"weights: the hub row has no weight {rule!r}; it has {', '.join(weights) or 'none'}", "weights", rule
            )
        return
    texts = [value] if isinstance(value, str) else [value.get("layout")] if isinstance(value, dict) else []
    if not isinstance(value, (str, list)) and not (isinstance(value, dict) and {"drop", "split", "path"} & set(value)):
        yield row.problem(
            f"weights: {rule}: expected a path, {{drop: reason}} or {{split: [paths], axis: 0}}", "weights", rule
        )
    for text in texts:
        match = _PERMUTE.search(text or "")
        if text and "->" in text and (not match or sorted(match[1]) != sorted(match[2])):
            yield row.problem(
                f"weights: {rule}: {text!r} is no permutation such as 'kernel OIHW->HWIO'", "weights", rule
            )
        elif match and weights.get(rule) not in {None, match[1]}:
            yield row.problem(
                f"weights: {rule}: the hub row says {weights[rule]}, this rule starts from {match[1]}", "weights", rule
            )


# --- helpers ------------------------------------------------------------------------------------------------


def _helpers(sources: Sources, spoke: Spoke, used: set[str]) -> Iterator[Problem]:
    imports = sources.imports(spoke)
    base = sources.stack(spoke.name)[1:]
    for file in spoke.files:
        for alias, (statement, line) in file.imports.items():
            if alias not in imports:
                yield Problem(
                    file.path, line, f"import of {alias}: not in imports of snapshots/{spoke.name}/_framework.yaml"
                )
            elif import_target(imports[alias]) != import_target(statement):
                yield Problem(file.path, line, f"{statement!r} differs from {imports[alias]!r} in _framework.yaml")
        for definition in file.definitions:
            yield from _helper(sources, spoke, definition, imports, used)
            other = next((one.helpers[definition.name] for one in base if definition.name in one.helpers), None)
            if other is not None:
                yield Problem(
                    file.path, definition.line, f"helper {definition.name} hides the one at {other.path}:{other.line}"
                )


def _helper(
    sources: Sources, spoke: Spoke, definition: Definition, imports: dict[str, str], used: set[str]
) -> Iterator[Problem]:
    for name in definition.names:
        if (
            name != definition.name
            and name not in imports
            and name not in _BUILTINS
            and sources.helper(spoke, name) is None
        ):
            yield Problem(
                definition.path,
                definition.line,
                f"helper {definition.name}: unknown name {name!r}: no helper, builtin or alias of _framework.yaml",
            )
    if definition.name not in used:
        yield Problem(
            definition.path, definition.line, f"helper {definition.name} is used by no row and no other helper"
        )
    if definition.kind != "constant" and not definition.documented:
        yield Problem(definition.path, definition.line, f"helper {definition.name} has no docstring", "warning")


def _used_helpers(sources: Sources) -> set[str]:
    """Names that a row, another helper, _framework.yaml or the code of a framework or plugin mentions."""
    words: set[str] = set()
    for spoke in sources.spokes.values():
        for rows in spoke.rows.values():
            for row in rows:
                words.update(
                    _words(
                        {
                            key: value
                            for key, value in row.data.items()
                            if key in {"write", "helper", "isinstance", "attributes"}
                        }
                    )
                )
        words.update(_words(spoke.framework))
        for definition in spoke.helpers.values():
            words.update(name for name in definition.names if name != definition.name)
    for folder in ("frameworks", "plugins", "rewrite", "convert", "weights"):
        for path in (_code(sources) / folder).rglob("*.py"):
            words.update(re.findall(r"[\"']([A-Za-z_]\w*)[\"'(]", path.read_text(encoding="utf-8")))
    return words


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from re.findall(r"[A-Za-z_]\w*", value)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _words(one)
    elif isinstance(value, list):
        for one in value:
            yield from _words(one)


def main(arguments: list[str] | None = None) -> int:
    """Prints the findings; exit code 1 when there is an error among them."""
    parser = argparse.ArgumentParser(prog="python -m ml_switcheroo.kb.lint", description="Checks the knowledge base.")
    parser.add_argument("families", nargs="*", help="file names without extension (nn_conv); default: all")
    parser.add_argument("--all", action="store_true", help="show warnings too")
    options = parser.parse_args(arguments)
    top = paths.checkout()
    if top is None:
        print("the knowledge base can be checked in a source checkout only", file=sys.stderr)
        return 2
    found = [one for one in lint(top) if not options.families or Path(one.path).stem in options.families]
    errors = [one for one in found if one.severity == "error"]
    for problem in found if options.all else errors:
        print(problem)
    print(
        f"{len(errors)} errors, {len(found) - len(errors)} warnings" + ("" if options.all else " (--all shows them)"),
        file=sys.stderr,
    )
    return 1 if errors else 0


if __name__ == "__main__":
    raise SystemExit(main())

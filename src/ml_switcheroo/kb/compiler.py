"""Turns rows as written into rows as loaded (plain lists and dictionaries), one row at a time. For the build only.

A row that cannot be compiled raises RowError with the keys of the bad part; `build` leaves it out, `lint` reports it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

from .near import near
from .signature import Entry, parse_signature, show
from .sources import Row, Sources, Spoke
from .types import WRITTEN, TypeTextError, parse_type, split_default

DRAW_WORDS = frozenset(
    {"_shape", "_values", "_dtype", "_exact", "_gradients", "_part", "_then", "_value"}
)  # what holds for all arrays of a drawn call
KINDS = frozenset({"function", "layer", "property", "constant", "type", "inplace"})
EFFECTS = frozenset({"rng", "init", "mode", "state", "mutates", "fills", "uninitialised"})
NEEDS = frozenset({"rngs"})
LADDER = ("emit", "api", "helper", "refuse", "plugin")
HUB_KEYS = frozenset({"doc", "kind", "params", "returns", "call", "weights", "parts", "effects", "draw"})
ROW_KEYS = frozenset(
    {
        "api",
        "args",
        "extra",
        "sig",
        "when",
        "write",
        "helper",
        "plugin",
        "refuse",
        "isinstance",
        "attributes",
        "kept",
        "weights",
        "needs",
        "ignore",
        "concrete",
    }
    | {"layout", "other_layout", "doc"}
)
SAYING = frozenset({"api", "write", "helper", "refuse", "plugin", "isinstance", "attributes", "weights"})
FORM_KEYS = frozenset({"when", "args", *LADDER})
WHEN_FUNCTIONS = frozenset(
    {"given", "literal", "kind", "items", "len", "truth", "floating", "complex", "built", "spread"}
)


class RowError(Exception):
    """A row that cannot be compiled."""

    def __init__(self, message: str, *keys: Any) -> None:
        super().__init__(message)
        self.message = message
        self.keys = keys
        self.row: Row | None = None  # which of several rows, where that is known


@dataclass(slots=True)
class HubRow:
    """A hub row with its parameters parsed."""

    op: str
    kind: str
    params: dict[str, tuple[str, str | None]]
    data: dict[str, Any]

    @property
    def required(self) -> list[str]:
        """Names of the parameters without a default."""
        return [name for name, (_, default) in self.params.items() if default is None]


def _mapping(data: dict[str, Any], key: str) -> dict[str, Any]:
    value = data.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RowError(f"{key}: expected a mapping", key)
    return value


def _texts(data: dict[str, Any], key: str) -> list[str]:
    value = data.get(key)
    many = value if isinstance(value, list) else [] if value is None else [value]
    if not all(isinstance(one, str) for one in many):
        raise RowError(f"{key}: expected a name or a list of names", key)
    return many


def _check_keys(data: dict[str, Any], known: frozenset[str], what: str) -> None:
    for key in data:
        if key not in known:
            raise RowError(f"unknown key {key!r} in a {what}{near(key, known)}; known: {', '.join(sorted(known))}", key)


def hub_row(row: Row) -> HubRow:
    """Parses one hub row."""
    data = row.data
    _check_keys(data, HUB_KEYS, "hub row")
    if not isinstance(data.get("doc", ""), (str, type(None))):
        raise RowError(f"doc: expected one line of text, got {data['doc']!r}", "doc")
    kind = data.get("kind", "function")
    if not isinstance(kind, str) or kind not in KINDS:
        raise RowError(f"unknown kind {kind!r}{near(kind, KINDS)}; known: {', '.join(sorted(KINDS))}", "kind")
    params: dict[str, tuple[str, str | None]] = {}
    for name, text in _mapping(data, "params").items():
        if not name.isidentifier():
            raise RowError(f"parameter name {name!r} is no identifier", "params", name)
        if not isinstance(text, str):
            raise RowError(f"parameter {name}: expected a type text such as 'int = 1', got {text!r}", "params", name)
        type_text, default = split_default(text)
        _check_type(type_text, "params", name)
        if default is not None:
            _check_literal(default, "params", name)
        params[name] = (type_text, default)
    for name, text in _mapping(data, "call").items():
        _check_type(split_default(str(text))[0], "call", name)
    if "returns" in data:
        _check_type(str(data["returns"]), "returns")
    for effect in _texts(data, "effects"):
        if effect not in EFFECTS:
            raise RowError(
                f"unknown effect {effect!r}{near(effect, EFFECTS)}; known: {', '.join(sorted(EFFECTS))}", "effects"
            )
    for name, layout in _mapping(data, "weights").items():
        if not isinstance(layout, (str, int)):
            raise RowError(f"weight {name}: expected a layout text such as OIHW", "weights", name)
    for name, op in _mapping(data, "parts").items():
        if kind != "layer" or not name.isidentifier() or not isinstance(op, str):
            raise RowError(f"part {name}: expected the name of the layer under this attribute", "parts", name)
    _check_draw(data, params)
    return HubRow(row.op, kind, params, data)


def draw_entries(data: dict[str, Any]) -> list[dict[str, str]]:
    """What `draw` says: one mapping or a list of them; a text says why there is nothing to draw."""
    value = data.get("draw") or []
    if isinstance(value, str):
        return []
    many = value if isinstance(value, list) else [value]
    if not all(isinstance(one, dict) for one in many):
        raise RowError("draw: expected a mapping of parameters to types, a list of them, or a reason", "draw")
    return [{str(name): str(text) for name, text in one.items()} for one in many]


def _check_draw(data: dict[str, Any], params: dict[str, tuple[str, str | None]]) -> None:
    known = {*params, *_mapping(data, "call"), *DRAW_WORDS}
    for entry in draw_entries(data):
        for name, text in entry.items():
            if name not in known:
                words = ", ".join(sorted(known - {"returns"}))
                raise RowError(f"draw: unknown parameter {name!r}{near(name, known)}; known: {words}", "draw")
            if text.startswith("="):
                _check_literal(text[1:].strip(), "draw", name)
            elif name not in DRAW_WORDS and not text.startswith(WRITTEN):
                _check_type(text, "draw", name)


def _check_type(text: str, *keys: Any) -> None:
    try:
        parse_type(text)
    except TypeTextError as error:
        raise RowError(f"{keys[-1]}: {error}", *keys) from None


def _check_literal(text: str, *keys: Any) -> None:
    if text in {"float('inf')", "-float('inf')", "float('-inf')", "float('nan')"}:
        return
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError):
        raise RowError(f"parameter {keys[-1]}: default {text!r} is no Python literal", *keys) from None


def pack_hub(hub: HubRow) -> list[Any]:
    """The compiled form of a hub row; the loader turns it into a HubOp."""
    data = hub.data
    call = {name: str(text) for name, text in _mapping(data, "call").items()}
    weights = {name: str(layout) for name, layout in _mapping(data, "weights").items()}
    params = [[name, kind, default] for name, (kind, default) in hub.params.items()]
    return [
        hub.kind,
        params,
        str(data.get("returns", "any")),
        call,
        weights,
        _texts(data, "effects"),
        str(data.get("doc") or ""),
        _mapping(data, "parts"),
        draw_entries(data),
        data["draw"] if isinstance(data.get("draw"), str) else "",
    ]


# --- reading ----------------------------------------------------------------------------------------------


def receiver_prefix(sources: Sources, spoke: Spoke) -> str:
    """Names that start so are methods and properties of a tensor."""
    tensor = next(
        (one.framework.get("tensor") for one in sources.stack(spoke.name) if one.framework.get("tensor")), None
    )
    return f"{tensor}." if tensor else "\0"


def is_method(sources: Sources, spoke: Spoke, api: str) -> bool:
    """Whether the first hub parameter is the receiver of this api."""
    known = sources.lookup(spoke, api)
    return api.startswith(receiver_prefix(sources, spoke)) or (
        known is not None and known.kind in {"method", "property"}
    )


def read_apis(row: Row) -> list[str]:
    """The names that a spoke row claims."""
    names = _texts(row.data, "api")
    for name in names:
        if not all(part.isidentifier() for part in name.split(".")):
            raise RowError(f"api: {name!r} is no public name such as torch.nn.functional.relu", "api")
    return names


def _check_row(row: Row) -> None:
    """Whether the keys of a spoke row are known, and whether it says anything."""
    _check_keys(row.data, ROW_KEYS, "row")
    if not any(row.data.get(key) not in (None, [], {}) for key in SAYING):
        raise RowError("the row says nothing: expected api (a name) or one of write, helper, refuse, plugin")


def pack_read(sources: Sources, spoke: Spoke, row: Row, hub: HubRow, api: str) -> list[Any]:
    """The compiled form of one claimed name: `[op, api, signatures, args, extra, when]`."""
    _check_row(row)
    args, extra = _mapping(row.data, "args"), _mapping(row.data, "extra")
    for name, target in args.items():
        if not isinstance(target, str) or target not in hub.params:
            raise RowError(
                f"args: {name}: {hub.op} has no parameter {target!r}{near(target, hub.params)};"
                f" it has {', '.join(hub.params) or 'none'}",
                "args",
                name,
            )
    for name, action in extra.items():
        if action != "drop" and not (
            isinstance(action, str) and action.startswith(("refuse", "only ", "sets ", "new array"))
        ):
            expected = (
                "drop, 'refuse: reason', 'only VALUE', 'new array: reason' or 'sets PARAMETER: VALUE = VALUE, ...'"
            )
            raise RowError(f"extra: {name}: expected {expected}, got {action!r}", "extra", name)
        if isinstance(action, str) and action.startswith("sets "):
            _check_settings(action, hub, name)
        if isinstance(action, str) and action.startswith("only "):
            _check_expression(action.removeprefix("only "), "extra", name)
    when = row.data.get("when")
    if when is not None:
        _check_when(str(when), {*hub.params, *args, *extra}, "when")
    signatures = row_signatures(sources, spoke, row, hub, api)
    return [hub.op, api, signatures, args, extra, None if when is None else str(when)]


def row_signatures(sources: Sources, spoke: Spoke, row: Row, hub: HubRow, api: str) -> list[list[Entry]]:
    """The signatures with which a name can mean this op, without the receiver for methods of a tensor."""
    method = is_method(sources, spoke, api)
    known = sources.lookup(spoke, api)
    if known is not None and known.kind in {"property", "constant", "module"}:
        return []
    args = _mapping(row.data, "args")
    if (
        known is not None
        and not hub.params
        and hub.kind in {"type", "constant", "property"}
        and row.data.get("sig") is None
    ):
        return []
    if row.data.get("sig") is not None:
        signature = _sig(row.data["sig"])
        if method and signature and hub.params:
            first = str(signature[0][0])
            if signature[0][1] in {"po", "pk"} and args.get(first, first) == next(iter(hub.params)):
                signature = signature[1:]
        candidates = [signature]
    elif known is None:
        return _unknown_api(sources, spoke, api)
    else:
        candidates = sources.api_signatures(spoke, api)
        if not candidates:
            raise RowError(f"{api}: api.json has no signature for it: state one with sig:", "api")
    fitting, reasons = [], []
    for signature in candidates:
        reason = misfit(row, hub, signature, method)
        if reason is None and signature not in fitting:
            fitting.append(signature)
        elif reason is not None:
            reasons.append(f"{show(signature)}: {reason}")
    if not fitting:
        raise RowError(f"{api}: no signature fits: " + "; ".join(reasons), "api")
    return fitting


def _sig(text: Any) -> list[Entry]:
    try:
        return parse_signature(str(text))
    except SyntaxError:
        raise RowError(f"sig: {text!r} is no signature such as (x, dim=-1)", "sig") from None


def _unknown_api(sources: Sources, spoke: Spoke, api: str) -> list[list[Entry]]:
    """A name that api.json lacks: unknown under the framework's own packages; elsewhere (einops) it needs a sig."""
    roots = {root for one in sources.stack(spoke.name) for root in one.framework.get("roots") or [one.name]}
    if api.split(".")[0] in roots:
        raise RowError(f"{api}: unknown name{_near(sources, spoke, api)} (not in api.json)", "api")
    raise RowError(f"{api}: not a name of {spoke.name}: state its signature with sig:", "api")


def _near(sources: Sources, spoke: Spoke, api: str) -> str:
    return near(api, [name for one in sources.stack(spoke.name) for name in one.api], 0.8)


def misfit(row: Row, hub: HubRow, signature: list[Entry], method: bool) -> str | None:
    """Why no call with this signature can mean the op; None when one can."""
    args, extra = _mapping(row.data, "args"), _mapping(row.data, "extra")
    covered = {next(iter(hub.params))} if method and hub.params else set()
    for name, kind, default in signature:
        target = args.get(str(name), name if name in hub.params else None)
        if target is not None:
            covered.add(str(target))
        elif name not in extra and default is None and kind in {"po", "pk", "ko"}:
            return f"{name!r} is no parameter of {hub.op}: map it in args or name it in extra"
    missing = [name for name in hub.required if name not in covered]
    return f"gives no {', '.join(missing)}" if missing else None


# --- writing ----------------------------------------------------------------------------------------------


def pack_write(sources: Sources, spoke: Spoke, rows: list[Row], hub: HubRow) -> dict[str, Any] | None:
    """The compiled form of the rows of one op as a target; None when they only read."""
    forms: list[dict[str, Any]] = []
    merged: dict[str, Any] = {}
    for row in rows:
        try:
            forms += row_forms(sources, spoke, row, hub)
        except RowError as error:
            error.row = row
            raise
        for key in ("helper", "isinstance", "attributes", "weights", "kept", "needs", "ignore", "concrete"):
            if row.data.get(key) is not None:
                merged.setdefault(key, row.data[key])
    if not forms and not merged:
        return None
    packed: dict[str, Any] = {"forms": forms}
    if "helper" in merged:
        packed["helper"] = merged["helper"]
    if "isinstance" in merged:
        packed["isinstance"] = merged["isinstance"]
    for key in ("attributes", "weights"):
        if merged.get(key):
            packed[key] = _mapping(merged, key)
    if merged.get("needs"):
        packed["needs"] = _texts(merged, "needs")
        for need in packed["needs"]:
            if need not in NEEDS:
                raise RowError(f"unknown need {need!r}; known: {', '.join(sorted(NEEDS))}", "needs")
    if merged.get("kept"):
        packed["kept"] = _texts(merged, "kept")
    if merged.get("ignore"):
        packed["ignore"] = _texts(merged, "ignore")
    if merged.get("concrete"):
        packed["concrete"] = _concrete(merged, hub)
    return packed


def _concrete(data: dict[str, Any], hub: HubRow) -> dict[str, str | None]:
    """Arguments whose values a target needs to see, each with the condition under which it does."""
    told = data["concrete"]
    found = dict(told) if isinstance(told, dict) else dict.fromkeys(_texts(data, "concrete"))
    for name, condition in found.items():
        if name not in hub.params:
            raise RowError(f"concrete: {hub.op} has no parameter {name!r}", "concrete")
        if condition is not None:
            _check_when(str(condition), set(hub.params), "concrete", name)
    return found


def row_forms(sources: Sources, spoke: Spoke, row: Row, hub: HubRow) -> list[dict[str, Any]]:
    """The forms of one row, in order; the lowest rung stated wins, and a helper beside `write` is the last resort."""
    _check_row(row)
    data = row.data
    found: list[dict[str, Any]] = []
    if data.get("write") == []:
        raise RowError("write: expected a text or a list of forms, got nothing", "write")
    if data.get("write") is not None:
        written = data["write"] if isinstance(data["write"], list) else [data["write"]]
        for index, one in enumerate(written):
            keys = ("write", index) if isinstance(data["write"], list) else ("write",)
            found.append(_form(sources, spoke, hub, {"emit": one} if isinstance(one, str) else one, keys))
        last = found[-1]
        if data.get("helper") is not None and ("when" in last or ("refuse" not in last and "helper" not in last)):
            found.append(_form(sources, spoke, hub, {"helper": data["helper"]}, ("helper",)))
        return [_ignoring(hub, form, _texts(data, "ignore")) for form in found]
    for rung in ("plugin", "refuse", "helper"):
        if data.get(rung) is not None:
            form = _form(
                sources, spoke, hub, {rung: data[rung], "args": data.get("args") if rung == "helper" else None}, (rung,)
            )
            return [_ignoring(hub, form, _texts(data, "ignore"))]
    for api in read_apis(row)[:1]:
        form = _form(
            sources,
            spoke,
            hub,
            {"api": api, "args": data.get("args") or {}},
            ("api",),
            sig=data.get("sig"),
            extra=data.get("extra"),
        )
        if data.get("when") is not None:
            form["when"] = str(data["when"])
        found.append(form)
    return found


def _ignoring(hub: HubRow, form: dict[str, Any], ignored: list[str]) -> dict[str, Any]:
    for name in ignored:
        if name not in hub.params:
            raise RowError(f"ignore: {hub.op} has no parameter {name!r}", "ignore")
    return {**form, "covers": [name for name in hub.params if name in form["covers"] or name in ignored]}


def _form(
    sources: Sources, spoke: Spoke, hub: HubRow, data: Any, keys: tuple[Any, ...], sig: Any = None, extra: Any = None
) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise RowError("a form is a text or a mapping with one of emit, api, helper, refuse, plugin", *keys)
    for key in data:
        if key not in FORM_KEYS:
            raise RowError(
                f"unknown key {key!r} in a form{near(key, FORM_KEYS)}; known: {', '.join(sorted(FORM_KEYS))}",
                *keys,
                key,
            )
    rungs = [rung for rung in LADDER if data.get(rung) is not None]
    if len(rungs) != 1:
        raise RowError(
            f"a form needs exactly one of {', '.join(LADDER)}; this one has {', '.join(rungs) or 'none'}", *keys
        )
    form: dict[str, Any] = {}
    if data.get("when") is not None:
        form["when"] = str(data["when"])
        _check_when(form["when"], set(hub.params), *keys, "when")
    rung = rungs[0]
    text = data[rung]
    if not isinstance(text, str):
        raise RowError(f"{rung}: expected a text, got {text!r}", *keys, rung)
    form[rung] = text
    args = _mapping(data, "args")
    if args:
        form["args"] = args
    for name, target in args.items():
        if not isinstance(target, str) or target not in hub.params:
            raise RowError(
                f"args: {name}: {hub.op} has no parameter {target!r}{near(target, hub.params)};"
                f" it has {', '.join(hub.params) or 'none'}",
                *(keys if keys[0] == "write" else ()),
                "args",
                name,
            )
    used = _names(form["when"]) & set(hub.params) if "when" in form else set()
    if rung == "emit":
        tree = _check_expression(text, *keys, *(("emit",) if keys[-1:] != ("write",) else ()))
        used |= {part.id for part in ast.walk(tree) if isinstance(part, ast.Name)} & set(hub.params)
    elif rung in {"api", "helper"}:
        signature = _form_signature(sources, spoke, hub, rung, text, keys, sig, args, extra)
        if signature is not None:
            form["signature"] = signature
            targets = {args.get(str(name), name) for name, _, _ in signature}
            used |= {str(name) for name in targets if name in hub.params}
        if rung == "api" and is_method(sources, spoke, text):
            used |= set(list(hub.params)[:1])
    else:
        used |= set(hub.params)
    form["covers"] = [name for name in hub.params if name in used]
    return form


def _form_signature(
    sources: Sources,
    spoke: Spoke,
    hub: HubRow,
    rung: str,
    name: str,
    keys: tuple[Any, ...],
    sig: Any,
    args: dict[str, Any],
    extra: Any,
) -> list[Entry] | None:
    if rung == "helper":
        definition = sources.helper(spoke, name)
        if definition is None:
            raise RowError(
                f"helper {name!r} is defined in no helpers/*.py of "
                + " or ".join(one.name for one in sources.stack(spoke.name))
                + near(name, [known for one in sources.stack(spoke.name) for known in one.helpers]),
                *keys,
            )
        return sources.helper_signature(spoke, definition)
    if sig is not None:
        return _sig(sig)
    known = sources.lookup(spoke, name)
    if known is None:
        _unknown_api(sources, spoke, name)
        return None
    if known.kind in {"property", "constant", "module"}:
        return None
    method = is_method(sources, spoke, name)
    row = Row(hub.op, {"args": args, "extra": extra or {}}, None, ())  # type: ignore[arg-type]
    candidates = sources.api_signatures(spoke, name)
    fitting = [signature for signature in candidates if misfit(row, hub, signature, method) is None]
    if not fitting and hub.kind not in {"constant", "type", "property"} and candidates:
        reasons = "; ".join(f"{show(signature)}: {misfit(row, hub, signature, method)}" for signature in candidates)
        raise RowError(f"{name}: no signature fits: {reasons}", *keys)

    def coverage(signature: list[Entry]) -> int:
        return len({args.get(str(one), one) for one, _, _ in signature} & set(hub.params))

    return max(fitting, key=coverage) if fitting else None


def _check_expression(text: str, *keys: Any) -> ast.expr:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise RowError(f"{text!r} is no Python expression: {error.msg}", *keys) from None


def _check_settings(action: str, hub: HubRow, name: str) -> None:
    """`sets reduction: True = 'mean', False = 'sum'`."""
    parameter, _, pairs = action.removeprefix("sets ").partition(":")
    if parameter.strip() not in hub.params:
        raise RowError(
            f"extra: {name}: {hub.op} has no parameter {parameter!r}{near(parameter, hub.params)}", "extra", name
        )
    for pair in pairs.split(","):
        for text in pair.split("=", 1):
            try:
                ast.literal_eval(text.strip())
            except (ValueError, SyntaxError):
                raise RowError(f"extra: {name}: {text.strip()!r} is no literal", "extra", name) from None


def _names(text: str) -> set[str]:
    return {part.id for part in ast.walk(ast.parse(text.strip(), mode="eval")) if isinstance(part, ast.Name)}


def _check_when(text: str, known: set[str], *keys: Any) -> None:
    _check_expression(text, *keys)
    for name in sorted(_names(text) - known - WHEN_FUNCTIONS):
        raise RowError(f"when: unknown name {name!r} in {text!r}; known: {', '.join(sorted(known))}", *keys)

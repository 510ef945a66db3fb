"""From a hub op to a target expression: the first form of the target's row that holds, with the call's arguments.

softmax(x=scores, dim=-1)   ->   jax.nn.softmax(scores, axis=-1)
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import libcst as cst

from ml_switcheroo.kb.model import ApiParam, Form, HubOp, Signature, WriteRow

from .base import Bound, CallArg, Emission, KnowledgeBase, Misfit, OpCall, Place
from .conditions import ConditionError, Facts, holds
from .conditions import names as condition_names
from .keywords import seen_keys
from .layout import lay_out, lost_comments, spread
from .literals import literal, parse_value, same, same_text, spell
from .precedence import EXPRESSION, OBJECT, dotted_node, fit
from .template import Hole, UnfitError, element_origins, fill, unpacked
from .template import names as template_names

__all__ = ["Emission", "Misfit", "Place", "emit", "emit_helper_call", "literal"]


class _NoRngsError(Exception):
    """The form draws random numbers, and there is no random stream here."""


def emit(kb: KnowledgeBase, call: OpCall, place: Place) -> Emission | Misfit:
    """The target expression for a hub call."""
    row = kb.write(call.op.name)
    if row is None:
        return without_row(kb, call.op, call.row.api)
    try:
        return _Emitter(kb, call, place, row).emit()
    except _NoRngsError:
        return Misfit(
            "SW4001", f"{call.row.api} needs random numbers, and there is no random stream here", _HINTS["SW4001"]
        )


def emit_helper_call(kb: KnowledgeBase, call: OpCall, place: Place, name: str = "") -> Emission | Misfit:
    """The call through a helper (the op's own, or that of a name), whose signature is the source's."""
    row = kb.write(call.op.name)
    helper = name or (row.helper if row is not None else None)
    if row is None or helper is None:
        return Misfit("SW2001", f"{call.row.api} has no helper class in the target's knowledge base", _HINTS["SW2001"])
    emitter = _Emitter(kb, call, place, row)
    try:
        return emitter.finish(emitter.layer_helper(helper))
    except _NoRngsError:
        return Misfit(
            "SW4001", f"{call.row.api} needs random numbers, and there is no random stream here", _HINTS["SW4001"]
        )
    except UnfitError as reason:
        return emitter.nothing_fits([str(reason)])


def without_row(kb: KnowledgeBase, op: HubOp, api: str) -> Misfit:
    """Why an op cannot be written: the target has nothing of its kind, or just no row for it yet."""
    words = [op.kind, op.returns, *(param.type for param in op.params.values())]
    lacks = kb.target_framework.get("lacks") or {}
    reason = next((lacks[word] for word in words if word in lacks), None)
    if reason is None:
        return Misfit("SW2001", f"{api} has no counterpart in the target's knowledge base", _HINTS["SW2001"])
    what, _, hint = reason.partition(": ")
    return Misfit("SW2003", f"{api}: {what}", hint or _HINTS["SW2003"])


_HINTS = {
    "SW2001": "add a row to the target's spoke, or rewrite the line with operations that have one",
    "SW2002": "leave the argument out, or do its work in a line of its own",
    "SW2003": "rewrite the line with operations that have a counterpart",
    "SW2005": "write the arguments out at the call",
    "SW4001": "draw in a method of a module, or pass a random stream to the function",
}


@dataclass(slots=True)
class _Emitter:
    kb: KnowledgeBase
    call: OpCall
    place: Place
    row: WriteRow
    settled: set[str] = field(default_factory=set)  # arguments whose value a condition has looked at
    undecided: set[str] = field(default_factory=set)  # arguments on which a condition hangs that is not known

    def emit(self) -> Emission | Misfit:
        reasons: list[str] = []
        if self.call.op.kind == "type" and not self.row.forms and not self.call.args and self.row.helper is not None:
            return Emission(cst.Name(self.row.helper), frozenset(), frozenset({self.row.helper}))
        for duplicate in (False, True):
            self.settled.clear()
            for form in self.row.forms:
                verdict = holds(form.when, self.facts)
                mentioned = condition_names(form.when) if form.when else frozenset()
                if not verdict:
                    (self.undecided if verdict is None else self.settled).update(mentioned)
                    continue
                try:
                    return self.finish(self.form(form, mentioned, duplicate))
                except UnfitError as reason:
                    reasons.append(str(reason))
            if self.row.helper is not None:
                try:
                    return self.finish(self.layer_helper(self.row.helper))
                except UnfitError as reason:
                    reasons.append(str(reason))
        return self.nothing_fits(reasons)

    @property
    def facts(self) -> Facts:
        return Facts(self.kb, self.call)

    def finish(self, result: Emission | Misfit) -> Emission | Misfit:
        """Carries the parentheses of the source call over, and tells which of its comments found no place."""
        source = self.call.source
        if isinstance(result, Misfit) or source is None:
            return result
        if source.lpar:
            result = replace(result, node=result.node.with_changes(lpar=source.lpar, rpar=source.rpar))
        return replace(result, lost=lost_comments(source, result.node)) if spread(source) else result

    def nothing_fits(self, reasons: list[str]) -> Misfit:
        name = self.call.row.api
        if self.call.rest:
            index, arg = self.call.rest[0]
            return Misfit("SW2005", f"{arg.star}arguments of {name} hide what is passed", _HINTS["SW2005"], index)
        if reasons:
            return Misfit("SW2002", f"{name} cannot be converted here: {reasons[0]}", _HINTS["SW2002"])
        if self.undecided:
            listed = ", ".join(sorted(self.undecided))
            hint = "write the value out at the call"
            bound = next((self.call.args[n] for n in sorted(self.undecided) if n in self.call.args), None)
            problem = f"what {name} means in the target depends on {listed}, which is not a literal here"
            return Misfit("SW2002", problem, hint, None if bound is None else bound.index)
        return Misfit("SW2001", f"no form of {name} is known in the target for these arguments", _HINTS["SW2001"])

    # --- forms

    def form(self, form: Form, mentioned: frozenset[str], duplicate: bool) -> Emission | Misfit:
        if form.refuse is not None:
            return Misfit("SW2003", f"{self.call.row.api}: {form.refuse}", _HINTS["SW2003"])
        if form.plugin is not None:
            plugin = self.place.plugins.get(form.plugin)
            if plugin is None:
                return Misfit(
                    "SW9001", f"the plugin {form.plugin} does not exist", "this is a bug of the knowledge base"
                )
            return plugin(self.kb, self.call, self.place)
        if form.emit is not None:
            return self.text(form.emit, mentioned, duplicate)
        if form.helper is not None:
            signature = form.signature or self.kb.target_signature(form.helper) or self.hub_signature()
            built = self.plain_call(cst.Name(form.helper), signature, form.args, mentioned)
            return Emission(built, frozenset(), frozenset({form.helper}))
        assert form.api is not None
        return self.api(form.api, form, mentioned)

    def api(self, api: str, form: Form, mentioned: frozenset[str]) -> Emission:
        """A public name of the target: read, called, or called as a method of its tensors."""
        kind = self.call.op.kind
        owners = (self.kb.target_framework.get("tensor"), self.kb.target_framework.get("module_base"))
        if api.rpartition(".")[0] in owners:
            receiver = form.args.get("self", next(iter(self.call.op.params), ""))
            bound = self.call.args.get(receiver)
            if bound is None:
                raise UnfitError(f"{receiver} is needed in the target and has no value here")
            attribute = cst.Attribute(fit(bound.node, OBJECT), cst.Name(api.rpartition(".")[2]))
            if kind == "property":
                return Emission(attribute)
            signature = form.signature or self.hub_signature(form.args)
            return Emission(self.plain_call(attribute, signature, form.args, mentioned, receiver))
        name = spell_api(self.kb, api)
        imports = frozenset({name.split(".")[0]})
        if kind in ("constant", "property", "type") and not self.call.args:
            return Emission(dotted_node(name), imports)
        signature = form.signature or self.kb.target_signature(name) or self.hub_signature(form.args)
        return Emission(self.plain_call(dotted_node(name), signature, form.args, mentioned), imports)

    def layer_helper(self, name: str) -> Emission:
        signature = self.kb.target_signature(name) or self.hub_signature()
        built = self.plain_call(cst.Name(name), signature, {}, frozenset())
        return Emission(built, frozenset(), frozenset({name}))

    def hub_signature(self, names: dict[str, str] | None = None) -> Signature:
        """Where no signature is known, the target's call is taken to have the hub's parameters in their order."""
        targets = {hub: api for api, hub in (names or {}).items()}
        params = [
            ApiParam(targets.get(p.name, p.name), "pk", None if names else p.default)
            for p in self.call.op.params.values()
        ]
        if "rngs" in self.row.needs:
            params.append(ApiParam(self.stream, "ko"))
        return tuple(params)

    def draws(self) -> bool:
        """Whether the op may draw random numbers, when built or when called. Its layers may take a stream all the same,
        so that any class value can be called alike; a direct construction leaves it out."""
        return "rngs" in self.row.needs or bool({"init", "rng"} & set(self.call.op.effects))

    @property
    def stream(self) -> str:
        """The name by which texts and helpers of the target know the random stream."""
        return str(self.kb.target_framework.get("stream", "rngs"))

    def rngs(self) -> cst.BaseExpression:
        if self.place.rngs is None:
            raise _NoRngsError
        return self.place.rngs.deep_clone()

    # --- a text with holes

    def text(self, text: str, mentioned: frozenset[str], duplicate: bool) -> Emission:
        text, star = self.without_rest(text)
        holes: dict[str, Hole] = {}
        for name in self.call.op.params:
            bound = self.call.args.get(name)
            default = self.call.default(name)
            if bound is not None:
                holes[name] = Hole(bound.node, bound.index, bound.spread)
            elif default is not None:
                holes[name] = Hole(spell(default))
        if self.stream in template_names(text) and self.stream not in holes and self.place.rngs is not None:
            holes[self.stream] = Hole(self.place.rngs.deep_clone())
        filled = fill(text, holes, self.kb.target_signature, self.decide, duplicate)
        if self.stream in filled.free:
            raise _NoRngsError
        missing = sorted(filled.free & self.call.op.params.keys())
        if missing:
            raise UnfitError(f"{missing[0]} is needed in the target and has no value here")
        self.check_ignored(filled.used | mentioned)
        node, origins = filled.node, filled.origins
        built = isinstance(node, cst.Call) and len(node.args) == len(origins)  # else it is an argument itself
        if isinstance(node, cst.Call) and star is not None:
            node, origins = node.with_changes(args=[*node.args, star[0]]), (*origins, star[1])
        if isinstance(node, cst.Call) and built and not node.lpar:
            node = lay_out(node, origins, self.call.source)
        helpers = frozenset(name for name in filled.free if self.kb.helper(name) is not None)
        return Emission(node, filled.free - helpers, helpers)

    def without_rest(self, text: str) -> tuple[str, tuple[cst.Arg, int | None] | None]:
        """`jnp.swapaxes(x, dim0, dim1)` as `jnp.swapaxes(x)` and `*axes`, which holds the rest in its order."""
        if not self.call.rest:
            return text, None
        node, (index, arg) = cst.parse_expression(text), self.call.rest[0]
        hidden = [self.call.row.args.get(p.name, p.name) for p in self.call.open if p.kind != "ko"]
        given = [p.default is None for p in self.call.open if p.kind != "ko"]
        if arg.star != "*" or len(self.call.rest) > 1 or not isinstance(node, cst.Call) or not all(given):
            raise UnfitError("star arguments hide what is passed")
        kept, last = node.args[: -len(hidden) or None], node.args[len(node.args) - len(hidden) :]
        if [None if a.keyword or not isinstance(a.value, cst.Name) else a.value.value for a in last] != hidden:
            raise UnfitError("star arguments hide what is passed")
        plain = node.with_changes(
            args=[*kept[:-1], *(a.with_changes(comma=cst.MaybeSentinel.DEFAULT) for a in kept[-1:])]
        )
        return cst.Module([]).code_for_node(plain), (_star_arg(arg), index)

    def decide(self, test: str) -> bool | None:
        """Whether a test in a template is known to hold."""
        try:
            return holds(test, self.facts)
        except ConditionError:
            return None

    def check_ignored(self, used: frozenset[str] | set[str]) -> None:
        """A form may only leave out arguments that say what holds anyway or that a condition has looked at."""
        for name, bound in self.call.args.items():
            if name in used or name in self.settled or name in self.row.ignore:
                continue
            known, value = literal(bound.node)
            default = self.call.op.params[name].default
            if known and default is not None and same(value, parse_value(default)[1]):
                continue
            raise UnfitError(f"the argument {name} has no counterpart in this form")
        for name, text in self.call.defaults.items():
            if name not in used | self.settled | set(self.row.ignore) and not same_text(
                text, self.call.op.params[name].default
            ):
                raise UnfitError(f"{name}={text}, the default of the source, has no counterpart in this form")

    # --- a plain call, in the style of the source call

    def plain_call(
        self,
        func: cst.BaseExpression,
        signature: Signature,
        names: dict[str, str],
        mentioned: frozenset[str],
        receiver: str | None = None,
    ) -> cst.Call:
        caller = _PlainCall(self, signature, names, receiver)
        caller.collect()
        self.check_ignored({*caller.by_hub, *mentioned, *([receiver] if receiver else [])})
        args, origins = caller.arguments()
        return lay_out(cst.Call(func=func, args=args), origins, self.call.source)


@dataclass(slots=True)
class _PlainCall:
    """The arguments of an api or helper call: positional as in the source while the orders agree, else by name."""

    emitter: _Emitter
    signature: Signature
    names: dict[str, str]
    receiver: str | None  # the hub parameter that stands before the dot
    by_hub: dict[str, ApiParam] = field(default_factory=dict)
    positional: list[tuple[cst.Arg, int | None]] = field(default_factory=list)
    keywords: list[tuple[cst.Arg, int | None]] = field(default_factory=list)
    order: list[str] = field(default_factory=list)

    def collect(self) -> None:
        params = self.emitter.call.op.params
        for param in self.signature:
            hub = self.names.get(param.name, param.name)
            if hub in params and hub != self.receiver and param.kind != "vk":
                self.by_hub[hub] = param
        of_call = [
            p for p in self.signature if self.receiver is None or self.names.get(p.name, p.name) != self.receiver
        ]
        self.signature = tuple(param for param in of_call if not (self.receiver and param.name == "self"))
        self.order = [param.name for param in self.signature if param.kind in ("po", "pk")]

    def arguments(self) -> tuple[list[cst.Arg], list[int | None]]:
        call = self.emitter.call
        needs_position = self._positional_only()
        for hub, bound in call.args.items():
            param = self.by_hub.get(hub)
            if param is None:
                continue
            if param.kind == "va":
                self._spread(param, bound)
            elif (
                param.kind != "ko"
                and (bound.positional or param.name in needs_position or self._leads(param, hub))
                and self._is_next(param, needs_position)
            ):
                self._add_position(bound.node, bound.index)
            elif param.kind == "po":
                raise UnfitError(f"{param.name} cannot be passed by position here")
            else:
                self._add_keyword(param.name, bound.node, bound.index)
        for index, arg in call.keywords:
            if not any(param.kind == "vk" for param in self.signature):
                raise UnfitError(f"the argument {arg.keyword} has no counterpart in this form")
            self._add_keyword(str(arg.keyword), arg.node, index)
        stars = self._stars()
        self._left_out()
        self._own_needs()
        pairs = [*self.positional, *stars["*"], *self.keywords, *stars["**"]]
        return [arg for arg, _ in pairs], [origin for _, origin in pairs]

    def _leads(self, param: ApiParam, hub: str) -> bool:
        """What an operation is about needs no name: frameworks call it otherwise, and not always as they say."""
        first = hub == next(iter(self.emitter.call.op.params)) and param.name != hub
        return first and not self.positional and not self.receiver

    def _positional_only(self) -> set[str]:
        return {param.name for param in self.signature if param.kind == "po"}

    def _is_next(self, param: ApiParam, needs_position: set[str]) -> bool:
        """Whether the next free position is this parameter's; defaults fill positions where all else fails."""
        if self.keywords and param.name not in needs_position:
            return False
        while len(self.positional) < len(self.order) and self.order[len(self.positional)] != param.name:
            skipped = self.order[len(self.positional)]
            if param.name not in needs_position or self.order.index(param.name) < len(self.positional):
                return False
            self._fill_position(skipped)
        return len(self.positional) < len(self.order)

    def _fill_position(self, name: str) -> None:
        hub = self.names.get(name, name)
        bound = self.emitter.call.args.get(hub)
        default = self.emitter.call.default(hub)
        if bound is not None:
            raise UnfitError(f"{name} stands in another place in the target")
        if default is None:
            raise UnfitError(f"{name} is needed in the target and has no value here")
        self._add_position(spell(default), None)

    def _spread(self, param: ApiParam, bound: Bound) -> None:
        """`*args` of the target: the elements of a tuple that is written out, else the whole with a star."""
        if self.order[len(self.positional) :]:
            raise UnfitError(f"{param.name} cannot be reached by position")
        if isinstance(bound.node, (cst.Tuple, cst.List)):
            elements = bound.node.elements
            origins = element_origins(len(elements), bound.index, bound.spread)
            self.positional += [(unpacked(element), at) for element, at in zip(elements, origins, strict=True)]
        else:
            self.positional.append((cst.Arg(fit(bound.node, EXPRESSION, True), star="*"), bound.index))

    def _add_position(self, node: cst.BaseExpression, origin: int | None) -> None:
        self.positional.append((cst.Arg(fit(node, EXPRESSION, True)), origin))

    def _add_keyword(self, name: str, node: cst.BaseExpression, origin: int | None) -> None:
        equal = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
        self.keywords.append((cst.Arg(fit(node, EXPRESSION, True), keyword=cst.Name(name), equal=equal), origin))

    def _left_out(self) -> None:
        """What the source call left out is written where the target's default is another."""
        call = self.emitter.call
        may_come = {call.row.args.get(param.name, param.name) for param in call.open}
        for hub, param in self.by_hub.items():
            if hub in call.args or hub in may_come or param.kind == "va":
                continue
            default = call.default(hub)
            if default is None:
                if param.default is None:
                    raise UnfitError(f"{param.name} is needed in the target and has no value here")
            elif not same_text(default, param.default) and default.strip() != (param.default or "").strip():
                if param.kind == "po":
                    self._fill_position(param.name)
                else:
                    self._add_keyword(param.name, spell(default), None)

    def _own_needs(self) -> None:
        """Parameters that only the target has: the random stream, or nothing that lacks a default."""
        known = {param.name for param in self.by_hub.values()}
        for param in self.signature:
            if param.name in known or param.kind in ("va", "vk"):
                continue
            if param.name == self.emitter.stream:
                if param.default is None or self.emitter.draws():
                    self._add_keyword(param.name, self.emitter.rngs(), None)
            elif param.default is None:
                raise UnfitError(f"the target needs {param.name}")

    def _stars(self) -> dict[str, list[tuple[cst.Arg, int | None]]]:
        """`*args` and `**kwargs` go through where all that they may hold has the same name and place in the target."""
        call = self.emitter.call
        found: dict[str, list[tuple[cst.Arg, int | None]]] = {"*": [], "**": []}
        for index, arg in call.rest:
            for place, param in enumerate(call.open):
                target = self.by_hub.get(call.row.args.get(param.name, param.name))
                if target is None:
                    if arg.star == "**" and any(own.name == param.name for own in self.signature):
                        continue  # a helper has the source's parameters, also those that the hub does not know
                    if param.name not in seen_keys(arg.values):
                        continue  # should it come all the same, the target will say that it has no such parameter
                    raise UnfitError(f"{arg.star} may hold {param.name}, which the target lacks")
                if arg.star == "**" and target.name != param.name:
                    raise UnfitError(f"{arg.star} may hold {param.name}, which has another name in the target")
                if arg.star == "*" and self.order[len(self.positional) + place : len(self.positional) + place + 1] != [
                    target.name
                ]:
                    raise UnfitError(f"{arg.star} may hold {param.name}, which has another place in the target")
                if not same_text(param.default, target.default) and param.default != target.default:
                    raise UnfitError(f"{arg.star} may leave out {param.name}, whose default differs in the target")
            found[arg.star].append((_star_arg(arg), index))
        return found


def _star_arg(arg: CallArg) -> cst.Arg:
    value = fit(arg.node, EXPRESSION, True)
    return cst.Arg(value, star="**") if arg.star == "**" else cst.Arg(value, star="*")


# --- names of the target


def spell_api(kb: KnowledgeBase, api: str) -> str:
    """A full name as the output writes it: `jax.numpy.sum` -> `jnp.sum`."""
    best, spelled = "", api
    for alias, statement in kb.imports().items():
        words = statement.split()
        module = ".".join(words[i] for i in (1, 3) if i < len(words) and words[i - 1] in ("from", "import"))
        if f"{api}.".startswith(f"{module}.") and len(module) > len(best):
            best, spelled = module, alias + api[len(module) :]
    return spelled

"""Finds the training steps of a block: which statements make the loss, of which module, and what is read of them later.

    optimizer.zero_grad(); loss = criterion(model(x), y); loss.backward(); optimizer.step()

What is not certain is refused with its reason: a gradient that misses a part would be wrong without anyone noticing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.model import MODULE_CONTAINERS, modules_of
from ..analysis.nodes import children, walk
from ..analysis.values import UNKNOWN, Api, Container, FunctionRef, Instance, Layer, Scalar, Tensor, Values
from .flow import NEITHER, READ, WRITTEN, Block, Names, Scope, first_use, root

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..analysis.model import ClassInfo, FunctionInfo
    from .trained import Trained

TRAINED = frozenset({"init"})  # effects of the layers that have trained arrays
STATEFUL = frozenset({"init", "rng", "state"})  # and of those that change when they are called


@dataclass
class Step:
    """One training step, understood."""

    backward: cst.CSTNode  # the statement of the backward pass
    step: cst.CSTNode
    loss: cst.BaseExpression
    model: cst.BaseExpression  # what is trained
    parameter: str  # its name in the loss function
    inside: list[cst.CSTNode]  # the statements that become the loss function
    after: list[cst.CSTNode]  # those among them that come after it
    inputs: list[str]  # names that it binds after reading them
    outputs: list[str]  # names that are read later
    others: list[cst.BaseExpression]  # further modules that take part
    keeps_loss: bool  # is the loss read later?
    clips: list[cst.Call] = field(default_factory=list)
    optimizer: cst.BaseExpression | None = None


class RefusedError(Exception):
    """Why a training step stays as it is."""


def call_of(statement: cst.CSTNode) -> cst.Call | None:
    """The call that a statement consists of."""
    if isinstance(statement, cst.SimpleStatementLine) and len(statement.body) == 1:
        small = statement.body[0]
        if isinstance(small, cst.Expr) and isinstance(small.value, cst.Call):
            return small.value
    return None


def is_path(node: cst.BaseExpression) -> bool:
    """`a` or `a.b.c`."""
    while isinstance(node, cst.Attribute):
        node = node.value
    return isinstance(node, cst.Name)


class StepFinder:
    """Looks for training steps in one function (or module)."""

    def __init__(self, walker: Trained, node: cst.CSTNode, function: FunctionInfo | None) -> None:
        self.walker = walker
        self.kb, self.engine = walker.kb, walker.engine
        self.node = node
        self.function = function
        self.scope = Scope(node)
        self.code = walker.context.module.tree.code_for_node
        self.module_evidence = self._module_evidence()

    # ---- calls -------------------------------------------------------------------------------------------------------

    def op(self, call: cst.Call | None) -> str | None:
        """The op of a method of an optimizer, a tensor or a module that matters for training."""
        if call is None or not isinstance(call.func, cst.Attribute):
            return None
        owner, name = call.func.value, call.func.attr.value
        values = self.walker.facts(owner)
        api = self.engine.kind_types.get("optimizer")
        rows = self.kb.read(f"{api}.{name}") if self._may_be_optimizer(owner, values) else ()
        if rows:
            return rows[0].op
        if modules_of(values) or self.code(owner) in self.module_evidence:
            rows = self.kb.read(f"{self.engine.module_type}.{name}")
        elif UNKNOWN in values or any(isinstance(v, Tensor) for v in values):
            rows = self.kb.read(f"{self.engine.tensor_type}.{name}")
            return "backward" if rows and rows[0].op == "backward" else None
        return rows[0].op if rows else None

    def _may_be_optimizer(self, owner: cst.BaseExpression, values: Values) -> bool:
        if Scalar("optimizer") in values:
            return True
        return UNKNOWN in values and not modules_of(values) and self.code(owner) in self._optimizers()

    def _optimizers(self) -> set[str]:
        """What is told to forget its gradients, and to step: nothing but an optimizer is."""
        if not hasattr(self, "_found_optimizers"):
            calls: dict[str, set[str]] = {}
            api = self.engine.kind_types.get("optimizer")
            for part in walk(self.node):
                if isinstance(part, cst.Call) and isinstance(part.func, cst.Attribute) and not part.args:
                    rows = self.kb.read(f"{api}.{part.func.attr.value}")
                    if rows:
                        calls.setdefault(self.code(part.func.value), set()).add(rows[0].op)
            wanted = {"optimizer_zero_grad", "optimizer_step"}
            self._found_optimizers = {text for text, ops in calls.items() if wanted <= ops}
        return self._found_optimizers

    def _module_evidence(self) -> set[str]:
        """Paths of which the function asks what only a module has (its parameters, its mode)."""
        found = set()
        for part in walk(self.node):
            if isinstance(part, cst.Attribute) and is_path(part.value):
                rows = self.kb.read(f"{self.engine.module_type}.{part.attr.value}")
                if rows and rows[0].op in ("parameters", "named_parameters", "module_train", "module_eval"):
                    if UNKNOWN in self.walker.facts(part.value):
                        found.add(self.code(part.value))
        return found

    # ---- steps -------------------------------------------------------------------------------------------------------

    def find(self, suite: cst.CSTNode) -> Iterator[Step | tuple[list[cst.Call], str]]:
        """The steps of one block in their order; for what is none, the calls that stay and why."""
        block = self.scope.blocks.get(suite)
        if block is None:
            return
        ops = [self.op(call_of(statement)) for statement in block.statements]
        if "backward" not in ops and "optimizer_step" not in ops:
            return
        start = 0
        for at, op in enumerate(ops):
            if op == "optimizer_step":
                passes = [i for i in range(start, at) if ops[i] == "backward"]
                calls = [call for i in (*passes, at) if (call := call_of(block.statements[i])) is not None]
                try:
                    if not passes:
                        raise RefusedError("the backward pass is not in the same block as the step")
                    if len(passes) > 1:
                        raise RefusedError("the gradients of several backward passes are added up")
                    yield self._step(block, ops, start, passes[0], at)
                except RefusedError as reason:
                    yield calls, str(reason)
                start = at + 1
        rest = [i for i in range(start, len(ops)) if ops[i] == "backward"]
        if rest and any(self.op(part) == "optimizer_step" for part in walk(self.node) if isinstance(part, cst.Call)):
            calls = [call for i in rest if (call := call_of(block.statements[i])) is not None]
            yield calls, "the step is not in the same block as the backward pass"

    def _step(self, block: Block, ops: Sequence[str | None], start: int, at: int, end: int) -> Step:
        backward, step = call_of(block.statements[at]), call_of(block.statements[end])
        assert backward is not None and step is not None
        assert isinstance(backward.func, cst.Attribute) and isinstance(step.func, cst.Attribute)
        if step.args:
            raise RefusedError("the step calls the loss itself")
        if any(self.code(a.value) not in ("False", "None") for a in backward.args):
            raise RefusedError("the backward pass has arguments: the graph may be used again")
        loss, optimizer = backward.func.value, step.func.value
        region = [i for i in range(start, at) if ops[i] not in ("optimizer_zero_grad", "module_zero_grad")]
        needed = self._slice(block, region, loss)
        model = self._model(block, needed, loss, optimizer)
        text = self.code(model)
        self._check_forgotten(block, ops, start, at, end, {self.code(optimizer), text})
        first = next((i for i in needed if self._mentions(block.statements[i], text)), None)
        if first is None and not self._mentions(loss, text):
            raise RefusedError(f"`{text}`, which the optimizer trains, takes no part in the loss of this block")
        first = at if first is None else self._with_containers(block, region, needed, first, model)
        chosen = [i for i in needed if i >= first]
        later = [i for i in region if i >= first and i not in chosen]
        inside, after = [block.statements[i] for i in chosen], [block.statements[i] for i in later]
        self._check_order(block, chosen, later)
        self._check_inside(inside)
        others = self._others(inside, loss, text)
        self._check_reach(block, start, first, inside, loss, model, others)
        written = self._written(inside)
        names = [name for name in written if self.scope.is_live(name, block, at, after)]
        value = loss.value if isinstance(loss, cst.Name) else None
        outputs = [name for name in names if name != value]
        inputs = [name for name in written if first_use(name, inside) == READ]
        inputs += [n for n in outputs if n not in inputs and first_use(n, inside) != WRITTEN]
        keeps = value is not None and (
            value in names if value in written else self.scope.is_live(value, block, at, after)
        )
        if value is not None and value in inputs and first_use(value, inside) == NEITHER:
            inputs.remove(value)
        return Step(
            block.statements[at],
            block.statements[end],
            loss,
            model,
            self._parameter(model, inside),
            inside,
            after,
            inputs,
            outputs,
            others,
            keeps,
            self._clips(block, at, end, text),
            optimizer,
        )

    # ---- gradients ---------------------------------------------------------------------------------------------------

    def _check_forgotten(
        self, block: Block, ops: Sequence[str | None], start: int, at: int, end: int, owners: set[str]
    ) -> None:
        """Are the gradients of the last step forgotten before this backward pass, and after any other one?"""
        if any(self._forgets(block.statements[i], ops[i], owners) for i in range(start, at)):
            return
        if start == 0 and not block.loop and block.outer is not None:
            for statement in reversed(self.scope.before(block, 0)):
                if self._forgets(statement, self.op(call_of(statement)), owners):
                    return
                if any(isinstance(p, cst.Call) and self.op(p) == "backward" for p in walk(statement)):
                    break
        if start == 0:  # a new turn: what came after the step counts
            for i in range(end + 1, len(ops)):
                if self._forgets(block.statements[i], ops[i], owners) and "backward" not in ops[i:]:
                    return
        raise RefusedError("nothing forgets the gradients between two steps, so that they are added up")

    def _forgets(self, statement: cst.CSTNode, op: str | None, owners: set[str]) -> bool:
        call = call_of(statement)
        if call is None or not isinstance(call.func, cst.Attribute):
            return False
        return op in ("optimizer_zero_grad", "module_zero_grad") and self.code(call.func.value) in owners

    def _clips(self, block: Block, at: int, end: int, model: str) -> list[cst.Call]:
        """The calls between backward pass and step that clip the gradients of the model."""
        found = []
        for statement in block.statements[at + 1 : end]:
            whole = {p.value for p in walk(statement) if isinstance(p, (cst.Expr, cst.Assign))}
            for part in walk(statement):
                op = self._function_op(part) if isinstance(part, cst.Call) else None
                if op in ("clip_grad_norm_", "clip_grad_value_"):
                    assert isinstance(part, cst.Call)
                    if part not in whole:
                        raise RefusedError("clipping stands inside another expression")
                    listing = self.walker.listing(part.args[0].value) if part.args else None
                    if listing is None or self.code(listing.func.value) != model:  # type: ignore[attr-defined]
                        raise RefusedError("it clips other gradients than those of the model")
                    found.append(part)
                elif isinstance(part, cst.Attribute) and part.attr.value == "grad":
                    raise RefusedError("gradients are read or changed by hand between the backward pass and the step")
        return found

    def _function_op(self, call: cst.Call) -> str | None:
        name = self.walker.context.source_api(self.walker.facts(call.func))
        rows = self.kb.read(name) if name is not None else ()
        return rows[0].op if rows else None

    # ---- what makes the loss -----------------------------------------------------------------------------------------

    def _slice(self, block: Block, region: Sequence[int], loss: cst.BaseExpression) -> list[int]:
        """The statements that the loss depends on."""
        wanted = set(Names.of(loss).reads)
        found = []
        for i in reversed(region):
            names = Names.of(block.statements[i])
            if (names.writes | self._changes(block.statements[i], names)) & wanted:
                found.append(i)
                wanted |= names.reads
        return found[::-1]

    def _changes(self, statement: cst.CSTNode, names: Names) -> set[str]:
        """What a statement may change; `self` stands for too much, and so only for its own methods."""
        own = self._self_name()
        return {name for name in names.changes if name != own or self._calls_own_method(statement)}

    def _calls_own_method(self, statement: cst.CSTNode) -> bool:
        call = call_of(statement)
        return call is not None and any(isinstance(v, FunctionRef) for v in self.walker.facts(call.func))

    def _self_name(self) -> str | None:
        function = self.function
        if function is None or function.cls is None or not function.parameters or function.kind == "staticmethod":
            return None
        return function.parameters[0]

    def _with_containers(
        self, block: Block, region: Sequence[int], needed: list[int], first: int, model: cst.BaseExpression
    ) -> int:
        """The first statement, so that what the statements change was made by one of them."""
        while True:
            inside = [block.statements[i] for i in needed if i >= first]
            names = Names.of(*inside)
            own = {root(model), *(root(other) for other in self._modules_in(inside, None))}
            outer = {name for node in inside for name in self._changes(node, Names.of(node))} - names.writes - own
            if not outer:
                return first
            made = [i for i in region if i < first and i in needed and Names.of(block.statements[i]).writes & outer]
            if not made:
                raise RefusedError(f"the statements that make the loss change `{min(outer)}`, which was made before")
            first = max(made)

    def _check_order(self, block: Block, chosen: Sequence[int], later: Sequence[int]) -> None:
        """What is moved behind the loss must not see another value there."""
        for i in later:
            names = Names.of(block.statements[i])
            behind = [j for j in chosen if j > i]
            if behind and names.reads & Names.of(*(block.statements[j] for j in behind)).writes:
                raise RefusedError("a statement reads a value that the loss changes afterwards")

    def _check_inside(self, inside: Sequence[cst.CSTNode]) -> None:
        forbidden = (cst.Return, cst.Yield, cst.Await, cst.Global, cst.Nonlocal, cst.Import, cst.ImportFrom, cst.Del)
        for statement in inside:
            for part in walk(statement, inner=False):
                if isinstance(part, (*forbidden, cst.ClassDef, cst.Raise, cst.Break, cst.Continue)):
                    if not (
                        isinstance(part, (cst.Break, cst.Continue)) and isinstance(statement, (cst.For, cst.While))
                    ):
                        raise RefusedError("the statements that make the loss leave their block")
                if isinstance(part, (cst.AssignTarget, cst.AnnAssign, cst.AugAssign)):
                    if isinstance(part.target, cst.Attribute):
                        raise RefusedError("a part of the loss is kept in an attribute")

    def _written(self, inside: Sequence[cst.CSTNode]) -> list[str]:
        """The names that the loss function binds, in their order."""
        found: dict[str, None] = {}
        for statement in inside:
            names = Names.of(statement)
            # a change in place becomes a new value of the name
            for name in sorted(names.writes | {n for n in names.changes if self._is_array(statement, n)}):
                found.setdefault(name)
        return list(found)

    def _is_array(self, statement: cst.CSTNode, name: str) -> bool:
        return any(
            isinstance(part, cst.Name)
            and part.value == name
            and any(isinstance(v, Tensor) for v in self.walker.facts(part))
            for part in walk(statement)
        )

    # ---- whose parameters --------------------------------------------------------------------------------------------

    def _model(
        self, block: Block, needed: Sequence[int], loss: cst.BaseExpression, optimizer: cst.BaseExpression
    ) -> cst.BaseExpression:
        made = self._made_for(optimizer)
        if made is not None:
            return made
        modules = self._modules_in([block.statements[i] for i in needed], loss)
        if len(modules) == 1:
            return modules[0]
        if not modules:
            raise RefusedError(
                "which module this trains is not known here: annotate it, or make the optimizer in this function"
            )
        listed = ", ".join(f"`{self.code(module)}`" for module in modules)
        raise RefusedError(f"whether the optimizer trains {listed} is not known here")

    def _made_for(self, optimizer: cst.BaseExpression) -> cst.BaseExpression | None:
        """The module whose parameters an optimizer was made with, by a name that means the same here."""
        text = self.code(optimizer)
        made: list[cst.BaseExpression | None] = []
        for scope in self._scopes_of(optimizer):
            for part in walk(scope, inner=False):
                if isinstance(part, cst.Assign) and any(self.code(t.target) == text for t in part.targets):
                    if isinstance(part.value, cst.Name) and part.value.value == "None":
                        continue
                    trained = part.value.args if isinstance(part.value, cst.Call) else ()
                    listings = [one for a in trained if (one := self.walker.listing(a.value)) is not None]
                    owner = listings[0].func.value if len(listings) == 1 else None  # type: ignore[attr-defined]
                    made.append(owner if owner is not None and self._means_the_same(owner, optimizer, scope) else None)
        texts = {self.code(owner) if owner is not None else None for owner in made}
        if len(texts) > 1:
            raise RefusedError("what the optimizer trains is decided when it runs")
        return made[0] if made else None

    def _scopes_of(self, optimizer: cst.BaseExpression) -> list[cst.CSTNode]:
        """Where an optimizer of this name may be made."""
        if isinstance(optimizer, cst.Name):
            function = self.function
            while function is not None and isinstance(function.node, cst.FunctionDef):
                if optimizer.value in function.parameters:
                    return []
                if optimizer.value in Names.of(function.node.body).writes:
                    return [function.node.body]
                function = function.outer
            return [self.walker.context.module.tree]
        own = self._self_name()
        if own is None or root(optimizer) != own or self.function is None or self.function.cls is None:
            return []
        methods = [m for cls in self.function.cls.mro() for m in cls.methods.values()]
        return [m.node.body for m in methods if isinstance(m.node, cst.FunctionDef) and m.parameters[:1] == [own]]

    def _means_the_same(self, owner: cst.BaseExpression, optimizer: cst.BaseExpression, scope: cst.CSTNode) -> bool:
        if not is_path(owner):
            return False
        if not isinstance(optimizer, cst.Name):
            return root(owner) == self._self_name()
        name = root(owner)
        bound = sum(
            name in Names.of(part).writes
            for part in walk(scope, inner=False)
            if isinstance(part, cst.BaseSmallStatement)
        )
        here = self.node if self.node is not scope and not isinstance(self.node, cst.Module) else None
        inner = here is not None and getattr(here, "body", None) is not scope
        hidden = inner and name in Names.of(here.body).writes | set(self.function.parameters if self.function else [])  # type: ignore[union-attr]
        return bound <= 1 and not hidden

    def _modules_in(
        self, statements: Sequence[cst.CSTNode], loss: cst.BaseExpression | None, effects: frozenset[str] = TRAINED
    ) -> list[cst.BaseExpression]:
        """The modules with trained arrays (or other state) that take part in statements."""
        found: dict[str, cst.BaseExpression] = {}
        for node in (*statements, *([loss] if loss is not None else [])):
            for part in _outermost_paths(node):
                for path in _prefixes(part):
                    if self._has_state(path, effects):
                        found.setdefault(self.code(path), path)
                        break
        return list(found.values())

    def _others(self, inside: Sequence[cst.CSTNode], loss: cst.BaseExpression, model: str) -> list[cst.BaseExpression]:
        own = self._self_name()
        found = []
        for module in self._modules_in(inside, loss, STATEFUL):
            text = self.code(module)
            if text == model or text.startswith(f"{model}."):
                continue
            if model.startswith(f"{text}."):
                if text == own and not self._uses_whole(inside, loss, text):
                    continue
                raise RefusedError(f"`{text}` takes part in the loss, and `{model}`, which is trained, is a part of it")
            found.append(module)
        return found

    def _uses_whole(self, inside: Sequence[cst.CSTNode], loss: cst.BaseExpression, own: str) -> bool:
        """Is `self` used as more than the owner of its attributes?"""
        paths = [p for node in (*inside, loss) for p in _outermost_paths(node) if root(p) == own]
        return any(
            isinstance(p, cst.Name) or any(isinstance(v, FunctionRef) for v in self.walker.facts(p)) for p in paths
        )

    def _has_state(self, node: cst.BaseExpression, effects: frozenset[str]) -> bool:
        values = self.walker.facts(node)
        if any(self._trains(v, set(), effects) for v in modules_of(values)):
            return True
        return UNKNOWN in values and self.code(node) in self.module_evidence

    def _trains(self, value: object, seen: set[ClassInfo], effects: frozenset[str] = TRAINED) -> bool:
        """May a module have trained arrays (or other state)?"""
        if isinstance(value, Layer):
            hub = self.kb.hub(value.op)
            return value.op == "Module" or hub is None or bool(effects & set(hub.effects))
        if isinstance(value, Container):
            parts = [v for cell in (value.site.elements, *value.site.named.values()) for v in cell.values]
            return value.site.kind in MODULE_CONTAINERS and (
                not parts or any(self._trains(v, seen, effects) for v in parts)
            )
        if isinstance(value, Instance):
            if value.cls in seen:
                return False
            seen.add(value.cls)
            classes = value.cls.mro()
            if any(cls.outside or cls.container or cls.layer for cls in classes):
                return True
            held = [v for cls in classes for cell in cls.attributes.values() for v in cell.values]
            held += [v for cls in classes for v in cls.children.values]
            return any(
                v == UNKNOWN or (isinstance(v, Tensor) and v.role == "parameter") or self._trains(v, seen, effects)
                for v in held
            ) or any(cls.attribute_patterns for cls in classes)
        return False

    # ---- hidden ways -------------------------------------------------------------------------------------------------

    def _check_reach(
        self,
        block: Block,
        start: int,
        first: int,
        inside: Sequence[cst.CSTNode],
        loss: cst.BaseExpression,
        model: cst.BaseExpression,
        others: Sequence[cst.BaseExpression],
    ) -> None:
        """The gradient must find all ways from the trained arrays to the loss: none may lead in from outside."""
        text = self.code(model)
        tainted: set[str] = set()
        for statement in self.scope.before(block, first):
            names = Names.of(statement)
            if not self._mentions(statement, text):
                if names.reads & tainted:
                    tainted |= names.writes
                elif isinstance(statement, cst.SimpleStatementLine):
                    tainted -= names.writes
            elif not self._is_harmless(statement):
                tainted |= names.writes
        reads = Names.of(*inside, loss).reads
        if reads & tainted:
            raise RefusedError(f"`{min(reads & tainted)}` comes from `{text}` too, and was computed before this step")
        allowed = {text, *map(self.code, others)}
        for node in (*inside, loss):
            for path in _outermost_paths(node):
                if any(self.code(prefix) in allowed for prefix in _prefixes(path)):
                    continue
                self._check_path(path)
            for part in walk(node):
                if isinstance(part, cst.Subscript) and modules_of(self.walker.facts(part)):
                    if not any(self.code(p) in allowed for q in _outermost_paths(part) for p in _prefixes(q)):
                        raise RefusedError(f"`{self.code(part)}` takes part in the loss")

    def _check_path(self, path: cst.BaseExpression) -> None:
        """A name of something that may hold the model: a function around it, or its arrays."""
        for value in self.walker.facts(path):
            if isinstance(value, Tensor) and value.role == "parameter":
                raise RefusedError(f"`{self.code(path)}` is a trained array outside of the module")
            if isinstance(value, Container) and value.site.kind in ("list", "tuple", "dict"):
                cells = (value.site.elements, *value.site.named.values(), *value.site.patterns.values())
                if any(isinstance(v, Tensor) and v.role == "parameter" for cell in cells for v in cell.values):
                    raise RefusedError(f"`{self.code(path)}` holds trained arrays outside of the module")
            if isinstance(value, FunctionRef):
                if value.receiver is not None:
                    raise RefusedError(f"`{self.code(path)}()` may use the model of its object")
                self._check_function(value.function, set())

    def _check_function(self, function: FunctionInfo, seen: set[FunctionInfo]) -> None:
        """A function of the project must not reach modules but through its arguments."""
        if function in seen:
            return
        seen.add(function)
        for part in walk(function.node):
            if isinstance(part, cst.Name) and part.value not in function.variables:
                if any(self._trains(v, set()) for v in modules_of(self.walker.facts(part))):
                    raise RefusedError(f"`{function.name}()` uses the module `{part.value}`, which it is not given")
        for values in function.calls.values():
            for value in values:
                if isinstance(value, FunctionRef) and value.receiver is None:
                    self._check_function(value.function, seen)

    # ---- text --------------------------------------------------------------------------------------------------------

    def _mentions(self, node: cst.CSTNode, text: str) -> bool:
        return not self._switches_mode(node) and any(
            self.code(prefix) == text for path in _outermost_paths(node) for prefix in _prefixes(path)
        )

    def _switches_mode(self, statement: cst.CSTNode) -> bool:
        return self.op(call_of(statement)) in ("module_train", "module_eval")

    def _is_harmless(self, statement: cst.CSTNode) -> bool:
        """A statement that makes an optimizer or moves a module gives no array that depends on it."""
        if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
            return False
        small = statement.body[0]
        if isinstance(small, cst.Expr):
            return True
        values = self.walker.facts(small.value) if isinstance(small, cst.Assign) else frozenset()
        return bool(values) and all(
            v == Scalar("optimizer") or bool(modules_of(frozenset({v}))) or isinstance(v, Api) for v in values
        )

    def _parameter(self, model: cst.BaseExpression, inside: Sequence[cst.CSTNode]) -> str:
        if isinstance(model, cst.Name) and model.value != self._self_name():
            return model.value
        name = model.attr.value if isinstance(model, cst.Attribute) else "model"
        used = Names.of(*inside)
        while name in used.reads | used.writes:
            name += "_"
        return name


def _outermost_paths(node: cst.CSTNode) -> Iterator[cst.BaseExpression]:
    """The names and dotted names that code reads, each as a whole."""
    if isinstance(node, (cst.Name, cst.Attribute)) and is_path(node):
        yield node
        return
    for child in children(node):
        if isinstance(node, cst.Attribute) and child is node.attr:
            continue
        if isinstance(node, cst.Arg) and child is node.keyword:
            continue
        if isinstance(node, (cst.Param, cst.ImportAlias)) and isinstance(child, cst.Name):
            continue
        yield from _outermost_paths(child)


def _prefixes(path: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    """`a`, `a.b`, `a.b.c`."""
    if isinstance(path, cst.Attribute):
        yield from _prefixes(path.value)
    yield path

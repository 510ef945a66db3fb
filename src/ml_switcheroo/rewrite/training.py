"""Training steps: the loss becomes a function of the model, and the step an update by its gradients.

optimizer.zero_grad()                    def loss_fn(model):
loss = criterion(model(x), y)                return criterion(model(x), y)
loss.backward()                     ->
optimizer.step()                         loss, grads = value_and_grad(loss_fn)(model)
                                         optimizer.update(model, grads)
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.nodes import walk
from .flow import Names
from .statements import is_gone
from .steps import Step, StepFinder
from .trained import Trained

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..analysis.model import FunctionInfo
    from ..convert.base import CallArg

LOSS_NAMES = ("loss_fn", "compute_loss", "training_loss", "loss_of_step")
TRAINING_OPS = frozenset({"optimizer_step", "backward", "clip_grad_norm_", "clip_grad_value_"})


class Training(Trained):
    """Rewrites the blocks that train."""

    # ---- finding -----------------------------------------------------------------------------------------------------

    def visit_IndentedBlock(self, node: cst.IndentedBlock) -> bool:
        return self._plan_block(node)

    def visit_Module(self, node: cst.Module) -> bool:
        return self._plan_block(node)

    def _plan_block(self, node: cst.IndentedBlock | cst.Module) -> bool:
        """Whether the walk goes on into the block; a block with training steps is put together when it is left."""
        if self.style.value_and_gradient is None:
            return True
        function = self.functions[-1] if self.functions else self.context.module.body
        if function is None or not self._trains_something(function):
            return True
        if function not in self.finders:
            scope = function.node if self.functions else self.context.module.tree
            self.finders[function] = StepFinder(self, scope, function if self.functions else None)
        finder = self.finders[function]
        steps: dict[cst.CSTNode, Step] = {}
        for found in finder.find(node):
            if isinstance(found, Step):
                steps |= dict.fromkeys([found.backward, found.step, *found.inside, *found.after], found)
                self.clips.update(found.clips)
                self._forget(finder, found)
            else:
                calls, reason = found
                self.refused_steps.update(dict.fromkeys(calls, reason))
        if steps:
            self.steps[node] = steps
        return not steps

    def _trains_something(self, function: FunctionInfo) -> bool:
        """Does the function take a training step? Most do not, and need no closer look."""
        known = self.trainers.get(function)
        if known is None:
            optimizer, tensor = self.engine.kind_types.get("optimizer"), self.engine.tensor_type
            known = False
            for call in function.calls:
                if isinstance(call.func, cst.Attribute):
                    name = call.func.attr.value
                    rows = [*self.kb.read(f"{optimizer}.{name}"), *self.kb.read(f"{tensor}.{name}")]
                    known = known or any(row.op in TRAINING_OPS for row in rows)
            self.trainers[function] = known
        return known

    def _forget(self, finder: StepFinder, step: Step) -> None:
        """Gradients are values: nothing has to forget them."""
        for part in walk(finder.node):
            if isinstance(part, cst.Call) and isinstance(part.func, cst.Attribute):
                if finder.op(part) == "optimizer_zero_grad":
                    self.forgotten.add(part)

    # ---- rewriting ---------------------------------------------------------------------------------------------------

    def leave_IndentedBlock(
        self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock
    ) -> cst.IndentedBlock:
        if original_node in self.steps:
            updated_node = updated_node.with_changes(body=self._rebuilt(original_node))
        done = super().leave_IndentedBlock(original_node, updated_node)
        assert isinstance(done, cst.IndentedBlock)
        return done

    def leave_Module(self, original_node: cst.Module, updated_node: cst.Module) -> cst.Module:
        if original_node in self.steps:
            updated_node = updated_node.with_changes(body=self._rebuilt(original_node))
        return super().leave_Module(original_node, updated_node)

    def _rebuilt(self, block: cst.IndentedBlock | cst.Module) -> list[cst.BaseStatement]:
        """The statements of a block with its training steps in the target's form."""
        steps = self.steps[block]
        body: list[cst.BaseStatement] = []
        inside: list[cst.BaseStatement] = []
        after: list[cst.BaseStatement] = []
        for statement in block.body:
            step = steps.get(statement)
            if step is None:
                body += self._translated(statement)
            elif statement in step.inside:
                inside += self._translated(statement)
            elif statement in step.after:
                after += self._translated(statement)
            elif statement is step.backward:
                gone = (
                    list(_lines(body.pop())) if body and is_gone(body[-1]) else []
                )  # comments of what forgot gradients
                body += [*self._gradients(step, inside, bool(body), gone), *after]
                inside, after = [], []
            else:
                body.append(self._update(step))
        return body

    def _translated(self, statement: cst.CSTNode) -> list[cst.BaseStatement]:
        done = statement.visit(self)
        if isinstance(done, cst.FlattenSentinel):
            return [_statement(node) for node in done]
        return [done] if isinstance(done, cst.BaseStatement) else []

    def _gradients(
        self, step: Step, inside: list[cst.BaseStatement], follows: bool, comments: list[cst.EmptyLine]
    ) -> list[cst.BaseStatement]:
        """The loss function and the line that calls for its gradients."""
        self.context.changed = True
        loss = step.loss.visit(self)
        assert isinstance(loss, cst.BaseExpression)
        name = self._loss_name()
        arguments, names = self._arguments(step, inside, loss)
        renamed = [(argument, new) for argument, new in zip(arguments, names, strict=True) if not _is(argument, new)]
        rename = _Rename(renamed)
        body = [_statement(node.visit(rename)) for node in inside]
        value = loss.visit(rename)
        assert isinstance(value, cst.BaseExpression)
        body = self._with_return(step, body, value)
        header = cst.parse_statement(f"def {name}({', '.join(names)}): pass")
        assert isinstance(header, cst.FunctionDef)
        first = [line for line in _lines(body[0]) if line.comment is not None]
        body[0] = body[0].with_changes(leading_lines=first)
        blank = [cst.EmptyLine(indent=False)] if follows else []
        comments = [line for line in comments if line.comment is not None]
        function = header.with_changes(body=cst.IndentedBlock(body), leading_lines=[*blank, *comments])
        call = cst.Call(
            self._gradient_function(step, name),
            [cst.Arg(node, comma=_comma(i, len(arguments))) for i, node in enumerate(arguments)],
        )
        line = cst.SimpleStatementLine(
            [cst.Assign([cst.AssignTarget(self._results(step, loss))], call)],
            leading_lines=[cst.EmptyLine(indent=False), *_comments(step.backward)],
            trailing_whitespace=_trailing(step.backward),
        )
        return [function, line]

    def _loss_name(self) -> str:
        taken = self.context.bound | self.context.imported
        return next((name for name in LOSS_NAMES if name not in taken), self.context.free_name(LOSS_NAMES[0]))

    def _grads(self) -> str:
        return self.context.free_name("grads")

    def _arguments(
        self, step: Step, inside: Sequence[cst.BaseStatement], loss: cst.BaseExpression
    ) -> tuple[list[cst.BaseExpression], list[str]]:
        """What the loss function is called with, and the names of its parameters."""
        model = step.model.visit(self)
        assert isinstance(model, cst.BaseExpression)
        arguments, names = [model], [step.parameter]
        used = Names.of(*inside, loss)
        for other in step.others:
            node = other.visit(self)
            assert isinstance(node, cst.BaseExpression)
            name = node.value if isinstance(node, cst.Name) else other.attr.value  # type: ignore[attr-defined]
            while not isinstance(node, cst.Name) and name in used.reads | used.writes | set(names):
                name += "_"
            arguments.append(node)
            names.append(name)
        for name in step.inputs:
            arguments.append(cst.Name(name))
            names.append(name)
        stream = self._stream_in(inside, loss, model)
        if stream is not None:
            arguments.append(stream)
            names.append(str(self.style.stream))
        return arguments, names

    def _stream_in(
        self, inside: Sequence[cst.BaseStatement], loss: cst.BaseExpression, model: cst.BaseExpression
    ) -> cst.BaseExpression | None:
        """The random stream from which the statements draw, if it is not the model's own."""
        style = self.style
        if style.stream is None:
            return None
        owner = self.self_name(self.functions[-1]) if self.functions and self.functions[-1].parameters else None
        kept = cst.parse_expression(
            style.stream_attribute.replace("{self}", owner or "self").replace("{stream}", style.stream)
        )
        own = isinstance(model, cst.Name) and model.value == owner
        for node in (*inside, loss):
            for part in walk(node):
                if isinstance(part, cst.Attribute) and part.deep_equals(kept) and not own:
                    return kept
        reads = Names.of(*inside, loss).reads
        for name in (style.stream, self.context.free_name(style.stream)):
            if name in reads:
                return cst.Name(name)
        return None

    def _with_return(
        self, step: Step, body: list[cst.BaseStatement], loss: cst.BaseExpression
    ) -> list[cst.BaseStatement]:
        """The body of the loss function with its result; `loss = f(x)` at its end is returned at once."""
        last = body[-1] if body else None
        if not step.outputs and isinstance(loss, cst.Name) and isinstance(last, cst.SimpleStatementLine):
            small = last.body[0]
            if len(last.body) == 1 and isinstance(small, cst.Assign) and len(small.targets) == 1:
                target = small.targets[0].target
                if isinstance(target, cst.Name) and target.value == loss.value:
                    return [*body[:-1], last.with_changes(body=[cst.Return(small.value)])]
        result: cst.BaseExpression = loss
        if step.outputs:
            result = cst.Tuple([cst.Element(loss), cst.Element(_names(step.outputs))], lpar=[], rpar=[])
        return [*body, cst.SimpleStatementLine([cst.Return(result)])]

    def _gradient_function(self, step: Step, name: str) -> cst.BaseExpression:
        style = self.style
        text = style.value_and_gradient if step.keeps_loss else style.gradient
        assert text is not None
        option = style.gradient_aux if step.outputs else ""
        return self.style_expression(text.replace("{aux}", option), f=cst.Name(name))

    def _results(self, step: Step, loss: cst.BaseExpression) -> cst.BaseAssignTargetExpression:
        """`loss, grads`, `(loss, out), grads`, `grads, out` or `grads`."""
        grads = cst.Name(self._grads())
        aux = _names(step.outputs) if step.outputs else None
        if step.keeps_loss:
            value: cst.BaseExpression = loss.deep_clone()
            if aux is not None:
                value = cst.Tuple([cst.Element(value), cst.Element(aux)])
            return cst.Tuple([cst.Element(value), cst.Element(grads)], lpar=[], rpar=[])
        return grads if aux is None else cst.Tuple([cst.Element(grads), cst.Element(aux)], lpar=[], rpar=[])

    def _update(self, step: Step) -> cst.BaseStatement:
        assert step.optimizer is not None and self.style.optimizer_update is not None
        optimizer, model = step.optimizer.visit(self), step.model.visit(self)
        assert isinstance(optimizer, cst.BaseExpression) and isinstance(model, cst.BaseExpression)
        value = self.style_expression(
            self.style.optimizer_update, optimizer=optimizer, model=model, grads=cst.Name(self._grads())
        )
        return cst.SimpleStatementLine(
            [cst.Expr(value)], leading_lines=_lines(step.step), trailing_whitespace=_trailing(step.step)
        )

    # ---- calls -------------------------------------------------------------------------------------------------------

    def training_call(self, original: cst.Call, updated: cst.Call) -> cst.BaseExpression | None:
        """A call that belongs to a training step; None for all others."""
        if original in self.forgotten:
            return cst.Name("None")
        reason = self.refused_steps.get(original)
        if reason is not None:
            self.context.report(original, "SW6001", f"this training step cannot be converted: {reason}")
            return updated
        return None

    def clip_arguments(self, original: cst.Call, args: list[CallArg]) -> list[CallArg]:
        """Clipping gets the gradients themselves."""
        if original in self.clips:
            return [replace(args[0], node=cst.Name(self._grads())), *args[1:]]
        return args

    def clip_statement(
        self, original: cst.Expr | cst.Assign, updated: cst.Expr | cst.Assign
    ) -> cst.BaseSmallStatement | cst.FlattenSentinel[cst.BaseSmallStatement] | None:
        """`norm = clip_grad_norm_(...)` gives new gradients, and their norm as it was before."""
        if original.value not in self.clips:
            return None
        grads = cst.Name(self._grads())
        clipped = cst.Assign([cst.AssignTarget(grads)], updated.value)
        if isinstance(updated, cst.Expr):
            return clipped
        assert self.style.gradient_norm is not None
        norm = updated.with_changes(value=self.style_expression(self.style.gradient_norm, grads=grads.deep_clone()))
        return cst.FlattenSentinel([norm, clipped])


class _Rename(cst.CSTTransformer):
    """Puts names in the place of expressions."""

    def __init__(self, pairs: Sequence[tuple[cst.BaseExpression, str]]) -> None:
        super().__init__()
        self.pairs = pairs

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
        for old, new in self.pairs:
            if isinstance(old, cst.Name) and old.value == original_node.value:
                return updated_node.with_changes(value=new)
        return updated_node

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        return not any(node.deep_equals(old) for old, _ in self.pairs)

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.BaseExpression:
        for old, new in self.pairs:
            if original_node.deep_equals(old):
                return cst.Name(new)
        return updated_node.with_changes(attr=original_node.attr)

    def visit_Arg(self, node: cst.Arg) -> bool:
        return True

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> cst.Arg:
        return updated_node.with_changes(keyword=original_node.keyword)


def _is(node: cst.BaseExpression, name: str) -> bool:
    return isinstance(node, cst.Name) and node.value == name


def _statement(node: object) -> cst.BaseStatement:
    assert isinstance(node, cst.BaseStatement)
    return node


def _names(names: Sequence[str]) -> cst.BaseExpression:
    if len(names) == 1:
        return cst.Name(names[0])
    return cst.Tuple([cst.Element(cst.Name(name)) for name in names])


def _comma(index: int, count: int) -> cst.Comma | cst.MaybeSentinel:
    if index == count - 1:
        return cst.MaybeSentinel.DEFAULT
    return cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))


def _lines(statement: cst.CSTNode) -> Sequence[cst.EmptyLine]:
    return getattr(statement, "leading_lines", ())


def _comments(statement: cst.CSTNode) -> list[cst.EmptyLine]:
    return [line for line in _lines(statement) if line.comment is not None]


def _trailing(statement: cst.CSTNode) -> cst.TrailingWhitespace:
    return getattr(statement, "trailing_whitespace", cst.TrailingWhitespace())

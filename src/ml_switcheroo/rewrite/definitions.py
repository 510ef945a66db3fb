"""Functions, lambdas and classes: names of methods, parameters for random streams, constructors, decorators."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.nodes import walk
from ..analysis.values import NOTHING, Api, Const, Container, Instance, Layer, Scalar, Tensor, Text
from ..convert.layout import followed, quiet
from ..convert.precedence import bare, parenthesized
from .aliases import check_aliases
from .base import RESET, Walk, is_empty_context
from .flow import statements_of
from .idle import without_idle
from .recording import holds_arrays_only
from .statements import Collector
from .traced import BRANCH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..analysis.model import ClassInfo, FunctionInfo
    from ..analysis.values import Value

SPACE = cst.SimpleWhitespace(" ")
LINE_LENGTH = 120


class Definitions(Walk):
    """Replaces what definitions look like."""

    # ---- functions ---------------------------------------------------------------------------------------------------

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        self.enter(node)
        self.recording.append(None)  # what a function does is recorded where it is called
        self.find_switches(node)
        for decorator in node.decorators:
            kind = self._decorator_kind(decorator)
            if kind is not None:
                self.decorator_kinds[decorator] = kind
        function = self.engine.functions.get(node)
        if function is not None:
            self._check_call(function)
            self.functions.append(function)
            if self.style.immutable or self.style.copies:
                self.alias_findings.update((f.node, f) for f in check_aliases(function, self.context))
            if self.style.concrete:
                self._scan_traced(function)
        return True

    def _check_call(self, function: FunctionInfo) -> None:
        """A method that has the name which the target gives to another one."""
        forward, call = self.engine.forward, self.style.forward
        cls = function.cls
        if cls is not None and cls.layer and function.name == RESET and RESET not in cls.called:
            self.context.report(
                node_params(function),
                "SW5001",
                f"the constructor of the source's layer calls {RESET}(), that of the target does not",
                f"call {RESET}() where the layer is made, or in a constructor of the class",
                severity="warning",
            )
        if cls is not None and cls.is_module and function.name == call != forward:
            if self.engine.find_method(cls, forward) is not None:
                self.context.report(
                    node_params(function),
                    "SW5001",
                    f"{call}() and {forward}() of a module have one name in the target",
                    f"give what {call}() adds a method of its own, and call that where the module is called",
                )

    def _scan_traced(self, function: FunctionInfo) -> None:
        """What of a function cannot be compiled: an error where a module runs it."""
        scanned = self.traced.scan(function)
        runs = function in self.effects.reached
        for statement, finding in scanned.findings:
            if runs:
                finding.keeps = True
            elif finding.message.startswith(BRANCH):
                finding.code, finding.severity = "SW4004", "warning"
            else:
                continue
            self.untraced.setdefault(statement, []).append(finding)
        if runs:
            self.fixed.update(scanned.fixed)
            self.fixed_parts.update(scanned.fixed_parts)
            self.kept.update(scanned.kept)
        if self.style.choose:
            self.choices.update(scanned.choices)
            self.selected.update(scanned.selected)
        for check, arrays in scanned.guards.items():
            if runs or any(isinstance(array, cst.Name) and array.value in function.parameters for array in arrays):
                self.guards[check] = arrays

    def _decorator_kind(self, decorator: cst.Decorator) -> str | None:
        func = decorator.decorator.func if isinstance(decorator.decorator, cst.Call) else decorator.decorator
        name = self.context.source_api(self.facts(func))
        if name is None:
            return None
        kinds: dict[str, str] = self.kb.source_framework.get("blocks") or {}
        rows = self.kb.read(name)
        return kinds.get(rows[0].op) if rows else None

    def leave_Decorator(
        self, original_node: cst.Decorator, updated_node: cst.Decorator
    ) -> cst.Decorator | cst.RemovalSentinel:
        kind = self.decorator_kinds.get(original_node)
        made_empty = updated_node.decorator is not original_node.decorator and is_empty_context(updated_node.decorator)
        if kind is None and not made_empty and not self._is_not_enforced(original_node):
            return updated_node
        self.context.changed = True
        return cst.RemoveFromParent()

    def _is_not_enforced(self, decorator: cst.Decorator) -> bool:
        """`@abstractmethod` in a module without ABC: nobody asks for the method, but modules of the target would."""
        if self.facts(decorator.decorator) != {Api("abc.abstractmethod")} or not self.classes:
            return False
        cls = self.classes[-1]
        abstract = any(Api("abc.ABC") in base for c in cls.mro() for base in c.bases)
        meta = any(k.keyword is not None and k.keyword.value == "metaclass" for c in cls.mro() for k in _keywords(c))
        return cls.is_module and not abstract and not meta

    def visit_Param_default(self, node: cst.Param) -> None:
        if self._has_parameter(node):
            self.defaults.append(self.functions[-1])

    def leave_Param_default(self, node: cst.Param) -> None:
        if self._has_parameter(node):
            self.defaults.pop()

    def _has_parameter(self, node: cst.Param) -> bool:
        function = self.functions[-1].node if self.functions else None
        params = function.params if isinstance(function, (cst.FunctionDef, cst.Lambda)) else cst.Parameters()
        return any(node is param for param in (*params.posonly_params, *params.params, *params.kwonly_params))

    def leave_FunctionDef(
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.BaseStatement | cst.RemovalSentinel:
        function = self.engine.functions.get(original_node)
        self.recording.pop()
        for decorator in original_node.decorators:
            kind = self.decorator_kinds.get(decorator)
            if kind is not None:
                nodes = Collector.of(decorator)
                self.context.findings[:] = [f for f in self.context.findings if f.node not in nodes]
        if function is not None:
            updated_node = self._function(function, updated_node)
            self.functions.pop()
            if self._only_passes_on(function):
                del self.context.findings[self.marks.pop() :]
                self.context.changed = True
                return cst.RemoveFromParent()
            loads = function.cls is not None and function.cls.is_module and self._loads(function)
            if loads or self._is_for_others(function):
                del self.context.findings[self.marks.pop() :]
                self.context.explain(original_node, f"{function.name}() is left out: only other programs call it")
                if loads:
                    self.context.report(
                        node_params(function),
                        "SW7001",
                        f"{function.name}() is left out: nothing calls it where states are loaded",
                        "migrate a checkpoint of the current version, whose names are those of the model",
                        severity="warning",
                    )
                self.context.changed = True
                return cst.RemoveFromParent()
        if original_node.returns is not None and self.is_open(original_node.returns):
            updated_node = updated_node.with_changes(returns=None)
        if self.nothing and not self.functions:
            updated_node = without_idle(updated_node, self.nothing)
            self.nothing.clear()
        return self._leave_compound(original_node, updated_node)

    def _only_passes_on(self, function: FunctionInfo) -> bool:
        """A `__new__` of a module that does nothing of its own, where no base has another one."""
        cls, node = function.cls, function.node
        if cls is None or not cls.is_module or function.name != "__new__" or not isinstance(node, cst.FunctionDef):
            return False
        others = [base for base in cls.mro() if base is not cls and "__new__" in base.methods]
        foreign = [v for base in cls.mro() for values in base.bases for v in values if self._foreign(v) is not None]
        return not others and not foreign and _is_passed_on(node)

    def _function(self, function: FunctionInfo, node: cst.FunctionDef) -> cst.FunctionDef:
        cls = function.cls
        changed = self.effects.procedures.get(function, []) if self.style.immutable else []
        if changed and isinstance(node.body, cst.IndentedBlock):  # see procedures.py
            value = cst.parse_expression(", ".join(changed))
            last = cst.SimpleStatementLine([cst.Return(value)])
            node = node.with_changes(body=node.body.with_changes(body=[*node.body.body, last]), returns=None)
        if cls is not None and cls.is_module and function.name in self.style.mode_methods:
            self.context.report(
                node_params(function),
                "SW5001",
                f"{function.name}() of a module cannot be replaced: "
                "the target does not call it for the parts of a module",
                "set the mode of the parts where the model is used, after train() or eval()",
            )
        if cls is not None and cls.is_module and function.name == "__new__":
            fails = any(_sets_or_passes_on(part) for part in walk(function.node))
            self.context.report(
                node_params(function),
                "SW5001",
                "modules of the target are made in their own way: __new__ may not set or change anything"
                if fails
                else "the target calls __init__ on whatever __new__ returns",
                "do in __init__ what __new__ does, or leave it out",
                severity="error" if fails else "warning",
            )
        if self.style.stream is not None and self.effects.takes_stream(function):
            self.context.changed = True
            self.context.use(imports=frozenset(self._aliases(self.style.stream_type)))
            node = node.with_changes(
                params=with_keyword_only(node.params, self._stream_param(), self._needs_lines(node))
            )
            node = self._wrapped(node, len(self.functions) - 1 + len(self.classes))
        if cls is None or not cls.serves_modules:
            return node
        if function.name == self.engine.forward and self.style.forward != self.engine.forward:
            self.context.changed = True
            node = node.with_changes(name=cst.Name(self.style.forward))
        return node

    def _loads(self, function: FunctionInfo) -> bool:
        """A method that the source framework calls when it loads or saves the state of a module."""
        return function.name in (self.kb.source_framework.get("loading_methods") or ())

    def _is_for_others(self, function: FunctionInfo) -> bool:
        """A method of a function with a backward pass that only exporters call."""
        cls = function.cls
        return cls is not None and cls.differentiable and function.name in self.engine.own_backward["elsewhere"]

    def _wrapped(self, node: cst.FunctionDef, depth: int) -> cst.FunctionDef:
        """A header on one line that has become too long: its parameters go on a line of their own."""
        tree = self.context.module.tree
        header = tree.code_for_node(
            node.with_changes(body=cst.SimpleStatementSuite([]), leading_lines=(), decorators=())
        )
        width = depth * len(tree.default_indent)
        if "\n" in header.rstrip("\n") or width + len(header.rstrip("\n")) <= LINE_LENGTH:
            return node
        params = node.params
        end = cst.ParenthesizedWhitespace(indent=True)
        if params.star_kwarg is not None:
            params = params.with_changes(star_kwarg=params.star_kwarg.with_changes(whitespace_after_param=end))
        else:
            last = params.kwonly_params[-1].with_changes(comma=cst.Comma(whitespace_after=end))
            params = params.with_changes(kwonly_params=[*params.kwonly_params[:-1], last])
        start = cst.ParenthesizedWhitespace(indent=True, last_line=cst.SimpleWhitespace(tree.default_indent))
        return node.with_changes(params=params, whitespace_before_params=start)

    def _stream_param(self) -> cst.Param:
        style = self.style
        assert style.stream is not None
        annotation = cst.Annotation(cst.parse_expression(style.stream_type)) if style.stream_type else None
        return cst.Param(cst.Name(style.stream), annotation=annotation)

    def _needs_lines(self, node: cst.FunctionDef) -> bool:
        return isinstance(node.whitespace_before_params, cst.ParenthesizedWhitespace)

    def leave_Return(
        self, original_node: cst.Return, updated_node: cst.Return
    ) -> cst.Return | cst.FlattenSentinel[cst.BaseSmallStatement]:
        """What a function without gradients returns is a constant for the gradient."""
        function = self.function
        filled = self.returned_fill(original_node, updated_node)
        if filled is not None:
            return filled
        changed = self.returned_change(original_node, updated_node)
        if changed is not None:
            return changed
        if (
            function is None
            or self.style.stop_gradient is None
            or updated_node.value is None
            or original_node.value is None
        ):
            return updated_node
        if not self.records_nothing():
            return updated_node.with_changes(value=self.constant(original_node.value, updated_node.value))
        values = self.facts(original_node.value)
        building = function.builds and function not in self.effects.reached
        if building or not any(isinstance(v, (Tensor, Container)) for v in values):
            return updated_node
        if all(map(holds_arrays_only, values)):
            value = self.style_expression(self.style.stop_gradient, x=updated_node.value)
        else:
            inner = updated_node.value if isinstance(updated_node.value, cst.Tuple) else bare(updated_node.value)
            if isinstance(inner, cst.Tuple) and not inner.lpar:
                inner = parenthesized(inner)
            value = cst.Call(cst.Name(self.context.helper_name(self.style.constants)), [cst.Arg(inner)])
        return updated_node.with_changes(value=value)

    def leave_UnaryOperation(
        self, original_node: cst.UnaryOperation, updated_node: cst.UnaryOperation
    ) -> cst.BaseExpression:
        """`not not x`, where one `not` came in with the mode, is `x`."""
        inner = updated_node.expression
        if (
            isinstance(updated_node.operator, cst.Not)
            and isinstance(inner, cst.UnaryOperation)
            and isinstance(inner.operator, cst.Not)
            and inner is not original_node.expression
            and isinstance(original_node.expression, cst.Attribute)
        ):
            return inner.expression
        return updated_node

    def visit_Lambda(self, node: cst.Lambda) -> bool:
        function = self.engine.functions.get(node)
        if function is not None:
            self.functions.append(function)
        return True

    def leave_Lambda(self, original_node: cst.Lambda, updated_node: cst.Lambda) -> cst.BaseExpression:
        function = self.engine.functions.get(original_node)
        if function is None:
            return updated_node
        self.functions.pop()
        if self.style.stream is None or not self.effects.takes_stream(function):
            return updated_node
        params = with_keyword_only(updated_node.params, cst.Param(cst.Name(self.style.stream)), False)
        return updated_node.with_changes(params=params, whitespace_after_lambda=SPACE)

    # ---- classes -----------------------------------------------------------------------------------------------------

    def visit_ClassDef(self, node: cst.ClassDef) -> bool:
        self.enter(node)
        for argument in node.bases:
            self.bases.add(argument.value)
        cls = self.engine.classes.get(node)
        if cls is not None:
            self.classes.append(cls)
            self.depths.append(len(self.functions))
            self._check_shape(cls, node)
        return True

    def _check_shape(self, cls: ClassInfo, node: cst.ClassDef) -> None:
        """Bases of which nothing is known, and ways to build a module that the target does not have."""
        parts = any(isinstance(v, (Layer, Instance)) for cell in cls.attributes.values() for v in cell.values) or any(
            method.builds for method in cls.methods.values()
        )
        for argument in node.bases:
            foreign = [name for v in self.facts(argument.value) if (name := self._foreign(v)) is not None]
            if foreign and cls.is_module:
                self.context.report(
                    argument.value,
                    "SW5004",
                    f"`{foreign[0]}` is kept as a base: whether it fits modules of the target is not known",
                    "leave the base out if it serves the source framework only",
                    severity="warning",
                )
            elif foreign and self.engine.forward in cls.methods and (parts or self._computes(cls)):
                self.context.report(
                    argument.value,
                    "SW5004",
                    f"`{foreign[0]}` is known neither to the project nor to the knowledge base: is it a module?",
                    "convert the file that defines the base together with this one (give the folder)",
                )
        for keyword in node.keywords if cls.is_module else ():
            text = self.context.module.tree.code_for_node(keyword.value)
            if keyword.keyword is not None and keyword.keyword.value == "metaclass" and "ABCMeta" not in text:
                message = f"modules of the target have a metaclass of their own, not {text}"
                self.context.report(keyword.value, "SW5001", message)

    def _computes(self, cls: ClassInfo) -> bool:
        """Does a method named like that of a module work with tensors?"""
        nodes = walk(cls.methods[self.engine.forward].node)
        return any(isinstance(v, Tensor) for node in nodes for v in self.engine.facts.get(node, NOTHING))

    def _foreign(self, value: Value) -> str | None:
        """The name of something of a library that is neither Python's own nor known here."""
        if not isinstance(value, Api) or self.context.is_source(value.name) or self.is_mixin(value):
            return None
        return value.name if value.name.split(".")[0] not in {*sys.stdlib_module_names, "builtins"} else None

    def _drop_mixins(self, original: cst.ClassDef, updated: cst.ClassDef) -> cst.ClassDef:
        """The class without such bases, and without the arguments that they take."""
        kept = []
        for old, new in zip(original.bases, updated.bases, strict=True):
            if any(self.is_mixin(v) for v in self.facts(old.value)):
                message = "this base is left out: it saves and loads checkpoints of the source framework"
                hint = "save and load the state of the model with the target's own means"
                self.context.report(old.value, "SW7001", message, hint, severity="warning")
            else:
                kept.append(new)
        if len(kept) == len(original.bases):
            return updated
        self.context.changed = True
        kept[-1:] = [last.with_changes(comma=cst.MaybeSentinel.DEFAULT) for last in kept[-1:]]
        keywords = [k for k in updated.keywords if k.keyword is not None and k.keyword.value == "metaclass"]
        parens = {} if kept or keywords else {"lpar": cst.MaybeSentinel.DEFAULT, "rpar": cst.MaybeSentinel.DEFAULT}
        return updated.with_changes(bases=kept, keywords=keywords, **parens)

    def leave_ClassDef(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> cst.BaseStatement:
        cls = self.engine.classes.get(original_node)
        if cls is None:
            return self._leave_compound(original_node, updated_node)
        updated_node = self._drop_mixins(original_node, updated_node)
        self.classes.pop()
        self.depths.pop()
        header = self.header_nodes(original_node)
        errors = [f for f in self.context.findings[self.marks[-1] :] if f.severity == "error" and f.node in header]
        if errors:
            self.context.findings[self.marks[-1] :] = errors
            self.marks.pop()
            return self._comment_out(original_node, errors)
        updated_node = _without_gap(original_node, updated_node)
        if cls.is_module:
            updated_node = self._module_class(cls, updated_node)
        elif self.style.result_class and cls.dataclass and self._is_result(cls):
            decorator = cst.Decorator(self.target_text(self.style.result_class))
            updated_node = updated_node.with_changes(decorators=[decorator, *updated_node.decorators])
        return self._leave_compound(original_node, updated_node)

    def _is_result(self, cls: ClassInfo) -> bool:
        """Does a forward pass give back an object of this class, which holds arrays and no texts?"""
        given = any(Instance(cls) in function.result.values for function in self.effects.reached)
        held = [v for cell in cls.attributes.values() for v in cell.values]
        texts = any(isinstance(v, Text) or v == Scalar("str") or _is_text(v) for v in held)
        return given and any(isinstance(v, Tensor) for v in held) and not texts

    def _module_class(self, cls: ClassInfo, node: cst.ClassDef) -> cst.ClassDef:
        """The constructor that a module class of the target needs."""
        self.context.changed = True
        start = self._start_statements(cls)
        node = self.with_chosen_forward(cls, node)
        body = node.body
        if not isinstance(body, cst.IndentedBlock):
            return node
        init = self.engine.find_method(cls, "__init__")
        own = "__init__" in cls.methods
        if own and start:
            statements = []
            for statement in body.body:
                if isinstance(statement, cst.FunctionDef) and statement.name.value == "__init__":
                    statement = self._insert(statement, self._texts(start, statement.params))
                statements.append(statement)
            return node.with_changes(body=body.with_changes(body=statements))
        gains = self.style.stream is not None and self.effects.gains_constructor(cls)
        gains = gains or bool(start and (cls.layer or cls.container))  # beside that of the layer
        if own or (init is not None and not start) or (init is None and not gains):
            return node
        return node.with_changes(body=body.with_changes(body=self._with_constructor(cls, list(body.body), start, init)))

    def _start_statements(self, cls: ClassInfo) -> list[str]:
        style = self.style
        found = []
        inherited_mode = any(c.uses_mode for c in cls.mro()[1:])
        inherited_stream = any(c in self.keeps_stream for c in cls.mro()[1:])
        if cls.uses_mode and style.mode_start is not None and not inherited_mode:
            found.append(style.mode_start)
        if cls in self.keeps_stream and style.stream is not None and not inherited_stream:
            found.append(f"{style.stream_attribute.replace('{stream}', style.stream)} = {style.stream}")
        if style.data is not None:
            nothing = style.data.replace("{x}", "None")
            found += [f"{{self}}.{name} = {nothing}" for name in self.effects.undeclared.get(cls, ())]
        return found

    def _texts(self, start: list[str], params: cst.Parameters) -> list[cst.BaseStatement]:
        first = [*params.posonly_params, *params.params]
        name = first[0].name.value if first else "self"
        return [cst.parse_statement(text.replace("{self}", name)) for text in start]

    def _insert(self, init: cst.FunctionDef, statements: list[cst.BaseStatement]) -> cst.FunctionDef:
        """Puts statements at the start of a constructor, after its docstring and the call of the base's constructor."""
        if not isinstance(init.body, cst.IndentedBlock):
            return init
        body = list(init.body.body)
        at = 0
        for index, statement in enumerate(body[:4]):
            if isinstance(statement, cst.SimpleStatementLine) and (
                _is_docstring(statement, index) or _is_super_init(statement)
            ):
                at = index + 1
        body[at:at] = statements
        return init.with_changes(body=init.body.with_changes(body=body))

    def _with_constructor(
        self, cls: ClassInfo, body: list[cst.BaseStatement], start: list[str], init: FunctionInfo | None
    ) -> list[cst.BaseStatement]:
        style = self.style
        lines = [text.replace("{self}", "self") for text in start] or ["pass"]
        if style.stream is not None:
            self.context.use(imports=frozenset(self._aliases(style.stream_type)))
        if init is None and style.stream is not None and not cls.layer and not cls.container:
            head = f"def __init__(self, *, {style.stream}: {style.stream_type}):"
        else:
            head = f"def __init__(self, *args, {style.stream}: {style.stream_type}, **kwargs):"
            lines = [
                f"super().__init__(*args, {style.stream}={style.stream}, **kwargs)",
                *[line for line in lines if line != "pass"],
            ]
        text = head + "\n" + "".join(f"    {line}\n" for line in lines)
        method = cst.parse_statement(text)
        at = 0
        for index, statement in enumerate(body):
            if isinstance(statement, cst.SimpleStatementLine) and (
                _is_docstring(statement, index) or isinstance(statement.body[0], (cst.Assign, cst.AnnAssign))
            ):
                at = index + 1
            else:
                break
        if at and isinstance(method, cst.FunctionDef):
            method = method.with_changes(leading_lines=[cst.EmptyLine(indent=False)])
        body.insert(at, method)
        if at + 1 < len(body):
            following = body[at + 1]
            lines_ = list(getattr(following, "leading_lines", ()))
            if not lines_ or lines_[0].comment is not None:
                body[at + 1] = following.with_changes(leading_lines=[cst.EmptyLine(indent=False), *lines_])
        return [
            s
            for s in body
            if not (isinstance(s, cst.SimpleStatementLine) and len(s.body) == 1 and isinstance(s.body[0], cst.Pass))
        ]


def node_params(function: FunctionInfo) -> cst.CSTNode:
    """The place in a function's header at which it is reported."""
    return function.node.params if isinstance(function.node, (cst.FunctionDef, cst.Lambda)) else function.node


def _is_docstring(statement: cst.SimpleStatementLine, index: int) -> bool:
    return (
        index == 0
        and isinstance(statement.body[0], cst.Expr)
        and isinstance(statement.body[0].value, (cst.SimpleString, cst.ConcatenatedString))
    )


def _is_super_init(statement: cst.SimpleStatementLine) -> bool:
    small = statement.body[0]
    return (
        isinstance(small, cst.Expr)
        and isinstance(small.value, cst.Call)
        and isinstance(small.value.func, cst.Attribute)
        and small.value.func.attr.value == "__init__"
    )


def with_keyword_only(params: cst.Parameters, new: cst.Param, lines: bool) -> cst.Parameters:
    """The parameters with one more keyword-only one at their end, before `**kwargs`, laid out like the others."""
    if any(p.name.value == new.name.value for p in (*params.posonly_params, *params.params, *params.kwonly_params)):
        return params
    starred = [params.star_arg] if isinstance(params.star_arg, cst.Param) else []
    everything = [*params.params, *starred, *params.kwonly_params]
    between: cst.BaseParenthesizableWhitespace = SPACE
    after: cst.BaseParenthesizableWhitespace = cst.SimpleWhitespace("")
    trailing = False
    for parameter in everything[:-1] if len(everything) > 1 else []:
        if isinstance(parameter.comma, cst.Comma):
            between = quiet(parameter.comma.whitespace_after)
    comma = last_comma = cst.Comma(whitespace_after=between)
    if everything and isinstance(everything[-1].comma, cst.Comma) and params.star_kwarg is None:
        trailing = True
        last_comma, after = followed(everything[-1].comma, between)
    elif (
        everything
        and params.star_kwarg is None
        and isinstance(everything[-1].whitespace_after_param, cst.ParenthesizedWhitespace)
    ):
        closing = cst.Comma(whitespace_after=everything[-1].whitespace_after_param)
        last_comma, after = followed(closing, between)  # the closing bracket stands on a line of its own
        last = everything[-1].with_changes(whitespace_after_param=cst.SimpleWhitespace(""))
        if params.kwonly_params:
            params = params.with_changes(kwonly_params=[*params.kwonly_params[:-1], last])
        elif starred:
            params = params.with_changes(star_arg=last)
        else:
            params = params.with_changes(params=[*params.params[:-1], last])
        new = new.with_changes(whitespace_after_param=after)
    changes: dict[str, object] = {}
    star: object = params.star_arg
    kwonly = list(params.kwonly_params)
    if isinstance(params.star_arg, cst.MaybeSentinel) or params.star_arg is None:
        star = cst.ParamStar(comma=comma)
        if params.params:
            last = params.params[-1]
            changes["params"] = [*params.params[:-1], last.with_changes(comma=last_comma)]
    elif kwonly:
        kwonly[-1] = kwonly[-1].with_changes(comma=last_comma)
    elif isinstance(star, cst.Param):
        star = star.with_changes(comma=last_comma)
    if params.star_kwarg is not None:
        new = new.with_changes(comma=comma)
    elif trailing:
        new = new.with_changes(comma=cst.Comma(whitespace_after=after))
    changes["star_arg"] = star
    changes["kwonly_params"] = [*kwonly, new]
    return params.with_changes(**changes)


def _without_gap(original: cst.ClassDef, updated: cst.ClassDef) -> cst.ClassDef:
    """No blank line before what has become the first statement of a class."""
    before, after = original.body.body, updated.body.body
    if not before or not after or before[0] is after[0] or len(before) == len(after):
        return updated
    first = after[0]
    lines = list(getattr(first, "leading_lines", ()))
    while lines and lines[0].comment is None:
        del lines[0]
    if not isinstance(first, (cst.SimpleStatementLine, cst.BaseCompoundStatement)):
        return updated
    body = updated.body.with_changes(body=[first.with_changes(leading_lines=lines), *after[1:]])
    return updated.with_changes(body=body)


def _is_passed_on(node: cst.FunctionDef) -> bool:
    """Is all that a `__new__` does to return what the base's gives?"""
    block = statements_of(node.body)
    if any(isinstance(line, cst.BaseCompoundStatement) for line in block):
        return False
    lines = [small for line in block for small in getattr(line, "body", ())]
    statements = [s for s in lines if not (isinstance(s, cst.Expr) and isinstance(s.value, cst.SimpleString))]
    made = [s.value for s in statements if isinstance(s, (cst.Assign, cst.Return))]
    names = {
        t.target.value
        for s in statements
        if isinstance(s, cst.Assign)
        for t in s.targets
        if isinstance(t.target, cst.Name)
    }
    calls = [v for v in made if isinstance(v, cst.Call) and _is_new_of_base(v)]
    returned = [v for v in made if isinstance(v, cst.Name) and v.value in names]
    return len(calls) == 1 and len(calls) + len(returned) == len(statements) == len(made)


def _is_new_of_base(call: cst.Call) -> bool:
    func = call.func
    if not isinstance(func, cst.Attribute) or func.attr.value != "__new__" or not isinstance(func.value, cst.Call):
        return False
    return isinstance(func.value.func, cst.Name) and func.value.func.value == "super"


def _sets_or_passes_on(part: cst.CSTNode) -> bool:
    """In `__new__`: an attribute that is set too early, or arguments for a base that takes none."""
    if isinstance(part, cst.AssignTarget):
        return isinstance(part.target, cst.Attribute)
    called = isinstance(part, cst.Call) and isinstance(part.func, cst.Attribute) and part.func.attr.value == "__new__"
    return called and isinstance(part, cst.Call) and (len(part.args) > 1 or any(arg.star for arg in part.args))


def _keywords(cls: ClassInfo) -> Sequence[cst.Arg]:
    return cls.node.keywords if isinstance(cls.node, cst.ClassDef) else ()


def _is_text(value: Value) -> bool:
    return isinstance(value, Const) and isinstance(value.value, str)

"""What cannot be traced: branches on the values of arrays, and sizes and Python numbers taken from them.

A compiled model sees no values of its arrays. Three things follow for a function that such a model may run:

- checks that only complain are left out where there are no values (`guards`);
- what would change the result is an error in code that a module runs when it is called, since the converted model would
  fail as soon as it is compiled; elsewhere a branch on values gets a warning, as it works eagerly;
- what is the same for every call (shapes, settings, branches for other compilers) is left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.calls import base_type
from ..analysis.model import MAPPINGS
from ..analysis.nodes import Visitor
from ..analysis.project import dotted
from ..analysis.values import (
    NOTHING,
    UNKNOWNS,
    Api,
    Const,
    Container,
    FunctionRef,
    MethodRef,
    Scalar,
    Tensor,
)
from ..convert.base import CallArg, Misfit
from ..convert.bind import bind
from ..convert.conditions import Facts, holds
from .choices import Choice, find_choice, only_callee
from .context import Finding
from .fixed import Fixed, stands_in
from .kept import has_no_axes, kept_values
from .masks import mask_axis, masks
from .reach import called, only_complains
from .selected import find_selected
from .settings import leaves

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..analysis.model import FunctionInfo
    from ..analysis.values import Value
    from .context import Context

NUMBERS = frozenset({"builtins.int", "builtins.float", "builtins.bool", "builtins.complex", "builtins.range"})
COMPARING = frozenset({"builtins.min", "builtins.max", "builtins.sorted", "builtins.any", "builtins.all"})
SIZES = frozenset({"int", "dims", "shape", "pair", "triple"})  # types of arguments that shape the result

BRANCH = "this branches on the values of an array: it works eagerly, and fails where the function is compiled"
BRANCH_HINT = "choose between the results with a where(), or keep the function out of compiled code"
VALUE = "this needs the values of an array as Python numbers, which a compiled function does not have"
VALUE_HINT = "compute with the array itself, or take the number as an argument of the model"
SIZE = "the size of this depends on the values of an array, which a compiled function does not have"
SIZE_HINT = "keep the full size and mask what does not count, or take the size as an argument of the model"


class Traced:
    """Findings and guards of the functions of one file, made before they are translated."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.engine = context.engine
        self.kb = context.kb
        self.settings = context.effects.settings
        self.origins: dict[FunctionInfo, dict[str, list[cst.BaseExpression]]] = {}
        self.blocking: dict[FunctionInfo, bool] = {}
        self.fixed = Fixed(self.engine, self.kb)
        self.lenient = False  # in checks: what may be an array counts as one
        self.assuming = False  # in what checks call: so does what is only assumed to be an array

    def scan(self, function: FunctionInfo) -> _Scanner:
        """What a function does that cannot be traced, and which of its checks have to look for values first."""
        scanner = _Scanner(self, function)
        builds = function.name == "__init__" and (function.cls is None or function.cls.is_module)
        if isinstance(function.node, cst.FunctionDef) and not builds:
            function.node.body.visit(scanner)
        return scanner

    def blocks(self, function: FunctionInfo) -> bool:
        """May a function of the project, which a check calls, fail when it is traced?"""
        known = self.blocking.get(function)
        if known is None:
            self.blocking[function] = False  # one that calls itself
            self.assuming = True
            scanner = _Scanner(self, function)
            function.node.visit(scanner) if isinstance(function.node, cst.Lambda) else None
            if isinstance(function.node, cst.FunctionDef):
                function.node.body.visit(scanner)
            self.assuming = False
            known = bool(scanner.findings) or any(map(self.blocks, scanner.called))
            self.blocking[function] = known
        return known

    # ---- arrays ------------------------------------------------------------------------------------------------------

    def is_array(self, node: cst.BaseExpression, function: FunctionInfo, seen: frozenset[str] = frozenset()) -> bool:
        """Is an expression an array for certain, not only an argument of which nobody says what it is?"""
        values = self.engine.facts.get(node, NOTHING)
        if not any(isinstance(v, Tensor) and (self.assuming or not v.weak) for v in values):
            return False
        if self.assuming:
            return True
        if not self.lenient and not all(map(_suits, values)):
            return False
        if isinstance(node, cst.Name):
            if node.value in seen:
                return False
            found = self.origins_of(function).get(node.value)
            if not found:
                return True
            return any(self.is_array(origin, function, seen | {node.value}) for origin in found)
        parts = _parts(node) or (self._combined(node) if isinstance(node, cst.Call) else None)
        return not parts or any(self.is_array(part, function, seen) for part in parts)

    def _combined(self, call: cst.Call) -> list[cst.BaseExpression] | None:
        """The arguments from which a one-line function (`return n % d == 0`) makes its result; None for other calls."""
        callee = only_callee(self.engine.facts.get(call.func, NOTHING))
        if not isinstance(callee, FunctionRef) or callee.receiver or any(arg.star for arg in call.args):
            return None
        result = _only_return(callee.function)
        names = callee.function.parameters
        given = {names[i]: arg.value for i, arg in enumerate(call.args[: len(names)]) if arg.keyword is None}
        given |= {arg.keyword.value: arg.value for arg in call.args if arg.keyword is not None}
        found: list[cst.BaseExpression] = []
        waiting = [result] if result is not None and callee.function.star is None else [call]
        while waiting:
            node = waiting.pop()
            if isinstance(node, cst.Name) and node.value in given:
                found.append(given[node.value])
            elif parts := _parts(node):
                waiting += parts
            elif not isinstance(node, (cst.BaseNumber, cst.SimpleString)):
                return None
        return found

    def holds_arrays(self, node: cst.BaseExpression, function: FunctionInfo) -> bool:
        """Is an expression an array, or a list or tuple of arrays?"""
        if isinstance(node, (cst.Tuple, cst.List)):
            return any(self.holds_arrays(element.value, function) for element in node.elements)
        if isinstance(node, (cst.ListComp, cst.GeneratorExp)):
            return self.is_array(node.elt, function)
        values = self.engine.facts.get(node, NOTHING)
        for value in values:
            if isinstance(value, Container) and value.site.kind not in MAPPINGS:
                elements = value.site.elements.values
                if any(isinstance(v, Tensor) and not v.weak for v in elements) and not elements & UNKNOWNS:
                    return True
        return self.is_array(node, function)

    def origins_of(self, function: FunctionInfo) -> dict[str, list[cst.BaseExpression]]:
        """What the names of a function are bound to."""
        found = self.origins.get(function)
        if found is None:
            reader = _Origins()
            function.node.visit(reader)
            found = self.origins[function] = reader.found
        return found


def _suits(value: Value) -> bool:
    """May something that is an array also be this? What may be a number, too, is not an array for certain."""
    if isinstance(value, Const):
        return value.value is None or isinstance(value.value, bool)
    return isinstance(value, Tensor) or (isinstance(value, Scalar) and value.type == "bool")


def _parts(node: cst.BaseExpression) -> list[cst.BaseExpression]:
    """What an expression takes its kind from, where that is not the expression itself."""
    if isinstance(node, cst.Comparison):
        return [node.left, *(part.comparator for part in node.comparisons)]
    if isinstance(node, cst.BinaryOperation):
        return [node.left, node.right]
    if isinstance(node, cst.UnaryOperation):
        return [node.expression]
    if isinstance(node, cst.Subscript):
        return [node.value]
    if isinstance(node, cst.IfExp):
        return [node.body, node.orelse]
    if isinstance(node, cst.BooleanOperation):
        return [node.left, node.right]
    if isinstance(node, cst.NamedExpr):
        return [node.value]
    return []


def _only_return(function: FunctionInfo) -> cst.BaseExpression | None:
    """What a function gives that does nothing else."""
    body = function.node.body if isinstance(function.node, cst.FunctionDef) else None
    last = body.body[-1] if body is not None and len(body.body) == 1 else None
    if isinstance(last, cst.SimpleStatementLine):
        last = last.body[-1] if len(last.body) == 1 else None
    return last.value if isinstance(last, cst.Return) else None


class _Origins(Visitor):
    """What the names of a function are bound to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[cst.BaseExpression]] = {}

    def _bind(self, target: cst.BaseExpression, value: cst.BaseExpression) -> None:
        if isinstance(target, cst.Name):
            self.found.setdefault(target.value, []).append(value)
        elif isinstance(target, (cst.Tuple, cst.List)):
            values: list[cst.BaseExpression] = [value] * len(target.elements)
            if isinstance(value, cst.Tuple) and len(value.elements) == len(target.elements):
                values = [element.value for element in value.elements]
            for element, part in zip(target.elements, values, strict=True):
                self._bind(element.value, part)

    def visit_Assign(self, node: cst.Assign) -> None:
        for target in node.targets:
            self._bind(target.target, node.value)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        if node.value is not None:
            self._bind(node.target, node.value)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        self._bind(node.target, node.value)

    def visit_NamedExpr(self, node: cst.NamedExpr) -> None:
        self._bind(node.target, node.value)

    def visit_For(self, node: cst.For) -> None:
        self._bind(node.target, node.iter)

    def visit_CompFor(self, node: cst.CompFor) -> None:
        self._bind(node.target, node.iter)


class _Scanner(Visitor):
    """One function, without the functions in it (lambdas belong to it)."""

    def __init__(self, traced: Traced, function: FunctionInfo) -> None:
        super().__init__()
        self.traced = traced
        self.engine = traced.engine
        self.kb = traced.kb
        self.function = function
        self.statements: list[cst.CSTNode] = []
        self.findings: list[tuple[cst.CSTNode, Finding]] = []  # the statement that cannot be traced, and why
        self.guards: dict[cst.CSTNode, list[cst.BaseExpression]] = {}  # checks -> the arrays that they look at
        self.choices: dict[cst.CSTNode, Choice] = {}  # branches that become a choice between two arrays
        self.selected: dict[cst.CSTNode, str] = {}  # examples for a loss, which may take all of them
        self.fixed: set[cst.CSTNode] = set()  # statements that make arrays which must have values
        self.fixed_parts: dict[cst.CSTNode, cst.CSTNode] = {}  # expressions that do, and the statements they stand in
        # numbers of arrays that are only kept for the caller (kept.py) -> has the array no axes for certain?
        self.kept: dict[cst.CSTNode, bool] = {}
        self.keeping: set[cst.CSTNode] = set()  # what is kept in the statements around
        self.called: list[FunctionInfo] = []
        self.stored: dict[cst.CSTNode, str] = {}  # what is written -> the augmented operator
        self.tested: set[cst.CSTNode] = set()
        self.optional = False  # in what runs with other settings than the defaults only

    def _report(self, node: cst.CSTNode, message: str, hint: str) -> None:
        statement = self.statements[-1] if self.statements else node
        if self.optional:
            finding = Finding(node, "SW4004", f"{message} (not with the default settings)", hint, "warning")
        else:
            finding = Finding(node, "SW4005", message, hint)
        self.findings.append((statement, finding))

    def _usual(self, test: cst.BaseExpression) -> bool | None:
        return self.traced.settings.usual(test, self.function)

    def _visit(self, node: cst.CSTNode, usual: bool) -> None:
        """Look at a part that runs with the default settings, or not."""
        before = self.optional
        self.optional = before or not usual
        node.visit(self)
        self.optional = before

    # ---- statements --------------------------------------------------------------------------------------------------

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        return False

    def visit_ClassDef(self, node: cst.ClassDef) -> bool:
        return False

    def visit_SimpleStatementLine(self, node: cst.SimpleStatementLine) -> bool:
        self.statements.append(node)
        self.keeping.update(kept_values(node))
        return True

    def leave_SimpleStatementLine(self, original_node: cst.SimpleStatementLine) -> None:
        self.statements.pop()

    def visit_If(self, node: cst.If) -> bool:
        outcome = self.engine.decide(node.test)
        self.statements.append(node)
        complains = only_complains(node.body)
        other = isinstance(node.orelse, cst.Else) and only_complains(node.orelse.body)
        choice = find_choice(node, self.engine, self.kb, self._is_array) if outcome is None else None
        if choice is not None:
            self.choices[node] = choice
            self.tested.update(self._leaves(node.test))
            node.test.visit(self)
        guarded = outcome is None and choice is None and (complains or other) and self._guard(node, node.test)
        if outcome is None and choice is None and not guarded:
            self._test(node.test)
            node.test.visit(self)
        self.statements.pop()
        usual = self._usual(node.test)
        if outcome is not False and not (complains and guarded):
            self._visit(node.body, usual is not False)
        if outcome is not True and node.orelse is not None and not (other and guarded and not complains):
            self._visit(node.orelse, usual is not True)
        return False

    def visit_IndentedBlock(self, node: cst.IndentedBlock) -> bool:
        before = self.optional
        self.selected |= find_selected(node.body, self.function, self.engine, self.kb)
        for statement in node.body:
            statement.visit(self)
            if isinstance(statement, cst.If) and self._usual(statement.test) is True and leaves(statement.body):
                self.optional = True  # what follows runs with other settings only
        self.optional = before
        return False

    def visit_Assert(self, node: cst.Assert) -> bool:
        if not self._guard(node, node.test):
            self._test(node.test)
            node.test.visit(self)
        return False

    def visit_While(self, node: cst.While) -> bool:
        self.statements.append(node)
        self._test(node.test)
        node.test.visit(self)
        self.statements.pop()
        node.body.visit(self)
        if node.orelse is not None:
            node.orelse.visit(self)
        return False

    def visit_For(self, node: cst.For) -> bool:
        self.statements.append(node)
        node.iter.visit(self)
        self.statements.pop()
        node.body.visit(self)
        if node.orelse is not None:
            node.orelse.visit(self)
        return False

    def visit_With(self, node: cst.With) -> bool:
        self.statements.append(node)
        for item in node.items:
            item.visit(self)
        self.statements.pop()
        node.body.visit(self)
        return False

    def visit_Annotation(self, node: cst.Annotation) -> bool:
        return False

    def visit_Raise(self, node: cst.Raise) -> bool:
        return False

    # ---- truth values ------------------------------------------------------------------------------------------------

    def visit_IfExp(self, node: cst.IfExp) -> bool:
        self._test(node.test)
        node.test.visit(self)
        usual = self._usual(node.test)
        self._visit(node.body, usual is not False)
        self._visit(node.orelse, usual is not True)
        return False

    def visit_CompIf(self, node: cst.CompIf) -> None:
        self._test(node.test)

    def visit_BooleanOperation(self, node: cst.BooleanOperation) -> bool:
        if node not in self.tested:
            self._test(node.left)
        node.left.visit(self)
        self._visit(node.right, not self._ends(node))
        return False

    def _ends(self, node: cst.BooleanOperation) -> bool:
        """Is the right side of `and` or `or` not asked for with the default settings?"""
        return self._usual(node.left) is isinstance(node.operator, cst.Or)

    def visit_UnaryOperation(self, node: cst.UnaryOperation) -> None:
        if isinstance(node.operator, cst.Not) and node not in self.tested:
            self._test(node.expression)

    def _test(self, test: cst.BaseExpression) -> None:
        for leaf in self._leaves(test):
            self._report(leaf, BRANCH, BRANCH_HINT)

    def _leaves(self, test: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
        """The arrays whose truth a test asks for."""
        self.tested.add(test)
        if self.engine.decide(test) is not None:
            return
        if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
            yield from self._leaves(test.expression)
        elif isinstance(test, cst.BooleanOperation):
            yield from self._leaves(test.left)
            before = self.optional
            self.optional = before or self._ends(test)
            yield from self._leaves(test.right)
            self.optional = before
        elif isinstance(test, cst.Comparison):
            if self._compares_arrays(test):
                yield test
        elif self._is_array(test) and not self._asks_whether_given(test):
            yield test

    def _asks_whether_given(self, test: cst.BaseExpression) -> bool:
        """`if state:`, for something that may be None: whether there is one, not what is in it."""
        plain = isinstance(test, (cst.Name, cst.Attribute))
        return plain and Const(None) in self.engine.facts.get(test, NOTHING)

    def _compares_arrays(self, test: cst.Comparison) -> bool:
        sides = [test.left, *(part.comparator for part in test.comparisons)]
        operators = [part.operator for part in test.comparisons]
        if any(isinstance(operator, (cst.Is, cst.IsNot)) for operator in operators):
            return False
        if any(isinstance(side, cst.Name) and side.value == "None" for side in sides):
            return False
        if any(isinstance(operator, (cst.In, cst.NotIn)) for operator in operators):
            return self._is_array(test.left)
        return any(map(self._is_array, sides))

    def _is_array(self, node: cst.BaseExpression) -> bool:
        return self.traced.is_array(node, self.function)

    def _may_be_array(self, node: cst.CSTNode) -> bool:
        return any(isinstance(v, Tensor) for v in self.engine.facts.get(node, NOTHING))

    # ---- checks ------------------------------------------------------------------------------------------------------

    def _guard(self, node: cst.CSTNode, test: cst.BaseExpression) -> bool:
        """A check that cannot be traced is made only where its arrays have values."""
        part = _Scanner(self.traced, self.function)
        self.traced.lenient = True
        part._test(test)
        test.visit(part)
        self.traced.lenient = False
        if not part.findings and not any(map(self.traced.blocks, part.called)):
            return False
        roots = _Roots(self)
        test.visit(roots)
        if not roots.found:
            return False
        self.guards[node] = list(roots.found.values())
        return True

    # ---- Python numbers and sizes ------------------------------------------------------------------------------------

    def visit_Call(self, node: cst.Call) -> None:
        values = self.engine.facts.get(node.func, NOTHING)
        self.called += called(self.engine, values)
        value = only_callee(values)
        if isinstance(value, Api):
            self._api(node, value.name)
        elif isinstance(value, MethodRef) and any(isinstance(v, Tensor) for v in value.receiver):
            if isinstance(node.func, cst.Attribute):
                self._op(node, f"{self.engine.tensor_type}.{value.name}", node.func.value)

    def _api(self, node: cst.Call, name: str) -> None:
        first = node.args[0].value if node.args else None
        if name in NUMBERS:
            arrays = first is not None and any(self._is_array(argument.value) for argument in node.args)
            if arrays and not (name == "builtins.float" and self._keep(node)):
                self._report(node, VALUE, VALUE_HINT)
        elif name in COMPARING:
            if any(self.traced.holds_arrays(argument.value, self.function) for argument in node.args):
                self._report(node, BRANCH, BRANCH_HINT)
        elif name.startswith(("math.", "numpy.")):
            if any(self._is_array(argument.value) for argument in node.args):
                self._report(node, VALUE, VALUE_HINT)
        else:
            self._op(node, name, None)

    def _op(self, node: cst.Call, name: str, receiver: cst.BaseExpression | None) -> None:
        rows = self.kb.read(name)
        writes = [row for r in rows if (row := self.kb.write(r.op)) is not None]
        arrays = [argument.value for argument in node.args if self._is_array(argument.value)]
        if not arrays and not any(row.concrete for row in writes):
            return
        bound = bind(
            self.kb,
            name,
            [self._argument(argument) for argument in node.args],
            None if receiver is None else CallArg(receiver, receiver, self.engine.facts.get(receiver, UNKNOWNS)),
            node,
        )
        if isinstance(bound, Misfit):
            return
        row = self.kb.write(bound.op.name)
        concrete = row.concrete if row is not None else {}
        for parameter, value in bound.args.items():
            if parameter in concrete:
                needed = holds(concrete[parameter], Facts(self.kb, bound)) is True
                sure = base_type(bound.op.params[parameter].type) == "tensor" and self._may_be_array(value.original)
                if needed and (sure or self._is_array(value.original)) and not self._fix(node):
                    if bound.op.name == "item" and self._keep(node):
                        return
                    number = base_type(bound.op.returns) in ("number", "list", "ndarray", "bool")
                    self._report(node, *((VALUE, VALUE_HINT) if number else (SIZE, SIZE_HINT)))
                    return
            elif base_type(bound.op.params[parameter].type) in SIZES and any(
                argument in arrays for argument in _elements(value.original)
            ):
                self._report(node, SIZE, SIZE_HINT)
                return

    def _keep(self, call: cst.Call) -> bool:
        """Let the array itself be kept, where the number that a call takes from it is only kept."""
        array = call.func.value if isinstance(call.func, cst.Attribute) else call.args[0].value
        if call in self.keeping and self.traced.context.style.stop_gradient:
            self.kept[call] = has_no_axes(array, self.traced.origins_of(self.function), self.engine, self.kb)
        return call in self.kept

    def _fix(self, node: cst.BaseExpression) -> bool:
        """Let an array that is the same in every call be computed while the function is compiled, if it is one."""
        line = self.statements[-1] if self.statements else None
        if not self.traced.context.style.compiling or not isinstance(line, cst.SimpleStatementLine):
            return False
        makers = self.traced.fixed.makers(node, self.function)
        if makers is None:
            return False
        small = line.body[0]
        if isinstance(small, cst.Assign) and small.value is node and len(line.body) == 1:
            self.fixed.add(line)
        elif not isinstance(node, cst.Name):
            if not stands_in(node, line):
                return False
            self.fixed_parts[node] = line
        self.fixed.update(makers)
        return True

    def _argument(self, argument: cst.Arg) -> CallArg:
        return CallArg(
            argument.value,
            argument.value,
            self.engine.facts.get(argument.value, NOTHING) or UNKNOWNS,
            argument.keyword.value if argument.keyword is not None else None,
            argument.star,
        )

    def visit_Assign(self, node: cst.Assign) -> None:
        self.stored.update((target.target, "") for target in node.targets)
        first = node.targets[0].target
        if isinstance(first, cst.Subscript) and isinstance(node.value, cst.Subscript) and len(node.targets) == 1:
            same = self.traced.context.module.tree.code_for_node
            if len(first.slice) == 1 and [*map(same, first.slice)] == [*map(same, node.value.slice)]:
                self.stored[node.value] = ""  # `x[mask] = y[mask]`

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        self.stored[node.target] = type(node.operator).__name__

    def _is_written(self, node: cst.Subscript) -> bool:
        """Is this a write through a mask, which needs no index for each true place?"""
        operator = self.stored.get(node)
        style = self.traced.context.style
        if operator is None or mask_axis(node, self.traced.context.facts) is None:
            return False
        return not operator or operator in dict(style.mask_neutral)

    def visit_Subscript(self, node: cst.Subscript) -> None:
        owners = self.engine.facts.get(node.value, NOTHING)
        array = any(isinstance(v, Tensor) for v in owners)
        if node in self.selected:
            return
        for element in node.slice:
            index = element.slice
            if isinstance(index, cst.Slice):
                bounds = (index.lower, index.upper, index.step)
                if any(bound is not None and self._is_array(bound) for bound in bounds):
                    self._report(node, SIZE, SIZE_HINT)
                    return
            elif isinstance(index, cst.Index):
                values = self.engine.facts.get(index.value, NOTHING)
                if array and masks(index.value, values) and not self._is_written(node):
                    if not self._fix(index.value):
                        self._report(node, SIZE, SIZE_HINT)
                    return
                if any(isinstance(v, Container) for v in owners) and not array and self._is_array(index.value):
                    self._report(node, VALUE, VALUE_HINT)
                    return


def _elements(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    yield node
    if isinstance(node, (cst.Tuple, cst.List)):
        for element in node.elements:
            yield from _elements(element.value)


class _Roots(Visitor):
    """The arrays that an expression is computed from: names, and attributes of the module."""

    def __init__(self, scanner: _Scanner) -> None:
        super().__init__()
        self.scanner = scanner
        self.found: dict[str, cst.BaseExpression] = {}
        self.bound: set[str] = set()

    def visit_CompFor(self, node: cst.CompFor) -> None:
        if isinstance(node.target, cst.Name):
            self.bound.add(node.target.value)
            self.found.pop(node.target.value, None)

    def visit_Lambda(self, node: cst.Lambda) -> bool:
        return False

    def visit_Name(self, node: cst.Name) -> None:
        if node.value not in self.bound and self._has_arrays(node):
            self.found.setdefault(node.value, node)

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        path = dotted(node)
        own = self.scanner.function.parameters[:1]
        if path and path.count(".") == 1 and own == [path.split(".")[0]]:
            if self._has_arrays(node):
                self.found.setdefault(path, node)
            return False
        node.value.visit(self)
        return False

    def visit_Arg(self, node: cst.Arg) -> bool:
        node.value.visit(self)
        return False

    def _has_arrays(self, node: cst.BaseExpression) -> bool:
        values = self.scanner.engine.facts.get(node, NOTHING)
        if any(isinstance(v, (FunctionRef, MethodRef)) for v in values):
            return False
        for value in values:
            if isinstance(value, Tensor):
                return True
            if isinstance(value, Container) and any(isinstance(v, Tensor) for v in value.site.elements.values):
                return True
        return False

"""State of the walk: where we are (function, class, statement), and what findings and random streams follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.project import dotted
from ..analysis.values import Api
from ..convert.base import CallArg, Emission, Misfit, Place
from ..convert.precedence import NOT, OBJECT, level, parenthesized
from .aliases import is_private
from .context import Context, Finding, fill_style
from .traced import Traced

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    from ..analysis.model import ClassInfo, FunctionInfo, ModuleInfo
    from ..analysis.values import Value, Values
    from ..convert.base import OpCall
    from ..kb.model import ReadRow
    from .choices import Choice
    from .steps import Step, StepFinder


@dataclass(frozen=True, slots=True)
class Registration:
    """`self.register_buffer(name, value)` and its relatives, taken apart."""

    name: cst.BaseExpression
    value: cst.BaseExpression
    original: cst.BaseExpression  # the value as it was written
    persistent: bool | cst.BaseExpression  # an expression where it is decided at run time
    values: Values


class _Here:
    """The place of an expression for convert.emit.

    The random stream is looked up only when an op asks for it, since a class whose methods use one must keep it.
    """

    __slots__ = ("_walk", "plugins")

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self.plugins = walk.context.plugins

    @property
    def rngs(self) -> cst.BaseExpression | None:
        return self._walk.stream()

    def is_variable(self, name: str) -> bool:
        handed, function = self._walk.effects.handed, self._walk.function
        return handed.is_variable(function, name) and not handed.is_item(function, name)

    def is_array(self, name: str) -> bool:
        return not self._walk.effects.handed.is_variable(self._walk.function, name)

    def is_private(self, node: cst.BaseExpression) -> bool:
        return is_private(self._walk.function, node, self._walk.context)


RESET = "reset_parameters"  # which constructors of the source's layers call, and those of the target do not
EMPTY_BLOCK = "contextlib.nullcontext()"  # how rows write a block that changes nothing


class Walk(cst.CSTTransformer):
    """Base of the parts of the translator."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context
        self.kb = context.kb
        self.style = context.style
        self.engine = context.engine
        self.effects = context.effects
        self.functions: list[FunctionInfo] = []
        self.by_fans: set[cst.CSTNode] = set()  # weights for which it matters which axes are inputs and outputs
        self.loose: set[cst.CSTNode] = set()  # weights and biases of unknown layers that are changed in place
        self.defaults: list[FunctionInfo] = []  # functions in whose default values the walk is: they belong outside
        self.classes: list[ClassInfo] = []
        self.callees: set[cst.CSTNode] = set()  # functions of calls: handled with the call
        self.plain = set(context.effects.handed.arguments)  # places that take a variable itself, not its value
        self.flags: dict[cst.CSTNode, ReadRow] = {}  # `p.requires_grad` of a parameter (freezing.py)
        self.peeked: set[cst.CSTNode] = set()  # variables that are indexed or asked for their shape
        self.symmetric: set[cst.CSTNode] = set()  # weights that are filled alike in any order of their axes
        # weight of a layer -> its variable and order of axes
        self.variables: dict[cst.CSTNode, tuple[cst.BaseExpression, tuple[int, ...]]] = {}
        self.fused: dict[
            cst.CSTNode, cst.CSTNode
        ] = {}  # weight that is several in the target -> statement that fills it
        # such a statement -> the first part, which it fills, and the others
        self.split: dict[cst.CSTNode, tuple[cst.Attribute, list[cst.Attribute]]] = {}
        self.asked: set[cst.CSTNode] = set()  # what is compared with None
        self.filled = set(context.effects.handed.arguments)  # what is handed to an initialiser
        self.trained: dict[cst.CSTNode, cst.BaseExpression | None] = {}  # `m.parameters()` of an optimizer -> `m`
        self.finders: dict[FunctionInfo, StepFinder] = {}  # of training steps
        self.trainers: dict[FunctionInfo, bool] = {}  # does it train?
        self.steps: dict[cst.CSTNode, dict[cst.CSTNode, Step]] = {}  # block -> its statements that belong to steps
        self.refused_steps: dict[cst.CSTNode, str] = {}  # call of a training step that is not converted -> why
        self.forgotten: set[cst.CSTNode] = set()  # calls that forget gradients, where steps are converted
        self.clips: set[cst.CSTNode] = set()  # calls that clip gradients, in steps that are converted
        self.listings: set[cst.CSTNode] = set()  # the calls of parameters() in them
        self.empty_blocks: set[cst.CSTNode] = set()  # partial() of what then gives a block that changes nothing
        self.bound_keywords: dict[cst.CSTNode, list[str]] = {}  # function of a partial() -> the keywords it is given
        self.on_path: set[cst.CSTNode] = set()  # what attributes are taken of
        self.types: set[cst.CSTNode] = set()  # names that stand for types (annotations, isinstance)
        self.annotations: set[cst.CSTNode] = set()  # those in annotations
        self.bases: set[cst.CSTNode] = set()  # names in the list of base classes
        self.arrays: set[cst.CSTNode] = set()  # places that take arrays: neither variables nor None
        self.alone: set[cst.CSTNode] = set()  # expressions that are whole statements
        self.singles: dict[cst.CSTNode, cst.Expr] = {}  # statement with a comma too much -> the statement without it
        self.safe: set[cst.CSTNode] = set()  # places where no parentheses are needed
        self.marks: list[int] = []  # number of findings when each enclosing statement was entered
        self.dropped: set[cst.CSTNode] = set()  # statements that go away
        self.reads_gradients: bool | None = None  # does anything in the file use gradients?
        self.attributes_read: dict[ModuleInfo, Counter[str]] = {}  # how often a file uses them (left_out.py)
        self.chained: set[cst.CSTNode] = set()  # `elif` parts
        self.ends: dict[cst.CSTNode, cst.If] = {}  # a return that always comes -> the `if` in which it stood
        self.recording: list[str | None] = [None]  # of gradients, in each enclosing block (recording.py)
        self.switches: set[cst.CSTNode] = set()  # items of `with` of which a run decides whether gradients are recorded
        self.switched: set[cst.CSTNode] = set()  # the framework's names in them
        self.block_names: dict[cst.CSTNode, str] = {}  # item -> what the block is called
        # tensors that the target lacks, in tests -> what is there where they are
        self.beside: dict[cst.CSTNode, str] = {}
        self.decorator_kinds: dict[cst.CSTNode, str] = {}
        self.nothing: set[str] = set()  # variables of the function that were given None for something of the source
        self.stream_outside = False  # does code outside functions draw?
        self.seeds: dict[cst.CSTNode | None, str] = {}  # the seeds that functions (None: the module) were given
        self.switched_modules: dict[FunctionInfo, set[str]] = {}  # what a function asks for its mode, and switches
        self.operands: set[cst.CSTNode] = set()  # places where `not x` needs no parentheses
        self.safe_stores: set[cst.CSTNode] = set()  # attribute targets: written, not read
        self.receivers: dict[cst.CSTNode, cst.BaseExpression] = {}  # method call -> its translated receiver
        self.registered: dict[cst.CSTNode, Registration] = {}
        self.stored_methods: dict[cst.CSTNode, cst.Attribute] = {}  # `self.fast` in `self.block = self.fast`
        self.with_kinds: dict[cst.CSTNode, list[str | None]] = {}
        self.alias_findings: dict[cst.CSTNode, Finding] = {}
        self.traced = Traced(context)
        self.untraced: dict[cst.CSTNode, list[Finding]] = {}  # statements that cannot be traced
        self.guards: dict[cst.CSTNode, list[cst.BaseExpression]] = {}  # checks of arrays that may have no values
        self.choices: dict[cst.CSTNode, Choice] = {}
        self.selected: dict[cst.CSTNode, str] = {}  # examples for a loss (selected.py)
        # numbers of arrays that are only kept for the caller (kept.py) -> has the array no axes for certain?
        self.kept: dict[cst.CSTNode, bool] = {}
        self.fixed: set[cst.CSTNode] = set()  # statements that are computed while a function is compiled (fixed.py)
        self.fixed_parts: dict[cst.CSTNode, cst.CSTNode] = {}  # expressions that are, and their statements
        self.small: cst.BaseSmallStatement | None = None  # the statement that stores something
        self.made_blocks: set[cst.CSTNode] = set()
        self.given_names: set[str] = set()  # local names that the passes made up
        self.fixed_before: dict[cst.CSTNode, list[cst.BaseStatement]] = {}  # what computes them, by their statement
        self.bound_values: dict[cst.Assign, cst.BaseExpression] = {}  # `w = module.weight` -> its value in the target
        self.alone_value: dict[cst.CSTNode, cst.BaseExpression] = {}  # `x[i]` of `x[i] = v` -> v
        self.depths: list[int] = []  # function depth at each enclosing class
        self.keeps_stream: set[ClassInfo] = set()  # classes whose instances must keep a random stream

    # ---- place -------------------------------------------------------------------------------------------------------

    @property
    def function(self) -> FunctionInfo | None:
        return self.functions[-1] if self.functions else None

    def self_name(self, function: FunctionInfo) -> str:
        return function.parameters[0] if function.parameters else "self"

    def in_class_body(self) -> bool:
        """Is this part of a class, and of none of its methods?"""
        return bool(self.classes) and self.depths[-1] == len(self.functions)

    def stream(self) -> cst.BaseExpression | None:
        """The expression that gives random keys here."""
        style = self.style
        if style.stream is None:
            return None
        functions = [function for function in self.functions if function not in self.defaults]
        for function in reversed(functions):
            if self.effects.takes_stream(function):
                return cst.Name(style.stream)
            cls = function.cls
            if self.engine.is_pass(function):
                at = self.engine.context_position(function)
                if at is None or at >= len(function.parameters):
                    return None
                return self._stream_of(function.parameters[at])
            if cls is not None and cls.is_module and function.kind in ("method", "property") and function.parameters:
                self.keeps_stream.add(cls)
                return self._stream_of(self.self_name(function))
            if cls is not None:
                return None
        if not functions:
            self.context.use(imports=frozenset(self._aliases(style.stream_outside)))
            if self.classes or self.defaults:
                return cst.parse_expression(style.stream_outside)
            self.stream_outside = self.stream_outside or None not in self.seeds
            return cst.Name(self.context.free_name(style.stream))  # made by leave_Module
        return None

    def _stream_of(self, owner: str) -> cst.BaseExpression:
        """`self.rngs`"""
        text = self.style.stream_attribute.replace("{self}", owner)
        return cst.parse_expression(text.replace("{stream}", str(self.style.stream)))

    def _aliases(self, text: str) -> set[str]:
        return {text.split(".")[0].split("(")[0]} & set(self.kb.imports())

    def place(self) -> Place:
        return _Here(self)  # type: ignore[return-value]

    # ---- results -----------------------------------------------------------------------------------------------------

    def fail(self, node: cst.CSTNode, misfit: Misfit) -> None:
        if misfit.argument is not None and isinstance(node, cst.Call) and 0 <= misfit.argument < len(node.args):
            node = node.args[misfit.argument].value
        self.context.fail(node, misfit)

    def take(
        self, original: cst.BaseExpression, result: Emission | Misfit, otherwise: cst.BaseExpression
    ) -> cst.BaseExpression:
        """The emitted node, fit for the place of `original`; `otherwise` when it could not be converted."""
        if isinstance(result, Misfit):
            self.fail(original, result)
            return otherwise
        self.context.use(result.imports, result.helpers)
        node = result.node
        if result.helpers & self.context.bound:
            node = self._renamed(node, {name: self.context.free_name(name) for name in result.helpers})
        return self.fitted(original, node)

    def _renamed(self, node: cst.BaseExpression, names: dict[str, str]) -> cst.BaseExpression:
        """The emitted node with its own helper calls renamed; arguments, which are the user's, are left alone."""
        if isinstance(node, cst.Name):
            return cst.Name(names.get(node.value, node.value))
        if isinstance(node, cst.Call):
            return node.with_changes(func=self._renamed(node.func, names))
        if isinstance(node, cst.BinaryOperation):
            return node.with_changes(left=self._renamed(node.left, names), right=self._renamed(node.right, names))
        if isinstance(node, (cst.Attribute, cst.Subscript)) and isinstance(node.value, cst.Call):
            return node.with_changes(value=self._renamed(node.value, names))
        return node

    def fitted(self, original: cst.BaseExpression, node: cst.BaseExpression) -> cst.BaseExpression:
        if original.lpar and not node.lpar and not isinstance(node, (cst.Name, cst.Attribute)):
            return node.with_changes(lpar=original.lpar, rpar=original.rpar)
        if original not in self.safe and level(node) < (NOT if original in self.operands else OBJECT):
            return parenthesized(node)
        return node

    def arg(self, node: cst.BaseExpression, original: cst.BaseExpression) -> CallArg:
        return CallArg(node, original, self.context.facts(original))

    @property
    def writes_through(self) -> bool:
        """Can arrays of the target be written to?"""
        return bool(self.style.whole)

    def facts(self, node: cst.CSTNode) -> Values:
        return self.context.facts(node)

    def style_expression(self, text: str, /, **parts: cst.BaseExpression) -> cst.BaseExpression:
        self.context.use(imports=frozenset(self._aliases(text)))
        return fill_style(text, **parts)

    def new_findings(self) -> list[Finding]:
        return self.context.findings[self.marks[-1] :] if self.marks else []

    def failed(self) -> bool:
        """Is there something in this statement that could not be converted?"""
        return any(f.severity == "error" for f in self.new_findings())

    def leave_out(self) -> None:
        """Forgets what was found in a statement that goes away."""
        self.context.findings[self.marks[-1] :] = []
        self.context.changed = True

    # ---- provided by the parts ---------------------------------------------------------------------------------------

    def enter(self, node: cst.CSTNode) -> bool:
        raise NotImplementedError

    def header_nodes(self, node: cst.CSTNode) -> set[cst.CSTNode]:
        raise NotImplementedError

    def is_open(self, node: cst.CSTNode) -> bool:
        raise NotImplementedError

    def _leave_compound(
        self, original: cst.BaseCompoundStatement, updated: cst.BaseCompoundStatement
    ) -> cst.BaseStatement:
        raise NotImplementedError

    def _comment_out(self, original: cst.BaseStatement, errors: list[Finding]) -> cst.BaseStatement:
        raise NotImplementedError

    def certain_kind(self, node: cst.BaseExpression) -> str | None:
        raise NotImplementedError

    def find_switches(self, function: cst.FunctionDef) -> None:
        raise NotImplementedError

    def enter_blocks(self, node: cst.With) -> None:
        raise NotImplementedError

    def leave_blocks(self, node: cst.With) -> None:
        raise NotImplementedError

    def switch_reference(self, original: cst.BaseExpression) -> cst.BaseExpression:
        raise NotImplementedError

    def switch_call(self, original: cst.Call, updated: cst.Call) -> cst.BaseExpression:
        raise NotImplementedError

    def constant(
        self, original: cst.BaseExpression, value: cst.BaseExpression, *, stays: bool = False
    ) -> cst.BaseExpression:
        raise NotImplementedError

    def constant_array(
        self, value: cst.BaseExpression, certain: bool = True, *, stays: bool = False
    ) -> cst.BaseExpression:
        raise NotImplementedError

    def records_nothing(self) -> bool:
        raise NotImplementedError

    def constant_arguments(self, original: cst.Call, updated: cst.Call) -> cst.Call:
        raise NotImplementedError

    def is_direct(self, node: cst.BaseExpression) -> bool:
        raise NotImplementedError

    def kind_api(self, owners: Values, attr: str) -> str | None:
        raise NotImplementedError

    def uses_gradients(self) -> bool:
        raise NotImplementedError

    def project_method(self, owners: Values, name: str) -> bool:
        raise NotImplementedError

    def mark_trained(self, node: cst.Call) -> None:
        raise NotImplementedError

    def with_modules(self, original: cst.Call, updated: cst.Call) -> cst.Call:
        raise NotImplementedError

    def training_call(self, original: cst.Call, updated: cst.Call) -> cst.BaseExpression | None:
        raise NotImplementedError

    def clip_arguments(self, original: cst.Call, args: list[CallArg]) -> list[CallArg]:
        raise NotImplementedError

    def clip_statement(
        self, original: cst.Expr | cst.Assign, updated: cst.Expr | cst.Assign
    ) -> cst.BaseSmallStatement | cst.FlattenSentinel[cst.BaseSmallStatement] | None:
        raise NotImplementedError

    def mark_methods(self, target: cst.BaseExpression, value: cst.BaseExpression) -> None:
        raise NotImplementedError

    def chosen_methods(self, owners: Values, attr: str) -> list[FunctionInfo]:
        raise NotImplementedError

    def stored_method(
        self, original: cst.Attribute, updated: cst.Attribute, target: cst.Attribute
    ) -> cst.BaseExpression:
        raise NotImplementedError

    def with_own_module(self, original: cst.Call, result: cst.BaseExpression) -> cst.BaseExpression:
        raise NotImplementedError

    def with_chosen_forward(self, cls: ClassInfo, node: cst.ClassDef) -> cst.ClassDef:
        raise NotImplementedError

    def is_mixin(self, value: Value) -> bool:
        """A base that saves and loads the source framework's checkpoints, and has no part in what a class computes."""
        return isinstance(value, Api) and value.name in (self.kb.source_framework.get("mixins") or ())

    def without_mixins(self, bases: Sequence[Values]) -> list[Values]:
        """The bases of a class that stay."""
        return [values for values in bases if not any(map(self.is_mixin, values))]

    def _is_variable(self, node: cst.BaseExpression) -> bool:
        raise NotImplementedError

    def is_framework_module(self, name: str) -> bool:
        raise NotImplementedError

    def api_call(self, original: cst.Call, updated: cst.Call, name: str) -> cst.BaseExpression:
        raise NotImplementedError

    def kept_beside(self, node: cst.BaseExpression) -> str | None:
        raise NotImplementedError

    def reordered(self, node: cst.BaseExpression, axes: tuple[int, ...]) -> cst.BaseExpression:
        raise NotImplementedError

    def returned_fill(self, original: cst.Return, updated: cst.Return) -> cst.Return | None:
        raise NotImplementedError

    def returned_change(
        self, original: cst.Return, updated: cst.Return
    ) -> cst.FlattenSentinel[cst.BaseSmallStatement] | None:
        raise NotImplementedError

    def kept_in_expression(
        self, original: cst.Call, root: cst.BaseExpression, place: cst.BaseExpression, value: cst.BaseExpression
    ) -> cst.BaseExpression:
        raise NotImplementedError

    def target_text(self, text: str) -> cst.BaseExpression:
        raise NotImplementedError

    def _mark_types(self, node: cst.BaseExpression, kind: set[cst.CSTNode] | None = None) -> None:
        raise NotImplementedError

    def forget_part(self, node: cst.CSTNode) -> None:
        raise NotImplementedError

    def without_no_types(self, call: cst.Call, values: Values) -> cst.Call:
        raise NotImplementedError

    def kept_in_memory(
        self, original: cst.Call, root: cst.BaseExpression, place: cst.BaseExpression, value: cst.BaseExpression
    ) -> cst.BaseExpression:
        raise NotImplementedError

    def of_base(self, original: cst.Call, updated: cst.Call, name: str) -> cst.BaseExpression | None:
        raise NotImplementedError

    def check_axes(self, original: cst.BaseExpression, call: OpCall) -> None:
        raise NotImplementedError

    def with_variable_types(self, original: cst.Call, updated: cst.Call, values: Values) -> cst.Call:
        raise NotImplementedError

    def tensor_test(self, call: cst.Call) -> cst.BaseExpression | None:
        raise NotImplementedError

    def tensor_tested(self, original: cst.Call, updated: cst.Call) -> cst.BaseExpression | None:
        raise NotImplementedError

    def is_of_no_type(self, call: cst.Call, values: Values) -> bool:
        raise NotImplementedError

    def check_class_key(self, node: cst.BaseExpression, table: cst.BaseExpression, key: cst.BaseExpression) -> None:
        raise NotImplementedError

    def check_named_types(self, node: cst.BaseExpression, types: cst.BaseExpression) -> None:
        raise NotImplementedError

    def is_parts(self, node: cst.BaseExpression) -> bool:
        raise NotImplementedError

    def check_kept(self, node: cst.BaseExpression, values: Sequence[cst.BaseExpression]) -> None:
        raise NotImplementedError

    def layer_attribute(
        self, original: cst.Attribute, updated: cst.Attribute, owners: Values, attr: str
    ) -> cst.BaseExpression:
        raise NotImplementedError

    def shared_weight(self, original: cst.BaseExpression, value: cst.BaseExpression) -> cst.BaseExpression | None:
        raise NotImplementedError

    def read_by_name(self, original: cst.Call, updated: cst.Call, values: Values) -> cst.BaseExpression | None:
        raise NotImplementedError

    def reference(self, original: cst.BaseExpression, updated: cst.BaseExpression, name: str) -> cst.BaseExpression:
        raise NotImplementedError


def is_empty_context(node: cst.BaseExpression) -> bool:
    """Is this a block that changes nothing?"""
    return isinstance(node, cst.Call) and not node.args and f"{dotted(node.func)}()" == EMPTY_BLOCK

"""Parameters that are gone through: `for p in model.parameters()`, `model.state_dict()["fc.weight"]`.

Those of layers have another order of axes in the target, and which layer one belongs to is not known. What asks for an
axis (`p[0]`, `p.shape[1]`, `p.sum(1)`, `x @ p`) is refused; what treats all elements alike is right in any order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.nodes import walk
from ..analysis.values import Api, Const, Container, Tensor
from ..convert.template import is_whole
from .base import Walk
from .in_place_calls import without_data

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..analysis.model import FunctionInfo
    from ..analysis.values import Values
    from ..convert.base import OpCall
    from .context import Context

AXES = frozenset({"dim", "dims", "axis", "axes", "dim0", "dim1", "axis0", "axis1", "start_dim", "end_dim", "shape"})
# Operations of whose arguments each axis has a meaning of its own.
_BY_AXES = """
    matmul mm bmm mv addmm addmv baddbmm linear bilinear einsum tensordot outer inner dot t transpose permute
    matrix_transpose conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d embedding diag diagonal
    trace tril triu inv pinv svd svdvals qr eig eigh eigvals eigvalsh cholesky solve lstsq det slogdet matrix_norm
    matrix_rank cdist index_select gather narrow select unbind split chunk stack cat
"""
BY_AXES = frozenset(_BY_AXES.split())
GIVES_BACK = frozenset(
    {"view", "reshape", "expand"}
)  # whose "shape" is another one: `p.view(-1)` is for sums and norms
# Operations whose result has the axes of their argument.
_ALIKE = """
    abs neg pow square sqrt rsqrt exp log sign clamp clamp_min clamp_max relu sigmoid tanh add sub mul div clone detach
    data to contiguous float half double zeros_like ones_like empty_like full_like rand_like randn_like requires_grad_
    gt lt ge le ne eq
"""
ALIKE = frozenset(_ALIKE.split())
# Operations that keep an array in a module, so that a checkpoint has it in the source's order of axes.
KEEPS = frozenset({"Parameter", "Buffer"})


class Listed(Walk):
    """Refuses what depends on the order of their axes."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._names: dict[FunctionInfo, frozenset[str] | None] = {}

    def check_axes(self, original: cst.BaseExpression, call: OpCall) -> None:
        """An operation of the framework on such parameters."""
        if call.op.name in KEEPS:
            self.check_kept(original, [bound.original for bound in call.args.values()])
            return
        if self._listed_names() is None or not any(self._is_listed(bound.original) for bound in call.args.values()):
            return
        asks = AXES & {name for name, bound in call.args.items() if not _is_none(bound.node)}
        if call.op.name in GIVES_BACK:
            asks -= {"shape"}
        if asks or call.op.name in BY_AXES:
            self._refuse(original)

    def check_kept(self, node: cst.BaseExpression, values: Sequence[cst.BaseExpression]) -> None:
        """`self.register_buffer(name + "_mean", p.data.clone())`: checkpoints have it in the source's order of axes."""
        if self._listed_names() is not None and any(map(self._is_listed, values)):
            self.context.report(
                node,
                "SW5003",
                "this keeps a copy of what may be a weight of a layer: checkpoints have it in the source's order of "
                "axes, and here it has the target's",
                "keep the copies outside of the module, or read the weight from its layer: module.weight",
            )

    def check_index(self, node: cst.Subscript) -> None:
        """`p[0]` and `p.shape[0]`; `module.state_dict()["fc.weight"]`, which has another name in the target."""
        array = node.value
        index = node.slice[0].slice
        if self._holds_listed(array) and isinstance(index, cst.Index) and self._is_text(index.value):
            self.context.report(
                node,
                "SW5003",
                "weights of layers have other names in the target, and another order of axes",
                "read the weight from its layer: module.weight",
            )
            return
        if isinstance(array, cst.Attribute) and array.attr.value == "shape":
            array = array.value
        if self._listed_names() is not None and self._is_listed(array) and not is_whole(node):
            self._refuse(node)

    def _is_listed(self, node: cst.BaseExpression) -> bool:
        """Is this such a parameter, or an array with the axes of one?"""
        node = without_data(node)
        if _is_listed(self.facts(node)):
            return True
        if isinstance(node, cst.Name):
            return node.value in (self._listed_names() or ())
        if isinstance(node, cst.BinaryOperation):
            return self._is_listed(node.left) or self._is_listed(node.right)
        if isinstance(node, cst.UnaryOperation):
            return self._is_listed(node.expression)
        if not isinstance(node, cst.Call):
            return False
        given = [arg.value for arg in node.args]
        names = [v.name for v in self.facts(node.func) if isinstance(v, Api)]
        if isinstance(node.func, cst.Attribute) and not names:
            given.append(node.func.value)
            names = [f"{self.engine.tensor_type}.{node.func.attr.value}"]
        ops = {row.op for name in names for row in self.kb.read(name)}
        return bool(ops & (ALIKE | KEEPS)) and any(map(self._is_listed, given))

    def _listed_names(self) -> frozenset[str] | None:
        """The names that a function gives to such arrays; None where it has none of these parameters at all."""
        function = self.function
        if function is None:
            return None
        if function not in self._names:
            parts = list(walk(function.node))
            if not any(isinstance(p, cst.BaseExpression) and _is_listed(self.facts(p)) for p in parts):
                self._names[function] = None
                return None
            self._names[function] = frozenset()
            for part in parts:  # in the order of the text
                if isinstance(part, cst.Assign) and isinstance(part.targets[0].target, cst.Name):
                    if self._is_listed(part.value):
                        self._names[function] = (self._names[function] or frozenset()) | {part.targets[0].target.value}
        return self._names[function]

    def _holds_listed(self, node: cst.BaseExpression) -> bool:
        return any(
            isinstance(v, Container) and v.site.kind == "dict" and _is_listed(v.site.elements.values)
            for v in self.facts(node)
        )

    def _is_text(self, node: cst.BaseExpression) -> bool:
        return any(isinstance(v, Const) and isinstance(v.value, str) for v in self.facts(node))

    def _refuse(self, node: cst.BaseExpression) -> None:
        self.context.report(
            node,
            "SW5003",
            "this asks for an axis of what may be a weight of a layer, which has another order of axes in the target",
            "read the weight from its layer: module.weight",
        )


def _is_listed(values: Values) -> bool:
    return any(isinstance(v, Tensor) and v.listed for v in values)


def _is_none(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Name) and node.value == "None"

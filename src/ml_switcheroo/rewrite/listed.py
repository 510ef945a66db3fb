"""Parameters that are gone through: `for p in model.parameters()`, `model.state_dict()["fc.weight"]`.

Those of layers have another order of axes in the target, and which layer one belongs to is not known. What asks for an
axis (`p[0]`, `p.shape[1]`, `p.sum(1)`, `x @ p`) is refused; what treats all elements alike is right in any order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.values import Const, Container, Tensor
from ..convert.template import is_whole
from .base import Walk
from .in_place_calls import without_data

if TYPE_CHECKING:
    from ..analysis.values import Values
    from ..convert.base import OpCall

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


class Listed(Walk):
    """Refuses what depends on the order of their axes."""

    def check_axes(self, original: cst.BaseExpression, call: OpCall) -> None:
        """An operation of the framework on such parameters."""
        if not any(_is_listed(bound.values) for bound in call.args.values()):
            return
        asks = AXES & {name for name, bound in call.args.items() if not _is_none(bound.node)}
        if call.op.name in GIVES_BACK:
            asks -= {"shape"}
        if asks or call.op.name in BY_AXES:
            self._refuse(original)

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
        if _is_listed(self.facts(without_data(array))) and not is_whole(node):
            self._refuse(node)

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

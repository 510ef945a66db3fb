"""What no row can say."""

import libcst as cst

from ml_switcheroo.convert.base import Emission, Misfit


def tiny_softmax(kb, call, place):
    """`tinynum.normalised`, whose base is a number that the source does not know: e, as a literal."""
    if "dtype" in call.args:
        return Misfit("SW2002", "tinynum has no dtypes", "leave the argument out")
    x, dim = (cst.Module([]).code_for_node(call.args[name].node) for name in ("x", "dim"))
    return Emission(cst.parse_expression(f"tn.normalised({x}, {dim}, 2.718281828459045)"), imports=frozenset({"tn"}))

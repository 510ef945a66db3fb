"""Functions that change arrays of their callers and return nothing: the converted ones return what they change.

`init(weight, bias)` becomes `weight, bias = init(weight, bias)`. That is certain to mean the same where every call that
can be seen is a statement of its own, with local arrays as these arguments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.nodes import walk
from ..analysis.values import NOTHING, Const, FunctionRef, Tensor

if TYPE_CHECKING:
    from ..analysis.engine import Engine
    from ..analysis.model import FunctionInfo
    from .handed import Handed


def procedures(engine: Engine, handed: Handed) -> dict[FunctionInfo, list[str]]:
    """Which functions are such, and the parameters that they change, in their order."""
    found = {
        function: changed
        for function in engine.visits
        if (changed := _changed(function, handed)) and _returns_nothing(function)
    }
    seen: set[FunctionInfo] = set()
    for caller in engine.visits if found else ():
        whole: set[cst.BaseExpression] = set()  # expressions that are statements
        for call, callees in caller.calls.items():
            functions = {value.function for value in callees if isinstance(value, FunctionRef)}
            for function in functions & found.keys():
                whole = whole or {part.value for part in walk(caller.node) if isinstance(part, cst.Expr)}
                seen.add(function)
                names = given(function, found[function], call, callees)
                fits = call in whole and len(callees) == 1 and caller is not function and names is not None
                if not fits or not all(_is_local_array(engine, caller, arg) for arg in names or ()):
                    found[function] = []
    return {function: names for function, names in found.items() if names and function in seen}


def given(function: FunctionInfo, names: list[str], call: cst.Call, callees: object) -> list[cst.BaseExpression] | None:
    """The arguments of a call that it changes; None where they cannot be told."""
    assert isinstance(callees, frozenset)
    bound = any(isinstance(v, FunctionRef) and v.receiver is not None for v in callees)
    skipped = int(bound and function.kind in ("method", "classmethod"))
    parameters = function.parameters[skipped:]
    arguments: dict[str, cst.BaseExpression] = {}
    for index, arg in enumerate(call.args):
        if arg.star or (arg.keyword is None and index >= len(parameters)):
            return None
        arguments[arg.keyword.value if arg.keyword is not None else parameters[index]] = arg.value
    return [arguments[name] for name in names] if all(name in arguments for name in names) else None


def _changed(function: FunctionInfo, handed: Handed) -> list[str]:
    uses = handed.uses(function)
    if uses is None or function.name.startswith("__") or function.generator:
        return []
    changed = uses.found - uses.bound - handed.names.get(function, set())
    return [name for name in function.parameters if name in changed]


def _returns_nothing(function: FunctionInfo) -> bool:
    node = function.node
    if not isinstance(node, cst.FunctionDef) or not isinstance(node.body, cst.IndentedBlock) or node.decorators:
        return False
    return not any(isinstance(part, (cst.Return, cst.Yield)) for part in walk(node.body, inner=False))


def _is_local_array(engine: Engine, caller: FunctionInfo, argument: cst.BaseExpression) -> bool:
    if (
        not isinstance(argument, cst.Name)
        or argument.value in caller.parameters
        or argument.value not in caller.variables
    ):
        return False
    values = engine.facts.get(argument, NOTHING)
    return any(isinstance(v, Tensor) for v in values) and all(
        v == Const(None) or (isinstance(v, Tensor) and v.role == "value") for v in values
    )

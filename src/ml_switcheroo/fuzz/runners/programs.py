"""Calls on arrays of JAX as compiled programs: as many calls in one program as are worth it."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.extend.core
import jax.numpy as jnp
import numpy as np

from ..worker import leaves, map_arrays, mixers, replaced

EQUATIONS = 1500  # of one program: compiling takes longer than in proportion beyond
MANY = 2000  # calls, after which what JAX keeps of them is forgotten
CONCRETE = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.NonConcreteBooleanIndexError,
)
_calls = 0


class Call:
    """A call: traced when it is made, executed when its outcome is asked for, unless a program has done it.

    What needs concrete values runs as it is.
    """

    no_gradient: ClassVar[tuple[type[Exception], ...]] = ()  # errors that say that there is none to compare

    def __init__(self, function: Any, given: dict[str, Any], job: dict[str, Any]) -> None:
        self.job, self.function = job, function
        self.arguments = {name: map_arrays(value, _array) for name, value in given.items()}
        self.plain: dict[str, Any] = {}
        self.result: Any = None
        self.repeated = False  # is it called a second time, to see whether the same key gives the same numbers?
        self.trained, self.rest = self.state()
        self._trace(gradients=job["gradients"])

    def state(self) -> tuple[Any, Any]:
        """What is trained and what else is kept, as pytrees."""
        return {}, {}

    def execute(self, arguments: dict[str, Any], trained: Any, rest: Any) -> tuple[Any, dict[str, Any]]:
        """The result, and the arrays that are kept afterwards."""
        return self.function(**arguments), {}

    @property
    def draws(self) -> bool:
        """Is it a function that takes random numbers?"""
        return bool(self.job["random"])

    @property
    def compiled(self) -> bool:
        """Can it be part of a program?"""
        return True

    def _trace(self, *, gradients: bool) -> None:
        arrays, _ = leaves(self.arguments, _is_array)
        floats = {n: a for n, a in arrays.items() if gradients and jnp.issubdtype(a.dtype, jnp.floating)}

        def call(floats: Any, trained: Any, arrays: Any, rest: Any) -> Any:
            result, after = self.execute(replaced(self.arguments, arrays | floats), trained, rest)
            found, self.plain = leaves(result, _is_array)
            found = {name: jnp.asarray(value) for name, value in found.items()}
            return _loss(found), (found, after)

        def whole(floats: Any, trained: Any, arrays: Any, rest: Any) -> Any:
            if gradients:
                return jax.grad(call, argnums=(0, 1), has_aux=True)(floats, trained, arrays, rest)
            return ({}, {}), call(floats, trained, arrays, rest)[1]

        self.given = (floats, self.trained, {n: a for n, a in arrays.items() if n not in floats}, self.rest)
        self.whole: Any = jax.jit(whole)
        self.equations = 0
        try:
            if self.compiled:
                self.equations = _size(self.whole.trace(*self.given).jaxpr.jaxpr) + 1
        except CONCRETE:
            pass
        except self.no_gradient:
            if not gradients:
                raise
            self._trace(gradients=False)
            return
        if not self.equations:
            self.whole = whole

    def outcome(self) -> dict[str, Any]:
        """Arrays and plain values by their places, and gradients."""
        if self.result is None:
            try:
                self.result = self.whole(*self.given)
            except self.no_gradient:
                self._trace(gradients=False)
                self.result = self.whole(*self.given)
        (gradients, _), (found, _) = self.result
        if self.repeated:
            again = self.whole(*self.given)[1][0]
            # rounded as another program with no gradients may round them
            if any(not jnp.allclose(again[name], value, 1e-3, 1e-5, equal_nan=True) for name, value in found.items()):
                raise ValueError("two calls with the same key differ")
        outcome: dict[str, Any] = {
            "outputs": {name: to_numpy(value) for name, value in found.items()},
            "plain": self.plain,
            "dtypes": {name: str(value.dtype) for name, value in found.items()},
        }
        if self.job["gradients"]:
            outcome["gradients"] = {name: to_numpy(g) for name, g in gradients.items()}
        return outcome


def run_all(
    make: type[Call], jobs: list[tuple[Any, dict[str, Any], dict[str, Any]]], alive: Any
) -> list[dict[str, Any] | Exception]:
    """Call functions and modules; for each its outputs, and the gradients of its floating inputs and parameters.

    As many calls as possible are one compiled program: compiling it once is several times faster than compiling each of
    them, or each of its operations. `alive` is called now and then.
    """
    global _calls
    if (_calls := _calls + len(jobs)) > MANY:
        _calls = 0
        jax.clear_caches()
    calls = [_attempt(make, *job) for job in jobs]
    program: list[Call] = []
    for call in [call for call in calls if isinstance(call, Call) and call.equations]:
        if program and sum(c.equations for c in program) + call.equations > EQUATIONS:
            _run_program(program)
            alive()
            program = []
        program.append(call)
    _run_program(program)
    drawn = [call for call in calls if isinstance(call, Call) and call.draws]
    for call in drawn[:1]:  # which runs one more program
        call.repeated = True
    return [_attempt(call.outcome) if isinstance(call, Call) else call for call in calls]


def _attempt(function: Any, *given: Any) -> Any:
    try:
        return function(*given)
    except Exception as error:
        return error


def _run_program(calls: list[Call]) -> None:
    """All of them at once; if that fails, each of them runs alone when its outcome is asked for."""
    try:
        found = jax.jit(lambda given: [call.whole(*one) for call, one in zip(calls, given, strict=True)])(
            [call.given for call in calls]
        )
    except Exception:
        return
    for call, result in zip(calls, found, strict=True):
        call.result = result


def _size(jaxpr: Any) -> int:
    """How many equations a program has, with those of the programs in it."""
    return sum(1 + sum(_size(inner) for inner in jax.extend.core.jaxprs_in_params(one.params)) for one in jaxpr.eqns)


def _loss(found: dict[str, Any]) -> Any:
    """One number of all outputs that depend on the inputs smoothly."""
    total: Any = jnp.zeros(())
    smooth = {name: value for name, value in found.items() if jnp.issubdtype(value.dtype, jnp.inexact)}
    weights = mixers(smooth)
    for name, value in smooth.items():
        value = value.real + value.imag if jnp.iscomplexobj(value) else value
        total = total + (value.astype(jnp.float32) * weights[name]).sum()
    return total


def _array(array: Any, recipe: Any) -> Any:
    made = jax.device_put(array)  # asarray() compiles a program for each shape
    return made.astype(jnp.bfloat16) if recipe.dtype == "bfloat16" else made


def _is_array(value: Any) -> bool:
    return isinstance(value, (jax.Array, np.ndarray, np.generic))


def to_numpy(value: Any) -> Any:
    """An array of NumPy, in a dtype that NumPy has."""
    value = jnp.asarray(value)
    return np.asarray(value.astype(jnp.float32) if value.dtype == jnp.bfloat16 else value)

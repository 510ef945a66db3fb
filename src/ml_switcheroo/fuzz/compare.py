"""What counts as the same: shapes, dtypes, values, gradients and weights of a drawn call on both sides."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..kb.model import HubOp

# Of the largest value: how far results in these dtypes may be apart.
SINGLE = 2e-5
TOLERANCES = {
    "float16": 5e-3,
    "bfloat16": 3e-2,
    **dict.fromkeys(("float32", "float64", "complex64", "complex128"), SINGLE),
}
PRECISE = {"float32", "float64", "complex64", "complex128"}
LEVEL = 2.7  # of the test of two distributions: sqrt(-log(1e-6 / 2) / 2)
GRADIENTS = 20  # gradients, and what was trained by them, may be off by so many times the tolerance
WIDE = 2.0**31 - 1
NARROW = {"int64": "int32", "uint64": "uint32", "float64": "float32", "complex128": "complex64"}


def compare_call(
    op: HubOp, ours: Any, theirs: Any, mine: dict[str, Any], yours: dict[str, Any], job: Any
) -> tuple[float, str]:
    """The largest error of a call's results and gradients, and what is wrong, if anything is."""
    for name, value in ours["plain"].items():
        found = theirs["plain"].get(name, yours.get(f"outputs|{name}"))
        if found is None:
            return 0.0, f"nothing at {name or 'the result'}"
        if isinstance(value, float) and not isinstance(found, str):  # a Python number here, an array without axes there
            if not _same_number(found, value):
                return 0.0, f"{found} instead of {value}"
        elif NARROW.get(found, found) != NARROW.get(value, value):  # names of dtypes among them
            return 0.0, f"{found} instead of {value}"
    drawn = job["random"]
    any_values = "uninitialised" in op.effects
    worst = 0.0
    for name, dtype in ours["dtypes"].items():
        ours_is = mine[f"outputs|{name}"]
        if name in theirs["plain"] and ours_is.shape == ():  # an array without axes here, a number there
            if not _same_number(theirs["plain"][name], float(ours_is)):
                return 0.0, f"{theirs['plain'][name]} instead of {ours_is}"
            continue
        if name not in theirs["dtypes"]:
            return 0.0, f"no array at {name or 'the result'}"
        found = theirs["dtypes"][name]
        if not _same_dtype(dtype, found, bool(theirs.get("wide")), job):
            return 0.0, f"dtype {found} instead of {dtype}"
        a, b = mine[f"outputs|{name}"], yours[f"outputs|{name}"]
        if a.shape != b.shape:
            return 0.0, f"shape {b.shape} instead of {a.shape}"
        if any_values:
            continue
        if drawn:
            if why := _other_law(a, b):
                return worst, why
        else:
            allowed = max(TOLERANCES.get(one, 0.0) for one in (dtype, found))
            figure, why = _apart(a, b, allowed * (GRADIENTS if job.get("trained") else 1))
            worst = max(worst, figure)
            if why:
                return worst, why
    if set(theirs["dtypes"]) - set(ours["plain"]) != set(ours["dtypes"]) - set(theirs["plain"]):
        return worst, "more arrays than in the source"
    if job["gradients"] and not drawn and not any_values:
        scale = max((_largest(v) for k, v in mine.items() if k.startswith("gradients|")), default=0.0)
        allowed = max([GRADIENTS * SINGLE, *(TOLERANCES.get(dtype, 0.0) for dtype in ours["dtypes"].values())])
        for key, value in mine.items():
            if key.startswith("gradients|") and key in yours:
                if value.shape != yours[key].shape:
                    return worst, f"gradient of {key.partition('|')[2]}: shape {yours[key].shape}"
                figure, why = _apart(value, yours[key], allowed, max(1e-2 * scale, 1e-3))
                if why:
                    return worst, f"gradient of {key.partition('|')[2]}: {why}"
    return worst, ""


def _same_number(found: Any, value: float) -> bool:
    """Infinities and NaN are the same as themselves."""
    if getattr(found, "shape", ()) != ():
        return False
    number = float(found)
    if number == value or (number != number and value != value):
        return True
    return abs(number - value) <= SINGLE * max(abs(value), 1.0)


def _same_dtype(wanted: str, found: str, wide: bool, job: Any) -> bool:
    """Without `wide` the target holds 32 bits at most. With it dtypes are the same, but where a framework's own rules
    say what whole numbers, truth values and halves become: another size of the same kind of number."""
    if not wide:
        return NARROW.get(wanted, wanted) == NARROW.get(found, found)
    given = drawn_dtypes(job["arguments"].values())
    free = bool(given) and not given & PRECISE
    kinds = ("float", "complex", "int") if given == {"bool"} else ("float", "complex")
    return wanted == found or (free and any(wanted.startswith(k) and found.startswith(k) for k in kinds))


def drawn_dtypes(arguments: Any) -> set[str]:
    """The dtypes of the arrays among arguments as a worker gets them."""
    found: set[str] = set()
    for value in arguments:
        if "recipe" in value:
            found.add(value["recipe"][1])
        found |= drawn_dtypes(value.get("items", ()))
    return found


def compare_weights(
    job: dict[str, Any],
    name: str,
    migrate: Callable[[str, str, str], str],
    yours: dict[str, Any],
    worst: float,
) -> tuple[float, str]:
    """Gradients of the weights, and the running statistics after a step in training mode."""
    from safetensors.numpy import load_file

    for kind, wanted in (("moved", job["gradients"]), ("after", job["train"])):
        if not wanted or not job[kind] or not Path(job[kind]).is_file():
            continue
        result = job[kind].replace(".safetensors", ".migrated.safetensors")
        if why := migrate(job[kind], result, name):
            return worst, f"migration of {kind}: {why}"
        ours = load_file(result)
        scale = max((_largest(v) for v in ours.values() if v.dtype.kind == "f"), default=0.0)
        for path, value in ours.items():
            found = yours.get(f"{kind}|{path}")
            if found is not None:
                tolerance = (GRADIENTS if kind == "moved" else 1) * SINGLE
                figure, why = _apart(value, found, tolerance, max(1e-2 * scale, 1e-3) if kind == "moved" else 1e-3)
                worst = max(worst, figure if kind == "after" else 0.0)
                if why:
                    return worst, f"{'gradient of' if kind == 'moved' else 'after training,'} {path}: {why}"
        Path(job[kind]).unlink()
    return worst, ""


def _other_law(a: Any, b: Any) -> str:
    """Two samples of one distribution? Kolmogorov and Smirnov's test, at a level of one in a million."""
    import numpy as np

    a, b = a.ravel(), b.ravel()
    if not a.size:
        return ""
    if a.dtype.kind == "c":
        return _other_law(a.real, b.real) or _other_law(a.imag, b.imag)
    with np.errstate(all="ignore"):
        means = a.mean(), b.mean()
    if a.dtype.kind == "f":  # a value that many draws have is not rounded alike on both sides
        a, b = a.astype("float64"), b.astype("float64")  # NumPy does not always sort halves right
        unit = SINGLE * max(float(np.abs(a[np.isfinite(a)]).max(initial=0.0)), 1e-30)
        with np.errstate(all="ignore"):
            a, b = np.round(a / unit), np.round(b / unit)
    places = np.concatenate([a, b])
    apart = [np.searchsorted(np.sort(v), places, "right") / v.size for v in (a, b)]
    distance = float(np.abs(apart[0] - apart[1]).max())
    if distance <= LEVEL * (2 / a.size) ** 0.5:
        return ""
    return f"drawn from another distribution: mean {means[1]:.3g} instead of {means[0]:.3g}, distance {distance:.2f}"


def _apart(a: Any, b: Any, tolerance: float, floor: float = 3e-3) -> tuple[float, str]:
    """How far two arrays are apart, relative to the largest value, and what is wrong."""
    import numpy as np

    if a.size == 0:
        return 0.0, ""
    if a.dtype.kind not in "fc":
        # Beyond 32 bits: not what a target without wide integers can hold, or a NaN that was made a whole number.
        held = np.abs(a.astype(np.float64)) < WIDE if a.dtype == np.int64 else np.ones(a.shape, bool)
        wrong = (a != b) & held
        if not wrong.any():
            return 0.0, ""
        return 1.0, f"{int(wrong.sum())} of {a.size} values differ: {_some(b, wrong)} instead of {_some(a, wrong)}"
    finite = np.isfinite(a)
    wrong = ~((a == b) | (np.isnan(a) & np.isnan(b)) | (finite & np.isfinite(b)))
    if wrong.any():
        return 1.0, f"{_some(b, wrong)} instead of {_some(a, wrong)}"
    if not finite.any():
        return 0.0, ""
    wide: Any = np.complex128 if a.dtype.kind == "c" or b.dtype.kind == "c" else np.float64
    x, y = a[finite].astype(wide), b[finite].astype(wide)
    scale = max(float(np.abs(x).max()), floor)
    error = float(np.abs(x - y).max()) / scale
    if error <= tolerance:
        return error, ""
    wrong = np.abs(x - y) > tolerance * scale
    return error, f"off by {error:.1e} of the largest value: {_some(y, wrong)} instead of {_some(x, wrong)}"


def _largest(array: Any) -> float:
    """Of the finite values."""
    import numpy as np

    return float(np.abs(array[np.isfinite(array)]).max(initial=0.0))


def _some(array: Any, wrong: Any) -> str:
    """The first values that are wrong."""
    flat = array[wrong].ravel()
    shown = ", ".join(f"{v:.6g}" if flat.dtype.kind == "f" else str(v) for v in flat[:4])
    return f"[{shown}{', ...' if flat.size > 4 else ''}]"

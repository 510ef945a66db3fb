"""Comparing the two sides: one figure for many tensors, and one line that says what differs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Difference:
    """The largest error relative to the largest value, and where it is; `reason` is set if the two sides differ.

    There is no figure where the two sides differ in more than numbers.
    """

    figure: float | None
    reason: str | None = None

    @property
    def ok(self) -> bool:
        """Whether both sides agree."""
        return self.reason is None


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of a worker's file, in the order in which they were written."""
    import numpy as np

    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def compare(
    source: Mapping[str, NDArray[Any]], target: Mapping[str, NDArray[Any]], tolerance: float, *, floor: float = 0.0
) -> Difference:
    """Compare arrays of the same name. Errors count relative to the array's largest value, or to a larger `floor`."""
    missing, extra = [k for k in source if k not in target], [k for k in target if k not in source]
    if missing or extra:
        what = f"missing {_some(missing)}" if missing else f"not in the source: {_some(extra)}"
        return Difference(None, f"{len(source)} tensors in the source, {len(target)} in the target; {what}")
    worst, reason = 0.0, None
    for name, ours in source.items():
        figure, why = _one(ours, target[name], floor)
        if figure is None:
            return Difference(None, f"{name or 'output'}: {why}")
        if why is None and figure > tolerance:
            why = f"error {figure:.1e} of the largest value"
        if figure >= worst or (why is not None and reason is None):
            worst = max(worst, figure)
            reason = f"{name or 'output'}: {why}" if why is not None else reason
    return Difference(worst, reason)


def _one(source: NDArray[Any], target: NDArray[Any], floor: float) -> tuple[float | None, str | None]:
    import numpy as np

    if source.shape != target.shape:
        return None, f"shape {_shape(source)} in the source, {_shape(target)} in the target"
    if (source.dtype.kind in "fc") != (target.dtype.kind in "fc"):
        return None, f"dtype {source.dtype} in the source, {target.dtype} in the target"
    if source.size == 0:
        return 0.0, None
    if source.dtype.kind not in "fc":
        wrong = int((source != target).sum())
        return wrong / source.size, f"{wrong} of {source.size} whole numbers differ" if wrong else None
    finite = np.isfinite(source)
    same = np.array_equal(finite, np.isfinite(target)) and np.array_equal(
        source[~finite], target[~finite], equal_nan=True
    )
    if not same:
        return None, f"{int((~np.isfinite(target)).sum())} values are not finite, {int((~finite).sum())} in the source"
    if not finite.any():
        return None, "no finite value in the source: these inputs prove nothing"
    wide: Any = np.complex128 if source.dtype.kind == "c" or target.dtype.kind == "c" else np.float64
    a, b = source[finite].astype(wide), target[finite].astype(wide)
    scale = max(float(np.abs(a).max()), floor)
    error = float(np.abs(a - b).max())
    return (error / scale if scale > 0 else error), None


def _some(names: list[str]) -> str:
    shown = ", ".join(n or "output" for n in names[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _shape(array: NDArray[Any]) -> str:
    return "x".join(str(n) for n in array.shape) or "scalar"

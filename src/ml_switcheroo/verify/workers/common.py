"""What the workers of all frameworks share: reporting, importing the model, inputs, outputs, dropout rates."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import importlib.abc
import json
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEPS = 3  # training steps
STEP_SIZE = 1e-3  # a training step moves the parameters by this share of their norm
DEPTH = 8
_FOLDERS = re.compile(r"(?<![\w:/.-])/(?:[\w.+@-]+/)+([\w.+-]+)")  # a report does not say where a machine has its files


class StepError(Exception):
    """A step failed and has been reported; the steps that need it are not run."""


class Worker:
    """The job, and the report that grows as its steps are done."""

    def __init__(self, job_file: str) -> None:
        path = Path(job_file)
        self.job: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        self.folder = Path(self.job["folder"])
        self.tree = Path(self.job["tree"]).resolve()
        self.report = self.folder / "report.jsonl"
        self.report.write_text("", encoding="utf-8")

    @contextmanager
    def step(self, name: str) -> Iterator[dict[str, Any]]:
        """Run one step; what the body puts into the dictionary is reported with it."""
        line: dict[str, Any] = {"step": name, "ok": True}
        start = time.perf_counter()
        try:
            yield line
        except (Exception, SystemExit) as error:
            line |= {"ok": False, "reason": self.one_line(error)}
            raise StepError(name) from error
        finally:
            line["seconds"] = round(time.perf_counter() - start, 3)
            with self.report.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def one_line(self, error: BaseException) -> str:
        """An exception as one line with the place in the model's own code that raised it."""
        text = _FOLDERS.sub(r"\1", " ".join(str(error).split()))
        place = ""
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            file = Path(frame.filename)
            if file.is_absolute() and self.tree in file.parents:
                place = f" ({file.relative_to(self.tree).as_posix()}:{frame.lineno})"
                break
        shown = text if len(text) <= 300 else text[:300] + "..."
        return f"{type(error).__name__}{': ' if shown else ''}{shown}{place}"

    def import_model(self) -> ModuleType:
        """Import the model's module from the tree."""
        sys.path.insert(0, str(self.tree))
        sys.path += [p for p in self.job.get("search", []) if p not in sys.path]
        for name in self.job.get("optional", []):
            _probe(name)
        return importlib.import_module(self.job["module"])

    def arguments(self, as_tensor: Callable[[NDArray[Any]], Any]) -> tuple[list[Any], dict[str, Any]]:
        """The positional and keyword arguments of the call."""
        with np.load(self.job["inputs"], allow_pickle=False) as file:
            arrays = {name: as_tensor(file[name]) for name in file.files}
        positional: list[Any] = []
        keywords: dict[str, Any] = {}
        for entry in self.job["layout"]:
            if "literal" in entry:
                value: Any = ast.literal_eval(entry["literal"])
            elif "list" in entry:
                value = [arrays[key] for key in entry["list"]]
            else:
                value = arrays[entry["array"]]
            if entry["name"] is None:
                positional.append(value)
            else:
                keywords[entry["name"]] = value
        return positional, keywords

    def save(self, name: str, arrays: Mapping[str, Any]) -> None:
        """Write arrays for the comparison."""
        converted: dict[str, Any] = {key: to_numpy(value) for key, value in arrays.items()}
        np.savez(self.folder / name, **converted)

    def load(self, name: str) -> dict[str, NDArray[Any]]:
        """Read arrays that the other side wrote."""
        with np.load(name, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}


class Refuse(importlib.abc.MetaPathFinder):
    """Makes importing some packages fail, even where they are installed."""

    def __init__(self, names: Sequence[str], why: str) -> None:
        self.names = frozenset(names)
        self.why = why

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        """Refuse, or leave it to the next finder."""
        if fullname.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"{self.why} {fullname}", name=fullname)


def _probe(name: str) -> None:
    """An optional package that is installed but breaks when it is imported counts as one that is not installed."""
    try:
        importlib.import_module(name)
    except ImportError:
        return
    except Exception:
        for loaded in [m for m in sys.modules if m.partition(".")[0] == name]:
            del sys.modules[loaded]
        sys.meta_path.insert(0, Refuse([name], "an optional package that does not work here:"))


def run(main: Callable[[Worker], None]) -> None:
    """The worker's main program."""
    try:
        main(Worker(sys.argv[1]))
    except StepError as failed:
        if "--trace" in sys.argv:
            traceback.print_exception(failed.__cause__)
        sys.exit(1)


def is_tensor(value: Any) -> bool:
    """Anything with a shape and a dtype that is not a class."""
    return hasattr(value, "shape") and hasattr(value, "dtype") and not isinstance(value, type)


def flatten(value: Any, prefix: str = "", depth: int = DEPTH, *, numbers: bool = False) -> dict[str, Any]:
    """All tensors of an output, whatever it is made of: lists, tuples, dictionaries, data classes, plain objects.

    With `numbers` the Python numbers in it, too, since a target may have arrays there.

    (a, {"b": c}) -> {"0": a, "1.b": c}
    """
    if is_tensor(value):
        return {prefix: value}
    if numbers and prefix and isinstance(value, bool | int | float | complex):
        return {prefix: np.asarray(value)}
    if depth == 0 or value is None or isinstance(value, str | bytes | int | float | complex | bool):
        return {}
    if isinstance(value, Mapping):
        items = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, list | tuple):
        items = [(str(index), item) for index, item in enumerate(value)]
    elif dataclasses.is_dataclass(value):
        items = [(f.name, getattr(value, f.name)) for f in dataclasses.fields(value)]
    else:
        numbers = False  # those of an object of one's own are its settings
        items = list(vars(value).items()) if hasattr(value, "__dict__") else []
    found: dict[str, Any] = {}
    for key, item in items:
        found |= flatten(item, f"{prefix}.{key}" if prefix else key, depth - 1, numbers=numbers)
    return found


def to_numpy(value: Any) -> NDArray[Any]:
    """A tensor of either side as numpy; half precision widens so that any numpy can read it."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().resolve_conj().resolve_neg()
        value = value.float() if str(value.dtype) == "torch.bfloat16" else value
        return np.asarray(value.numpy())
    array = np.asarray(value)
    return array.astype(np.float32) if array.dtype.kind not in "biufc" else array


def is_float(value: Any) -> bool:
    """Whether a tensor of either side holds floating or complex numbers."""
    return "float" in str(value.dtype) or "complex" in str(value.dtype)


_RATE = re.compile(r"drop|^(p|rate|prob|keep_prob|keep_rate|survival_prob)$", re.IGNORECASE)
_KEEPS = re.compile(r"keep|survival", re.IGNORECASE)
_DROPS = re.compile(r"drop|stochastic_?depth", re.IGNORECASE)


def zero_rates(owner: Any, depth: int = 2) -> None:
    """Set every dropout rate of an object to 0: numbers in attributes named like one, in its settings objects too."""
    for name, value in list(vars(owner).items()):
        if name.startswith("__"):
            continue
        if _is_rate(name, value, type(owner).__name__):
            object.__setattr__(owner, name, 1.0 if _KEEPS.search(name) else 0.0)
        elif isinstance(value, tuple) and hasattr(value, "_replace") and hasattr(value, "_fields"):
            rates = {n: 1.0 if _KEEPS.search(n) else 0.0 for n in value._fields if _is_rate(n, getattr(value, n), "")}
            if rates:
                object.__setattr__(owner, name, value._replace(**rates))
        elif depth and _is_settings(value):
            zero_rates(value, depth - 1)


def _is_rate(name: str, value: Any, owner: str) -> bool:
    if isinstance(value, bool) or not isinstance(value, float | int) or not 0 <= value <= 1:
        return False
    named = _RATE.search(name)
    return bool(named and ("drop" in name.lower() or _DROPS.search(owner)))


def _is_settings(value: Any) -> bool:
    """A plain object of settings (a config): not a module, tensor, function or class."""
    if isinstance(value, type | ModuleType) or callable(value) or is_tensor(value) or not hasattr(value, "__dict__"):
        return False
    return all(not hasattr(value, name) for name in ("parameters", "__array__", "graphdef"))


def cotangents(outputs: Mapping[str, Any], seed: int) -> dict[str, NDArray[Any]]:
    """Fixed random weights for each floating output, which make one number of all of them."""
    made: dict[str, NDArray[Any]] = {}
    for index, (name, value) in enumerate(outputs.items()):
        if is_float(value):
            rng = np.random.default_rng([seed, 7, index])
            made[name] = np.asarray(rng.standard_normal(tuple(value.shape)), np.float32)
    return made

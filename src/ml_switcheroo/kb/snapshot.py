"""Takes `snapshots/<framework>/api.json`: every public name of an installed framework with its signatures.

    python -m ml_switcheroo.kb.snapshot [--out FILE] torch

Only this module imports frameworks. Signatures come from introspection where that works, else from the stubs that the
framework ships (torch writes one `def` for each overload there), from operator schemas and from the first line of
docstrings. The file holds one name a line: `"torch.add": ["function", ["(input, other, *, alpha=1, out=None)"]]`; a
third item names the canonical public name of the same object, and then kind and signatures are those of that name.
A default `...` is one that cannot be written as text.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import json
import keyword
import pkgutil
import sys
import types
import typing
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .plans import PLANS, Plan

_OPAQUE = "..."  # a default that has no source text
_DUNDERS = frozenset(dir(object)) - {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"}


@dataclass
class Snapshot:
    """Names found so far; `owners` tells which name an object was first recorded under."""

    plan: Plan
    names: dict[str, list[Any]] = field(default_factory=dict)
    objects: dict[str, object] = field(default_factory=dict)
    stubs: dict[str, list[str]] = field(default_factory=dict)
    modules: set[str] = field(default_factory=set)


def installed_version(distribution: str) -> str:
    """The version of an installed framework; some are distributed under several names, one for each kind of machine."""
    from importlib.metadata import PackageNotFoundError, packages_distributions, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        others = packages_distributions().get(distribution, [])
        if not others:
            raise
        return version(others[0])


def take(framework: str) -> dict[str, Any]:
    """Looks at the installed framework and returns the contents of its api.json."""
    plan = PLANS.get(framework) or Plan(framework, framework, modules=[framework])
    warnings.simplefilter("ignore")
    package = importlib.import_module(plan.root)
    snapshot = Snapshot(plan)
    folders = [Path(folder) for folder in package.__path__]  # several of a package without a file of its own
    stub = next((file for file, *_ in (*plan.stubs, *plan.value_stubs)), "__init__.py")
    folder = next((folder for folder in folders if (folder / stub).is_file()), folders[0])
    for file, prefix in plan.stubs:
        for name, signatures in stub_signatures((folder / file).read_text(encoding="utf-8")).items():
            snapshot.stubs.setdefault(f"{prefix}.{name}", signatures)
    for file, cls, public in plan.value_stubs:
        for name, signatures in stub_signatures((folder / file).read_text(encoding="utf-8"), cls).items():
            snapshot.stubs.setdefault(f"{public}.{name}", signatures)
    for name in plan.modules:
        module = _import(name)
        if module is None:
            continue
        snapshot.modules.add(name)
        snapshot.names[name] = ["module"]
        _collect(snapshot, name, module)
    for package_name in plan.walk:
        for module in _walk(package_name):
            if module.__name__ not in snapshot.modules:
                snapshot.names.setdefault(module.__name__, ["module"])
                _collect(snapshot, module.__name__, module)
    for module_name in plan.types:
        names = [name for name in vars(_import(module_name)) if name.startswith("_") and name.endswith("_t")]
        snapshot.names |= {f"{module_name}.{name}": ["constant"] for name in names}
    owners = _owners(snapshot)
    texts = {id(snapshot.objects[name]): name for name in owners.values()}
    for name, value in snapshot.objects.items():
        owner = owners.get(id(value), name)
        snapshot.names[name] = [_kind(value), [], owner] if owner != name else _describe(snapshot, name, value, texts)
    for name in sorted(set(owners.values())):
        _alias_of_origin(snapshot, name)
    values = [name for name in plan.values if name in snapshot.objects]
    classes = [
        name
        for name, value in snapshot.objects.items()
        if inspect.isclass(value) and owners.get(id(value), name) == name
    ]
    for name in dict.fromkeys(values + classes):
        _members(snapshot, name, inherited=name in values, texts=texts)
    version = installed_version(plan.distribution)
    return {"framework": framework, "version": version.split("+")[0], "names": dict(sorted(snapshot.names.items()))}


def _get(value: object, attribute: str) -> Any:
    """`getattr` for objects that compute attributes and may fail."""
    try:
        return getattr(value, attribute, None)
    except Exception:
        return None


def _import(name: str) -> Any:
    """A module by its public path, also where that is only an attribute of its package."""
    try:
        return importlib.import_module(name)
    except ImportError:
        parent, _, last = name.rpartition(".")
        return _get(_import(parent), last) if parent else None


def _walk(package_name: str) -> list[types.ModuleType]:
    package = importlib.import_module(package_name)
    found = [package]
    for info in pkgutil.iter_modules(package.__path__, package_name + "."):
        if not info.name.rpartition(".")[2].startswith("_") or package_name.endswith(".modules"):
            try:
                found.append(importlib.import_module(info.name))
            except Exception:
                continue
    return found


def _collect(snapshot: Snapshot, prefix: str, module: types.ModuleType) -> None:
    """Notes the public attributes of one module that belong to the framework."""
    exported = set(getattr(module, "__all__", ()))
    for name in sorted(set(dir(module)) | exported):
        try:
            value = getattr(module, name)
        except Exception:
            continue
        full = f"{prefix}.{name}"
        if name == "__version__":
            snapshot.names[full] = ["constant"]
        if name.startswith("_") and name not in exported and (name.startswith("__") or not _defined_in(value, prefix)):
            continue
        if isinstance(value, types.ModuleType):
            if value.__name__ == full:
                snapshot.names.setdefault(full, ["module"])
            continue
        if _foreign(snapshot.plan, value) and name not in exported:
            continue
        snapshot.objects[full] = value


def _defined_in(value: object, module: str) -> bool:
    """Whether a class or function is at home in this module: real code uses such private names (`_BatchNorm`)."""
    return (inspect.isclass(value) or inspect.isfunction(value)) and _get(value, "__module__") == module


def _foreign(plan: Plan, value: object) -> bool:
    """Whether a module only imported this value for its own use."""
    if isinstance(value, (dict, list, set)) or type(value).__module__ in {"typing", "__future__", "logging"}:
        return True
    module = _get(value, "__module__")
    if isinstance(module, str) and (inspect.isclass(value) or inspect.isroutine(value)):
        return module.split(".")[0].lstrip("_") not in {plan.root, *plan.friends}
    return False


def _owners(snapshot: Snapshot) -> dict[int, str]:
    """The canonical name of each object that has several: the one with fewest dots, in the order of the plan."""
    order = {name: index for index, name in enumerate(snapshot.plan.modules)}

    def rank(name: str) -> tuple[bool, int, int, bool, str]:
        value, (module, _, last) = snapshot.objects[name], name.rpartition(".")
        if inspect.isclass(value) or inspect.isroutine(value):
            other = value.__name__ != last
        else:
            other = repr(value) != name  # torch.float is torch.float32
        return (module not in order, name.count("."), order.get(module, len(order)), other, name)

    owners: dict[int, str] = {}
    for name in sorted(snapshot.objects, key=rank):
        value = snapshot.objects[name]
        if not isinstance(value, (int, float, str, tuple, type(None))):
            owners.setdefault(id(value), name)
    return owners


def _alias_of_origin(snapshot: Snapshot, name: str) -> None:
    """Records the place where a class or function is defined (`torch.nn.modules.conv.Conv2d`) as another name of it."""
    value = snapshot.objects[name]
    module, qualname = _get(value, "__module__"), _get(value, "__qualname__")
    if not (isinstance(module, str) and isinstance(qualname, str)) or not (
        inspect.isclass(value) or inspect.isfunction(value)
    ):
        return
    origin = f"{module}.{qualname}"
    if (
        "<" not in origin
        and module.split(".")[0] == snapshot.plan.root
        and origin not in snapshot.names
        and origin not in snapshot.objects
    ):
        snapshot.names[origin] = [_kind(value), [], name]


def _members(snapshot: Snapshot, name: str, inherited: bool, texts: dict[int, str]) -> None:
    """Methods and properties of a class: its own, or for values such as tensors all of them."""
    cls = snapshot.objects[name]
    if not inherited and len(vars(cls)) > 300:
        return  # torch.FloatTensor and its like repeat every method of torch.Tensor
    for member in sorted(set(dir(cls)) if inherited else set(vars(cls))):
        hidden = member.startswith("_") and member != "__call__"
        if (
            hidden
            and not (name in snapshot.plan.private and not member.startswith("__"))
            and not (inherited and member.startswith("__") and member not in _DUNDERS)
        ):
            continue
        full = f"{name}.{member}"
        if full in snapshot.names:
            continue
        try:
            value = inspect.getattr_static(cls, member)
        except AttributeError:
            continue
        if isinstance(value, (staticmethod, classmethod)):
            signatures = _signatures(snapshot, full, getattr(cls, member), texts)
            snapshot.names[full] = ["function", signatures]
        elif inspect.isroutine(value):
            snapshot.names[full] = ["method", _signatures(snapshot, full, value, texts, method=True)]
        elif (
            inspect.isdatadescriptor(value)
            or isinstance(value, property)
            or (not member.startswith("__") and not inspect.isclass(value))
        ):
            snapshot.names[full] = ["property"]


def _kind(value: object) -> str:
    if inspect.isclass(value):
        return "class"
    return "function" if callable(value) and _get(value, "itemsize") is None else "constant"


def _describe(snapshot: Snapshot, name: str, value: object, texts: dict[int, str]) -> list[Any]:
    kind = _kind(value)
    return [kind, _signatures(snapshot, name, value, texts)] if kind != "constant" else [kind]


def _signatures(snapshot: Snapshot, name: str, value: Any, texts: dict[int, str], method: bool = False) -> list[str]:
    """All signatures of a callable, without self. A class has those of its constructor."""
    found: list[str] = []
    bare = _without_first if method else str  # stubs and docstrings of methods leave self out already
    known = _inspected(value, texts, snapshot.plan)
    if known == "(*args, **kwargs)" and inspect.isclass(value):
        constructors = typing.get_overloads(value.__init__) if inspect.isfunction(value.__init__) else []  # type: ignore[attr-defined]
        overloads = [
            signature_text(list(inspect.signature(one).parameters.values())[1:], texts) for one in constructors
        ]
        found += [text for text in overloads if text != known]
    elif known == "(*args, **kwargs)":
        found += [_inspected(function, texts, snapshot.plan) or "" for function in _closure_functions(value)[:1]]
    elif known:
        found.append(bare(known))
    if not found:
        found += snapshot.stubs.get(name, [])
    if not found or (name.startswith("torch.nn.functional.") and not inspect.isfunction(value)):
        documented = _documented(value, name.rpartition(".")[2])
        found += [documented] if documented else []
        found += [bare(text) for text in _schemas(snapshot.plan, name, value)]
    if not found and not known and not method:  # of several names of one function the stub may give another one
        found += snapshot.stubs.get(f"{name.rpartition('.')[0]}.{_get(value, '__name__')}", [])
    if not found and known:
        found.append(known)
    return list(dict.fromkeys(text for text in found if _parsed(text)))


def _closure_functions(value: Any) -> list[Any]:
    """The functions that a wrapper with (*args, **kwargs) chooses between."""
    try:
        cells = inspect.getclosurevars(value).nonlocals
    except (TypeError, ValueError):
        return []
    return [cell for cell in cells.values() if inspect.isfunction(cell)]


def _inspected(value: Any, texts: dict[int, str], plan: Plan) -> str | None:
    if isinstance(_get(value, "nin"), int) and isinstance(
        _get(value, "nout"), int
    ):  # a universal function takes its operands by position
        operands = ["x", "y", "z"][: value.nin]
        return f"({', '.join(operands)}, /, out=None, where=None)"
    if inspect.isclass(value) and type(_get(value, "dtype")).__module__.startswith(
        "numpy"
    ):  # jax.numpy.float32(x) makes an array
        return "(x)"
    function = value
    unset = dict(plan.unset)
    for attribute in ("_func", "__wrapped__", "func"):
        inner = _get(value, attribute)
        if not inspect.isclass(value) and not inspect.isroutine(value) and inspect.isfunction(inner):
            function = inner
            break
    try:
        if inspect.isclass(function):
            constructor = _constructor(function)
            if not inspect.isfunction(constructor):  # a slot of C code takes anything and says nothing
                return signature_text(list(inspect.signature(function).parameters.values()), texts, unset)
            parameters = list(inspect.signature(constructor).parameters.values())[1:]
        else:
            parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
    return signature_text(parameters, texts, unset)


def _constructor(cls: type) -> Any:
    """`__init__` of a class, or `__new__` where only that is its own (tuples, datatypes)."""
    constructor = getattr(cls, "__init__")  # noqa: B009 - typed as an instance's
    return constructor if constructor is not object.__init__ else cls.__new__


_STARS: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}


def signature_text(
    parameters: list[inspect.Parameter], texts: dict[int, str] | None = None, unset: dict[str, str] | None = None
) -> str:
    """Parameters as text without annotations: `(x, /, dim=None, *, keepdim=False)`.

    `unset` says what a parameter means whose default has no text.
    """
    parts: list[str] = []
    previous: Any = None
    for parameter in parameters:
        if previous == inspect.Parameter.POSITIONAL_ONLY and parameter.kind != previous:
            parts.append("/")
        if parameter.kind == inspect.Parameter.KEYWORD_ONLY and "*" not in {part[:1] for part in parts}:
            parts.append("*")
        stars = _STARS.get(parameter.kind, "")
        default = ""
        if parameter.default is not inspect.Parameter.empty:
            text = default_text(parameter.default, texts or {})
            default = "=" + ((unset or {}).get(parameter.name, text) if text == _OPAQUE else text)
        parts.append(stars + parameter.name + default)
        previous = parameter.kind
    if previous == inspect.Parameter.POSITIONAL_ONLY:
        parts.append("/")
    return f"({', '.join(parts)})"


def default_text(value: object, texts: dict[int, str]) -> str:
    """Source text of a default: a literal, a public name of the framework, or `...` when it has none."""
    if id(value) in texts and not isinstance(value, (bool, int, float, str)):
        return texts[id(value)]
    text = repr(value)
    if text in {"inf", "-inf", "nan"}:
        return f"float('{text}')"
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return _elsewhere(value) or _OPAQUE
    return text


def _elsewhere(value: object) -> str | None:
    """The public name of a class or function of another package that says truly where it can be imported from."""
    module, name = _get(value, "__module__"), _get(value, "__name__")
    if (
        not isinstance(module, str)
        or not isinstance(name, str)
        or any(part.startswith("_") for part in module.split("."))
    ):
        return None
    return f"{module}.{name}" if getattr(sys.modules.get(module), name, None) is value else None


def stub_signatures(text: str, cls: str | None = None) -> dict[str, list[str]]:
    """All overloads that a stub declares: of functions and constructors of classes, or of the methods of one class."""
    body: list[ast.stmt] = ast.parse(text).body
    if cls is not None:
        body = next(node.body for node in body if isinstance(node, ast.ClassDef) and node.name == cls)
    found: dict[str, list[str]] = {}
    for node in body:
        if isinstance(node, ast.FunctionDef):
            static = any(isinstance(d, ast.Name) and d.id in {"staticmethod"} for d in node.decorator_list)
            text = _arguments_text(node.args, skip=cls is not None and not static)
            _add(found, node.name, text.replace("(self", "(input") if cls is None else text)
        elif isinstance(node, ast.ClassDef) and cls is None:
            for item in node.body:
                if isinstance(item, ast.FunctionDef) and item.name in {"__init__", "__new__"}:
                    _add(found, node.name, _arguments_text(item.args, skip=True))
    return found


def _add(found: dict[str, list[str]], name: str, text: str) -> None:
    texts = found.setdefault(name, [])
    if text not in texts:
        texts.append(text)


def _bare(argument: ast.arg) -> ast.arg:
    """A parameter without its annotation."""
    return ast.arg(argument.arg)


def _arguments_text(arguments: ast.arguments, skip: bool = False) -> str:
    """`ast.arguments` without annotations as text, without the first (self) when skip is set."""
    bare = ast.parse("def f(): pass").body[0].args  # type: ignore[attr-defined]
    bare.posonlyargs = [_bare(arg) for arg in arguments.posonlyargs]
    bare.args = [_bare(arg) for arg in arguments.args]
    if skip and bare.posonlyargs:
        bare.posonlyargs = bare.posonlyargs[1:]
    elif skip and bare.args:
        bare.args = bare.args[1:]
    bare.defaults = arguments.defaults[: len(bare.posonlyargs) + len(bare.args)]
    bare.vararg = _bare(arguments.vararg) if arguments.vararg else None
    bare.kwarg = _bare(arguments.kwarg) if arguments.kwarg else None
    bare.kwonlyargs = [_bare(arg) for arg in arguments.kwonlyargs]
    bare.kw_defaults = arguments.kw_defaults
    return f"({ast.unparse(bare)})"


def _without_first(text: str) -> str:
    arguments = _parsed(text)
    return _arguments_text(arguments, skip=True) if arguments else ""


def _parsed(text: str) -> ast.arguments | None:
    """The parameters in a signature text; None where C code announces what Python cannot say (`(a=None, b)`)."""
    try:
        return ast.parse(f"def f{text}: pass").body[0].args if text else None  # type: ignore[attr-defined]
    except SyntaxError:
        return None


def _documented(value: Any, name: str) -> str | None:
    """The signature in the first lines of a docstring: `fft(input, n=None, *, out=None) -> Tensor`."""
    written = _get(value, "__doc__")
    doc = written.strip() if isinstance(written, str) else ""
    head = doc.split("\n\n")[0].replace("\n", " ")
    start = head.find(name + "(")
    if start < 0 or " " in head[:start].strip():
        return None
    depth = 0
    for index in range(start + len(name), len(head)):
        depth += (head[index] == "(") - (head[index] == ")")
        if depth == 0:
            arguments = _parsed(head[start + len(name) : index + 1])
            return _arguments_text(arguments) if arguments else None
    return None


def _schemas(plan: Plan, name: str, value: Any) -> list[str]:
    """Signatures of a torch operator that has neither a stub nor a docstring with one."""
    if plan.root != "torch" or inspect.isclass(value):
        return []
    torch = importlib.import_module("torch")
    family, _, last = name.rpartition(".")
    candidates = [f"aten::{family.rpartition('.')[2]}_{last}", f"aten::{last}"]
    for candidate in candidates:
        schemas = torch._C._jit_get_schemas_for_operator(candidate)
        if schemas:
            return _schema_texts(schemas)
    return []


def _schema_texts(schemas: list[Any]) -> list[str]:
    out = any(argument.is_out for schema in schemas for argument in schema.arguments)
    found: list[str] = []
    for schema in schemas:
        if any(argument.is_out for argument in schema.arguments) or schema.overload_name in {"int", "float", "complex"}:
            continue
        parts: list[str] = []
        for argument in schema.arguments:
            if argument.kwarg_only and "*" not in parts:
                parts.append("*")
            default = "=" + default_text(argument.default_value, {}) if argument.has_default_value() else ""
            named = {"self": "input"}.get(argument.name, argument.name)
            parts.append((named + "_" if keyword.iskeyword(named) else named) + default)
        if out:
            parts += ["out=None"] if "*" in parts else ["*", "out=None"]
        found.append(f"({', '.join(parts)})")
    return found


def dump(data: dict[str, Any]) -> str:
    """api.json with one name a line."""
    lines = [f"{json.dumps(name)}: {json.dumps(entry, separators=(',', ':'))}" for name, entry in data["names"].items()]
    head = f'{{"framework": {json.dumps(data["framework"])}, "version": {json.dumps(data["version"])}, "names": {{\n'
    return head + ",\n".join(lines) + "\n}}\n"


def main(arguments: list[str]) -> int:
    """Writes api.json of the named frameworks (all plans when none is named), into the checkout or to `--out FILE`."""
    from . import paths

    out = None
    if arguments[:1] == ["--out"]:
        out, arguments = Path(arguments[1]), arguments[2:]
    for framework in arguments or list(PLANS):
        if framework not in PLANS and importlib.util.find_spec(framework) is None:
            print(f"there is no plan and no package {framework!r}; plans: {', '.join(PLANS)}", file=sys.stderr)
            return 2
        data = take(framework)
        target = out or paths.snapshots() / framework / "api.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(dump(data), encoding="utf-8")
        print(f"{target}: {len(data['names'])} names of {framework} {data['version']}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""The knowledge base as Python objects. Row formats: docs/knowledge-base.md."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Param:
    """A hub parameter: its type text ('tensor', 'int', 'dtype?') and default (Python literal text), if it has one."""

    name: str
    type: str
    default: str | None = None  # source text of a literal, None = required


@dataclass(frozen=True, slots=True)
class HubOp:
    """What an abstract op means."""

    name: str
    kind: str = "function"  # function | layer | property | constant | type | inplace
    params: dict[str, Param] = field(default_factory=dict)
    returns: str = "any"
    call: dict[str, str] = field(default_factory=dict)  # layers: the parameters of its forward, and 'returns'
    weights: dict[str, str] = field(default_factory=dict)
    effects: tuple[str, ...] = ()
    doc: str = ""
    parts: dict[str, str] = field(default_factory=dict)  # layers: attribute -> the layer that it holds
    draw: tuple[dict[str, str], ...] = ()  # what the fuzzer draws where the types are too wide
    undrawn: str = ""  # why it draws nothing


@dataclass(frozen=True, slots=True)
class ApiParam:
    """One parameter of a public API. `kind`: 'po' positional only, 'pk' either, 'ko' keyword, 'va' *args, 'vk' **kw."""

    name: str
    kind: str = "pk"
    default: str | None = None  # source text; None = required


Signature = tuple[ApiParam, ...]


@dataclass(frozen=True, slots=True)
class ReadRow:
    """One spelling in the source framework that means `op`."""

    op: str
    api: str
    signatures: tuple[Signature, ...]
    args: dict[str, str] = field(default_factory=dict)  # api argument -> hub parameter
    extra: dict[str, str] = field(default_factory=dict)
    when: str | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write an op in the target: exactly one of emit, api, helper, refuse, plugin is set."""

    when: str | None = None
    emit: str | None = None
    api: str | None = None
    helper: str | None = None
    refuse: str | None = None
    plugin: str | None = None
    args: dict[str, str] = field(default_factory=dict)
    signature: Signature | None = None  # of api or helper
    covers: tuple[str, ...] = ()  # hub parameters that this form writes, or whose value its own `when` fixes


@dataclass(frozen=True, slots=True)
class WriteRow:
    """How the target framework writes `op`: the first form that holds."""

    op: str
    forms: tuple[Form, ...] = ()
    helper: str | None = None  # layers: the class with the hub's constructor
    isinstance: str | None = None
    # the source's name -> the target's, "=" and an expression, or None where the target's layer has nothing like it
    attributes: dict[str, str | None] = field(default_factory=dict)
    weights: dict[str, object] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()  # hub parameters that no form writes because they cannot change the numbers
    # hub parameters whose values the target must see, so that the op cannot be traced -> when that is so (None: always)
    concrete: dict[str, str | None] = field(default_factory=dict)
    kept: tuple[str, ...] = ()  # attributes of layers that only the helper has, and no other form


@dataclass(frozen=True, slots=True)
class Helper:
    """A definition that is copied into the output: its text, the helpers it uses and the import aliases it uses."""

    name: str
    text: str
    uses: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    kind: str = "function"  # function | class | constant

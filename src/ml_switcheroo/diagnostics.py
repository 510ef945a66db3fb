"""What the converter has to say about a place in the source: the table of codes, and one diagnostic.

`CODES` is the only place that knows a code. Adding one is adding an entry to `_TABLE` and running
`python -m ml_switcheroo.diagnostics`, which writes docs/diagnostics.md.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Literal

Severity = Literal["error", "warning", "info"]

GROUPS = {
    "SW0": "Input and output",
    "SW1": "Names and kinds of values",
    "SW2": "Operations and their arguments",
    "SW3": "Shapes, layouts and dtypes",
    "SW4": "State, randomness and mutation",
    "SW5": "Classes",
    "SW6": "Training",
    "SW7": "Packages and other libraries",
    "SW9": "Bugs of our own",
}


@dataclass(frozen=True)
class Code:
    """One kind of diagnostic. `example` raises it; `hint` is used where a diagnostic has none."""

    code: str
    severity: Severity
    title: str
    explanation: str
    example: str
    hint: str = ""


@dataclass(frozen=True)
class Diagnostic:
    """One finding at one place. `line` and `col` count from 1; 0 means that the finding has no place in the text."""

    code: str
    severity: Severity
    message: str
    hint: str = ""
    path: str = ""
    line: int = 0
    col: int = 0

    def format(self) -> str:
        """`path:line:col: SW2003 error: message`, and the hint on a line of its own."""
        place = self.path or (
            "<input>" if self.line else "ml_switcheroo"
        )  # a file, standard input, or the command itself
        if self.line:
            place += f":{self.line}:{self.col or 1}"
        text = f"{place}: {self.code} {self.severity}: {self.message}"
        return f"{text}\n    hint: {self.hint}" if self.hint else text

    def at(self, path: str, line: int | None = None, col: int | None = None) -> Diagnostic:
        """The same finding in another file or place (a cell of a notebook, the file that a worker was given)."""
        return replace(self, path=path, line=self.line if line is None else line, col=self.col if col is None else col)

    def as_dict(self) -> dict[str, object]:
        """Its fields, for reports."""
        return asdict(self)


def diagnose(
    code: str,
    message: str,
    *,
    hint: str | None = None,
    path: str = "",
    line: int = 0,
    col: int = 0,
    severity: Severity | None = None,
) -> Diagnostic:
    """A diagnostic with the severity and hint of its row in the table, unless given. An unknown code is our mistake."""
    row = CODES[code]
    return Diagnostic(code, severity or row.severity, message, row.hint if hint is None else hint, path, line, col)


_TABLE = (
    # --- SW0: input and output
    Code(
        "SW0001",
        "error",
        "path cannot be read",
        "The path does not exist, is no file of a kind that is read (a `.py` file, a folder, an `.ipynb`, or "
        "`-`), or may not be opened. Nothing is written.",
        "ml_switcheroo convert no_such_file.py",
        "check the spelling of the path and its permissions",
    ),
    Code(
        "SW0002",
        "error",
        "wrong encoding",
        "The bytes of the file are not text in the encoding that it declares (UTF-8 where it declares none). "
        "Guessing another encoding could change string constants without anyone noticing.",
        "# -*- coding: no-such-codec -*-",
        "save the file as UTF-8, or declare its encoding in the first line: # -*- coding: latin-1 -*-",
    ),
    Code(
        "SW0003",
        "error",
        "not a text file",
        "The file holds NUL bytes, which Python source never does: it is a binary file with the wrong name.",
        "ml_switcheroo convert model.pth",
        "weights are moved with gen-weight-script; convert takes the source code of the model",
    ),
    Code(
        "SW0004",
        "error",
        "syntax error",
        "The text is not Python that the parser understands, so it has no meaning that could be kept. In a "
        "folder the file is left out of the result; a notebook cell is left as it was.",
        "def f(:",
        "the file must be valid Python 3",
    ),
    Code(
        "SW0005",
        "error",
        "output cannot be written",
        "The destination is not writable, is of the wrong kind (a folder where a file is needed), or overlaps "
        "the source. What was there before is untouched.",
        "ml_switcheroo convert model.py --out /no/such/place/model.py",
        "choose another destination with --out",
    ),
    Code(
        "SW0006",
        "error",
        "not a notebook",
        "The `.ipynb` file is not JSON of the notebook format (version 4).",
        "ml_switcheroo convert truncated.ipynb",
        "open and save the notebook in Jupyter, which also upgrades old formats",
    ),
    Code(
        "SW0007",
        "error",
        "framework not known",
        "The name given with --source or --target is not one that is installed.",
        "ml_switcheroo convert model.py --target no_such_framework",
        "leave --source out to have it detected from the imports",
    ),
    Code(
        "SW0008",
        "info",
        "notebook code that is left alone",
        "A cell with a magic such as `%%bash` is not Python, and the code after `%timeit` belongs to the "
        "magic. Both stay as they are.",
        "%timeit model(x)",
        "move the code into a cell of its own if it uses the framework",
    ),
    Code(
        "SW0009",
        "error",
        "name not known",
        "The knowledge base has no operation, area or status of this name.",
        "ml_switcheroo ci --op sofmax",
        "use a name from `semantics/*.yaml`; the nearest ones, or those that there are, are named",
    ),
    Code(
        "SW0011",
        "error",
        "public name not known",
        "No framework has this name, no row claims it, and no installed package offers it. A name may be given in "
        "full, or without the framework in front.",
        "ml_switcheroo suggest torch.nn.functional.no_such_function",
        "check the spelling; the message names what is nearest",
    ),
    Code(
        "SW0012",
        "error",
        "something that the command needs is not installed",
        "Definitions are YAML, which needs PyYAML when they have changed; `sync` looks at an installed framework; `ci` "
        "draws with Hypothesis and runs both frameworks.",
        "ml_switcheroo sync jax",
        "install what the message names",
    ),
    Code(
        "SW0013",
        "warning",
        "file for another framework",
        "A folder is converted from one framework: the one that most of its files import. This file imports another "
        "one, and was left as it is.",
        "import tensorflow as tf  # in a folder whose other files import torch",
        "convert such files by themselves, with --source",
    ),
    Code(
        "SW0014",
        "warning",
        "imports of files that are not converted",
        "A file that is converted by itself imports others of its project which use the source framework, too. They "
        "were read, so that their classes are known, and stay as they are: the file runs with their conversions only.",
        "from .layers import Attention  # where layers.py imports torch",
        "convert the folder, so that all files go together",
    ),
    # --- SW1: names and kinds of values
    Code(
        "SW1001",
        "error",
        "name of the framework not known",
        "The name resolves to the source framework, but the knowledge base has no row that says what it means."
        " That is different from SW2003, which is known to have no counterpart.",
        "import torch\n\ny = torch.no_such_function(x)",
        "add a row for it (EXTENDING.md), or rewrite the line with operations that are known",
    ),
    Code(
        "SW1002",
        "error",
        "kind of a value not known",
        "What the code means depends on whether a value is a tensor, a layer, a number or something else, and "
        "nothing in the project shows which. A guess could be silently wrong.",
        "def f(x):\n    return x.view(-1)  # a tensor, or an object of your own with a method view?",
        "an annotation on the parameter (x: torch.Tensor) is enough evidence",
    ),
    Code(
        "SW1003",
        "error",
        "star import of a module that is not known",
        "`from module import *` brings names that cannot be listed, because the module is neither part of the "
        "project nor in the knowledge base. Names used below it may come from there.",
        "from some_library import *",
        "import the names that the file uses one by one",
    ),
    # --- SW2: operations and their arguments
    Code(
        "SW2001",
        "error",
        "operation without a counterpart in the target's knowledge base",
        "The source operation is known, but the target framework has no row for it yet.",
        "y = torch.cholesky_solve(b, l)",
        "add a row to the target's spoke (EXTENDING.md), or rewrite the line with operations that have one",
    ),
    Code(
        "SW2002",
        "error",
        "argument that cannot be converted",
        "The operation has a counterpart, but not with this argument: dropping it would change the numbers.",
        "conv = nn.Conv2d(3, 8, 3, dtype=torch.float64)",
        "leave the argument out, or do its work in a line of its own",
    ),
    Code(
        "SW2003",
        "error",
        "operation that cannot be converted",
        "The target framework is known to have no counterpart. The message says why.",
        "y, i = F.max_pool2d(x, 2, return_indices=True)",
    ),
    Code(
        "SW2004",
        "error",
        "arguments fit no known form of the operation",
        "No signature of the operation accepts the arguments as they are written: too many, a misspelt "
        "keyword, or kinds that exclude each other.",
        "y = torch.softmax(x, axis_of_rows=1)",
        "compare the call with the documentation of the source framework",
    ),
    Code(
        "SW2005",
        "error",
        "star arguments hide what is passed",
        "`*args` or `**kwargs` go into an operation of the framework, so which parameters are given cannot be seen.",
        "y = F.interpolate(x, **options)",
        "write the arguments out at the call",
    ),
    # --- SW3: shapes, layouts and dtypes
    Code(
        "SW3001",
        "error",
        "order of axes not known",
        "The target stores this tensor with its axes in another order, and here the code works on the axes "
        "themselves, so the order would have to be known.",
        "w = conv.weight.flatten(1)",
        "permute the tensor explicitly to the order that the code expects",
    ),
    Code(
        "SW3002",
        "warning",
        "narrower dtype",
        "The target computes in 32 bits by default: 64-bit integers become int32 and 64-bit floats float32. "
        "Values outside their range or precision change.",
        "x = torch.zeros(3, dtype=torch.float64)",
        "where 64 bits matter, enable them in the target and set the dtype by hand",
    ),
    # --- SW4: state, randomness and mutation
    Code(
        "SW4001",
        "error",
        "no random stream here",
        "The code draws random numbers at a place to which no random stream can be passed, such as a callback "
        "with a fixed signature.",
        "handlers = {'noise': torch.randn_like}",
        "draw in a method of a module, or pass an nnx.Rngs to the function",
    ),
    Code(
        "SW4002",
        "error",
        "write through an alias",
        "A tensor is written in place while another name refers to the same memory and is read afterwards. In "
        "the target, arrays do not change, so the other name would keep the old values.",
        "row = x[0]\nrow.add_(1)  # x changes too\nreturn x",
        "write to the original tensor: x[0] = x[0] + 1",
    ),
    Code(
        "SW4003",
        "error",
        "in-place write that cannot be made functional",
        "The target of the write is not a name, attribute or index to which the result could be assigned.",
        "pick(x, y).fill_(0)",
        "assign the tensor to a name first, and write the result back where it belongs",
    ),
    Code(
        "SW4004",
        "warning",
        "control flow that depends on the values of a tensor",
        "The code is converted and works when run eagerly, but a branch or loop on the values of an array "
        "cannot be traced: `jax.jit` and `nnx.jit` will refuse it.",
        "if x.sum() > 0:\n    x = x - 1",
        "use jnp.where or jax.lax.cond where the function must be compiled",
    ),
    Code(
        "SW4005",
        "error",
        "values of an array in a model that is compiled",
        "What a module runs when it is called may be compiled, and then its arrays have no values. This branches on "
        "such values, makes Python numbers of them, or makes an array whose size depends on them. The converted line "
        "works eagerly and stays below its TODO; `jax.jit` and `nnx.jit` will refuse it. Checks that only raise, warn "
        "or print are converted, and left out while a function is traced.",
        "n = int(lengths.max())\nx = x[:, :n]",
        "compute with the array itself: keep the full size and mask what does not count (jnp.where), choose with "
        "jax.lax.cond, or take the number as an argument of the model",
    ),
    # --- SW5: classes
    Code(
        "SW5001",
        "error",
        "shape of a class that cannot be converted",
        "The class builds itself in a way that has no counterpart in the target: a metaclass, `__new__`, or a "
        "constructor that is not run in order.",
        "class Net(nn.Module, metaclass=Registry): ...",
        "build the class in a plain __init__ that calls super().__init__() first",
    ),
    Code(
        "SW5002",
        "error",
        "hooks",
        "The target has no hooks on modules or gradients.",
        "layer.register_forward_hook(save_activation)",
        "return the value from forward, or wrap the layer in a module that does the work of the hook",
    ),
    Code(
        "SW5003",
        "error",
        "attribute with a name that is only known at run time",
        "An attribute is read or written under a name that the code computes, and what it holds matters for "
        "the conversion.",
        "layer = getattr(self, name_from_config)",
        "keep the layers in an nn.ModuleDict",
    ),
    Code(
        "SW5004",
        "error",
        "base class not known",
        "A class inherits from something that is neither part of the project nor in the knowledge base, so "
        "what it inherits cannot be seen.",
        "from some_library import Backbone\n\n\nclass Net(Backbone): ...",
        "convert the file that defines the base class together with this one (give the folder)",
    ),
    Code(
        "SW5005",
        "warning",
        "test of a type that may hold for other objects than in the source",
        "The target may have two classes for one of the source: the layer itself, and one with the source's arguments "
        "that inherits from it. Where a class reaches a test in a variable that also makes layers, or a table is asked "
        "by the class itself, the test may not find a layer that it finds in the source.",
        "COSTS = {nn.Linear: 1}\n\ncost = COSTS[type(layer)]",
        "ask with isinstance(), and name the types in the test itself",
    ),
    Code(
        "SW5006",
        "error",
        "modules in a plain list or dictionary",
        "The source registers only what is an attribute of a module itself or in one of its containers. The target "
        "registers what is in lists and dictionaries, too, under their names, so that modules would be trained that "
        "the source does not train, or saved under other names than those of its checkpoints. A list that only the "
        "constructor uses becomes a variable of it, and one that an nn.ModuleList is made of is read from that.",
        "self.heads = [nn.Linear(4, 4), nn.Linear(4, 4)]",
        "make it an nn.ModuleList, or keep it in a variable of the constructor",
    ),
    # --- SW6: training
    Code(
        "SW6001",
        "error",
        "part of a training loop that cannot be converted",
        "The code trains a model in a way that has no counterpart in the target, or whose counterpart depends "
        "on more than this place shows.",
        "scaler = torch.amp.GradScaler()",
        "the model converts without it; write the training step with nnx.value_and_grad and nnx.Optimizer",
    ),
    Code(
        "SW6002",
        "error",
        "optimizer that cannot be converted",
        "The optimizer, or the way in which it is used here, has no counterpart in the target.",
        "optimizer = torch.optim.LBFGS(model.parameters())",
        "choose an optimizer of optax",
    ),
    Code(
        "SW6003",
        "warning",
        "backward pass that nothing reads",
        "A call of backward() whose gradients are never read and after which no optimizer steps has no effect; "
        "it is left out.",
        "model(x).sum().backward()",
        "compute gradients with nnx.grad where they are needed",
    ),
    # --- SW7: packages and other libraries
    Code(
        "SW7001",
        "error",
        "checkpoint or pretrained download",
        "Loading a checkpoint of the source framework makes no sense in the converted file: its weights have "
        "other names and axis orders.",
        "state = load_state_dict_from_url(url)",
        "convert the checkpoint once with gen-weight-script, and load the result",
    ),
    Code(
        "SW7003",
        "error",
        "package for the source framework",
        "The package is written for the source framework, its source is not converted with this file, and the "
        "knowledge base has no row for the name: what it gives is of no use among converted code. A warning where the "
        "file can do without it: in its script part, or where the import is an optional one.",
        "from torchvision import models\n\nbackbone = models.resnet18()",
        "convert the source of the package with this file, or use what the target has for it",
    ),
    # --- SW9: bugs of our own
    Code(
        "SW9001",
        "error",
        "internal error",
        "The converter failed where it should not. Nothing is written for this file; other files of the folder"
        " are converted.",
        "(no code is meant to raise this)",
        "please report it with the file, or the smallest part of it that still fails",
    ),
)

CODES: dict[str, Code] = {row.code: row for row in _TABLE}


def render_docs() -> str:
    """The text of docs/diagnostics.md."""
    lines = [
        "# Diagnostics",
        "",
        "Generated by `python -m ml_switcheroo.diagnostics` from that file's table; do not edit by hand.",
        "",
        "An *error* means that a part of the file could not be converted: the original line stays under a TODO with",
        "the code, and the command ends with exit code 1. A *warning* means that the code is converted and that there",
        "is something to know about it.",
    ]
    for prefix, group in GROUPS.items():
        lines += ["", f"## {prefix}: {group}"]
        for row in sorted((r for r in _TABLE if r.code.startswith(prefix)), key=lambda r: r.code):
            lines += ["", f"### {row.code}: {row.title}", "", f"*{row.severity}.* {row.explanation}"]
            lines += [
                "",
                "```python" if not row.example.startswith(("ml_switcheroo", "(")) else "```text",
                row.example,
                "```",
            ]
            if row.hint:
                lines += ["", f"What to do: {row.hint}."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    from pathlib import Path

    Path(__file__).parents[2].joinpath("docs", "diagnostics.md").write_text(render_docs(), encoding="utf-8")

"""What the general passes ask of a target beyond its rows: class shape, random streams, train/eval idiom, variables."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from ..errors import InputError


@dataclass(frozen=True, slots=True)
class Style:
    """How modules look in a target.

    Texts are Python; `{self}` stands for the first parameter of a method, `{x}` for an expression.
    """

    forward: str  # name of the method that computes
    stream: str | None = None  # parameter that carries random keys, None where the framework needs none
    stream_type: str = ""  # its annotation
    stream_outside: str = ""  # expression for it where there is none to pass on (module level)
    stream_seeded: str = ""  # expression for a new stream with the seed {x}
    stream_attribute: str = "{self}.{stream}"
    stream_if_taken: str = ""  # helper(function, stream): the function with the stream if it takes one
    mode: str = "{self}.training"  # "is training" as an expression
    mode_of: str = ""  # helper that finds it for modules that may keep none themselves
    signature: str = ""  # helper that gives the signature of a module's class as the source has it
    deep_copy: str = ""  # helper that copies a module with its attributes in order, where copies have them in another
    mode_start: str | None = None  # statement in the constructor of classes that ask for the mode
    mode_methods: tuple[str, ...] = ()  # methods that switch the mode and that a class must not replace
    variable_read: str = "{x}"  # value of a parameter or buffer
    variable_write: str = "{x}"  # where a new value of it is assigned
    variable_replace: str | None = None  # the same where the new value may have another shape: "{x}.replace({value})"
    variable_fill: str = ""  # helper that puts a value {value} into a variable, or gives it back where {x} is an array
    variable_type: str = ""  # of the variables that hold parameters and buffers, where they are no arrays
    variable_note: str = ""  # an attribute of one's own, of the name {name}, on a variable
    weight_view: str | None = None  # helper through which a layer's weight looks as it does in the source
    module_list: str | None = None  # what a plain list of modules becomes where it is stored in a module
    data: str | None = None  # what is stored in a module as arrays or to be replaced by data, if that has to be said
    constant: str | None = None  # helper that wraps an array which is not part of the state
    host_array: str | None = None  # the same for NumPy's, which stay what they are where functions are compiled
    concrete: str = ""  # helper that tells whether arrays have values; none where a model is never traced
    compiling: str = ""  # a `with` block that computes arrays while a function is compiled, so that they have values
    scratch: str | None = None  # class of state that is written in forward passes and is not in checkpoints
    whole: str = ""  # the place to which new values of all elements of {x} are assigned, where that changes {x} itself
    put: str = ""  # helper(x, value): x with new values in its own memory
    copies: bool = False  # arrays can be written to, but their slices and views are copies
    immutable: bool = False  # arrays cannot be written to: x[i] = v becomes an expression
    index_view: str = ""  # attribute whose subscript stands for the place to write to (`x.at[i]`)
    index_write: tuple[tuple[str, str], ...] = ()  # augmented operator ("" for a plain store) -> method of the view;
    # without a view a helper(x, index, value)
    index_of: str = ""  # what gives back its index (`np.s_`), for indices that are arguments of helpers
    index_list: str = ""  # an index that is a list {x}, where lists alone are none
    index_arrays: str = ""  # the same for a list that may hold arrays
    index_read: str = ""  # helper(x, index): x[index] where arrays cannot be read by arrays
    choose: str = ""  # {x} where {test}, an array, is true, else {other}
    both: str = "({x}) & ({other})"  # truth values of two arrays joined
    negation: str = ""  # where {x}, an array, is zero
    int_bits: int = 0  # of the widest integers that arrays hold; 0 where they are those of the source
    truth_as: str = ""  # truth values {x} as numbers of the dtype of {other}, where arithmetic does not mix them
    mask_read: str = ""  # x[mask] where arrays cannot be read by a mask: helper(x, mask, axis=0) or `f({x}, {mask})`
    mask_write: str = ""  # helper(x, mask, value, axis=0): x with values where a mask is true
    mask_choice: str = ""  # helper(mask, x, other): rows of x where a mask is true, else of other
    mask_neutral: tuple[tuple[str, str], ...] = ()  # augmented operator -> array like {x} that it leaves as it is
    transpose: str = "{x}.transpose({axes})"
    stop_gradient: str | None = None  # expression with {x}
    single: str = "{x}.squeeze()"  # an array of one element without its axes
    result_class: str = ""  # decorator of a dataclass that compiled functions give back
    constants: str = ""  # helper(x): x, which may hold arrays in containers, as a constant for gradients
    no_grad: str = ""  # helper(enabled=True): a `with` block; none where blocks cannot depend on the run
    block_result: str = ""  # helper(block, x): what is computed in such a block
    value_and_gradient: str | None = None  # loss and gradients of a function {f}; {aux} is where its option goes
    gradient: str | None = None  # its gradients alone
    gradient_aux: str = ""  # the option for functions that return more than the loss
    gradient_norm: str | None = None  # the norm of all {grads}
    optimizer_update: str | None = None  # one step of an {optimizer} on a {model} with {grads}
    # methods that the target's arrays, NumPy's and the source's tensors have with one meaning -> by how many positions
    alike: tuple[tuple[str, int], ...] = ()
    needs_super: bool = True  # must the constructor of the base module be called?
    imports: tuple[str, ...] = ()  # aliases that these texts use


# Of NumPy's and JAX's arrays and PyTorch's tensors; with more arguments (`max(dim)`) a tensor's method is another one.
_ALIKE = {"all": 1, "any": 1, "argmax": 1, "argmin": 1, "clip": 2, "conj": 0, "cumprod": 1, "cumsum": 1, "flatten": 0,
          "item": 0, "max": 0, "mean": 1, "min": 0, "prod": 1, "ravel": 0, "round": 0, "squeeze": 1, "sum": 1,
          "tolist": 0}  # fmt: skip
ARRAY_METHODS = tuple(_ALIKE.items())


def style_of(name: str) -> Style:
    """The style of a framework; others register theirs under the entry point group `ml_switcheroo.frameworks`."""
    try:
        module = import_module(f"{__package__}.{name}")
    except ModuleNotFoundError:
        from importlib.metadata import entry_points

        for entry in entry_points(group="ml_switcheroo.frameworks"):
            if entry.name == name:
                module = entry.load()
                break
        else:
            raise InputError(
                "SW0012",
                f"{name or 'the target'} has no style: the module that says how its classes look",
                "name one in `style` of its _framework.yaml (EXTENDING.md)",
            ) from None
    style = module.STYLE
    assert isinstance(style, Style)
    return style

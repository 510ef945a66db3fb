"""Flax NNX: keyword-only `rngs` in constructors, `deterministic` for train/eval, variables read with `[...]`."""

from .style import Style

STYLE = Style(
    forward="__call__",
    stream="rngs",
    stream_type="nnx.Rngs",
    stream_outside="nnx.Rngs(0)",
    stream_seeded="nnx.Rngs({x})",
    mode="not {self}.deterministic",
    mode_start="{self}.deterministic = False",
    mode_methods=("train", "eval"),
    variable_read="{x}[...]",
    variable_write="{x}[...]",
    variable_fill="fill_parameter",
    weight_view="KernelView",
    module_list="nnx.List({x})",
    data="nnx.data({x})",
    constant="Constant",
    scratch="nnx.Cache",
    immutable=True,
    index_view="at",
    index_write=(
        ("", "set"),
        ("AddAssign", "add"),
        ("SubtractAssign", "subtract"),
        ("MultiplyAssign", "multiply"),
        ("DivideAssign", "divide"),
    ),
    transpose="jnp.transpose({x}, {axes})",
    stop_gradient="lax.stop_gradient({x})",
    value_and_gradient="nnx.value_and_grad({f}{aux})",
    gradient="nnx.grad({f}{aux})",
    gradient_aux=", has_aux=True",
    gradient_norm="optax.global_norm({grads})",
    optimizer_update="{optimizer}.update({model}, {grads})",
    needs_super=False,
)

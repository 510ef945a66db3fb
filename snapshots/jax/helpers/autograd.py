"""Functions with a backward pass of their own, written as torch writes them."""
# fmt: off (long signatures are filled, not one argument a line: these texts are copied into outputs)

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


class FunctionContext(nnx.Pytree):
    """What the forward pass of a Function leaves for its backward pass: arrays are residuals, all else is static."""

    def __init__(self, needs_input_grad, key):
        self.needs_input_grad, self.saved_tensors, self.key, self.draws = needs_input_grad, (), key, 0

    def __setattr__(self, name, value):
        arrays = any(isinstance(leaf, jax.Array) or nnx.is_data(leaf) for leaf in jax.tree.leaves(value))
        super().__setattr__(name, nnx.data(value) if arrays else nnx.static(value))

    @property
    def rngs(self):
        """A random stream that is another one each time."""
        self.draws += 1
        return nnx.Rngs(jax.random.fold_in(self.key, self.draws))

    def save_for_backward(self, *tensors):
        self.saved_tensors = tensors

    def set_materialize_grads(self, value):
        """Gradients of unused outputs are arrays of zeros here."""

    def mark_non_differentiable(self, *outputs):
        self.constants = outputs


class Function:
    """A function with a backward pass of its own: subclasses have forward(ctx, *args) and backward(ctx, *grads)."""

    @classmethod
    def apply(cls, *args, rngs: nnx.Rngs | None = None):
        """What forward returns; its gradient with respect to arrays among the arguments is what backward returns."""
        if any(isinstance(arg, nnx.Module) for arg in args):
            raise TypeError(f"{cls.__name__} cannot take a module, whose parameters would get no gradient")
        args = [arg[...] if isinstance(arg, nnx.Variable) else arg for arg in args]
        places = [i for i, arg in enumerate(args) if isinstance(arg, jax.Array)]
        shapes = [jax.ShapeDtypeStruct(args[i].shape, args[i].dtype) for i in places]
        floating = tuple(i in places and jnp.issubdtype(arg.dtype, jnp.floating) for i, arg in enumerate(args))
        constant = set()  # positions of outputs without gradients

        def run(key, *arrays):
            ctx, inputs = FunctionContext(floating, key), list(args)
            for i, array in zip(places, arrays, strict=True):
                inputs[i] = array
            if hasattr(cls, "setup_context"):
                output = cls.forward(*inputs)
                cls.setup_context(ctx, tuple(inputs), output)
            else:
                output = cls.forward(ctx, *inputs)
            if hasattr(ctx, "constants"):
                outputs = output if isinstance(output, tuple) else (output,)
                constant.update(i for i, out in enumerate(outputs) if any(out is c for c in ctx.constants))
                del ctx.constants
            return output, ctx

        def backward(ctx, grads):
            grads = grads if isinstance(grads, tuple) else (grads,)
            grads = [jnp.zeros(g.shape) if g is not None and g.dtype == jax.dtypes.float0 else g for g in grads]
            result = cls.backward(ctx, *grads)
            result = tuple(result) if isinstance(result, (tuple, list)) else (result,)
            return None, *(summed_to(result[i], shape) for i, shape in zip(places, shapes, strict=True))

        call = jax.custom_vjp(lambda key, *arrays: run(key, *arrays)[0])
        call.defvjp(run, backward)
        output = call(rngs and rngs(), *(args[i] for i in places))
        if not constant:
            return output
        if not isinstance(output, tuple):
            return lax.stop_gradient(output)
        return tuple(lax.stop_gradient(out) if i in constant else out for i, out in enumerate(output))


def summed_to(gradient, like):
    """A gradient in the shape and dtype of the array that it belongs to: axes that were broadcast are summed over."""
    if gradient is None or not jnp.issubdtype(like.dtype, jnp.inexact):
        return None
    if gradient.shape != like.shape:
        wide = jax.ShapeDtypeStruct(like.shape, gradient.dtype)
        (gradient,) = jax.linear_transpose(lambda x: jnp.broadcast_to(x, gradient.shape), wide)(gradient)
    return gradient.astype(like.dtype)


def softmax_backward(grad, x, dim, dtype=None) -> jax.Array:
    """Gradient of the input of a softmax along dim, from that of its output x."""
    product = grad * x
    gradient = product - x * product.sum(dim, keepdims=True)
    return gradient if dtype is None else gradient.astype(dtype)


def stop_gradients(value):
    """The value with its arrays as constants for gradients, also those in tuples, lists, dicts and dataclasses."""
    if dataclasses.is_dataclass(value) and not isinstance(value, (type, jax.Array, nnx.Module)):
        names = [field.name for field in dataclasses.fields(value) if field.init]
        return dataclasses.replace(value, **{name: stop_gradients(getattr(value, name)) for name in names})
    if isinstance(value, (tuple, list, dict)):
        return tree_map(stop_gradients, value, is_leaf=lambda part: part is not value)
    return lax.stop_gradient(value) if isinstance(value, jax.Array) else value


class no_grad:
    """A block in which `result_of(block, value)` is a constant for gradients."""

    def __init__(self, enabled=True):
        self.enabled = enabled

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False


def result_of(block, value):
    """The value, as a constant for gradients if the block is a no_grad."""
    return stop_gradients(value) if isinstance(block, no_grad) and block.enabled else value
def jacobian(func, inputs):
    """Derivatives of what func returns by its input, or by each of several."""
    if isinstance(inputs, (tuple, list)):
        return jax.jacrev(func, tuple(range(len(inputs))))(*inputs)
    return jax.jacrev(func)(inputs)


def hessian(func, inputs):
    """Second derivatives of the number that func returns by its input, or by each two of several."""
    if isinstance(inputs, (tuple, list)):
        return jax.hessian(func, tuple(range(len(inputs))))(*inputs)
    return jax.hessian(func)(inputs)


def vjp(func, inputs, v=None):
    """What func returns, and the product of v (1 by default) and its derivatives."""
    several = isinstance(inputs, (tuple, list))
    out, pull_back = jax.vjp(func, *(inputs if several else (inputs,)))
    grads = pull_back(jax.tree.map(jnp.ones_like, out) if v is None else v)
    return out, grads if several else grads[0]


def jvp(func, inputs, v=None):
    """What func returns, and the product of its derivatives and v (1 by default)."""
    v = jax.tree.map(jnp.ones_like, inputs) if v is None else v
    several = isinstance(inputs, (tuple, list))
    return jax.jvp(func, tuple(inputs) if several else (inputs,), tuple(v) if several else (v,))


def hvp(func, inputs, v=None):
    """The number that func returns, and the product of its second derivatives and v (1 by default)."""
    several = isinstance(inputs, (tuple, list))
    both = jax.value_and_grad(func, tuple(range(len(inputs))) if several else 0)
    (value, _), (_, product) = jvp(both, inputs, v)
    return value, product


def grad_and_value(func, argnums=0, has_aux=False):
    """The function that gives the gradient of another one, and its value."""
    value_and_grad = jax.value_and_grad(func, argnums, has_aux)
    return lambda *args, **named: value_and_grad(*args, **named)[::-1]

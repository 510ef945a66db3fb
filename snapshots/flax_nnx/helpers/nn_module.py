"""What code asks of a torch module (its parts, parameters, state), for NNX modules, in torch's order."""
# fmt: off (long signatures are filled, not one argument a line: these texts are copied into outputs)

import copy
import inspect
import math
import re
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx


def is_jax_function(value):
    """Whether this is a function of JAX, or a partial one."""
    function = getattr(value, "func", value)
    return callable(function) and not isinstance(function, type) and str(function.__module__).startswith("jax")


def named_children(module):
    """The direct parts of a module with their names, each once; JAX functions stand for layers without parameters."""
    if hasattr(module, "child_names"):
        items = module.items()
    elif isinstance(module, nnx.Sequential):
        items = enumerate(module.layers)
    elif isinstance(module, nnx.List):
        items = enumerate(module)
    else:
        items = vars(module).items() if isinstance(module, nnx.Module) else ()
        native = any(base.__module__.startswith("flax.nnx.nn.") for base in type(module).__mro__)
        items = [(k, v) for k, v in items if isinstance(v, nnx.Module) or (is_jax_function(v) and not native)]
    seen = set()
    for name, child in items:
        if id(child) not in seen and not isinstance(child, nnx.Variable):
            if isinstance(child, nnx.Module):
                seen.add(id(child))
            yield str(name), child


def children(module):
    """The direct parts of a module, each once."""
    for _, child in named_children(module):
        yield child


def named_modules(module, memo=None, prefix="", remove_duplicate=True):
    """The module and all modules inside it with their dotted names, parents first, each once."""
    memo = set() if memo is None else memo
    if id(module) not in memo:
        if remove_duplicate and isinstance(module, nnx.Module):
            memo.add(id(module))
        yield prefix, module
        for name, child in named_children(module):
            yield from named_modules(child, memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)


def modules(module):
    """The module and all modules inside it, parents first, each once."""
    for _, found in named_modules(module):
        yield found


def named_variables(module, kinds, prefix="", recurse=True):
    """The variables of these kinds, each once, under torch's names (the `kernel` of a native layer is a `weight`)."""
    native = (
        nnx.Linear, nnx.Conv, nnx.ConvTranspose, nnx.Embed, nnx.BatchNorm, nnx.LayerNorm, nnx.GroupNorm, nnx.RMSNorm
    )
    names = {"kernel": "weight", "embedding": "weight", "scale": "weight", "mean": "running_mean", "var": "running_var"}
    seen = set()
    for path, part in named_modules(module, prefix=prefix) if recurse else [(prefix, module)]:
        for name, value in vars(part).items() if isinstance(part, nnx.Module) else ():
            if isinstance(value, kinds) and id(value) not in seen:
                seen.add(id(value))
                name = names.get(name, name) if isinstance(part, native) else name
                yield f"{path}.{name}" if path else name, value


def named_parameters(module, prefix="", recurse=True):
    """The parameters, trained or frozen, with their dotted names, each once."""
    yield from named_variables(module, (nnx.Param, Frozen), prefix, recurse)


def parameters(module, recurse=True):
    """The parameters, trained or frozen, each once."""
    for _, variable in named_parameters(module, recurse=recurse):
        yield variable


def named_buffers(module, prefix="", recurse=True):
    """The variables that are state but not trained, and the constants, with their dotted names, each once."""
    yield from named_variables(module, (nnx.BatchStat, Buffer, Constant), prefix, recurse)


def buffers(module, recurse=True):
    """The variables that are state but not trained, and the constants, each once."""
    for _, variable in named_buffers(module, recurse=recurse):
        yield variable


def apply(module, fn):
    """Call fn on every module inside and then on the module itself; gives the module back."""
    for child in children(module):
        apply(child, fn)
    fn(module)
    return module


def get_submodule(module, target):
    """The module at a dotted path of torch's names."""
    for name in filter(None, target.split(".")):
        found = dict(named_children(module))
        if name not in found:
            raise AttributeError(f"{type(module).__name__} has no part `{name}`")
        module = found[name]
    return module


def get_parameter(module, target):
    """The trained variable at a dotted path of torch's names."""
    return dict(named_parameters(module))[target]


def get_buffer(module, target):
    """The variable or constant at a dotted path of torch's names."""
    return dict(named_buffers(module))[target]


def set_submodule(module, target, child):
    """Put a part at a dotted path of torch's names."""
    path, _, name = target.rpartition(".")
    owner = get_submodule(module, path)
    if name.isdecimal():
        owner = owner.layers if isinstance(owner, nnx.Sequential) else owner
    setattr(owner, name, child)


def saved_variables(module):
    """The variables of a module or an optimizer that belong into a file, under their dotted paths."""
    left_out = (nnx.RngState, nnx.Cache, *(() if isinstance(module, nnx.Optimizer) else (nnx.OptState,)))
    flat = nnx.to_flat_state(nnx.state(module, nnx.Not(left_out)))
    return {".".join(map(str, path)): variable for path, variable in flat}


def state_dict(module):
    """All arrays of a module or an optimizer except random state, under their dotted paths."""
    return {path: variable[...] for path, variable in saved_variables(module).items()}


class LoadedKeys(NamedTuple):
    """What did not fit when state was loaded."""

    missing_keys: list
    unexpected_keys: list


def load_state_dict(module, state_dict, strict=True):
    """Put arrays into a module by their dotted paths; with strict, the paths must be exactly the module's."""
    flat = saved_variables(module)
    missing = [path for path in flat if path not in state_dict]
    unexpected = [path for path in state_dict if path not in flat]
    if strict and (missing or unexpected):
        raise ValueError(f"state does not fit the module: missing {missing}, unexpected {unexpected}")
    for path, variable in flat.items():
        if path in state_dict:
            value = jnp.asarray(state_dict[path])
            if value.shape != variable.shape:
                raise ValueError(f"{path} has shape {value.shape}, the module needs {variable.shape}")
            variable.set_value(value.astype(variable.dtype))
    return LoadedKeys(missing_keys=missing, unexpected_keys=unexpected)


def load_own_state(
    module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
):
    """Put arrays into a module, without its parts, by their dotted paths; what does not fit goes into the lists."""
    if not isinstance(module, nnx.Module):
        return
    own = {path: variable for path, variable in saved_variables(module).items() if "." not in path}
    parts = {name for name, _ in named_children(module)}
    # The parts of a Sequential count among its `layers` in paths, and not in the names of parts.
    prefix, keys = re.sub(r"\blayers\.(?=\d)", "", prefix), {re.sub(r"\blayers\.(?=\d)", "", k): k for k in state_dict}
    for name, variable in own.items():
        key = keys.get(prefix + name)
        if key is None:
            missing_keys.extend([prefix + name] if strict else [])
        elif (value := jnp.asarray(state_dict[key])).shape == variable.shape:
            variable.set_value(value.astype(variable.dtype))
        else:
            error_msgs.append(f"{key} has shape {value.shape}, the module needs {variable.shape}")
    for name, key in keys.items() if strict else ():
        if name.startswith(prefix) and name.removeprefix(prefix).split(".")[0] not in (*own, *parts):
            unexpected_keys.append(key)


def is_training(module) -> bool:
    """Is a module in training mode? Where it has no mode itself, its parts tell."""
    flags = ("deterministic", "use_running_average")
    for parts in [module], modules(module):
        modes = {getattr(part, flag, None) for part in parts for flag in flags} - {None}
        if len(modes) == 1:
            return not modes.pop()
    raise ValueError("the parts of this module have no mode, or not all the same: ask one of them")


def signature_of(called) -> inspect.Signature:
    """The signature of a function, or of a module's class (which itself says nothing) without its random stream."""
    if not (inspect.isclass(called) and issubclass(called, nnx.Module)):
        return inspect.signature(called)
    signature = inspect.signature(called.__init__)
    _, *parameters = signature.parameters.values()
    return signature.replace(parameters=[p for p in parameters if p.name != "rngs"])


def deep_copy(value, memo=None):
    """A copy, whose modules have their attributes in the order of the original's: nnx sorts those of copies."""
    copied = copy.deepcopy(value, memo)
    if isinstance(value, nnx.Module):
        for (_, old), (_, new) in zip(nnx.iter_modules(value), nnx.iter_modules(copied), strict=True):
            held = dict(vars(new))
            vars(new).clear()
            vars(new).update({name: held.pop(name) for name in vars(old) if name in held}, **held)
    return copied


def train_mode(module, mode=True):
    """Switch a module to training (or evaluation) and give it back."""
    module.train() if mode else module.eval()
    return module


def cast(module, dtype):
    """Convert the floating-point arrays of a module to a dtype and give the module back."""
    for _, variable in named_variables(module, nnx.Variable):
        if jnp.issubdtype(variable.dtype, jnp.floating):
            variable.set_value(variable[...].astype(dtype))
    return module


def eval_mode(module):
    """Switch a module to evaluation and give it back."""
    module.eval()
    return module


def cast_float32(module):
    """Convert the floating-point arrays of a module to float32 and give the module back."""
    return cast(module, jnp.float32)


def cast_float16(module):
    """Convert the floating-point arrays of a module to float16 and give the module back."""
    return cast(module, jnp.float16)


def cast_bfloat16(module):
    """Convert the floating-point arrays of a module to bfloat16 and give the module back."""
    return cast(module, jnp.bfloat16)


def module_to_dtype(module, target, dtype):
    """Cast a module to a dtype; the device changes nothing, JAX places arrays itself."""
    return cast(module, dtype) if dtype is not None else module


def module_to(module, target):
    """Cast a module when target is a dtype; a device changes nothing, JAX places arrays itself."""
    return cast(module, target) if isinstance(target, (jnp.dtype, type(jnp.float32))) else module


def register_buffer(module, name, tensor, persistent=True):
    """Store an array as untrained state under a name (a constant, if it does not belong to the checkpoint)."""
    nothing = nnx.data(None) if persistent else None
    setattr(module, name, nothing if tensor is None else Buffer(tensor) if persistent else Constant(tensor))


def register_parameter(module, name, param):
    """Store a parameter, or the lack of one, under a name."""
    setattr(module, name, nnx.data(param))


def add_module(module, name, child):
    """Store a part under a name."""
    if hasattr(module, "add_module"):
        module.add_module(name, child)
    elif isinstance(module, nnx.List) and name == str(len(module)):
        module.append(child)
    else:
        setattr(module, name, child)


def reset_parameters(module, inherited=False, *, rngs: nnx.Rngs):
    """Draw the weights of a layer anew: uniform within 1 / sqrt(inputs), embeddings normal, norms at one and zero.

    A class with a method of that name says itself how, unless the inherited way is asked for.
    """
    if hasattr(module, "reset_parameters") and not inherited:
        module.reset_parameters()
        return
    values = vars(module)
    if isinstance(values.get("kernel"), nnx.Variable):
        bound = math.prod(module.kernel.shape[:-1]) ** -0.5
        for variable in (module.kernel, module.bias):
            if variable is not None:
                variable[...] = jax.random.uniform(rngs.params(), variable.shape, variable.dtype, -bound, bound)
    elif isinstance(values.get("embedding"), nnx.Variable):
        module.embedding[...] = jax.random.normal(rngs.params(), module.embedding.shape, module.embedding.dtype)
    for name, value in (("scale", 1), ("mean", 0), ("var", 1)):
        if isinstance(values.get(name), nnx.Variable):
            values[name][...] = jnp.full_like(values[name][...], value)
            if values.get("bias") is not None:
                module.bias[...] = jnp.zeros_like(module.bias[...])

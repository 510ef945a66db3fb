"""Containers and variables: what torch's become where the native ones do not do."""
# fmt: off (long signatures are filled, not one argument a line: these texts are copied into outputs)

import jax.numpy as jnp
from flax import nnx


class Buffer(nnx.Variable):
    """State that belongs to the checkpoint and is not trained."""


class Constant:
    """An array that belongs to a module but not to its state: `constant[...]` reads it."""

    def __init__(self, value):
        self.value = jnp.asarray(value)

    def __getitem__(self, index):
        return self.value if index is Ellipsis else self.value[index]

    def __setitem__(self, index, value):
        self.value = jnp.asarray(value) if index is Ellipsis else self.value.at[index].set(value)

    def __jax_array__(self):
        return self.value

    @property
    def shape(self):
        return self.value.shape

    @property
    def dtype(self):
        return self.value.dtype

    @property
    def ndim(self):
        return self.value.ndim


class HostArray:
    """A NumPy array of a module, whose numbers compiled functions see: `array[...]` reads it."""

    def __init__(self, value):
        self.value = value

    def __getitem__(self, index):
        return self.value[index]

    def __setitem__(self, index, value):
        self.value[index] = value

    def __len__(self):
        return len(self.value)

    def __array__(self, dtype=None, copy=None):
        return self.value if dtype is None else self.value.astype(dtype)

    def __jax_array__(self):
        return jnp.asarray(self.value)


class Sequential(nnx.Sequential):
    """Layers applied one after the other; as in torch they can be named, indexed, sliced, added and iterated over.

    Layers given by position (or named by a number) live in `layers`, others in attributes of their name.
    """

    child_names = ()

    def __init__(self, *args, rngs: nnx.Rngs | None = None):
        super().__init__()
        named = len(args) == 1 and isinstance(args[0], dict)
        for name, layer in args[0].items() if named else enumerate(args):
            self.add_module(str(name), layer)

    def __setattr__(self, name, value):
        is_layer = isinstance(value, nnx.Module) or is_jax_function(value)
        if is_layer and name != "layers" and name not in self.child_names:
            super().__setattr__("child_names", (*self.child_names, name))
        super().__setattr__(name, value)

    def __call__(self, input):
        for layer in self:
            input = layer(input)
        return input

    def owner(self, name):
        """The object that holds the child of this name as an attribute."""
        return self.layers if name.isdecimal() else self

    def add_module(self, name, layer):
        if name == str(len(self.layers)):
            self.layers.append(layer)
        else:
            setattr(self.owner(name), name, layer)
        if name not in self.child_names:
            super().__setattr__("child_names", (*self.child_names, name))

    def items(self):
        return [(name, getattr(self.owner(name), name)) for name in self.child_names]

    def __len__(self):
        return len(self.child_names)

    def __iter__(self):
        return iter([layer for _, layer in self.items()])

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Sequential(dict(self.items()[index]))
        name = index if isinstance(index, str) else self.child_names[index]
        return getattr(self.owner(name), name)

    def __setitem__(self, index, layer):
        name = self.child_names[index]
        delattr(self.owner(name), name)  # a layer may take the place of a plain function, which is no state
        setattr(self.owner(name), name, layer)

    def __delitem__(self, index):
        layers = [*self]
        del layers[index]
        self.replace(layers)

    def replace(self, layers):
        """Start again with these layers; all of them are named by their position, as in torch."""
        for name in self.child_names:
            delattr(self.owner(name), name)
        self.layers = nnx.List()
        super().__setattr__("child_names", ())
        self.extend(layers)

    def append(self, layer):
        self.add_module(str(len(self)), layer)
        return self

    def extend(self, layers):
        for layer in layers:
            self.append(layer)
        return self

    def insert(self, index, layer):
        self.replace([*self[:index], layer, *self[index:]])
        return self

    def pop(self, index):
        layer = self[index]
        del self[index]
        return layer


class ModuleList(nnx.List):
    """A list of layers; a slice is a ModuleList again, as in torch."""

    def __init__(self, modules=None, *, rngs: nnx.Rngs | None = None):
        super().__init__(modules or ())

    def __getitem__(self, index):
        found = super().__getitem__(index)
        return ModuleList(found) if isinstance(index, slice) else found

    def __add__(self, other):
        return ModuleList([*self, *other])

    def add_module(self, name, layer):
        if name == str(len(self)):
            self.append(layer)
        else:
            self[int(name)] = layer


class _OrderedDict(nnx.Dict):
    """A dictionary in the order in which it was filled; nnx.jit leaves a plain nnx.Dict sorted by name."""

    child_names = ()

    def __init__(self, items=None):
        super().__init__()
        self.update(items or {})

    def __setitem__(self, name, value):
        setattr(self, name, value)
        if name not in self.child_names:
            super().__setattr__("child_names", (*self.child_names, name))

    def __delitem__(self, name):
        super().__delitem__(name)
        super().__setattr__("child_names", tuple(other for other in self.child_names if other != name))

    def __contains__(self, name):
        return name in self.child_names

    def __iter__(self):
        return iter(self.child_names)


class ModuleDict(_OrderedDict):
    """Layers under names, in the order in which they were put in; other attributes of a subclass are no items."""

    def __init__(self, modules=None, *, rngs: nnx.Rngs | None = None):
        super().__init__(modules)

    def __setattr__(self, name, value):
        if isinstance(value, nnx.Module) and name not in self.child_names:
            super().__setattr__("child_names", (*self.child_names, name))
        super().__setattr__(name, value)

    def add_module(self, name, layer):
        self[name] = layer


class ParameterList(nnx.List):
    """A list of parameters; arrays become parameters when they are put in."""

    def __init__(self, values=None, *, rngs: nnx.Rngs | None = None):
        super().__init__(values or ())

    def _set_elem(self, key, value):
        super()._set_elem(key, nnx.Param(value) if isinstance(value, jnp.ndarray) else value)


class ParameterDict(_OrderedDict):
    """Parameters under names; arrays become parameters when they are put in."""

    def __init__(self, parameters=None, *, rngs: nnx.Rngs | None = None):
        super().__init__(parameters)

    def __setattr__(self, name, value):
        super().__setattr__(name, nnx.Param(value) if isinstance(value, jnp.ndarray) else value)

"""LSTM language model with optional weight tying."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


class _RNNCellBase(nnx.Module):
    """One step of a recurrent layer; `ih` takes the input to the gates and `hh` the hidden state."""

    gates = 1

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None, *, rngs: nnx.Rngs):
        self.input_size, self.hidden_size = input_size, hidden_size
        dtype = dtype or jnp.float32
        self.ih = nnx.Linear(input_size, self.gates * hidden_size, use_bias=bias, param_dtype=dtype, rngs=rngs)
        self.hh = nnx.Linear(hidden_size, self.gates * hidden_size, use_bias=bias, param_dtype=dtype, rngs=rngs)

    def __call__(self, input, hx=None):
        if hx is None:
            hx = jnp.zeros((*input.shape[:-1], self.hidden_size), input.dtype)
        return self.step((hx,), self.ih(input))[0]


class LSTMCell(_RNNCellBase):
    """One step of an LSTM layer; its state is the pair (hidden, cell)."""

    gates = 4

    def __call__(self, input, hx=None):
        if hx is None:
            hx = (jnp.zeros((*input.shape[:-1], self.hidden_size), input.dtype),) * 2
        return self.step(hx, self.ih(input))

    def step(self, state, inputs):
        hidden, cell = state
        into, forget, new, out = jnp.split(inputs + self.hh(hidden), 4, axis=-1)
        cell = nnx.sigmoid(forget) * cell + nnx.sigmoid(into) * jnp.tanh(new)
        return nnx.sigmoid(out) * jnp.tanh(cell), cell


def masked_dropout(x, p, training, shape, rngs: nnx.Rngs) -> jax.Array:
    """Zeroes x where a draw of the given shape says so (probability p), and scales the rest to keep the mean."""
    if not training or p == 0:
        return x
    if p == 1:
        return jnp.zeros_like(x)
    keep = jax.random.bernoulli(rngs.dropout(), 1 - p, shape)
    return jnp.where(keep, x / (1 - p), 0)


def _dropout(x, p=0.5, training=True, *, rngs: nnx.Rngs) -> jax.Array:
    """Zeroes each element with probability p in training and scales the rest by 1 / (1 - p)."""
    return masked_dropout(x, p, training, x.shape, rngs)


class _RNNBase(nnx.Module):
    """Layers of recurrent cells over sequences (time, batch, features), or (batch, time, features) with batch_first."""

    cell = None  # the class of its cells
    states = 1

    def __init__(
        self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False,
        device=None, dtype=None, *, rngs: nnx.Rngs, **settings,
    ):
        self.input_size, self.hidden_size, self.num_layers, self.bias = input_size, hidden_size, num_layers, bias
        self.batch_first, self.dropout, self.bidirectional = batch_first, dropout, bidirectional
        self.deterministic, self.rngs = False, rngs.fork()
        sizes = [input_size] + [hidden_size * (2 if bidirectional else 1)] * (num_layers - 1)

        def cells():
            return nnx.List([self.cell(size, hidden_size, bias, dtype=dtype, rngs=rngs, **settings) for size in sizes])

        self.cells = cells()
        if bidirectional:
            self.reverse_cells = cells()

    def run(self, input, state):
        """Outputs (like input) and last states; `state` is a tuple of (layers * directions, batch, hidden) or None."""
        x = input[:, None] if input.ndim == 2 else input.swapaxes(0, 1) if self.batch_first else input
        directions = [self.cells, self.reverse_cells] if self.bidirectional else [self.cells]
        if state is None:
            zeros = jnp.zeros((self.num_layers * len(directions), x.shape[1], self.hidden_size), x.dtype)
            state = (zeros,) * self.states
        elif input.ndim == 2:
            state = tuple(one[:, None] for one in state)
        last = []
        for layer in range(self.num_layers):
            outputs = []
            for cells in directions:
                cell = cells[layer]

                def step(carry, inputs, cell=cell):
                    carry = cell.step(carry, inputs)
                    return carry, carry[0]

                first = tuple(one[len(last)] for one in state)
                final, output = lax.scan(step, first, cell.ih(x), reverse=len(outputs) == 1)
                outputs.append(output)
                last.append(final)
            x = jnp.concatenate(outputs, axis=-1)
            if layer < self.num_layers - 1:
                x = _dropout(x, self.dropout, not self.deterministic, rngs=self.rngs)
        state = tuple(jnp.stack(one) for one in zip(*last))
        if input.ndim == 2:
            return x[:, 0], tuple(one[:, 0] for one in state)
        return x.swapaxes(0, 1) if self.batch_first else x, state

    def __call__(self, input, hx=None):
        output, state = self.run(input, None if hx is None else (hx,))
        return output, state[0]


class LSTM(_RNNBase):
    """LSTM layers, with torch's constructor; the state is the pair (hidden, cell)."""

    cell = LSTMCell
    states = 2

    def __init__(
        self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False,
        proj_size=0, device=None, dtype=None, *, rngs: nnx.Rngs,
    ):
        if proj_size:
            raise ValueError("proj_size is not supported")
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype=dtype, rngs=rngs
        )
        self.proj_size = proj_size

    def __call__(self, input, hx=None):
        return self.run(input, hx)


class TransposedWeight(nnx.Module):
    """Stands where a layer has its weight, and is the weight of another layer with its two axes swapped."""

    def __init__(self, weight):
        self.weight = weight

    def __getitem__(self, index):
        return self.weight[...].T[index]

    def __setitem__(self, index, value):
        self.weight[...] = self[...].at[index].set(value).T

    def __jax_array__(self):
        return self[...]

    @property
    def shape(self):
        return self.weight.shape[::-1]

    @property
    def dtype(self):
        return self.weight.dtype

    @property
    def ndim(self):
        return 2

    @property
    def size(self):
        return self.weight.size


def gather_along(x: jax.Array, dim: int, index: jax.Array) -> jax.Array:
    """Elements of x along dim at the places that index names; the other places are those of index."""
    window = tuple(slice(None) if axis == dim % x.ndim else slice(size) for axis, size in enumerate(index.shape))
    return jnp.take_along_axis(x[window], index, axis=dim)


class Frozen(nnx.Variable):
    """A parameter that is not trained."""


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


def named_modules(module, memo=None, prefix="", remove_duplicate=True):
    """The module and all modules inside it with their dotted names, parents first, each once."""
    memo = set() if memo is None else memo
    if id(module) not in memo:
        if remove_duplicate and isinstance(module, nnx.Module):
            memo.add(id(module))
        yield prefix, module
        for name, child in named_children(module):
            yield from named_modules(child, memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)


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


def squeeze_axes(x: jax.Array, dim: int | Sequence[int]) -> jax.Array:
    """x without those of the named axes that have size one."""
    dims = (dim,) if isinstance(dim, int) else dim
    return jnp.squeeze(x, axis=tuple(d for d in dims if x.ndim and x.shape[d] == 1))


def fill_parameter(tensor: nnx.Variable, value: jax.Array) -> nnx.Variable:
    """Puts value into a parameter; an array cannot be changed, so for one the result is the value."""
    value = jnp.asarray(value, tensor.dtype)
    if isinstance(tensor, jax.Array):
        return value
    tensor[...] = value
    return tensor


def uniform_(tensor, a=0.0, b=1.0, *, rngs: nnx.Rngs):
    """Fills a parameter with uniform draws from a to b."""
    return fill_parameter(tensor, jax.random.uniform(rngs.params(), tensor.shape, minval=a, maxval=b))


def zeros_(tensor):
    """Fills a parameter with zeros."""
    return fill_parameter(tensor, jnp.zeros(tensor.shape))


class LSTMLanguageModel(nnx.Module):
    """Embedding, a stack of LSTM layers, and a decoder over the vocabulary.

    Args:
        vocab_size: number of words
        embed_dim: width of the word embeddings
        hidden_dim: width of the LSTM state
        num_layers: number of stacked LSTM layers
        dropout: rate between the layers and before the decoder
        tie_weights: share the matrix of the embedding and the decoder
    """

    def __init__(
        self, vocab_size, embed_dim=128, hidden_dim=128, num_layers=2, dropout=0.2, tie_weights=False, *, rngs: nnx.Rngs,
    ):
        self.vocab_size = vocab_size
        self.hidden_dim = hidden_dim
        self.num_layers = num_layers

        self.drop = nnx.Dropout(dropout, rngs=rngs)
        self.encoder = nnx.Embed(vocab_size, embed_dim, rngs=rngs)
        self.rnn = LSTM(embed_dim, hidden_dim, num_layers, batch_first=True, dropout=dropout, rngs=rngs)
        self.decoder = nnx.Linear(hidden_dim, vocab_size, rngs=rngs)

        if tie_weights:
            if hidden_dim != embed_dim:
                raise ValueError("tied weights need hidden_dim == embed_dim")
            self.decoder.kernel = TransposedWeight(self.encoder.embedding)

        self.init_weights(rngs=rngs)

    def init_weights(self, *, rngs: nnx.Rngs):
        init_range = 0.1
        uniform_(self.encoder.embedding, -init_range, init_range, rngs=rngs)
        zeros_(self.decoder.bias)
        uniform_(self.decoder.kernel, -init_range, init_range, rngs=rngs)

    def init_hidden(self, batch_size):
        weight = next(parameters(self))
        return (
            jnp.zeros((self.num_layers, batch_size, self.hidden_dim), dtype=weight.dtype),
            jnp.zeros((self.num_layers, batch_size, self.hidden_dim), dtype=weight.dtype),
        )

    def __call__(self, tokens, hidden=None):
        if hidden is None:
            hidden = self.init_hidden(tokens.shape[0])
        emb = self.drop(self.encoder(tokens))
        output, hidden = self.rnn(emb, hidden)
        decoded = self.decoder(self.drop(output))
        return jax.nn.log_softmax(decoded), hidden


def sequence_loss(log_probs, targets, pad_index=0):
    """Mean negative log-likelihood over the words that are not padding."""
    log_probs = log_probs.reshape(-1, log_probs.shape[-1])
    targets = targets.reshape(-1)
    mask = (targets != pad_index).astype(jnp.float32)
    losses = -squeeze_axes(gather_along(log_probs, 1, jnp.expand_dims(targets, 1)), 1)
    return jnp.sum(losses * mask) / jnp.clip(jnp.sum(mask), min=1.0)


def perplexity(loss):
    return jnp.exp(loss)

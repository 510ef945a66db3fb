"""Recurrent layers and cells with torch's constructors, gate order and two biases."""
# fmt: off (long signatures are filled, not one argument a line: these texts are copied into outputs)

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


class RNNCell(_RNNCellBase):
    """One step of a simple recurrent layer."""

    def __init__(
        self, input_size, hidden_size, bias=True, nonlinearity="tanh", device=None, dtype=None, *, rngs: nnx.Rngs
    ):
        super().__init__(input_size, hidden_size, bias, dtype=dtype, rngs=rngs)
        self.nonlinearity = nonlinearity

    def step(self, state, inputs):
        value = inputs + self.hh(state[0])
        return (jnp.tanh(value) if self.nonlinearity == "tanh" else nnx.relu(value),)


class GRUCell(_RNNCellBase):
    """One step of a GRU layer."""

    gates = 3

    def step(self, state, inputs):
        reset, update, new = jnp.split(inputs, 3, axis=-1)
        reset_h, update_h, new_h = jnp.split(self.hh(state[0]), 3, axis=-1)
        new = jnp.tanh(new + nnx.sigmoid(reset + reset_h) * new_h)
        update = nnx.sigmoid(update + update_h)
        return ((1 - update) * new + update * state[0],)


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
                x = dropout(x, self.dropout, not self.deterministic, rngs=self.rngs)
        state = tuple(jnp.stack(one) for one in zip(*last))
        if input.ndim == 2:
            return x[:, 0], tuple(one[:, 0] for one in state)
        return x.swapaxes(0, 1) if self.batch_first else x, state

    def __call__(self, input, hx=None):
        output, state = self.run(input, None if hx is None else (hx,))
        return output, state[0]


class RNN(_RNNBase):
    """Simple recurrent layers, with torch's constructor."""

    cell = RNNCell

    def __init__(
        self, input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False, dropout=0.0,
        bidirectional=False, device=None, dtype=None, *, rngs: nnx.Rngs,
    ):
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype=dtype, rngs=rngs,
            nonlinearity=nonlinearity,
        )
        self.nonlinearity = nonlinearity


class GRU(_RNNBase):
    """GRU layers, with torch's constructor."""

    cell = GRUCell


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


def pad_sequence(sequences, batch_first=False, padding_value=0.0, padding_side="right"):
    """Arrays of different lengths stacked along a new axis, the shorter ones filled up."""
    longest = max(one.shape[0] for one in sequences)

    def fill(one):
        gap = longest - one.shape[0]
        ends = (0, gap) if padding_side == "right" else (gap, 0)
        return jnp.pad(one, [ends] + [(0, 0)] * (one.ndim - 1), constant_values=padding_value)

    return jnp.stack([fill(one) for one in sequences], axis=0 if batch_first else 1)

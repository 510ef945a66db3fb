"""LSTM language model with optional weight tying."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class LSTMLanguageModel(nn.Module):
    """Embedding, a stack of LSTM layers, and a decoder over the vocabulary.

    Args:
        vocab_size: number of words
        embed_dim: width of the word embeddings
        hidden_dim: width of the LSTM state
        num_layers: number of stacked LSTM layers
        dropout: rate between the layers and before the decoder
        tie_weights: share the matrix of the embedding and the decoder
    """

    def __init__(self, vocab_size, embed_dim=128, hidden_dim=128, num_layers=2, dropout=0.2, tie_weights=False):
        super(LSTMLanguageModel, self).__init__()
        self.vocab_size = vocab_size
        self.hidden_dim = hidden_dim
        self.num_layers = num_layers

        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(vocab_size, embed_dim)
        self.rnn = nn.LSTM(embed_dim, hidden_dim, num_layers, batch_first=True, dropout=dropout)
        self.decoder = nn.Linear(hidden_dim, vocab_size)

        if tie_weights:
            if hidden_dim != embed_dim:
                raise ValueError("tied weights need hidden_dim == embed_dim")
            self.decoder.weight = self.encoder.weight

        self.init_weights()

    def init_weights(self):
        init_range = 0.1
        nn.init.uniform_(self.encoder.weight, -init_range, init_range)
        nn.init.zeros_(self.decoder.bias)
        nn.init.uniform_(self.decoder.weight, -init_range, init_range)

    def init_hidden(self, batch_size):
        weight = next(self.parameters())
        return (
            weight.new_zeros(self.num_layers, batch_size, self.hidden_dim),
            weight.new_zeros(self.num_layers, batch_size, self.hidden_dim),
        )

    def forward(self, tokens, hidden=None):
        if hidden is None:
            hidden = self.init_hidden(tokens.size(0))
        emb = self.drop(self.encoder(tokens))
        output, hidden = self.rnn(emb, hidden)
        decoded = self.decoder(self.drop(output))
        return F.log_softmax(decoded, dim=-1), hidden


def sequence_loss(log_probs, targets, pad_index=0):
    """Mean negative log-likelihood over the words that are not padding."""
    log_probs = log_probs.reshape(-1, log_probs.shape[-1])
    targets = targets.reshape(-1)
    mask = (targets != pad_index).float()
    losses = -log_probs.gather(1, targets.unsqueeze(1)).squeeze(1)
    return (losses * mask).sum() / mask.sum().clamp(min=1.0)


def perplexity(loss):
    return torch.exp(loss)

"""A transformer encoder that forecasts the next values of a multivariate time series."""

import math

import torch
import torch.nn as nn


class PositionalEncoding(nn.Module):
    def __init__(self, d_model: int, dropout: float = 0.1, max_len: int = 1000):
        super().__init__()
        self.dropout = nn.Dropout(p=dropout)

        pe = torch.zeros(max_len, d_model)
        position = torch.arange(0, max_len, dtype=torch.float).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, d_model, 2).float() * (-math.log(10000.0) / d_model))
        pe[:, 0::2] = torch.sin(position * div_term)
        pe[:, 1::2] = torch.cos(position * div_term)
        self.register_buffer("pe", pe.unsqueeze(0), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.pe[:, : x.size(1)]
        return self.dropout(x)


class SeriesNorm(nn.Module):
    """Reversible normalisation of each series by its own mean and scale, with a learned affine map."""

    def __init__(self, num_features: int, eps: float = 1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))

    def statistics(self, x):
        mean = x.mean(dim=1, keepdim=True).detach()
        std = torch.sqrt(x.var(dim=1, keepdim=True, unbiased=False) + self.eps).detach()
        return mean, std

    def normalize(self, x, mean, std):
        return (x - mean) / std * self.weight + self.bias

    def denormalize(self, x, mean, std):
        return (x - self.bias) / (self.weight + self.eps) * std + mean


class TimeSeriesTransformer(nn.Module):
    def __init__(
        self,
        num_features: int,
        horizon: int,
        d_model: int = 64,
        nhead: int = 4,
        num_layers: int = 2,
        dim_feedforward: int = 128,
        dropout: float = 0.1,
        causal: bool = True,
    ):
        super().__init__()
        self.horizon = horizon
        self.num_features = num_features
        self.causal = causal

        self.norm = SeriesNorm(num_features)
        self.input_projection = nn.Linear(num_features, d_model)
        self.pos_encoder = PositionalEncoding(d_model, dropout)
        encoder_layer = nn.TransformerEncoderLayer(
            d_model, nhead, dim_feedforward, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(encoder_layer, num_layers, enable_nested_tensor=False)
        self.head = nn.Sequential(
            nn.LayerNorm(d_model),
            nn.Linear(d_model, horizon * num_features),
        )

    @staticmethod
    def causal_mask(length: int, device=None) -> torch.Tensor:
        return torch.triu(torch.full((length, length), float("-inf"), device=device), diagonal=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (batch, time, features) -> (batch, horizon, features)"""
        mean, std = self.norm.statistics(x)
        h = self.norm.normalize(x, mean, std)
        h = self.pos_encoder(self.input_projection(h))
        mask = self.causal_mask(h.size(1), device=h.device) if self.causal else None
        h = self.encoder(h, mask=mask)
        out = self.head(h[:, -1]).view(-1, self.horizon, self.num_features)
        return self.norm.denormalize(out, mean, std)


def quantile_loss(prediction: torch.Tensor, target: torch.Tensor, quantile: float = 0.5) -> torch.Tensor:
    error = target - prediction
    return torch.max(quantile * error, (quantile - 1) * error).mean()

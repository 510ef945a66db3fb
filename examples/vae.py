"""Convolutional variational autoencoder (Kingma and Welling, 2013)."""

from typing import List, Tuple

import torch
from torch import nn
from torch.nn import functional as F


class VAE(nn.Module):
    def __init__(self, in_channels: int = 1, latent_dim: int = 16, hidden_dims: List[int] = None, image_size: int = 32):
        super().__init__()
        if hidden_dims is None:
            hidden_dims = [16, 32, 64]
        self.latent_dim = latent_dim
        self.hidden_dims = hidden_dims
        self.feature_size = image_size // 2 ** len(hidden_dims)

        # Encoder
        modules = []
        channels = in_channels
        for h_dim in hidden_dims:
            modules.append(
                nn.Sequential(
                    nn.Conv2d(channels, h_dim, kernel_size=3, stride=2, padding=1),
                    nn.BatchNorm2d(h_dim),
                    nn.LeakyReLU(),
                )
            )
            channels = h_dim
        self.encoder = nn.Sequential(*modules)
        flat = hidden_dims[-1] * self.feature_size**2
        self.fc_mu = nn.Linear(flat, latent_dim)
        self.fc_var = nn.Linear(flat, latent_dim)

        # Decoder
        self.decoder_input = nn.Linear(latent_dim, flat)
        widths = hidden_dims[::-1]
        modules = []
        for i in range(len(widths) - 1):
            modules.append(
                nn.Sequential(
                    nn.ConvTranspose2d(widths[i], widths[i + 1], kernel_size=3, stride=2, padding=1, output_padding=1),
                    nn.BatchNorm2d(widths[i + 1]),
                    nn.LeakyReLU(),
                )
            )
        self.decoder = nn.Sequential(*modules)
        self.final_layer = nn.Sequential(
            nn.ConvTranspose2d(widths[-1], widths[-1], kernel_size=3, stride=2, padding=1, output_padding=1),
            nn.BatchNorm2d(widths[-1]),
            nn.LeakyReLU(),
            nn.Conv2d(widths[-1], in_channels, kernel_size=3, padding=1),
            nn.Sigmoid(),
        )

    def encode(self, x: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
        result = torch.flatten(self.encoder(x), start_dim=1)
        return self.fc_mu(result), self.fc_var(result)

    def reparameterize(self, mu: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
        """Draw from N(mu, var) in training; take the mean otherwise."""
        if not self.training:
            return mu
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std)
        return mu + eps * std

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        result = self.decoder_input(z)
        result = result.view(-1, self.hidden_dims[-1], self.feature_size, self.feature_size)
        return self.final_layer(self.decoder(result))

    def forward(self, x: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        mu, logvar = self.encode(x)
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar

    @torch.no_grad()
    def sample(self, num_samples: int) -> torch.Tensor:
        z = torch.randn(num_samples, self.latent_dim)
        return self.decode(z)


def vae_loss(recon: torch.Tensor, x: torch.Tensor, mu: torch.Tensor, logvar: torch.Tensor, kld_weight: float = 1.0):
    """Reconstruction error plus the divergence from the standard normal prior."""
    recon_loss = F.mse_loss(recon, x)
    kld = torch.mean(-0.5 * torch.sum(1 + logvar - mu**2 - logvar.exp(), dim=1), dim=0)
    return recon_loss + kld_weight * kld

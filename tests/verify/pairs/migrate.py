"""Moves a checkpoint of net_torch to net_flax; stands in for the generated script."""

import sys

import numpy as np
import torch
from safetensors.numpy import save_file

out = {}
for name, tensor in torch.load(sys.argv[1], weights_only=True).items():
    array = tensor.numpy()
    parts = name.split(".")
    if parts[-1] == "num_batches_tracked":
        continue
    if parts[0] == "body":
        parts.insert(1, "layers")
    if parts[-2] == "norm":
        parts[-1] = {"weight": "scale", "running_mean": "mean", "running_var": "var"}.get(parts[-1], parts[-1])
    elif parts[-1] == "weight":
        parts[-1] = "kernel"
        array = array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T
    out[".".join(parts)] = np.ascontiguousarray(array)
save_file(out, sys.argv[2])

"""One program a framework, run in a process of its own: builds the model, runs it, writes down what came out.

`python -m ml_switcheroo.verify.workers.NAME job.json` reads a job, does its steps in order and appends one line of JSON
for each to `report.jsonl`, so that a crash or a hang still leaves what went before. Tensors travel as .npz and
checkpoint files.
"""

from __future__ import annotations

# What a user calls a framework -> the module here that runs it.
WORKERS = {"torch": "torch", "pytorch": "torch", "jax": "flax_nnx", "flax_nnx": "flax_nnx"}

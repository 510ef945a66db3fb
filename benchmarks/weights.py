"""Memory and time of a migration: a made-up checkpoint of several GB, in shards, through a generated script.

    python benchmarks/weights.py [--gigabytes 3] [--shard-gigabytes 1] [--format safetensors|pth] [--json result.json]

The bound to hold: peak resident memory at most 1.5 times the largest shard plus 300 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ml_switcheroo import kb
from ml_switcheroo.weights.generate import script_from_grammar
from ml_switcheroo.weights.grammar import ClassRule, ContainerRule, Grammar, container, instance, layer

WIDTH = 4096


def grammar() -> Grammar:
    """A language model: a large embedding and blocks of dense layers."""
    block = ClassRule({"up": [layer("Linear")], "down": [layer("Linear")], "norm": [layer("LayerNorm")]})
    model = ClassRule({"embed": [layer("Embedding")], "blocks": [container("1")], "head": [layer("Linear")]})
    return Grammar({"Model": model, "Block": block}, {"1": ContainerRule("ModuleList", {"*": [instance("Block")]})})


def shapes(total: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a checkpoint of about `total` bytes; the embedding takes a quarter of it, in one tensor."""
    found: dict[str, tuple[int, ...]] = {"embed.weight": (total // 4 // WIDTH // 4, WIDTH)}
    left = total - total // 4
    number = 0
    while left > 0:
        names = {
            "up.weight": (4 * WIDTH, WIDTH),
            "down.weight": (WIDTH, 4 * WIDTH),
            "norm.weight": (WIDTH,),
            "norm.bias": (WIDTH,),
        }
        found |= {f"blocks.{number}.{name}": shape for name, shape in names.items()}
        left -= 2 * 4 * WIDTH * WIDTH * 4
        number += 1
    return found


def make_shards(folder: Path, tensors: dict[str, tuple[int, ...]], limit: int, kind: str) -> int:
    """Writes the shards and their index; gives the size of the largest one."""
    shards: list[dict[str, tuple[int, ...]]] = [{}]
    size = 0
    for key, shape in tensors.items():
        nbytes = 4 * int(shape[0]) * (shape[1] if len(shape) > 1 else 1)
        if shards[-1] and size + nbytes > limit:
            shards.append({})
            size = 0
        shards[-1][key] = shape
        size += nbytes
    weight_map: dict[str, str] = {}
    noise = os.urandom(1 << 22)
    largest = 0
    for number, shard in enumerate(shards, 1):
        name = f"model-{number:05d}-of-{len(shards):05d}." + ("safetensors" if kind == "safetensors" else "bin")
        (write_safetensors if kind == "safetensors" else write_torch)(folder / name, shard, noise)
        weight_map |= dict.fromkeys(shard, name)
        largest = max(largest, (folder / name).stat().st_size)
    (folder / f"model.{kind}.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return largest


def write_safetensors(path: Path, shard: dict[str, tuple[int, ...]], noise: bytes) -> None:
    header, end = {}, 0
    for key, shape in shard.items():
        nbytes = 4 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[key] = {"dtype": "F32", "shape": list(shape), "data_offsets": [end, end + nbytes]}
        end += nbytes
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _ in range(end // len(noise)):
            file.write(noise)
        file.write(noise[: end % len(noise)])


def write_torch(path: Path, shard: dict[str, tuple[int, ...]], noise: bytes) -> None:
    import torch

    some = torch.frombuffer(bytearray(noise), dtype=torch.float32)
    state = {}
    for key, shape in shard.items():
        state[key] = torch.empty(shape)
        flat = state[key].view(-1)
        for start in range(0, flat.numel(), some.numel()):
            piece = flat[start : start + some.numel()]
            piece.copy_(some[: piece.numel()])
    torch.save(state, path)


def run(script: Path, source: Path, out: Path) -> tuple[float, int]:
    """Seconds and peak resident bytes of the script in a process of its own."""
    start = time.perf_counter()
    with subprocess.Popen([sys.executable, str(script), str(source), str(out)]) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the script ended with {process.returncode}")
    return time.perf_counter() - start, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> int:
    """Runs the benchmark; 1 when the bound does not hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=3)
    parser.add_argument("--shard-gigabytes", type=float, default=1)
    parser.add_argument("--format", choices=["safetensors", "pth"], default="safetensors")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    base = kb.load("torch", "jax")
    made = grammar()
    hub = {op: row for op in made.layers() if (row := base.hub(op))}
    write = {op: how for op in made.layers() if (how := base.write(op))}
    text, _ = script_from_grammar(made, hub, write)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "migrate.py").write_text(text)
        (folder / "in").mkdir()
        tensors = shapes(int(options.gigabytes * 1e9))
        # The shards are made in a process of their own: on Linux a child inherits its parent's peak as its own.
        child = os.fork()
        if child == 0:
            make_shards(folder / "in", tensors, int(options.shard_gigabytes * 1e9), options.format)
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            raise SystemExit("the checkpoint could not be made")
        sizes = [file.stat().st_size for file in (folder / "in").iterdir()]
        seconds, peak = run(folder / "migrate.py", folder / "in", folder / "out.safetensors")
    bound = 1.5 * max(sizes) + 300e6
    result = {
        "format": options.format, "bytes": sum(sizes), "largest_shard": max(sizes), "shards": len(sizes) - 1,
        "seconds": round(seconds, 1), "peak_resident": peak, "bound": int(bound), "holds": peak <= bound,
    }  # fmt: skip
    print(
        f"{sum(sizes) / 1e9:.2f} GB in {len(sizes) - 1} {options.format} shards, the largest of "
        f"{max(sizes) / 1e6:,.0f} MB: {seconds:.1f} s, peak {peak / 1e6:,.0f} MB, bound {bound / 1e6:,.0f} MB: "
        f"{'holds' if result['holds'] else 'BROKEN'}"
    )
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0 if result["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())

"""The fuzzer: every mapping of the knowledge base is executed in the source and in the target framework, and compared.

`domain` draws arguments from the types of a hub row, `spelling` writes the source text, `prove` converts it with the
real pipeline and has both sides run in `worker` processes, `report` keeps what came of it.
"""

from __future__ import annotations

NEEDED = {"torch": ("torch",), "jax": ("jax", "flax"), "flax_nnx": ("jax", "flax")}


def missing(*frameworks: str) -> list[str]:
    """What the fuzzer needs and is not installed."""
    from importlib.util import find_spec

    wanted = ["hypothesis", *(package for name in frameworks for package in NEEDED.get(name, (name,)))]
    return [package for package in wanted if find_spec(package) is None]

"""How a target framework names the children of containers in its state, as data: '{}' is the position of the source."""

from __future__ import annotations

# Named children (of an OrderedDict, add_module or a ModuleDict) keep their names everywhere.
_PLACES = {
    "flax_nnx": {"Sequential": "layers.{}"},
    "mlx": {"Sequential": "layers.{}"},
    "torch": {},
}
_ALIASES = {"jax": "flax_nnx"}


def container_places(target: str) -> dict[str, str]:
    """Where containers keep their positional children; one that is missing keeps them under their number."""
    return dict(_PLACES.get(_ALIASES.get(target, target), {}))

"""Questions about devices."""

from typing import NamedTuple

import jax


class GpuDescription(NamedTuple):
    """Name, compute capability and memory of a GPU."""

    name: str
    major: int
    minor: int
    total_memory: int


def gpu_description(device: jax.Device | int | None = None) -> GpuDescription:
    """What one of the GPUs is called and can do."""
    gpu = device if isinstance(device, jax.Device) else jax.devices("gpu")[device or 0]
    major, minor = map(int, gpu.compute_capability.split("."))
    return GpuDescription(gpu.device_kind, major, minor, (gpu.memory_stats() or {}).get("bytes_limit", 0))


def memory_in_use(what: str = "bytes_in_use") -> int:
    """Bytes of the memory of the first device that are in use; 0 where it does not count them."""
    return (jax.local_devices()[0].memory_stats() or {}).get(what, 0)

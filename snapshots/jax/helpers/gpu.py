"""Questions about devices."""

import jax


def memory_in_use(what: str = "bytes_in_use") -> int:
    """Bytes of the memory of the first device that are in use; 0 where it does not count them."""
    return (jax.local_devices()[0].memory_stats() or {}).get(what, 0)

"""Which modules and classes of each framework `snapshot` looks at. Adding a framework is adding a plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Plan:
    """What to look at: modules, classes whose members are called on values, packages with other paths to one object."""

    distribution: str
    root: str
    modules: Sequence[str]
    values: tuple[str, ...] = ()  # classes whose attributes count as names of their own, inherited ones too
    private: tuple[str, ...] = ()  # classes whose private methods real code overrides or calls
    walk: tuple[str, ...] = ()  # packages whose modules only give aliases
    stubs: tuple[tuple[str, str], ...] = ()  # (stub file inside the package, prefix of the public names it declares)
    value_stubs: tuple[tuple[str, str, str], ...] = ()  # (stub file, class in it, public class)
    friends: tuple[str, ...] = (
        "jaxlib",
        "numpy",
        "ml_dtypes",
    )  # packages whose functions and classes it offers as its own
    unset: tuple[tuple[str, str], ...] = ()  # what parameters mean whose default is an object that says "not given"


PLANS = {
    "torch": Plan(
        "torch",
        "torch",
        modules=[
            "torch",
            "torch.nn",
            "torch.nn.functional",
            "torch.nn.init",
            "torch.linalg",
            "torch.fft",
            "torch.special",
            "torch.optim",
            "torch.optim.lr_scheduler",
            "torch.optim.swa_utils",
            "torch.utils",
            "torch.utils.checkpoint",
            "torch.utils.data",
            "torch.utils.model_zoo",
            "torch.autograd",
            "torch.autograd.functional",
            "torch.nn.utils",
            "torch.nn.utils.rnn",
            "torch.nn.utils.parametrizations",
            "torch.nn.utils.parametrize",
            "torch.nn.utils.fusion",
            "torch.nn.parallel",
            "torch.nn.parameter",
            "torch.nn.attention",
            "torch.nn.attention.flex_attention",
            "torch.distributions",
            "torch.jit",
            "torch.amp",
            "torch.cuda",
            "torch.cuda.amp",
            "torch.hub",
            "torch.backends",
            "torch.backends.cudnn",
            "torch.backends.cuda",
            "torch.backends.mps",
            "torch.mps",
            "torch.func",
            "torch.random",
            "torch.types",
            "torch.distributed",
            "torch.onnx",
            "torch.fx",
            "torch.overrides",
            "torch.compiler",
            "torch.version",
            "torch.return_types",
            "torch.nn.modules.utils",
            "torch.nn.grad",
            "torch.nn.qat",
            "torch.nn.quantized",
            "torch.ao.quantization",
            "torch.library",
            "torch.testing",
            "torch.profiler",
            "torch.sparse",
            "torch.nested",
            "torch.export",
            "torch.serialization",
            "torch.signal",
            "torch.signal.windows",
            "torch.masked",
            "torch.multiprocessing",
            "torch.utils.tensorboard",
        ],
        private=("torch.nn.Module",),
        values=(
            "torch.Tensor",
            "torch.Size",
            "torch.finfo",
            "torch.iinfo",
            "torch.device",
            "torch.dtype",
            "torch.Generator",
        ),
        walk=(
            "torch.nn.modules",
            "torch.nn.parallel",
            "torch.optim",
            "torch.nn.utils",
            "torch.distributions",
            "torch.utils.data",
        ),
        stubs=(
            ("_C/_VariableFunctions.pyi", "torch"),
            ("nn/functional.pyi", "torch.nn.functional"),
            ("_C/__init__.pyi", "torch"),
        ),
        value_stubs=(("_C/__init__.pyi", "TensorBase", "torch.Tensor"),),
    ),
    "jax": Plan(
        "jax",
        "jax",
        modules=[
            "jax",
            "jax.numpy",
            "jax.nn",
            "jax.nn.initializers",
            "jax.lax",
            "jax.lax.linalg",
            "jax.random",
            "jax.image",
            "jax.tree",
            "jax.tree_util",
            "jax.numpy.linalg",
            "jax.numpy.fft",
            "jax.scipy",
            "jax.scipy.special",
            "jax.scipy.linalg",
            "jax.scipy.signal",
            "jax.scipy.stats",
            "jax.scipy.stats.norm",
            "jax.scipy.fft",
            "jax.scipy.ndimage",
            "jax.scipy.interpolate",
            "jax.scipy.integrate",
            "jax.scipy.optimize",
            "jax.scipy.sparse",
            "jax.scipy.sparse.linalg",
            "jax.scipy.spatial",
            "jax.scipy.cluster",
            "jax.ops",
            "jax.dtypes",
            "jax.checkpoint_policies",
            "jax.debug",
            "jax.sharding",
            "jax.typing",
            "jax.dlpack",
            "jax.custom_batching",
        ],
        values=("jax.Array", "jax.numpy.finfo", "jax.numpy.iinfo"),
    ),
    "flax_nnx": Plan(
        "flax",
        "flax",
        modules=[
            "flax.nnx",
            "flax.nnx.initializers",
            "flax.nnx.statelib",
            "flax.nnx.graphlib",
            "flax.nnx.bridge",
            "flax.struct",
            "flax.traverse_util",
            "optax",
            "optax.losses",
            "optax.schedules",
        ],
        friends=("jax", "optax", "chex"),
    ),
    "numpy": Plan(
        "numpy",
        "numpy",
        modules=[
            "numpy",
            "numpy.fft",
            "numpy.lib.stride_tricks",
            "numpy.linalg",
            "numpy.random",
            "numpy.testing",
            "scipy.linalg",
            "scipy.special",
        ],
        values=("numpy.ndarray", "numpy.dtype", "numpy.finfo", "numpy.iinfo", "numpy.random.Generator"),
        friends=("scipy",),
        unset=(("keepdims", "False"), ("min", "None"), ("max", "None"), ("a_min", "None"), ("a_max", "None")),
    ),
}

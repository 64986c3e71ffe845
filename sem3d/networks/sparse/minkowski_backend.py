"""The only doorway to MinkowskiEngine 0.5 (Choy et al., arXiv 1904.08755): the same convolutions on a CPU by its kernels."""

import collections
import collections.abc
import importlib
import sys
import warnings
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sem3d.errors import UserError
from sem3d.networks.sparse.tensor import SparseTensor


@cache
def engine() -> ModuleType | None:
    """Return MinkowskiEngine, or None where it cannot be imported.

    It asks ``collections`` for an alias that Python 3.10 removed, warns that it was built without CUDA, and leaves its own
    folder on ``sys.path``; all three are seen to here.
    """
    if not hasattr(collections, "Sequence"):
        collections.Sequence = collections.abc.Sequence  # pyright: ignore[reportAttributeAccessIssue]  # it is made here
    path = sys.path.copy()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module("MinkowskiEngine")
    except ImportError:
        return None
    finally:
        sys.path[:] = path


def require_engine() -> ModuleType:
    """Return MinkowskiEngine; raise a :class:`UserError` that says how to get it."""
    module = engine()
    if module is None:
        raise UserError(
            "backend 'minkowski': MinkowskiEngine cannot be imported; build it with "
            "'SEM3D_EXTRAS=minkowski bash -e jobs/setup.sh', or use backend 'torch'"
        )
    return module


def convolve(
    tensor: SparseTensor, weight: Float[Tensor, "offset dim_in dim_out"], kernel_size: int, target_stride: int
) -> Float[Tensor, "output dim_out"]:
    """Convolve onto the voxels of ``target_stride``, in their row order; single or double precision.

    Raises :class:`UserError` for tensors that are not on a CPU.
    """
    if tensor.features.device.type != "cpu":
        raise UserError("backend 'minkowski': its row order is defined on a CPU only; use backend 'auto' on a GPU")
    minkowski = require_engine()
    keys = tensor.pyramid.attachments.setdefault("minkowski", _CoordinateKeys(_manager(minkowski)))
    upward = target_stride < tensor.stride
    function = minkowski.MinkowskiConvolutionTransposeFunction if upward else minkowski.MinkowskiConvolutionFunction
    mode = importlib.import_module("MinkowskiEngineBackend._C").ConvolutionMode.DEFAULT
    ratio = max(target_stride, tensor.stride) // min(target_stride, tensor.stride)
    with torch.autocast("cpu", enabled=False):
        return function.apply(
            tensor.features.to(weight.dtype),
            weight,
            minkowski.KernelGenerator(kernel_size, ratio, dimension=3),
            mode,
            keys.at(tensor, tensor.stride),
            keys.at(tensor, target_stride),
            keys.manager,
        )


@dataclass
class _CoordinateKeys:
    """MinkowskiEngine's handles of one input's coordinates, which are given to it row by row and so keep our order."""

    manager: Any
    by_stride: dict[int, Any] = field(default_factory=dict)

    def at(self, tensor: SparseTensor, stride: int) -> Any:
        if stride not in self.by_stride:
            coordinates = tensor.pyramid.coordinates(stride).contiguous()
            self.by_stride[stride], _ = self.manager.insert_and_map(coordinates, stride)
        return self.by_stride[stride]


def _manager(minkowski: ModuleType) -> Any:
    """Return a coordinate manager that leaves the process's number of threads as it is."""
    return minkowski.CoordinateManager(
        D=3, num_threads=torch.get_num_threads(), coordinate_map_type=minkowski.CoordinateMapType.CPU
    )

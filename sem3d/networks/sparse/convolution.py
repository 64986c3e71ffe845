"""Sparse convolution layers with one weight layout, whichever backend computes them.

``kernel`` is (kernel volume, in, out) in the offset order of :mod:`sem3d.networks.sparse.kernel_map`.
"""

import logging
import math
from functools import cache
from typing import Literal

import torch
from torch import nn

from sem3d.networks.sparse import minkowski_backend, torch_backend, triton_backend
from sem3d.networks.sparse.tensor import SparseTensor

Engine = Literal["minkowski", "torch", "triton"]
Backend = Literal["auto", "minkowski", "torch", "triton"]

logger = logging.getLogger(__name__)


class SparseConvolution(nn.Module):
    """Submanifold convolution (kernel 1, 3 or 5, stride 1: outputs at the input's voxels) or downsampling (kernel 2, stride 2).

    ``backend`` "auto" is Triton on a GPU and MinkowskiEngine on a CPU where they are installed, else PyTorch. Weights start
    as in Kaiming's fan-out rule, as in MinkUNet. Raises :class:`ValueError` for other kernels and
    :class:`sem3d.errors.UserError` where "minkowski" is asked for and not installed.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        bias: bool = False,
        backend: Backend = "auto",
    ):
        super().__init__()
        if (kernel_size, stride) not in {(1, 1), (3, 1), (5, 1), (2, 2)}:
            raise ValueError(f"no sparse convolution of kernel {kernel_size} and stride {stride}")
        if backend == "minkowski":
            minkowski_backend.require_engine()
        self.kernel_size = kernel_size
        self.stride = stride
        self.backend: Backend = backend
        self.kernel = nn.Parameter(torch.empty(kernel_size**3, in_channels, out_channels))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        nn.init.normal_(self.kernel, std=math.sqrt(2 / (kernel_size**3 * out_channels)))

    def target_stride(self, tensor: SparseTensor) -> int:
        """Return the stride of the outputs."""
        return tensor.stride * self.stride

    def forward(self, tensor: SparseTensor) -> SparseTensor:
        """Return convolved features at the voxels of the target stride."""
        target_stride = self.target_stride(tensor)
        if self.kernel_size == 1:
            features = tensor.features @ self.kernel[0]
        elif (chosen := choose_backend(self.backend, tensor)) == "minkowski":
            features = minkowski_backend.convolve(tensor, self.kernel, self.kernel_size, target_stride)
        elif chosen == "triton":
            features = triton_backend.convolve(tensor, self.kernel, self.kernel_size, target_stride)
        else:
            kernel_map = tensor.pyramid.kernel_map(self.kernel_size, tensor.stride, target_stride)
            features = torch_backend.convolve(tensor.features, self.kernel, kernel_map)
        if self.bias is not None:
            features = features + self.bias
        return tensor.with_features(features, target_stride)

    def extra_repr(self) -> str:
        """Return shape and backend."""
        _, inputs, outputs = self.kernel.shape
        return f"{inputs}, {outputs}, kernel_size={self.kernel_size}, stride={self.stride}, backend={self.backend}"


class SparseTransposedConvolution(SparseConvolution):
    """Upsampling (kernel 2, stride 2) back onto the finer voxels that the input came from."""

    def __init__(self, in_channels: int, out_channels: int, bias: bool = False, backend: Backend = "auto"):
        super().__init__(in_channels, out_channels, kernel_size=2, stride=2, bias=bias, backend=backend)

    def target_stride(self, tensor: SparseTensor) -> int:
        """Return half the input's stride; raise :class:`ValueError` where the input has no finer voxels."""
        target = tensor.stride // 2
        tensor.pyramid.coordinates(target)
        return target


def choose_backend(backend: Backend, tensor: SparseTensor) -> Engine:
    """Return the backend that computes on this tensor; log once which one and why."""
    if len(tensor.features) == 0:
        return "torch"
    if backend != "auto":
        chosen, reason = backend, "asked for"
    elif tensor.features.device.type == "cpu":
        chosen, reason = _on_a_cpu()
    elif refusal := triton_backend.refusal(tensor.features):
        chosen, reason = "torch", f"the input is on {tensor.features.device.type}, and not by Triton: {refusal}"
    else:
        chosen, reason = "triton", "Triton is installed and the input is on a GPU"
    _announce(chosen, reason)
    return chosen


def _on_a_cpu() -> tuple[Engine, str]:
    if minkowski_backend.engine() is None:
        return "torch", "MinkowskiEngine cannot be imported"
    return "minkowski", "MinkowskiEngine is installed and the input is on a CPU"


@cache
def _announce(backend: str, reason: str) -> None:
    logger.info("sparse convolution by %s: %s", backend, reason)

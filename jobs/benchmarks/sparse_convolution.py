"""The torch backend of sparse convolution against MinkowskiEngine on a CPU: 3 x 3 x 3, 32 to 32 channels, 50k surface voxels, and
MinkUNet34C as a whole.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any

import torch
from jaxtyping import Int32
from torch import Tensor

from sem3d.networks.sparse import SparseTensor, minkowski_backend, torch_backend
from sem3d.networks.sparse_unet import SparseUNet, SparseUNetConfig

CHANNELS = 32
REPEATS = 9
NETWORK, NETWORK_VOXELS, NETWORK_REPEATS = SparseUNetConfig(), 47_000, 3


def run() -> list[tuple[str, float, float, str]]:
    """Return rows (what, ours, MinkowskiEngine, unit) of forward and backward with the kernel map at hand, of making the map, and
    of a step of the network with its maps.

    Making the map is timed with one channel sent through it, for both; ours includes the search for duplicates.
    Threads are those that the process has (``OMP_NUM_THREADS``).
    """
    torch.manual_seed(0)
    coordinates = surface_voxels(50_000)
    case = f"{len(coordinates)} voxels, {CHANNELS} channels, k 3, {torch.get_num_threads()} threads"
    thin, thin_weight = torch.ones(len(coordinates), 1), torch.ones(27, 1, 1)
    features = torch.randn(len(coordinates), CHANNELS)
    weight = torch.randn(27, CHANNELS, CHANNELS).requires_grad_()
    gradient = torch.randn_like(features)
    tensors = [SparseTensor(coordinates, features.clone().requires_grad_()) for _ in range(2)]
    seconds: dict[str, tuple[list[float], list[float]]] = {
        what: ([], []) for what in ("forward", "backward", "kernel map")
    }
    for _ in range(REPEATS):
        for side, convolve in enumerate((_by_torch, minkowski_backend.convolve)):
            tensor = tensors[side]
            convolve(tensor, weight, 3, 1)
            output = _timed(seconds["forward"][side], partial(convolve, tensor, weight, 3, 1))
            inputs = [tensor.features, weight]
            _timed(seconds["backward"][side], partial(torch.autograd.grad, output, inputs, gradient))
        _timed(seconds["kernel map"][0], lambda: _by_torch(SparseTensor(coordinates, thin), thin_weight, 3, 1))
        fresh = SparseTensor(coordinates, thin)
        _timed(seconds["kernel map"][1], partial(minkowski_backend.convolve, fresh, thin_weight, 3, 1))
    rows = [(f"{what}: {case}", 1 / median(ours), 1 / median(other), "1/s") for what, (ours, other) in seconds.items()]
    return [*rows, _network()]


def _network() -> tuple[str, float, float, str]:
    """Return the row of a network's forward and backward pass, kernel maps included."""
    coordinates = surface_voxels(NETWORK_VOXELS)
    features = torch.randn(len(coordinates), 3)
    networks = [SparseUNet(replace(NETWORK, backend=backend)) for backend in ("torch", "minkowski")]
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(NETWORK_REPEATS):
        for side, network in enumerate(networks):
            _timed(seconds[side], lambda network=network: network(SparseTensor(coordinates, features)).sum().backward())
    what = f"MinkUNet34C, forward and backward with maps: {len(coordinates)} voxels, {torch.get_num_threads()} threads"
    return what, 1 / median(seconds[0]), 1 / median(seconds[1]), "1/s"


def surface_voxels(count: int) -> Int32[Tensor, "voxel 4"]:
    """Return about ``count`` voxels of a room's surfaces: a floor, a wall and a ball, each voxel once, in (x, y, z) order."""
    side = (count / 2.35) ** 0.5
    plane = torch.cartesian_prod(torch.arange(int(side)), torch.arange(int(side)))
    flat = torch.zeros(len(plane), dtype=torch.int64)
    floor = torch.stack([plane[:, 0], plane[:, 1], flat], dim=1)
    wall = torch.stack([plane[:, 0], flat, plane[:, 1]], dim=1)[plane[:, 1] < side / 2]
    directions = torch.nn.functional.normalize(torch.randn(40 * count // 10, 3), dim=1)
    ball = (directions * side * 0.21 + side / 2).floor().to(torch.int64)
    voxels = torch.unique(torch.cat([floor, wall, ball]), dim=0)
    return torch.cat([torch.zeros(len(voxels), 1, dtype=torch.int64), voxels], dim=1).to(torch.int32)


def _by_torch(tensor: SparseTensor, weight: Tensor, kernel_size: int, target_stride: int) -> Tensor:
    kernel_map = tensor.pyramid.kernel_map(kernel_size, tensor.stride, target_stride)
    return torch_backend.convolve(tensor.features, weight, kernel_map)


def _timed(seconds: list[float], work: Callable[[], Any]) -> Any:
    start = time.perf_counter()
    result = work()
    seconds.append(time.perf_counter() - start)
    return result

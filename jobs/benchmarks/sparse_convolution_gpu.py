"""Sparse convolution on a GPU: Triton's backend against the PyTorch one, and against spconv-triton where it is installed.

Compilation is not in the figures, but said.
"""

import importlib
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from jobs.benchmarks import on_gpu
from jobs.benchmarks.on_gpu import milliseconds, name_of
from jobs.benchmarks.sparse_convolution import surface_voxels
from sem3d.networks.sparse import Backend, SparseConvolution, SparseTensor, triton_backend
from sem3d.networks.sparse_unet import SparseUNet, SparseUNetConfig

SIZES = (50_000, 200_000)
CHANNELS = (32, 96, 256)
NETWORK = SparseUNetConfig()
SIDES: tuple[Backend, Backend] = ("triton", "torch")
DTYPES = (torch.bfloat16, torch.float32)
"""Of the network."""
NETWORK_CALLS = 3
RIVAL_CONFIGS = ((64, 64, 32), (128, 64, 32), (128, 128, 32), (128, 128, 64))
"""Those of spconv-triton's candidates (rows, columns, depth) that it may choose from: trying all 37 takes a minute a width."""


def lines() -> Iterator[str]:
    """Yield a line for each measurement when it is made; raise a :class:`UserError` without a GPU."""
    on_gpu.require("sparse_convolution")
    torch.manual_seed(0)
    yield on_gpu.product()
    for size in SIZES:
        coordinates = surface_voxels(size).to(on_gpu.DEVICE)
        yield from _maps(coordinates)
        for channels in CHANNELS:
            yield from _convolutions(coordinates, channels)
        yield from _networks(coordinates)
    yield from _rival(surface_voxels(SIZES[0]).to(on_gpu.DEVICE))


def _maps(coordinates: Tensor) -> Iterator[str]:
    features = torch.zeros(len(coordinates), 1, device=on_gpu.DEVICE)
    ready = SparseTensor(coordinates, features).pyramid

    def by_triton() -> None:
        ready.attachments.clear()
        triton_backend.gather_table(ready, 3, 1, 1)

    def by_torch() -> None:
        ready._maps.clear()
        ready.kernel_map(3, 1, 1)

    yield _compared("kernel map 3 x 3 x 3", coordinates, milliseconds(by_triton), milliseconds(by_torch))
    alone = milliseconds(partial(_all_maps, coordinates, features))
    yield f"all maps of MinkUNet34C with its coordinates, {len(coordinates)} voxels: triton {alone:.3f} ms"


def _all_maps(coordinates: Tensor, features: Tensor) -> None:
    pyramid = SparseTensor(coordinates, features).pyramid
    triton_backend.gather_table(pyramid, 5, 1, 1)
    for stride in (1, 2, 4, 8, 16):
        triton_backend.gather_table(pyramid, 3, stride, stride)
        if stride < 16:
            triton_backend.gather_table(pyramid, 2, stride, 2 * stride)


def _convolutions(coordinates: Tensor, channels: int) -> Iterator[str]:
    tensor = SparseTensor(coordinates, torch.randn(len(coordinates), channels, device=on_gpu.DEVICE, dtype=on_gpu.HALF))
    times: dict[Backend, tuple[float, float]] = {}
    for backend in SIDES:
        layer = SparseConvolution(channels, channels, 3, backend=backend).to(on_gpu.DEVICE, on_gpu.HALF)
        learnt = tensor.with_features(tensor.features.clone().requires_grad_())
        times[backend] = (
            milliseconds(partial(_forward, layer, tensor)),
            milliseconds(partial(_both_ways, layer, learnt)),
        )
    for side, what in enumerate(("forward", "forward and backward")):
        yield _compared(
            f"3 x 3 x 3, C {channels}, {name_of(on_gpu.HALF)}, {what}",
            coordinates,
            times["triton"][side],
            times["torch"][side],
        )


@torch.no_grad()
def _forward(layer: SparseConvolution, tensor: SparseTensor) -> None:
    layer(tensor)


def _both_ways(layer: SparseConvolution, tensor: SparseTensor) -> None:
    output = layer(tensor).features
    torch.autograd.grad(output, [tensor.features, layer.kernel], output)


def _networks(coordinates: Tensor) -> Iterator[str]:
    colors = torch.rand(len(coordinates), 3, device=on_gpu.DEVICE)
    for dtype in DTYPES:
        times = []
        for backend in SIDES:
            network = SparseUNet(replace(NETWORK, backend=backend)).to(on_gpu.DEVICE)
            step = partial(_step, network, coordinates, colors, dtype)
            start = time.perf_counter()
            step()
            on_gpu.wait()
            first = time.perf_counter() - start
            times.append(milliseconds(step, NETWORK_CALLS))
            if backend == "triton":
                yield f"first step of MinkUNet34C, compilation included: {first:.1f} s"
        yield _compared(f"MinkUNet34C forward and backward with maps, {name_of(dtype)}", coordinates, *times)


def _step(network: SparseUNet, coordinates: Tensor, colors: Tensor, dtype: torch.dtype) -> None:
    network.zero_grad()
    with torch.autocast(on_gpu.DEVICE, dtype, enabled=dtype != torch.float32):
        features = network(SparseTensor(coordinates, colors))
    features.backward(torch.ones_like(features))


def _rival(coordinates: Tensor) -> Iterator[str]:
    """Yield what spconv-triton's own layer takes with its pairs at hand, forward."""
    try:
        spconv = importlib.import_module("spconv_triton.pytorch")
    except ImportError:
        yield "spconv-triton is not installed, so it is not measured"
        return
    kernel = importlib.import_module("spconv_triton.pytorch._impl.gemm")._gather_gemm_kernel
    names = ("BLOCK_M", "BLOCK_N", "BLOCK_R")
    kernel.configs = [
        config for config in kernel.configs if tuple(config.kwargs[name] for name in names) in RIVAL_CONFIGS
    ]
    shape = (coordinates[:, 1:].max(0).values + 1).tolist()
    for channels in CHANNELS:
        features = torch.randn(len(coordinates), channels, device=on_gpu.DEVICE, dtype=on_gpu.HALF)
        layer = spconv.SubMConv3d(channels, channels, 3, bias=False, indice_key="k").to(on_gpu.DEVICE, on_gpu.HALF)
        start = time.perf_counter()
        with torch.no_grad():
            pairs = layer(spconv.SparseConvTensor(features, coordinates, shape, 1)).indice_dict
            tuned = time.perf_counter() - start
            tensor = spconv.SparseConvTensor(features, coordinates, shape, 1, indice_dict=pairs)
            theirs = milliseconds(partial(layer, tensor))
        yield (
            f"3 x 3 x 3, C {channels}, {name_of(on_gpu.HALF)}, forward, {len(coordinates)} voxels: spconv-triton {theirs:.3f} ms"
            f" (chosen from {len(kernel.configs)} configurations in {tuned:.1f} s)"
        )


def _compared(what: str, coordinates: Tensor, ours: float, other: float) -> str:
    return f"{what}, {len(coordinates)} voxels: triton {ours:.3f} ms, torch {other:.3f} ms, {other / ours:.1f}x"

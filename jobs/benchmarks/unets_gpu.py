"""The 2D networks on a GPU in TFLOP/s, forward and backward, beside a product of matrices; as they are and compiled."""

import time
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from jobs.benchmarks import on_gpu
from jobs.benchmarks.on_gpu import milliseconds, name_of
from sem3d.config import Compiler
from sem3d.networks.residual_unet import ResidualUNet, ResidualUNetConfig

NETWORKS = {name: ResidualUNetConfig(encoder=name) for name in ("resnet50", "resnet18", "efficientnet_lite0")}
IMAGES, HEIGHT, WIDTH = 128, 240, 320
"""Those of 64 pairs of preset paper."""
COMPILERS: tuple[Compiler, ...] = ("never", "inductor", "cudagraphs")
CALLS = 5


def lines() -> Iterator[str]:
    """Yield a line for each measurement when it is made; raise a :class:`UserError` without a GPU."""
    on_gpu.require("unets")
    torch.manual_seed(0)
    yield on_gpu.product()
    images = torch.randn(IMAGES, 3, HEIGHT, WIDTH, device=on_gpu.DEVICE)
    for name, config in NETWORKS.items():
        for dtype in (on_gpu.HALF, torch.float32):
            for compiler in COMPILERS if dtype == on_gpu.HALF else COMPILERS[:1]:
                what = f"U-Net of {name}, {IMAGES} x {HEIGHT} x {WIDTH}, {name_of(dtype)}"
                yield f"{what}, {_measured(config, images, dtype, compiler)}"


def _measured(config: ResidualUNetConfig, images: Tensor, dtype: torch.dtype, compiler: Compiler) -> str:
    network = ResidualUNet(config).to(on_gpu.DEVICE)
    with FlopCounterMode(display=False) as work:
        _step(network, images, dtype)
    if compiler != "never":
        network.compile(backend=compiler)
    step = partial(_step, network, images, dtype)
    start = time.perf_counter()
    step()
    on_gpu.wait()
    first = time.perf_counter() - start
    one = milliseconds(step, CALLS)
    rate = 1e-9 * work.get_total_flops() / one
    return f"compiled {compiler} ({first:.1f} s): {one:.1f} ms, {1000 * IMAGES / one:.0f} images/s, {rate:.0f} TFLOP/s"


def _step(network: ResidualUNet, images: Tensor, dtype: torch.dtype) -> None:
    network.zero_grad()
    with torch.autocast(on_gpu.DEVICE, dtype, enabled=dtype != torch.float32):
        features = network(images)
    features.backward(torch.ones_like(features))

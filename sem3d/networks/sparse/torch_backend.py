"""Sparse convolution in plain PyTorch, on any device: gather rows, multiply by offset, sum by output row.

Every sum has a fixed order, so on a CPU the same input gives the same bits.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import embedding_bag

from sem3d.networks.sparse.kernel_map import KernelMap, PairBlock


def convolve(
    features: Float[Tensor, "input dim_in"],
    weight: Float[Tensor, "offset dim_in dim_out"],
    kernel_map: KernelMap,
) -> Float[Tensor, "output dim_out"]:
    """Return the sum over the pairs of ``kernel_map`` of an input row times the weight of the pair's offset."""
    device = features.device.type
    if torch.is_autocast_enabled(device):
        precision = torch.get_autocast_dtype(device)
        features, weight = features.to(precision), weight.to(precision)
    return _Convolve.apply(features, weight, kernel_map)


class _Convolve(torch.autograd.Function):
    """The gradient of the features is the convolution of the output's gradient over the reverse map."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, kernel_map: KernelMap) -> Tensor:
        ctx.save_for_backward(features, weight)
        ctx.kernel_map = kernel_map
        if kernel_map.centre is None:
            outputs = features.new_empty(kernel_map.outputs, weight.shape[2])
        else:
            outputs = features @ weight[kernel_map.centre]
        matrices = weight.unbind(0)
        for block in kernel_map.blocks:
            products = features.new_empty(len(block.sources), weight.shape[2])
            parts = products.split(block.counts)
            for matrix, sources, part in zip(matrices, block.sources.split(block.counts), parts, strict=True):
                if len(sources):
                    torch.mm(features.index_select(0, sources), matrix, out=part)
            _store(outputs, products, block, add=kernel_map.centre is not None)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        features, weight = ctx.saved_tensors
        kernel_map: KernelMap = ctx.kernel_map
        centre, reverse = kernel_map.centre, kernel_map.reverse
        gradient = gradient.contiguous()
        to_features, to_weight = None, None
        if ctx.needs_input_grad[0]:
            to_features = torch.empty_like(features) if centre is None else gradient @ weight[centre].t()
        if ctx.needs_input_grad[1]:
            to_weight = torch.zeros_like(weight)
            if centre is not None:
                torch.mm(features.t(), gradient, out=to_weight[centre])
        order = range(len(weight)) if centre is None else range(len(weight) - 1, -1, -1)
        for block in reverse.blocks:
            inputs = features[block.start : block.stop]
            products = features.new_empty(len(block.sources), features.shape[1])
            pairs = zip(*(part.split(block.counts) for part in (block.sources, block.targets, products)), strict=True)
            for offset, (sources, targets, part) in zip(order, pairs, strict=True):
                if len(sources) == 0:
                    continue
                rows = gradient.index_select(0, sources)
                if to_features is not None:
                    torch.mm(rows, weight[offset].t(), out=part)
                if to_weight is not None:
                    to_weight[offset].addmm_(inputs.index_select(0, targets).t(), rows)
            if to_features is not None:
                _store(to_features, products, block, add=centre is not None)
        return to_features, to_weight, None


def _store(outputs: Tensor, products: Tensor, block: PairBlock, add: bool) -> None:
    """Put the sum of each output row's products into the block's rows of ``outputs``."""
    run = outputs[block.start : block.stop]
    if len(products) == 0:
        if not add:
            run.zero_()
        return
    sums = embedding_bag(block.by_target, products, block.target_starts, mode="sum", include_last_offset=True)
    if add:
        run.add_(sums)
    else:
        run.copy_(sums)

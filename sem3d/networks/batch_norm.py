"""Batch normalisation whose statistics are those of the global batch, however many workers share it."""

from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class GlobalBatchNorm(nn.modules.batchnorm._NormBase):
    """Batch norm (Ioffe and Szegedy, arXiv 1502.03167) over all rows of all workers, so n workers equal one.

    Takes (voxel, dim) or (batch, dim, height, width); parameters and buffers are those of :class:`torch.nn.BatchNorm2d`.
    Workers may hold different numbers of rows, none included, but each must call the layer equally often. Statistics
    are combined in float32 at least, with one exchange in forward and one in backward. Fewer than two values a channel in the
    whole batch normalise to zero and leave the running statistics alone.
    """

    def forward(
        self, features: Float[Tensor, "voxel dim"] | Float[Tensor, "batch dim height width"]
    ) -> Float[Tensor, "..."]:
        """Normalise features, by batch statistics in training and by running ones in evaluation."""
        self._check_input_dim(features)
        use_batch = self.training or self.running_mean is None
        workers = _workers() if self.training else 1
        values = features.numel() // self.num_features
        if not use_batch or (workers == 1 and values > 1):
            return F.batch_norm(
                features,
                self.running_mean,
                self.running_var,
                self.weight,
                self.bias,
                use_batch,
                self._next_momentum() if self.training else 0.0,
                self.eps,
            )
        normalised, mean, variance, count = _Normalise.apply(features, self.eps, workers)
        if self.training and self.track_running_stats:
            self._update_running(mean, variance, count)
        if self.affine:
            normalised = normalised * _on_channels(self.weight, features) + _on_channels(self.bias, features)
        return normalised.to(features.dtype)

    def _check_input_dim(self, features: Tensor) -> None:
        if features.dim() not in (2, 4) or features.shape[1] != self.num_features:
            raise ValueError(f"expected (voxel, {self.num_features}) or (batch, {self.num_features}, height, width)")

    def _next_momentum(self) -> float:
        """Count the batch, and return its weight in the running statistics."""
        if not self.track_running_stats or self.num_batches_tracked is None:
            return 0.0
        self.num_batches_tracked.add_(1)
        return 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum

    @torch.no_grad()
    def _update_running(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        kind = self.running_mean.dtype
        step = self._next_momentum() * (count > 1).to(kind)
        unbiased = variance * (count / (count - 1).clamp(min=1))
        self.running_mean.lerp_(mean.to(kind), step)
        self.running_var.lerp_(unbiased.to(kind), step)


class _Normalise(torch.autograd.Function):
    """(x - mean) / sqrt(variance + eps) with mean and variance over all workers.

    Each worker's count, mean and centred sum of squares are gathered and merged by the parallel rule of Chan et al. (1979),
    which keeps precision where the mean is far from zero.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, eps: float, workers: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        values = features.to(torch.promote_types(features.dtype, torch.float32))
        # 1. own count, mean and centred sum of squares (dim)
        axes = _all_but_channels(values)
        own_count = values.numel() // values.shape[1]
        own_mean = values.sum(axes) / max(own_count, 1)
        own_squares = (values - _on_channels(own_mean, values)).square().sum(axes)
        # 2. those of all workers: (worker), (worker dim), (worker dim)
        counts, means, squares = _gather(own_count, own_mean, own_squares, workers)
        # 3. merged into mean and variance of the global batch (dim)
        count = counts.sum()
        total = count.clamp(min=1)
        mean = (counts[:, None] * means).sum(0) / total
        variance = (squares + counts[:, None] * (means - mean).square()).sum(0) / total
        # 4. normalised features, in the shape of the input
        scale = torch.rsqrt(variance + eps)
        normalised = (values - _on_channels(mean, values)) * _on_channels(scale, values)
        ctx.save_for_backward(normalised, scale, total)
        ctx.workers, ctx.dtype = workers, features.dtype
        ctx.mark_non_differentiable(mean, variance, count)
        return normalised, mean, variance, count

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Tensor, None, None]:
        normalised, scale, total = ctx.saved_tensors
        # 1. over the global batch: sums of the gradient, and of gradient times output (2 dim)
        axes = _all_but_channels(gradient)
        sums = torch.stack([gradient.sum(axes), (gradient * normalised).sum(axes)])
        if ctx.workers > 1:
            dist.all_reduce(sums)
        # 2. the gradient less its part along a constant and along the output, in the shape of the input
        shift, slope = (_on_channels(part / total, gradient) for part in sums)
        to_features = (gradient - shift - normalised * slope) * _on_channels(scale, gradient)
        return to_features.to(ctx.dtype), None, None


def with_global_batch_norm(module: nn.Module) -> nn.Module:
    """Replace every BatchNorm1d and BatchNorm2d of ``module``, in place, by one that keeps its tensors and settings."""
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        norm = GlobalBatchNorm(
            module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats
        )
        norm.weight, norm.bias = module.weight, module.bias
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            setattr(norm, name, getattr(module, name))
        return norm.train(module.training)
    for name, child in module.named_children():
        setattr(module, name, with_global_batch_norm(child))
    return module


def _workers() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def _gather(count: int, mean: Tensor, squares: Tensor, workers: int) -> tuple[Tensor, Tensor, Tensor]:
    """Count (worker,), mean and centred squares (worker, dim) of all workers, in order of rank."""
    own = torch.cat([mean.new_full((1,), count), mean, squares])
    parts = [own]
    if workers > 1:
        parts = [torch.empty_like(own) for _ in range(workers)]
        dist.all_gather(parts, own)
    counts, means, all_squares = torch.stack(parts).split([1, len(mean), len(mean)], dim=1)
    return counts.squeeze(1), means, all_squares


def _all_but_channels(values: Tensor) -> list[int]:
    return [axis for axis in range(values.dim()) if axis != 1]


def _on_channels(row: Tensor, like: Tensor) -> Tensor:
    """Return a row of one number a channel, shaped to meet ``like``."""
    return row.view(1, -1, *[1] * (like.dim() - 2))

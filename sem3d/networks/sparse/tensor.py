"""SparseTensor: one row of features a voxel, and what is known about the voxels' coordinates."""

from typing import Any

import torch
from jaxtyping import Float, Int32, Int64
from torch import Tensor

from sem3d.networks.sparse.coordinates import VoxelIndex, coarsen, coarsen_indexed, index_voxels
from sem3d.networks.sparse.kernel_map import KernelMap, strided_map, submanifold_map

BLOCK_ROWS = {"cpu": 4096}
"""Output rows whose pairs are held at once: few on a CPU, for its cache, and many on a GPU, for fewer launches."""
GPU_BLOCK_ROWS = 1 << 17


class CoordinatePyramid:
    """Coordinates of one input at every stride and the kernel maps between them, each made once and shared by all layers."""

    def __init__(self, coordinates: Int32[Tensor, "voxel 4"], stride: int = 1):
        self._coordinates = {stride: coordinates}
        self._parents: dict[int, Int64[Tensor, " voxel"]] = {}
        self._maps: dict[tuple[int, int, int], KernelMap] = {}
        self._index: dict[int, VoxelIndex] = {stride: index_voxels(coordinates, stride)}
        self._block_rows = BLOCK_ROWS.get(coordinates.device.type, GPU_BLOCK_ROWS)
        self.attachments: dict[str, Any] = {}
        """Everything that a backend keeps beside the coordinates, by its name."""

    def coordinates(self, stride: int) -> Int32[Tensor, "voxel 4"]:
        """Return coordinates (batch, x, y, z) at ``stride``: the caller's rows at the first stride, ascending order above it."""
        if stride not in self._coordinates:
            if stride % 2 or stride // 2 < min(self._coordinates):
                raise ValueError(f"no voxels of stride {stride}: the input has strides {sorted(self._coordinates)}")
            self._coarsen(stride // 2)
        return self._coordinates[stride]

    def parents(self, stride: int) -> Int64[Tensor, " voxel"]:
        """Return the row, among the voxels of twice the ``stride``, of the voxel that holds each voxel of ``stride``."""
        self.coordinates(2 * stride)
        return self._parents[stride]

    def index(self, stride: int) -> VoxelIndex:
        """Return the search order of the voxels of ``stride``."""
        if stride not in self._index:
            self._index[stride] = index_voxels(self.coordinates(stride), stride)
        return self._index[stride]

    def kernel_map(self, kernel_size: int, stride: int, target_stride: int) -> KernelMap:
        """Return the map of a kernel from voxels of ``stride`` onto those of ``target_stride``: the same, double or half."""
        key = (kernel_size, stride, target_stride)
        if key not in self._maps:
            if stride == target_stride:
                self._maps[key] = submanifold_map(self.index(stride), kernel_size, self._block_rows)
            else:
                fine = min(stride, target_stride)
                coarse = len(self.coordinates(2 * fine))
                down = strided_map(self.coordinates(fine), fine, self.parents(fine), coarse, self._block_rows)
                self._maps[kernel_size, fine, 2 * fine], self._maps[kernel_size, 2 * fine, fine] = down, down.reverse
        return self._maps[key]

    def _coarsen(self, stride: int) -> None:
        """Find the voxels of twice the ``stride``; on a GPU, with their search order too."""
        given, coarse = self.coordinates(stride), 2 * stride
        if given.is_cuda and len(given):
            box = self.index(stride).box.coarser()
            self._coordinates[coarse], self._parents[stride], self._index[coarse] = coarsen_indexed(given, coarse, box)
        else:
            self._coordinates[coarse], self._parents[stride] = coarsen(given, coarse)


class SparseTensor:
    """Features at voxels.

    ``coordinates`` are (batch, x, y, z) in units of the finest voxel, any sign, x, y and z multiples of ``stride``, each
    row once; ``features`` row ``i`` belongs to coordinates row ``i``. Rows keep the caller's order at the stride that the
    caller gave, in every backend; coarser strides have ascending (batch, x, y, z).

    Raises :class:`ValueError` on rows that occur twice or do not match in number.
    """

    def __init__(
        self,
        coordinates: Int32[Tensor, "voxel 4"],
        features: Float[Tensor, "row dim"],
        stride: int = 1,
        pyramid: CoordinatePyramid | None = None,
    ):
        if len(coordinates) != len(features):
            raise ValueError(f"{len(coordinates)} voxels but {len(features)} rows of features")
        self.coordinates = coordinates
        self.features = features
        self.stride = stride
        self.pyramid = CoordinatePyramid(coordinates, stride) if pyramid is None else pyramid

    def with_features(self, features: Float[Tensor, "row dim"], stride: int | None = None) -> "SparseTensor":
        """Return other features at these voxels, or at those of another ``stride`` of the same input."""
        stride = self.stride if stride is None else stride
        return SparseTensor(self.pyramid.coordinates(stride), features, stride, self.pyramid)


def concatenate(first: SparseTensor, second: SparseTensor) -> SparseTensor:
    """Put features of two tensors on the same voxels side by side; raise :class:`ValueError` where the voxels differ."""
    if first.pyramid is not second.pyramid or first.stride != second.stride:
        raise ValueError("only tensors of the same input and stride have the same voxels")
    return first.with_features(torch.cat([first.features, second.features], dim=1))

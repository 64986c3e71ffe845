"""Sparse convolution by loops over voxels and offsets, in float64, from the definition."""

import numpy as np

Voxel = tuple[int, int, int, int]


def offsets_of(kernel_size: int) -> list[tuple[int, int, int]]:
    """Steps (x, y, z) of a kernel, x fastest; odd kernels are centred, even ones start at 0."""
    low = -(kernel_size // 2) if kernel_size % 2 else 0
    steps = range(low, low + kernel_size)
    return [(x, y, z) for z in steps for y in steps for x in steps]


def coarse_voxels(coordinates: np.ndarray, stride: int) -> list[Voxel]:
    """Voxels of ``stride`` that hold the given ones, sorted."""
    down = {
        (b, x // stride * stride, y // stride * stride, z // stride * stride) for b, x, y, z in coordinates.tolist()
    }
    return sorted(down)


def convolution(
    coordinates: np.ndarray,
    features: np.ndarray,
    weight: np.ndarray,
    kernel_size: int,
    stride: int,
    targets: list[Voxel],
) -> np.ndarray:
    """out[t] = sum over offsets k of features[t + k * stride] @ weight[k], over the inputs that exist."""
    row_of = {tuple(voxel): row for row, voxel in enumerate(coordinates.tolist())}
    output = np.zeros((len(targets), weight.shape[2]))
    for target_row, (b, x, y, z) in enumerate(targets):
        for offset, (dx, dy, dz) in enumerate(offsets_of(kernel_size)):
            row = row_of.get((b, x + dx * stride, y + dy * stride, z + dz * stride))
            if row is not None:
                output[target_row] += features[row] @ weight[offset]
    return output


def transposed_convolution(
    coordinates: np.ndarray, features: np.ndarray, weight: np.ndarray, stride: int, targets: list[Voxel]
) -> np.ndarray:
    """out[c + k * stride / 2] = features[c] @ weight[k] for every coarse voxel c and offset k whose target exists."""
    row_of = {target: row for row, target in enumerate(targets)}
    output = np.zeros((len(targets), weight.shape[2]))
    for row, (b, x, y, z) in enumerate(coordinates.tolist()):
        for offset, (dx, dy, dz) in enumerate(offsets_of(2)):
            target = (b, x + dx * stride // 2, y + dy * stride // 2, z + dz * stride // 2)
            if target in row_of:
                output[row_of[target]] += features[row] @ weight[offset]
    return output

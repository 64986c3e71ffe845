"""Voxel operations one point at a time, in float64."""

import math

import numpy as np


def voxel_indices(points, voxel_size, rounding="floor"):
    whole = math.floor if rounding == "floor" else math.trunc
    return np.array([[whole(value / voxel_size) for value in point] for point in points.tolist()])


def first_per_voxel(indices):
    first = {}
    for row, index in enumerate(map(tuple, indices.tolist())):
        first.setdefault(index, row)
    return np.array(list(first)), np.array(list(first.values()))


def mean_per_voxel(points, voxel_size):
    origin = [float(points[:, axis].min()) - voxel_size / 2 for axis in range(3)]
    sums = {}
    for point in points.tolist():
        voxel = tuple(math.floor((value - start) / voxel_size) for value, start in zip(point, origin, strict=True))
        x, y, z, count = sums.get(voxel, (0.0, 0.0, 0.0, 0))
        sums[voxel] = (x + point[0], y + point[1], z + point[2], count + 1)
    return np.array([[x / count, y / count, z / count] for _, (x, y, z, count) in sorted(sums.items())])


def majority_labels(points, voters, labels, voxel_size):
    """The most frequent label but 0 among the voters in each point's voxel, the least of equals; 0 without one."""
    ballots = {}
    for voter, label in zip(map(tuple, voxel_indices(voters, voxel_size).tolist()), labels.tolist(), strict=True):
        if label:
            ballots.setdefault(voter, {}).setdefault(label, 0)
            ballots[voter][label] += 1
    found = []
    for voxel in map(tuple, voxel_indices(points, voxel_size).tolist()):
        counts = ballots.get(voxel, {})
        most = max(counts.values(), default=0)
        found.append(min((label for label, count in counts.items() if count == most), default=0))
    return np.array(found)

"""Overlaps from all distances between two clouds, a few rows at a time, in float64."""

import numpy as np


def matched_points(cloud, other, radius):
    """How many points of ``cloud`` have a point of ``other`` at most ``radius`` away."""
    cloud, other = cloud.astype(np.float64), other.astype(np.float64)
    matched = 0
    for first in range(0, len(cloud), 512):
        if len(other):
            x, y, z = (cloud[first : first + 512, None, axis] - other[None, :, axis] for axis in range(3))
            matched += int((x * x + y * y + z * z <= radius * radius).any(axis=1).sum())
    return matched


def directed_overlap(clouds, radius):
    """Share of each frame's points with a neighbour in each frame; 0 for a frame without points."""
    return np.array([[matched_points(a, b, radius) / max(len(a), 1) for b in clouds] for a in clouds])


def pair_score(cloud, other, radius, definition):
    there, back = matched_points(cloud, other, radius), matched_points(other, cloud, radius)
    if definition == "released":
        return max(there / max(len(cloud), 1), back / max(len(other), 1))
    return (there + back) / max(len(cloud) + len(other), 1)

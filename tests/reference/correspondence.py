"""Matches by loops over pixels and voxels, in float64."""

import math

import numpy as np


def back_project(u, v, z, intrinsics):
    return np.array([(u - intrinsics[0, 2]) / intrinsics[0, 0] * z, (v - intrinsics[1, 2]) / intrinsics[1, 1] * z, z])


def pixel_of(point, intrinsics):
    u = point[0] / point[2] * intrinsics[0, 0] + intrinsics[0, 2]
    v = point[1] / point[2] * intrinsics[1, 1] + intrinsics[1, 2]
    return math.floor(u + 0.5), math.floor(v + 0.5)


def seen_depth(point, depth, intrinsics):
    """The pixel that a camera-frame point falls on and its depth, or None."""
    if point[2] <= 0:
        return None
    u, v = pixel_of(point, intrinsics)
    if not (0 <= u < depth.shape[1] and 0 <= v < depth.shape[0]) or depth[v, u] <= 0:
        return None
    return u, v, float(depth[v, u])


def match_pixels(
    anchor_depth, positive_depth, anchor_intrinsics, positive_intrinsics, positive_from_anchor, threshold, criterion
):
    anchor, positive = [], []
    for v, u in np.ndindex(anchor_depth.shape):
        if anchor_depth[v, u] <= 0:
            continue
        point = back_project(u, v, float(anchor_depth[v, u]), anchor_intrinsics)
        point = positive_from_anchor[:3, :3] @ point + positive_from_anchor[:3, 3]
        seen = seen_depth(point, positive_depth, positive_intrinsics)
        if seen is None:
            continue
        if criterion == "depth":
            error = abs(point[2] - seen[2])
        else:
            error = np.linalg.norm(point - back_project(*seen, positive_intrinsics))
        if error < threshold:
            anchor.append((u, v))
            positive.append(seen[:2])
    return np.array(anchor).reshape(-1, 2), np.array(positive).reshape(-1, 2)


def match_voxels(voxel_positions, depth, intrinsics, camera_from_world, threshold, criterion):
    positions = voxel_positions @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
    voxels, pixels = [], []
    if criterion == "depth":
        for voxel, point in enumerate(positions):
            seen = seen_depth(point, depth, intrinsics)
            if seen is not None and abs(point[2] - seen[2]) < threshold:
                voxels.append(voxel)
                pixels.append(seen[:2])
    else:
        for v, u in np.ndindex(depth.shape):
            if depth[v, u] > 0:
                distance = np.linalg.norm(positions - back_project(u, v, float(depth[v, u]), intrinsics), axis=1)
                if distance.min() < threshold:
                    voxels.append(int(distance.argmin()))
                    pixels.append((u, v))
    return np.array(voxels, dtype=int), np.array(pixels).reshape(-1, 2)

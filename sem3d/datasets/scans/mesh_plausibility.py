"""The mesh of a scene against the depth of its frames: where both show a surface, it must be the same one."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32, Int32

from sem3d.datasets.scans.mistakes import Frame
from sem3d.datasets.scans.plausibility import PIXELS, depth_beside, sampled_depth
from sem3d.geometry.cameras import invert_rigid, orthonormalise
from sem3d.geometry.projection import inside_image, nearest_pixel, project, transform, unproject_valid

MESH_POINTS = 20_000
"""Points of a mesh that are compared."""
MESH_TOLERANCE = 0.1
"""Metres, and half of it as a share of the depth, by which mesh and depth may disagree."""
LEAST_AGREEMENT = 0.5
"""Share of the points of a mesh, among those that depth does not hide, which must lie at the depth that frames measured, and
share of the measured points which must lie near the mesh."""
SPARSE = 3.0
"""Distances between neighbouring points of a mesh within which its surface may lie between them."""
CELLS = 32
"""Columns of the grid of an image in which a mesh is there or not."""
MESH_ADVICE = "is it turned, moved or in another unit than the poses?"


def mesh_fault(
    groups: Sequence[Sequence[Frame]], points: Float32[np.ndarray, "vertex 3"], faces: Int32[np.ndarray, "face 3"]
) -> str | None:
    """Return why a mesh is not the surface that the frames measured; None where it is or where no frame could tell.

    Points of the mesh before the measured depth contradict it. Those behind are hidden and say nothing, but then what hides
    them was measured, so the mesh must have it: points that frames measured must lie near the mesh.
    """
    frames = list({record.frame: (record, depth) for group in groups for record, depth in group}.values())
    if not frames:
        return None
    surface = mesh_points(points, faces)
    agreeing = before = 0
    for record, depth in frames:
        camera_from_world = invert_rigid(orthonormalise(record.world_from_camera))
        _, z, measured = depth_beside(transform(camera_from_world, surface), record, depth)
        tolerance = tolerated(measured)
        agreeing += int((np.abs(z - measured) <= tolerance).sum())
        before += int((z < measured - tolerance).sum())
    share = agreeing / max(1, agreeing + before)
    if not agreeing or share < LEAST_AGREEMENT:
        return (
            f"mesh does not meet the depth: {share:.0%} of its points lie where the frames measured them; {MESH_ADVICE}"
        )
    met = measured_on_mesh(frames, surface)
    if met < LEAST_AGREEMENT:
        return f"mesh does not meet the depth: {met:.0%} of what the frames measured there lies on it; {MESH_ADVICE}"
    return None


def tolerated(measured: Float[np.ndarray, " point"]) -> Float[np.ndarray, " point"]:
    """Return metres by which a mesh may lie off the depth that was measured."""
    return np.maximum(MESH_TOLERANCE, 0.5 * MESH_TOLERANCE * measured)


def measured_on_mesh(frames: Sequence[Frame], surface: Float[np.ndarray, "point 3"]) -> float:
    """Return the share of points that frames measured which lie near one of the points all over a mesh.

    Where a frame looks past the mesh, which may be a part of the scene only, nothing is asked of it.
    """
    from scipy.spatial import cKDTree  # takes as long to import as all else that a worker of Ray Data needs

    tree = cKDTree(surface)
    gaps, _ = tree.query(surface[:: max(1, len(surface) // PIXELS)], k=2)
    spacing = float(np.median(gaps[:, 1]))
    near = total = 0
    for record, depth in frames:
        points, pixels = unproject_valid(sampled_depth(depth), record.intrinsics_depth)
        world_from_camera = orthonormalise(record.world_from_camera)
        positions, _ = project(transform(invert_rigid(world_from_camera), surface), record.intrinsics_depth)
        seen = nearest_pixel(positions[inside_image(positions, depth.shape)])
        step = max(1, depth.shape[1] // CELLS)
        covered = np.zeros((depth.shape[0] // step + 1, depth.shape[1] // step + 1), bool)
        covered[seen[:, 1] // step, seen[:, 0] // step] = True
        points = points[covered[pixels[:, 1] // step, pixels[:, 0] // step]]
        reach = np.maximum(tolerated(points[:, 2]), SPARSE * spacing)
        distances, _ = tree.query(transform(world_from_camera, points), distance_upper_bound=reach.max(initial=0.0))
        near += int((distances <= reach).sum())
        total += len(points)
    return near / max(1, total)


def mesh_points(
    points: Float32[np.ndarray, "vertex 3"], faces: Int32[np.ndarray, "face 3"]
) -> Float[np.ndarray, "point 3"]:
    """Return points all over a mesh: by area where it has faces, else its vertices."""
    if not len(faces):
        return points[:: max(1, len(points) // MESH_POINTS)].astype(np.float64)
    rng = np.random.default_rng(0)
    first, second, third = (points[faces[:, corner]].astype(np.float64) for corner in range(3))
    area = np.linalg.norm(np.cross(second - first, third - first), axis=1)
    if not area.sum() > 0:
        return points.astype(np.float64)
    chosen = np.searchsorted(np.cumsum(area) / area.sum(), rng.random(MESH_POINTS)).clip(max=len(faces) - 1)
    along, across = rng.random((2, MESH_POINTS, 1))
    folded = along + across > 1
    along, across = np.where(folded, 1 - along, along), np.where(folded, 1 - across, across)
    corner = first[chosen]
    return corner + along * (second[chosen] - corner) + across * (third[chosen] - corner)

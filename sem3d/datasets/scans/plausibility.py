"""Measures of a scene that must agree with one another: the depth of its frames, their poses, and its mesh.

Each is looked at in a sample of frames and pixels; a scene that contradicts itself would be trained on without an error.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Int32
from scipy.spatial import cKDTree

from sem3d.datasets.scans.frames import read_depth
from sem3d.datasets.scans.layouts import FrameRecord
from sem3d.errors import BadSample
from sem3d.geometry.cameras import intrinsics_fault, invert_rigid, orthonormalise, pose_fault
from sem3d.geometry.projection import inside_image, nearest_pixel, project, transform, unproject_valid

NEAREST_MEDIAN, FARTHEST_MEDIAN = 0.1, 20.0
"""Metres between which the median depth of an indoor frame lies."""
ANCHORS, REACH = 6, (1, 3, 6, 11)
"""Frames that are looked at in a scene, and how many frames later those stand that each is compared with."""
PIXELS = 2000
"""Pixels of a frame that are compared."""
MESH_POINTS = 20_000
"""Points of a mesh that are compared."""
FACTORS = (0.1, 0.125, 0.2, 0.25, 0.5, 2.0, 4.0, 5.0, 8.0, 10.0)
"""Errors of a unit of depth that are common."""
QUANTILES = (0.9, 0.75)
"""Quantiles of the disagreement of two frames that are looked at."""
LEAST_RESIDUAL = 0.02
"""Share of the depth by which frames may always disagree."""
LARGEST_MEDIAN = 0.04
"""Median of the disagreement beyond which frames are not of one surface; of real scans it is 0.001 to 0.009."""
CLEAR_GAIN = 0.4
"""Share of the disagreement that another unit of depth must come down to before it is believed."""
LEAST_COMPARED = 500
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

Frame = tuple[FrameRecord, Float32[np.ndarray, "_ _"]]
Pair = tuple[Float[np.ndarray, "_ 3"], Float[np.ndarray, "4 4"], Frame]


def median_fault(depth: Float32[np.ndarray, "height width"]) -> str | None:
    """Return why the depth of a frame is no indoor scan's, metres; None where it may be."""
    median = float(np.median(depth[depth > 0])) if (depth > 0).any() else NEAREST_MEDIAN
    if NEAREST_MEDIAN <= median <= FARTHEST_MEDIAN:
        return None
    return (
        f"implausible depth: its median is {median:.3g} m, not {NEAREST_MEDIAN:g} to {FARTHEST_MEDIAN:g}; "
        "set data.prepare.depth_scale to its raw units a metre"
    )


def sampled_frames(root: Path, records: Sequence[FrameRecord]) -> list[list[Frame]]:
    """Return groups of usable frames: an anchor and some that follow it; frames that cannot be used are left out."""
    starts = sorted(set(np.linspace(0, max(0, len(records) - 1 - REACH[0]), ANCHORS).astype(int).tolist()))
    numbers = [[start, *(start + step for step in REACH if start + step < len(records))] for start in starts]
    opened = {number: usable_frame(root, records[number]) for number in sorted({n for group in numbers for n in group})}
    return [[frame for number in group if (frame := opened[number])] for group in numbers]


def usable_frame(root: Path, record: FrameRecord) -> Frame | None:
    """Return a frame with a rigid pose and its depth in metres; None where it has something wrong, which others report."""
    if pose_fault(record.world_from_camera) or intrinsics_fault(record.intrinsics_depth, record.depth_size):
        return None
    try:
        depth = read_depth(root, record.row())
    except BadSample:
        return None
    return None if median_fault(depth) else (record, depth)


def unit_fault(groups: Sequence[Sequence[Frame]]) -> str | None:
    """Return why the depth of a scene cannot be in metres: frames agree far better where it is multiplied by a factor; or why
    no unit makes them agree.

    Poses are in metres, so where the camera moves between two frames only one unit of depth puts both on one surface. Most
    points say little, such as those of a wall that the camera moves along, so the larger disagreements are compared.
    """
    pairs = [pair for group in groups for other in group[1:] if (pair := matched_pair(group[0], other))]
    metres = disagreement(pairs, 1.0)
    if (metres <= LEAST_RESIDUAL).all():
        return None
    for factor in sorted(FACTORS, key=lambda factor: disagreement(pairs, factor)[0]):
        residual = disagreement(pairs, factor)
        clear = (metres > LEAST_RESIDUAL) & (residual < CLEAR_GAIN * metres)
        if clear.any():
            scale = pairs[0][2][0].depth_scale / factor
            told = int(clear.argmax())
            return (
                f"depth does not fit the poses: frames disagree by {metres[told]:.1%} of the depth, and by "
                f"{residual[told]:.1%} where it is multiplied by {factor:g}; set data.prepare.depth_scale to {scale:g}"
            )
    return contradiction(float(disagreement(pairs, 1.0, (0.5,))[0]))


def contradiction(median: float) -> str | None:
    """Return why frames whose depth disagrees by ``median`` are not of one scan; None where they may be."""
    if median <= LARGEST_MEDIAN:
        return None
    return (
        f"frames contradict one another: half of their points lie {median:.1%} of the depth or more from where others see them; "
        "are poses camera-to-world (x right, y down, z forward), and poses, depth and intrinsics of one scan?"
    )


def matched_pair(anchor: Frame, other: Frame) -> Pair | None:
    """Return points of ``anchor`` in its camera frame, the way into that of ``other``, and ``other``; None without points."""
    record, depth = anchor
    other_from_anchor = invert_rigid(orthonormalise(other[0].world_from_camera)) @ orthonormalise(
        record.world_from_camera
    )
    points, _ = unproject_valid(sampled_depth(depth), record.intrinsics_depth)
    return (points, other_from_anchor, other) if len(points) else None


def disagreement(
    pairs: Sequence[Pair], factor: float, quantiles: Sequence[float] = QUANTILES
) -> Float[np.ndarray, " quantile"]:
    """Return quantiles of the difference of two frames' depth at one point, as a share of it, depth times ``factor``."""
    differences = [np.zeros(0)]
    for points, other_from_anchor, other in pairs:
        z, measured = depth_beside(transform(other_from_anchor, points * factor), *other)
        differences.append(np.abs(z - factor * measured) / (factor * measured))
    together = np.concatenate(differences)
    compared = len(together) >= LEAST_COMPARED
    return np.quantile(together, quantiles) if compared else np.full(len(quantiles), 0.0 if factor == 1.0 else np.inf)


def depth_beside(
    points: Float[np.ndarray, "point 3"], record: FrameRecord, depth: Float32[np.ndarray, "height width"]
) -> tuple[Float[np.ndarray, " seen"], Float[np.ndarray, " seen"]]:
    """Return z of the points (camera frame) that fall on a pixel with depth, and that depth."""
    positions, z = project(points, record.intrinsics_depth)
    inside = inside_image(positions, depth.shape)
    pixels = nearest_pixel(positions[inside])
    measured = depth[pixels[:, 1], pixels[:, 0]].astype(np.float64)
    return z[inside][measured > 0], measured[measured > 0]


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
        z, measured = depth_beside(transform(camera_from_world, surface), record, depth)
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


def sampled_depth(depth: Float32[np.ndarray, "height width"]) -> Float32[np.ndarray, "height width"]:
    """Return the depth at some of the pixels that have one, and 0 elsewhere."""
    seen = np.flatnonzero(depth)
    chosen = np.zeros_like(depth)
    chosen.flat[seen[:: max(1, len(seen) // PIXELS)]] = 1
    return depth * chosen


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

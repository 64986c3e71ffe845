"""Pinhole intrinsics and rigid poses: resize them, check them, orthonormalise them, invert them."""

import numpy as np
from jaxtyping import Float

RIGID_TOLERANCE = 1e-2  # real 7-Scenes rotations are orthonormal to 1e-4 only
LEAST_FOCAL, LARGEST_FOCAL = 0.1, 100.0
"""Focal length as a share of width or height: a view of 157 degrees, and one of half a degree."""
FARTHEST_PRINCIPAL_POINT = 0.12
"""Share of width or height that a principal point may lie off the middle; that of an Azure Kinect's depth is 0.09 below it."""
RESIZED = 0.04
"""Share of width and of height from which on a principal point that is off by the same share of both is one of another size."""
SAME_SHARE = 0.03
"""Difference of shares that lenses make; they move a principal point by up to 0.04, but not along the diagonal by more."""


def resize_intrinsics(
    intrinsics: Float[np.ndarray, "3 3"], source_size: tuple[int, int], target_size: tuple[int, int]
) -> Float[np.ndarray, "3 3"]:
    """Return intrinsics of the same camera after its image went from ``source_size`` to ``target_size``, both (height, width).

    Follows the pixel rule of the project, ``u -> (u + 0.5) * s - 0.5``, so the principal point moves by half pixels too.
    """
    vertical, horizontal = (target / source for target, source in zip(target_size, source_size, strict=True))
    rescale = np.array(
        [[horizontal, 0.0, 0.5 * horizontal - 0.5], [0.0, vertical, 0.5 * vertical - 0.5], [0.0, 0.0, 1.0]]
    )
    return rescale @ intrinsics


def intrinsics_fault(intrinsics: Float[np.ndarray, "3 3"], size: tuple[int, int]) -> str | None:
    """Return the reason why intrinsics of an image of ``size`` (height, width) cannot be used; None where they can."""
    height, width = size
    if not np.isfinite(intrinsics).all():
        return "intrinsics are not finite"
    if not np.array_equal(intrinsics[2], [0.0, 0.0, 1.0]) or intrinsics[1, 0] != 0.0:
        return "intrinsics are not of the form [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]"
    if intrinsics[0, 0] <= 0.0 or intrinsics[1, 1] <= 0.0:
        return "focal length is not positive"
    for focal, side in ((intrinsics[0, 0], width), (intrinsics[1, 1], height)):
        if not LEAST_FOCAL <= focal / side <= LARGEST_FOCAL:
            return f"focal length {focal:.4g} is implausible for an image of {width}x{height}"
    if abs(intrinsics[0, 1]) > 1e-6 * intrinsics[0, 0]:
        return "intrinsics have skew"
    if not (-0.5 <= intrinsics[0, 2] < width - 0.5 and -0.5 <= intrinsics[1, 2] < height - 0.5):
        return f"principal point lies outside the image of {width}x{height}"
    return None


def principal_point_fault(intrinsics: Float[np.ndarray, "3 3"], size: tuple[int, int]) -> str | None:
    """Return why the principal point is none of an image of ``size`` (height, width); None where it may be.

    An image that was resized without its intrinsics leaves it off the middle by the same share of width and height, which no
    lens does.
    """
    right, below = off_middle(intrinsics, size)
    where = f"principal point ({intrinsics[0, 2]:.1f}, {intrinsics[1, 2]:.1f}) of {size[1]}x{size[0]}"
    if max(abs(right), abs(below)) > FARTHEST_PRINCIPAL_POINT:
        return f"{where} is far from the middle; are they of another image size?"
    if min(abs(right), abs(below)) > RESIZED and abs(right - below) < SAME_SHARE:
        return f"{where} is off the middle along the diagonal; are they of an image {1 + right + below:.2f} times as large?"
    return None


def off_centre(intrinsics: Float[np.ndarray, "3 3"], size: tuple[int, int]) -> float:
    """Return the distance of the principal point from the middle of an image of ``size``, as a share of width or height,
    whichever is larger.
    """
    return max(map(abs, off_middle(intrinsics, size)))


def off_middle(intrinsics: Float[np.ndarray, "3 3"], size: tuple[int, int]) -> tuple[float, float]:
    """Return how far right of the middle of an image of ``size``, and below it, the principal point lies, as shares of width
    and height.
    """
    height, width = size
    return (float(intrinsics[0, 2]) + 0.5 - width / 2) / width, (float(intrinsics[1, 2]) + 0.5 - height / 2) / height


def pose_fault(world_from_camera: Float[np.ndarray, "4 4"]) -> str | None:
    """Return the reason why a pose cannot be used; None where it can.

    ScanNet marks lost frames by poses of -inf or of zeros. A rotation may be off orthonormal by 1e-2.
    """
    if not np.isfinite(world_from_camera).all():
        return "pose is not finite"
    if not world_from_camera.any():
        return "pose is all zero"
    if not np.allclose(world_from_camera[3], [0.0, 0.0, 0.0, 1.0], rtol=0.0, atol=1e-6):
        return "last row of the pose is not 0 0 0 1"
    rotation = world_from_camera[:3, :3]
    if np.abs(rotation.T @ rotation - np.eye(3)).max() > RIGID_TOLERANCE:
        return "pose is not rigid: its rotation is not orthonormal"
    if np.linalg.det(rotation) <= 0.0:
        return "pose is not rigid: its rotation is a reflection"
    return None


def orthonormalise(world_from_camera: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "4 4"]:
    """Return the pose with its rotation replaced by the nearest one in the Frobenius norm (SVD); translation stays."""
    left, _, right = np.linalg.svd(world_from_camera[:3, :3])
    left[:, 2] *= np.sign(np.linalg.det(left @ right))
    nearest = world_from_camera.copy()
    nearest[:3, :3] = left @ right
    return nearest


def invert_rigid(target_from_source: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "4 4"]:
    """Return ``source_from_target`` of a rigid transform, exact as far as its rotation is orthonormal."""
    source_from_target = np.eye(4, dtype=target_from_source.dtype)
    source_from_target[:3, :3] = target_from_source[:3, :3].T
    source_from_target[:3, 3] = -target_from_source[:3, :3].T @ target_from_source[:3, 3]
    return source_from_target

"""Cameras of the SRN layout: ``intrinsics.txt`` in its variants, and poses.

Variants of ``intrinsics.txt``, by line::

    f cx cy 0                       f cx cy 0 (or f cx cy)         3 x 3 or 4 x 4 matrix
    0 0 0                           0 0 0        barycentre
    1                               0            near plane
    height width                    1            scale
    (1: poses are camera from world)  height width
                                    (1: poses are camera from world)

SRN's (left; the flag is optional) has lengths in pixels of a picture of ``height`` x ``width``. That of DeepVoxels (middle) has
one more number, a matrix (right) is one of the pictures there are. Origin and scale change nothing, as in SRN, whose poses are in
the world's units already. Positions are those of Blender, where a picture spans [0, width]: pixel centres lie at whole numbers
+ 0.5, where SRN's code takes whole numbers.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from sem3d.errors import BadSample
from sem3d.geometry.cameras import intrinsics_fault, invert_rigid, orthonormalise, pose_fault, principal_point_fault
from sem3d.texts import read_sample_text

LARGEST_NUMBERS = 1 << 16
"""Bytes of a text of a camera."""
HUGE = 1e9
SAME_ASPECT = 0.01
TWO_OF_SIZE = 2


@dataclass(frozen=True)
class PictureCamera:
    """Intrinsics of an instance's pictures as its file has them."""

    intrinsics: Float[np.ndarray, "3 3"]
    size: tuple[int, int] | None
    """Height and width that they are of; None: those of the pictures."""
    inverse: bool = False
    """Poses are camera from world."""

    def of_pictures(self, source: str, size: tuple[int, int]) -> Float[np.ndarray, "3 3"]:
        """Return intrinsics of pictures of ``size``: the same camera, scaled.

        Raises :class:`BadSample` for those of another form of picture, or that are none.
        """
        height, width = self.size or size
        scale = size[0] / height
        if abs(size[1] / width - scale) > SAME_ASPECT * scale:
            raise BadSample(
                source,
                f"intrinsics of another size: of {width}x{height}, its pictures are {size[1]}x{size[0]}; write their own",
            )
        scaled = np.diag([size[1] / width, scale, 1.0]) @ self.intrinsics
        centred = scaled - np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
        if fault := intrinsics_fault(centred, size) or principal_point_fault(centred, size):
            raise BadSample(source, f"implausible intrinsics: {fault}")
        return scaled


def read_intrinsics(path: Path) -> PictureCamera:
    """Return the camera of an ``intrinsics.txt``; raises :class:`BadSample` for any other text."""
    lines = [
        numbers_of(line, str(path)) for line in read_sample_text(path, LARGEST_NUMBERS).split("\n") if line.split()
    ]
    lengths = [len(line) for line in lines]
    if lengths in ([3, 3, 3], [4, 4, 4, 4], [16], [9]):
        side = 3 if sum(lengths) == 9 else 4
        return PictureCamera(np.array([x for line in lines for x in line]).reshape(side, side)[:3, :3], None)
    after = lengths[2:]
    place = after.index(TWO_OF_SIZE) if TWO_OF_SIZE in after else -1
    known = lengths[:2] in ([3, 3], [4, 3]) and place in (1, 2)
    flags = lines[place + 3 :]
    if not known or [len(flag) for flag in flags] not in ([], [1]) or any(n != 1 for n in after[:place]):
        raise BadSample(
            str(path),
            "unknown intrinsics: neither 'f cx cy 0', origin, scale, 'height width' a line, as SRN has them, nor a matrix",
        )
    focal, right, below = lines[0][:3]
    height, width = lines[place + 2]
    if not (height >= 1 and width >= 1 and height == int(height) and width == int(width)):
        raise BadSample(str(path), f"unknown intrinsics: no picture is {width:g}x{height:g}")
    matrix = np.array([[focal, 0.0, right], [0.0, focal, below], [0.0, 0.0, 1.0]])
    return PictureCamera(matrix, (int(height), int(width)), bool(flags and flags[0][0]))


def read_pose(path: Path, inverse: bool = False) -> Float[np.ndarray, "4 4"]:
    """Return ``world_from_camera`` of a text of 16 numbers, in one line or four; raises :class:`BadSample` for any other.

    ``inverse``: the text has ``camera_from_world``.
    """
    numbers = numbers_of(read_sample_text(path, LARGEST_NUMBERS), str(path))
    if len(numbers) != 16:
        raise BadSample(str(path), f"no pose: it has {len(numbers)} numbers, not the 16 of a 4 x 4 matrix")
    pose = np.array(numbers).reshape(4, 4)
    if fault := pose_fault(pose):
        raise BadSample(str(path), fault)
    pose = orthonormalise(pose)
    return invert_rigid(pose) if inverse else pose


def numbers_of(text: str, source: str) -> list[float]:
    """Return the numbers of a text between blanks or commas; raises :class:`BadSample` for another word, or a huge number."""
    words = text.replace(",", " ").split()
    try:
        numbers = [float(word) for word in words]
    except ValueError as error:
        raise BadSample(source, f"no numbers: {error}") from error
    if not all(abs(number) < HUGE for number in numbers):
        raise BadSample(source, f"numbers that are not finite, or beyond {HUGE:g}")
    return numbers


def poses_fault(poses: Float[np.ndarray, "view 4 4"]) -> str | None:
    """Return which convention the poses of an object's views are of, where it is another than SRN's; None where none is seen.

    Cameras look at the object, whose middle is the world's origin, from different sides.
    """
    eyes, forward = poses[:, :3, 3], poses[:, :3, 2]
    distance = np.maximum(np.linalg.norm(eyes, axis=1), 1e-12)
    turned = np.abs(forward - forward[:1]).max() > 0.1
    if len(poses) > 1 and turned and np.ptp(eyes, axis=0).max() < 1e-3 * distance.mean():
        return (
            "poses all have one translation: they are camera from world; say so by a 1 as last line of intrinsics.txt"
        )
    toward = -(eyes * forward).sum(axis=1) / distance
    if np.median(toward) < 0:
        return "poses look away from the object: their z points backward, as OpenGL's does; OpenCV's points forward"
    return None

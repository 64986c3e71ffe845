"""An object that posed views are drawn of, and the views."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float, Float32, Int

from sem3d.bounds import AtLeastOne, Bounds, Seed, Side
from sem3d.datasets.objects.sketch_files import DEEPEST
from sem3d.datasets.objects.srn_write import View
from sem3d.errors import UserError
from sem3d.geometry.sphere_cameras import looking_at_origin, random_eyes, spiral_eyes, square_intrinsics
from sem3d.rendering.posed_views import Albedo, Picturing, TracedMesh, draw_labels, draw_view
from sem3d.rendering.sketches import draw_sketch


@dataclass(frozen=True, eq=False)
class Subject:
    """Triangles in the frame of the views: z up, front at -y, the box centred and its diagonal 1."""

    corners: Float[np.ndarray, "face 3 3"]
    albedo: Albedo
    labels: Int[np.ndarray, " part_face"]
    """Class of each face of ``part_corners``, from 1 on."""
    part_corners: Float[np.ndarray, "part_face 3 3"] | None = None
    """The mesh that has the parts, aligned with the one that has the colours; None: the same one."""


@dataclass(frozen=True, kw_only=True)
class ViewsConfig:
    """Choice of the views that are drawn of each object; the defaults are the paper's."""

    side: Side = 128
    """Side of the square pictures, pixels."""
    training_views: AtLeastOne = 50
    """Views of training and validation objects, drawn at random."""
    test_views: AtLeastOne = 251
    """Views of test objects, along a spiral."""
    sphere: Literal["upper", "whole"] = "upper"
    """Part of the sphere that random views are drawn from."""
    distance: Annotated[float, Bounds(0.6, 100)] = 1.3
    """Of the cameras from the middle of the object, whose box has a diagonal of 1."""
    samples: Annotated[int, Bounds(1, 15)] = 3
    """Rays along each side of a pixel, an odd number."""
    view_seed: Seed = 0
    """Decides the random views; those of an object are the same whatever others there are."""

    def __post_init__(self) -> None:
        """Raise :class:`UserError` for an even number of rays, of which none goes through the middle of a pixel."""
        if self.samples % 2 == 0:
            raise UserError(f"samples must be an odd number, not {self.samples}")


def poses_of(config: ViewsConfig, split: str, name: str) -> Float[np.ndarray, "view 4 4"]:
    """Return ``world_from_camera`` of the views of an object."""
    if split == "test":
        return looking_at_origin(spiral_eyes(config.test_views, config.distance))
    rng = np.random.default_rng([config.view_seed, zlib.crc32(name.encode())])
    upper = config.sphere == "upper"
    return looking_at_origin(random_eyes(config.training_views, config.distance, rng, upper=upper))


def views_of(subject: Subject, config: ViewsConfig, poses: Float[np.ndarray, "view 4 4"]) -> Iterator[View]:
    """Yield picture, labels and pose of each view."""
    picturing, intrinsics = Picturing(side=config.side, samples=config.samples), square_intrinsics(config.side)
    colored = TracedMesh(subject.corners)
    parted = colored if subject.part_corners is None else TracedMesh(subject.part_corners)
    for pose in poses:
        picture = draw_view(colored, subject.albedo, pose, intrinsics, picturing)
        yield picture, draw_labels(parted, subject.labels, pose, intrinsics, config.side), pose


def depths_of(
    subject: Subject, config: ViewsConfig, poses: Float[np.ndarray, "view 4 4"]
) -> Iterator[Float32[np.ndarray, "side side"]]:
    """Yield the depth of each view along the optical axis at the centres of pixels, of the mesh that has the parts; none from so
    far away that their files could not hold it.
    """
    if config.distance + 1 > DEEPEST:
        return
    mesh = TracedMesh(subject.corners if subject.part_corners is None else subject.part_corners)
    for pose in poses:
        yield draw_sketch(mesh, pose, square_intrinsics(config.side), config.side)[0]


def placed(corners: Float[np.ndarray, "face 3 3"]) -> tuple[Float[np.ndarray, "3"], float]:
    """Return the middle of a mesh's box and the length of its diagonal, which become the origin and 1."""
    flat = corners.reshape(-1, 3)
    low, high = flat.min(axis=0), flat.max(axis=0)
    return (low + high) / 2.0, float(np.linalg.norm(high - low))

"""An object that sketches are drawn of, and its views."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from sem3d.bounds import AtLeastOne, Bounds, Seed, Share, Side
from sem3d.datasets.objects.sketch_files import ShapeKeypoint, write_photo, write_shape, write_sketch
from sem3d.datasets.objects.srn_write import View, write_instance
from sem3d.geometry.cameras import invert_rigid
from sem3d.geometry.object_camera import (
    Z_UP_FROM_Y_UP,
    camera_from_object,
    centred_intrinsics,
    world_from_camera,
)
from sem3d.geometry.solid_voxels import solid_voxels
from sem3d.rendering.posed_views import Albedo, Picturing, TracedMesh, draw_labels, draw_view
from sem3d.rendering.sketches import draw_sketch, points_in_sight
from sem3d.worlds.sketched.backdrop import draw_backdrop, over

Degrees = Annotated[float, Bounds(-85, 85)]
Grid = Annotated[int, Bounds(8, 128)]


class NamedPlace(NamedTuple):
    """A keypoint in ShapeNetCore's frame."""

    semantic_id: int
    name: str
    xyz: Float[np.ndarray, "3"]


@dataclass(frozen=True, eq=False)
class SketchedObject:
    """A mesh in ShapeNetCore's frame: y up, front at -z, its box centred, its longest side 1."""

    vertices: Float[np.ndarray, "vertex 3"]
    faces: Int[np.ndarray, "face 3"]
    labels: Int[np.ndarray, " face"]
    """Class of each face, from 1 on."""
    plain: Albedo
    """Colours of a render: one a part."""
    textured: Albedo
    """Colours of a photograph."""
    keypoints: tuple[NamedPlace, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SketchesConfig:
    """Choice of the views that are drawn of each object."""

    side: Side = 128
    """Side of the square pictures, pixels; paper: 480."""
    training_views: AtLeastOne = 20
    """Views of training and validation objects; paper: 20."""
    test_views: AtLeastOne = 8
    """Views of test objects, each as a render and before a background."""
    lowest: Degrees = -5.0
    """Least elevation of the camera, degrees."""
    highest: Degrees = 50.0
    """Largest elevation."""
    distance: Annotated[float, Bounds(1.6, 4.5)] = 2.4
    """Of the cameras from the middle of the object, in lengths of its longest side. Paper: 2.2, of diagonals. From farther away
    depth would not fit its 16 bits."""
    distance_spread: Annotated[float, Bounds(0, 0.25)] = 0.15
    """Largest share by which the distance of a view is smaller or larger."""
    off_centre: Share = 0.05
    """Largest distance of the optical axis from the object's middle, right or left and up or down."""
    samples: Annotated[int, Bounds(1, 15)] = 3
    """Rays along each side of a pixel, an odd number."""
    voxels: Grid = 32
    """Side of the grid of a shape, a multiple of 2; paper: 128."""
    view_seed: Seed = 0
    """Decides views and backgrounds; those of an object are the same whatever others there are."""


def cameras_of(config: SketchesConfig, split: str, name: str) -> Float[np.ndarray, "view 4 4"]:
    """Return ``camera_from_object`` of the views of an object: azimuth and elevation evenly drawn."""
    views = config.test_views if split == "test" else config.training_views
    rng = np.random.default_rng([config.view_seed, zlib.crc32(name.encode())])
    low, high = sorted((config.lowest, config.highest))
    azimuth = rng.uniform(0, 2 * np.pi, views)
    polar = np.pi / 2 - np.deg2rad(rng.uniform(low, high, views))
    distance = config.distance * (1 + rng.uniform(-1, 1, views) * config.distance_spread)
    shift = rng.uniform(-1, 1, (views, 2)) * config.off_centre
    return np.stack(
        [camera_from_object(a, p, (*own, d)) for a, p, own, d in zip(azimuth, polar, shift, distance, strict=True)]
    )


def write_object(folder: Path, one: SketchedObject, config: SketchesConfig, split: str, name: str) -> None:
    """Write views, sketches, voxels and keypoints of an object; those of the test before backgrounds too."""
    cameras, intrinsics = cameras_of(config, split, name), centred_intrinsics(config.side)
    poses = [world_from_camera(camera) for camera in cameras]
    mesh = TracedMesh(one.vertices[one.faces] @ Z_UP_FROM_Y_UP.T)
    write_instance(folder, intrinsics, views_of(mesh, one, config, poses))
    places = np.array([point.xyz for point in one.keypoints]).reshape(-1, 3) @ Z_UP_FROM_Y_UP.T
    seen = np.zeros((len(places), len(poses)), bool)
    for number, pose in enumerate(poses):
        write_sketch(folder, number, *draw_sketch(mesh, pose, intrinsics, config.side))
        seen[:, number] = points_in_sight(mesh, places, invert_rigid(pose), intrinsics, config.side)[1]
    if split == "test":
        rng = np.random.default_rng([config.view_seed, 1, zlib.crc32(name.encode())])
        for number, (picture, _, pose) in enumerate(views_of(mesh, replace(one, plain=one.textured), config, poses)):
            backdrop = draw_backdrop(pose, intrinsics, config.side, float(mesh.corners[..., 2].min()), rng)
            write_photo(folder, number, over(picture, backdrop))
    keypoints = [
        ShapeKeypoint(point.semantic_id, point.name, (float(x), float(y), float(z)), tuple(own.tolist()))
        for point, own in zip(one.keypoints, seen, strict=True)
        for x, y, z in [point.xyz]
    ]
    write_shape(folder, solid_voxels(one.vertices.clip(-0.5, 0.5), one.faces, config.voxels), keypoints)


def views_of(
    mesh: TracedMesh, one: SketchedObject, config: SketchesConfig, poses: list[Float[np.ndarray, "4 4"]]
) -> Iterator[View]:
    """Yield picture, labels and pose of each view."""
    picturing, intrinsics = Picturing(side=config.side, samples=config.samples), centred_intrinsics(config.side)
    for pose in poses:
        picture = draw_view(mesh, one.plain, pose, intrinsics, picturing)
        yield picture, draw_labels(mesh, one.labels, pose, intrinsics, config.side), pose

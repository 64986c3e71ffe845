"""The chunk of a scene's surface in front of a frame as voxels, and their matches with the frame's pixels.

Pri3D's geometric loss reads this; PPKT back-projects single frames instead (:mod:`sem3d.datasets.single_frames`).
"""

from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Annotated, Literal

import numpy as np
from cachetools import LRUCache, cached
from jaxtyping import Float, Int, UInt8

from sem3d.bounds import Bounds, Metres, Side
from sem3d.datasets.scans.index import Index
from sem3d.datasets.scans.surface import read_surface
from sem3d.datasets.view import View, feature_cells
from sem3d.errors import BadSample
from sem3d.geometry.cameras import invert_rigid
from sem3d.geometry.correspondence import Criterion, match_voxels, sample_matches
from sem3d.geometry.voxels import first_per_voxel, frustum_box, voxel_indices

PIXELS_SEARCHED_PER_MATCH = 4
BYTES_KEPT = 64 << 20
"""Voxels that each process keeps: hundreds of generated rooms at 10 cm, some twenty of ScanNet's at 2 cm."""


@dataclass(frozen=True, kw_only=True)
class VoxelMatching:
    """Settings of a frame's voxels and of their matches with its pixels; the defaults are Pri3D's paper's."""

    height: Side = 240
    """Image height that the network sees, pixels."""
    width: Side = 320
    """Image width that the network sees, pixels."""
    matches: Annotated[int, Bounds(1, 1 << 20)] = 1024
    """Matches sampled a pair and a loss; with replacement only where fewer exist."""
    geo_criterion: Criterion = "distance"
    """distance: pixel's 3D point to voxel (paper). depth: voxel to depth map along z (released)."""
    geo_threshold: Metres = 0.02
    """Largest distance of a matching pixel and voxel, metres; the released code uses 0.2 along z."""
    voxel_size: Metres = 0.02
    """Side of a voxel, metres."""
    voxel_rounding: Literal["floor", "truncate"] = "floor"
    """truncate doubles the cell at 0, as the released voxeliser does."""
    voxel_point: Literal["center", "corner"] = "center"
    """Point of a voxel that is matched; the released code takes the corner."""
    chunk: Literal["frustum", "released"] = "frustum"
    """frustum: voxels that meet the box of the seen surface. released: box rounded outward to metres, camera inside."""


@dataclass(frozen=True)
class SceneVoxels:
    """The occupied voxels of a scene: indices in units of the voxel size, world axes, and colours."""

    indices: Int[np.ndarray, "voxel 3"]
    colors: UInt8[np.ndarray, "voxel 3"]

    @property
    def nbytes(self) -> int:
        """Size in memory, bytes."""
        return self.indices.nbytes + self.colors.nbytes


def scene_voxels(index: Index, scene: str, config: VoxelMatching) -> SceneVoxels:
    """Return the voxels of a scene's surface. Raises :class:`BadSample` where it has none or it cannot be used."""
    surface = index.surface_path(scene)
    if surface is None:
        raise BadSample(scene, "the scene has no surface, which 3D learning needs")
    return _voxels_of(surface, index.surface_digest(surface), config.voxel_size, config.voxel_rounding)


@cached(LRUCache(BYTES_KEPT, getsizeof=lambda voxels: voxels.nbytes), lock=Lock())
def _voxels_of(surface: Path, written: str, voxel_size: float, rounding: Literal["floor", "truncate"]) -> SceneVoxels:
    """Return voxels, kept while there is room: in a shuffled order, the pairs of a scene lie far from one another."""
    points, colors = read_surface(surface, written)
    try:
        indices, first = first_per_voxel(voxel_indices(points, voxel_size, rounding))
    except ValueError as error:
        raise BadSample(str(surface), str(error)) from error
    return SceneVoxels(indices, colors[first])


def voxel_matches(
    view: View, scene: SceneVoxels, config: VoxelMatching, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return the voxels of the view's chunk with their colours, and sampled voxel-pixel matches.

    ``voxel`` (voxel, 3), ``voxel_color`` (voxel, 3), ``geo_voxel`` (match): rows of ``voxel``, ``geo_cell`` (match, 2): cells
    (u, v), ``geo_valid`` (): 1 where there is any match.
    """
    released = config.chunk == "released"
    low, high = frustum_box(
        view.depth, view.intrinsics, view.world_from_camera, whole_metres=released, include_camera=released
    )
    inside = np.ones(len(scene.indices), dtype=bool)
    for axis, least, most in zip(scene.indices.T, low, high, strict=True):  # a scene may have a million voxels
        corner = axis * config.voxel_size
        inside &= (corner + config.voxel_size >= least) & (corner <= most)
    indices = scene.indices[inside]
    positions = indices * config.voxel_size + (config.voxel_size / 2 if config.voxel_point == "center" else 0.0)
    voxel, pixels = _match_chunk(positions, view, config, rng)
    found = no_voxel_matches(config)
    if len(voxel):
        chosen = sample_matches(rng, len(voxel), config.matches)
        cells = feature_cells(pixels[chosen], (config.height, config.width))
        found |= {"geo_voxel": voxel[chosen], "geo_cell": cells, "geo_valid": np.ones((), np.uint8)}
    return found | {"voxel": indices, "voxel_color": scene.colors[inside]}


def no_voxel_matches(config: VoxelMatching) -> dict[str, np.ndarray]:
    """Return the arrays of :func:`voxel_matches` for a frame without voxels and matches."""
    return {
        "voxel": np.zeros((0, 3), np.int32),
        "voxel_color": np.zeros((0, 3), np.uint8),
        "geo_voxel": np.zeros(config.matches, np.int64),
        "geo_cell": np.zeros((config.matches, 2), np.int64),
        "geo_valid": np.zeros((), np.uint8),
    }


def _match_chunk(
    positions: Float[np.ndarray, "voxel 3"], view: View, config: VoxelMatching, rng: np.random.Generator
) -> tuple[Int[np.ndarray, " match"], Int[np.ndarray, "match 2"]]:
    """Return voxel rows and pixels that match.

    By distance the search goes from pixels to voxels, so a random part of the pixels gives an even sample of all
    matches; only where it gives too few are all pixels searched.
    """
    few = some_pixels(view.depth, PIXELS_SEARCHED_PER_MATCH * config.matches, rng)
    for depth in (few, view.depth) if config.geo_criterion == "distance" else (view.depth,):
        try:
            voxel, pixels = match_voxels(
                positions,
                depth,
                view.intrinsics,
                invert_rigid(view.world_from_camera),
                threshold=config.geo_threshold,
                criterion=config.geo_criterion,
            )
        except ValueError as error:
            raise BadSample(
                "voxels", f"no matches within data.geo_threshold {config.geo_threshold:g}: {error}"
            ) from error
        if len(voxel) >= config.matches:
            break
    return voxel, pixels


def some_pixels(
    depth: Float[np.ndarray, "height width"], number: int, rng: np.random.Generator
) -> Float[np.ndarray, "height width"]:
    """Return the depth map with at most ``number`` of its pixels, drawn evenly; the others are 0."""
    seen = np.flatnonzero(depth)
    kept = rng.choice(seen, min(number, len(seen)), replace=False)
    thinned = np.zeros_like(depth)
    thinned.flat[kept] = depth.flat[kept]
    return thinned

"""Photographs as the pipeline sees them, and keypoints of one found in another: by nearest embedding, or by their meaning."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist
from torch import Tensor

from sem3d.datasets.photos.keypoint_images import KeypointImage, KeypointPair
from sem3d.datasets.pictures import read_color_picture
from sem3d.geometry.object_camera import centred_intrinsics
from sem3d.pipelines.pixel_semantics.squares import HALF, Square, as_image, cut_out
from sem3d.pipelines.pixel_semantics.understanding import Understood
from sem3d.rendering.sketches import points_in_sight

Places = Float[np.ndarray, "place 2"]
PhotoKey = tuple[str, tuple[float, float, float, float]]
"""A photograph, and the box of its object: data sets of pairs may name several objects in one."""


@dataclass(frozen=True, eq=False)
class CutPhoto:
    """The square of a photograph around its box."""

    image: KeypointImage
    square: Square
    cut: Image.Image

    def seen(self, side: int) -> UInt8[Tensor, "3 {side} {side}"]:
        """Return it as networks see it."""
        return as_image(self.cut, side)

    def as_image(self, path: str) -> KeypointImage:
        """Return what is known of the photograph, in the cut, which is stored at ``path``."""
        side = self.cut.width
        names = list(self.image.keypoints)
        places = np.array([self.image.keypoints[name] for name in names], np.float64).reshape(-1, 2)
        inside = self.square.in_cut(places, side) - HALF
        left, top, right, bottom = self.image.box
        corners = self.square.in_cut(np.array([[left, top], [right, bottom]]), side) - HALF
        box = (float(corners[0, 0]), float(corners[0, 1]), float(corners[1, 0]), float(corners[1, 1]))
        keypoints = {name: (float(u), float(v)) for name, (u, v) in zip(names, inside, strict=True)}
        return replace(self.image, path=path, size=(side, side), keypoints=keypoints, box=box)


def key_of(image: KeypointImage) -> PhotoKey:
    """Return what tells a photograph of one object from others."""
    return image.path, image.box


def cut_photo(root: Path, image: KeypointImage, distance: float) -> CutPhoto:
    """Return a photograph cut to its box so that what fills that is as large as in renders; beyond its edges its outermost pixels
    go on. Raises :class:`BadSample`.
    """
    left, top, right, bottom = image.box
    square = Square.around((left + HALF, top + HALF, right + HALF, bottom + HALF), distance)
    picture = Image.fromarray(read_color_picture(root / image.path, image.path, upright=False))
    return CutPhoto(image, square, cut_out(picture, square, white=False))


@dataclass(frozen=True, eq=False)
class SeenPhoto:
    """Points of the shape that are in sight in a photograph, and the keypoints of each meaning; none where there is no answer."""

    places: Places
    """(u, v) in pixels of the photograph."""
    embedding: Float[np.ndarray, "place dim"]
    meant: Mapping[int, Float[np.ndarray, "2"]]
    """By semantic id, in sight or not."""

    @staticmethod
    def of(one: Understood, square: Square, side: int) -> "SeenPhoto":
        """Return a photograph as it was understood from a square of it that is ``side`` pixels large."""
        if one.traced is None:
            return SeenPhoto(np.zeros((0, 2)), one.embedding[:0], {})
        places, seen = points_in_sight(one.traced, one.cloud, one.camera.transform(), centred_intrinsics(side), side)
        meant, _ = one.located(side)
        named = dict(zip(one.meanings.tolist(), square.in_picture(meant, side), strict=True))
        return SeenPhoto(square.in_picture(places[seen], side), one.embedding[seen], named)

    def embeddings_at(self, places: Places) -> Float[np.ndarray, "place dim"]:
        """Return the embedding of the point in sight next to each place, which may be beside the shape."""
        return self.embedding[cKDTree(self.places).query(places)[1]]

    def most_alike(self, embedding: Float[np.ndarray, "place dim"]) -> Places:
        """Return the places of the points in sight whose embedding is nearest."""
        return self.places[cdist(embedding, self.embedding).argmin(axis=1)]


def moved(source: SeenPhoto, target: SeenPhoto, places: Places) -> Places:
    """Return where places of the source lie in the target by nearest embedding; NaN where either has no point in sight."""
    if not len(source.places) or not len(target.places):
        return np.full(places.shape, np.nan)
    return target.most_alike(source.embeddings_at(places))


def by_semantic_ids(target: SeenPhoto, ids: Sequence[int]) -> Places:
    """Return the places of keypoints of the target by their semantic ids; NaN for those that are not looked for."""
    return np.array([target.meant.get(number, np.full(2, np.nan)) for number in ids]).reshape(-1, 2)


def same_place_of_the_box(pair: KeypointPair) -> Places:
    """Return where keypoints of a pair's source lie in the target if each is at the same place of the box, whatever is seen.

    A side of the source's box without a length puts them in the middle of the target's.
    """
    source, target = (np.array(image.box).reshape(2, 2) for image in (pair.source, pair.target))
    sides = source[1] - source[0]
    shares = np.where(sides > 0, (pair.places(pair.source) - source[0]) / np.where(sides > 0, sides, 1), 0.5)
    return target[0] + shares * (target[1] - target[0])


def stored_cuts(cuts: Mapping[PhotoKey, CutPhoto], folder: Path) -> Iterator[tuple[PhotoKey, KeypointImage]]:
    """Store cuts in a folder, and yield what is known of each there."""
    for number, (key, one) in enumerate(cuts.items()):
        path = f"{number:06}.png"
        one.cut.save(folder / path)
        yield key, one.as_image(path)

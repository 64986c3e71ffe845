"""Ways to find the keypoints of a known view: the pipeline, a fixed template, true parts, and what each found."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from sem3d.evaluation.keypoints import LocatedKeypoints
from sem3d.methods.pixel_semantics import Way
from sem3d.pipelines.pixel_semantics.networks import Networks, PipelineOptions
from sem3d.pipelines.pixel_semantics.squares import HALF
from sem3d.pipelines.pixel_semantics.understanding import Given, Understood, understand
from sem3d.pipelines.pixel_semantics.views import KnownView
from sem3d.pipelines.pixel_transfer import CHECKED, PLAIN
from sem3d.rendering.fitted_viewpoint import ObjectCamera

PIPELINE, UNREFINED, TEMPLATE, SKETCHES, SHAPE, VIEWPOINT, ALL, TRANSFER, CHECKED_TRANSFER = get_args(Way)
WAYS: tuple[str, ...] = (PIPELINE, UNREFINED, TEMPLATE, SKETCHES, SHAPE, VIEWPOINT, ALL)
"""By way of a shape."""
IN_2D = {TRANSFER: PLAIN, CHECKED_TRANSFER: CHECKED}
"""Ways from a picture of another object, and what :mod:`sem3d.pipelines.pixel_transfer` calls them."""
TENTH = 0.1
"""Alpha of differences."""


@dataclass(frozen=True)
class Scored:
    """Findings of one way of answering, a picture each."""

    located: list[LocatedKeypoints]
    visible: list[tuple[Bool[np.ndarray, " keypoint"], Bool[np.ndarray, " keypoint"]]]
    """Predicted and true, of keypoints within the picture."""
    degrees: list[float]
    """Of the rotation of the fitted camera from the true one, where there is an answer."""
    without_object: int = 0
    """Pictures without an answer, as no pixel is taken for the object."""
    without_surface: int = 0
    """Pictures without an answer, as no voxel reaches the level of a surface."""


def answer(
    way: str,
    networks: Networks,
    image: UInt8[Tensor, "3 side side"],
    truth: Given,
    options: PipelineOptions,
    template: Bool[np.ndarray, "x y z"],
) -> Understood:
    """Return what one way makes of a picture, which is on the networks' device, and of what is known of it."""
    given = {
        TEMPLATE: Given(voxels=template),
        SKETCHES: Given(sketch=truth.sketch),
        SHAPE: Given(voxels=truth.voxels),
        VIEWPOINT: Given(angles=truth.angles),
        ALL: truth,
    }
    if way == UNREFINED:
        options = replace(options, refine="none")
    return understand(networks, image, options, given.get(way))


def score(found: Sequence[Understood], views: Sequence[KnownView]) -> Scored:
    """Return what is found of each view's keypoints: places of those in sight, visibility of those within the picture.

    Of a picture without an answer every place and every visibility counts as wrong.
    """
    located, visible, degrees = [], [], []
    for one, view in zip(found, views, strict=True):
        places, seen = by_meaning(one, view)
        located.append(located_in(view, places[view.visible], view.visible))
        answered = bool(len(one.faces))
        predicted = seen if answered else ~view.visible
        visible.append((predicted[view.inside], view.visible[view.inside]))
        degrees += [degrees_off(one.camera, view)] if answered else []
    unseen = sum(not one.object_found for one in found)
    unanswered = sum(not len(one.faces) for one in found)
    return Scored(located, visible, degrees, unseen, unanswered - unseen)


def degrees_off(camera: ObjectCamera, view: KnownView) -> float:
    """Return the angle of the rotation from the true camera of a view, which has no roll, to a fitted one, which may."""
    assert view.truth.angles is not None
    turned = camera.rotation() @ ObjectCamera.at(*view.truth.angles, distance=1.0).rotation().T
    return float(torch.rad2deg(((turned.trace() - 1) / 2).clamp(-1, 1).acos()))


def by_meaning(
    one: Understood, view: KnownView
) -> tuple[Float[np.ndarray, "keypoint 2"], Bool[np.ndarray, " keypoint"]]:
    """Return places and visibility of the view's keypoints, NaN and hidden for meanings that are not looked for."""
    places, seen = one.located(view.side)
    row_of = {meaning: row for row, meaning in enumerate(one.meanings.tolist())}
    rows = [row_of.get(meaning, -1) for meaning in view.meanings.tolist()]
    known = np.array(rows) >= 0
    return np.where(known[:, None], places[rows] - HALF, np.nan), known & seen[rows]


def located_in(
    view: KnownView, found: Float[np.ndarray, "keypoint 2"], chosen: Bool[np.ndarray, " all_keypoint"]
) -> LocatedKeypoints:
    """Return found places beside the true ones of the chosen keypoints."""
    return LocatedKeypoints(found, view.places[chosen], (view.side, view.side), view.box)


def same_keypoints(
    places: Sequence[Float[np.ndarray, "keypoint 2"]],
    views: Sequence[KnownView],
    chosen: Sequence[tuple[tuple[str, ...], int]],
) -> Iterator[LocatedKeypoints]:
    """Yield what is found of the named keypoints of each view by its place; ``places`` are of all keypoints of all views."""
    for names, number in chosen:
        mask = np.isin(views[number].meanings, [int(name) for name in names])
        yield located_in(views[number], places[number][mask], mask)

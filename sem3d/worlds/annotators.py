"""Simulated people who mark keypoints on generated shapes: noise, misses, swaps, strays, and opinions of which points matter.

What they aim at is known, so what is made of their marks can be scored, which no data set of people's marks allows.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from sem3d.bounds import AtLeastOne, Bounds, Seed, Share
from sem3d.datasets.objects.raw_keypoints import UNMARKED, RawKeypoints
from sem3d.errors import UserError
from sem3d.evaluation.reconstruction import sample_surface
from sem3d.worlds.shapes.register import FAMILIES, generated_shape

LEAST_MARKS = 3
"""Meanings that everybody marks at least."""


@dataclass(frozen=True, kw_only=True)
class AnnotatorsConfig:
    """Shapes, people, and the faults of their marks."""

    kind: str = "chair"
    """Family of generated shapes."""
    models: AtLeastOne = 16
    """Shapes that everybody sees."""
    people: AtLeastOne = 8
    """Who mark."""
    points: Annotated[int, Bounds(64)] = 1024
    """Of a cloud; KeypointNet has 2048."""
    noise: float = 0.015
    """Standard deviation of a mark, in diagonals of the box; the saliency's is .03."""
    opinion: Share = 0.8
    """Share of meanings that a person finds worth marking, drawn for each."""
    corrupted: Share = 0.0
    """Share of marks that are wrong: a third each missed, swapped with another of the same person, and anywhere on the shape."""
    seed: Seed = 0
    """Of shapes and people."""


@dataclass(frozen=True)
class MarkedShapes:
    """Shapes with what people marked, and what they aimed at."""

    raw: RawKeypoints
    true: list[Int[np.ndarray, " _keypoint"]]
    """Of each model the points nearest to its keypoints."""
    meanings: list[Int[np.ndarray, " _keypoint"]]
    """Their semantic ids."""


def marked_shapes(config: AnnotatorsConfig) -> MarkedShapes:
    """Draw shapes, in boxes of diagonal 1, and people's marks on them; the same for the same settings.

    Raises :class:`UserError` for an unknown family.
    """
    clouds, true, meanings = [], [], []
    for number in range(config.models):
        rng = np.random.default_rng([config.seed, 0, number])
        shape = generated_shape(config.kind, config.seed, number)
        diagonal = float(np.linalg.norm(np.ptp(shape.vertices, axis=0)))
        cloud = sample_surface(shape.vertices / diagonal, shape.faces, config.points, rng)
        names = FAMILIES[config.kind].vocabulary.keypoints
        places = np.array([keypoint.xyz for keypoint in shape.keypoints]) / diagonal
        clouds.append(cloud)
        true.append(cKDTree(cloud).query(places)[1].astype(np.int64))
        meanings.append(np.array([names.index(keypoint.name) for keypoint in shape.keypoints], np.int64))
    if not clouds[0].size:
        raise UserError("no shapes to mark")
    raw_clouds = np.stack(clouds)
    marks = [person(config, number, raw_clouds, true, meanings) for number in range(config.people)]
    return MarkedShapes(RawKeypoints(raw_clouds, marks), true, meanings)


def person(
    config: AnnotatorsConfig,
    number: int,
    clouds: Float[np.ndarray, "model point 3"],
    true: list[Int[np.ndarray, " _keypoint"]],
    meanings: list[Int[np.ndarray, " _keypoint"]],
) -> Int[np.ndarray, "model _index"]:
    """Return the marks of one person, whose indices are an order of the meanings of their own."""
    rng = np.random.default_rng([config.seed, 1, number])
    known = np.unique(np.concatenate(meanings))
    chosen = rng.permutation(known)[: max(LEAST_MARKS, round(config.opinion * len(known)))]
    marks = np.full((len(clouds), len(chosen)), UNMARKED, np.int64)
    for model, cloud in enumerate(clouds):
        for index, meaning in enumerate(chosen):
            for aim in true[model][meanings[model] == meaning]:
                marks[model, index] = noisy(cloud, int(aim), config.noise, rng)
        corrupt(marks[model], len(cloud), config.corrupted, rng)
    return marks


def noisy(cloud: Float[np.ndarray, "point 3"], aim: int, noise: float, rng: np.random.Generator) -> int:
    """Return the point of a cloud that a hand hits which aims at one of them."""
    where = cloud[aim] + rng.normal(0, noise, 3)
    return int(np.square(cloud - where).sum(axis=1).argmin())


def corrupt(marks: Int[np.ndarray, " index"], points: int, share: float, rng: np.random.Generator) -> None:
    """Miss, swap or stray a share of the marks of one model, in place."""
    present = np.flatnonzero(marks != UNMARKED)
    for index in present[rng.random(len(present)) < share]:
        fault = rng.integers(3)
        if fault == 0:
            marks[index] = UNMARKED
        elif fault == 1:
            other = rng.choice(present)
            marks[index], marks[other] = marks[other], marks[index]
        else:
            marks[index] = rng.integers(points)

"""Simulated people who mark keypoints on generated shapes: noise, misses, swaps, strays, and opinions of which points matter.

What they aim at is known, so what is made of their marks can be scored, which no data set of people's marks allows. They are as
the people of KeypointNet were asked to be (2D-3D-2D, 3.1 and 3.4.2): free in what they mark, so that some points are marked by
most and others by few, and each person has some that nobody else has; consistent in their own indices; erroneous with a deviation
of .03, further where a surface is flat and one place looks like the next.
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
AROUND = 0.1
"""Diagonals of the box about a point that its flatness is told from."""
END_OFF = 4 / (3 * np.pi)
"""Distance of the middle of half a disc from that of the disc, in radii: what is off by it is an edge."""


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
    noise: float = 0.03
    """Standard deviation of a mark, in diagonals of the box; the paper's saliency has .03."""
    slide: float = 1.0
    """Share by which that is larger along a flat surface, where one place looks like the next; at corners it is as it is."""
    opinion: Share = 0.6
    """Mean share of people who find a meaning worth marking."""
    discord: Share = 0.3
    """Largest difference of that share between meanings and its mean: some are marked by nearly all, others by few."""
    own: Annotated[int, Bounds(0, 12)] = 2
    """Places that one person alone marks, each the same on all shapes."""
    missed: Share = 0.1
    """Share of marks that a person forgets."""
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
    """Return the marks of one person, whose indices are an order of the meanings of their own, places of their own last."""
    rng = np.random.default_rng([config.seed, 1, number])
    known = np.unique(np.concatenate(meanings))
    shared = np.random.default_rng([config.seed, 2])
    shares = config.opinion + config.discord * shared.permutation(np.linspace(-1, 1, len(known)))
    order = rng.permutation(len(known))
    liked = rng.random(len(known)) < shares
    chosen = known[order[np.argsort(~liked[order], kind="stable")]][: max(LEAST_MARKS, int(liked.sum()))]
    places = rng.uniform(-0.5, 0.5, (config.own, 3))
    marks = np.full((len(clouds), len(chosen) + config.own), UNMARKED, np.int64)
    for model, cloud in enumerate(clouds):
        aims = [true[model][meanings[model] == meaning] for meaning in chosen]
        aims += [cKDTree(cloud).query(place * np.ptp(cloud, axis=0) + middle(cloud), k=[1])[1] for place in places]
        for index, own in enumerate(aims):
            for aim in own:
                if rng.random() >= config.missed:
                    marks[model, index] = noisy(cloud, int(aim), config, rng)
        corrupt(marks[model], len(cloud), config.corrupted, rng)
    return marks


def middle(cloud: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, "3"]:
    """Return the middle of a cloud's box."""
    return (cloud.min(axis=0) + cloud.max(axis=0)) / 2


def noisy(cloud: Float[np.ndarray, "point 3"], aim: int, config: AnnotatorsConfig, rng: np.random.Generator) -> int:
    """Return the point of a cloud that a hand hits which aims at one of them."""
    deviation = config.noise * (1 + config.slide * flatness(cloud, aim))
    where = cloud[aim] + rng.normal(0, 1, 3) * deviation
    return int(np.square(cloud - where).sum(axis=1).argmin())


def flatness(cloud: Float[np.ndarray, "point 3"], aim: int) -> float:
    """Return how much the surface about a point goes on alike on all sides: 1 inside a flat face, 0 at the end of anything.

    It is told by how near the middle of the points around is to the point itself.
    """
    apart = np.linalg.norm(cloud - cloud[aim], axis=1)
    around = cloud[apart <= AROUND]
    off = float(np.linalg.norm(around.mean(axis=0) - cloud[aim]))
    return max(0.0, 1 - off / (END_OFF * AROUND))


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

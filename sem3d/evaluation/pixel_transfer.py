"""Keypoints of one image looked for in another by features: the 2D baseline of 2D-3D-2D, with or without a geometric check.

Places are searched on a grid of the target. Plainly, a keypoint comes to lie where the feature is nearest to its own by cosine.
With the check, places of both images that are each other's nearest vote for one affine map of the whole image, and a place counts
the less the farther it lies from where that map takes the keypoint.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int

from sem3d.geometry.planar_fit import PlanarFit, fit_matches

AGREEING = 0.1
"""Of the image's side: how far a match may lie from the map that it votes for."""
TRUSTED = 0.15
"""Of the image's side: standard deviation of the Gaussian weight of places about where the map takes a keypoint."""


@dataclass(frozen=True)
class SearchedImage:
    """Unit features of an image at the places of a grid."""

    places: Float64[np.ndarray, "place 2"]
    """(u, v) in pixels."""
    features: Float[np.ndarray, "place dim"]
    side: float
    """Pixels of the image's longer side."""


def mutual_matches(
    source: Float[np.ndarray, "place dim"], target: Float[np.ndarray, "other dim"]
) -> tuple[Int[np.ndarray, " match"], Int[np.ndarray, " match"]]:
    """Return rows of both, unit features, that are each other's nearest by cosine."""
    alike = source @ target.T
    there, back = alike.argmax(axis=1), alike.argmax(axis=0)
    own = np.flatnonzero(back[there] == np.arange(len(source)))
    return own, there[own]


def map_between(source: SearchedImage, target: SearchedImage, rng: np.random.Generator) -> PlanarFit | None:
    """Return the map from source to target that most mutual matches agree on; None where there is none."""
    own, other = mutual_matches(source.features, target.features)
    return fit_matches(source.places[own], target.places[other], AGREEING * target.side, rng)


def transferred(
    keypoints: Float[np.ndarray, "keypoint dim"],
    target: SearchedImage,
    expected: Float[np.ndarray, "keypoint 2"] | None = None,
) -> Float64[np.ndarray, "keypoint 2"]:
    """Return the place of the target that is most like each keypoint's unit feature by cosine, weighed by its distance from the
    place ``expected`` by a map, if there is one.
    """
    alike = keypoints @ target.features.T
    if expected is not None:
        squares = ((expected[:, None] - target.places[None]) ** 2).sum(axis=2)
        alike = alike.clip(min=0) * np.exp(-squares / (2 * (TRUSTED * target.side) ** 2))
    return target.places[alike.argmax(axis=1)]

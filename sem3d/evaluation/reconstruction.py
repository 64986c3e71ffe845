"""Distance of a reconstructed shape from the true one: voxel IoU, Chamfer distance, F-score."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree


@dataclass(frozen=True)
class SurfaceScores:
    """Two surfaces compared by points sampled on both; lengths in the unit of the vertices.

    ``chamfer`` is half the sum of the two mean distances to the nearest point of the other surface, and
    ``squared_chamfer`` the sum of the two mean squared distances, as most papers on single-view reconstruction print it.
    ``precision`` is the share of predicted points within the threshold of the truth, ``recall`` the reverse.
    """

    chamfer: float
    squared_chamfer: float
    precision: float
    recall: float

    @property
    def f_score(self) -> float:
        """Harmonic mean of precision and recall (Tatarchenko et al. 2019), 0 where both are."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def voxel_iou(
    predicted: Bool[np.ndarray, "*batch x y z"], true: Bool[np.ndarray, "*batch x y z"]
) -> Float[np.ndarray, "*batch"]:
    """Return the intersection over union of each pair of occupancy grids with the same axes; 1 where both are empty.

    A class's score is the mean over its objects and their 24 views, the total the mean over classes (SoftRas ``test.py``).
    Grids from :func:`sem3d.geometry.solid_voxels.solid_voxels` first go through ``to_dataset_axes`` to meet the NMR's.
    """
    both = (predicted & true).sum((-3, -2, -1))
    either = (predicted | true).sum((-3, -2, -1))
    return np.where(either > 0, both / np.maximum(either, 1), 1.0)


def sample_surface(
    vertices: Float[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"], points: int, rng: np.random.Generator
) -> Float[np.ndarray, "{points} 3"]:
    """Draw points uniformly over the area of the mesh.

    Raises ValueError if its area is zero or not finite.
    """
    corners = vertices.astype(np.float64)[faces]
    sides = corners[:, 1:] - corners[:, :1]
    area = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1)
    total = area.sum()
    if not (np.isfinite(total) and total > 0):
        raise ValueError("no points can be drawn on a mesh whose area is zero or not finite")
    face = rng.choice(len(faces), size=points, p=area / total)
    weights = rng.random((points, 2))
    weights = np.where(weights.sum(axis=1, keepdims=True) > 1, 1 - weights, weights)
    return corners[face, 0] + np.einsum("ps,psc->pc", weights, sides[face])


def surface_scores(
    predicted: Float[np.ndarray, "predicted_point 3"], true: Float[np.ndarray, "point 3"], *, threshold: float
) -> SurfaceScores:
    """Return scores of points on the predicted surface against points on the true one.

    ``threshold`` (inclusive) is a length; 0.01 of the object's longest side is usual. With n points on each, distances
    have a floor of about half the spacing of the points, ``0.5 * sqrt(area / n)``. Raises ValueError without points.
    """
    if not len(predicted) or not len(true):
        raise ValueError("surfaces are compared by their points, and one has none")
    to_true, _ = cKDTree(true).query(predicted)
    to_predicted, _ = cKDTree(predicted).query(true)
    return SurfaceScores(
        chamfer=float(to_true.mean() + to_predicted.mean()) / 2,
        squared_chamfer=float(np.square(to_true).mean() + np.square(to_predicted).mean()),
        precision=float((to_true <= threshold).mean()),
        recall=float((to_predicted <= threshold).mean()),
    )

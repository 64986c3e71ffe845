"""Scores of voxel features that look for the same place in another cloud, without any training."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Float64, Int, Int64
from torch import Tensor
from torch.nn import functional as F

NEAR = 2.0
"""Distance from the true match, voxels, within which a match is right."""
TILE = 1 << 22
"""Numbers of the largest matrix that is held."""


def match_sums(
    features: Float[Tensor, "row dim"], voxel: Int[Tensor, "row 4"], cloud: int, matches: Int64[Tensor, "match 2"]
) -> dict[str, Float64[Tensor, ""]]:
    """Return sums over matches, each a row of a voxel and the row of the one in the other cloud that shows the same place.

    ``cloud`` is the number (first column of ``voxel``) of the other cloud, among whose voxels the nearest feature by cosine is
    searched: ``found_correct`` within :data:`NEAR` voxels of the true one, ``found_total``, ``found_chance``: correct ones that
    voxels drawn evenly would give, ``found_distance``: of the found from the true, voxels.
    """
    rows = torch.nonzero(voxel[:, 0] == cloud)[:, 0]
    places = voxel[:, 1:].double()
    keys = F.normalize(features[rows].float(), dim=1)
    correct, chance, distance = (torch.zeros((), dtype=torch.float64, device=voxel.device) for _ in range(3))
    for part in matches.split(max(1, TILE // max(len(rows), 1))):
        found = rows[(F.normalize(features[part[:, 0]].float(), dim=1) @ keys.T).argmax(1)]
        true = places[part[:, 1]]
        off = torch.linalg.vector_norm(places[found] - true, dim=1)
        correct, distance = correct + (off <= NEAR).sum(), distance + off.sum()
        chance += (torch.cdist(true, places[rows]) <= NEAR + 1e-6).double().mean(1).sum()
    total = torch.tensor(float(len(matches)), dtype=torch.float64, device=voxel.device)
    return {"found_correct": correct, "found_total": total, "found_chance": chance, "found_distance": distance}


def voxel_match_metrics(sums: Mapping[str, Tensor], voxel_size: float) -> dict[str, float]:
    """Return the shares of matches that are found and of those by guessing, and their mean distance in metres; nothing without
    one match.
    """
    if "found_total" not in sums:
        return {}
    correct, chance, distance = (
        float(sums[f"found_{name}"] / sums["found_total"]) for name in ("correct", "chance", "distance")
    )
    return {"match_rate": correct, "match_rate_by_chance": chance, "match_distance_m": voxel_size * distance}

"""The dense embedding g of the aggregation: PointConv trained to tell keypoints apart (2D-3D-2D, Eq. 3 and 3.4.5).

Everybody's indices are classes of their own, so at first there is a head a person over one embedding; once marks are aggregated
there is one head over their clusters.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from sem3d.bounds import AtLeastOne, Bounds, Positive, Seed, Width
from sem3d.datasets.objects.raw_keypoints import UNMARKED
from sem3d.networks.point_conv import CloudLevel, PointConvEmbedding, cloud_levels, keypoint_cross_entropy


@dataclass(frozen=True, kw_only=True)
class EmbeddingConfig:
    """The network and its training."""

    dim: Width = 128
    """Of the embedding (paper, 3.4.5)."""
    widths: tuple[int, ...] = (32, 64, 128)
    """Channels of the levels."""
    group: Annotated[int, Bounds(4)] = 16
    """Neighbours of a point; PointConv has 32."""
    steps: AtLeastOne = 300
    """Of Adam."""
    batch: AtLeastOne = 8
    """Models a step."""
    lr: Positive = 1e-3
    """Learning rate (paper, 3.4.5)."""
    seed: Seed = 0
    """Of weights, batches and jitter."""


def embed(
    clouds: Float[np.ndarray, "model point 3"],
    classes: list[Int[np.ndarray, "model _class"]],
    deviation: float,
    config: EmbeddingConfig,
) -> Float[np.ndarray, "model point dim"]:
    """Return the embedding of every point after training on ``classes``: for each head the point of each class, -1 for none.

    In each step a class's point is drawn from its saliency, a Gaussian of ``deviation`` about it.
    """
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    points = torch.tensor(clouds, dtype=torch.float32)
    sizes = tuple(max(8, points.shape[1] // 4**level) for level in range(1, len(config.widths)))
    levels = cloud_levels(points, sizes, config.group)
    network = PointConvEmbedding(config.dim, config.widths)
    heads = nn.ModuleList(nn.Linear(config.dim, own.shape[1]) for own in classes)
    optimizer = torch.optim.Adam([*network.parameters(), *heads.parameters()], config.lr)
    near = nearby_points(points, deviation)
    for _ in range(config.steps):
        chosen = np.sort(rng.choice(len(clouds), min(config.batch, len(clouds)), replace=False))
        embedding = network([rows_of(level, chosen) for level in levels])
        drawn = [drawn_points(own[chosen], near, chosen, rng) for own in classes]
        losses = [
            keypoint_cross_entropy(head(torch.relu(embedding)), own)
            for head, own in zip(heads, drawn, strict=True)
            if (own >= 0).any()
        ]
        if not losses:
            continue
        optimizer.zero_grad()
        torch.stack(losses).mean().backward()
        optimizer.step()
    with torch.no_grad():
        found = [network([rows_of(level, np.array([model])) for level in levels]) for model in range(len(clouds))]
    return torch.cat(found).numpy()


def rows_of(level: CloudLevel, chosen: Int[np.ndarray, " model"]) -> CloudLevel:
    """Return the level of some of the clouds."""
    return CloudLevel(*(getattr(level, name)[chosen] for name in level.__dataclass_fields__))


def nearby_points(points: Float[Tensor, "model point 3"], deviation: float) -> list[tuple[Tensor, Tensor]]:
    """Return for each cloud the points that each point may have been meant by, nearest first, and running probabilities."""
    found = []
    for cloud in points:
        distances, rows = torch.cdist(cloud, cloud).topk(min(32, len(cloud)), largest=False)
        weights = torch.exp(-distances.square() / (2 * deviation**2)).cumsum(1)
        found.append((rows, weights / weights[:, -1:]))
    return found


def drawn_points(
    classes: Int[np.ndarray, "model class"],
    near: list[tuple[Tensor, Tensor]],
    chosen: Int[np.ndarray, " model"],
    rng: np.random.Generator,
) -> Int[Tensor, "model class"]:
    """Return a point for each class of the chosen models, drawn from its saliency; -1 where there is none."""
    drawn = np.full(classes.shape, UNMARKED, np.int64)
    for row, model in enumerate(chosen):
        rows, reached = near[model]
        marked = np.flatnonzero(classes[row] != UNMARKED)
        points = classes[row, marked]
        place = (reached.numpy()[points] < rng.random((len(points), 1))).sum(axis=1)
        drawn[row, marked] = rows.numpy()[points, np.minimum(place, rows.shape[1] - 1)]
    return torch.from_numpy(drawn)

"""Mark of viewpoints: the most frequent bins of the training views, whatever is seen."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sem3d.config import Experiment
from sem3d.datasets.stream import Samples
from sem3d.evaluation.viewpoints import viewpoint_scores
from sem3d.geometry.object_camera import viewpoint_of
from sem3d.geometry.viewpoint_bins import AZIMUTH, POLAR, angle_between
from sem3d.methods.method import TRAIN, Marks, Sources, scored


def marks(experiment: Experiment, sources: Sources) -> Marks:  # noqa: ARG001 -- the contract's
    """Return the scores of an answer that is always the most frequent bin of each angle, and its centre."""
    held_out = scored(sources)
    assert held_out is not None
    learnt, true = viewpoints_of(sources[TRAIN]), viewpoints_of(held_out)
    if not len(learnt) or not len(true):
        return Marks()
    bins = [own.nearest(learnt[:, column]).mode().values for column, own in enumerate((AZIMUTH, POLAR))]
    centres = [
        own.centres(learnt)[number].expand(len(true)) for own, number in zip((AZIMUTH, POLAR), bins, strict=True)
    ]
    found = torch.stack(
        [
            (AZIMUTH.nearest(true[:, 0]) == bins[0]).double(),
            (POLAR.nearest(true[:, 1]) == bins[1]).double(),
            torch.rad2deg(angle_between(centres[0], centres[1], true[:, 0], true[:, 1])),
        ],
        1,
    )
    return Marks(floor=viewpoint_scores(found.numpy()))


def viewpoints_of(samples: Samples) -> Float[Tensor, "view 2"]:
    """Return azimuth and polar angle of every view of a source."""
    poses = np.array(samples.table["pose"].to_pylist()).reshape(-1, 4, 4)
    return torch.tensor([viewpoint_of(pose)[:2] for pose in poses], dtype=torch.float64).view(-1, 2)

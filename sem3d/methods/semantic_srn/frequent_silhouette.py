"""Mark of inferred objects: the best silhouette that is the same for every view."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from sem3d.config import Experiment
from sem3d.datasets.posed_rays import LoadRays
from sem3d.datasets.stream import Samples
from sem3d.errors import BadSample
from sem3d.evaluation.part_labels import mask_iou
from sem3d.methods.method import Marks, Sources, scored
from sem3d.methods.semantic_srn.sources import KNOWN
from sem3d.methods.semantic_srn.view_scores import OPAQUE

MOST_LEARNT, MOST_SCORED = 200, 2000
"""Training objects, and scored pictures, that are looked at."""
SHARES = np.linspace(0.05, 0.95, 19)
CLEAR = 1.25
"""Times the floor from which arms are ranked: objects of a class stand in the middle and share much of their silhouettes."""
Silhouettes = Bool[Tensor, "picture height width"]


def marks(experiment: Experiment, sources: Sources) -> Marks:
    """Return the silhouette IoU of the pixels that at least a share of the training pictures show; the share is that of the best
    mean IoU with these pictures.
    """
    held_out = scored(sources)
    assert held_out is not None
    side = experiment.data.size
    learnt, truth = (
        list(silhouettes_of(samples, side, most))
        for samples, most in ((sources[KNOWN], MOST_LEARNT), (held_out, MOST_SCORED))
    )
    if not learnt or not truth:
        return Marks()
    guess = best_constant(torch.stack(learnt))
    total, seen = held_out.table.num_rows, min(MOST_SCORED, held_out.table.num_rows)
    found = mask_iou(guess.expand(len(truth), side, side), torch.stack(truth))
    basis = "" if seen == total else f"{seen} of {total} pictures"
    return Marks(floor={"silhouette_iou": float(found.mean())}, basis=basis, clear=CLEAR)


def best_constant(pictures: Silhouettes) -> Bool[Tensor, "height width"]:
    """Return the pixels that at least a share of the pictures show; the share with the best mean IoU with them."""
    mean = pictures.double().mean(0)
    cuts = [mean >= share for share in SHARES.tolist()]
    return max(cuts, key=lambda cut: float(mask_iou(cut.expand_as(pictures), pictures).mean()))


def silhouettes_of(samples: Samples, side: int, most: int) -> Iterator[Bool[Tensor, "side side"]]:
    """Yield where the pictures of at most ``most`` evenly chosen rows show objects; rows that cannot be used are left out."""
    assert isinstance(samples.load, LoadRays)
    load, total = replace(samples.load, views=0, rays=0), samples.table.num_rows
    chosen = np.unique(np.linspace(0, max(total - 1, 0), min(total, most)).round().astype(int))
    for row in samples.table.take(chosen).to_pylist():
        try:
            opaque = load(row, np.random.default_rng(0))["alpha"] > OPAQUE
        except BadSample:
            continue
        yield from torch.from_numpy(opaque).view(-1, side, side)

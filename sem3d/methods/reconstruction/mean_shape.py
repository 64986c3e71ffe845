"""Mark of shapes: the mean shape of the training objects, whatever is seen."""

from pathlib import Path

import numpy as np
from jaxtyping import Bool

from sem3d.config import Experiment
from sem3d.datasets.objects.sketch_files import VOXELS, coarser, read_voxels
from sem3d.datasets.sketched_views import LoadSketched
from sem3d.datasets.stream import Samples
from sem3d.errors import BadSample
from sem3d.methods.method import TRAIN, Marks, Sources, scored
from sem3d.methods.ssr.constant_shape import CLEAR, MOST_OBJECTS, best_constant, iou_of_constant

SCORES = ("voxel_iou", "voxel_iou_of_true_sketches")


def marks(experiment: Experiment, sources: Sources) -> Marks:  # noqa: ARG001 -- the contract's
    """Return the voxel IoU of the training objects' mean shape, cut where that is best for themselves."""
    held_out = scored(sources)
    assert held_out is not None
    learnt, others = shapes_of(sources[TRAIN]), shapes_of(held_out)
    if not len(learnt) or not len(others):
        return Marks()
    floor = float(iou_of_constant(best_constant(learnt), others).mean())
    return Marks(floor=dict.fromkeys(SCORES, floor), clear=CLEAR)


def shapes_of(samples: Samples) -> Bool[np.ndarray, "object x y z"]:
    """Return the shapes of at most ``MOST_OBJECTS`` objects of a source; those that cannot be read are passed over.

    Every object is seen as often as any other, so that the mean over them is that over views.
    """
    load = samples.load
    assert isinstance(load, LoadSketched)
    folders = list(dict.fromkeys(samples.table["folder"].to_pylist()))
    side, found = load.config.voxels, []
    for folder in folders[:: -(-len(folders) // MOST_OBJECTS) or 1]:
        path: Path = load.root / folder / VOXELS
        try:
            found.append(coarser(read_voxels(path), side, str(path)))
        except BadSample:
            continue
    return np.array(found, dtype=bool).reshape(-1, side, side, side)

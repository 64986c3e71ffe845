"""Marks of 3D segmentation: the most frequent class at each height, and the classes that a label budget shows."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Int, UInt8

from sem3d.config import Experiment
from sem3d.datasets.scans.clouds import read_points
from sem3d.datasets.scans.own_classes import label_set_of
from sem3d.datasets.scene_clouds import LoadCloud
from sem3d.datasets.stream import Samples
from sem3d.errors import BadSample
from sem3d.methods.method import HELD_OUT, TRAIN, Marks, Sources
from sem3d.methods.tasks.frequent_classes import basis, chosen_rows, most_frequent, scored
from sem3d.methods.tasks.semantic_segmentation_3d import point_metrics

STEP, STEPS = 0.1, 40
"""Metres of a height that is told from others, and how many are; all above belong to the last."""
Known = tuple[str, Int[np.ndarray, " point"], UInt8[np.ndarray, " point"]]


def marks(experiment: Experiment, sources: Sources) -> Marks:
    """Return the scores of a predictor that knows of a point how high it lies, and of one that is right about all classes it
    was shown.

    The first answers with the class that the labels under the budget have most often at that height above the lowest point of a
    sample. The second has no answer where a class was never shown. Samples that cannot be used count in neither.
    """
    names = label_set_of(experiment.data).names
    counts = np.zeros((len(names), STEPS, 1), np.int64)
    for _, height, label in heights_and_labels(sources[TRAIN]):
        cells = label.astype(np.int64) * STEPS + height
        counts += np.bincount(cells, minlength=counts.size).reshape(counts.shape)
    counts[0] = 0
    guess = torch.from_numpy(most_frequent(counts)[:, 0])
    known = heights_and_labels(sources[HELD_OUT])
    guessed = ((scene, label, guess[torch.from_numpy(height)]) for scene, height, label in known)
    return scored(guessed, counts.sum((1, 2)) > 0, point_metrics, basis(sources, "scenes or chunks"), names)


def heights_and_labels(samples: Samples) -> Iterator[Known]:
    """Yield scene, steps above the lowest point, and labels in use, of the chosen samples that can be used."""
    load = samples.load
    assert isinstance(load, LoadCloud)
    for row in samples.table.take(chosen_rows(samples)).to_pylist():
        try:
            points, _, labels = read_points(load.folder / row["file"], row["written"])
        except BadSample:
            continue
        height = ((points[:, 2] - points[:, 2].min()) / STEP).astype(np.int64).clip(max=STEPS - 1)
        yield row["scene"], height, load.labels_in_use(labels, row) if load.augment else labels

"""Marks of 3D segmentation: the most frequent class at each height, and the classes that a label budget shows."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Int, UInt8

from sem3d.config import Experiment
from sem3d.datasets.scans.clouds import read_points
from sem3d.datasets.scans.labels import CLASS_NAMES
from sem3d.datasets.scene_clouds import LoadCloud
from sem3d.datasets.stream import Samples
from sem3d.errors import BadSample
from sem3d.evaluation.segmentation import common_classes, confusion
from sem3d.methods.method import HELD_OUT, TRAIN, Marks, Sources
from sem3d.methods.tasks.frequent_classes import basis, chosen_rows, most_frequent
from sem3d.methods.tasks.semantic_segmentation_3d import point_metrics

STEP, STEPS = 0.1, 40
"""Metres of a height that is told from others, and how many are; all above belong to the last."""
Known = tuple[str, Int[np.ndarray, " point"], UInt8[np.ndarray, " point"]]


def marks(experiment: Experiment, sources: Sources) -> Marks:  # noqa: ARG001 -- others need their settings
    """Return the scores of a predictor that knows of a point how high it lies, and of one that is right about all classes it
    was shown.

    The first answers with the class that the labels under the budget have most often at that height above the lowest point of a
    sample. The second has no answer where a class was never shown. Samples that cannot be used count in neither.
    """
    counts = np.zeros((len(CLASS_NAMES), STEPS, 1), np.int64)
    for _, height, label in heights_and_labels(sources[TRAIN]):
        cells = label.astype(np.int64) * STEPS + height
        counts += np.bincount(cells, minlength=counts.size).reshape(counts.shape)
    counts[0] = 0
    shown = torch.from_numpy(counts.any((1, 2)))
    guess = torch.from_numpy(most_frequent(counts)[:, 0])
    guessed, told = (torch.zeros(len(CLASS_NAMES), len(CLASS_NAMES), dtype=torch.int64) for _ in range(2))
    scenes = []
    for scene, height, label in heights_and_labels(sources[HELD_OUT]):
        truth = torch.from_numpy(label.astype(np.int64))
        guessed += confusion(truth, guess[torch.from_numpy(height)], len(CLASS_NAMES))
        told += confusion(truth, truth * shown[truth], len(CLASS_NAMES))
        scenes.append((scene, np.unique(label).tolist()))
    common = common_classes(scenes)
    held_out = {number for _, classes in scenes for number in classes if number}
    return Marks(
        floor=point_metrics(guessed, common),
        bound=point_metrics(told, common),
        never_shown=tuple(CLASS_NAMES[number] for number in sorted(held_out) if not shown[number]),
        basis=basis(sources, "scenes or chunks"),
    )


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

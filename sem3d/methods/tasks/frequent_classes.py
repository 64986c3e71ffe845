"""Marks of 2D segmentation: the most frequent class at each pixel position, and the classes that a label budget shows."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int64, UInt8
from torch import Tensor

from sem3d.config import Experiment
from sem3d.datasets.labelled_frames import LoadLabelled
from sem3d.datasets.scans.own_classes import label_set_of
from sem3d.datasets.stream import Samples
from sem3d.errors import BadSample
from sem3d.evaluation.segmentation import common_classes, confusion, segmentation_metrics
from sem3d.methods.method import HELD_OUT, TRAIN, Marks, Sources

MOST_FRAMES = 4000
"""Labelled frames of a split that are looked at: the labels of all of ScanNet would take minutes."""
Labels = UInt8[np.ndarray, "height width"]
Guessed = tuple[str, UInt8[np.ndarray, "..."], Tensor]
"""Scene, labels, and the class that is guessed for each."""
Metrics = Callable[[Tensor, Sequence[int]], dict[str, float]]
"""Scores of a confusion matrix, over all classes and over common ones."""


def marks(experiment: Experiment, sources: Sources) -> Marks:
    """Return the scores of a predictor that never sees the image, and of one that is right about all classes it was shown.

    The first answers with the class that the training frames under the budget have most often at each pixel position. The second
    has no answer where a class was never shown. Frames that cannot be used count in neither.
    """
    data, names = experiment.data, label_set_of(experiment.data).names
    counts = np.zeros((len(names), data.height, data.width), np.int64)
    rows, columns = np.indices((data.height, data.width))
    for _, label in frames_with_labels(sources[TRAIN]):
        counts[label, rows, columns] += 1
    counts[0] = 0
    guess = torch.from_numpy(most_frequent(counts))
    guessed = ((scene, label, guess) for scene, label in frames_with_labels(sources[HELD_OUT]))
    return scored(guessed, counts.sum((1, 2)) > 0, segmentation_metrics, basis(sources, "frames"), names)


def scored(
    guessed: Iterable[Guessed],
    shown: Bool[np.ndarray, " class"],
    metrics: Metrics,
    basis: str,
    names: Sequence[str],
) -> Marks:
    """Return the marks of guesses, and of a predictor that is right about all classes, called ``names``, that were ``shown``."""
    floor, bound = (torch.zeros(len(names), len(names), dtype=torch.int64) for _ in range(2))
    scenes = []
    for scene, label, guess in guessed:
        truth = torch.from_numpy(label.astype(np.int64))
        floor += confusion(truth, guess, len(names))
        bound += confusion(truth, truth * torch.from_numpy(shown)[truth], len(names))
        scenes.append((scene, np.unique(label).tolist()))
    common = common_classes(scenes)
    held_out = {number for _, classes in scenes for number in classes if number}
    return Marks(
        floor=metrics(floor, common),
        bound=metrics(bound, common),
        never_shown=tuple(names[int(number)] for number in sorted(held_out) if not shown[number]),
        basis=basis,
    )


def most_frequent(counts: Int64[np.ndarray, "class height width"]) -> Int64[np.ndarray, "height width"]:
    """Return the most frequent class of each pixel position; the most frequent of all where a position has none."""
    usual = counts.sum((1, 2)).argmax()
    return np.where(counts.any(0), counts.argmax(0), usual)


def chosen_rows(samples: Samples) -> np.ndarray:
    """Return at most ``MOST_FRAMES`` row numbers, evenly spread over the table."""
    total = samples.table.num_rows
    return np.unique(np.linspace(0, max(total - 1, 0), min(total, MOST_FRAMES)).round().astype(int))


def frames_with_labels(samples: Samples) -> Iterator[tuple[str, Labels]]:
    """Yield scene and labels of the chosen frames that can be used."""
    load = samples.load
    assert isinstance(load, LoadLabelled)
    table: list[dict[str, Any]] = samples.table.take(chosen_rows(samples)).to_pylist()
    for row in table:
        try:
            yield row["scene"], load.label(row)
        except BadSample:
            continue


def basis(sources: Sources, what: str) -> str:
    """Return a remark on the splits of which not all rows, called ``what``, are looked at, "" where all are."""
    names = {TRAIN: "training", HELD_OUT: "held-out"}
    totals = {names[split]: sources[split].table.num_rows for split in names}
    parts = [f"{MOST_FRAMES} of {total} {name} {what}" for name, total in totals.items() if total > MOST_FRAMES]
    return " and ".join(parts)

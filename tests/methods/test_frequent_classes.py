"""Marks of 2D segmentation against loops over pixels."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from sem3d.config import override
from sem3d.datasets.labelled_frames import LabelledFrames, LoadLabelled
from sem3d.datasets.scans.labels import CLASS_NAMES
from sem3d.datasets.stream import Samples
from sem3d.errors import BadSample
from sem3d.evaluation.segmentation import confusion, mean_iou
from sem3d.methods.tasks import frequent_classes
from sem3d.methods.tasks.frequent_classes import marks
from sem3d.methods.tasks.semantic_segmentation_2d import SemanticSegmentation2D, SemanticSegmentation2DBatch, laptop

SIZE = (4, 6)
CLASSES = len(CLASS_NAMES)
BED, SINK, WALL, FLOOR = (CLASS_NAMES.index(name) for name in ("bed", "sink", "wall", "floor"))


@dataclass(frozen=True)
class Given(LoadLabelled):
    """Labels that the test wrote, in the place of those on disk."""

    labels: Any = field(default=None)

    def label(self, row):
        if self.labels[row["frame"]] is None:
            raise BadSample("frame", "damaged")
        return self.labels[row["frame"]]


def samples(labels: list, scenes: list[str]) -> Samples:
    table = pa.table({"scene": scenes, "frame": list(range(len(labels)))})
    load = Given(index=None, config=LabelledFrames(), augment=False, scenes={}, labels=labels)
    return Samples(table, load, collate=lambda loaded: {}, digest="")


EXPERIMENT = override(laptop(), {"data.height": SIZE[0], "data.width": SIZE[1]})


def by_loops(train: list, held_out: list) -> tuple[np.ndarray, np.ndarray]:
    """Confusion of the most frequent class of each position, and of a learner that knows all that was shown."""
    shown = {int(value) for label in train for value in label.flat} - {0}
    usual = Counter(int(value) for label in train for value in label.flat if value).most_common(1)[0][0]
    floor, bound = np.zeros((2, CLASSES, CLASSES), int)
    for label in held_out:
        for place in np.ndindex(*SIZE):
            seen = Counter(int(one[place]) for one in train if one[place])
            most = max(seen.values(), default=0)
            guess = min((name for name, count in seen.items() if count == most), default=usual)
            truth = int(label[place])
            floor[truth, guess] += 1
            bound[truth, truth if truth in shown else 0] += 1
    return floor, bound


@pytest.mark.parametrize("seed", range(3))
def test_floor_and_bound_are_those_of_loops_over_pixels(seed):
    random = np.random.default_rng(seed)
    train, held_out = (
        list(random.integers(0, top, (count, *SIZE)).astype(np.uint8)) for top, count in ((5, 4), (7, 8))
    )
    train[0][0, 0] = 0
    for label in train[1:]:
        label[0, 0] = 0
    found = marks(EXPERIMENT, {"train": samples(train, ["a"] * 4), "held_out": samples(held_out, list("aabbccdd"))})
    floor, bound = (torch.from_numpy(matrix) for matrix in by_loops(train, held_out))
    for matrix, metrics in ((floor, found.floor), (bound, found.bound)):
        assert metrics["miou_scannet"] == mean_iou(matrix, "scannet").miou
        assert metrics["miou_pri3d"] == mean_iou(matrix, "pri3d").miou
        assert metrics["pixel_accuracy"] == mean_iou(matrix, "scannet").pixel_accuracy
    assert found.never_shown == tuple(CLASS_NAMES[number] for number in (5, 6))
    assert found.bound["miou_scannet"] == pytest.approx(4 / 6)
    assert found.basis == ""


def test_a_class_that_the_budget_never_shows_bounds_the_score():
    wall, bed = (np.full(SIZE, value, np.uint8) for value in (WALL, BED))
    half = np.concatenate([wall[:2], bed[:2]])
    found = marks(
        EXPERIMENT, {"train": samples([wall, None], ["a", "a"]), "held_out": samples([half, wall], ["b", "c"])}
    )
    assert found.never_shown == ("bed",)
    assert found.bound["miou_scannet"] == 0.5
    assert found.floor["miou_scannet"] == pytest.approx(0.75 / 2)
    assert "miou_scannet_common" not in found.floor


def test_of_many_frames_an_even_share_is_looked_at_and_told(monkeypatch):
    monkeypatch.setattr(frequent_classes, "MOST_FRAMES", 3)
    labels = [np.full(SIZE, value, np.uint8) for value in (1, 2, 3, 2, 1)]
    found = marks(EXPERIMENT, {"train": samples(labels, ["a"] * 5), "held_out": samples(labels[:2], ["a"] * 2)})
    assert found.basis == "3 of 5 training frames"
    assert found.floor["pixel_accuracy"] == 0.5


def test_the_mean_over_common_classes_leaves_out_what_few_scenes_hold():
    method = SemanticSegmentation2D(override(EXPERIMENT, {"init": "scratch"})).eval()
    image = torch.randint(0, 256, (4, 3, 32, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    label = torch.full((4, 32, 40), FLOOR, dtype=torch.uint8)
    label[:, :10] = WALL
    label[:2, 20:] = SINK
    with torch.no_grad():
        found = method.evaluate(SemanticSegmentation2DBatch(image, label, torch.tensor([7, 8, 9, -1])))
        predictions = method.pixel_scores(image).argmax(1)
        alone = method.evaluate(SemanticSegmentation2DBatch(image, label))
    assert [record["scene"] for record in found.records] == [7, 8, 9]
    iou = mean_iou(confusion(label, predictions, CLASSES), "scannet").iou
    summary = method.summarise(found)
    assert summary["miou_scannet_common"] == pytest.approx((iou[WALL] + iou[FLOOR]) / 2)
    assert "miou_scannet_common" not in method.summarise(alone)
    assert {name: value for name, value in summary.items() if name != "miou_scannet_common"} == method.summarise(alone)

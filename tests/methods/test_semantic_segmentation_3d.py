"""3D segmentation: its loss and scores against loops over points, what it trains, and what it starts from."""

import math
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch.testing import assert_close

from sem3d.datasets.scans.class_lists import S3DIS_NAMES
from sem3d.datasets.scans.clouds import read_points, write_part
from sem3d.datasets.scans.labelled_scene import CloudPart
from sem3d.datasets.scene_clouds import CollateClouds, LoadCloud, SceneClouds
from sem3d.datasets.stream import Samples
from sem3d.methods.tasks.frequent_heights import marks
from sem3d.methods.tasks.semantic_segmentation_3d import SemanticSegmentation3DBatch
from tests.datasets.scans.s3dis_rooms import write_s3dis
from tests.methods.synthetic_batches import BATCHES
from tests.methods.tiny import build_tiny, tiny_experiment
from tests.reference.segmentation_metrics import confusion_by_loops, scannet_miou

NAME = "semantic_segmentation_3d"


def built(tmp_path, **changes):
    return build_tiny(NAME, tiny_experiment(NAME, tmp_path, tmp_path, **changes))


@pytest.fixture
def batch():
    return SemanticSegmentation3DBatch(**BATCHES[NAME]())


def probabilities(method, batch) -> list[list[float]]:
    """Class probabilities of each point, the mean over its turns, one number at a time."""
    with torch.no_grad():
        voxels = method.voxel_logits(batch).tolist()
    found = []
    for rows in batch.point_voxel.tolist():
        shares = []
        for row in rows:
            total = sum(math.exp(score) for score in voxels[row])
            shares.append([math.exp(score) / total for score in voxels[row]])
        found.append([sum(column) / len(rows) for column in zip(*shares, strict=True)])
    return found


@pytest.mark.parametrize("turns", [1, 3])
def test_loss_and_scores_are_those_of_loops_over_points(tmp_path, turns):
    columns = BATCHES[NAME]()
    columns["voxel"][:, 0] = columns["voxel"][:, 0] * turns + turns - 1
    columns["point_voxel"] = torch.stack([columns["point_voxel"][:, 0].roll(turn) for turn in range(turns)], 1)
    if turns > 1:  # the scene of a point is that of its voxels
        columns["point_voxel"] = columns["point_voxel"].sort(1).values
    batch = SemanticSegmentation3DBatch(**columns)
    method = built(tmp_path).double().eval()
    shares, truth = probabilities(method, batch), batch.point_label.tolist()
    costs = [-math.log(share[label]) for share, label in zip(shares, truth, strict=True) if label]
    with torch.no_grad():
        assert_close(method(batch, 0)["cross_entropy"], torch.tensor(sum(costs) / len(costs), dtype=torch.float64))
        found = method.evaluate(batch)
    answers = [max(range(21), key=share.__getitem__) for share in shares]
    assert found.sums["confusion"].tolist() == confusion_by_loops(truth, answers, 21)
    metrics = method.summarise(found)
    assert metrics["miou_scannet"] == pytest.approx(scannet_miou(truth, answers, 21))
    right = [answer == label for answer, label in zip(answers, truth, strict=True) if label]
    assert metrics["point_accuracy"] == pytest.approx(sum(right) / len(right))
    recalls = [
        sum(answer == name for answer, label in zip(answers, truth, strict=True) if label == name) / truth.count(name)
        for name in sorted(set(truth) - {0})
    ]
    assert metrics["class_accuracy"] == pytest.approx(sum(recalls) / len(recalls))
    assert metrics["loss_cross_entropy"] == pytest.approx(sum(costs) / len(costs))
    assert "miou_pri3d" not in metrics


def test_records_hold_the_classes_of_each_scene(tmp_path, batch):
    columns = BATCHES[NAME]() | {"scene": torch.tensor([4, -1, 9])}
    found = built(tmp_path).eval().evaluate(SemanticSegmentation3DBatch(**columns))
    assert [record["scene"] for record in found.records] == [4, 9]
    item = batch.voxel[batch.point_voxel[:, 0], 0]
    for record, number in zip(found.records, (0, 2), strict=True):
        assert set(record["classes"].tolist()) == set(batch.point_label[item == number].tolist())


def test_voxels_may_say_only_that_they_are_there(tmp_path, batch):
    method = built(tmp_path, method__voxel_input="occupancy").eval()
    recoloured = SemanticSegmentation3DBatch(**BATCHES[NAME]() | {"voxel_color": 255 - batch.voxel_color})
    with torch.no_grad():
        assert torch.equal(method.point_scores(batch), method.point_scores(recoloured))
        colored = built(tmp_path).eval()
        assert not torch.equal(colored.point_scores(batch), colored.point_scores(recoloured))


def samples_of(folder, split: str, classes: tuple[int, ...], count: int) -> Samples:
    """Scenes of random points 1.5 m high, whose lowest are floor, with labels of random classes; some are under the budget."""
    rng, rows = np.random.default_rng(len(split)), []
    for number in range(count):
        points = rng.uniform(0, 1.5, (300, 3)).astype(np.float32) + np.float32(number)
        labels = rng.choice(classes, 300).astype(np.uint8)
        labels[points[:, 2] < number + 0.3] = 2
        part = CloudPart(split, points, np.zeros((300, 3), np.uint8), labels)
        row = write_part(folder, f"{split}{number}.parquet", f"{split}{number}", part)
        rows.append(row | {"chosen": np.sort(rng.permutation(np.flatnonzero(labels))[:100]).tolist()})
    load = LoadCloud(folder, SceneClouds(points_per_scene=100), split == "train", {})
    return Samples(pa.Table.from_pylist(rows), load, CollateClouds(1), "")


def test_marks_are_those_of_loops_over_points(tmp_path):
    sources = {
        "train": samples_of(tmp_path, "train", (0, 1, 2, 5), 3),
        "held_out": samples_of(tmp_path, "val", (0, 1, 2, 7), 3),
    }
    found = marks(tiny_experiment(NAME, tmp_path, tmp_path), sources)
    seen: dict[int, Counter[int]] = {}
    usual: Counter[int] = Counter()
    for row in sources["train"].table.to_pylist():
        points, _, labels = read_points(tmp_path / row["file"], row["written"])
        for place in row["chosen"]:
            height = int((points[place, 2] - points[:, 2].min()) / np.float32(0.1))
            seen.setdefault(height, Counter())[int(labels[place])] += 1
            usual[int(labels[place])] += 1
    truth, guesses, told = [], [], []
    for row in sources["held_out"].table.to_pylist():
        points, _, labels = read_points(tmp_path / row["file"], row["written"])
        for point, label in zip(points, labels.tolist(), strict=True):
            counts = seen.get(int((point[2] - points[:, 2].min()) / np.float32(0.1)), usual)
            truth.append(label)
            guesses.append(min(counts, key=lambda name: (-counts[name], name)))
            told.append(label if label in usual else 0)
    assert found.floor["miou_scannet"] == pytest.approx(scannet_miou(truth, guesses, 21))
    assert found.bound["miou_scannet"] == pytest.approx(scannet_miou(truth, told, 21)) == pytest.approx(2 / 3)
    assert found.floor.keys() == {"miou_scannet", "miou_scannet_common", "point_accuracy", "class_accuracy"}
    assert found.never_shown == ("table",)
    assert found.basis == ""


def test_classes_of_s3dis_have_a_classifier_scores_and_marks_of_their_own(tmp_path):
    root = write_s3dis(tmp_path / "data")
    changes = {"data__classes": "s3dis", "data__clouds__chunk": 0.0, "data__root": str(root)}
    experiment = tiny_experiment(NAME, tmp_path, tmp_path / "runs", **changes)
    method = build_tiny(NAME, experiment).eval()
    assert method.classifier.out_features == 14
    samples = method.sources(experiment)
    loaded = [samples["held_out"].load(row, np.random.default_rng(0)) for row in samples["held_out"].table.to_pylist()]
    columns = {name: torch.tensor(column) for name, column in samples["held_out"].collate(loaded).items()}
    batch = SemanticSegmentation3DBatch(**columns)
    with torch.no_grad():
        found = method.evaluate(batch)
    assert found.sums["confusion"].shape == (14, 14)
    assert set(method.artifacts(found)["iou_by_class"]) <= set(S3DIS_NAMES[1:])
    assert method.artifacts(found)["confusion"]["names"] == list(S3DIS_NAMES)
    assert method.figures(batch)["predictions"].std() > 5
    marked = marks(experiment, samples)
    assert 0 < marked.floor["miou_scannet"] < 1
    assert marked.bound["miou_scannet"] == 1
    assert marked.never_shown == ()

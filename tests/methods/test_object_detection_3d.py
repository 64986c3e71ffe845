"""3D detection: its losses and answers against loops over seeds, proposals and boxes, what it trains, and what it starts from."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch.testing import assert_close

from sem3d.datasets.scans.box_classes import SCANNET
from sem3d.datasets.scene_boxes import CollateBoxes, LoadBoxes, SceneBoxes, SceneWithBoxes
from sem3d.datasets.stream import Samples
from sem3d.errors import BadSample, UserError
from sem3d.evaluation.detection import recorded_scene
from sem3d.methods.tasks.object_detection_3d import WEIGHTS, ObjectDetection3DBatch
from sem3d.methods.tasks.usual_boxes import marks
from tests.methods.synthetic_batches import BATCHES
from tests.methods.tiny import build_tiny, tiny_experiment
from tests.reference import vote_net as reference
from tests.reference.boxes import average_precision

NAME = "object_detection_3d"
MEAN_SIZES = SCANNET.mean_sizes


def built(tmp_path, **changes):
    return build_tiny(NAME, tiny_experiment(NAME, tmp_path, tmp_path, **changes))


@pytest.fixture
def batch():
    return ObjectDetection3DBatch(**BATCHES[NAME]())


def near_objects(batch) -> ObjectDetection3DBatch:
    """The same batch with objects around seeds that are likely to be chosen."""
    box = batch.box.clone()
    box[..., :3] = batch.seed_point[:, :4]
    return ObjectDetection3DBatch(**vars(batch) | {"box": box})


def means_by_loops(method, batch) -> dict[str, float]:
    """Mean of each loss, from the network's answers."""
    with torch.no_grad():
        votes, found = method.found(batch)
    costs: dict[str, list[float]] = {name: [] for name in WEIGHTS}
    for item in range(len(batch.scene)):
        valid = batch.box_class[item] >= 0
        boxes, named = batch.box[item][valid].tolist(), batch.box_class[item][valid].tolist()
        centers = [box[:3] for box in boxes]
        base = found.base[item].tolist()
        targets = [[boxes[number][:3] for number in row if number >= 0] for row in batch.seed_box[item].tolist()]
        costs["vote"] += reference.vote_costs(votes[item].tolist(), targets)
        costs["objectness"] += reference.objectness_costs(base, found.objectness[item].tolist(), centers)
        here, there = reference.center_costs(base, found.center[item].tolist(), centers)
        costs["center"] += here
        costs["center_of_object"] += there
        for number, own in reference.on_objects(base, centers):
            costs["heading_bin"].append(reference.cross_entropy(found.heading_bin[item, number].tolist(), 0))
            costs["heading"].append(reference.huber(float(found.heading[item, number, 0])))
            costs["size_class"].append(reference.cross_entropy(found.size_class[item, number].tolist(), named[own]))
            costs["class"].append(reference.cross_entropy(found.named[item, number].tolist(), named[own]))
            usual = MEAN_SIZES[named[own]].tolist()
            residual = [size / mean - 1 for size, mean in zip(boxes[own][3:6], usual, strict=True)]
            said = found.size[item, number, named[own]].tolist()
            costs["size"].append(reference.mean([reference.huber(a - b) for a, b in zip(said, residual, strict=True)]))
    assert all(len(own) > 2 for own in costs.values())
    return {name: reference.mean(own) for name, own in costs.items()}


def test_losses_are_those_of_loops_over_seeds_and_proposals(tmp_path, batch):
    batch = near_objects(batch)
    method = built(tmp_path).double().eval()
    expected = means_by_loops(method, batch)
    with torch.no_grad():
        found = method(batch, 0)
        metrics = method.summarise(method.evaluate(batch))
    assert found.keys() == expected.keys()
    for name, value in found.items():
        assert value.item() == pytest.approx(WEIGHTS[name] * expected[name], rel=1e-6), name
        assert metrics[f"loss_{name}"] == pytest.approx(expected[name], rel=1e-6)


def test_weights_are_ten_times_those_of_the_paper():
    boxes = {"center": 1, "center_of_object": 1, "heading_bin": 0.1, "heading": 1, "size_class": 0.1, "size": 1}
    assert {name: weight / 10 for name, weight in WEIGHTS.items()} == pytest.approx(
        {"vote": 1, "objectness": 0.5, "class": 0.1} | boxes
    )


def test_features_of_seeds_are_those_of_their_voxels(tmp_path, batch):
    method = built(tmp_path).double().eval()
    seen = []
    method.voting.register_forward_hook(lambda _, given, __: seen.append(given))
    hook = method.sparse_unet.register_forward_hook(lambda *_: seen.append(_[2]))
    with torch.no_grad():
        method.found(batch)
    hook.remove()
    voxels, (points, features) = seen
    for item in range(3):
        for seed, row in enumerate(batch.seed_voxel[item].tolist()):
            assert_close(features[item, seed], method.seeds(voxels[row]))
    assert_close(points, batch.seed_point.double())


def test_answers_are_boxes_with_a_score_for_every_class(tmp_path, batch):
    method = built(tmp_path, method__kept_boxes__overlap=1.0).double().eval()
    with torch.no_grad():
        records = method.evaluate(batch).records
        _, found = method.found(batch)
    assert len(records) == 3
    for item, record in enumerate(records):
        scene = recorded_scene(record)
        proposals = []
        for number in range(32):
            answers = (found.center, found.heading_bin, found.heading, found.size_class, found.size)
            box = reference.box(*(answer[item, number].tolist() for answer in answers), MEAN_SIZES.tolist())
            on = found.objectness[item, number].softmax(0)[1].item()
            proposals.append((box, on, found.named[item, number].softmax(0) * on))
        points = batch.voxel_point[batch.voxel[:, 0] == item]
        held = [
            bool(((points - torch.tensor(box[:3])).abs() <= torch.tensor(box[3:6]) / 2).all(1).any())
            for box, _, _ in proposals
        ]
        expected = sorted((one for one, some in zip(proposals, held, strict=True) if some), key=lambda one: -one[1])
        assert len(expected) > 1
        np.testing.assert_allclose(scene.boxes, [box for box, _, _ in expected], rtol=1e-6)
        np.testing.assert_allclose(scene.scores, torch.stack([scores for _, _, scores in expected]).numpy())
        valid = batch.box_class[item] >= 0
        np.testing.assert_array_equal(scene.objects, batch.box[item, valid])
        np.testing.assert_array_equal(scene.classes, batch.box_class[item, valid])


def test_boxes_that_hold_no_point_are_no_answers(tmp_path, batch):
    method = built(tmp_path).double().eval()
    elsewhere = ObjectDetection3DBatch(**vars(batch) | {"voxel_point": batch.voxel_point + 100})
    with torch.no_grad():
        assert any(len(record["boxes"]) for record in method.evaluate(batch).records)
        assert not any(len(record["boxes"]) for record in method.evaluate(elsewhere).records)


def test_average_precision_is_that_of_loops_over_scenes(tmp_path, batch):
    method = built(tmp_path).eval()
    with torch.no_grad():
        found = method.evaluate(batch)
    for place, record in enumerate(found.records):  # answers that are nearly right, and others
        rng = np.random.default_rng(place)
        boxes = np.concatenate([record["objects"], record["objects"] + rng.normal(0, 0.3, record["objects"].shape)])
        boxes[:, 3:6], boxes[:, 6] = abs(boxes[:, 3:6]), 0
        record.update(boxes=boxes, scores=rng.random((len(boxes), 18)))
    metrics = method.summarise(found)
    for threshold in (0.25, 0.5):
        precisions = []
        for number in range(18):
            objects = {
                place: [box.tolist() for box in record["objects"][record["classes"] == number]]
                for place, record in enumerate(found.records)
            }
            if not any(objects.values()):
                continue
            answers = [
                (score, place, box.tolist())
                for place, record in enumerate(found.records)
                for box, score in zip(record["boxes"], record["scores"][:, number], strict=True)
            ]
            precisions.append(average_precision(answers, objects, threshold)[0])
        assert metrics[f"map_{100 * threshold:.0f}"] == pytest.approx(reference.mean(precisions))
    assert method.artifacts(found).keys() == {"ap_25_by_class", "ap_50_by_class"}


def test_more_proposals_than_votes_are_refused(tmp_path):
    with pytest.raises(
        UserError, match=r"method\.votes\.proposals is 65, more than the votes .*data\.seeds, which is 64"
    ):
        built(tmp_path, method__votes__proposals=65)


@dataclass(frozen=True)
class Given(LoadBoxes):
    """Objects that the test gives, in the place of those on disk."""

    objects: Any = field(default=None)

    def scene(self, row, motion):
        found = self.objects[row["scene"]]
        if found is None:
            raise BadSample("0.parquet", "damaged")
        boxes = np.array([box for _, *box in found], float).reshape(-1, 7)
        none = np.zeros(0, np.uint16)
        named = np.array([SCANNET.names.index(name) for name, *_ in found], np.int64)
        return SceneWithBoxes(np.zeros((0, 3)), np.zeros((0, 3), np.uint8), none, None, named, boxes)


def samples_of(objects: list) -> Samples:
    table = pa.table({"scene": list(range(len(objects)))})
    return Samples(table, Given(Path(), SceneBoxes(), False, {}, objects), CollateBoxes(4), "")


def test_marks_are_boxes_where_objects_usually_are_and_the_classes_that_are_shown(tmp_path):
    here, there = (1.0, 0, 0, 1, 1, 1, 0), (-2.0, 0, 0, 1, 1, 1, 0)
    aside = (1.0, 0.5, 0, 1, 1, 1, 0)  # a third of the union is shared
    train = samples_of([[("chair", *here)], [("chair", *here), ("table", *there)], [("chair", *there)], [], None])
    held_out = samples_of([[("chair", *aside), ("sofa", *here)], [("chair", *there), ("table", *there)], None])
    found = marks(tiny_experiment(NAME, tmp_path, tmp_path), {"train": train, "held_out": held_out})
    # of four answers for a chair, by falling score: here twice (once right at 0.25), there twice (once right)
    at_quarter, at_half = (1 / 1 + 2 / 4) / 2, (1 / 4) / 2
    # of two answers for a table, one is right, of equal score: that of the first scene is wrong
    assert found.floor["map_25"] == pytest.approx((at_quarter + 1 / 2 + 0) / 3)
    assert found.floor["map_50"] == pytest.approx((at_half + 1 / 2 + 0) / 3)
    assert found.bound == pytest.approx({"map_25": 2 / 3, "map_50": 2 / 3, "recall_25": 2 / 3, "recall_50": 2 / 3})
    assert found.never_shown == ("sofa",)

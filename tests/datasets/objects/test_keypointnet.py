"""KeypointNet: the official structure is read whole, counts stand beside the paper's, bad models are named."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from sem3d.datasets.objects.keypointnet import (
    CLASSES,
    SPLITS,
    check_clouds,
    cloud_path,
    read_annotations,
    read_splits,
    record_of,
    write_annotations,
)
from sem3d.datasets.objects.keypointnet_counts import (
    MISSING,
    PAPER_KEYPOINTS,
    PAPER_MODELS,
    PAPER_TOTALS,
    counts_beside_paper,
)
from sem3d.datasets.objects.pcd import read_pcd
from sem3d.errors import BadSample, UserError
from tests.datasets.objects.tiny_keypointnet import CHAIR, cloud, record, write_cloud, write_keypointnet


def test_models_keypoints_symmetries_and_splits_are_read_and_written_again(tmp_path: Path):
    path = write_keypointnet(tmp_path)
    models, report = read_annotations(tmp_path)
    assert [model.split for model in models] == ["train", "train", "train", "val", "test"]
    assert (len(report), report.notes) == (0, [])
    first = models[0]
    np.testing.assert_allclose(first.places, cloud(0)[:4])
    assert first.semantic_ids.tolist() == [0, 1, 2, 3]
    assert first.reflections == ((0, 1),)
    assert (first.rotations[0].keypoints, first.rotations[0].circle) == ((0, 1, 2), True)
    assert [record_of(model) for model in models] == json.loads(path.read_text())
    write_annotations(path, models)
    assert read_annotations(tmp_path)[0] == models


def test_counts_of_all_classes_stand_beside_the_papers(tmp_path: Path):
    write_keypointnet(tmp_path, *[record(number, class_id) for number, class_id in enumerate(CLASSES)])
    shutil.rmtree(tmp_path / "splits")
    (tmp_path / "annotations" / "mug.json").unlink()
    models, _ = read_annotations(tmp_path)
    rows = counts_beside_paper(models, {"03797390-a": "train", "03797390-b": "val"})
    assert [row["class"] for row in rows] == list(CLASSES.values())
    chair = next(row for row in rows if row["class"] == "chair")
    assert (chair["models"], chair["keypoints"], chair["median"]) == ("1 (999)", "4 (12063)", "4 (10)")
    mug = next(row for row in rows if row["class"] == "mug")
    assert (mug["train"], mug["models"], mug["keypoints"]) == ("1 (130)", "2 (186)", MISSING)


def test_the_papers_tables_are_copied_without_a_slip():
    """Sums that the paper prints itself."""
    assert [sum(counts[split] for counts in PAPER_MODELS.values()) for split in range(3)] == [5757, 824, 1653]
    assert sum(PAPER_TOTALS.values()) == 103450
    assert PAPER_KEYPOINTS.keys() == PAPER_MODELS.keys() == PAPER_TOTALS.keys() == set(CLASSES.values())
    for name, (least, most, middle) in PAPER_KEYPOINTS.items():
        assert least <= middle <= most
        assert least <= PAPER_TOTALS[name] / sum(PAPER_MODELS[name]) <= most


KEYPOINT = record(0)["keypoints"][0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"keypoints": record(1, count=2)["keypoints"]}, "not 3 to 24 keypoints: it has 2"),
        ({"keypoints": record(1, count=25)["keypoints"]}, "it has 25"),
        ({"keypoints": [KEYPOINT] * 3}, "a semantic id twice"),
        ({"keypoints": [KEYPOINT, None, KEYPOINT]}, "no keypoint"),
        ({"keypoints": [KEYPOINT | {"xyz": [0, 1]}] * 3}, "xyz has not three numbers"),
        ({"keypoints": [KEYPOINT | {"xyz": [0, 1, 1e9]}] * 3}, "xyz is beyond"),
        ({"keypoints": [KEYPOINT | {"semantic_id": -1}] * 3}, "semantic_id is no whole number"),
        ({"keypoints": [KEYPOINT | {"pcd_info": None}] * 3}, "point_index is no whole number"),
        ({"symmetries": {"reflection": [{"kp_indexes": [0, 9]}]}}, "kp_indexes is no whole number from 0 to 3"),
        ({"symmetries": {"reflection": [{"kp_indexes": [1, 1]}]}}, "a keypoint twice"),
        ({"symmetries": []}, "no symmetries"),
        ({"model_id": "../../x"}, "no model"),
        ({"model_id": "other"}, "in no split"),
        ({"model_id": "model0"}, "annotated twice"),
    ],
)
def test_a_bad_model_is_named_and_the_others_are_used(tmp_path: Path, change, words):
    write_keypointnet(tmp_path)
    path = tmp_path / "annotations" / "chair.json"
    path.write_text(json.dumps([record(0), record(1, **change), record(2)]))
    models, report = read_annotations(tmp_path)
    assert [model.model_id for model in models] == ["model0", "model2"]
    assert words in report.items[0].reason
    assert "[1]" in report.items[0].source


def test_keypoints_on_one_point_are_noted_and_a_model_of_two_splits_is_refused(tmp_path: Path):
    one = record(0)
    one["keypoints"][1]["pcd_info"]["point_index"] = 0
    write_keypointnet(tmp_path, one, record(1), record(2))
    assert "two keypoints on one point" in read_annotations(tmp_path)[1].notes[0].reason
    (tmp_path / "splits" / "test.txt").write_text(f"{CHAIR}-model0\n")
    with pytest.raises(UserError, match="in the split train too"):
        read_splits(tmp_path)
    with pytest.raises(UserError, match="no annotations in"):
        read_annotations(tmp_path / "splits")


def test_clouds_are_compared_with_the_keypoints_on_them(tmp_path: Path):
    write_keypointnet(tmp_path)
    models, _ = read_annotations(tmp_path)
    write_cloud(tmp_path, record(1), cloud(1)[::-1])
    write_cloud(tmp_path, record(2), cloud(2)[:3])
    cloud_path(tmp_path, models[3]).unlink()
    found = {model.model_id: fault and fault.reason for model, fault in check_clouds(tmp_path, models)}
    assert found.keys() == {"model0", "model1", "model2", "model4"}
    assert found["model0"] is None
    assert "lies" in str(found["model1"])
    assert "the cloud has 3" in str(found["model2"])


def test_a_cloud_has_its_points_and_colours_and_what_is_none_is_named(tmp_path: Path):
    path = write_cloud(tmp_path, record(0))
    points, colors = read_pcd(path)
    np.testing.assert_allclose(points, cloud(0), atol=1e-6)
    assert colors is not None
    assert colors[0].tolist() == [9, 8, 7]
    text = path.read_text()
    for broken, words in (
        (text.replace("DATA ascii", "DATA binary"), "DATA ascii"),
        (text.replace("FIELDS x y z rgb", "FIELDS y x z rgb"), "fields x y z"),
        (text.replace("POINTS 40", "POINTS 41"), "announces 41"),
        (text.replace("POINTS 40", "POINTS many"), "no number of points"),
        (text.replace(".", "x", 9), "no point|no PCD|announces"),
        (text.partition("DATA")[0], "no DATA"),
        (text + "nan 0 0 0\n", "announces 40"),
    ):
        path.write_text(broken)
        with pytest.raises(BadSample, match=words):
            read_pcd(path)


def test_the_real_chairs_are_read_whole(shared_data: Path):
    root = shared_data / "keypointnet"
    models, report = read_annotations(root)
    row = next(row for row in counts_beside_paper(models, read_splits(root)) if row["class"] == "chair")
    assert len(report) == 0
    assert [row[name] for name in (*SPLITS, "models", "least", "most", "median")] == [
        "699",
        "100",
        "200",
        "999",
        "8",
        "17",
        "10",
    ]
    assert row["keypoints"] == "12060 (12063)"
    assert [fault for _, fault in check_clouds(root, models)] == [None]

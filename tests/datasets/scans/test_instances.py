"""Objects of scenes: codes and boxes against loops, and every fault of their files by its name."""

import numpy as np
import pytest

from sem3d.datasets.scans.class_lists import SCANNET
from sem3d.datasets.scans.instances import (
    InstanceFiles,
    find_instance_files,
    object_boxes,
    object_codes,
    read_objects,
    with_volume,
)
from sem3d.errors import BadSample
from tests.datasets.scans.labelled_walls import wall_labels
from tests.datasets.scans.objects_on_walls import (
    CHAIRS,
    ROWS,
    TABLES,
    bent_points,
    group_of_columns,
    object_files,
    official_groups,
    write_objects,
)

LABELS = SCANNET.numbers(wall_labels(bent_points()), "mesh")
FILES = InstanceFiles("room/room_vh_clean_2.0.010000.segs.json", "room/room.aggregation.json")


@pytest.fixture
def root(tmp_path):
    (tmp_path / "room").mkdir()
    write_objects(tmp_path, "room", *official_groups())
    return tmp_path


def test_each_point_has_the_code_of_its_object(root):
    assert find_instance_files(root, "room/room_vh_clean_2.labels.ply") == FILES
    codes = read_objects(root, FILES, LABELS)
    group = np.repeat(group_of_columns(), ROWS)
    expected = np.select([group < 0, group < CHAIRS], [0, 5001 + group], 7001 + group - CHAIRS)
    np.testing.assert_array_equal(codes, expected)
    assert len(np.unique(codes)) == 1 + CHAIRS + TABLES


def test_files_that_are_not_there_are_none(root):
    assert not find_instance_files(root, "")
    object_files(root, "room")[0].unlink()
    assert not find_instance_files(root, "room/room_vh_clean_2.labels.ply")


def test_an_object_is_of_the_class_of_most_of_its_points_and_numbers_count_within_a_class():
    groups = np.array([1, 1, 1, 2, 2, 3, 3, 3, 4, 0, 0, 5])
    labels = np.array([5, 5, 7, 0, 3, 1, 1, 7, 5, 7, 7, 20], np.uint8)
    # the second is of no class, as often as of one; the third is wall
    assert object_codes(groups, labels).tolist() == [5001] * 3 + [0] * 2 + [0] * 3 + [5002] + [0] * 2 + [20001]
    with pytest.raises(ValueError, match="1000 objects of class chair, at most 999"):
        object_codes(np.arange(1001), np.full(1001, 5, np.uint8))


def test_boxes_are_around_the_points_of_each_object():
    rng = np.random.default_rng(0)
    points, codes = rng.normal(size=(60, 3)), rng.choice([0, 5001, 5002, 7003], 60).astype(np.uint16)
    found, boxes = object_boxes(points, codes)
    assert found.tolist() == [5001, 5002, 7003]
    for code, box in zip(found, boxes, strict=True):
        own = points[codes == code]
        np.testing.assert_allclose(box[:3] - box[3:6] / 2, own.min(0))
        np.testing.assert_allclose(box[:3] + box[3:6] / 2, own.max(0))
        assert box[6] == 0
    assert object_boxes(points[:0], codes[:0])[1].shape == (0, 7)


def test_objects_without_volume_have_no_box_and_are_counted():
    points = np.random.default_rng(0).normal(size=(9, 3))
    codes = np.array([5001] * 4 + [5002] * 3 + [7001] + [0], np.uint16)
    points[4:7, 1] = 2.0  # on one plane; the table has one point
    found, boxes = object_boxes(points, codes)
    assert found.tolist() == [5001]
    assert len(boxes) == 1
    left, flat, total = with_volume(points, codes)
    assert left.tolist() == [5001] * 4 + [0] * 5
    assert (flat, total) == (2, 3)


SEGMENTS, GROUPS = official_groups()
FAULTS = {
    "segments of another mesh: 2399 of them, 2400 points": (SEGMENTS[1:], GROUPS),
    "no list of whole numbers: segIndices": ([0.5, *SEGMENTS[1:]], GROUPS),
    "no list of whole numbers: segIndices ": ({"a": 1}, GROUPS),
    "no list of whole numbers: segIndices  ": ([10**30, *SEGMENTS[1:]], GROUPS),
    "no list of whole numbers: segIndices   ": ([True, *SEGMENTS[1:]], GROUPS),
    "no list of whole numbers: segments of group 8": (SEGMENTS, [*GROUPS, {"segments": [[1]]}]),
    "no list of whole numbers: segments of group 1": (SEGMENTS, [3]),
    "segments that no point has: 2 of group 8, 12": (SEGMENTS, [*GROUPS, {"segments": [11, 12, 9999]}]),
    "segGroups is no list": (SEGMENTS, {}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named(root, fault):
    write_objects(root, "room", *FAULTS[fault])
    with pytest.raises(BadSample, match=fault.strip()):
        read_objects(root, FILES, LABELS)


@pytest.mark.parametrize(
    ("text", "fault"), [("{", "no JSON"), ("[" * 100_000, "no JSON"), ("[]", "no field seg"), ("{}", "no field seg")]
)
def test_files_that_are_no_objects_are_named(root, text, fault):
    for path in object_files(root, "room"):
        before = path.read_text()
        path.write_text(text)
        with pytest.raises(BadSample, match=rf"{path.name}: {fault}"):
            read_objects(root, FILES, LABELS)
        path.write_text(before)

"""ScanNet's alignment of scans to walls: its file, the points and boxes that it moves, and bad ones by their names."""

from dataclasses import replace

import numpy as np
import pytest

from sem3d.datasets.scans.axis_alignment import read_alignment
from sem3d.datasets.scans.cloud_sources import CloudSource, with_objects
from sem3d.datasets.scans.instances import find_instance_files, object_boxes
from sem3d.datasets.scans.labelled_cloud import labelled_cloud
from sem3d.datasets.scans.labelled_scene import CloudConfig, LabelledScene
from sem3d.errors import BadSample
from tests.datasets.scans.labelled_walls import labels_file, mesh_file
from tests.datasets.scans.objects_on_walls import CHAIRS, TABLES, write_walls_with_objects

SCENES = ["scene0000_00", "scene0001_00"]
COS, SIN = 0.945519, 0.325568
TURN = [[COS, SIN, 0, -5.38439], [-SIN, COS, 0, -2.87178], [0, 0, 1, -0.06435], [0, 0, 0, 1]]


def line(matrix) -> str:
    return "axisAlignment = " + " ".join(f"{value:.6f}" for row in matrix for value in row) + " \n"


def alignment_file(root, scene=SCENES[0]):
    return root / scene / f"{scene}.txt"


def scene_of(root, scene=SCENES[0]) -> LabelledScene:
    labels = labels_file(root, scene).relative_to(root).as_posix()
    mesh = mesh_file(root, scene).relative_to(root).as_posix()
    return LabelledScene(scene=scene, named=mesh, shares={"train": 1}, labelled_mesh=labels, mesh=mesh)


def with_files(root) -> LabelledScene:
    scene = scene_of(root)
    return replace(scene, objects=find_instance_files(root, scene.labelled_mesh))


def source_of(root) -> CloudSource:
    scenes = [scene_of(root, scene) for scene in SCENES]
    return with_objects(CloudSource(root, lambda: iter(scenes), len(scenes), "digest", "scans"))


@pytest.fixture
def root(tmp_path):
    return write_walls_with_objects(tmp_path, train=2, held_out=0)


def cloud_of(root, files):
    cloud = labelled_cloud(root, files, CloudConfig())
    assert cloud.unusable is None, cloud.unusable
    (part,) = cloud.parts
    return part, cloud.notes


def test_points_turn_before_boxes_are_around_them(root):
    before, notes = cloud_of(root, with_files(root))
    assert not any("alignment" in note.reason for note in notes)
    alignment_file(root).write_text("appVersionId = 1\n" + line(TURN) + line(np.eye(4)) + "sceneType = Office\n")
    after, notes = cloud_of(root, with_files(root))
    assert not any("alignment" in note.reason for note in notes)
    expected = [
        [sum(row[axis] * float(point[axis]) for axis in range(3)) + row[3] for row in TURN[:3]]
        for point in before.points
    ]
    np.testing.assert_allclose(after.points, expected, atol=2e-6)
    for name in ("labels", "objects", "colors"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    _, boxes = object_boxes(after.points, after.objects)
    assert len(boxes) == CHAIRS + TABLES
    for code, box in zip(np.unique(after.objects[after.objects > 0]), boxes, strict=True):
        own = np.array(expected)[before.objects == code]
        np.testing.assert_allclose(box[3:6], own.max(0) - own.min(0), atol=1e-5)
    assert abs(boxes - object_boxes(before.points, before.objects)[1])[:, 3:6].max() > 0.05


def test_points_for_segmentation_stay_where_they_are(root):
    before, _ = cloud_of(root, scene_of(root))
    alignment_file(root).write_text(line(TURN))
    np.testing.assert_array_equal(cloud_of(root, scene_of(root))[0].points, before.points)


def test_a_file_without_the_line_is_noted(root):
    before, _ = cloud_of(root, with_files(root))
    alignment_file(root).write_text("appVersionId = 1\ncolorToDepthExtrinsics = 1 0 0 0\n")
    after, notes = cloud_of(root, with_files(root))
    np.testing.assert_array_equal(after.points, before.points)
    assert ("scene0000_00/scene0000_00.txt", "no axis alignment: its file has no line axisAlignment") in {
        (note.source, note.reason) for note in notes
    }


def test_clouds_are_made_anew_where_alignments_change_and_scenes_without_one_are_noted(root):
    without = source_of(root)
    assert not without.notes
    alignment_file(root).write_text(line(TURN))
    one = source_of(root)
    alignment_file(root).write_text("appVersionId = 1\n" + line(TURN))
    other = source_of(root)
    assert len({without.digest, one.digest, other.digest}) == 3
    assert [(note.scene, note.reason.partition(":")[0]) for note in one.notes] == [(SCENES[1], "no axis alignment")]
    alignment_file(root, SCENES[1]).write_text(line(TURN))
    assert not source_of(root).notes


def changed(row, column, value):
    matrix = np.array(TURN)
    matrix[row, column] = value
    return line(matrix)


TILTED = np.array([[1, 0, 0, 0], [0, COS, -SIN, 0], [0, SIN, COS, 0], [0, 0, 0, 1]])
FAULTS = {
    "unreadable axisAlignment: could not convert string": line(TURN).replace("1.000000", "one", 1),
    "unreadable axisAlignment: it must be 16 finite numbers, 15": line(TURN).strip().rpartition(" ")[0],
    "unreadable axisAlignment: it must be 16 finite numbers, 0": "axisAlignment =",
    "unreadable axisAlignment: it must be 16 finite numbers, 16": changed(0, 3, np.nan),
    "axisAlignment is no turn about z: ": line(TILTED),
    "axisAlignment is no turn about z:": line(np.diag([1.0, -1, 1, 1])),
    "axisAlignment is no turn about": line(np.diag([1.1, 1.1, 1, 1])),
    "axisAlignment is no turn": changed(0, 0, COS + 0.002),
    "axisAlignment is no": changed(3, 3, 0),
    "axisAlignment is": changed(3, 0, 0.5),
    "points outside: 2400 lie more than": changed(0, 3, 1e7),
    "points outside: 2400 lie more": changed(0, 3, 1e60),
    "no UTF-8 text": b"axisAlignment = \xff\xfe",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_scene_of_a_bad_alignment_is_named(root, fault):
    text = FAULTS[fault]
    alignment_file(root).write_bytes(text if isinstance(text, bytes) else text.encode())
    cloud = labelled_cloud(root, with_files(root), CloudConfig())
    assert cloud.unusable is not None
    assert not cloud.parts
    assert cloud.unusable.source.endswith("scene0000_00.txt")
    assert cloud.unusable.reason.startswith(fault.strip())


def test_line_ends_and_encodings_of_other_systems_are_read(tmp_path):
    path = tmp_path / "a.txt"
    for content in (line(TURN).replace("\n", "\r\n").encode(), line(TURN).encode("utf-16")):
        path.write_bytes(content)
        np.testing.assert_allclose(read_alignment(tmp_path, "a.txt"), TURN)
    path.unlink()
    with pytest.raises(BadSample, match="missing file"):
        read_alignment(tmp_path, "a.txt")

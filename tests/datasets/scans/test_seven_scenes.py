"""7-Scenes' layout: frames found, splits kept, damage named."""

from pathlib import Path

import numpy as np
import pytest

from sem3d.datasets.quarantine import Quarantined
from sem3d.datasets.scans.frames import read_color, read_depth
from sem3d.datasets.scans.layouts import FrameRecord, detect_layout
from sem3d.datasets.scans.seven_scenes import NOMINAL_INTRINSICS, SevenScenes
from sem3d.datasets.scans.surface import colors_at_depth_pixels
from sem3d.errors import UserError
from sem3d.geometry.cameras import resize_intrinsics
from tests.datasets.scans.official_files import (
    DEPTH_SIZE,
    INTRINSICS_DEPTH,
    jpeg,
    pose,
    wall_color,
    write_seven_scenes,
    write_text_matrix,
)


def test_folder_of_frames_is_one_scene_in_order(tmp_path: Path):
    write_seven_scenes(tmp_path / "room", 3)
    assert detect_layout(tmp_path / "room") == "seven_scenes"
    records = list(SevenScenes().scan(tmp_path / "room", 1))
    assert [record.frame for record in records] == [0, 1, 2]
    assert {record.scene for record in records} == {"room"}
    row = records[2].row()
    np.testing.assert_allclose(np.reshape(row["world_from_camera"], (4, 4)), pose(0.1))
    np.testing.assert_allclose(np.reshape(row["intrinsics_depth"], (3, 3)), INTRINSICS_DEPTH)
    depth = read_depth(tmp_path / "room", row)
    assert depth.dtype == np.float32
    assert (depth[0] == 0).all()
    assert (depth[1:] == 2).all()
    assert read_color(tmp_path / "room", row).shape == (*DEPTH_SIZE, 3)


def test_official_sequences_have_official_splits_and_nominal_intrinsics(tmp_path: Path):
    for sequence in ("seq-01", "seq-03"):
        write_seven_scenes(tmp_path / "chess" / sequence, 2)
        (tmp_path / "chess" / sequence / "camera-intrinsics.txt").unlink()
    (tmp_path / "chess" / "TrainSplit.txt").write_text("sequence1\n")
    (tmp_path / "chess" / "TestSplit.txt").write_text("sequence3\n")
    records = list(SevenScenes().scan(tmp_path, 1))
    assert [(record.scene, record.split) for record in records[::2]] == [
        ("chess-seq-01", "train"),
        ("chess-seq-03", "val"),
    ]
    np.testing.assert_array_equal(records[0].intrinsics_color, NOMINAL_INTRINSICS)


@pytest.mark.parametrize("name", ["seq-1", "Seq-01", "seq-001"])
def test_sequences_are_listed_by_number(tmp_path: Path, name: str):
    write_seven_scenes(tmp_path / "chess" / name, 1)
    (tmp_path / "chess/TestSplit.txt").write_text("sequence1\n")
    (record,) = SevenScenes().scan(tmp_path, 1)
    assert record.split == "val"
    (tmp_path / "chess/TrainSplit.txt").write_text("sequence01\n")
    with pytest.raises(UserError, match=rf"{name} is in both .*TrainSplit.txt and TestSplit.txt: take it out of one"):
        list(SevenScenes().scan(tmp_path, 1))


def test_files_of_a_frame_are_found_by_number_and_two_of_one_number_are_refused(tmp_path: Path):
    write_seven_scenes(tmp_path, 4)
    (tmp_path / "frame-000000.depth.png").rename(tmp_path / "frame-0.depth.png")
    (tmp_path / "frame-000000.pose.txt").rename(tmp_path / "FRAME-00.POSE.TXT")
    for source, copy in (
        ("frame-000001.pose.txt", "frame-1.pose.txt"),
        ("frame-000002.color.jpg", "frame-000002.color.JPG"),
        ("frame-000003.color.jpg", "frame-000003.color.png"),
    ):
        (tmp_path / copy).write_bytes((tmp_path / source).read_bytes())
    items = list(SevenScenes().scan(tmp_path, 1))
    records = [item for item in items if isinstance(item, FrameRecord)]
    assert [(item.frame, item.color, item.depth) for item in records] == [
        (0, "frame-000000.color.jpg", "frame-0.depth.png"),
        (3, "frame-000003.color.jpg", "frame-000003.depth.png"),
    ]
    assert [item.reason for item in items if isinstance(item, Quarantined)] == [
        "two files of one number: frame-000001.pose.txt and frame-1.pose.txt; remove one",
        "two files of one number: frame-000002.color.JPG and frame-000002.color.jpg; remove one",
    ]


def test_missing_files_are_named_and_the_rest_goes_on(tmp_path: Path):
    write_seven_scenes(tmp_path, 5)
    (tmp_path / "frame-000001.color.jpg").unlink()
    (tmp_path / "frame-000002.pose.txt").write_text("1 0 0")
    (tmp_path / "frame-000003.depth.png").write_bytes(b"")
    items = list(SevenScenes().scan(tmp_path, 1))
    assert [item.frame for item in items if isinstance(item, FrameRecord)] == [0, 4]
    bad = [(Path(item.source).name, item.reason) for item in items if isinstance(item, Quarantined)]
    assert bad == [
        ("frame-000001.color.jpg", "missing file"),
        ("frame-000002.pose.txt", "unreadable matrix: 3 numbers, not 4x4"),
        ("frame-000003.depth.png", "empty file"),
    ]


def test_stride_counts_frame_numbers(tmp_path: Path):
    write_seven_scenes(tmp_path, 7)
    assert [record.frame for record in SevenScenes().scan(tmp_path, 3)] == [0, 3, 6]


def test_unknown_folder_lists_what_was_looked_for(tmp_path: Path):
    with pytest.raises(UserError, match=r"no known layout.*seven_scenes: frame-.*scannet_frames_25k"):
        detect_layout(tmp_path)


def test_real_kitchen_has_all_its_frames(shared_data: Path):
    items = list(SevenScenes().scan(shared_data / "rgbd_kitchen", 1))
    assert len(items) == 100
    assert all(isinstance(item, FrameRecord) for item in items)
    depth = read_depth(shared_data / "rgbd_kitchen", items[7].row())
    assert 0 < np.median(depth[depth > 0]) < 10


@pytest.mark.parametrize("of", ["depth", "colour"])
def test_one_matrix_of_two_image_sizes_is_that_of_the_image_it_fits_and_scaled_for_the_other(tmp_path: Path, of: str):
    write_seven_scenes(tmp_path, 1)
    double = (2 * DEPTH_SIZE[0], 2 * DEPTH_SIZE[1])
    (tmp_path / "frame-000000.color.jpg").write_bytes(jpeg(wall_color(0, double)))
    larger = resize_intrinsics(INTRINSICS_DEPTH, DEPTH_SIZE, double)
    write_text_matrix(tmp_path / "camera-intrinsics.txt", larger if of == "colour" else INTRINSICS_DEPTH)
    (record,) = SevenScenes().scan(tmp_path, 1)
    np.testing.assert_allclose(record.intrinsics_color, larger, atol=1e-4)
    np.testing.assert_allclose(record.intrinsics_depth, INTRINSICS_DEPTH, atol=1e-4)
    assert f"colour is 160x120, depth 80x60: camera-intrinsics.txt is taken as that of {of}" in record.note
    row = record.row()
    colors, _ = colors_at_depth_pixels(
        read_color(tmp_path, row), read_depth(tmp_path, row), record.intrinsics_color, record.intrinsics_depth
    )
    assert len(colors) == (DEPTH_SIZE[0] - 1) * DEPTH_SIZE[1]


def test_a_matrix_that_fits_neither_of_two_image_sizes_is_refused(tmp_path: Path):
    write_seven_scenes(tmp_path, 1)
    (tmp_path / "frame-000000.color.jpg").write_bytes(jpeg(wall_color(0, (120, 160))))
    far = INTRINSICS_DEPTH.copy()
    far[0, 2] = 58.0
    write_text_matrix(tmp_path / "camera-intrinsics.txt", far)
    (item,) = SevenScenes().scan(tmp_path, 1)
    assert isinstance(item, Quarantined)
    assert "colour is 160x120, depth 80x60, and the one camera-intrinsics.txt fits neither" in item.reason

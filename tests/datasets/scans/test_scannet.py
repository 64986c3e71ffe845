"""ScanNet's three forms on disk, its labels and its meshes."""

from pathlib import Path

import numpy as np
import pytest

from sem3d.datasets.scans.class_lists import SCANNET
from sem3d.datasets.scans.frames import read_color, read_depth, read_instance, read_label, resize_color, resize_label
from sem3d.datasets.scans.labels import (
    CLASS_NAMES,
    LABEL_TABLE,
    class_palette,
    label_fault,
    nyu40_of_categories,
    read_label_table,
)
from sem3d.datasets.scans.layouts import detect_layout, every, load_layout
from sem3d.datasets.scans.surface import read_scene_mesh
from sem3d.errors import BadSample, UserError
from tests.datasets.scans.official_files import (
    COLOR_SIZE,
    DEPTH_SIZE,
    INTRINSICS_COLOR,
    INTRINSICS_DEPTH,
    pose,
    sens_bytes,
    wall_color,
    wall_frames,
    write_export,
    write_frames_25k,
    write_image,
    write_ply,
    write_sens_scene,
)


def scanned(root: Path, stride: int | None = None) -> tuple[str, list]:
    name = detect_layout(root)
    layout = load_layout(name)
    return name, list(layout.scan(root, stride or layout.stride))


def test_sens_scans_give_every_25th_frame_with_both_cameras(tmp_path: Path):
    write_sens_scene(tmp_path, "scene0000_00", wall_frames(51))
    name, records = scanned(tmp_path)
    assert name == "scannet_sens"
    assert [record.frame for record in records] == [0, 25, 50]
    row = records[1].row()
    assert row["color"] == "scans/scene0000_00/scene0000_00.sens#25"
    np.testing.assert_allclose(np.reshape(row["intrinsics_color"], (3, 3)), INTRINSICS_COLOR, rtol=1e-6)
    np.testing.assert_allclose(np.reshape(row["intrinsics_depth"], (3, 3)), INTRINSICS_DEPTH, rtol=1e-6)
    np.testing.assert_allclose(np.reshape(row["world_from_camera"], (4, 4)), pose(1.25))
    assert read_color(tmp_path, row).shape == (*COLOR_SIZE, 3)
    assert read_depth(tmp_path, row).shape == DEPTH_SIZE
    assert np.abs(read_color(tmp_path, row).astype(int) - wall_color(25)).mean() < 8


def test_truncated_scan_is_named_and_its_whole_frames_are_used(tmp_path: Path):
    path = write_sens_scene(tmp_path, "scene0000_00", wall_frames(4))
    path.write_bytes(path.read_bytes()[:-500])
    _, items = scanned(tmp_path, 1)
    assert [item.reason.partition(":")[0] for item in items[:1]] == ["truncated"]
    assert [item.frame for item in items[1:]] == [0, 1, 2]


def test_scan_with_an_unusable_header_does_not_stop_the_others(tmp_path: Path):
    write_sens_scene(tmp_path, "scene0000_00", wall_frames(1)).write_bytes(b"\x09" * 40)
    write_sens_scene(tmp_path, "scene0001_00", wall_frames(1))
    _, items = scanned(tmp_path)
    assert "version" in items[0].reason
    assert items[1].scene == "scene0001_00"


def test_extrinsics_that_are_not_the_identity_are_noted(tmp_path: Path):
    path = write_sens_scene(tmp_path, "scene0000_00", wall_frames(1))
    path.write_bytes(sens_bytes(wall_frames(1), extrinsics=pose(0.03)))
    _, records = scanned(tmp_path)
    assert "extrinsics" in records[0].note


def test_official_label_images_go_through_the_table_and_instances_get_their_label(tmp_path: Path):
    path = write_sens_scene(tmp_path, "scene0000_00", wall_frames(1))
    categories = np.full(COLOR_SIZE, 2, np.uint16)
    categories[0, :7] = 999
    write_image(path.parent / "label-filt" / "0.png", categories)
    write_image(path.parent / "instance-filt" / "0.png", np.full(COLOR_SIZE, 3, np.uint8))
    with pytest.raises(UserError, match=LABEL_TABLE):
        scanned(tmp_path)
    (tmp_path / LABEL_TABLE).write_text("nyu40id\traw_category\tid\n1\twall\t1\n5\tchair\t2\n")
    _, records = scanned(tmp_path)
    with pytest.raises(BadSample, match="label ids outside the table: 7 pixels"):
        read_label(tmp_path, records[0].row())
    write_image(path.parent / "label-filt" / "0.png", np.minimum(categories, 2))
    assert (read_label(tmp_path, records[0].row()) == 5).all()
    assert (read_instance(tmp_path, records[0].row()) == 5003).all()


def test_exports_and_frames_25k_are_told_apart_and_read(tmp_path: Path):
    write_export(tmp_path / "export", "scene0000_00", 3)
    write_frames_25k(tmp_path / "frames", "scene0000_00", 3)
    name, records = scanned(tmp_path / "export")
    assert (name, [record.frame for record in records]) == ("scannet_export", [0, 25, 50])
    name, records = scanned(tmp_path / "frames")
    assert (name, [record.frame for record in records]) == ("scannet_frames_25k", [0, 100, 200])
    row = records[0].row()
    assert (read_label(tmp_path / "frames", row) == 5).all()
    assert (read_instance(tmp_path / "frames", row) == 5001).all()
    assert records[0].color_size == COLOR_SIZE
    assert records[0].depth_size == DEPTH_SIZE


def test_two_layouts_in_one_folder_ask_for_a_choice(tmp_path: Path):
    write_export(tmp_path, "scene0000_00", 1)
    write_frames_25k(tmp_path, "scene0001_00", 1)
    with pytest.raises(UserError, match="scannet_export and scannet_frames_25k: choose one with --layout"):
        detect_layout(tmp_path)


def test_stride_keeps_exports_that_are_thinned_already():
    assert list(every([50, 0, 25], 25)) == [0, 25, 50]
    assert list(every(range(0, 60), 25)) == [0, 25, 50]
    assert list(every([0, 20, 40, 60], 25)) == [0, 40]


@pytest.mark.parametrize("locator", ["../other.jpg", "/etc/passwd", "a/../../b.png", "", "a\\..\\b", "../x.sens#0"])
def test_locators_cannot_leave_the_root(tmp_path: Path, locator: str):
    with pytest.raises(BadSample, match="escapes"):
        read_color(tmp_path, {"color": locator, "color_height": 1, "color_width": 1})


def test_unusable_images_name_file_and_reason(tmp_path: Path):
    folder = write_export(tmp_path, "scene0000_00", 1)
    row = scanned(tmp_path)[1][0].row()
    with pytest.raises(BadSample, match="size differs from the index: 162x121, not 162x120"):
        read_color(tmp_path, row | {"color_height": 120})
    whole = (folder / "depth" / "0.png").read_bytes()
    (folder / "depth" / "0.png").write_bytes(whole[: len(whole) - 60])
    with pytest.raises(BadSample, match=r"scene0000_00/depth/0.png: undecodable image"):
        read_depth(tmp_path, row)
    write_image(folder / "depth" / "0.png", np.zeros(DEPTH_SIZE, np.uint8))
    with pytest.raises(BadSample, match="wrong kind of image: L"):
        read_depth(tmp_path, row)
    (folder / "color" / "0.jpg").write_bytes((folder / "color" / "0.jpg").read_bytes()[:300])
    with pytest.raises(BadSample, match="undecodable image"):
        read_color(tmp_path, row)


def test_scan_that_changes_on_disk_is_opened_anew(tmp_path: Path):
    path = write_sens_scene(tmp_path, "scene0000_00", wall_frames(1))
    row = scanned(tmp_path)[1][0].row()
    assert read_depth(tmp_path, row).shape == DEPTH_SIZE
    path.unlink()
    with pytest.raises(BadSample, match="missing file"):
        read_depth(tmp_path, row)
    write_sens_scene(tmp_path, "scene0000_00", wall_frames(2))
    assert read_depth(tmp_path, row | {"depth": row["depth"].replace("#0", "#1")}).shape == DEPTH_SIZE


def test_a_resized_label_takes_the_pixel_that_holds_the_new_centre():
    label = np.arange(12, dtype=np.uint8).reshape(2, 6)
    np.testing.assert_array_equal(resize_label(label, (1, 3)), [[7, 9, 11]])
    np.testing.assert_array_equal(resize_label(label, (2, 2)), [[1, 4], [7, 10]])
    np.testing.assert_array_equal(resize_label(label, (4, 6)), np.repeat(label, 2, axis=0))
    np.testing.assert_array_equal(resize_label(label, label.shape), label)


def test_resized_colour_averages_what_a_pixel_covers():
    checks = np.indices((8, 8)).sum(axis=0) % 2 * 200
    color = np.repeat(checks[:, :, None], 3, axis=2).astype(np.uint8)
    resized = resize_color(color, (4, 4))
    assert resized.shape == (4, 4, 3)
    assert np.abs(resized[1:3, 1:3].astype(int) - 100).max() <= 2


def test_train_ids_follow_the_benchmark():
    expected = {**{n: n for n in range(1, 13)}, 14: 13, 16: 14, 24: 15, 28: 16, 33: 17, 34: 18, 36: 19, 39: 20}
    nyu40 = np.arange(41, dtype=np.uint8)
    np.testing.assert_array_equal(SCANNET.numbers(nyu40, "image"), [expected.get(n, 0) for n in range(41)])
    assert len(CLASS_NAMES) == 21
    assert label_fault(nyu40) is None
    with pytest.raises(BadSample, match="1 pixels, ids 41"):
        SCANNET.numbers(np.array([3, 41], np.uint8), "image")


def test_palette_tells_all_classes_apart():
    palette = class_palette().astype(int)
    distance = np.abs(palette[:, None] - palette[None]).max(axis=2) + 1000 * np.eye(21, dtype=int)
    assert distance.min() >= 24


def test_official_label_table_is_read_by_column_name(shared_data: Path):
    table = read_label_table(shared_data / "scannet_meta" / LABEL_TABLE)
    categories = np.array([0, 1, 2, 60000], np.uint16)
    np.testing.assert_array_equal(nyu40_of_categories(categories, table), [0, 1, 5, 255])


def test_label_table_without_its_columns_is_refused(tmp_path: Path):
    (tmp_path / "table.tsv").write_text("id\tcategory\n1\twall\n")
    with pytest.raises(UserError, match="column nyu40id is missing"):
        read_label_table(tmp_path / "table.tsv")


def test_mesh_of_official_bytes_is_read(tmp_path: Path):
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0.5], [3, 1, 1]], np.float32)
    colors = np.arange(12, dtype=np.uint8).reshape(4, 3)
    faces = np.array([[0, 1, 2], [1, 3, 2]], np.int32)
    for labels in (None, np.array([1, 2, 5, 39], np.uint16)):
        write_ply(tmp_path / "a.ply", points, colors, faces, labels)
        read_points, read_colors, read_labels, read_faces = read_scene_mesh(tmp_path / "a.ply")
        np.testing.assert_array_equal(read_points, points)
        np.testing.assert_array_equal(read_colors, colors)
        np.testing.assert_array_equal(read_faces, faces)
        np.testing.assert_array_equal(read_labels, labels)
    content = (tmp_path / "a.ply").read_bytes()
    twice = content.replace(b"element vertex 4\n", b"element vertex 3\nelement vertex 4\n")
    for damage, message in (
        (twice, "vertex is announced twice"),
        (content[:-5], "truncated mesh"),
        (content[:40], "not a binary"),
        (b"", "not a binary"),
    ):
        (tmp_path / "b.ply").write_bytes(damage)
        with pytest.raises(BadSample, match=message):
            read_scene_mesh(tmp_path / "b.ply")
    write_ply(tmp_path / "c.ply", points, colors, faces + 2, None)
    with pytest.raises(BadSample, match="faces that are no triangles"):
        read_scene_mesh(tmp_path / "c.ply")


def test_real_scene_mesh_has_its_vertices_and_labels(shared_data: Path):
    folder = shared_data / "scannet_scene0470_00" / "scene0470_00"
    points, _, labels, faces = read_scene_mesh(folder / "scene0470_00_vh_clean_2.labels.ply")
    assert (len(points), len(faces)) == (67465, 127003)
    assert labels is not None
    assert label_fault(labels) is None
    assert read_scene_mesh(folder / "scene0470_00_vh_clean_2.ply")[2] is None

"""Dirt of every kind that real scans have: counted, named, and the run goes on until the limit."""

import dataclasses
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import ray

from sem3d.datasets.quarantine import Quarantined, QuarantineReport, check_limit, reason_kind
from sem3d.datasets.scans import prepare_scene
from sem3d.datasets.scans.ensure_index import ensure_index
from sem3d.datasets.scans.index import PrepareConfig
from sem3d.datasets.scans.prepare import prepare
from sem3d.datasets.scans.surface import read_surface
from sem3d.errors import UserError
from tests.datasets.scans.official_files import (
    COLOR_SIZE,
    DEPTH_SIZE,
    LOST,
    jpeg,
    pose,
    sens_bytes,
    wall_color,
    wall_depth,
    wall_frames,
    write_export,
    write_frames_25k,
    write_image,
    write_ply,
    write_sens_scene,
    write_text_matrix,
)

ALL_FRAMES = PrepareConfig(stride=1)


def test_dirty_scan_keeps_its_clean_frames(tmp_path: Path):
    color, depth = jpeg(wall_color()), zlib.compress(wall_depth().tobytes())
    shear = pose(0)
    shear[0, 1] = 0.5
    dirty = {
        "pose is not finite": (LOST, color, depth),
        "pose is all zero": (np.zeros((4, 4)), color, depth),
        "not orthonormal": (shear, color, depth),
        "m from the origin": (pose(1e6), color, depth),
        "blank depth": (pose(0), color, zlib.compress(np.zeros(DEPTH_SIZE, np.uint16).tobytes())),
        "undecodable depth": (pose(0), color, b"no zlib at all"),
        "undecodable colour": (pose(0), color[:100], depth),
        "colour size differs": (pose(0), jpeg(wall_color(0, DEPTH_SIZE)), depth),
    }
    dirty["NaN"] = (np.full((4, 4), np.nan), color, depth)
    path = write_sens_scene(tmp_path / "data", "scene0000_00", [])
    path.write_bytes(sens_bytes([*wall_frames(12), *dirty.values()])[:-700])
    with pytest.raises(UserError, match=r"9 of 21 items cannot be used.*10%.*; .*; .*quarantine_limit"):
        prepare(tmp_path / "data", tmp_path / "index", PrepareConfig(stride=1, quarantine_limit=0.1))
    assert [path.name for path in tmp_path.glob("*index*")] == ["index.quarantine.json"]
    index = prepare(tmp_path / "data", tmp_path / "index", ALL_FRAMES)
    assert index.frames.num_rows == 12
    report = QuarantineReport.read(tmp_path / "index" / "quarantine.json")
    reasons = [item.reason for item in report.items]
    assert "truncated: holds 20 of 21 frames" in reasons[0]
    for (kind, _), (number, reason) in zip(dirty.items(), enumerate(reasons[1:], start=12), strict=False):
        assert kind in reason
        assert report.items[number - 11].source.endswith(f"scene0000_00.sens#{number}")
    assert len(report) == 9  # the truncation, and the eight dirty frames before it
    assert index.content["quarantine"]["bad pose"] == 4


def test_a_scan_without_any_frame_is_in_quarantine(tmp_path: Path):
    write_sens_scene(tmp_path / "data", "scene0000_00", wall_frames(3))
    killed = write_sens_scene(tmp_path / "data", "scene0001_00", [])
    killed.write_bytes(sens_bytes(wall_frames(3), announced=0))
    index = prepare(tmp_path / "data", tmp_path / "index", ALL_FRAMES)
    assert index.frames.num_rows == 3
    assert index.content["quarantine"] == {"holds no frame": 1}


def test_an_export_without_any_frame_is_in_quarantine(tmp_path: Path):
    write_export(tmp_path / "data", "scene0000_00", 3)
    write_export(tmp_path / "data", "scene0001_00", 0)
    index = prepare(tmp_path / "data", tmp_path / "index", ALL_FRAMES)
    assert index.content["quarantine"] == {"holds no frame": 1}
    assert QuarantineReport.read(index.folder / "quarantine.json").items[0].source == "scene0001_00"


@pytest.mark.parametrize("whole", [3, 0])
def test_a_scan_that_breaks_off_counts_with_the_frames_that_the_stride_would_have_taken(tmp_path: Path, whole: int):
    write_sens_scene(tmp_path / "data", "scene0000_00", wall_frames(12))
    broken = write_sens_scene(tmp_path / "data", "scene0001_00", [])
    broken.write_bytes(sens_bytes(wall_frames(whole), announced=100))
    lost, config = 10 - (whole > 0), PrepareConfig(stride=10, quarantine_limit=0.5)
    with pytest.raises(UserError, match=f"{lost} of 12 items cannot be used"):
        prepare(tmp_path / "data", tmp_path / "index", config)
    index = prepare(tmp_path / "data", tmp_path / "index", dataclasses.replace(config, quarantine_limit=0.9))
    assert index.content["counts"]["quarantined"] == lost
    assert len(QuarantineReport.read(index.folder / "quarantine.json").items) == 1


def test_an_export_without_cameras_counts_with_all_its_frames(tmp_path: Path):
    write_export(tmp_path / "data", "scene0000_00", 3)
    (write_export(tmp_path / "data", "scene0001_00", 2) / "intrinsic" / "intrinsic_depth.txt").write_text("1 2")
    index = prepare(tmp_path / "data", tmp_path / "index", ALL_FRAMES)
    assert index.content["quarantine"] == {"unreadable matrix": 2}


def test_training_that_prepares_says_so_and_names_what_it_leaves_out(tmp_path: Path, caplog):
    write_sens_scene(tmp_path / "data", "scene0000_00", [*wall_frames(3), (LOST, *wall_frames(1)[0][1:])])
    with caplog.at_level("INFO", logger="sem3d"):
        index = ensure_index(tmp_path / "data", tmp_path / "runs", ALL_FRAMES)
    assert caplog.messages[0].startswith("preparing 4 frames of ")
    assert caplog.messages[1:] == ["scene 1/1: 3 frames, 3 pairs"]
    assert index.described == "index: 3 frames, 3 pairs; 1 in quarantine: 1 bad pose"
    assert json.loads(index.left_out.read_text())["counts"] == {"bad pose": 1}
    caplog.clear()
    with caplog.at_level("INFO", logger="sem3d"):
        assert ensure_index(tmp_path / "data", tmp_path / "runs", ALL_FRAMES).described == index.described
    assert not caplog.messages


def test_check_decodes_what_training_would(tmp_path: Path):
    folder = write_frames_25k(tmp_path / "data", "scene0000_00", 10)
    (folder / "color" / "000100.jpg").write_bytes((folder / "color" / "000100.jpg").read_bytes()[:500])
    write_image(folder / "label" / "000200.png", np.full(COLOR_SIZE, 41, np.uint8))
    write_image(folder / "instance" / "000300.png", np.zeros((10, 90), np.uint16))
    (folder / "depth" / "000400.png").unlink()
    write_text_matrix(folder / "pose" / "000500.txt", LOST)
    index = prepare(tmp_path / "data", tmp_path / "index", PrepareConfig(), check=True)
    assert index.frames["frame"].to_pylist() == [0, 600, 700, 800, 900]
    content = json.loads((tmp_path / "index" / "quarantine.json").read_text())
    named = {Path(item["source"]).parent.name + Path(item["source"]).stem: item["reason"] for item in content["items"]}
    assert named["depth000400"] == "missing file"
    assert "undecodable" in named["color000100"]
    assert named["label000200"].startswith("label ids outside the table")
    assert named["instance000300"].startswith("shape differs")
    assert "not finite" in named["color000500"]
    assert sum(content["counts"].values()) == 5


def test_damaged_mesh_is_named_and_the_surface_is_fused_instead(tmp_path: Path):
    path = write_sens_scene(tmp_path / "data", "scene0000_00", wall_frames(3))
    path.with_name("scene0000_00_vh_clean_2.ply").write_bytes(b"ply\n")
    index = prepare(tmp_path / "data", tmp_path / "index", ALL_FRAMES)
    assert index.content["quarantine"] == {"not a binary little-endian PLY file": 1}
    assert index.surface_path("scene0000_00") is not None


def test_colours_of_a_mesh_may_be_fractions(tmp_path: Path):
    path = write_sens_scene(tmp_path / "data", "scene0000_00", wall_frames(3))
    mesh = path.with_name("scene0000_00_vh_clean_2.ply")
    header = "ply\nformat binary_little_endian 1.0\nelement vertex 3\n"
    header += "".join(f"property float {name}\n" for name in ("x", "y", "z", "red", "green", "blue"))
    header += "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
    corners = np.float32([[0, 0, 2, 0, 0.5, 1], [0.5, 0, 2, 0.2, 0, 0], [0, 0.5, 2, 0, 0, 0]])
    face = struct.pack("<B3i", 3, 0, 1, 2)
    mesh.write_bytes(header.encode() + corners.tobytes() + face)
    index = prepare(tmp_path / "data", tmp_path / "index", ALL_FRAMES)
    assert index.content["quarantine"] == {}
    _, colors = read_surface(index.surface_path("scene0000_00"))
    assert colors.tolist() == [[0, 128, 255], [51, 0, 0], [0, 0, 0]]
    for value in (1.5, -0.1, np.nan):
        corners[2, 5] = value
        mesh.write_bytes(header.encode() + corners.tobytes() + face)
        index = prepare(tmp_path / "data", tmp_path / f"index{value}", ALL_FRAMES)
        assert index.content["quarantine"] == {"corrupt mesh": 1}


def test_whatever_one_scene_or_frame_raises_is_its_own_and_the_others_are_prepared(tmp_path: Path, monkeypatch):
    for scene in ("scene0000_00", "scene0001_00", "scene0002_00"):
        write_export(tmp_path / "data", scene, 3)
    decode, overlap = prepare_scene.read_depth, prepare_scene.overlapping_pairs
    decoded = []

    def odd_frame(root, row):
        if row["depth"] == "scene0000_00/depth/25.png":
            raise ZeroDivisionError("a rate\nof 0")
        decoded.append(row["scene"])
        return decode(root, row)

    def odd_scene(*arguments):
        if decoded[-1] == "scene0001_00":
            raise MemoryError
        return overlap(*arguments)

    monkeypatch.setattr(ray, "is_initialized", lambda: False)  # tasks of a lane's Ray would know nothing of the patches
    monkeypatch.setattr(prepare_scene, "read_depth", odd_frame)
    monkeypatch.setattr(prepare_scene, "overlapping_pairs", odd_scene)
    index = prepare(tmp_path / "data", tmp_path / "index", PrepareConfig(quarantine_limit=0.9))
    assert index.scenes["scene"].to_pylist() == ["scene0000_00", "scene0002_00"]
    items = QuarantineReport.read(index.folder / "quarantine.json").items
    assert [(item.source, item.reason, item.lost) for item in items] == [
        ("scene0000_00/color/25.jpg", "unforeseen ZeroDivisionError: a rate of 0", 1),
        ("scene0001_00/color/0.jpg", "unforeseen MemoryError: no reason given", 3),
    ]


@pytest.mark.parametrize("fault", ["no vertex property 'label'", "not a binary little-endian PLY file", ""])
def test_the_check_reads_the_labels_of_a_scenes_mesh(tmp_path: Path, fault: str):
    path = write_sens_scene(tmp_path / "data", "scene0000_00", wall_frames(3))
    mesh = (np.eye(3, dtype=np.float32) * [1, 1, 0] + [0, 0, 2], np.full((3, 3), 9, np.uint8), np.array([[0, 1, 2]]))
    write_ply(path.with_name("scene0000_00_vh_clean_2.ply"), *mesh, None)
    labelled = path.with_name("scene0000_00_vh_clean_2.labels.ply")
    write_ply(labelled, *mesh, None if fault else np.array([1, 2, 3], np.uint16))
    if fault.startswith("not"):
        labelled.write_bytes(b"ply\n")
    index = prepare(tmp_path / "data", tmp_path / "index", ALL_FRAMES, check=True)
    assert index.content["quarantine"] == ({fault: 1} if fault else {})
    assert index.surface_path("scene0000_00") is not None


def test_data_without_one_usable_frame_are_refused(tmp_path: Path):
    write_sens_scene(tmp_path / "data", "scene0000_00", [(LOST, *wall_frames(1)[0][1:])])
    with pytest.raises(UserError, match="no usable frame"):
        prepare(tmp_path / "data", tmp_path / "index", PrepareConfig(quarantine_limit=1.0))


def test_reports_count_and_survive_a_file(tmp_path: Path):
    report = QuarantineReport(
        [Quarantined("a", "s", "blank depth: 0.10% valid"), Quarantined("b", "s", "missing file")]
    )
    report.items += [Quarantined("c", "t", "blank depth: 0.3% valid")]
    assert report.counts() == {"blank depth": 2, "missing file": 1}
    report.write(tmp_path / "quarantine.json")
    assert QuarantineReport.read(tmp_path / "quarantine.json") == report
    assert reason_kind("corrupt frame 3 of 40: byte 7") == reason_kind("corrupt frame 12 of 41: byte 9")


def test_limit_is_a_share_of_all_items_and_past_it_all_are_named_in_a_file(tmp_path: Path):
    report = QuarantineReport([Quarantined(str(n), "", "broken") for n in range(5)])
    check_limit(report, 10, 0.5, tmp_path / "refused.json")
    assert not (tmp_path / "refused.json").exists()
    with pytest.raises(UserError, match="5 of 9 items"):
        check_limit(report, 9, 0.5, tmp_path / "refused.json")
    assert QuarantineReport.read(tmp_path / "refused.json") == report

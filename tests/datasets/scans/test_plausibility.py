"""Scans that contradict themselves: units of depth, meshes in another frame, intrinsics of another image."""

import dataclasses
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sem3d.config import digest
from sem3d.datasets.quarantine import QuarantineReport
from sem3d.datasets.scans import prepare_scene
from sem3d.datasets.scans.ensure_index import ensure_index
from sem3d.datasets.scans.index import PrepareConfig
from sem3d.datasets.scans.layouts import FrameRecord
from sem3d.datasets.scans.mesh_plausibility import mesh_fault, mesh_points
from sem3d.datasets.scans.prepare import inputs_digest, prepare
from sem3d.datasets.scans.prepare_scene import add_surface, thinned_cloud
from sem3d.datasets.scans.surface import SurfaceFusion, read_surface
from sem3d.errors import BadSample, UserError
from sem3d.geometry.overlap import OverlapConfig
from tests.datasets.scans.box_room import ROOM, room_depth, room_mesh, room_pose, room_record, write_room
from tests.datasets.scans.official_files import (
    COLOR_SIZE,
    DEPTH_SIZE,
    INTRINSICS_COLOR,
    INTRINSICS_DEPTH,
    wall_color,
    write_export,
    write_image,
    write_ply,
    write_seven_scenes,
    write_text_matrix,
)

ALL_FRAMES = PrepareConfig(stride=1)


def put_mesh(folder: Path, points: np.ndarray, faces: np.ndarray) -> None:
    path = folder / f"{folder.name}_vh_clean_2.ply"
    write_ply(path, points.astype(np.float32), np.full((len(points), 3), 9, np.uint8), faces, None)


@pytest.mark.parametrize("units", [5000.0, 500.0, 4000.0])
def test_depth_in_another_unit_than_the_poses_is_refused_and_a_setting_mends_it(tmp_path: Path, units: float):
    write_room(tmp_path / "data", units)
    with pytest.raises(UserError, match=rf"12 of 12 items .*set data\.prepare\.depth_scale to {units:g}"):
        prepare(tmp_path / "data", tmp_path / "index", ALL_FRAMES)
    write_room(tmp_path / "metric")
    told = prepare(tmp_path / "data", tmp_path / "index", dataclasses.replace(ALL_FRAMES, depth_scale=units))
    metric = prepare(tmp_path / "metric", tmp_path / "right", ALL_FRAMES)
    assert set(told.frames["depth_scale"].to_pylist()) == {units}
    assert told.pairs.num_rows == metric.pairs.num_rows > 0
    assert len(metric.content["quarantine"]) == 0


def test_frames_that_cannot_be_of_one_scan_are_refused(tmp_path: Path):
    folder = write_room(tmp_path / "data")
    for path in (folder / "pose").iterdir():
        write_text_matrix(path, np.eye(4))
    with pytest.raises(UserError, match=r"12 of 12 items .*frames contradict one another: half of their points"):
        prepare(tmp_path / "data", tmp_path / "index", ALL_FRAMES)


@pytest.mark.parametrize("focal", [1e-3, 5.0, 1e9])
def test_a_focal_length_that_no_camera_has_is_refused(tmp_path: Path, focal: float):
    folder = write_room(tmp_path / "data")
    camera = INTRINSICS_DEPTH * [[focal / INTRINSICS_DEPTH[0, 0], 1, 1], [1, 1, 1], [1, 1, 1]]
    write_text_matrix(folder / "intrinsic" / "intrinsic_depth.txt", camera)
    with pytest.raises(
        UserError, match=rf"bad depth intrinsics: focal length {focal:.4g} is implausible".replace("+", r"\+")
    ):
        prepare(tmp_path / "data", tmp_path / "index", ALL_FRAMES)


def test_a_pixel_of_depth_too_far_for_voxels_costs_its_frame(tmp_path: Path):
    folder = write_export(tmp_path / "data", "scene0000_00", 4)
    depth = np.full(DEPTH_SIZE, 2, np.uint16)
    depth[30, 40] = 65000
    write_image(folder / "depth" / "25.png", depth)
    for number in (0, 50, 75):
        write_image(folder / "depth" / f"{number}.png", np.full(DEPTH_SIZE, 2, np.uint16))
    index = prepare(tmp_path / "data", tmp_path / "index", dataclasses.replace(ALL_FRAMES, depth_scale=1.0))
    assert index.frames["frame"].to_pylist() == [0, 50, 75]
    assert index.content["quarantine"] == {"implausible depth": 1}


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_colour_of_fractions_in_whole_numbers_is_in_quarantine_by_frame(tmp_path: Path, ending: str):
    folder = write_room(tmp_path / "data")
    for number in (2, 7):
        (folder / "color" / f"{number}.jpg").unlink()
        picture = (np.random.default_rng(number).random((*COLOR_SIZE, 3)) > 0.5).astype(np.uint8)
        write_image(folder / "color" / f"{number}.{ending}", picture)
    index = prepare(tmp_path / "data", tmp_path / "index", ALL_FRAMES)
    assert index.frames["frame"].to_pylist() == [0, 1, 3, 4, 5, 6, 8, 9, 10, 11]
    report = QuarantineReport.read(index.folder / "quarantine.json")
    assert [Path(item.source).name for item in report.items] == [f"2.{ending}", f"7.{ending}"]
    assert all(item.reason.startswith("implausible colours: none is above") for item in report.items)


def test_a_surface_that_is_fused_from_strips_of_depth_is_the_same(monkeypatch: pytest.MonkeyPatch):
    record, depth = room_record(3, room_pose(3)), room_depth(3).astype(np.float32)
    color = np.random.default_rng(0).integers(0, 256, (*COLOR_SIZE, 3), np.uint8)
    whole, parts = SurfaceFusion(0.05), SurfaceFusion(0.05)
    add_surface(whole, record, depth, color, 1)
    monkeypatch.setattr(prepare_scene, "STRIP", 7 * depth.shape[1])
    add_surface(parts, record, depth, color, 1)
    for one, other in zip(whole.surface(), parts.surface(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_frame_with_a_point_too_far_leaves_none_in_the_surface(monkeypatch: pytest.MonkeyPatch):
    record, depth = room_record(3, room_pose(3)), room_depth(3).astype(np.float32)
    monkeypatch.setattr(prepare_scene, "STRIP", 7 * depth.shape[1])
    fusion, color = SurfaceFusion(1e-4), np.zeros((*COLOR_SIZE, 3), np.uint8)
    depth[-1] = 1e9
    with pytest.raises(BadSample, match="implausible depth"):
        add_surface(fusion, record, depth, color, 1)
    assert len(fusion.surface()[0]) == 0


def test_a_cloud_and_a_surface_of_huge_depth_take_bounded_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(prepare_scene, "STRIP", 1 << 17)
    lens = np.array([[600.0, 0, 400], [0, 600, 400], [0, 0, 1]])
    record = dataclasses.replace(room_record(0, room_pose(0)), intrinsics_depth=lens, depth_size=(800, 800))
    depth, color = np.full((800, 800), 2.0, np.float32), np.zeros((*COLOR_SIZE, 3), np.uint8)
    tracemalloc.start()
    thinned_cloud(record, depth, OverlapConfig())
    of_cloud = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    add_surface(SurfaceFusion(0.05), record, depth, color, 1)
    of_surface = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert max(of_cloud, of_surface) < 70 * depth.size


def test_depth_of_no_room_is_in_quarantine_by_frame(tmp_path: Path):
    folder = write_export(tmp_path / "data", "scene0000_00", 4)
    Image.fromarray(np.full(DEPTH_SIZE, 50_000, np.uint16)).save(folder / "depth" / "25.png")
    index = prepare(tmp_path / "data", tmp_path / "index", ALL_FRAMES)
    assert index.content["quarantine"] == {"implausible depth": 1}
    reason = QuarantineReport.read(index.folder / "quarantine.json").items[0].reason
    assert "its median is 50 m" in reason
    assert "depth_scale" in reason


def test_a_mesh_of_the_room_is_its_surface(tmp_path: Path):
    put_mesh(write_room(tmp_path / "data"), *room_mesh())
    index = prepare(tmp_path / "data", tmp_path / "index", ALL_FRAMES)
    assert index.content["quarantine"] == {}
    assert len(read_surface(index.surface_path("scene0000_00"))[0]) == 8


def turned(points: np.ndarray) -> np.ndarray:
    turn = np.array([[np.cos(0.7), -np.sin(0.7), 0], [np.sin(0.7), np.cos(0.7), 0], [0, 0, 1]])
    return points @ turn.T + [2.5, -1.3, 0.4]


def behind(points: np.ndarray) -> np.ndarray:
    """The walls, the floor and the ceiling a little farther out: all of it is hidden by what was measured."""
    return 1.35 * points


@pytest.mark.parametrize("change", [turned, behind, lambda points: 1000 * points, lambda points: 0.5 * points])
def test_a_mesh_that_does_not_meet_the_depth_is_named_and_the_surface_is_fused_instead(tmp_path: Path, change):
    points, faces = room_mesh()
    put_mesh(write_room(tmp_path / "data"), change(points), faces)
    index = prepare(tmp_path / "data", tmp_path / "index", ALL_FRAMES)
    assert index.content["quarantine"] == {"mesh does not meet the depth": 1}
    surface, _ = read_surface(index.surface_path("scene0000_00"))
    assert len(surface) > 500
    assert (np.abs(surface) <= ROOM + 0.01).all()


def scene_of_the_room() -> list[tuple[FrameRecord, np.ndarray]]:
    records = [room_record(number, room_pose(number)) for number in range(0, 12, 2)]
    return [(record, room_depth(record.frame).astype(np.float32)) for record in records]


@pytest.mark.parametrize("further", [0.5, 1.0, 3.0])
def test_a_mesh_of_which_a_little_agrees_and_the_rest_is_hidden_does_not_pass(further: float):
    points, faces = room_mesh()
    far = points * (1 + further / ROOM)
    patch = np.clip(points * [1, 1, 0] + [0, 0, ROOM[2]], [-0.4, -0.4, 0.0], [0.4, 0.4, 5.0])
    together = np.concatenate([far, patch]).astype(np.float32)
    fault = mesh_fault([scene_of_the_room()], together, np.concatenate([faces, faces + 8]).astype(np.int32))
    assert fault is not None
    assert "of what the frames measured there lies on it" in fault


@pytest.mark.parametrize("share", [1.0, 0.7, 0.1])
def test_a_mesh_that_lacks_some_of_the_room_or_has_more_behind_it_is_still_its_surface(share: float):
    points, faces = room_mesh()
    rng = np.random.default_rng(0)
    dense = mesh_points(points.astype(np.float32), faces.astype(np.int32))
    kept = dense[rng.random(len(dense)) < 0.9]
    kept = kept[kept[:, 2] >= np.quantile(kept[:, 2], 1 - share) - 1e-6]
    beyond = kept * 2.0 if share > 0.5 else kept[:0]
    cloud = np.concatenate([kept, beyond]).astype(np.float32)
    assert mesh_fault([scene_of_the_room()], cloud, np.zeros((0, 3), np.int32)) is None


def test_intrinsics_of_a_smaller_colour_image_are_refused(tmp_path: Path):
    folder = write_export(tmp_path / "data", "scene0000_00", 3)
    for number in range(3):
        write_image(folder / "color" / f"{25 * number}.jpg", wall_color(number, (242, 324)))
    with pytest.raises(UserError, match=r"bad colour intrinsics: principal point \(80.5, 60.2\) of 324x242 is far"):
        prepare(tmp_path / "data", tmp_path / "index", ALL_FRAMES)
    assert INTRINSICS_COLOR[0, 2] == 80.5


def test_intrinsics_of_a_colour_image_before_it_was_resized_are_refused(tmp_path: Path):
    folder = write_export(tmp_path / "data", "scene0000_00", 3)
    for number in range(3):
        write_image(folder / "color" / f"{25 * number}.jpg", wall_color(number, (96, 128)))
    with pytest.raises(UserError, match=r"bad colour intrinsics: principal point \(80.5, 60.2\) of 128x96 is"):
        prepare(tmp_path / "data", tmp_path / "index", ALL_FRAMES)
    for number in range(3):
        write_image(folder / "color" / f"{25 * number}.jpg", wall_color(number, (108, 144)))
    with pytest.raises(UserError, match=r"is off the middle along the diagonal; are they of an image 1.1\d times as"):
        prepare(tmp_path / "data", tmp_path / "index", ALL_FRAMES)


def test_a_setting_that_older_indexes_did_not_know_leaves_their_names_as_they_were(tmp_path: Path):
    write_seven_scenes(tmp_path / "room", 3)
    assert "depth_scale" not in PrepareConfig().content()
    assert inputs_digest(tmp_path / "room", PrepareConfig()) == inputs_digest(
        tmp_path / "room", PrepareConfig(depth_scale=0.0)
    )
    assert inputs_digest(tmp_path / "room", PrepareConfig()) != inputs_digest(
        tmp_path / "room", PrepareConfig(depth_scale=5000.0)
    )
    index = ensure_index(tmp_path / "room", tmp_path / "runs", PrepareConfig(val_fraction=0.5))
    assert ensure_index(index.folder, tmp_path / "runs", PrepareConfig(val_fraction=0.5)).digest == index.digest
    assert digest(index.config) == digest(PrepareConfig(val_fraction=0.5).content())

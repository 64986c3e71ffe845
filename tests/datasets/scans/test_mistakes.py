"""Mistakes with scans that geometry tells: each is named with its remedy, and the same scan without it passes."""

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sem3d.datasets.quarantine import QuarantineReport
from sem3d.datasets.scans.index import PrepareConfig
from sem3d.datasets.scans.layouts import detect_layout
from sem3d.datasets.scans.plausibility import frames_fault, sampled_frames
from sem3d.datasets.scans.prepare import prepare, scan
from sem3d.datasets.scans.units import UnitChain
from sem3d.errors import UserError
from sem3d.geometry.cameras import resize_intrinsics
from tests.datasets.scans.box_room import nodding_pose, room_depth, room_pose, room_rays, room_record, write_room
from tests.datasets.scans.official_files import (
    DEPTH_SIZE,
    INTRINSICS_DEPTH,
    jpeg,
    pose,
    wall_color,
    write_export,
    write_image,
    write_sens_scene,
    write_text_matrix,
)

ALL_FRAMES = PrepareConfig(stride=1)


def of_depth(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        for path in (folder / "depth").iterdir():
            write_image(path, np.rint(change(np.asarray(Image.open(path)))).astype(np.uint16))

    return apply


def of_poses(pose_of: Callable[[int], np.ndarray]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        for number in range(12):
            write_text_matrix(folder / "pose" / f"{number}.txt", pose_of(number))

    return apply


def poses_times(factor: float) -> Callable[[Path], None]:
    return of_poses(lambda number: nodding_pose(number) * ([[1, 1, 1, factor]] * 3 + [[1, 1, 1, 1]]))


def of_focal(row: int, factor: float) -> Callable[[Path], None]:
    camera = INTRINSICS_DEPTH.copy()
    camera[row, row] *= factor
    return lambda folder: write_text_matrix(folder / "intrinsic" / "intrinsic_depth.txt", camera)


MISTAKES = {
    "feet": (
        poses_times(3.28084),
        r"multiplied by 3\.28084; set data\.prepare\.depth_scale to 304\.8, .*\(in feet\?\)",
    ),
    "centimetres": (
        poses_times(100.0),
        r"frames hardly meet, .* poses in metres where they are not \(in centimetres\?\)",
    ),
    "millimetres": (
        poses_times(1000.0),
        r"frames hardly meet, .* poses in metres where they are not \(in millimetres\?\)",
    ),
    "inverse poses": (of_poses(lambda n: np.linalg.inv(nodding_pose(n))), "world in the camera: store their inverses"),
    "other axes": (of_poses(lambda n: nodding_pose(n) * [1, -1, -1, 1]), "taken as y up and z backward: turn them"),
    "pose of the next": (
        of_poses(lambda n: nodding_pose(n + 1)),
        "pose of the one after it: number the poses one higher",
    ),
    "pose of the last": (
        of_poses(lambda n: nodding_pose(n - 1)),
        "pose of the one before it: number the poses one lower",
    ),
    "fy": (of_focal(1, 1.5), r"fy of depth, 108\.375, is 72 as fx: mend the intrinsics"),
    "fx": (of_focal(0, 0.7), r"fx of depth, 50\.4, is 72\.25 as fy: mend the intrinsics"),
    "upside down": (of_depth(lambda depth: depth[::-1]), "the rows of depth run upwards: turn its images round"),
    "mirrored": (of_depth(lambda depth: depth[:, ::-1]), "depth is taken as mirrored: mirror its images back"),
    "ray length": (
        of_depth(lambda depth: depth * np.linalg.norm(room_rays(), axis=-1)),
        "depth is taken as the length of each pixel's ray: store z",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_that_geometry_tells_is_named_with_its_remedy(tmp_path: Path, name: str):
    spoil, said = MISTAKES[name]
    spoil(write_room(tmp_path / "data", pose_of=nodding_pose))
    with pytest.raises(UserError, match=rf"12 of 12 items .*{said}"):
        prepare(tmp_path / "data", tmp_path / "index", ALL_FRAMES)


@pytest.mark.parametrize("pose_of", [nodding_pose, room_pose])
def test_the_scan_without_a_mistake_passes(tmp_path: Path, pose_of: Callable[[int], np.ndarray]):
    write_room(tmp_path / "data", pose_of=pose_of)
    index = prepare(tmp_path / "data", tmp_path / "index", ALL_FRAMES)
    assert index.frames.num_rows == 12
    assert index.content["quarantine"] == {}


@pytest.mark.parametrize("off", [-1, 0, 1])
@pytest.mark.parametrize("stored", ["files", "sens"])
def test_poses_off_by_one_frame_are_told_by_those_of_frames_that_a_stride_leaves_out(
    tmp_path: Path, stored: str, off: int
):
    def pose_of(number: int) -> np.ndarray:
        return nodding_pose(number / 3)

    depths = [np.rint(1000 * room_depth(number, pose_of)).astype(np.uint16) for number in range(36)]
    if stored == "sens":
        frames = [(pose_of(n + off), jpeg(wall_color(n)), zlib.compress(depths[n].tobytes())) for n in range(36)]
        write_sens_scene(tmp_path / "data", "scene0000_00", frames)
    else:
        folder = write_export(tmp_path / "data", "scene0000_00", 36, step=1)
        for number, depth in enumerate(depths):
            write_image(folder / "depth" / f"{number}.png", depth)
            write_text_matrix(folder / "pose" / f"{number}.txt", pose_of(number + off))
    records, _ = scan(tmp_path / "data", detect_layout(tmp_path / "data"), PrepareConfig(stride=3))
    assert len(records) == 12
    fault = frames_fault(tmp_path / "data", records, sampled_frames(tmp_path / "data", records))
    if off:
        assert fault is not None
        assert f"number the poses one {'higher' if off > 0 else 'lower'}" in fault
    else:
        assert fault is None


@pytest.mark.parametrize("larger", [0.94, 1.05])
def test_intrinsics_of_an_image_of_almost_the_same_size_are_told_by_geometry(tmp_path: Path, larger: float):
    size = (round(DEPTH_SIZE[0] * larger), round(DEPTH_SIZE[1] * larger))
    folder = write_room(tmp_path / "data", pose_of=nodding_pose)
    camera = resize_intrinsics(INTRINSICS_DEPTH, DEPTH_SIZE, size)
    write_text_matrix(folder / "intrinsic" / "intrinsic_depth.txt", camera)
    with pytest.raises(
        UserError, match=r"12 of 12 items .*bad depth intrinsics: their principal point is the middle of"
    ):
        prepare(tmp_path / "data", tmp_path / "index", ALL_FRAMES)


def test_a_principal_point_off_the_middle_along_the_diagonal_may_be_right(tmp_path: Path):
    folder = write_room(tmp_path / "data", pose_of=nodding_pose)
    height, width = DEPTH_SIZE
    for path in (folder / "depth").iterdir():
        write_image(path, np.asarray(Image.open(path))[: round(0.95 * height), : round(0.95 * width)])
    index = prepare(tmp_path / "data", tmp_path / "index", ALL_FRAMES)
    assert index.frames.num_rows == 12


@pytest.mark.parametrize("wrong", [0, 23, 34])
def test_one_wrong_pose_is_no_mistake_of_the_whole_scan(tmp_path: Path, wrong: int):
    def slow_pose(number: int) -> np.ndarray:
        return room_pose(number / 8)

    records = []
    for number in range(60):
        depth = np.rint(1000 * room_depth(number, slow_pose)).astype(np.uint16)
        write_image(tmp_path / f"{number}.png", depth)
        found = slow_pose(number)
        if number == wrong:
            found[:3, 3] += 0.6, 0.2, 0.5
        records.append(room_record(number, found, f"{number}.png"))
    assert frames_fault(tmp_path, records, sampled_frames(tmp_path, records)) is None


@pytest.mark.parametrize("units", [2000.0, 500.0, 250.0])
def test_a_short_scan_that_mostly_turns_tells_the_unit_of_its_depth(tmp_path: Path, units: float):
    def turning(number: int) -> np.ndarray:
        pose = room_pose(number)
        pose[:3, 3] = 0.03 * number - 0.2, 0.1, -0.3
        return pose

    write_room(tmp_path / "data", units, turning)
    with pytest.raises(UserError, match=rf"12 of 12 items .*set data\.prepare\.depth_scale to {units:g}, or"):
        prepare(tmp_path / "data", tmp_path / "index", ALL_FRAMES)


def test_poses_with_a_noise_larger_than_the_movement_ask_for_no_other_unit(tmp_path: Path):
    rng = np.random.default_rng(0)
    noise = rng.normal(0.0, 0.02, (12, 3))

    def still(number: int) -> np.ndarray:
        pose = room_pose(number)
        pose[:3, 3] = 0.3, 0.1, -0.3
        return pose

    folder = write_room(tmp_path / "data", pose_of=still)
    for number in range(12):
        pose = still(number)
        pose[:3, 3] += noise[number]
        write_text_matrix(folder / "pose" / f"{number}.txt", pose)
    index = prepare(tmp_path / "data", tmp_path / "index", ALL_FRAMES)
    assert index.content["quarantine"] == {}


@pytest.mark.parametrize(("odd", "factor"), [([0], 2.0), ([5], 0.2), ([11], 5.0), ([4, 5], 2.0), ([0, 7], 0.5)])
def test_frames_in_another_unit_than_the_others_are_in_quarantine_one_by_one(
    tmp_path: Path, odd: list[int], factor: float
):
    folder = write_room(tmp_path / "data", pose_of=nodding_pose)
    for number in odd:
        depth = np.rint(1000 * factor * room_depth(number, nodding_pose)).astype(np.uint16)
        write_image(folder / "depth" / f"{number}.png", depth)
    index = prepare(tmp_path / "data", tmp_path / "index", ALL_FRAMES)
    assert index.frames["frame"].to_pylist() == [number for number in range(12) if number not in odd]
    report = QuarantineReport.read(index.folder / "quarantine.json")
    assert [Path(item.source).stem for item in report.items] == [str(number) for number in odd]
    assert {item.reason for item in report.items} == {
        f"implausible depth: it is {factor:g} times what most frames show there; store all frames of a scan in one unit"
    }


def test_frames_whose_points_a_nearer_surface_hides_are_in_the_same_unit():
    units = UnitChain()
    for number, x in enumerate((-1.0, -0.8, -0.6, -0.4, 0.0, 2.0, 2.2, 2.4)):
        partition = x + 2.0 * room_rays()[..., 0] >= 1.0
        units.add(room_record(number, pose(x)), np.where(partition, np.float32(2.0), np.float32(4.0)))
    assert units.odd() == []

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from scipy.spatial import cKDTree

from sem3d.datasets.scans.class_lists import SCANNET
from sem3d.datasets.scans.instances import find_instance_files, read_objects
from sem3d.datasets.scans.sens import SensFile
from sem3d.datasets.scans.surface import read_scene_mesh
from sem3d.errors import UserError
from sem3d.worlds.rooms.config import RoomsConfig, intrinsics
from sem3d.worlds.rooms.render import TracedRoom
from sem3d.worlds.rooms.room import build_room
from sem3d.worlds.rooms.scan import write_room
from sem3d.worlds.rooms.scan_mesh import sample_surface
from sem3d.worlds.rooms.supply import ParametricSupply
from sem3d.worlds.rooms.world import ROOMS
from sem3d.worlds.rooms.write import write_rooms

pytestmark = pytest.mark.usefixtures("ray_cluster")
TINY = RoomsConfig(
    rooms_train=2,
    rooms_val=1,
    frames_per_room=3,
    color_height=48,
    color_width=64,
    depth_height=24,
    depth_width=32,
    point_spacing=0.06,
    kinds=("bathroom", "kitchen"),
)


def content(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory):
    out = tmp_path_factory.mktemp("rooms") / "data"
    return out, write_rooms(out, TINY)


def test_rooms_are_written_in_the_layout_of_scannet_and_read_back(written):
    out, summary = written
    assert (summary.rooms, summary.frames, summary.frame_stride, summary.reused) == (3, 9, 1, False)
    assert (out / "scannetv2_train.txt").read_text().split() == ["scene0000_00", "scene0001_00"]
    assert (out / "scannetv2_val.txt").read_text().split() == ["scene0002_00"]
    scene = out / "scans" / "scene0001_00"
    with SensFile(scene / "scene0001_00.sens") as scan:
        assert len(scan) == 3
        assert scan.header.depth_scale == 1000.0
        np.testing.assert_allclose(scan.header.intrinsics_color, intrinsics(TINY, (48, 64)), rtol=1e-6)
        np.testing.assert_allclose(scan.header.intrinsics_depth[0, 2], (31.5 + 0.5) * 0.5 - 0.5)
        assert scan.color(2).shape == (48, 64, 3)
        depth = scan.depth(2)
        assert depth.shape == (24, 32)
        assert 0.5 < np.median(depth[depth > 0]) / 1000.0 < 6.0
        np.testing.assert_allclose(scan.pose(0)[:3, :3] @ scan.pose(0)[:3, :3].T, np.eye(3), atol=1e-6)
    label = np.asarray(Image.open(scene / "label-filt" / "2.png"))
    instance = np.asarray(Image.open(scene / "instance-filt" / "2.png"))
    assert (label.dtype, label.shape, instance.shape) == (np.uint8, (48, 64), (48, 64))
    np.testing.assert_array_equal(instance // 1000, label)
    assert abs(sum(summary.label_shares.values()) - 1.0) < 1e-9


def test_objects_of_the_surface_are_told_as_scannet_does(written):
    out, _ = written
    scene = out / "scans" / "scene0001_00"
    _, _, nyu40, _ = read_scene_mesh(scene / "scene0001_00_vh_clean_2.labels.ply")
    files = find_instance_files(out, "scans/scene0001_00/scene0001_00_vh_clean_2.labels.ply")
    segments = json.loads((out / files.segments).read_text())["segIndices"]
    np.testing.assert_array_equal(np.array(segments) // 1000, nyu40)
    numbers = SCANNET.numbers(nyu40, "mesh")
    codes = read_objects(out, files, numbers)
    np.testing.assert_array_equal(codes // 1000, np.where(numbers > 2, numbers, 0))
    objects = {one for one in segments if SCANNET.numbers(np.array([one // 1000]), "mesh") > 2}
    assert len(np.unique(codes[codes > 0])) == len(objects) > 3


def test_back_projected_depth_lies_on_the_written_surface(written):
    out, _ = written
    scene = out / "scans" / "scene0000_00"
    cloud = trimesh.load(scene / "scene0000_00_vh_clean_2.ply").vertices
    with SensFile(scene / "scene0000_00.sens") as scan:
        depth, lens, world_from_camera = scan.depth(0) / 1000.0, scan.header.intrinsics_depth, scan.pose(0)
    v, u = np.nonzero(depth)
    z = depth[v, u]
    camera = np.stack([(u - lens[0, 2]) / lens[0, 0] * z, (v - lens[1, 2]) / lens[1, 1] * z, z], axis=1)
    world = camera @ world_from_camera[:3, :3].T + world_from_camera[:3, 3]
    nearest, _ = cKDTree(cloud).query(world)
    assert np.quantile(nearest, 0.95) < 0.07


def test_the_same_configuration_is_found_and_another_is_refused(written):
    out, summary = written
    again = write_rooms(out, TINY)
    assert again == dataclasses.replace(summary, reused=True)
    with pytest.raises(UserError, match="another configuration"):
        write_rooms(out, dataclasses.replace(TINY, seed=1))
    (out.parent / "mine").mkdir()
    with pytest.raises(UserError, match="no generated data set"):
        write_rooms(out.parent / "mine", TINY)


def test_the_same_seed_writes_the_same_bytes_outside_ray_too(written, tmp_path: Path):
    out, _ = written
    (tmp_path / "scans").mkdir()
    write_room(tmp_path, TINY, {"number": 1, "split": "train", "kind": "kitchen"})
    assert content(tmp_path / "scans" / "scene0001_00") == content(out / "scans" / "scene0001_00")


def test_train_and_validation_scenes_share_no_furniture(written):
    out, _ = written
    scenes = json.loads((out / "rooms.json").read_text())["scenes"]
    used = {split: set() for split in ("train", "val")}
    for scene in scenes:
        used[scene["split"]] |= {piece["identity"] for piece in scene["furniture"]}
    assert used["train"]
    assert used["val"]
    assert not used["train"] & used["val"]


def test_points_are_spread_evenly_over_the_surface():
    room = build_room("bathroom", (0, 0, 1), ParametricSupply(0, "train", 1))
    points = sample_surface(TracedRoom(room), 0.05, (0,))
    floor = points.position[(points.label == 2) & (np.abs(points.position[:, 2]) < 1e-4)]
    inner = floor[((floor[:, :2] > 0.5) & (floor[:, :2] < 2.0)).all(axis=1), :2]
    cells = np.histogram2d(inner[:, 0], inner[:, 1], bins=[np.arange(0.5, 2.01, 0.25)] * 2)[0]
    assert cells.min() > 10
    assert cells.mean() == pytest.approx((0.25 / 0.05) ** 2, rel=0.1)


def test_rooms_that_are_fine_enough_fill_the_voxels_that_are_learnt_from():
    room = TracedRoom(build_room("bathroom", (0, 0, 1), ParametricSupply(0, "train", 1)))
    coarse = RoomsConfig()
    fine = ROOMS.fine_enough(coarse, {"data.voxel_size": 0.04})
    assert fine.point_spacing == 0.02
    assert ROOMS.fine_enough(coarse, {"data.voxel_size": 0.1}) == ROOMS.fine_enough(coarse, {}) == coarse

    def filled(spacing: float) -> int:
        return len(np.unique(np.floor(sample_surface(room, spacing, (0,)).position / 0.04), axis=0))

    there = filled(0.01)
    assert filled(fine.point_spacing) > 0.93 * there
    assert filled(2 * fine.point_spacing) < 0.75 * there


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rooms_train": 0, "rooms_val": 0}, "no rooms"),
        ({"kinds": ("castle",)}, "castle"),
        ({"frames_per_room": 0}, "positive"),
        ({"depth_width": 33}, "aspect"),
    ],
)
def test_impossible_configurations_are_refused(tmp_path: Path, change: dict, message: str):
    with pytest.raises(UserError, match=message):
        write_rooms(tmp_path / "rooms", dataclasses.replace(TINY, **change))


def test_half_a_scene_of_a_stopped_call_is_written_again_and_a_whole_one_is_kept(tmp_path: Path, monkeypatch):
    row = {"number": 0, "split": "train", "kind": "bathroom"}
    (tmp_path / "scans").mkdir()
    monkeypatch.setattr("sem3d.worlds.rooms.scan.write_points", stop)
    with pytest.raises(KeyboardInterrupt):
        write_room(tmp_path, TINY, row)
    assert not list((tmp_path / "scans").iterdir())
    monkeypatch.undo()
    entry = write_room(tmp_path, TINY, row)
    scene = tmp_path / "scans" / "scene0000_00"
    stamp = (scene / "room.json").stat().st_mtime_ns
    assert write_room(tmp_path, TINY, row) == json.loads(json.dumps(entry))
    assert (scene / "room.json").stat().st_mtime_ns == stamp
    assert [path.name for path in tmp_path.iterdir()] == ["scans"]


def stop(*_):
    raise KeyboardInterrupt

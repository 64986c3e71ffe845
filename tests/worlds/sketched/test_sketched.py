from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from sem3d.bounds import check_bounds
from sem3d.datasets.objects.mesh_places import MeshFile
from sem3d.datasets.objects.sketch_files import read_depth, read_shape_keypoints, read_voxels, write_sketch
from sem3d.errors import UserError
from sem3d.geometry.object_camera import camera_from_object, centred_intrinsics, viewpoint_of, world_from_camera
from sem3d.geometry.voxel_places import places_in_object
from sem3d.worlds.sketched.backdrop import draw_backdrop, over
from sem3d.worlds.sketched.meshes import draw_mesh
from sem3d.worlds.sketched.subject import SketchesConfig, cameras_of
from tests.datasets.objects.partnet_folders import box_lines
from tests.worlds.sketched.small import VIEWS


def test_views_lie_within_the_ranges_that_are_asked_for_and_are_the_same_again():
    config = SketchesConfig(
        training_views=50, lowest=10.0, highest=30.0, distance=3.0, distance_spread=0.1, off_centre=0.02
    )
    cameras = cameras_of(config, "train", "x")
    np.testing.assert_array_equal(cameras, cameras_of(config, "train", "x"))
    assert (cameras != cameras_of(config, "train", "y")).any()
    found = [viewpoint_of(world_from_camera(camera)) for camera in cameras]
    elevations = [90 - np.degrees(polar) for _, polar, _ in found]
    assert 10 <= min(elevations) < 15 < 25 < max(elevations) <= 30
    assert np.ptp([azimuth for azimuth, _, _ in found]) > 5
    middles = np.array([middle for _, _, middle in found])
    assert np.abs(middles[:, :2]).max() <= 0.02
    assert 2.7 <= middles[:, 2].min() < 2.8 < 3.2 < middles[:, 2].max() <= 3.3


def test_depth_of_the_farthest_camera_fits_its_file_and_farther_cameras_are_refused(tmp_path):
    with pytest.raises(UserError, match="distance"):
        check_bounds(SketchesConfig(distance=4.6))
    farthest = SketchesConfig(distance=4.5, distance_spread=0.25)
    check_bounds(farthest)
    deepest = np.float32(4.5 * 1.25 + np.sqrt(3) / 2)  # the far corner of a cube
    write_sketch(tmp_path, 0, np.full((2, 2), deepest), np.zeros((2, 2, 3), np.float32))
    np.testing.assert_allclose(read_depth(tmp_path / "depth" / "000000.png"), deepest, atol=1e-4)


def test_a_background_is_a_floor_below_the_horizon_and_a_wall_above_it():
    pose = world_from_camera(camera_from_object(0.4, 1.3, (0.0, 0.0, 2.4)))
    K = centred_intrinsics(32)
    first, second = (draw_backdrop(pose, K, 32, -0.5, np.random.default_rng(seed)) for seed in (0, 1))
    assert first.std() > 5
    assert (first != second).any()
    picture = np.zeros((32, 32, 4), np.uint8)
    picture[:, :16] = (10, 20, 30, 255)
    joined = over(picture, first)
    assert (joined[:, :16] == (10, 20, 30)).all()
    np.testing.assert_array_equal(joined[:, 16:], first[:, 16:])


@pytest.fixture
def row(tmp_path: Path) -> dict:
    """A mesh of a plate with a tower over one corner, in ShapeNetCore's layout, as a row of a world."""
    folder = tmp_path / "core" / "03001627" / "abc" / "models"
    folder.mkdir(parents=True)
    lines = box_lines((-0.5, -0.5, -0.5), (0.5, -0.3, 0.5), start=1) + box_lines(
        (0.2, -0.3, 0.2), (0.5, 0.5, 0.5), start=9
    )
    (folder / "model_normalized.obj").write_text("\n".join(lines) + "\n")
    mesh = MeshFile("03001627", "abc", "03001627/abc/models/model_normalized.obj")
    return {"root": str(tmp_path / "core"), "mesh": asdict(mesh), "name": "abc", "split": "test"}


def test_a_mesh_from_disk_is_drawn_with_its_shape_and_without_keypoints(row, tmp_path):
    draw_mesh(tmp_path / "out", row, VIEWS)
    voxels = read_voxels(tmp_path / "out" / "voxels.npy")
    high = places_in_object(np.argwhere(voxels) + 0.5, 16)
    tower = high[high[:, 1] > 0.1]
    assert len(tower)
    assert tower[:, [0, 2]].min() > 0.1
    assert read_shape_keypoints(tmp_path / "out" / "keypoints.json", 2) == []
    for view in range(3):
        assert (read_depth(tmp_path / "out" / "depth" / f"{view:06d}.png") > 0).any()
        assert (tmp_path / "out" / "photo" / f"{view:06d}.png").is_file()

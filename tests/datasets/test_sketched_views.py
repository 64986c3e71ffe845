import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_dilation

from sem3d.datasets.objects.sketch_files import (
    coarser,
    read_shape_keypoints,
    read_voxels,
)
from sem3d.datasets.sketched_views import SketchedViews, other_light, sketched_sources
from sem3d.errors import BadSample, UserError
from sem3d.geometry.object_camera import camera_from_object, centred_intrinsics
from sem3d.geometry.projection import project
from sem3d.geometry.voxel_places import places_in_object
from sem3d.worlds.sketched.shapes import generated_object

ALL = ("image", "sketch", "viewpoint", "voxel", "noise")


def opened(root: Path, storage: Path, columns=ALL, **changes):
    config = SketchedViews(root=str(root), size=32, voxels=16, **changes)
    return sketched_sources(config, str(storage), columns)


def loaded(samples, number: int = 0, seed: int = 0):
    return samples.load(samples.table.slice(number, 1).to_pylist()[0], np.random.default_rng(seed))


def test_training_pictures_before_random_colours_keep_their_object(sketched, tmp_path):
    plain, changed = (opened(sketched, tmp_path, jitter=0.0, lighting=0.0, backdrops=share) for share in (0.0, 1.0))
    one, first, second = loaded(plain["train"]), loaded(changed["train"]), loaded(changed["train"], seed=1)
    inside = one["sketch"][4] > 0
    white = (one["image"] == 255).all(axis=0)
    assert white.any()
    assert not (first["image"] == 255).all(axis=0)[white].any()
    assert (first["image"] != second["image"]).any()
    for name in ("sketch", "angles", "voxel"):
        np.testing.assert_array_equal(first[name], one[name])
    solid = one["image"][:, inside & ~white].astype(float)
    tinted = first["image"][:, inside & ~white].astype(float)
    assert (tinted <= solid + 100).mean() > 0.9  # darker, but where the background shines through at the rim
    assert tinted.mean() > 0.3 * solid.mean()
    for source in ("held_out", "tested"):
        np.testing.assert_array_equal(loaded(plain[source])["image"], loaded(changed[source])["image"])


def voxels_within(one: dict[str, np.ndarray], azimuth: float) -> float:
    """The share of a shape's voxels that fall on or beside its silhouette from a viewpoint."""
    camera = camera_from_object(azimuth, float(one["angles"][1]), tuple(one["middle"].tolist()))
    full = places_in_object(np.argwhere(one["voxel"]) + 0.5, 16)
    places, _ = project(full @ camera[:3, :3].T + camera[:3, 3], centred_intrinsics(32))
    column, row = np.floor(places).astype(int).clip(0, 31).T
    return float(binary_dilation(one["sketch"][4] > 0)[row, column].mean())


def test_silhouette_of_the_sketch_is_that_of_the_picture_and_of_the_voxels_from_the_viewpoint(sketched, tmp_path):
    held_out = opened(sketched, tmp_path)["held_out"]
    within = []
    for number in range(6):
        one = loaded(held_out, number)
        white = (one["image"] == 255).all(axis=0)
        assert ((one["sketch"][4] > 0) != ~white).mean() < 0.1  # pixels of the border are covered in part
        azimuth = float(one["angles"][0])
        within.append([voxels_within(one, azimuth + turn) for turn in (0, np.pi / 2, np.pi, -2 * azimuth)])
    true, *others = np.mean(within, axis=0)
    assert true > 0.94
    assert max(others) < true - 0.03


def test_keypoints_are_those_of_the_shape_and_lie_in_or_beside_its_voxels(sketched):
    folder = sketched / "test" / "chair-test-00001"
    keypoints = read_shape_keypoints(folder / "keypoints.json", 2)
    expected = generated_object({"kind": "chair", "seed": 0, "split": "test", "number": 1}).keypoints
    assert [one.semantic_id for one in keypoints] == [one.semantic_id for one in expected]
    full = places_in_object(np.argwhere(read_voxels(folder / "voxels.npy")) + 0.5, 16)
    for one in keypoints:
        assert np.linalg.norm(full - one.xyz, axis=1).min() < 0.08
    assert any(any(one.visible) for one in keypoints)
    assert not all(all(one.visible) for one in keypoints)


def test_photographs_have_backgrounds_and_renders_have_none(sketched, tmp_path):
    photo, render = (loaded(opened(sketched, tmp_path, tested_on=kind)["tested"]) for kind in ("photo", "render"))
    outside = photo["sketch"][4] == 0
    assert (render["image"][:, outside] == 255).mean() > 0.9
    assert (photo["image"][:, outside] == 255).all(axis=0).mean() < 0.1
    np.testing.assert_array_equal(photo["sketch"], render["sketch"])


def test_training_pictures_change_their_light_and_keep_their_shape(sketched, tmp_path):
    train = opened(sketched, tmp_path)["train"]
    first, again, other = (loaded(train, 0, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first["image"], again["image"])
    assert (first["image"] != other["image"]).any()
    np.testing.assert_array_equal(first["sketch"], other["sketch"])
    grey = np.full((4, 4, 3), 100, np.uint8)
    still = SketchedViews(jitter=0.0, lighting=0.0)
    np.testing.assert_array_equal(other_light(grey, still, np.random.default_rng(0)), grey)


def test_shapes_alone_come_once_each_and_views_come_all(sketched, tmp_path):
    shapes, views = opened(sketched, tmp_path, ("voxel", "noise")), opened(sketched, tmp_path, ("image",))
    assert [shapes[name].table.num_rows for name in ("train", "held_out", "tested")] == [5, 3, 3]
    assert [views[name].table.num_rows for name in ("train", "held_out", "tested")] == [15, 9, 9]
    assert opened(sketched, tmp_path, budget=0.4)["train"].table.num_rows == 6


def test_a_coarser_grid_is_full_where_any_voxel_is():
    grid = np.zeros((4, 4, 4), bool)
    grid[3, 0, 1] = True
    assert np.argwhere(coarser(grid, 2, "x")).tolist() == [[1, 0, 0]]
    with pytest.raises(BadSample, match="cannot be made one of 3"):
        coarser(grid, 3, "x")


@pytest.fixture
def instance(sketched, tmp_path):
    return Path(shutil.copytree(sketched / "test" / "chair-test-00000", tmp_path / "one"))


def test_damaged_shapes_are_told_in_a_line(instance):
    np.save(instance / "voxels.npy", np.zeros(100, np.uint8))
    with pytest.raises(BadSample, match="no grid of voxels: 100 numbers"):
        read_voxels(instance / "voxels.npy")
    np.save(instance / "voxels.npy", np.zeros(64, np.uint8))
    with pytest.raises(BadSample, match="an empty shape"):
        read_voxels(instance / "voxels.npy")
    content = json.loads((instance / "keypoints.json").read_text())
    content["keypoints"][0]["visible"] = [True]
    (instance / "keypoints.json").write_text(json.dumps(content))
    assert read_shape_keypoints(instance / "keypoints.json", 0)
    with pytest.raises(BadSample, match="no keypoints of view 2"):
        read_shape_keypoints(instance / "keypoints.json", 2)


def test_a_photo_that_is_not_square_is_told_and_not_squeezed(instance, sketched, tmp_path):
    row = opened(sketched, tmp_path)["tested"].table.take([0]).to_pylist()[0]
    load = replace(opened(sketched, tmp_path)["tested"].load, root=tmp_path)
    path = instance / "photo" / f"{Path(row['picture']).stem}.png"
    Image.open(path).resize((32, 20)).save(path)
    with pytest.raises(BadSample, match="a photo of 32 x 20: sketches and renders are square"):
        load(row | {"folder": instance.name}, np.random.default_rng(0))


def test_data_without_sketches_are_refused_with_what_to_do(posed, tmp_path):
    with pytest.raises(UserError, match=r"has no depth: make such data with python -m jobs\.prepare sketched_shapes"):
        opened(posed, tmp_path)

from dataclasses import replace

import numpy as np
import pytest

from sem3d.datasets.objects.sketch_files import read_depth
from sem3d.datasets.objects.srn_index import index_posed_views
from sem3d.errors import UserError
from sem3d.geometry.cameras import invert_rigid
from sem3d.geometry.projection import project, transform
from sem3d.geometry.sphere_cameras import square_intrinsics
from sem3d.worlds.posed.shapes import PosedShapesConfig, generated_subject, write_posed_shapes
from sem3d.worlds.posed.subject import Subject, ViewsConfig, poses_of, views_of
from sem3d.worlds.posed.write import write_views

VIEWS = ViewsConfig(side=48, training_views=4, test_views=5)


def row(kind: str, split: str = "train", number: int = 0) -> dict:
    return {"kind": kind, "seed": 3, "split": split, "number": number, "name": f"{kind}-{number}"}


@pytest.mark.parametrize("kind", ["chair", "table"])
def test_views_show_the_object_where_the_camera_says_with_its_parts(kind: str):
    subject, _ = generated_subject(row(kind))
    flat = subject.corners.reshape(-1, 3)
    np.testing.assert_allclose(flat.max(axis=0) + flat.min(axis=0), 0, atol=1e-9)
    assert np.linalg.norm(np.ptp(flat, axis=0)) == pytest.approx(1)
    poses = poses_of(VIEWS, "train", "x")
    for picture, labels, pose in views_of(subject, VIEWS, poses):
        where, _ = project(transform(invert_rigid(pose), flat), square_intrinsics(48))
        rows, columns = np.nonzero(picture[..., 3])
        np.testing.assert_allclose([columns.min(), rows.min()], where.min(axis=0), atol=1.5)
        np.testing.assert_allclose([columns.max() + 1, rows.max() + 1], where.max(axis=0), atol=1.5)
        assert set(np.unique(labels)) > {0}
        assert (picture[..., 3][labels > 0] > 0).all()
        assert labels.max() <= 4


def test_a_view_is_the_same_again_and_objects_and_splits_differ():
    def drawn(split: str, number: int) -> np.ndarray:
        subject, _ = generated_subject(row("chair", split, number))
        return np.stack([view[0] for view in views_of(subject, VIEWS, poses_of(VIEWS, "train", "x")[:1])])

    first = drawn("train", 0)
    np.testing.assert_array_equal(drawn("train", 0), first)
    assert not np.array_equal(drawn("train", 1), first)
    assert not np.array_equal(drawn("test", 0), first)


def test_views_of_an_object_do_not_depend_on_others_but_on_seed_and_sphere():
    poses = poses_of(VIEWS, "train", "a")
    assert len(poses) == 4
    assert not np.array_equal(poses_of(VIEWS, "train", "b"), poses)
    assert not np.array_equal(poses_of(replace(VIEWS, view_seed=1), "train", "a"), poses)
    assert (poses[:, 2, 3] >= 0).all()
    assert (poses_of(replace(VIEWS, sphere="whole", training_views=50), "train", "a")[:, 2, 3] < 0).any()
    np.testing.assert_array_equal(poses_of(VIEWS, "test", "a"), poses_of(VIEWS, "test", "b"))
    with pytest.raises(UserError, match="odd"):
        ViewsConfig(samples=2)


def test_depth_lies_along_the_axis_of_the_camera_and_is_written_of_test_views_alone(tmp_path):
    def height(x, y):
        return 0.3 * x - 0.2 * y + 0.1

    corners = np.array([[[x, y, height(x, y)] for x, y in ((-0.4, -0.3), (0.5, -0.3), (0.0, 0.6))]])
    subject = Subject(corners, lambda hits: np.full((len(hits.ray), 3), 0.5), np.array([1]))
    poses, intrinsics = poses_of(VIEWS, "test", "a"), square_intrinsics(48)
    for split in ("train", "test"):
        write_views(tmp_path / split, subject, VIEWS, split, "a")
    assert not (tmp_path / "train" / "depth").exists()
    assert len(list((tmp_path / "test" / "depth").iterdir())) == len(poses)
    for number, pose in enumerate(poses):
        depth = read_depth(tmp_path / "test" / "depth" / f"{number:06d}.png")
        v, u = np.nonzero(depth)
        assert len(u) > 20
        rays = np.column_stack([u + 0.5, v + 0.5, np.ones(len(u))]) @ np.linalg.inv(intrinsics).T
        x, y, z = (rays * depth[v, u, None] @ pose[:3, :3].T + pose[:3, 3]).T
        np.testing.assert_allclose(z, height(x, y), atol=2e-4)
        np.testing.assert_array_equal(np.load(tmp_path / "test" / "seg" / f"{number:06d}.npy") > 0, depth > 0)


def test_from_too_far_away_no_depth_is_written(tmp_path):
    subject, _ = generated_subject(row("chair"))
    write_views(tmp_path, subject, replace(VIEWS, side=8, test_views=2, distance=6.0), "test", "a")
    assert not (tmp_path / "depth").exists()


def test_an_unknown_family_is_named(tmp_path):
    with pytest.raises(UserError, match="no shape family 'sofa'"):
        write_posed_shapes(tmp_path / "x", PosedShapesConfig(kind="sofa"))


@pytest.mark.filterwarnings("default")
def test_a_data_set_is_whole_found_again_and_read_without_a_fault(ray_cluster: None, tmp_path):
    views = replace(VIEWS, side=16, samples=1, training_views=2, test_views=3)
    config = PosedShapesConfig(kind="table", train=2, val=1, test=1, views=views)
    made = write_posed_shapes(tmp_path / "views", config)
    assert (made.objects, made.reused, len(made.report)) == ({"train": 2, "val": 1, "test": 1}, False, 0)
    again = write_posed_shapes(tmp_path / "views", config)
    assert again.objects == made.objects
    assert again.reused
    index = index_posed_views(tmp_path / "views", tmp_path, check=True)
    assert not index.report.items
    assert [len(names) for names in index.table["pictures"].to_pylist()] == [2, 2, 2, 3]
    assert index.classes[""] == ("background", "top", "leg", "shelf", "drawer")
    with pytest.raises(UserError, match="other objects or settings"):
        write_posed_shapes(tmp_path / "views", replace(config, seed=1))

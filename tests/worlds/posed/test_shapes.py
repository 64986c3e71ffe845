from dataclasses import replace

import numpy as np
import pytest

from sem3d.datasets.objects.srn_index import index_posed_views
from sem3d.errors import UserError
from sem3d.geometry.cameras import invert_rigid
from sem3d.geometry.projection import project, transform
from sem3d.geometry.sphere_cameras import square_intrinsics
from sem3d.worlds.posed.shapes import PosedShapesConfig, generated_subject, write_posed_shapes
from sem3d.worlds.posed.subject import ViewsConfig, poses_of, views_of

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

from pathlib import Path

import numpy as np

from sem3d.worlds.posed.meshes import MeshViewsConfig, best_turn, check_mesh_views, subject_of
from sem3d.worlds.posed.subject import ViewsConfig, poses_of, views_of
from tests.datasets.objects.partnet_folders import BOXES, box_lines, write_parted, write_partnet

VIEWS = ViewsConfig(side=64, test_views=9)
FRONT = poses_of(VIEWS, "test", "x")[:1]


def row(root: Path, file: str, layout: str, shapenet: str = "") -> dict:
    category = "chair" if layout == "partnet" else "table"
    return {
        "root": str(root),
        "file": file,
        "name": file,
        "split": "test",
        "layout": layout,
        "category": category,
        "shapenet": shapenet,
        "seed": 0,
    }


def front_view(given: dict) -> tuple[np.ndarray, np.ndarray, list[str]]:
    subject, notes = subject_of(given)
    ((picture, labels, _),) = views_of(subject, VIEWS, FRONT)
    return picture, labels, notes


def test_a_chair_of_partnet_is_seen_from_its_front_with_the_back_behind_and_above_the_seat(tmp_path: Path):
    write_partnet(tmp_path)
    picture, labels, notes = front_view(row(tmp_path, "1", "partnet"))
    rows = {number: np.nonzero(labels == number)[0] for number in (2, 4, 5)}
    assert rows[2].max() <= rows[5].min() + 1
    assert rows[5].max() <= rows[4].min() + 1
    assert notes == []
    back = picture[labels == 2][:, :3].mean(axis=0)
    assert back[0] > 3 * back[1]


def test_the_footrest_of_no_class_is_unknown(tmp_path: Path):
    write_partnet(tmp_path)
    subject, _ = subject_of(row(tmp_path, "1", "partnet"))
    assert -1 in subject.labels
    labels = front_view(row(tmp_path, "1", "partnet"))[1]
    assert (labels == -1).any()


def shapenet(root: Path, turned: bool, flat: bool = False) -> Path:
    """The same boxes in ShapeNetCore's layout, half turned about y, red all over."""
    folder = root / "03001627/abc/models"
    folder.mkdir(parents=True)
    lines = ["mtllib model_normalized.mtl", "usemtl red"]
    for n, (low, high) in enumerate(list(BOXES.values())[: 1 if flat else 4]):
        corners = np.array([low, high]) * ([-1, 1, -1] if turned else [1, 1, 1])
        lines += box_lines(tuple(corners.min(axis=0)), tuple(corners.max(axis=0)), start=8 * n + 1)
    (folder / "model_normalized.obj").write_text("\n".join(lines) + "\n")
    (folder / "model_normalized.mtl").write_text("newmtl red\nKd 1 0 0\n")
    return root


def test_colours_are_shapenets_and_masks_partnets_whichever_way_it_is_turned(tmp_path: Path):
    write_partnet(tmp_path / "parts", looks=False)
    expected = front_view(row(tmp_path / "parts", "1", "partnet"))[1]
    for turned in (True, False):
        models = shapenet(tmp_path / f"models{turned}", turned)
        picture, labels, notes = front_view(row(tmp_path / "parts", "1", "partnet", str(models)))
        assert notes == []
        np.testing.assert_array_equal(labels, expected)
        assert ((picture[..., 3] > 127) != (labels != 0)).mean() < 0.002  # corners of the silhouette
        assert (picture[labels > 0][:, 1] < 10).all()


def test_a_mesh_of_another_shape_lends_no_colours(tmp_path: Path):
    write_partnet(tmp_path / "parts", looks=False)
    models = shapenet(tmp_path / "models", turned=False, flat=True)
    _, _, notes = front_view(row(tmp_path / "parts", "1", "partnet", str(models)))
    assert notes == [
        "mesh in ShapeNet is another shape than its parts: colours are those of PartNet's points",
        "no looks: clay is used",
    ]


def test_a_quarter_turn_is_found():
    corners = np.random.default_rng(0).uniform(-0.3, 0.3, (30, 3, 3)) * [1.5, 1, 0.5]
    quarter = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    found = best_turn(corners @ quarter.T, corners)
    assert found is not None
    np.testing.assert_allclose(found, quarter.T)


def test_a_table_of_parts_has_a_material_a_class(tmp_path: Path):
    write_parted(tmp_path)
    picture, labels, _ = front_view(row(tmp_path, "table_x.obj", "parts"))
    assert set(np.unique(labels)) == {0, 1, 2, 3}
    rows = [np.nonzero(labels == number)[0].mean() for number in (1, 3)]
    assert rows[0] < rows[1]
    assert (picture[..., 3][labels > 0] > 0).all()


def test_a_check_names_what_cannot_be_read(tmp_path: Path):
    write_partnet(tmp_path, "1")
    write_partnet(tmp_path, "2")
    (tmp_path / "2/objs/new-0.obj").write_text("x")
    assert list(check_mesh_views(tmp_path, MeshViewsConfig())) == ["2"]

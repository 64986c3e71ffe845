import json
import os
from dataclasses import asdict
from functools import partial

import numpy as np
import pytest
import trimesh

from sem3d.config import digest
from sem3d.datasets.objects.mesh_files import find_meshes, read_mesh
from sem3d.datasets.objects.mesh_places import states_beside
from sem3d.datasets.objects.mesh_splits import RendersConfig, split_names
from sem3d.datasets.objects.nmr import load_view, views_of
from sem3d.datasets.objects.nmr_index import index_renders
from sem3d.datasets.objects.render import (
    STAMP,
    check_meshes,
    found,
    render_object,
    render_row,
    write_renders,
)
from sem3d.datasets.quarantine import QuarantineReport
from sem3d.errors import UserError
from sem3d.rendering.shaded_views import shaded_views
from sem3d.worlds.shapes.register import generated_shape
from sem3d.worlds.shapes.write import ShapesConfig, write_shape, write_shapes

KINDS = ("airplane", "car", "chair", "table")


def draw_nothing(vertices, faces, colors):
    return np.full((24, 4, 64, 64), 255, np.uint8)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """Masks at 24 views and voxels of some shapes of each kind."""
    root = tmp_path_factory.mktemp("meshes")
    config = ShapesConfig(kinds=KINDS, objects=3)
    write_shapes(root / "all", config)
    result = {}
    for mesh in find_meshes(root / "all")[0]:
        kind = mesh.identity.split("-")[0]
        images, voxels = render_object(read_mesh(root / "all", mesh), partial(shaded_views, supersampling=1))
        result.setdefault(kind, []).append((images, voxels))
    return result


def iou(one, other):
    return (one & other).sum() / (one | other).sum()


def test_silhouettes_vary_inside_a_kind_and_differ_more_between_kinds(rendered):
    masks = {kind: [images[:, 3] > 127 for images, _ in objects] for kind, objects in rendered.items()}
    nearest = [
        max(
            (iou(mask, other), kind == other_kind)
            for other_kind in KINDS
            for other in masks[other_kind]
            if other is not mask
        )[1]
        for kind in KINDS
        for mask in masks[kind]
    ]
    assert np.mean(nearest) >= 0.75
    for kind in KINDS:
        inside = [iou(a, b) for k, a in enumerate(masks[kind]) for b in masks[kind][:k]]
        assert max(inside) < 0.97
        assert all(mask.any(axis=(1, 2)).all() for mask in masks[kind])


def test_only_wide_tables_reach_beyond_the_border_of_nmrs_camera(rendered):
    for kind in ("airplane", "car", "chair"):
        for images, _ in rendered[kind]:
            assert not images[:, 3, [0, -1]].any()
            assert not images[:, 3, :, [0, -1]].any()


def test_voxels_are_solid_and_reach_as_far_as_the_shape(rendered):
    for objects in rendered.values():
        for _, voxels in objects:
            extents = [np.ptp(where) + 1 for where in np.nonzero(voxels)]
            assert max(extents) >= 31
            assert 0.005 < voxels.mean() < 0.5


def test_voxels_have_the_axes_of_the_release(tmp_path):
    path = write_shape(tmp_path, generated_shape("chair", 0, 2))
    (mesh,) = find_meshes(tmp_path)[0]
    assert path.is_file()
    _, voxels = render_object(read_mesh(tmp_path, mesh), draw_nothing)
    height = voxels.any(axis=(1, 2))
    assert height[1:31].all()
    upper = np.nonzero(voxels[24:].any(axis=(0, 1)))[0]
    lower = np.nonzero(voxels[:10].any(axis=(0, 1)))[0]
    assert upper.min() > lower.min(), "the back rest is at +z, which the release's axes keep"


def test_splits_are_seeded_70_10_20_and_never_empty():
    names = [f"object{number}" for number in range(50)]
    split = split_names(names, RendersConfig())
    assert [list(split.values()).count(part) for part in ("train", "val", "test")] == [35, 5, 10]
    assert split == split_names(names[::-1], RendersConfig())
    assert split != split_names(names, RendersConfig(seed=1))
    assert set(split_names(names[:3], RendersConfig()).values()) == {"train", "val", "test"}
    assert set(split_names(names[:1], RendersConfig()).values()) == {"train"}


def test_impossible_shares_are_refused():
    with pytest.raises(UserError, match="must leave objects"):
        RendersConfig(val_fraction=0.5, test_fraction=0.5)


def spoiled_folder(root):
    """Two good meshes, an open one, and one each of empty, degenerate and unreadable."""
    write_shape(root, generated_shape("table", 0, 0))
    write_shape(root, generated_shape("table", 0, 1))
    box = trimesh.creation.box((1, 0.5, 0.7))
    box.update_faces(np.arange(12) > 1)
    (root / "04379243" / "open.obj").write_text(box.export(file_type="obj"))
    (root / "04379243" / "empty.obj").write_text("v 0 0 0\n")
    (root / "04379243" / "line.obj").write_text("v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n")
    return root


def test_a_check_names_what_is_wrong_and_writes_nothing(tmp_path):
    root = spoiled_folder(tmp_path / "meshes")
    before = sorted(tmp_path.rglob("*"))
    total, report = check_meshes(root)
    assert total == 5
    assert report.counts() == {"degenerate mesh": 1, "empty mesh": 1}
    assert [note.source for note in report.notes] == ["04379243/open.obj"]
    assert sorted(tmp_path.rglob("*")) == before


def test_odd_meshes_are_named_one_by_one_and_what_others_lack_is_noted_by_kind(tmp_path):
    root = tmp_path / "04379243"
    root.mkdir()
    box = trimesh.creation.box((1, 0.5, 0.7)).export(file_type="obj")
    (root / "fine.obj").write_text("vt 0.5\n" + box)
    (root / "flat.obj").write_text("v 0 0\nv 1 0\nv 0 1\nf 1 2 3\n")
    (root / "zero.obj").write_text(box.replace("\nf ", "\nf 0 0 0\nf ", 1))
    (root / "m.mtl").write_text("newmtl red\nKd 1 0 0\nmap_Kd lost.png\n")
    for name in ("a", "b"):
        (root / f"{name}.obj").write_text(f"# {name}\nmtllib m.mtl\nusemtl red\n{box}")
    total, report = check_meshes(tmp_path)
    assert (total, [item.source for item in report.items]) == (5, ["04379243/flat.obj", "04379243/zero.obj"])
    assert report.counts() == {"unreadable mesh": 2}
    assert report.note_counts() == {"missing texture": 2}
    assert report.notes[0].reason == "missing texture: its texture lost.png is not there: Kd is used"


def test_what_nobody_foresaw_of_one_mesh_is_its_fault_by_name(tmp_path):
    def draw(vertices, faces, colors):
        raise ZeroDivisionError("of a\nrenderer")

    write_shape(tmp_path, generated_shape("table", 0, 0))
    (mesh,) = find_meshes(tmp_path)[0]
    row = {"number": 0, "mesh": json.dumps(asdict(mesh))}
    assert render_row(tmp_path, tmp_path, row, draw) == {
        "fault": "unforeseen ZeroDivisionError: of a renderer",
        "note": "",
    }
    done = render_row(tmp_path, tmp_path, row, draw_nothing)
    assert done["fault"] == ""
    assert render_row(tmp_path, tmp_path, row, draw) == done, "what is done is not done again"


def test_a_model_that_its_index_names_but_the_folder_lacks_is_left_out_and_named(ray_cluster, tmp_path):
    root, sides = tmp_path / "meshes", {"width_cm": 50, "depth_cm": 50, "height_cm": 50}
    entries = [{"category": "office_chair", "id": name, "obj": "x.obj"} | sides for name in ("here", "absent")]
    (root / "office_chair" / "here").mkdir(parents=True)
    (root / "office_chair" / "here" / "x.obj").write_text(trimesh.creation.box().export(file_type="obj"))
    (root / "index.json").write_text(json.dumps(entries))
    made = write_renders(root, tmp_path / "renders", RendersConfig(), draw_nothing)
    assert [item.source for item in made.report.items] == ["office_chair/absent/x.obj"]
    assert made.report.items == check_meshes(root)[1].items
    assert made.objects == {"office_chair": {"train": 1}}


def test_renders_are_those_of_all_files_that_their_meshes_may_name(tmp_path):
    store, root, out = tmp_path / "store", tmp_path / "meshes", tmp_path / "meshes/renders"
    for place in (store / "flat", store / "b/images", root / "chair", out):
        place.mkdir(parents=True)
    for path in (store / "flat/a.obj", store / "b/x.obj", root / "chair/c.obj"):
        path.write_text(trimesh.creation.box().export(file_type="obj"))
    (root / "chair/a.obj").symlink_to(store / "flat/a.obj")
    (root / "chair/b").symlink_to(store / "b")
    meshes = find_meshes(root)[0]
    assert len(meshes) == 3
    before = states_beside(root, meshes, out)
    assert before
    (out / STAMP).write_text("key\n")
    (tmp_path / "meshes/renders.quarantine.json").write_text("{}")
    assert states_beside(root, meshes, out) == before
    QuarantineReport().write(out / "quarantine.json")
    assert found(out, "key", before).reused, "renders of an older stamp"
    for changed in (store / "flat/m.mtl", store / "b/images/t.png", root / "chair/t.png"):
        changed.write_text("x")
        after = states_beside(root, meshes, out)
        assert after != before
        before = after
    (out / STAMP).write_text(f"key\n{digest(before)}\n")
    assert found(out, "key", before).reused
    os.utime(changed, ns=(0, 0))
    with pytest.raises(UserError, match="have changed since"):
        found(out, "key", states_beside(root, meshes, out))
    (out / STAMP).write_text("key\n")
    os.utime(out / STAMP, (1, 1))
    with pytest.raises(UserError, match="have changed since"):
        found(out, "key", before)


def test_meshes_become_nmr_files_that_the_reader_takes_and_bad_ones_are_named(ray_cluster, tmp_path):
    root, out = spoiled_folder(tmp_path / "meshes"), tmp_path / "renders"
    made = write_renders(root, out, RendersConfig(), shaded_views)
    assert made.objects == {"04379243": {"train": 1, "val": 1, "test": 1}}
    assert QuarantineReport.read(out / "quarantine.json").counts() == {"degenerate mesh": 1, "empty mesh": 1}
    assert [note.source for note in made.report.notes] == ["04379243/open.obj"]
    with np.load(out / "04379243_train_images.npz", allow_pickle=False) as stored:
        assert stored["arr_0"].shape == (1, 24, 4, 64, 64)
    index = index_renders(out, tmp_path / "runs")
    for split in ("train", "val", "test"):
        view = load_view(index.folder, views_of(index, "table", split).slice(5, 1).to_pylist()[0])
        assert view.mask.any()
        assert view.voxels.any()
    again = write_renders(root, out, RendersConfig(), shaded_views)
    assert again.reused
    assert again.objects == made.objects
    with pytest.raises(UserError, match="other meshes or settings"):
        write_renders(root, out, RendersConfig(seed=1), shaded_views)
    (root / "04379243" / "wood.png").write_bytes(b"mended")
    with pytest.raises(UserError, match=r"materials, pictures or other files .* have changed since: remove it"):
        write_renders(root, out, RendersConfig(), shaded_views)
    assert json.loads((out / "quarantine.json").read_text())["counts"]

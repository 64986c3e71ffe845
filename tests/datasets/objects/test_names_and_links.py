"""Meshes and renders as they lie on the disks of others: encodings, hidden files, links."""

import os
from pathlib import Path

import numpy as np
import pytest

from sem3d.datasets.objects.copied_renders import shared_objects
from sem3d.datasets.objects.mesh_files import find_meshes, read_mesh
from sem3d.datasets.objects.mesh_places import contents_of, copied_meshes
from sem3d.datasets.objects.mesh_splits import RendersConfig, split_meshes
from sem3d.datasets.objects.nmr_index import find_renders
from sem3d.datasets.objects.object_names import object_names
from sem3d.datasets.objects.render import check_meshes
from sem3d.errors import BadSample, UserError
from tests.rights import rights_of_a_user

CUBE = """v 0 0 0\nv 2 0 0\nv 2 1 0\nv 0 1 0\nv 0 0 1\nv 2 0 1\nv 2 1 1\nv 0 1 1
f 1 3 2\nf 1 4 3\nf 5 6 7\nf 5 7 8\nf 1 2 6\nf 1 6 5\nf 2 3 7\nf 2 7 6\nf 3 4 8\nf 3 8 7\nf 4 1 5\nf 4 5 8\n"""
RED = "mtllib m.mtl\nusemtl red\n" + CUBE


def write(place: Path, text: str, encoding: str = "utf-8", end: str = "\n") -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(text.replace("\n", end).encode(encoding))
    return place


def mesh_at(root: Path):
    meshes, faults = find_meshes(root)
    assert not faults
    return read_mesh(root, meshes[0])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_mesh_and_its_materials_are_the_same_in_every_encoding(tmp_path: Path, encoding: str, end: str):
    for name, options in (("plain", {}), ("other", {"encoding": encoding, "end": end})):
        write(tmp_path / name / "chair/x.obj", RED.replace("f 1 3 2", "v 9 9 9\nf 1 3 2"), **options)
        write(tmp_path / name / "chair/m.mtl", "newmtl red\nKd 1 0 0\n", **options)
    plain, other = mesh_at(tmp_path / "plain"), mesh_at(tmp_path / "other")
    np.testing.assert_array_equal(other.vertices, plain.vertices)
    np.testing.assert_array_equal(other.faces, plain.faces)
    np.testing.assert_allclose(other.face_colors, np.tile([1.0, 0, 0], (12, 1)))


def test_hidden_files_of_macos_are_no_meshes_and_no_renders(tmp_path: Path):
    write(tmp_path / "meshes/03001627/a/model.obj", CUBE)
    for place in ("03001627/a/._model.obj", "03001627/._b.obj", "__MACOSX/03001627/a.obj", "03001627/a/.cache/x.obj"):
        write(tmp_path / "meshes" / place, "no mesh")
    meshes, faults = find_meshes(tmp_path / "meshes")
    assert [mesh.path for mesh in meshes] == ["03001627/a/model.obj"]
    assert not faults
    for name in ("03001627_train_images.npz", "03001627_train_voxels.npz"):
        write(tmp_path / "renders" / name, "")
        write(tmp_path / "renders" / f"._{name}", "")
    assert list(find_renders(tmp_path / "renders")) == [("03001627", "train")]


def test_a_subset_of_meshes_may_be_chosen_by_links_and_keeps_its_colours(tmp_path: Path):
    store, root = tmp_path / "store", tmp_path / "subset"
    for name in ("a", "b"):
        write(store / name / "models/model_normalized.obj", RED.replace("m.mtl", "../m.mtl"))
        write(store / name / "m.mtl", "newmtl red\nKd 1 0 0\n")
    (root / "03001627").mkdir(parents=True)
    os.symlink(store / "a", root / "03001627/a")
    write(store / "flat/c.obj", RED)
    write(store / "flat/m.mtl", "newmtl red\nKd 1 0 0\n")
    os.symlink(store / "flat/c.obj", root / "03001627/c.obj")
    meshes, faults = find_meshes(root)
    assert [mesh.identity for mesh in meshes] == ["a", "c"]
    assert not faults
    for mesh in meshes:
        np.testing.assert_allclose(read_mesh(root, mesh).face_colors, np.tile([1.0, 0, 0], (12, 1)))


def test_a_material_of_a_linked_mesh_does_not_reach_out_of_its_object(tmp_path: Path):
    write(tmp_path / "store/secret.mtl", "newmtl red\nKd 1 0 0\n")
    write(tmp_path / "store/a/x.obj", RED.replace("m.mtl", "../secret.mtl"))
    (tmp_path / "subset/chair").mkdir(parents=True)
    os.symlink(tmp_path / "store/a", tmp_path / "subset/chair/a")
    meshes, _ = find_meshes(tmp_path / "subset")
    with pytest.raises(BadSample, match=r"'\.\./secret\.mtl' leads out of the catalogue"):
        read_mesh(tmp_path / "subset", meshes[0])


def test_a_mesh_under_two_names_is_taken_once_by_its_own(tmp_path: Path):
    write(tmp_path / "chair/own/x.obj", CUBE)
    os.symlink("own", tmp_path / "chair/alias")
    os.symlink("chair", tmp_path / "again")
    meshes, faults = find_meshes(tmp_path)
    assert [mesh.path for mesh in meshes] == ["chair/own/x.obj"]
    assert {fault.reason for fault in faults} == {"another name of a mesh: chair/own/x.obj; taken once"}


def test_copies_of_a_mesh_stand_in_one_split_and_are_noted(tmp_path: Path):
    for number in range(12):
        write(tmp_path / f"chair/{number:02d}.obj", f"# {number:02d}\n{CUBE}")
    write(tmp_path / "chair/copy/x.obj", f"# 03\n{CUBE}")
    os.link(tmp_path / "chair/03.obj", tmp_path / "chair/hard.obj")
    write(tmp_path / "table/x.obj", f"# 03\n{CUBE}")
    meshes, faults = find_meshes(tmp_path)
    copies = copied_meshes(contents_of(tmp_path, meshes))
    assert {mesh.path: first.path for mesh, first in copies.items()} == {
        "chair/copy/x.obj": "chair/03.obj",
        "chair/hard.obj": "chair/03.obj",
    }
    chairs = [mesh for mesh in meshes if mesh.category == "03001627"]
    for seed in range(20):
        split = split_meshes(chairs, RendersConfig(seed=seed), copies)
        assert len({split[name] for name in ("03", "copy", "hard")}) == 1
        assert list(split) == [mesh.identity for mesh in chairs]
    total, report = check_meshes(tmp_path)
    assert (total, report.items, faults) == (15, [], [])
    assert report.note_counts() == {"a copy of a mesh": 2, "a mesh of two classes": 1}


def test_a_mesh_beside_the_folders_of_classes_is_named(tmp_path: Path):
    write(tmp_path / "chair/x.obj", CUBE)
    write(tmp_path / "stray.OBJ", CUBE)
    meshes, faults = find_meshes(tmp_path)
    assert [mesh.path for mesh in meshes] == ["chair/x.obj"]
    assert [(fault.source, fault.reason) for fault in faults] == [
        ("stray.OBJ", "lies in no folder of a class: move it into one")
    ]
    (tmp_path / "chair/x.obj").unlink()
    with pytest.raises(UserError, match=r"\(stray.OBJ: lies in no folder of a class: move it into one\)"):
        find_meshes(tmp_path)


def test_a_mesh_of_another_format_is_named_unless_it_is_there_as_obj_too(tmp_path: Path):
    for name in ("a.obj", "a.ply", "b.PLY", "c.glb", "notes.txt"):
        write(tmp_path / "chair" / name, CUBE)
    meshes, faults = find_meshes(tmp_path)
    assert [mesh.identity for mesh in meshes] == ["a"]
    assert [(fault.source, fault.reason) for fault in faults] == [
        (f"chair/{name}", "a mesh of a kind that is not read: save it as .obj") for name in ("b.PLY", "c.glb")
    ]


@pytest.mark.parametrize("name", ["chair/gone", "chair/gone.obj", "gone"])
@pytest.mark.parametrize("target", ["../nowhere", "gone"])
def test_a_link_that_leads_nowhere_is_named(tmp_path: Path, name: str, target: str):
    write(tmp_path / "chair/x.obj", CUBE)
    os.symlink(target if name != "chair/gone.obj" else "gone.obj", tmp_path / name)
    meshes, faults = find_meshes(tmp_path)
    assert [mesh.path for mesh in meshes] == ["chair/x.obj"]
    assert [fault.source for fault in faults] == [str(tmp_path / name)]
    assert faults[0].reason.startswith("cannot be looked at")


@pytest.mark.parametrize(
    ("closed", "mode"), [("chair/a/models", 0), ("chair/a", 0), ("chair/a", 0o444), ("table", 0o444)]
)
def test_a_folder_that_may_not_be_looked_into_is_named(tmp_path: Path, closed: str, mode: int):
    write(tmp_path / "chair/a/models/model_normalized.obj", CUBE)
    write(tmp_path / "table/a/x.obj", CUBE)
    write(tmp_path / "sofa/x.obj", CUBE)
    (tmp_path / closed).chmod(mode)
    try:
        with rights_of_a_user():
            meshes, faults = find_meshes(tmp_path)
    finally:
        (tmp_path / closed).chmod(0o755)
    assert len(meshes) == 2
    assert [fault.source.startswith(str(tmp_path / closed)) for fault in faults] == [True]
    assert faults[0].reason.endswith(": Permission denied")


@pytest.mark.parametrize("text", ["a\nb\n", "a\nb", "\ufeffa\r\nb\r\n"])
def test_names_of_objects_do_not_hang_on_the_last_line(tmp_path: Path, text: str):
    (tmp_path / "03001627_train_objects.txt").write_bytes(text.encode())
    assert object_names(tmp_path, "03001627", "train", 2) == ["a", "b"]
    with pytest.raises(UserError, match="names 2 objects"):
        object_names(tmp_path, "03001627", "train", 3)


def test_a_name_of_two_objects_is_refused_in_one_list_and_noted_in_two(tmp_path: Path):
    write(tmp_path / "03001627_train_objects.txt", "a\nb\na\n")
    with pytest.raises(UserError, match="names a twice: every object has a name of its own"):
        object_names(tmp_path, "03001627", "train", 3)
    names = {("03001627", "train"): ["a", "b"], ("03001627", "val"): ["b"], ("sofa", "val"): ["b"]}
    (note,) = shared_objects(names, "names")
    assert (note.source, note.reason) == (
        "03001627_val_images.npz",
        "names of another split: 1 of its 1 are also in 03001627_train_images.npz",
    )

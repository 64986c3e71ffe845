import io
import json

import numpy as np
import pytest
from PIL import Image

from sem3d.datasets.objects.mesh_files import MeshFile, find_meshes, read_mesh
from sem3d.errors import BadSample, UserError

CUBE = """v 0 0 0\nv 2 0 0\nv 2 1 0\nv 0 1 0\nv 0 0 1\nv 2 0 1\nv 2 1 1\nv 0 1 1
f 1 3 2\nf 1 4 3\nf 5 6 7\nf 5 7 8\nf 1 2 6\nf 1 6 5\nf 2 3 7\nf 2 7 6\nf 3 4 8\nf 3 8 7\nf 4 1 5\nf 4 5 8\n"""


def put(root, path, text):
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def read(root, text):
    put(root, "chair/x.obj", text)
    return read_mesh(root, MeshFile("03001627", "x", "chair/x.obj"))


def test_official_flat_and_single_file_folders_are_found_by_synset(tmp_path):
    put(tmp_path, "03001627/a/models/model_normalized.obj", CUBE)
    put(tmp_path, "03001627/a/models/extra.obj", CUBE)
    put(tmp_path, "03001627/b/whatever.obj", CUBE)
    put(tmp_path, "car/c.obj", CUBE)
    put(tmp_path, "teapot/d.obj", CUBE)
    put(tmp_path, "teapot/two/e.obj", CUBE)
    put(tmp_path, "teapot/two/f.obj", CUBE)
    meshes, faults = find_meshes(tmp_path)
    assert [(mesh.category, mesh.identity) for mesh in meshes] == [
        *[("02958343", "c"), ("03001627", "a"), ("03001627", "b"), ("teapot", "d")]
    ]
    assert [fault.reason for fault in faults] == ["no single mesh: 2 .obj files"]


def test_a_mesh_is_centred_its_longest_side_one_and_closed(tmp_path):
    mesh = read(tmp_path, CUBE)
    np.testing.assert_allclose(np.abs(mesh.vertices).max(axis=0), [0.5, 0.25, 0.25])
    assert mesh.open_edges == 0
    np.testing.assert_allclose(mesh.face_colors, 0.4)


def test_an_open_mesh_is_used_and_its_open_edges_counted(tmp_path):
    assert read(tmp_path, CUBE.removesuffix("f 4 5 8\n")).open_edges == 3


def test_colours_come_from_the_material(tmp_path):
    put(tmp_path, "chair/m.mtl", "newmtl red\nKd 1 0 0\nnewmtl blue\nKd 0 0 1\n")
    half = CUBE.replace("f 3 4 8", "usemtl blue\nf 3 4 8").replace("f 1 3 2", "usemtl red\nf 1 3 2")
    mesh = read(tmp_path, f"mtllib m.mtl\n{half}")
    colors, counts = np.unique(mesh.face_colors, axis=0, return_counts=True)
    np.testing.assert_allclose(colors, [[0, 0, 1], [1, 0, 0]])
    assert counts.tolist() == [4, 8]


def test_a_picture_that_is_cut_short_is_one_bad_sample(tmp_path):
    whole = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(whole, "PNG")
    put(tmp_path, "chair/m.mtl", "newmtl wood\nmap_Kd wood.png\n")
    (tmp_path / "chair" / "wood.png").write_bytes(whole.getvalue()[:3000])
    triangle = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nusemtl wood\nf 1/1 2/2 3/3\n"
    with pytest.raises(BadSample, match="unreadable texture picture"):
        read(tmp_path, f"mtllib m.mtl\n{triangle}")


TEXTURED = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nusemtl wood\nf 1/1 2/2 3/3\n"


def test_a_texture_of_a_format_that_is_not_named_reaches_no_reader(tmp_path):
    put(tmp_path, "chair/m.mtl", "newmtl wood\nmap_Kd wood.png\n")
    Image.new("RGB", (8, 8)).save(tmp_path / "chair" / "wood.png", "EPS")
    with pytest.raises(BadSample, match=r"unreadable texture picture: wood.png: .*no picture of a known format"):
        read(tmp_path, f"mtllib m.mtl\n{TEXTURED}")


def test_pictures_of_many_materials_are_bounded_together(tmp_path, monkeypatch):
    monkeypatch.setattr("sem3d.datasets.objects.model_files.MOST_TEXTURE_PIXELS", 150)
    put(tmp_path, "chair/m.mtl", "".join(f"newmtl wood{n}\nmap_Kd wood{n}.png\n" for n in range(3)))
    for number in range(3):
        Image.new("RGB", (8, 8)).save(tmp_path / "chair" / f"wood{number}.png")
    faces = "".join(f"usemtl wood{number}\nf 1/1 2/2 3/3\n" for number in range(3))
    with pytest.raises(BadSample, match="huge textures"):
        read(tmp_path, f"mtllib m.mtl\n{TEXTURED}{faces}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("v 0 0 0\nv 1 0 0\nv 0 1 0\n", "empty mesh"),
        ("", "empty mesh|unreadable"),
        ("v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n", "degenerate mesh: it is a line"),
        ("v 0 0 0\nv 0 0 0\nv 0 0 0\nf 1 2 3\n", "degenerate mesh"),
        ("v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "not finite"),
        ("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", "unreadable mesh"),
        (f"{CUBE}{'f 1 2 3' + chr(10)}" * 1 + "f 1 2 3\n" * 1_000_001, "huge mesh: 10000"),
    ],
)
def test_an_unusable_mesh_is_one_bad_sample_that_says_why(text, words, tmp_path):
    with pytest.raises(BadSample, match=words):
        read(tmp_path, text)


def test_a_mesh_outside_the_folder_is_refused(tmp_path):
    put(tmp_path, "outside.obj", CUBE)
    (tmp_path / "data").mkdir()
    with pytest.raises(BadSample, match="leads out"):
        read_mesh(tmp_path / "data", MeshFile("x", "x", "../outside.obj"))


def test_a_folder_without_meshes_is_one_error(tmp_path):
    with pytest.raises(UserError, match=r"no \.obj in"):
        find_meshes(tmp_path)
    with pytest.raises(UserError, match="no data folder"):
        find_meshes(tmp_path / "none")


@pytest.mark.parametrize("name", ["tea\npot", "t" * 201])
def test_a_class_that_cannot_begin_a_files_name_is_refused_before_anything_is_rendered(name, tmp_path):
    put(tmp_path, f"{name}/x.obj", CUBE)
    with pytest.raises(UserError, match="cannot begin the name of a file") as error:
        find_meshes(tmp_path)
    assert "\n" not in str(error.value)


def test_a_catalogue_gives_turned_meshes_of_its_proportions(tmp_path):
    entry = {"category": "sofa", "id": "s", "obj": "s.obj", "width_cm": "100", "depth_cm": "50", "height_cm": "25"}
    quarter = {"modelRotation": "0 0 1 0 1 0 -1 0 0"}
    hostile = entry | {"id": "../../s"}
    (tmp_path / "index.json").write_text(json.dumps([entry | quarter, hostile]))
    put(tmp_path, "sofa/s/s.obj", CUBE)
    meshes, faults = find_meshes(tmp_path)
    assert [mesh.category for mesh in meshes] == ["04256520"]
    assert len(faults) == 1
    mesh = read_mesh(tmp_path, meshes[0])
    np.testing.assert_allclose(np.ptp(mesh.vertices, axis=0), [1, 0.25, 0.5])


def test_real_chairs_stand_upright_with_their_back_at_positive_z(shared_data):
    for root in (shared_data / "sweethome3d_furniture", shared_data / "shapenet_core_v2"):
        chairs = [mesh for mesh in find_meshes(root)[0] if mesh.category == "03001627"][:6]
        behind = []
        for chair in chairs:
            mesh = read_mesh(root, chair)
            triangles = mesh.vertices[mesh.faces]
            area = np.linalg.norm(
                np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]), axis=1
            )
            middle = triangles.mean(axis=1)
            upper = middle[:, 1] > 0.5 * mesh.vertices[:, 1].max()
            behind.append(float((middle[upper, 2] * area[upper]).sum()))
        assert len(chairs) == 6
        assert np.mean(np.array(behind) > 0) > 0.8

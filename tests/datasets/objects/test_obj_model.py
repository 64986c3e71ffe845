"""Materials and pictures of an .obj: found as programs of all systems name them, or noted, or refused."""

import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sem3d.datasets.objects.mesh_files import MeshFile, read_mesh
from sem3d.datasets.objects.model_files import ModelFiles
from sem3d.datasets.objects.mtl_text import read_materials
from sem3d.datasets.objects.obj_model import MOST_LIBRARIES, libraries_of
from sem3d.errors import BadSample

SQUARE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"
FACE = "f 1/1 2/2 3/3 4/4\n"
RED, BLUE, GREEN = [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]


def put_picture(path: Path, color: tuple[int, int, int] = (255, 0, 0)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), color).save(path)


def read(root: Path, map_kd: str = "", *, mtl: str = "", head: str = "mtllib m.mtl\nusemtl red\n", rest: str = FACE):
    folder = root / "chair"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "m.mtl").write_text(mtl or f"newmtl red\nKd 0 0 1\nmap_Kd {map_kd}\n")
    (folder / "x.obj").write_text(head + SQUARE + rest)
    return read_mesh(root, MeshFile("chair", "x", "chair/x.obj"))


@pytest.mark.parametrize(
    "name",
    [
        *("red.png", "RED.PNG", "Red.Png", ".\\red.png", "./red.png", '"red.png"', "C:\\Users\\x\\tex\\red.png"),
        *("/home/x/red.png", "\\\\server\\x\\red.png", "-s 1 1 1 red.png", "-o 0 -s 1 1 -clamp off red.png"),
        *("-blendu on -bm 1.5 -mm 0 1 red.png", "-imfchan r -texres 64 red.png", "..\\chair\\red.png"),
    ],
)
def test_a_texture_is_found_as_it_is_named(tmp_path: Path, name: str):
    put_picture(tmp_path / "chair/red.png")
    mesh = read(tmp_path, name)
    np.testing.assert_allclose(mesh.face_colors, [RED, RED])
    assert not [note for note in mesh.notes if "open" not in note]


@pytest.mark.parametrize(
    "name", ["tex\\my red.png", "TEX/My Red.png", "D:\\a\\Tex\\my red.png", "-s 2 2 2 -o 1 tex/my red.png"]
)
def test_folders_spaces_and_numbers_are_parts_of_a_name(tmp_path: Path, name: str):
    put_picture(tmp_path / "chair/tex/my red.png")
    put_picture(tmp_path / "chair/my red.png", (0, 255, 0))
    np.testing.assert_allclose(read(tmp_path, name).face_colors, [RED, RED])


def test_a_texture_may_be_named_from_the_folder_of_its_mtl(tmp_path: Path):
    put_picture(tmp_path / "chair/materials/tex/red.png")
    (tmp_path / "chair/materials/m.mtl").write_text("newmtl red\nKd 0 0 1\nmap_Kd tex/red.png\n")
    mesh = read(tmp_path, head="mtllib materials/m.mtl\nusemtl red\n")
    np.testing.assert_allclose(mesh.face_colors, [RED, RED])
    assert mesh.notes == ()


def test_a_texture_that_is_not_there_is_noted_and_kd_is_used(tmp_path: Path):
    mesh = read(tmp_path, "RED.PNG")
    np.testing.assert_allclose(mesh.face_colors, [BLUE, BLUE])
    assert mesh.notes == ("missing texture: its texture RED.PNG is not there: Kd is used",)


def test_a_name_that_several_files_may_mean_is_not_guessed(tmp_path: Path):
    put_picture(tmp_path / "chair/red.png")
    put_picture(tmp_path / "chair/Red.png", (0, 255, 0))
    assert read(tmp_path, "RED.png").notes == ("missing texture: its texture RED.png is not there: Kd is used",)
    np.testing.assert_allclose(read(tmp_path, "Red.png").face_colors, [GREEN, GREEN])


def test_missing_files_of_materials_and_missing_materials_are_noted(tmp_path: Path):
    grey = np.full((2, 3), (100 / 255) ** 2.2)
    mesh = read(tmp_path, head="mtllib missing.mtl\nusemtl red\n")
    assert mesh.notes == ("missing material file: missing.mtl is not there: grey is used",)
    np.testing.assert_allclose(mesh.face_colors, grey, rtol=1e-6)
    assert read(tmp_path, head="mtllib m.mtl\nusemtl other\n").notes == (
        "missing material: other in no .mtl of it: grey is used",
    )
    assert read(tmp_path, head="usemtl other\n").notes == ("missing material: other in no .mtl of it: grey is used",)
    assert read(tmp_path, head="").notes == ()


@pytest.mark.parametrize(
    ("mtl", "head", "note"),
    [
        (" ", "mtllib m.mtl\nusemtl red\n", "missing material: red in no .mtl of it: grey is used"),
        (
            "<html>not found</html>",
            "mtllib m.mtl\nusemtl red\n",
            "missing material: red in no .mtl of it: grey is used",
        ),
        ("newmtl red\nKd 1 0 0\n", "mtllib\nusemtl red\n", "missing material: red in no .mtl of it: grey is used"),
        *(
            (f"newmtl red\n{line}\n", "mtllib m.mtl\nusemtl red\n", note)
            for note in ("material without a colour: red, neither Kd nor a picture: grey is used",)
            for line in ("", "Ka 1 0 0\nmap_Ka red.png", "Kd", "Ks 1 1 1", "newmtl\nKd 1 0 0")
        ),
    ],
)
def test_grey_that_no_file_asked_for_is_noted(tmp_path: Path, mtl: str, head: str, note: str):
    mesh = read(tmp_path, mtl=mtl, head=head)
    assert mesh.notes == (note,)
    assert np.ptp(mesh.face_colors, axis=1).max() == 0


def test_a_material_without_a_name_does_not_colour_the_one_before(tmp_path: Path):
    mesh = read(tmp_path, mtl="newmtl red\nKd 1 0 0\nnewmtl\nKd 0 0 1\n")
    np.testing.assert_allclose(mesh.face_colors, [RED, RED])


def test_faces_where_a_texture_is_transparent_are_noted(tmp_path: Path):
    (tmp_path / "chair").mkdir()
    half = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    half.paste((255, 0, 0, 9), (0, 4, 8, 8))
    half.save(tmp_path / "chair/half.png")
    Image.new("P", (8, 8), 0).save(tmp_path / "chair/none.png", transparency=0)
    rest = "vt 0.1 0.1\nvt 0.1 0.9\nf 1/-1 2/-1 3/-1\nf 1/-2 3/-2 4/-2\n"
    mesh = read(tmp_path, "half.png", rest=rest)
    said = "faces lie where their picture shows nothing, and have the colour under it"
    assert mesh.notes == (f"transparent texture: 1 {said}",)
    np.testing.assert_allclose(mesh.face_colors, [RED, RED])
    assert read(tmp_path, "none.png", rest=rest).notes == (f"transparent texture: 2 {said}",)


def test_a_file_of_materials_is_read_once_whatever_it_is_called(tmp_path: Path):
    (tmp_path / "m.mtl").touch()
    files = ModelFiles(str(tmp_path), "", "x.obj")
    assert libraries_of(["m.mtl ./m.mtl M.MTL lost.mtl", ".//m.mtl"], files) == (["m.mtl"], ["lost.mtl"])
    assert libraries_of([" ".join(["m.mtl"] * 100_000)], files) == (["m.mtl"], [])
    with pytest.raises(BadSample, match="names more than 100 files of materials"):
        libraries_of([" ".join(f"{number}.mtl" for number in range(MOST_LIBRARIES + 1))], files)


def test_names_that_no_file_can_have_are_cut_in_notes(tmp_path: Path):
    (note,) = read(tmp_path, "C:" + "/long" * 50_000).notes
    assert note.startswith("missing texture: its texture C:/long/long")
    assert len(note) < 300


def test_materials_take_linear_time_and_their_notes_are_few():
    begin = time.process_time()
    lines = "Kd 2 2 2\n" * 300_000 + "map_Kd" + " -s 1" * 60_000 + " -mm 0 2 -mm 0 3" * 20 + " a.png\n"
    material = read_materials(f"newmtl a\n{lines}".encode(), "m.mtl")["a"]
    assert (material.picture, len(material.notes)) == ("a.png", 3)
    assert time.process_time() - begin < 5


def test_several_files_of_materials_on_lines_of_their_own_or_on_one(tmp_path: Path):
    for name, color in (("a", "1 0 0"), ("b c", "0 1 0")):
        (tmp_path / "chair").mkdir(exist_ok=True)
        (tmp_path / f"chair/{name}.mtl").write_text(f"newmtl {name}\nKd {color}\n")
    rest = "usemtl a\nf 1 2 3\nusemtl b  c\nf 1 3 4\nusemtl red\nf 1 2 4\n"
    mesh = read(tmp_path, mtl="newmtl red\nKd 0 0 1\n", head="mtllib a.mtl M.mtl\nmtllib B C.mtl\n", rest=rest)
    np.testing.assert_allclose(mesh.face_colors, [RED, GREEN, BLUE])
    assert mesh.notes == ()


@pytest.mark.parametrize(
    ("options", "color"),
    [("", RED), ("-o 0.5", [0, 0, 0]), ("-o 0.5 0.5", GREEN), ("-s 6 6", GREEN), ("-s 5 -o .1", [0, 0, 0])],
)
def test_scale_and_offset_of_a_texture_are_applied(tmp_path: Path, options: str, color: list):
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[1, 0], pixels[0, 1] = (255, 0, 0), (0, 255, 0)
    (tmp_path / "chair").mkdir()
    Image.fromarray(pixels).save(tmp_path / "chair/q.png")
    mesh = read(tmp_path, f"{options} q.png", rest="vt 0.1 0.1\nf 1/-1 2/-1 3/-1\n")
    np.testing.assert_allclose(mesh.face_colors, [color])


def test_faces_without_a_place_in_the_texture_have_kd_and_are_noted(tmp_path: Path):
    put_picture(tmp_path / "chair/red.png")
    mesh = read(tmp_path, "red.png", rest="f 1/1 2/2 3/3\nf 1 3 4\nf 1/9 2/2 4/4\n")
    np.testing.assert_allclose(mesh.face_colors, [RED, BLUE, BLUE])
    assert mesh.notes == ("faces without texture coordinates: 2 of a textured material, for which Kd is used",)


def test_twelve_materials_of_one_picture_decode_it_once(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("sem3d.datasets.objects.model_files.MOST_TEXTURE_PIXELS", 100)
    put_picture(tmp_path / "chair/red.png")
    mtl = "".join(f"newmtl m{number}\nmap_Kd {'red' if number % 2 else 'RED'}.png\n" for number in range(12))
    rest = "".join(f"usemtl m{number}\n{FACE}" for number in range(12))
    np.testing.assert_allclose(read(tmp_path, mtl=mtl, rest=rest).face_colors, [RED] * 24)


def test_the_orientation_of_a_photograph_does_not_turn_a_texture(tmp_path: Path):
    (tmp_path / "chair").mkdir()
    picture = Image.new("RGB", (8, 8), (0, 0, 255))
    picture.paste((255, 0, 0), (0, 4, 8, 8))
    exif = picture.getexif()
    exif[0x0112] = 3
    picture.save(tmp_path / "chair/t.png", exif=exif)
    mesh = read(tmp_path, "t.png", rest="vt 0.1 0.1\nf 1/-1 2/-1 3/-1\n")
    np.testing.assert_allclose(mesh.face_colors, [RED])


def test_unused_materials_are_not_looked_at(tmp_path: Path):
    (tmp_path / "chair").mkdir()
    (tmp_path / "chair/bad.png").write_bytes(b"no picture")
    mesh = read(tmp_path, mtl="newmtl red\nKd 1 0 0\nnewmtl spare\nmap_Kd bad.png\nnewmtl lost\nmap_Kd lost.png\n")
    np.testing.assert_allclose(mesh.face_colors, [RED, RED])
    assert mesh.notes == ()


@pytest.mark.parametrize(
    ("line", "levels", "words"),
    [
        ("Kd 1 0.5 0", (255, 128, 0), ""),
        ("  kd\t0.2", (51, 51, 51), ""),
        ("Kd 255 0 0", (255, 0, 0), "implausible colour: 'Kd 255 0 0' is cut to 0 to 1"),
        ("Kd red", (102, 102, 102), "unusable colour: 'Kd red' is not read"),
        ("Kd spectral a.rfl", (102, 102, 102), "unusable colour"),
        ("Kd nan 0 0", (102, 102, 102), "unusable colour"),
        ("Ks 1 1 1", (102, 102, 102), ""),
        ("Kd 1 0 0 # red", (255, 0, 0), ""),
        ("map_Kd a.png\nmap_d a.png", (102, 102, 102), ""),
        ("map_Kd a.png\nmap_d b.png", (102, 102, 102), "picture of opacity: 'map_d b.png' is not applied"),
        ("Kd 1 0 0\nd 0.0", (255, 0, 0), "invisible material: 'd 0.0', it is drawn whole"),
        ("Kd 1 0 0\nd 0.3", (255, 0, 0), ""),
    ],
)
def test_colours_of_materials(line: str, levels: tuple, words: str):
    material = read_materials(f"newmtl a\n{line}\n".encode(), "m.mtl")["a"]
    assert material.diffuse == levels
    assert [words in note for note in material.notes] == [True] * bool(words)


def test_options_that_are_not_applied_are_noted():
    material = read_materials(b"newmtl a\nmap_Kd -clamp on -mm 0.1 1 -t 0 0 0 a.png\n", "m.mtl")["a"]
    assert material.picture == "a.png"
    assert [note.partition("'")[2].partition("'")[0] for note in material.notes] == ["-clamp on", "-mm 0.1 1"]


@pytest.mark.parametrize("name", ["../../secret.png", "..\\..\\secret.png", "tex/../../../secret.png"])
def test_a_texture_outside_the_data_is_refused(tmp_path: Path, name: str):
    put_picture(tmp_path / "secret.png")
    with pytest.raises(BadSample, match=r"chair/x.obj: its file '.*secret.png' leads out of the catalogue"):
        read(tmp_path / "data", name)


def test_a_link_out_of_the_data_is_refused(tmp_path: Path):
    put_picture(tmp_path / "secret.png")
    (tmp_path / "data/chair").mkdir(parents=True)
    (tmp_path / "data/chair/red.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(BadSample, match=r"its file 'chair/red.png' cannot be used: .*leads out of the catalogue"):
        read(tmp_path / "data", "red.png")


def test_latin_1_names_of_materials_and_pictures(tmp_path: Path):
    put_picture(tmp_path / "chair/grün.png")
    (tmp_path / "chair/m.mtl").write_bytes("newmtl grün\nmap_Kd GRÜN.png\n".encode("latin-1"))
    (tmp_path / "chair/x.obj").write_bytes(f"mtllib m.mtl\nusemtl grün\n{SQUARE}{FACE}".encode("latin-1"))
    mesh = read_mesh(tmp_path, MeshFile("chair", "x", "chair/x.obj"))
    np.testing.assert_allclose(mesh.face_colors, [RED, RED])

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sem3d.config import digest
from sem3d.datasets.objects.sweet_home import make_entry, read_catalogue
from sem3d.errors import BadSample, UserError
from sem3d.folders import file_states
from sem3d.worlds.rooms.config import RoomsConfig
from sem3d.worlds.rooms.models import load_piece
from sem3d.worlds.rooms.room import build_room
from sem3d.worlds.rooms.supply import CatalogueSupply
from sem3d.worlds.rooms.write import write_rooms
from sem3d.worlds.textures import Texture

WEDGE = """mtllib wedge.mtl
v 0 0 0
v 2 0 0
v 0 3 0
v 0 0 1
vt 0 0
vt 1 0
vt 0 1
usemtl paint
f 1/1 3/3 2/2
f 1/1 2/2 4/3
f 1/1 4/3 3/2
f 2/1 3/2 4/3
"""
FLAT = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3"
FIELDS = {
    "category": "chair",
    "obj": "wedge.obj",
    "name": "Wedge",
    "creator": "Ann",
    "license": "CC0",
    "modelRotation": None,
}
SIZE = {"width_cm": "60", "depth_cm": "50", "height_cm": "90"}


def write_catalogue(root: Path, *entries: dict, material: str = "newmtl paint\nKd 1 0 0\n") -> Path:
    for entry in entries:
        folder = root / str(entry["category"]) / str(entry["id"])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "wedge.obj").write_text(WEDGE)
        (folder / "wedge.mtl").write_text(material)
    (root / "index.json").write_text(json.dumps(entries))
    return root


def test_a_model_is_turned_upright_scaled_and_coloured(tmp_path: Path):
    catalogue = read_catalogue(write_catalogue(tmp_path, FIELDS | SIZE | {"id": "a"}))
    piece = load_piece(catalogue.entries[0])
    np.testing.assert_allclose(piece.size, [0.6, 0.5, 0.9], atol=1e-6)
    assert (piece.label, piece.identity, piece.credit) == (5, "a", "Wedge by Ann, CC0")
    flat = piece.corners.reshape(-1, 3)
    assert flat[:, 2].min() == pytest.approx(0.0)
    tip = flat[flat[:, 2].argmax()]
    np.testing.assert_allclose(
        tip[:2], [-0.3, 0.25], atol=1e-6, err_msg="y is up, and what was at -z is the back at +y"
    )
    np.testing.assert_allclose(piece.materials[0].color, [1.0, 0.0, 0.0])


def test_the_model_rotation_is_applied_before_scaling(tmp_path: Path):
    turned = FIELDS | SIZE | {"id": "a", "modelRotation": "0 0 1 0 1 0 -1 0 0"}
    piece = load_piece(read_catalogue(write_catalogue(tmp_path, turned)).entries[0])
    flat = piece.corners.reshape(-1, 3)
    np.testing.assert_allclose(piece.size, [0.6, 0.5, 0.9], atol=1e-6)
    np.testing.assert_allclose(flat[flat[:, 2].argmax()][:2], [-0.3, -0.25], atol=1e-6)


def test_a_picture_beside_the_model_becomes_its_texture(tmp_path: Path):
    write_catalogue(tmp_path, FIELDS | SIZE | {"id": "a"}, material="newmtl paint\nKd 1 1 1\nmap_Kd bark.png\n")
    Image.new("RGB", (8, 8), (10, 200, 30)).save(tmp_path / "chair/a/bark.png")
    material = load_piece(read_catalogue(tmp_path).entries[0]).materials[0]
    assert material.texture == Texture.IMAGE
    assert material.image is not None
    np.testing.assert_array_equal(material.image[0, 0], [10, 200, 30])


def test_a_picture_that_is_cut_short_is_a_bad_sample_with_the_models_name(tmp_path: Path):
    write_catalogue(tmp_path, FIELDS | SIZE | {"id": "a"}, material="newmtl paint\nmap_Kd bark.png\n")
    Image.effect_noise((64, 64), 50).save(tmp_path / "chair/a/bark.png")
    whole = (tmp_path / "chair/a/bark.png").read_bytes()
    (tmp_path / "chair/a/bark.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadSample, match="unreadable texture picture") as fault:
        load_piece(read_catalogue(tmp_path).entries[0])
    assert fault.value.source.endswith(": a")


def test_bad_entries_are_named_and_the_others_stay(tmp_path: Path):
    good = FIELDS | SIZE | {"id": "good"}
    bad = [
        good | {"id": "huge", "width_cm": "900"},
        good | {"id": "sizeless", "height_cm": "tall"},
        good | {"id": "sheared", "modelRotation": "1 1 0 0 1 0 0 0 1"},
        good | {"id": "collada", "obj": "wedge.dae"},
        good | {"id": "../../outside"},
        good,
    ]
    write_catalogue(tmp_path / "c", good)
    (tmp_path / "c" / "index.json").write_text(json.dumps([good, *bad, good | {"id": "car", "category": "car"}]))
    catalogue = read_catalogue(tmp_path / "c")
    assert [entry.identity for entry in catalogue.entries] == ["good"]
    assert catalogue.skipped == 1
    named = " ".join(f"{one['source']} {one['reason']}" for one in catalogue.quarantine)
    assert all(name in named for name in ("huge", "sizeless", "sheared", "collada", "outside", "good"))
    assert len(catalogue.quarantine) == 6


@pytest.mark.parametrize(
    "content", ["", "v 0 0 0\nf 1 2 3\n", "v a b c\nf 1 1 1\n", "\0\1\2", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3"]
)
def test_an_unreadable_or_flat_model_is_a_bad_sample_with_its_name(tmp_path: Path, content: str):
    write_catalogue(tmp_path, FIELDS | SIZE | {"id": "broken"})
    (tmp_path / "chair/broken/wedge.obj").write_text(content)
    with pytest.raises(BadSample, match="broken"):
        load_piece(read_catalogue(tmp_path).entries[0])


@pytest.mark.parametrize("side", ["1e-320", "1e308"])
def test_a_model_that_no_scale_fits_is_a_bad_sample_with_its_name(tmp_path: Path, side: str):
    write_catalogue(tmp_path, FIELDS | SIZE | {"id": "odd"})
    corners = (
        f"v {x} {y} {z}" for x, y, z in ((0, 0, 0), (side, 0, 0), (0, side, 0), (0, 0, side), (f"-{side}", 0, 0))
    )
    (tmp_path / "chair/odd/wedge.obj").write_text("\n".join([*corners, "f 1 2 3", "f 1 3 4", "f 5 3 4"]))
    with pytest.raises(BadSample, match="odd"):
        load_piece(read_catalogue(tmp_path).entries[0])


@pytest.mark.parametrize("fields", [{"category": ["chair"]}, {"category": {}}])
def test_an_entry_whose_kind_is_no_text_is_a_thing_that_rooms_do_not_use(fields: dict):
    assert make_entry("index.json", FIELDS | SIZE | {"id": "a", "model": "a.obj"} | fields) is None


def test_an_entry_without_a_model_is_a_bad_sample_with_its_name():
    fields = FIELDS | SIZE | {"id": "a"}
    with pytest.raises(BadSample, match=r"^index\.json: a: no id, or its model '' leads"):
        make_entry("index.json", fields)


def test_a_material_library_cannot_reach_out_of_the_catalogue(tmp_path: Path):
    Image.new("RGB", (8, 8), (1, 2, 3)).save(tmp_path / "secret.png")
    write_catalogue(tmp_path / "c", FIELDS | SIZE | {"id": "a"}, material="newmtl paint\nmap_Kd ../../../secret.png\n")
    with pytest.raises(BadSample, match="leads out"):
        load_piece(read_catalogue(tmp_path / "c").entries[0])


def test_a_broken_model_is_replaced_by_another_and_named(tmp_path: Path):
    entries = [FIELDS | SIZE | {"id": f"chair{number}"} for number in range(12)]
    write_catalogue(tmp_path, *entries)
    for number in range(0, 12, 2):
        (tmp_path / f"chair/chair{number}/wedge.obj").write_text("")
    supply = CatalogueSupply(read_catalogue(tmp_path), 0, "train", 0)
    identities = {supply("chair").identity for _ in range(30)}
    assert identities
    assert all(int(name.removeprefix("chair")) % 2 for name in identities)
    assert supply.quarantine


def test_a_model_without_its_texture_is_used_and_noted(tmp_path: Path):
    entries = [FIELDS | SIZE | {"id": f"chair{number}"} for number in range(12)]
    write_catalogue(tmp_path, *entries, material="newmtl paint\nKd 1 0 0\nmap_Kd lost.png\n")
    supply = CatalogueSupply(read_catalogue(tmp_path), 0, "train", 0)
    piece = supply("chair")
    assert piece.identity.startswith("chair")
    assert supply.notes == {
        f"{tmp_path}: {piece.identity}": "missing texture: its texture lost.png is not there: Kd is used"
    }
    assert not supply.quarantine


def write_archive(path: Path, members: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


PROPERTIES = """id=Test
# a comment
id#1=Ann#wedge
name#1=Wooden chair
model#1=/ann/wedge.obj
width#1=60
depth#1=50
height#1=90
creator#1=Ann
id#2=Ann#other
name#2=Steam engine
model#2=/ann/wedge.obj
width#2=60
depth#2=50
height#2=90
"""


@pytest.mark.parametrize("name", ["test.sh3f", "test.SH3F"])
def test_an_sh3f_archive_is_read_in_place(tmp_path: Path, name: str):
    files = {
        "PluginFurnitureCatalog.properties": PROPERTIES,
        "ann/wedge.obj": WEDGE,
        "ann/wedge.mtl": "newmtl paint\nKd 0 1 0\n",
    }
    write_archive(tmp_path / name, files)
    catalogue = read_catalogue(tmp_path)
    assert [(entry.identity, entry.kind) for entry in catalogue.entries] == [("test__wedge", "chair")]
    assert catalogue.skipped == 1
    np.testing.assert_allclose(load_piece(catalogue.entries[0]).materials[0].color, [0.0, 1.0, 0.0])


def test_a_copy_of_an_archive_is_taken_once(tmp_path: Path):
    write_archive(tmp_path / "a.sh3f", {"PluginFurnitureCatalog.properties": PROPERTIES, "ann/wedge.obj": WEDGE})
    (tmp_path / "b.sh3f").write_bytes((tmp_path / "a.sh3f").read_bytes())
    catalogue = read_catalogue(tmp_path)
    assert [entry.identity for entry in catalogue.entries] == ["a__wedge"]
    assert catalogue.quarantine == [
        {"source": str(tmp_path / "b.sh3f"), "reason": "a copy of an archive: a.sh3f; taken once"}
    ]


def test_a_folder_may_be_called_as_an_archive(tmp_path: Path):
    catalogue = read_catalogue(write_catalogue(tmp_path / "mine.sh3f", FIELDS | SIZE | {"id": "a"}))
    np.testing.assert_allclose(load_piece(catalogue.entries[0]).materials[0].color, [1.0, 0.0, 0.0])


def test_a_picture_that_is_transparent_in_places_is_noted(tmp_path: Path):
    root = write_catalogue(tmp_path, FIELDS | SIZE | {"id": "a"}, material="newmtl paint\nKd 1 0 0\nmap_Kd t.png\n")
    picture = Image.new("RGBA", (8, 8), (10, 200, 30, 255))
    picture.putpixel((2, 3), (99, 99, 99, 0))
    picture.save(root / "chair/a/t.png")
    piece = load_piece(read_catalogue(tmp_path).entries[0])
    assert piece.notes == ("transparent texture: chair/a/t.png, which is seen where it shows nothing too",)


@pytest.mark.parametrize("name", ["bark.png", "Tex\\BARK.PNG"])
def test_a_picture_in_an_archive_is_found_as_in_a_folder(tmp_path: Path, name: str):
    picture = io.BytesIO()
    Image.new("RGB", (8, 8), (10, 200, 30)).save(picture, "PNG")
    path = write_archive(
        tmp_path / "c.sh3f",
        {
            "PluginFurnitureCatalog.properties": PROPERTIES,
            "ann/wedge.obj": WEDGE,
            "ann/wedge.mtl": f"newmtl paint\nmap_Kd {name}\n",
        },
    )
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("ann/" + ("tex/bark.png" if "\\" in name else name), picture.getvalue())
    (material,) = load_piece(read_catalogue(tmp_path).entries[0]).materials
    np.testing.assert_array_equal(material.image[0, 0], [10, 200, 30])


@pytest.mark.parametrize("name", ["../escape.obj", "/etc/escape.obj", "a/../../escape.obj", "c:\\escape.obj"])
def test_an_archive_with_a_path_that_leads_out_is_refused(tmp_path: Path, name: str):
    write_archive(tmp_path / "evil.sh3f", {"PluginFurnitureCatalog.properties": PROPERTIES, name: WEDGE})
    with pytest.raises(UserError, match="leads out of the archive"):
        read_catalogue(tmp_path)


def test_a_folder_without_furniture_or_with_a_broken_index_is_an_error(tmp_path: Path):
    with pytest.raises(UserError, match="no furniture in"):
        read_catalogue(tmp_path)
    (tmp_path / "index.json").write_text("{}")
    with pytest.raises(UserError, match="no furniture index"):
        read_catalogue(tmp_path)
    (tmp_path / "index.json").unlink()
    (tmp_path / "a.sh3f").write_text("no zip")
    with pytest.raises(UserError, match="no Sweet Home 3D catalogue"):
        read_catalogue(tmp_path)


def test_rooms_of_furniture_that_has_changed_since_are_refused(tmp_path: Path):
    config = RoomsConfig(furniture=str(write_catalogue(tmp_path / "models", FIELDS | SIZE | {"id": "a"})))
    (tmp_path / "out").mkdir()
    facts = {"digest": "", "rooms": 1, "frames": 4, "frame_stride": 1, "label_shares": {}, "quarantine": []}
    (tmp_path / "out/rooms.json").write_text(json.dumps(facts))
    with pytest.raises(UserError, match="another configuration") as error:
        write_rooms(tmp_path / "out", config)
    facts["digest"] = str(error.value).partition("not ")[2].partition(")")[0]
    (tmp_path / "out/rooms.json").write_text(json.dumps(facts))
    assert write_rooms(tmp_path / "out", config).reused, "rooms from before the files were looked at"
    states = file_states(tmp_path / "models")
    (tmp_path / "out/rooms.json").write_text(json.dumps(facts | {"furniture_files": digest(states)}))
    assert write_rooms(tmp_path / "out", config).reused
    (tmp_path / "models/chair/a/wedge.mtl").write_text("newmtl paint\nKd 0 0 1\n# mended\n")
    with pytest.raises(UserError, match="models of furniture have changed since: remove it"):
        write_rooms(tmp_path / "out", config)


def test_real_furniture_fills_a_room_and_its_splits_share_nothing(shared_data: Path):
    catalogue = read_catalogue(shared_data / "sweethome3d_furniture")
    assert len(catalogue.entries) > 100
    splits = {split: {one.identity for one in catalogue.entries if one.split == split} for split in ("train", "val")}
    assert not splits["train"] & splits["val"]
    assert {one.kind for one in catalogue.entries if one.split == "val"} >= {"chair", "table", "sofa", "lamp"}
    room = build_room("living_room", (1, 0, 0), CatalogueSupply(catalogue, 1, "train", 0))
    real = [one.piece for one in room.furniture if one.piece.credit]
    assert {piece.label for piece in real} >= {5, 6, 7}
    assert {piece.identity for piece in real} <= splits["train"]

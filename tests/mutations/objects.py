"""Readers of meshes, catalogues, renders, pictures of objects, and of what generated worlds leave on disk."""

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sem3d.datasets.checked_files import checksums, mapped
from sem3d.datasets.objects.mesh_files import find_meshes, read_mesh
from sem3d.datasets.objects.nmr import load_renders_index, load_view, load_views
from sem3d.datasets.objects.nmr_index import index_renders
from sem3d.datasets.objects.npz_stream import npz_items
from sem3d.datasets.objects.object_image import read_object_image
from sem3d.datasets.objects.render import STAMP, check_meshes, found, render_row, stored
from sem3d.datasets.objects.sweet_home import PROPERTIES, read_catalogue
from sem3d.datasets.quarantine import QuarantineReport
from sem3d.pipelines.given_picture import object_picture
from sem3d.worlds.rooms.config import RoomsConfig
from sem3d.worlds.rooms.models import load_piece
from sem3d.worlds.rooms.scan import write_room
from sem3d.worlds.rooms.write import found as found_rooms
from sem3d.worlds.shapes.write import ShapesConfig, write_shapes
from tests.datasets.objects.test_mesh_files import CUBE
from tests.datasets.objects.test_sweet_home import FIELDS, SIZE, WEDGE, write_catalogue
from tests.mutations.containers import member_of_zip, put_png, take_png
from tests.mutations.trials import Parser

CHAIR = "03001627"
MATERIAL = "newmtl paint\nNs 10.0\nKa 0.1 0.1 0.1\nKd 0.8 0.2 0.1\nKs 0.5 0.5 0.5\nd 1.0\nillum 2\nmap_Kd bark.png\n"
PAINTED = CUBE.replace("f 1 3 2", "vt 0 0\nvt 1 0\nvt 0 1\no cube\ng part\nusemtl paint\ns off\nf 1/1 3/2 2/3")
PROPERTIES_OF_TWO = """# a catalogue
id#1=ann#wedge
name#1=Chair \\u00e9
model#1=/models/wedge.obj
width#1=60.0
depth#1=50
height#1=90
creator#1=Ann
modelRotation#1=1 0 0 0 1 0 0 0 1
id#2=ann#lamp
name#2=Lamp
model#2=models/wedge.obj
width#2=30
depth#2=30
height#2=60
"""
NPZ = ("images", (24, 4, 64, 64), np.uint8), ("voxels", (32, 32, 32), np.bool_)


def releases(name: str, packed: bool = True) -> Callable[[Path], Path]:
    """Renders of one object as NMR released them, and the list of its names."""

    def make(folder: Path) -> Path:
        root = folder / "renders"
        root.mkdir(exist_ok=True)
        for kind, shape, dtype in NPZ:
            values = np.zeros((1, *shape), dtype)
            values[:, :, ..., 3:9] = 1
            if kind == "images":
                values[:, :, 3, 20:40, 20:40] = 255
            (np.savez_compressed if packed else np.savez)(root / f"{CHAIR}_train_{kind}.npz", values)
        (root / f"{CHAIR}_train_objects.txt").write_text("one\n")
        return root / f"{CHAIR}_train_{name}"

    return make


def checked_renders(folder: Path) -> None:
    index_renders(folder / "renders", folder / "runs", check=True, quarantine_limit=1.0)


def one_array(folder: Path) -> Path:
    np.savez(folder / "a.npz", np.arange(24, dtype=np.uint8).reshape(4, 3, 2))
    return folder / "a.npz"


def all_items(folder: Path) -> None:
    for _ in npz_items(folder / "a.npz"):
        pass


def indexed(name: str) -> Callable[[Path], Path]:
    """A file of an index of renders, kept from the first making of it."""

    def make(folder: Path) -> Path:
        if not (folder / "kept").is_dir():
            releases("images.npz")(folder)
            index_renders(folder / "renders", folder, out=folder / "kept")
        shutil.rmtree(folder / "index", ignore_errors=True)
        shutil.copytree(folder / "kept", folder / "index")
        return folder / "index" / name

    return make


def viewed(folder: Path) -> None:
    mapped.cache_clear(), checksums.cache_clear()
    index = load_renders_index(folder / "index")
    for row in index.table.slice(0, 2).to_pylist():
        load_view(index.folder, row), load_views(index.folder, row["class"], row["split"], row["object"])


def meshes(name: str) -> Callable[[Path], Path]:
    """A cube with material and texture in a class's folder."""

    def make(folder: Path) -> Path:
        root = folder / "meshes" / "chair"
        root.mkdir(parents=True, exist_ok=True)
        (root / "cube.obj").write_text(f"mtllib cube.mtl\n{PAINTED}")
        (root / "cube.mtl").write_text(MATERIAL)
        bark(root)
        return root / name

    return make


def bark(folder: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(folder / "bark.png")


def every_mesh(folder: Path) -> None:
    root = folder / "meshes"
    for mesh in find_meshes(root)[0]:
        read_mesh(root, mesh)
    check_meshes(root)


def catalogue(folder: Path) -> Path:
    entries = [FIELDS | SIZE | {"id": "a"}, FIELDS | SIZE | {"id": "b", "modelRotation": "0 0 1 0 1 0 -1 0 0"}]
    write_catalogue(folder / "meshes", *entries)
    return folder / "meshes" / "index.json"


def pieces(folder: Path) -> None:
    load_piece.cache_clear()
    for entry in read_catalogue(folder / "meshes").entries:
        load_piece(entry)


def furnished(folder: Path) -> None:
    pieces(folder)
    every_mesh(folder)


def archive(folder: Path) -> Path:
    (folder / "meshes").mkdir(exist_ok=True)
    picture = io.BytesIO()
    Image.new("RGB", (8, 8), (9, 90, 30)).save(picture, "PNG")
    inside = {PROPERTIES: PROPERTIES_OF_TWO, "models/wedge.obj": WEDGE, "models/wedge.mtl": MATERIAL}
    with zipfile.ZipFile(folder / "meshes" / "x.sh3f", "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in {**inside, "models/bark.png": picture.getvalue()}.items():
            packed.writestr(name, content)
    return folder / "meshes" / "x.sh3f"


def own_picture(name: str, **options: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        picture = Image.new("RGBA", (50, 40), (0, 0, 0, 0))
        picture.paste((200, 100, 50, 255), (10, 5, 30, 35))
        picture.save(folder / name, **options)
        return folder / name

    return make


def palette(folder: Path) -> Path:
    picture = Image.new("P", (50, 40))
    picture.putpalette([0, 0, 0, 200, 90, 30])
    picture.paste(1, (10, 5, 30, 35))
    picture.save(folder / "own", "PNG", transparency=0)
    return folder / "own"


def rendered(name: str) -> Callable[[Path], Path]:
    """What a preparation of renders has left."""

    def make(folder: Path) -> Path:
        out = folder / "out"
        out.mkdir(exist_ok=True)
        (out / STAMP).write_text("0123456789ab\n")
        (out / f"{CHAIR}_train_objects.txt").write_text("one\ntwo\n")
        QuarantineReport().write(out / "quarantine.json")
        return out / name

    return make


def part(folder: Path) -> Path:
    np.save(folder / "000000_images.npy", np.zeros((24, 4, 64, 64), np.uint8))
    return folder / "000000_images.npy"


def note_of_a_part(folder: Path) -> Path:
    (folder / "000000.note").write_text("open mesh: 3 open edges\n")
    return folder / "000000.note"


def render_again(folder: Path) -> None:
    mesh = {"category": "chair", "identity": "x", "path": "chair/x.obj", "rotation": [], "size": []}
    render_row(folder, folder, {"number": 0, "mesh": json.dumps(mesh)}, lambda *_: np.zeros((24, 4, 64, 64), np.uint8))


def summary_of_rooms(folder: Path) -> Path:
    facts = {"out": "x", "digest": "k", "reused": False, "rooms": 1, "frames": 4, "frame_stride": 1}
    content = facts | {"label_shares": {"1": 1.0}, "quarantine": [], "format": 2, "scenes": []}
    (folder / "rooms.json").write_text(json.dumps(content))
    return folder / "rooms.json"


def summary_of_shapes(folder: Path) -> Path:
    if not (folder / "shapes").is_dir():
        write_shapes(folder / "shapes", ShapesConfig(kinds=("chair",), objects=1))
    return folder / "shapes" / "shapes.json"


def half_a_world(folder: Path) -> Path:
    scene = folder / "scans" / "scene0000_00"
    scene.mkdir(parents=True, exist_ok=True)
    (scene / "room.json").write_text(json.dumps({"number": 0, "scene": "scene0000_00", "split": "train", "pixels": {}}))
    return scene / "room.json"


def room_again(folder: Path) -> None:
    write_room(folder, RoomsConfig(), {"number": 0, "split": "train", "kind": "living"})


RENDERS = (
    Parser("images of .npz", releases("images.npz"), checked_renders),
    Parser("voxels of .npz", releases("voxels.npz"), checked_renders),
    Parser("images inside .npz", releases("images.npz", packed=False), checked_renders, *member_of_zip("arr_0.npy")),
    Parser("array of .npz", one_array, all_items, *member_of_zip("arr_0.npy")),
    Parser("container of an .npz", one_array, all_items),
    Parser("names of objects", releases("objects.txt"), checked_renders),
    Parser("renders.json", indexed("renders.json"), viewed),
    Parser("rows.parquet", indexed("rows.parquet"), viewed),
    Parser("shard of images", indexed(f"{CHAIR}_train/images_00000.npy"), viewed),
    Parser("shard of voxels", indexed(f"{CHAIR}_train/voxels_00000.npy"), viewed),
    Parser("stamp of renders", rendered(STAMP), lambda f: found(f / "out", "0123456789ab", [])),
    Parser(
        "names beside renders", rendered(f"{CHAIR}_train_objects.txt"), lambda f: found(f / "out", "0123456789ab", [])
    ),
    Parser("part of renders", part, lambda f: list(stored(f, [0], "images"))),
    Parser("note of a part", note_of_a_part, render_again),
)
MESHES = (
    Parser(".obj", meshes("cube.obj"), every_mesh),
    Parser(".mtl", meshes("cube.mtl"), every_mesh),
    Parser("texture", meshes("bark.png"), every_mesh),
    Parser("texture, pixels", meshes("bark.png"), every_mesh, take_png, put_png),
    Parser("index.json of furniture", catalogue, furnished),
    Parser(".sh3f", archive, pieces),
    Parser("properties in .sh3f", archive, pieces, *member_of_zip(PROPERTIES)),
    Parser(".obj in .sh3f", archive, pieces, *member_of_zip("models/wedge.obj")),
    Parser(".mtl in .sh3f", archive, pieces, *member_of_zip("models/wedge.mtl")),
)
OWN_PICTURES = (
    Parser("own picture, PNG", own_picture("own", format="PNG"), lambda f: read_object_image(f / "own")),
    Parser(
        "own picture, pixels",
        own_picture("own", format="PNG"),
        lambda f: read_object_image(f / "own"),
        take_png,
        put_png,
    ),
    Parser("own picture, WebP", own_picture("own", format="WEBP"), lambda f: read_object_image(f / "own")),
    Parser("own picture of parts", own_picture("own", format="PNG"), lambda f: object_picture(f / "own")),
    Parser("own picture, palette", palette, lambda f: read_object_image(f / "own")),
)
WORLDS = (
    Parser("rooms.json", summary_of_rooms, partial(found_rooms, key="k")),
    Parser(
        "shapes.json",
        summary_of_shapes,
        lambda f: write_shapes(f / "shapes", ShapesConfig(kinds=("chair",), objects=1)),
    ),
    Parser("room.json", half_a_world, room_again),
)

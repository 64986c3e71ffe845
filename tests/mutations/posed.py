"""Readers of posed views in the SRN layout, of meshes with parts, and of what drawing them leaves on disk."""

import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sem3d.datasets.objects.archives import unpacked
from sem3d.datasets.objects.part_meshes import furniture_classes, read_parted
from sem3d.datasets.objects.partnet import category_of, model_of, official_splits, read_annotated
from sem3d.datasets.objects.sketch_files import write_depth
from sem3d.datasets.objects.srn_index import CONTENT, ROWS, answers, index_posed_views, load_posed_index
from sem3d.datasets.posed_rays import depth_of_view
from sem3d.datasets.posed_views import PosedViews, posed_view_sources
from sem3d.datasets.quarantine import QuarantineReport
from sem3d.geometry.sphere_cameras import square_intrinsics
from sem3d.worlds.posed.write import DONE, SUMMARY, draw_row, found
from tests.datasets.objects.partnet_folders import write_parted, write_partnet
from tests.datasets.objects.srn_folders import write_srn
from tests.mutations.containers import put_png, take_png
from tests.mutations.trials import Parser


def instance_file(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        return write_srn(folder / "data", {"train": 1}, views=2) / name

    return make


def checked(folder: Path) -> None:
    index_posed_views(folder / "data", folder / "runs", check=True, quarantine_limit=1.0)


def loaded(folder: Path) -> None:
    """Open an index of the file as it is and load a sample; faults leave the instance out, and then there is none to train on."""
    shutil.rmtree(folder / "runs", ignore_errors=True)
    config = PosedViews(root=str(folder / "data"), size=8, masks=0, quarantine_limit=1.0)
    train = posed_view_sources(config, str(folder / "runs"))["train"]
    train.load(train.table.to_pylist()[0], np.random.default_rng(0))


def indexed(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        if not (folder / "kept").is_dir():
            write_srn(folder / "data", {"train": 1}, views=2)
            shutil.copytree(index_posed_views(folder / "data", folder / "runs").folder, folder / "kept")
        shutil.rmtree(folder / "index", ignore_errors=True)
        shutil.copytree(folder / "kept", folder / "index")
        return folder / "index" / name

    return make


def opened(folder: Path) -> None:
    answers(folder / "index", "x")
    load_posed_index(folder / "index")


def drawn(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        out = folder / "train" / "x"
        out.mkdir(parents=True, exist_ok=True)
        (out / DONE).write_text(json.dumps({"fault": "", "notes": []}))
        (folder / SUMMARY).write_text(json.dumps({"digest": "k", "objects": {"train": 1}}))
        QuarantineReport().write(folder / "quarantine.json")
        return folder / name

    return make


def drawn_again(folder: Path) -> None:
    draw_row(folder, {"split": "train", "name": "x"}, lambda _folder, _row: [])


def annotated(name: str) -> Callable[[Path], Path]:
    return lambda folder: write_partnet(folder) / name


def every_annotated(folder: Path) -> None:
    category_of(folder / "1"), model_of(folder / "1")
    read_annotated(folder / "1", "chair")


def lists(folder: Path) -> Path:
    for split in ("train", "val", "test"):
        (folder / f"Chair.{split}.json").write_text(json.dumps([{"anno_id": split, "model_id": "x"}]))
    return folder / "Chair.val.json"


def parted(folder: Path) -> None:
    furniture_classes(read_parted(folder / "table_x.obj"), "table")


def archive(folder: Path) -> Path:
    write_partnet(folder / "meshes")
    with tarfile.open(folder / "a.tar.xz", "w:xz") as packed:
        packed.add(folder / "meshes", "meshes")
    return folder / "a.tar.xz"


def opened_archive(folder: Path) -> None:
    shutil.rmtree(folder / "out", ignore_errors=True)
    unpacked(folder / "a.tar.xz", folder / "out")


def depth_file(folder: Path) -> Path:
    data = write_srn(folder / "data", {"train": 1}, views=2)
    write_depth(data / "train" / "object0", 0, np.full((8, 8), 1.3, np.float32))
    return data / "train" / "object0" / "depth" / "000000.png"


def depth_read(folder: Path) -> None:
    pose = np.loadtxt(folder / "data" / "train" / "object0" / "pose" / "000000.txt").ravel()
    row = {"pictures": ["train/object0/rgb/000000.png"], "height": 8, "width": 8, "poses": pose}
    depth_of_view(folder / "data", row | {"intrinsics": square_intrinsics(8).ravel()}, 0, 4)


VIEWS = (
    Parser("true depth of a view", depth_file, depth_read),
    Parser("true depth of a view, pixels", depth_file, depth_read, take_png, put_png),
    Parser("intrinsics.txt", instance_file("train/object0/intrinsics.txt"), checked),
    Parser("pose of a view", instance_file("train/object0/pose/000001.txt"), checked),
    Parser("picture of a view", instance_file("train/object0/rgb/000001.png"), checked),
    Parser("picture of a view, pixels", instance_file("train/object0/rgb/000000.png"), loaded, take_png, put_png),
    Parser("mask of a view", instance_file("train/object0/seg/000001.npy"), loaded),
    Parser("classes.txt", instance_file("classes.txt"), checked),
    Parser("posed_views.json", indexed(CONTENT), opened),
    Parser("rows of posed views", indexed(ROWS), opened),
    Parser("posed_shapes.json", drawn(SUMMARY), lambda f: found(f, "k")),
    Parser("drawn object", drawn(f"train/x/{DONE}"), drawn_again),
)
MESHES = (
    Parser("tree of parts", annotated("result_after_merging.json"), every_annotated),
    Parser("meta.json of PartNet", annotated("meta.json"), every_annotated),
    Parser("coloured points", annotated("point_sample/sample-points-all-pts-nor-rgba-10000.txt"), every_annotated),
    Parser("mesh of a part", annotated("objs/new-0.obj"), every_annotated),
    Parser("splits of PartNet", lists, lambda f: official_splits(f, "chair")),
    Parser(".obj of parts", write_parted, parted),
    Parser("tar of meshes", archive, opened_archive),
)

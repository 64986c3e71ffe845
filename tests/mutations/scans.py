"""Readers of scans, and of the indexes that are made of them."""

import dataclasses
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sem3d.datasets.budgets import official_budget
from sem3d.datasets.frame_pairs import FramePairs, pair_samples
from sem3d.datasets.quarantine import QuarantineReport
from sem3d.datasets.scans.cloud_sources import scans_of_index, with_objects
from sem3d.datasets.scans.clouds import ensure_clouds
from sem3d.datasets.scans.ensure_index import ensure_index
from sem3d.datasets.scans.frames import label_table, read_color, read_depth, read_instance, read_label
from sem3d.datasets.scans.index import PrepareConfig, load_index
from sem3d.datasets.scans.labelled_cloud import labelled_cloud
from sem3d.datasets.scans.labelled_scene import CloudConfig
from sem3d.datasets.scans.labels import LABEL_TABLE, read_label_table
from sem3d.datasets.scans.layouts import color_and_depth_size, read_matrix
from sem3d.datasets.scans.own_classes import read_table as read_classes
from sem3d.datasets.scans.prepare import prepare
from sem3d.datasets.scans.s3dis import read_room
from sem3d.datasets.scans.sens import SensFile, SensWriter
from sem3d.datasets.scans.seven_scenes import SevenScenes, official_split
from sem3d.datasets.scans.splits import read_split_lists
from sem3d.datasets.scans.sun_rgbd import read_frame
from sem3d.datasets.scans.surface import read_scene_mesh, read_surface
from sem3d.datasets.scene_clouds import SceneClouds, cloud_samples
from sem3d.datasets.stream import Samples, load_batch
from sem3d.datasets.voxel_matches import _voxels_of
from tests.datasets.scans.captures import write_arkit, write_nerfstudio, write_replica, write_tum
from tests.datasets.scans.labelled_walls import labels_file, write_walls
from tests.datasets.scans.objects_on_walls import object_files, write_walls_with_objects
from tests.datasets.scans.official_files import (
    COLOR_SIZE,
    DEPTH_SIZE,
    INTRINSICS_COLOR,
    INTRINSICS_DEPTH,
    jpeg,
    pose,
    wall_color,
    wall_depth,
    write_export,
    write_frames_25k,
    write_ply,
    write_sens_scene,
    write_seven_scenes,
)
from tests.datasets.scans.s3dis_rooms import object_file, write_s3dis
from tests.datasets.scans.sun_rgbd_frames import boxes_file, points_file, write_sun_rgbd
from tests.mutations.containers import put_png, take_png
from tests.mutations.trials import Parser, emptied

SMALL, LEVELS = (30, 40), PrepareConfig(stride=1, quarantine_limit=1.0)
ROW: dict[str, Any] = {
    "color": "color",
    "depth": "depth.png",
    "label": "label.png",
    "instance": "instance.png",
    "color_height": COLOR_SIZE[0],
    "color_width": COLOR_SIZE[1],
    "depth_height": DEPTH_SIZE[0],
    "depth_width": DEPTH_SIZE[1],
    "depth_scale": 1000.0,
}
TABLE = 'id\traw_category\tnyu40id\n1\twall\t1\n3\tfloor\t2\n40\tbath "tub"\t36\n'
LISTED = "scene0000_00\nscene0001_00\n"


def sens(color_compression: str, depth_compression: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        cameras = {"intrinsics_color": INTRINSICS_COLOR, "intrinsics_depth": INTRINSICS_DEPTH}
        kinds = {"color_compression": color_compression, "depth_compression": depth_compression}
        with SensWriter(folder / "a.sens", color_size=SMALL, depth_size=SMALL, **cameras, **kinds) as writer:
            for number in range(2):
                writer.write(pose(number), wall_color(number, SMALL), wall_depth(SMALL))
        return folder / "a.sens"

    return make


def every_frame(folder: Path) -> None:
    with SensFile(folder / "a.sens") as opened:
        for frame in range(min(len(opened), 50)):
            opened.pose(frame), opened.depth(frame), opened.color(frame)


def saved(name: str, image: np.ndarray | Image.Image, **options: Any) -> Callable[[Path], Path]:
    """A picture of a frame, with the tables that some need beside it."""

    def make(folder: Path) -> Path:
        picture = Image.fromarray(image) if isinstance(image, np.ndarray) else image
        picture.save(folder / name, **options)
        Image.fromarray(np.full(COLOR_SIZE, 5, np.uint8)).save(
            folder / ("label.png" if name != "label.png" else "x.png")
        )
        (folder / LABEL_TABLE).write_text(TABLE)
        return folder / name

    return make


def categories(folder: Path) -> None:
    label_table.cache_clear()
    read_label(folder, ROW | {"label": f"label.png#{LABEL_TABLE}"})


def both_headers(folder: Path) -> None:
    color_and_depth_size(folder / "color", folder / "depth.png")


def color_header(folder: Path) -> Path:
    saved("depth.png", wall_depth())(folder)
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved("color", wall_color(), format="JPEG", exif=exif)(folder)


def text(name: str, content: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_text(content)
        return folder / name

    return make


def matrix(side: int) -> str:
    return "\n".join(" ".join(f"{value:.8e}" for value in row) for row in np.eye(side) * [*[1.5] * (side - 1), 1])


def table(folder: Path) -> Path:
    return text(LABEL_TABLE, TABLE)(folder)


def official_splits(folder: Path) -> Path:
    (folder / "seq-01").mkdir(exist_ok=True)
    return text("TrainSplit.txt", "sequence1\nsequence2\n")(folder)


def prepared(layout: str) -> Callable[[Path], None]:
    """The whole preparation of a folder of scans, checks included, and one pair of it as training loads it."""

    def read(folder: Path) -> None:
        index = prepare(
            folder / "data", emptied(folder / "out") / "index", dataclasses.replace(LEVELS, layout=layout), True
        )
        for surface in (index.folder / "surface").iterdir():
            read_surface(surface)
        unforeseen = [
            item
            for item in QuarantineReport.read(index.folder / "quarantine.json").items
            if "unforeseen" in item.reason
        ]
        assert not unforeseen, unforeseen

    return read


def mesh(folder: Path, name: str, labels: np.ndarray | None) -> Path:
    points = np.array([[x, y, 2.0] for x in (-0.4, 0.0, 0.4) for y in (-0.3, 0.3)], np.float32)
    faces = np.array([[0, 1, 2], [1, 3, 2], [2, 3, 4], [3, 5, 4]])
    write_ply(folder / name, points, np.full((6, 3), 90, np.uint8), faces, labels)
    return folder / name


def scan_with_mesh(folder: Path) -> Path:
    depth = zlib.compress(wall_depth().tobytes())
    path = write_sens_scene(
        folder / "data", "scene0000_00", [(pose(0.05 * n), jpeg(wall_color(n)), depth) for n in range(3)]
    )
    (path.parent / "label-filt").mkdir(exist_ok=True)
    Image.fromarray(np.full(COLOR_SIZE, 5, np.uint8)).save(path.parent / "label-filt" / "0.png")
    mesh(path.parent, "scene0000_00_vh_clean_2.labels.ply", np.arange(6, dtype=np.uint16))
    return mesh(path.parent, "scene0000_00_vh_clean_2.ply", None)


def scan_as_sens(folder: Path) -> Path:
    return scan_with_mesh(folder).with_name("scene0000_00.sens")


def room(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        write_seven_scenes(folder / "data" / "room", 4)
        return folder / "data" / "room" / name

    return make


def captured(write: Callable[..., Any], name: str) -> Callable[[Path], Path]:
    """A file of a capture of four frames in another tool's layout."""

    def make(folder: Path) -> Path:
        write_seven_scenes(folder / "frames", 4)
        write(folder / "frames", list(SevenScenes().scan(folder / "frames", 1)), folder / "data" / "room")
        return folder / "data" / name

    return make


def exported(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        write_export(folder / "data", "scene0000_00", 3)
        return folder / "data" / "scene0000_00" / name

    return make


def frames_25k(folder: Path) -> Path:
    return write_frames_25k(folder / "data", "scene0000_00", 3) / "label" / "000100.png"


def index(name: str) -> Callable[[Path], Path]:
    """An index of two rooms, kept from the first making of it."""

    def make(folder: Path) -> Path:
        if not (folder / "kept").is_dir():
            for number in range(2):
                write_seven_scenes(folder / "data" / f"room{number}", 3)
            prepare(folder / "data", folder / "kept", LEVELS)
        shutil.rmtree(folder / "index", ignore_errors=True)
        shutil.copytree(folder / "kept", folder / "index")
        return folder / "index" / name

    return make


def trained_on(folder: Path) -> None:
    """Opens an index as training does and loads its first pairs."""
    _voxels_of.cache_clear()
    config = FramePairs(root=str(folder / "index"), height=24, width=32, matches=8, voxel_size=0.2, evaluation_pairs=2)
    for samples in pair_samples(config, str(folder / "runs"), 0, voxels=True, depth=True).values():
        load_batch(samples, samples.order(0), range(min(2, samples.table.num_rows)))


def opened_index(folder: Path) -> str:
    ensure_index(folder / "index", folder / "runs", PrepareConfig())
    return load_index(folder / "index").described


def left_out(folder: Path) -> None:
    QuarantineReport.read(folder / "index" / "quarantine.json").counts()


def surface_file(folder: Path) -> Path:
    make = index("surface/room0.parquet")
    return make(folder)


def labelled_walls(name: str) -> Callable[[Path], Path]:
    """Labelled clouds of two scenes, kept from the first making of them; ``name`` is a file of scans or of clouds."""

    def make(folder: Path) -> Path:
        if not (folder / "kept").is_dir():
            write_walls(folder / "data", train=1, held_out=1)
            prepare(folder / "data", folder / "index", LEVELS)
            (made,) = {samples.load.folder for samples in opened_clouds(folder).values()}
            shutil.copytree(made, folder / "kept")
        (place,) = (folder / "runs" / "clouds").glob("[0-9a-f]*")
        shutil.rmtree(place)
        shutil.copytree(folder / "kept", place)
        return place / name

    return make


def opened_clouds(folder: Path) -> dict[str, Samples]:
    return cloud_samples(SceneClouds(root=str(folder / "index"), voxel_size=0.2), str(folder / "runs"))


def trained_on_clouds(folder: Path) -> None:
    """Opens clouds as training does and loads a scene of each split."""
    for samples in opened_clouds(folder).values():
        load_batch(samples, samples.order(0), range(1))


def labels_of_a_scene(folder: Path) -> Path:
    write_walls(folder / "data", train=1, held_out=1)
    prepare(folder / "data", folder / "index", LEVELS)
    return labels_file(folder / "data", "scene0000_00")


def labelled_anew(folder: Path) -> None:
    emptied(folder / "runs")
    source = scans_of_index(load_index(folder / "index"))
    opened = ensure_clouds(source, folder / "runs", CloudConfig(), 1.0, lambda _: None)
    items = QuarantineReport.read(opened.folder / "quarantine.json").items
    assert not [item for item in items if "unforeseen" in item.reason], items


def objects_of_a_scene(number: int) -> Callable[[Path], Path]:
    """One of the two files of objects of the first of two scenes."""

    def make(folder: Path) -> Path:
        write_walls_with_objects(folder / "data", train=1, held_out=1)
        prepare(folder / "data", folder / "index", LEVELS)
        return object_files(folder / "data", "scene0000_00")[number]

    return make


def alignment_of_a_scene(folder: Path) -> Path:
    objects_of_a_scene(0)(folder)
    path = folder / "data" / "scene0000_00" / "scene0000_00.txt"
    path.write_text(
        "numColorFrames = 2\naxisAlignment = 0.6 -0.8 0 1.5 0.8 0.6 0 -2 0 0 1 0 0 0 0 1\nsceneType = Office\n"
    )
    return path


def told_apart(folder: Path) -> None:
    source = with_objects(scans_of_index(load_index(folder / "index")))
    for scene in source.scenes():
        cloud = labelled_cloud(source.root, scene, CloudConfig())
        assert cloud.parts if cloud.unusable is None else "unforeseen" not in cloud.unusable.reason, cloud.unusable


def frame_of_sun_rgbd(file: Callable[[Path, str, int], Path]) -> Callable[[Path], Path]:
    return lambda folder: file(write_sun_rgbd(folder / "data", 1, 0), "train", 1)


def read_sun_rgbd(folder: Path) -> None:
    read_frame(folder / "data", "sunrgbd_pc_bbox_votes_50k_v1_train/000001")


def object_of_s3dis(folder: Path) -> Path:
    return object_file(write_s3dis(folder / "data"), "Area_1/office_1", "chair_1")


def read_s3dis(folder: Path) -> None:
    read_room(folder / "data", "Area_1/office_1/Annotations", "office")


LABEL, IDS = np.full(COLOR_SIZE, 5, np.uint8), np.full(COLOR_SIZE, 3, np.uint16)
PICTURES = (
    Parser("colour of a frame, JPEG", saved("color", wall_color(), format="JPEG"), lambda f: read_color(f, ROW)),
    Parser("colour of a frame, PNG", saved("color", wall_color(), format="PNG"), lambda f: read_color(f, ROW)),
    Parser(
        "colour of a frame, pixels of a PNG",
        saved("color", Image.fromarray(wall_color()).convert("RGBA"), format="PNG"),
        lambda f: read_color(f, ROW),
        take_png,
        put_png,
    ),
    Parser("depth of a frame", saved("depth.png", wall_depth()), lambda f: read_depth(f, ROW)),
    Parser(
        "depth of a frame, pixels", saved("depth.png", wall_depth()), lambda f: read_depth(f, ROW), take_png, put_png
    ),
    Parser("label of a frame", saved("label.png", LABEL), lambda f: read_label(f, ROW), take_png, put_png),
    Parser("label of a frame, category ids", saved("label.png", IDS), categories, take_png, put_png),
    Parser("instance of a frame", saved("instance.png", IDS), lambda f: read_instance(f, ROW)),
    Parser(
        "instance of a frame, 8 bits", saved("instance.png", LABEL), lambda f: read_instance(f, ROW), take_png, put_png
    ),
    Parser("header of a colour image", color_header, both_headers),
    Parser(
        "header of a depth image", lambda f: (color_header(f), saved("depth.png", wall_depth())(f))[1], both_headers
    ),
)
OWN_CSV = "id,name,color\n1,wall,#aab7c4\n2,floor,#8a6f4d\n"
OWN_JSON = '[{"id": 1, "name": "wall", "color": "#aab7c4"}, {"id": 2, "name": "floor", "color": "#8a6f4d"}]'
SCANS = (
    Parser(".sens, JPEG and zlib", sens("jpeg", "zlib"), every_frame),
    Parser(".sens, PNG and zlib", sens("png", "zlib"), every_frame),
    Parser(".sens, raw", sens("raw", "raw"), every_frame),
    Parser("mesh of a scene", lambda f: mesh(f, "a.ply", None), lambda f: read_scene_mesh(f / "a.ply")),
    Parser(
        "labelled mesh",
        lambda f: mesh(f, "a.ply", np.arange(6, dtype=np.uint16)),
        lambda f: read_scene_mesh(f / "a.ply"),
    ),
    Parser("pose", text("pose.txt", matrix(4)), lambda f: read_matrix(f / "pose.txt", 4)),
    Parser("intrinsics", text("camera.txt", matrix(3)), lambda f: read_matrix(f / "camera.txt", 3)),
    Parser("list of a split", text("scannetv2_train.txt", LISTED), lambda f: read_split_lists(f, "")),
    Parser("lists of sequences", official_splits, lambda f: official_split(f / "seq-01")),
    Parser(
        "list of a label budget", text("l.txt", LISTED), lambda f: official_budget(f / "l.txt", ["scene0000_00"] * 3)
    ),
    Parser("classes of one's own, CSV", text("own.csv", OWN_CSV), lambda f: read_classes(f / "own.csv")),
    Parser("classes of one's own, JSON", text("own.json", OWN_JSON), lambda f: read_classes(f / "own.json")),
    Parser("label table", table, lambda f: read_label_table(f / LABEL_TABLE)),
    Parser("category ids by a table", lambda f: (saved("label.png", IDS)(f), table(f))[1], categories),
)
PREPARATIONS = (
    Parser("preparation of .sens", scan_as_sens, prepared("scannet_sens")),
    Parser("preparation with a mesh", scan_with_mesh, prepared("scannet_sens")),
    Parser("preparation with poses", room("frame-000002.pose.txt"), prepared("seven_scenes")),
    Parser("preparation with intrinsics", room("camera-intrinsics.txt"), prepared("seven_scenes")),
    Parser("preparation with depth", room("frame-000001.depth.png"), prepared("seven_scenes"), take_png, put_png),
    *(
        Parser(f"preparation with TUM's {name}", captured(write_tum, f"room/{name}"), prepared("tum_rgbd"))
        for name in ("rgb.txt", "depth.txt", "groundtruth.txt")
    ),
    Parser("preparation of nerfstudio", captured(write_nerfstudio, "room/transforms.json"), prepared("nerfstudio")),
    Parser("preparation with Replica's poses", captured(write_replica, "room/traj.txt"), prepared("replica")),
    Parser("preparation with Replica's camera", captured(write_replica, "cam_params.json"), prepared("replica")),
    Parser("preparation of ARKitScenes", captured(write_arkit, "room/lowres_wide.traj"), prepared("arkit_scenes")),
    Parser("preparation of an export", exported("intrinsic/intrinsic_color.txt"), prepared("scannet_export")),
    Parser("preparation with extrinsics", exported("intrinsic/extrinsic_depth.txt"), prepared("scannet_export")),
    Parser("preparation with labels", frames_25k, prepared("scannet_frames_25k"), take_png, put_png),
)
INDEXES = (
    Parser("index.json", index("index.json"), opened_index),
    Parser("frames.parquet", index("frames.parquet"), trained_on),
    Parser("pairs.parquet", index("pairs.parquet"), trained_on),
    Parser("scenes.parquet", index("scenes.parquet"), trained_on),
    Parser("surface of a scene", surface_file, lambda f: read_surface(f / "index" / "surface" / "room0.parquet")),
    Parser("surface in training", surface_file, trained_on),
    Parser("quarantine.json", index("quarantine.json"), left_out),
    Parser("labels of a scene", labels_of_a_scene, labelled_anew),
    Parser("segments of a scene", objects_of_a_scene(0), told_apart),
    Parser("objects of a scene", objects_of_a_scene(1), told_apart),
    Parser("axis alignment of a scene", alignment_of_a_scene, told_apart),
    Parser("object of a room of S3DIS", object_of_s3dis, read_s3dis),
    Parser("points of SUN RGB-D", frame_of_sun_rgbd(points_file), read_sun_rgbd),
    Parser("boxes of SUN RGB-D", frame_of_sun_rgbd(boxes_file), read_sun_rgbd),
    Parser("clouds.json", labelled_walls("clouds.json"), trained_on_clouds),
    Parser("parts of clouds", labelled_walls("parts.parquet"), trained_on_clouds),
    Parser("points of a cloud", labelled_walls("0.parquet"), trained_on_clouds),
)

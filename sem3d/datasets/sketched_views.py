"""Views of single objects with their viewpoint, 2.5D sketches and shape as samples: what the methods of 2D-3D-2D learn from.

A row is a view, or a shape where views play no part. Pictures are cut to nothing: the object's middle is near the picture's, and
:mod:`sem3d.pipelines.pixel_semantics` cuts photographs to look so.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from jaxtyping import Float32, UInt8
from PIL import Image

from sem3d.bounds import AtLeastOne, Bounds, Seed, Share, Side
from sem3d.config import DataFolder, digest
from sem3d.datasets.budgets import label_budget
from sem3d.datasets.objects.sketch_files import (
    DEPTH,
    KEYPOINTS,
    NORMAL,
    PHOTO,
    VOXELS,
    coarser,
    read_depth,
    read_normals,
    read_voxels,
)
from sem3d.datasets.objects.srn_layout import read_picture, squared
from sem3d.datasets.pictures import read_color_picture
from sem3d.datasets.posed_views import OpenedViews, PosedViews, Split, evenly, open_posed_views
from sem3d.datasets.stream import Samples
from sem3d.errors import BadSample, UserError
from sem3d.geometry.object_camera import viewpoint_of

Column = Literal["image", "sketch", "viewpoint", "voxel", "noise"]
SKETCH_CHANNELS = 5
"""Depth, three of the normals, silhouette."""
MOST_SQUARES = 8
"""Random colours along a side of a background."""
EDGES = (Image.Resampling.NEAREST, Image.Resampling.BILINEAR)
LEAST_TINT = 0.4
"""Of an object's brightness, whatever colour tints it."""
GREY = np.array([0.299, 0.587, 0.114], np.float32)
EIGENVALUES = np.array([0.2175, 0.0188, 0.0045], np.float32)
EIGENVECTORS = np.array(
    [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]], np.float32
)
"""Of ImageNet's colours in [0, 1] (Krizhevsky et al., NIPS 2012)."""


@dataclass(frozen=True, kw_only=True)
class SketchedViews:
    """A choice of objects with sketches and shapes, their sizes, and the budget of training objects."""

    generated: ClassVar = "sketched_shapes"
    root: DataFolder = ""
    """Folder of <split>/<instance>/{rgb,pose,depth,normal}/ with voxels.npy, as jobs.prepare sketched_shapes writes it."""
    category: str = ""
    """One class, where the folder holds several."""
    size: Side = 256
    """Side of the pictures that networks see, pixels. Paper: 256 of 480."""
    voxels: Annotated[int, Bounds(8, 128)] = 128
    """Side of the grid of a shape, which divides that of the files. Paper: 128."""
    latent: AtLeastOne = 200
    """Numbers that a generated shape is made of (ShapeHD)."""
    budget: Annotated[float, Bounds(0, 1, above=True)] = 1.0
    """Share of the training objects in use; a smaller budget is part of a larger one."""
    budget_seed: Seed = 0
    """Decides which objects a budget holds, apart from run.seed."""
    evaluation_views: int = 0
    """Views of each held-out object that are scored, evenly along them; 0: all."""
    tested_on: Literal["photo", "render"] = "photo"
    """Pictures of test objects: before backgrounds and with textures, where the data have them, or plain as in training."""
    jitter: Share = 0.4
    """Largest share by which brightness, contrast and saturation of a training picture change (ShapeHD)."""
    lighting: Share = 0.1
    """Standard deviation of the noise along the principal axes of colour (ShapeHD)."""
    backdrops: Share = 0.0
    """Share of training pictures whose object stands before random colours and is tinted by others, in squares or smoothly."""
    quarantine_limit: float = 0.1
    """Largest share of the objects that may be unusable."""


@dataclass(frozen=True)
class LoadSketched:
    """Row of a view to the columns that a method asks for."""

    root: Path
    config: SketchedViews
    columns: tuple[Column, ...]
    augment: bool

    def __call__(self, row: dict[str, Any], rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return the columns of :func:`empty_columns`, filled; raises :class:`BadSample` for a file that cannot be used."""
        folder, picture = self.root / row["folder"], Path(row["picture"]).name
        loaded: dict[str, np.ndarray] = {"usable": np.ones((), np.uint8)}
        if "image" in self.columns:
            image = self.seen(folder, picture, row["photo"], rng)
            if self.augment:
                image = other_light(image, self.config, rng)
            loaded["image"] = np.ascontiguousarray(image.transpose(2, 0, 1))
        if "sketch" in self.columns:
            loaded["sketch"] = read_sketch(folder, Path(picture).stem, self.config.size)
        if "viewpoint" in self.columns:
            azimuth, polar, middle = viewpoint_of(np.array(row["pose"]).reshape(4, 4))
            loaded["angles"] = np.array([azimuth, polar], np.float32)
            loaded["middle"] = middle.astype(np.float32)
        if "voxel" in self.columns:
            path = folder / VOXELS
            loaded["voxel"] = coarser(read_voxels(path), self.config.voxels, str(path)).astype(np.uint8)
        if "noise" in self.columns:
            loaded["latent"] = rng.normal(size=self.config.latent).astype(np.float32)
            loaded["mix"] = np.array(rng.random(), np.float32)
        return loaded

    def seen(
        self, folder: Path, picture: str, photo: bool, rng: np.random.Generator
    ) -> UInt8[np.ndarray, "side side 3"]:
        """Return what a network sees of a view: a render over white or, in training, over random colours; or a photograph."""
        side = self.config.size
        if not photo:
            drawn, _ = squared(read_picture(folder / "rgb" / picture), None, side)
            share = drawn[..., 3:] / np.float32(255)
            behind: UInt8[np.ndarray, "side side 3"] | int = 255
            if self.augment and self.config.backdrops and rng.random() < self.config.backdrops:
                behind, tint = random_colours(side, rng), random_colours(side, rng)
                drawn = (drawn[..., :3] * (LEAST_TINT + (1 - LEAST_TINT) * tint / np.float32(255))).clip(0, 255)
            return np.rint(drawn[..., :3] * share + behind * (1 - share)).astype(np.uint8)
        path = folder / PHOTO / Path(picture).with_suffix(".png").name
        found = read_color_picture(path, str(path))
        if found.shape[0] != found.shape[1]:
            raise BadSample(
                str(path), f"a photo of {found.shape[1]} x {found.shape[0]}: sketches and renders are square"
            )
        return np.asarray(Image.fromarray(found).resize((side, side), Image.Resampling.BOX))


def random_colours(side: int, rng: np.random.Generator) -> UInt8[np.ndarray, "{side} {side} 3"]:
    """Return a picture of a few random colours, in squares or running into each other."""
    count = int(rng.integers(1, MOST_SQUARES + 1))
    squares = Image.fromarray(rng.integers(0, 256, (count, count, 3), dtype=np.uint8))
    return np.asarray(squares.resize((side, side), Image.Resampling(int(rng.choice(EDGES)))))


def read_sketch(folder: Path, name: str, side: int) -> Float32[np.ndarray, "5 {side} {side}"]:
    """Return depth, normals and silhouette of a view at another size, by nearest pixels.

    Depth is 1 at the nearest and 0 at the farthest pixel of the object (ShapeHD's, which it leaves without a scale), and all are
    0 where there is nothing. Raises :class:`BadSample` for sizes that differ, and an object that is not seen.
    """
    depth, normals = read_depth(folder / DEPTH / f"{name}.png"), read_normals(folder / NORMAL / f"{name}.png")
    height, width = depth.shape
    if normals.shape[:2] != (height, width) or height != width:
        raise BadSample(str(folder), f"sketches of other sizes: depth {depth.shape}, normals {normals.shape[:2]}")
    places = ((np.arange(side) + 0.5) * height / side).astype(np.int64)
    depth, normals = depth[places[:, None], places], normals[places[:, None], places]
    there = depth > 0
    if not there.any():
        raise BadSample(str(folder / DEPTH / f"{name}.png"), "shows nothing: there is no depth")
    near, far = depth[there].min(), depth[there].max()
    relative = np.where(there, (far - depth) / max(far - near, 1e-6), 0)
    return np.concatenate([relative[None], normals.transpose(2, 0, 1) * there, there[None]]).astype(np.float32)


def other_light(
    image: UInt8[np.ndarray, "height width 3"], config: SketchedViews, rng: np.random.Generator
) -> UInt8[np.ndarray, "height width 3"]:
    """Return a picture in other light: brightness, contrast and saturation changed in any order, colours moved along their
    principal axes (ShapeHD).
    """
    values = image.astype(np.float32) / 255
    factors = 1 + rng.uniform(-config.jitter, config.jitter, 3).astype(np.float32)
    for change in rng.permutation(3):
        grey = (values @ GREY)[..., None]
        towards = (0.0, grey.mean(), grey)[change]
        values = towards + factors[change] * (values - towards)
    moved = EIGENVECTORS @ (rng.normal(0, config.lighting, 3).astype(np.float32) * EIGENVALUES)
    return np.rint(255 * np.clip(values + moved, 0, 1)).astype(np.uint8)


def empty_columns(config: SketchedViews, columns: Sequence[Column]) -> dict[str, np.ndarray]:
    """Return what stands for a row that could not be used."""
    side, grid = config.size, config.voxels
    shapes: dict[Column, dict[str, np.ndarray]] = {
        "image": {"image": np.zeros((3, side, side), np.uint8)},
        "sketch": {"sketch": np.zeros((SKETCH_CHANNELS, side, side), np.float32)},
        "viewpoint": {"angles": np.zeros(2, np.float32), "middle": np.zeros(3, np.float32)},
        "voxel": {"voxel": np.zeros((grid, grid, grid), np.uint8)},
        "noise": {"latent": np.zeros(config.latent, np.float32), "mix": np.zeros((), np.float32)},
    }
    chosen = {name: value for column in columns for name, value in shapes[column].items()}
    return chosen | {"usable": np.zeros((), np.uint8)}


@dataclass(frozen=True)
class CollateSketched:
    """Loaded rows to the columns of a batch."""

    config: SketchedViews
    columns: tuple[Column, ...]

    def __call__(self, loaded: list[dict[str, np.ndarray] | None]) -> dict[str, np.ndarray]:
        """Return stacked columns."""
        empty = empty_columns(self.config, self.columns)
        return {name: np.stack([(item or empty)[name] for item in loaded]) for name in empty}


ROW_SCHEMA = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("folder", pa.string(), nullable=False),
        pa.field("picture", pa.string(), nullable=False),
        pa.field("photo", pa.bool_(), nullable=False),
        pa.field("pose", pa.list_(pa.float64()), nullable=False),
        pa.field("view", pa.int64(), nullable=False),
    ]
)


def sketched_sources(config: SketchedViews, storage: str, columns: tuple[Column, ...]) -> dict[str, Samples]:
    """Open ``train`` under the budget, ``held_out`` (val) and ``tested`` (test): a row a view, or a row a shape where columns are
    of shapes alone.

    Raises :class:`UserError` for data without training objects, sketches or shapes.
    """
    posed = PosedViews(root=config.root, category=config.category, quarantine_limit=config.quarantine_limit)
    opened = open_posed_views(posed, storage)
    training = opened.rows("train")
    if not training:
        raise UserError(f"{config.root} has no training objects of '{opened.category}'")
    check_layout(opened.index.root, training[0])
    names = [row["name"] for row in training]
    kept = label_budget(names, config.budget, config.budget_seed)
    chosen = [row for row, keep in zip(training, kept, strict=True) if keep]
    views = int(not {"image", "sketch", "viewpoint"} & set(columns))
    held_out: dict[str, Split] = {"held_out": "val", "tested": "test"}
    sources = {"train": samples_of(opened, chosen, config, columns, "train", views)}
    for name, split in held_out.items():
        rows = opened.rows(split)
        sources[name] = samples_of(opened, rows, config, columns, split, views or config.evaluation_views)
    return {name: samples for name, samples in sources.items() if name != "tested" or samples.table.num_rows}


def check_layout(root: Path, row: Mapping[str, Any]) -> None:
    """Raise :class:`UserError` where an object of the SRN layout has no sketches or no shape beside its views."""
    folder = root / Path(row["pictures"][0]).parents[1]
    for name in (DEPTH, NORMAL, VOXELS, KEYPOINTS):
        if not (folder / name).exists():
            raise UserError(f"{folder} has no {name}: make such data with python -m jobs.prepare sketched_shapes")


def samples_of(
    opened: OpenedViews,
    rows: Sequence[Mapping[str, Any]],
    config: SketchedViews,
    columns: tuple[Column, ...],
    split: Split,
    views: int,
) -> Samples:
    """Return samples of so many views of each object, 0: of all; objects take turns where they are scored."""
    root = opened.index.root
    table = [view_of(root, row, place, split, config) for row in rows for place in evenly(len(row["pictures"]), views)]
    if split != "train":
        table.sort(key=lambda row: row["view"])
    content = [[row["name"], row["view"], row["photo"]] for row in table]
    return Samples(
        pa.Table.from_pylist(table, ROW_SCHEMA),
        LoadSketched(root, config, columns, augment=split == "train"),
        CollateSketched(config, columns),
        digest([opened.index.inputs, opened.category, split, list(columns), content]),
        f"{opened.index.table.num_rows} objects, {len(opened.index.report)} cannot be used",
        opened.index.folder / "quarantine.json",
    )


def view_of(root: Path, row: Mapping[str, Any], place: int, split: Split, config: SketchedViews) -> dict[str, Any]:
    """Return the row of one view of an object."""
    picture = Path(row["pictures"][place])
    folder = picture.parents[1]
    photo = split == "test" and config.tested_on == "photo" and (root / folder / PHOTO).is_dir()
    return {
        "name": row["name"],
        "folder": folder.as_posix(),
        "picture": picture.as_posix(),
        "photo": photo,
        "pose": np.array(row["poses"]).reshape(-1, 16)[place].tolist(),
        "view": int(re.findall(r"[0-9]+", picture.stem)[-1]),
    }

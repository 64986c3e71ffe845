"""Renders of single objects in NMR's layout: the views there are, the labelled objects, and one view's arrays.

24 views an object, view v at azimuth -15 v degrees, elevation 30, distance 2.732, half field of view 15 degrees
(:mod:`sem3d.geometry.object_views`). Images are uint8 RGBA 64x64 over black, channels first; voxels are solid, 32^3.
Made by ``python -m jobs.prepare shapenet_renders_index``; released by Kato et al. (NMR, hiroharu-kato/mesh_reconstruction).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, UInt8

from sem3d.config import digest
from sem3d.datasets.checked_files import read_item, read_rows
from sem3d.datasets.objects.npz_stream import DAMAGE
from sem3d.errors import BadSample, UserError
from sem3d.files import read_json
from sem3d.folders import is_there
from sem3d.geometry.nmr_views import VIEWS

FORMAT_VERSION = 1
IMAGE_SHAPE, VOXEL_SHAPE = (VIEWS, 4, 64, 64), (32, 32, 32)
OBJECTS_PER_SHARD = 256
SYNSETS = {
    "airplane": "02691156",
    "bench": "02828884",
    "cabinet": "02933112",
    "car": "02958343",
    "chair": "03001627",
    "display": "03211117",
    "lamp": "03636649",
    "loudspeaker": "03691459",
    "rifle": "04090263",
    "sofa": "04256520",
    "table": "04379243",
    "telephone": "04401088",
    "watercraft": "04530566",
}
"""The 13 classes of the release, in the order of the paper's tables."""

RENDER_SCHEMA = pa.schema(
    [
        pa.field("class", pa.string(), nullable=False),  # synset, or the class's name where it has none
        pa.field("split", pa.string(), nullable=False),  # the file it comes from: train, val, test
        pa.field("object", pa.int32(), nullable=False),  # its number in that file
        pa.field("name", pa.string(), nullable=False),
        pa.field("view", pa.int32(), nullable=False),  # 0 to 23
        pa.field("azimuth", pa.float64(), nullable=False),  # degrees
    ]
)

Protocol = Literal["paper", "released"]


@dataclass(frozen=True)
class RendersIndex:
    """The usable views of a folder of renders."""

    folder: Path
    table: pa.Table
    """One row a usable view, see :data:`RENDER_SCHEMA`."""
    objects: dict[str, dict[str, int]]
    """Objects by class and split, usable or not."""
    inputs: str
    """Digest of the files it was made from."""


@dataclass(frozen=True)
class ObjectView:
    """One view of one object and the object's solid voxels."""

    image: UInt8[np.ndarray, "4 64 64"]
    mask: UInt8[np.ndarray, "64 64"]
    voxels: Bool[np.ndarray, "32 32 32"]


def load_renders_index(folder: str | Path) -> RendersIndex:
    """Return the index in ``folder``.

    Raises :class:`UserError` if there is none, if it is of another format version, or if its table is not what was written.
    """
    folder = Path(folder).absolute()
    content = read_renders_json(folder)
    if content is None:
        raise UserError(
            f"{folder} is no index of renders: make one with python -m jobs.prepare shapenet_renders_index <data>"
        )
    if content["format"] != FORMAT_VERSION:
        raise UserError(f"{folder} has render format {content['format']}, not {FORMAT_VERSION}: prepare it again")
    if not (isinstance(content["inputs"], str) and counts_by_class(content["objects"])):
        raise UserError(f"{folder / 'renders.json'} is damaged: prepare it again")
    table = read_rows(folder / "rows.parquet", RENDER_SCHEMA, str(content.get("files", {}).get("rows.parquet", "")))
    names = [name for column in ("class", "split") for name in pc.unique(table[column]).to_pylist()]
    views, numbers = (pc.min_max(table[column]).as_py() for column in ("view", "object"))
    outside = [name for name in names if Path(name).name != name or name.startswith(".") or "\0" in name]
    if outside or (table.num_rows and not (0 <= views["min"] <= views["max"] < IMAGE_SHAPE[0] and numbers["min"] >= 0)):
        raise UserError(f"{folder / 'rows.parquet'} names views outside its folder: prepare it again")
    return RendersIndex(folder, table, content["objects"], content["inputs"])


def read_renders_json(folder: Path) -> dict[str, Any] | None:
    """Return content of ``renders.json``, or None where there is no such file or it is not an index's."""
    path = folder / "renders.json"
    content = read_json(path) if is_there(path) else None
    if not isinstance(content, dict) or not {"format", "inputs", "objects"} <= content.keys():
        return None
    if not all(isinstance(part, dict) for part in (content["objects"], content.get("files", {}))):
        raise UserError(f"{path} is damaged: prepare it again")
    return content


def counts_by_class(objects: Any) -> bool:
    """Return whether a value of ``renders.json`` is what it should be: numbers of objects by class and split."""
    return isinstance(objects, dict) and all(
        isinstance(splits, dict) and all(type(count) is int for count in splits.values()) for splits in objects.values()
    )


def class_id(index: RendersIndex, name: str) -> str:
    """Return the class in ``index`` that a synset or one of the 13 names means; :class:`UserError` where it has none."""
    for wanted in (name, SYNSETS.get(name)):
        if wanted in index.objects:
            return wanted
    names = {synset: word for word, synset in SYNSETS.items()}
    known = ", ".join(f"{known} ({names[known]})" if known in names else known for known in index.objects)
    raise UserError(f"{index.folder} has no class '{name}': it has {known}")


def views_of(index: RendersIndex, name: str, split: str, protocol: Protocol = "paper") -> pa.Table:
    """Return the usable views of a class in "train", "val" or "test".

    paper: each split is its own file, 70/10/20 of the objects. released (SSR ``src/datasets.py``): val is the first tenth
    of the val file and test the rest of it. Raises :class:`UserError` if the class or the split has no views.
    """
    synset, file = class_id(index, name), split
    first, last = 0, np.iinfo(np.int32).max
    if protocol == "released" and split in ("val", "test"):
        file, tenth = "val", max(1, index.objects[synset].get("val", 0) // 10)
        first, last = (0, tenth) if split == "val" else (tenth, last)
    column = {field: index.table[field] for field in ("class", "split", "object")}
    keep = pc.and_(pc.equal(column["class"], synset), pc.equal(column["split"], file))
    keep = pc.and_(keep, pc.and_(pc.greater_equal(column["object"], first), pc.less(column["object"], last)))
    views = index.table.filter(keep)
    if not views.num_rows:
        raise UserError(f"{index.folder} has no usable views of {name} in {split} ({protocol} protocol, file {file})")
    return views


def labelled_objects(
    views: pa.Table, count: int | None, order: Literal["random", "first"] = "random", seed: int = 0
) -> list[int]:
    """Return numbers of the ``count`` labelled objects among those in ``views``, ascending; None labels all.

    random (paper): a seeded draw in which a smaller count is a subset of a larger one. first (released): the first ones.
    Raises :class:`UserError` if the class has fewer objects.
    """
    numbers = np.unique(views["object"].to_numpy())
    if count is None:
        return numbers.tolist()
    if not 0 < count <= len(numbers):
        name = views["class"][0].as_py() if views.num_rows else "empty"
        raise UserError(f"{count} labelled objects were asked for, but class {name} has {len(numbers)} to choose from")
    drawn = np.random.default_rng(seed).permutation(len(numbers)) if order == "random" else np.arange(len(numbers))
    return sorted(numbers[drawn[:count]].tolist())


def with_objects(views: pa.Table, numbers: Sequence[int], keep: bool = True) -> pa.Table:
    """Return the views of the objects in ``numbers``, or with ``keep`` false of all others."""
    chosen = pc.is_in(views["object"], value_set=pa.array(list(numbers), pa.int32()))
    return views.filter(chosen if keep else pc.invert(chosen))


def views_digest(index: RendersIndex, views: pa.Table) -> str:
    """Identify a choice of views by the data and the rows."""
    rows = [views[name].to_pylist() for name in ("class", "split", "object", "view")]
    return digest([index.inputs, rows])


def load_view(folder: Path, row: dict[str, Any]) -> ObjectView:
    """Return arrays of one row, copied out of the memory-mapped shards. Raises :class:`BadSample` if a shard is gone or
    broken.
    """
    shard, place = divmod(row["object"], OBJECTS_PER_SHARD)
    part = folder / f"{row['class']}_{row['split']}"
    try:
        image = read_item(part / f"images_{shard:05d}.npy", (place, row["view"]))
        voxels = read_item(part / f"voxels_{shard:05d}.npy", (place,))
    except DAMAGE as error:
        raise BadSample(f"{part.name}: object {row['object']}", f"cannot be read: {error}") from error
    return ObjectView(image, image[3], voxels)


def load_views(
    folder: Path, name: str, split: str, number: int, views: Sequence[int] = range(IMAGE_SHAPE[0])
) -> UInt8[np.ndarray, "view 4 64 64"]:
    """Return images of one object, all 24 unless told; errors as :func:`load_view`."""
    shard, place = divmod(number, OBJECTS_PER_SHARD)
    path = folder / f"{name}_{split}" / f"images_{shard:05d}.npy"
    try:
        return np.stack([read_item(path, (place, view)) for view in views])
    except DAMAGE as error:
        raise BadSample(f"{path}: object {number}", f"cannot be read: {error}") from error

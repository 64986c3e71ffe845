"""Views of single objects as samples: pairs of views to learn shapes from, images to label, held-out views.

A row is one object with the views that are known to show it and the viewpoint each is taken from: the true one where the
object is labelled, the pseudo-label where it is not. :func:`with_pseudo_labels` joins both kinds into a table of two
groups, so that half of every batch is labelled and half pseudo-labelled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int, Integer, UInt8

from sem3d.bounds import Bounds, Seed
from sem3d.config import DataFolder, digest
from sem3d.datasets.object_view_loading import VIEWS_OF_A_PAIR, CollateViews, LoadPair, LoadView
from sem3d.datasets.objects.nmr import (
    IMAGE_SHAPE,
    Protocol,
    RendersIndex,
    labelled_objects,
    load_renders_index,
    read_renders_json,
    views_digest,
    views_of,
    with_objects,
)
from sem3d.datasets.objects.nmr_index import index_renders
from sem3d.datasets.stream import Samples
from sem3d.errors import BadSample, UserError


@dataclass(frozen=True, kw_only=True)
class ObjectRenders:
    """A choice of renders, a class, and its label budget."""

    generated: ClassVar = "shapes"
    counted: ClassVar = {"labelled": "labelled object"}
    root: DataFolder = ""
    """Folder of <synset>_{train,val,test}_{images,voxels}.npz, or of an index that jobs.prepare wrote."""
    category: str = "chair"
    """One class: a synset, or one of the 13 names."""
    protocol: Protocol = "paper"
    """paper tests on the test file; released takes the first tenth of the val file as val and the rest of it as test."""
    labelled: int = 0
    """Training objects whose viewpoints are known, with all their views; 0: all."""
    labelled_order: Literal["random", "first"] = "random"
    """random: a seeded draw, a smaller number being part of a larger one (paper). first: the first ones (released)."""
    budget_seed: Seed = 0
    """Decides which objects are labelled, apart from run.seed."""
    evaluation_split: Literal["val", "test"] = "test"
    """What is scored."""
    chosen_on: Literal["val", "evaluation_split"] = "val"
    """What the best checkpoint is chosen by. val: it is evaluated during the run, every run.evaluate_every steps, and the best
    checkpoint is scored on evaluation_split at the end (paper section 4.2). evaluation_split: itself, as often."""
    evaluation_views: Annotated[int, Bounds(1, IMAGE_SHAPE[0])] = IMAGE_SHAPE[0]
    """Views of each held-out object that are evaluated, evenly around it; the paper takes all 24."""


@dataclass(frozen=True)
class ObjectSplit:
    """The training objects of a class, labelled and not."""

    index: RendersIndex
    labelled: pa.Table
    """One row a view, see RENDER_SCHEMA."""
    unlabelled: pa.Table
    """One row a view; its true viewpoint is there too, for counting, not for learning."""


def open_renders(root: str, storage: str) -> RendersIndex:
    """Return the index in ``root``, or that of the renders in ``root``, made in ``storage`` if it is not there yet."""
    if read_renders_json(Path(root)) is not None:
        return load_renders_index(root)
    found = index_renders(root, storage)
    assert isinstance(found, RendersIndex)
    return found


def object_sources(
    config: ObjectRenders, storage: str, cycle_views: int = 0, labelled_beside: int = 0
) -> dict[str, Samples]:
    """Open ``train``: pairs of views of the labelled objects, each with ``labelled_beside`` labelled views drawn apart from it.

    ``held_out``: views of the objects that choose the best checkpoint, with voxels; ``tested``: those that it is scored on, where
    these are others. ``references``: every labelled view; ``unlabelled``: every view of the other training objects, with its
    ``number``; ``cycle``: ``cycle_views`` views of each object that is scored on, with voxels. Raises :class:`UserError` for a
    budget or a class that cannot be had.
    """
    if not 1 <= config.evaluation_views <= IMAGE_SHAPE[0]:
        raise UserError(f"data.evaluation_views must be 1 to {IMAGE_SHAPE[0]}, not {config.evaluation_views}")
    index = open_renders(config.root, storage)
    split = training_split(index, config)
    chosen_on = "val" if config.chosen_on == "val" else config.evaluation_split
    opened = {
        "train": labelled_pairs(split, labelled_beside),
        "held_out": held_out_views(index, config, chosen_on, config.evaluation_views),
        "references": view_samples(index, split.labelled),
        "unlabelled": view_samples(index, split.unlabelled),
        "cycle": held_out_views(index, config, config.evaluation_split, cycle_views),
    }
    if chosen_on != config.evaluation_split:
        opened["tested"] = held_out_views(index, config, config.evaluation_split, config.evaluation_views)
    return opened


def training_split(index: RendersIndex, config: ObjectRenders) -> ObjectSplit:
    """Return labelled and unlabelled views of the training file; objects with a single usable view are not chosen.

    Raises :class:`UserError` if the class has fewer objects than are to be labelled.
    """
    views = views_of(index, config.category, "train", config.protocol)
    numbers, counts = np.unique(views["object"].to_numpy(), return_counts=True)
    views = with_objects(views, numbers[counts >= VIEWS_OF_A_PAIR].tolist())
    if config.labelled < 0:
        raise UserError(f"data.labelled {config.labelled} must be a number of objects, or 0 for all")
    chosen = labelled_objects(views, config.labelled or None, config.labelled_order, config.budget_seed)
    return ObjectSplit(index, with_objects(views, chosen), with_objects(views, chosen, keep=False))


def labelled_pairs(split: ObjectSplit, beside: int) -> Samples:
    """Return pairs of views of the labelled training objects, each with ``beside`` labelled views of any of them."""
    table = object_rows(split.labelled, split.labelled["view"].to_numpy(), labelled=True)
    return Samples(
        table,
        LoadPair(split.index.folder, split.labelled, beside),
        CollateViews(VIEWS_OF_A_PAIR, beside=beside),
        views_digest(split.index, split.labelled),
    )


def view_samples(index: RendersIndex, views: pa.Table) -> Samples:
    """Return single views, each with its ``number`` in the table; there may be none."""
    table = views.append_column("number", pa.array(np.arange(views.num_rows)))
    return Samples(table, LoadView(index.folder, voxels=False), CollateViews(1, "number"), views_digest(index, views))


def held_out_views(index: RendersIndex, config: ObjectRenders, split: Literal["val", "test"], count: int) -> Samples:
    """Return ``count`` views of each object of a split with its voxels, objects in turn so that the first rows show several."""
    views = views_of(index, config.category, split, config.protocol)
    kept = set((np.arange(count) * IMAGE_SHAPE[0] // max(count, 1)).tolist())
    views = views.filter(pa.array([view in kept for view in views["view"].to_pylist()], pa.bool_()))
    views = views.sort_by([("view", "ascending"), ("object", "ascending")])
    return Samples(views, LoadView(index.folder, voxels=True), CollateViews(1, "voxels"), views_digest(index, views))


def with_pseudo_labels(
    labelled: Samples,
    images: Samples,
    viewpoint: Integer[np.ndarray, " image"],
    accepted: Bool[np.ndarray, " image"],
) -> Samples:
    """Return ``labelled`` and, as a second group, the objects of ``images`` with at least two accepted pseudo-labels."""
    chosen = viewpoint[accepted], np.flatnonzero(accepted)
    table = object_rows(images.table.filter(pa.array(accepted)), viewpoint[accepted], labelled=False)
    table = table.filter(pc.greater_equal(pc.list_value_length(table["views"]), VIEWS_OF_A_PAIR))
    if not table.num_rows:
        return labelled
    return Samples(
        pa.concat_tables([labelled.table, table]),
        labelled.load,
        labelled.collate,
        digest(
            [labelled.digest, images.digest, *(sha256(part.astype(np.int64).tobytes()).hexdigest() for part in chosen)]
        ),
        groups=(labelled.table.num_rows, table.num_rows),
    )


def object_rows(views: pa.Table, viewpoints: Integer[np.ndarray, " view"], *, labelled: bool) -> pa.Table:
    """Return one row an object, in the order of their numbers: its views in ``views``, and a viewpoint for each."""
    numbers = views["object"].to_numpy()
    order = np.argsort(numbers, kind="stable")
    _, first, count = np.unique(numbers[order], return_index=True, return_counts=True)
    starts = np.append(first, len(order)).astype(np.int32)
    described = views.select(["class", "split", "object", "name"]).take(order[first])
    lists = (np.asarray(column)[order].astype(np.int32) for column in (views["view"].to_numpy(), viewpoints))
    columns = [
        *described.columns,
        np.full(len(count), labelled, np.int8),
        *(pa.ListArray.from_arrays(starts, values) for values in lists),
    ]
    return pa.table(columns, schema=OBJECT_SCHEMA)


OBJECT_SCHEMA = pa.schema(
    [
        pa.field("class", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("object", pa.int32(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("labelled", pa.int8(), nullable=False),
        pa.field("views", pa.list_(pa.int32()), nullable=False),
        pa.field("viewpoints", pa.list_(pa.int32()), nullable=False),
    ]
)


def reference_images(
    samples: Samples, rows: Sequence[int]
) -> tuple[UInt8[np.ndarray, "reference 4 64 64"], Int[np.ndarray, " reference"]]:
    """Return images and true viewpoints of some labelled views, by their rows in ``samples``.

    Raises :class:`UserError` for an image that cannot be read.
    """
    chosen = [samples.table.slice(row, 1).to_pylist()[0] for row in rows]
    rng = np.random.default_rng(0)
    try:
        images = [samples.load(row, rng)["image"] for row in chosen]
    except BadSample as fault:
        raise UserError(f"{fault.source} {fault.reason}: prepare the renders again") from fault
    return np.concatenate(images), np.array([row["view"] for row in chosen])

"""Instances with posed views as samples: rays of views to learn scenes from, masks under a budget, whole pictures to score on.

One sample is one instance with some of its views and some rays of each. Pixels have their centres at whole numbers + 0.5, as the
cameras of the SRN layout have them (:mod:`sem3d.datasets.objects.srn_cameras`), unlike frames of scans.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float, Float32, Int

from sem3d.bounds import AtLeastOne, Seed, Side
from sem3d.config import DataFolder, digest
from sem3d.datasets.budgets import mask_budget
from sem3d.datasets.objects.part_classes import UNKNOWN
from sem3d.datasets.objects.srn_index import PosedIndex, index_posed_views
from sem3d.datasets.objects.srn_layout import WHITE, read_labels, read_picture, same_size, squared
from sem3d.datasets.stream import Samples
from sem3d.errors import UserError

Split = Literal["train", "val", "test"]
NO_INSTANCE = -1
"""Instance of a row that could not be used."""


@dataclass(frozen=True, kw_only=True)
class PosedViews:
    """A choice of instances with posed views, their size, and the budget of masks."""

    generated: ClassVar = "posed_shapes"
    counted: ClassVar = "mask"
    root: DataFolder = ""
    """Folder in the SRN layout, <split>/<instance>/{rgb,pose,seg}/ or <Class>.<split>/<instance>/..."""
    category: str = ""
    """One class, where the folder holds several."""
    size: Side = 128
    """Side of the pictures, pixels; others are cut to their middle square and scaled. Paper: 64, then 128."""
    views: AtLeastOne = 1
    """Views of an instance in a training sample, drawn anew at each visit."""
    rays: int = 0
    """Rays of each of those views, drawn anew at each visit; 0: all, row by row."""
    masks: int = 30
    """Label budget: training views whose mask may be learnt from; 0: all. Paper: 30."""
    mask_views: AtLeastOne = 3
    """Masks of an instance that has any. Paper: 3."""
    mask_order: Literal["random", "first"] = "random"
    """random: drawn so that every class occurs (paper). first: the first instances by name and their first views (released)."""
    budget_seed: Seed = 0
    """Decides which masks a budget holds, apart from run.seed."""
    transparent: Literal["white", "released"] = "white"
    """white: colours lie over white by their opacity. released: only pixels of no opacity at all are made white."""
    evaluation_views: int = 0
    """Pictures of each held-out instance that are scored, evenly along its views; 0: all."""
    observed: AtLeastOne = 1
    """Views that a new instance is inferred from, evenly along its views, the first of them ``observation``."""
    observation: int = 65
    """Number of the view, where it has so many. The released code takes 65 of 251."""
    quarantine_limit: float = 0.1
    """Largest share of the instances that may be unusable."""


@dataclass(frozen=True)
class LoadRays:
    """Row of an instance and some of its views to rays with their colours and labels."""

    root: Path
    config: PosedViews
    class_names: tuple[str, ...]
    """Of the parts, background first; none where the data have no labels."""
    views: int
    """Views of a sample, drawn from the row's; 0: all of them, in order."""
    rays: int
    """0: whole pictures."""

    def __call__(self, row: dict[str, Any], rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return one column a field of the batch, without the batch axis; raises :class:`BadSample`."""
        there, side = len(row["pictures"]), self.config.size
        chosen = np.arange(there)
        if self.views:
            chosen = rng.choice(there, self.views, replace=self.views > there)
        poses = np.array(row["poses"]).reshape(-1, 4, 4)
        loaded = [self.view(row, view, rng) for view in chosen.tolist()]
        columns = {name: np.stack([view[name] for view in loaded]) for name in loaded[0]}
        return columns | {
            "instance": np.array(row["instance"], np.int64),
            "intrinsics": squared_intrinsics(row, side).astype(np.float32),
            "world_from_camera": poses[chosen].astype(np.float32),
        }

    def view(self, row: dict[str, Any], view: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return ``pixels``, ``color``, ``alpha`` and ``label`` of the rays of one view."""
        side, size = self.config.size, (row["height"], row["width"])
        path = self.root / row["pictures"][view]
        picture, labels = read_picture(path), None
        same_size(path, picture.shape[:2], size)
        if row["labels"][view]:
            place = self.root / row["labels"][view]
            labels = read_labels(place, len(self.class_names))
            same_size(place, labels.shape, size)
        picture, labels = squared(picture, labels, side)
        places = np.arange(side * side)
        if self.rays:
            places = rng.choice(side * side, self.rays, replace=self.rays > side * side)
        label = np.full(len(places), UNKNOWN, np.int64) if labels is None else labels.reshape(-1)[places]
        color, alpha = over_white(picture.reshape(-1, 4)[places], self.config.transparent)
        return {"pixels": pixel_centres(places, side), "color": color, "alpha": alpha, "label": label}


def over_white(
    picture: np.ndarray, transparent: Literal["white", "released"]
) -> tuple[Float32[np.ndarray, "ray 3"], Float32[np.ndarray, " ray"]]:
    """Return colours in [-1, 1] and opacities in [0, 1] of RGBA pixels."""
    color, alpha = picture[:, :3].astype(np.float32) / WHITE, picture[:, 3].astype(np.float32) / WHITE
    share = alpha[:, None] if transparent == "white" else (alpha > 0)[:, None]
    return 2.0 * (color * share + (1.0 - share)).astype(np.float32) - 1.0, alpha


def pixel_centres(places: Int[np.ndarray, " ray"], side: int) -> Float32[np.ndarray, "ray 2"]:
    """Return (u, v) of the centres of pixels that are counted row by row."""
    return (np.stack([places % side, places // side], axis=1) + 0.5).astype(np.float32)


def squared_intrinsics(row: Mapping[str, Any], side: int) -> Float[np.ndarray, "3 3"]:
    """Return the intrinsics of a row's pictures after :func:`sem3d.datasets.objects.srn_layout.squared`."""
    height, width = row["height"], row["width"]
    short = min(height, width)
    moved = np.array(row["intrinsics"]).reshape(3, 3).copy()
    moved[:2, 2] -= ((width - short) // 2, (height - short) // 2)
    return np.diag([side / short, side / short, 1.0]) @ moved


@dataclass(frozen=True)
class CollateRays:
    """A stack of loaded rows; one that could not be used is of instance -1, white, transparent and unlabelled."""

    side: int
    views: int
    rays: int

    def __call__(self, loaded: list[dict[str, np.ndarray] | None]) -> dict[str, np.ndarray]:
        """Return the columns of a batch."""
        rays = self.rays or self.side**2
        middle = np.array([[self.side, 0, self.side / 2], [0, self.side, self.side / 2], [0, 0, 1]], np.float32)
        empty = {
            "instance": np.array(NO_INSTANCE, np.int64),
            "intrinsics": middle,
            "world_from_camera": np.tile(np.eye(4, dtype=np.float32), (self.views, 1, 1)),
            "pixels": np.full((self.views, rays, 2), self.side / 2, np.float32),
            "color": np.ones((self.views, rays, 3), np.float32),
            "alpha": np.zeros((self.views, rays), np.float32),
            "label": np.full((self.views, rays), UNKNOWN, np.int64),
        }
        return {name: np.stack([(item or empty)[name] for item in loaded]) for name in empty}


@dataclass(frozen=True)
class OpenedViews:
    """The instances of one class, and how samples are made of them."""

    index: PosedIndex
    config: PosedViews
    category: str

    def rows(self, split: Split) -> list[dict[str, Any]]:
        """Return the instances of a split, each with all its views."""
        table = self.index.table
        keep = pc.and_(pc.equal(table["category"], self.category), pc.equal(table["split"], split))
        return table.filter(keep).to_pylist()

    def samples(self, rows: list[dict[str, Any]], name: str, views: int = 0, rays: int = 0) -> Samples:
        """Return samples of ``rows``: ``views`` drawn of each and ``rays`` drawn of each view; 0: all of them."""
        counts = {len(row["pictures"]) for row in rows}
        there = views or (counts.pop() if len(counts) == 1 else 1)
        if counts and not views:
            raise UserError(f"{name}: instances have different numbers of views, {sorted(counts)} and {there}")
        chosen = [[row["instance"], *row["pictures"], *(bool(label) for label in row["labels"])] for row in rows]
        return Samples(
            pa.Table.from_pylist(rows, ROW_SCHEMA),
            LoadRays(self.index.root, self.config, self.class_names, views, rays),
            CollateRays(self.config.size, there, rays),
            digest([self.index.inputs, self.category, name, chosen]),
            f"{self.index.table.num_rows} instances, {len(self.index.report)} cannot be used",
            self.index.folder / "quarantine.json",
        )

    @property
    def class_names(self) -> tuple[str, ...]:
        """Return the names of the classes, background first; none where there are no labels."""
        return self.index.classes[self.category]


ROW_SCHEMA = pa.schema(
    [
        pa.field("instance", pa.int64(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("height", pa.int64(), nullable=False),
        pa.field("width", pa.int64(), nullable=False),
        pa.field("intrinsics", pa.list_(pa.float64()), nullable=False),
        pa.field("pictures", pa.list_(pa.string()), nullable=False),
        pa.field("labels", pa.list_(pa.string()), nullable=False),
        pa.field("poses", pa.list_(pa.float64()), nullable=False),
    ]
)


def open_posed_views(config: PosedViews, storage: str) -> OpenedViews:
    """Return the instances of the chosen class; raises :class:`UserError` where the data have several and none is chosen."""
    index = index_posed_views(config.root, storage, quarantine_limit=config.quarantine_limit)
    names = {name.lower(): name for name in index.classes}
    wanted = config.category.lower() if config.category else (next(iter(names)) if len(names) == 1 else "")
    if wanted not in names:
        raise UserError(
            f"data.category '{config.category}' must be a class of {config.root}: {', '.join(index.classes)}"
        )
    return OpenedViews(index, config, names[wanted])


def posed_view_sources(config: PosedViews, storage: str) -> dict[str, Samples]:
    """Open the data and return :func:`sources_of` them."""
    return sources_of(open_posed_views(config, storage))


def sources_of(opened: OpenedViews) -> dict[str, Samples]:
    """Return ``train``, the training instances, labels known where the budget holds the mask; ``labelled``, those of the
    budget with their masked views alone; ``seen``, whole pictures of training instances.

    ``held_out`` and ``tested``: whole pictures of the instances of val and of test; ``held_out_observed`` and
    ``tested_observed``: what each of those is inferred from, a sample an instance. ``instance`` counts within a split. Raises
    :class:`UserError` for data without training instances.
    """
    config, training = opened.config, opened.rows("train")
    if not training:
        raise UserError(f"{config.root} has no training instances of '{opened.category}'")
    budget = masks_of_budget(training, config)
    known = [with_views(row, range(len(row["pictures"])), budget.get(row["name"], [])) for row in training]
    labelled = [with_views(row, budget[row["name"]]) for row in training if row["name"] in budget]
    sources = {
        "train": opened.samples(known, "train", config.views, config.rays),
        "labelled": opened.samples(labelled, "labelled", config.views, config.rays),
        "seen": opened.samples(single_views(training, config.evaluation_views), "seen"),
    }
    held_out: tuple[tuple[Split, str], ...] = (("val", "held_out"), ("test", "tested"))
    for split, name in held_out:
        rows = opened.rows(split)
        sources[name] = opened.samples(single_views(rows, config.evaluation_views), name)
        sources[f"{name}_observed"] = opened.samples([observed(row, config) for row in rows], f"{name}_observed")
    return sources


def masks_of_budget(rows: Sequence[Mapping[str, Any]], config: PosedViews) -> dict[str, list[int]]:
    """Return the places of the labelled views that the budget holds by instance; none where no view has a mask."""
    shown = {row["name"]: row["classes"] for row in rows}
    masked = {name: [place for place, bits in enumerate(views) if bits] for name, views in shown.items()}
    if config.masks == 0 or not any(masked.values()):
        return {name: places for name, places in masked.items() if places}
    instances = -(-config.masks // config.mask_views)
    if config.mask_order == "first":
        order = [name for name in sorted(masked) if masked[name]]
        chosen = {name: masked[name][: config.mask_views] for name in order[:instances]}
    else:
        chosen = mask_budget(shown, instances, config.mask_views, config.budget_seed)
    if (there := sum(map(len, chosen.values()))) < config.masks:
        raise UserError(
            f"{config.masks} masks were asked for, but with {config.mask_views} of an instance there are {there}: choose a "
            "smaller data.masks, a larger data.mask_views, or 0 for all"
        )
    last = list(chosen)[-1]
    chosen[last] = chosen[last][: config.mask_views - (there - config.masks)]
    return chosen


def with_views(row: Mapping[str, Any], places: Sequence[int], labelled: Sequence[int] | None = None) -> dict[str, Any]:
    """Return an instance's row with some of its views; labels are kept of those ``labelled``, of all where not given."""
    kept = set(places if labelled is None else labelled)
    poses = np.array(row["poses"]).reshape(-1, 16)
    return {
        **{name: row[name] for name in ("instance", "name", "height", "width", "intrinsics")},
        "pictures": [row["pictures"][place] for place in places],
        "labels": [row["labels"][place] if place in kept else "" for place in places],
        "poses": poses[list(places)].ravel().tolist(),
    }


def single_views(rows: Sequence[Mapping[str, Any]], count: int) -> list[dict[str, Any]]:
    """Return a row for each of ``count`` views of each instance, evenly along them, 0: all; instances take turns."""
    picked = [(turn, row, place) for row in rows for turn, place in enumerate(evenly(len(row["pictures"]), count))]
    return [with_views(row, [place]) for _, row, place in sorted(picked, key=lambda one: one[0])]


def evenly(there: int, count: int, first: int = 0) -> list[int]:
    """Return ``count`` different places of ``there``, evenly from ``first`` on, round the end; all where there are no more."""
    count = min(count or there, there)
    return [(first + place * there // count) % there for place in range(count)]


def observed(row: Mapping[str, Any], config: PosedViews) -> dict[str, Any]:
    """Return an instance's row with the views that it is inferred from."""
    there = len(row["pictures"])
    return with_views(row, evenly(there, config.observed, config.observation % there))


def instances(samples: Samples) -> int:
    """Return the number of latents that samples need: one more than their largest instance."""
    return 1 + max(samples.table["instance"].to_pylist(), default=-1)


def class_names(samples: Samples) -> tuple[str, ...]:
    """Return the names of the classes of parts, background first; none where the data have no labels."""
    assert isinstance(samples.load, LoadRays)
    return samples.load.class_names

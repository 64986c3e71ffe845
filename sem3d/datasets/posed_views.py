"""Instances with posed views as samples: rays of views to learn scenes from, masks under a budget, whole pictures to score on.

One sample is one instance with some of its views and some rays of each (:mod:`sem3d.datasets.posed_rays`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int64

from sem3d.bounds import AtLeastOne, Seed, Side
from sem3d.config import DataFolder, digest
from sem3d.datasets.chosen_views import evenly, in_turns, masks_of_budget, observed_places, scored_places, with_views
from sem3d.datasets.objects.srn_index import PosedIndex, index_posed_views
from sem3d.datasets.posed_rays import CollateRays, LoadRays, Transparent
from sem3d.datasets.stream import Samples
from sem3d.errors import UserError

Split = Literal["train", "val", "test"]


@dataclass(frozen=True, kw_only=True)
class PosedViews:
    """A choice of instances with posed views, their size, and the budget of masks."""

    generated: ClassVar = "posed_shapes"
    counted: ClassVar = {"masks": "labelled mask", "observed": "observed view"}
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
    transparent: Transparent = "white"
    """white: colours lie over white by their opacity. released: only pixels of no opacity at all are made white."""
    evaluation_views: int = 0
    """Pictures of each held-out instance that are scored, evenly along its views, of those that were not observed; 0: all, the
    observed ones too (released)."""
    observed: AtLeastOne = 1
    """Views that a new instance is inferred from, evenly along its views, the first of them ``observation``."""
    observation: int = 65
    """Number of the view among those that can be used, where there are so many, else counted round. The released code takes 65
    of 251."""
    quarantine_limit: float = 0.1
    """Largest share of the views that may be unusable."""


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
        config = self.config
        return Samples(
            pa.Table.from_pylist(rows, ROW_SCHEMA),
            LoadRays(self.index.root, config.size, config.transparent, self.class_names, views, rays),
            CollateRays(config.size, there, rays),
            digest([self.index.inputs, self.category, name, chosen]),
            f"{self.index.table.num_rows} instances, {len(self.index.report)} views cannot be used",
            self.index.folder / "quarantine.json",
        )

    def observed(self, row: Mapping[str, Any]) -> list[int]:
        """Return the places of the views that a new instance is inferred from."""
        return observed_places(len(row["pictures"]), self.config.observed, self.config.observation)

    def scored(self, rows: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], int]]:
        """Return each of some held-out instances with the place of each view that is scored; instances take turns."""
        count = self.config.evaluation_views
        return in_turns(rows, [scored_places(len(row["pictures"]), count, self.observed(row)) for row in rows])

    @property
    def class_names(self) -> tuple[str, ...]:
        """Return the names of the classes, background first; none where there are no labels."""
        return self.index.classes[self.category]


ROW_SCHEMA = pa.schema(
    [
        pa.field("instance", pa.int64(), nullable=False),
        pa.field("identity", pa.int64(), nullable=False),
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
    ``tested_observed``: rays of what each of those is inferred from, a sample an instance. ``instance`` counts within a split.
    Raises :class:`UserError` for data without training instances.
    """
    config, training = opened.config, opened.rows("train")
    if not training:
        raise UserError(f"{config.root} has no training instances of '{opened.category}'")
    budget = masks_of_budget(training, config.masks, config.mask_views, config.mask_order, config.budget_seed)
    known = [with_views(row, range(len(row["pictures"])), budget.get(row["name"], [])) for row in training]
    labelled = [with_views(row, budget[row["name"]]) for row in training if row["name"] in budget]
    seen = in_turns(training, [evenly(len(row["pictures"]), config.evaluation_views) for row in training])
    sources = {
        "train": opened.samples(known, "train", config.views, config.rays),
        "labelled": opened.samples(labelled, "labelled", config.views, config.rays),
        "seen": opened.samples([with_views(row, [place]) for row, place in seen], "seen"),
    }
    held_out: tuple[tuple[Split, str], ...] = (("val", "held_out"), ("test", "tested"))
    for split, name in held_out:
        rows = opened.rows(split)
        scored = [with_views(row, [place]) for row, place in opened.scored(rows)]
        inferred = [with_views(row, opened.observed(row)) for row in rows]
        views = min(config.views, config.observed)
        sources[name] = opened.samples(scored, name)
        sources[f"{name}_observed"] = opened.samples(inferred, f"{name}_observed", views, config.rays)
    return sources


def instances(samples: Samples) -> int:
    """Return the number of latents that samples need: one more than their largest instance."""
    return 1 + max(samples.table["instance"].to_pylist(), default=-1)


def identities(samples: Samples) -> Int64[np.ndarray, " instance"]:
    """Return what tells each instance of samples from any other, by its number; 0 for a number that none has."""
    found = np.zeros(instances(samples), np.int64)
    found[samples.table["instance"].to_numpy()] = samples.table["identity"].to_numpy()
    return found


def class_names(samples: Samples) -> tuple[str, ...]:
    """Return the names of the classes of parts, background first; none where the data have no labels."""
    assert isinstance(samples.load, LoadRays)
    return samples.load.class_names

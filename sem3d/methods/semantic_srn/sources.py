"""Sources of the methods of Semantic SRN: objects of several splits in one table of latents, masks only where they are learnt
from.
"""

from collections.abc import Collection
from dataclasses import replace

import pyarrow as pa

from sem3d.config import Experiment, digest
from sem3d.datasets.posed_views import CollateRays, PosedViews, class_names, instances, posed_view_sources
from sem3d.datasets.stream import Samples
from sem3d.methods.method import HELD_OUT, TESTED, Sources

KNOWN = "known"
"""Source of the objects that the networks were trained on; only counted."""


def opened_views(experiment: Experiment, labelled: Collection[str]) -> dict[str, Samples]:
    """Open all sources of posed views, whatever the label budget; masks are read in those that are ``labelled`` alone."""
    opened = posed_view_sources(replace(experiment.data, masks=0), experiment.run.storage)
    return {name: samples if name in labelled else unlabelled(samples) for name, samples in opened.items()}


def unlabelled(samples: Samples) -> Samples:
    """Return samples whose masks are not known."""
    place = samples.table.schema.get_field_index("labels")
    none = [[""] * len(masks) for masks in samples.table["labels"].to_pylist()]
    field = samples.table.schema.field(place)
    table = samples.table.set_column(place, field, pa.array(none, field.type))
    return replace(samples, table=table, digest=digest([samples.digest, "unlabelled"]))


def counts(sources: Sources | None) -> tuple[int, int, int]:
    """Return the numbers of training objects, new objects and classes; 1 of each where there are no data."""
    if sources is None:
        return 1, 1, 1
    new = max(instances(sources[HELD_OUT]), instances(sources[TESTED]))
    return instances(sources[KNOWN]), new, len(class_names(sources[KNOWN]))


def numbered_from(first: int, samples: Samples) -> Samples:
    """Return samples whose objects are counted from ``first`` on."""
    place = samples.table.schema.get_field_index("instance")
    numbers = pa.array(samples.table["instance"].to_numpy() + first, pa.int64())
    table = samples.table.set_column(place, samples.table.schema.field(place), numbers)
    return replace(samples, table=table, digest=digest([samples.digest, first]))


def joined(parts: list[Samples]) -> Samples:
    """Return the rows of samples that are loaded alike, one after the other."""
    table = pa.concat_tables([part.table for part in parts])
    return replace(parts[0], table=table, digest=digest([part.digest for part in parts]))


def few_rays(samples: Samples, config: PosedViews) -> Samples:
    """Return samples of which ``data.views`` views and ``data.rays`` rays of each are drawn anew at each visit."""
    views = min(config.views, config.observed)
    load = replace(samples.load, views=views, rays=config.rays)  # pyright: ignore[reportArgumentType]  # LoadRays
    return replace(samples, load=load, collate=CollateRays(config.size, views, config.rays))

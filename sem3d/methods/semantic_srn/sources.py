"""Sources of the methods of Semantic SRN: objects of several splits in one table of latents, masks only where they are learnt
from.
"""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pyarrow as pa
from jaxtyping import Int64

from sem3d.config import Experiment, digest
from sem3d.datasets.posed_views import class_names, identities, posed_view_sources
from sem3d.datasets.stream import Samples
from sem3d.methods.method import HELD_OUT, TESTED, Sources

KNOWN = "known"
"""Source of the objects that the networks were trained on, which tells who they are."""
Objects = Int64[np.ndarray, " _"]
"""Identities of objects, a latent each."""
NOBODY = np.zeros(1, np.int64)
"""Identities where there are no data."""


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


def known_and_new(sources: Sources | None) -> tuple[Objects, Objects, int]:
    """Return the identities of training objects and of new objects, in the order of their latents, and the number of classes; one
    of each where there are no data.
    """
    if sources is None:
        return NOBODY, NOBODY, 1
    held_out, tested = (identities(sources[name]) for name in (HELD_OUT, TESTED))
    new = np.concatenate([held_out, tested[len(held_out) :]])
    return identities(sources[KNOWN]), new, len(class_names(sources[KNOWN]))


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

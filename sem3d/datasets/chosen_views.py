"""Choice of an instance's views: those that are observed, those that are scored, and those whose masks a budget holds.

A row has ``pictures``, ``labels``, ``poses`` and ``classes`` of its views, one after the other; a place is a view's number in it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from sem3d.datasets.budgets import mask_budget
from sem3d.errors import UserError

Row = Mapping[str, Any]


def evenly(there: int, count: int, first: int = 0) -> list[int]:
    """Return ``count`` different places of ``there``, evenly from ``first`` on, round the end; all where there are no more."""
    count = min(count or there, there)
    return [(first + place * there // count) % there for place in range(count)]


def observed_places(there: int, count: int, first: int) -> list[int]:
    """Return the ``count`` places of ``there`` that a new instance is inferred from, evenly from ``first`` on."""
    return evenly(there, count, first % there)


def scored_places(there: int, count: int, observed: Sequence[int]) -> list[int]:
    """Return the ``count`` places of ``there`` that are scored, evenly; 0: all.

    Where not all are, none of them is ``observed``, as long as there are others: a view that was seen says little of the rest.
    """
    places = evenly(there, count)
    others = sorted(set(range(there)) - set(observed))
    if not count or not others or not set(places) & set(observed):
        return places
    return [others[place] for place in evenly(len(others), count)]


def with_views(row: Row, places: Sequence[int], labelled: Sequence[int] | None = None) -> dict[str, Any]:
    """Return an instance's row with some of its views; labels are kept of those ``labelled``, of all where not given."""
    kept = set(places if labelled is None else labelled)
    poses = np.array(row["poses"]).reshape(-1, 16)
    return {
        **{name: row[name] for name in ("instance", "identity", "name", "height", "width", "intrinsics")},
        "pictures": [row["pictures"][place] for place in places],
        "labels": [row["labels"][place] if place in kept else "" for place in places],
        "poses": poses[list(places)].ravel().tolist(),
    }


def in_turns(rows: Sequence[Row], places: Sequence[Sequence[int]]) -> list[tuple[Row, int]]:
    """Return each row with each of its places: the first of every row, then the second, so that the first few show several."""
    picked = [(turn, row, place) for row, of_row in zip(rows, places, strict=True) for turn, place in enumerate(of_row)]
    return [(row, place) for _, row, place in sorted(picked, key=lambda one: one[0])]


def masks_of_budget(
    rows: Sequence[Row], masks: int, mask_views: int, order: Literal["random", "first"], seed: int
) -> dict[str, list[int]]:
    """Return the places of the labelled views that a budget of ``masks`` holds, ``mask_views`` of an instance, by instance.

    0: all; none where no view has a mask. Raises :class:`UserError` where there are not so many.
    """
    shown = {row["name"]: row["classes"] for row in rows}
    masked = {name: [place for place, bits in enumerate(views) if bits] for name, views in shown.items()}
    if masks == 0 or not any(masked.values()):
        return {name: places for name, places in masked.items() if places}
    instances = -(-masks // mask_views)
    if order == "first":
        named = [name for name in sorted(masked) if masked[name]]
        chosen = {name: masked[name][:mask_views] for name in named[:instances]}
    else:
        chosen = mask_budget(shown, instances, mask_views, seed)
    if (there := sum(map(len, chosen.values()))) < masks:
        raise UserError(
            f"{masks} masks were asked for, but with {mask_views} of an instance there are {there}: choose a "
            "smaller data.masks, a larger data.mask_views, or 0 for all"
        )
    last = list(chosen)[-1]
    chosen[last] = chosen[last][: mask_views - (there - masks)]
    return chosen

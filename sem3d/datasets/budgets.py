"""Label budgets: which part of the training data may be labelled; nested and seeded, or official lists."""

import hashlib
import logging
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from functools import reduce
from operator import or_
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int

from sem3d.errors import UserError
from sem3d.folders import is_there
from sem3d.texts import lines_of, read_text

logger = logging.getLogger(__name__)
SCANNET_NAME = re.compile(r"(?:.*-)?(?P<scan>(?P<room>scene\d{4})_\d{2})", re.DOTALL)
"""Name of a scan of ScanNet, also below a folder of the user's."""
NAMES_SHOWN = 3
DRAWS = 200
"""Orders of instances that are drawn until one shows every class early."""
OFFICIAL_PERCENT = (1, 5, 10, 20, 40, 60, 80)


def label_budget(ids: Sequence[str], fraction: float, seed: int) -> Bool[np.ndarray, "sample"]:
    """Return mask of ``max(1, round(fraction * n))`` of ``ids``, the same whatever their order.

    Samples are ranked by a hash of seed and id, so the mask of 5 % lies inside that of 10 % of the same seed. Equal ids are
    told apart by their order. Raises :class:`UserError` if ``fraction`` is outside (0, 1].
    """
    if not 0 < fraction <= 1:
        raise UserError(f"a label budget is a fraction in (0, 1], not {fraction}")
    mask = np.zeros(len(ids), dtype=bool)
    chosen = max(1, round(fraction * len(ids)))
    if chosen >= len(ids):
        return ~mask
    ranks = b"".join(hashlib.sha256(f"{seed}/{name}".encode()).digest() for name in ids)
    words = np.frombuffer(ranks, ">u8").reshape(len(ids), -1)
    mask[np.lexsort(words.T[::-1])[:chosen]] = True
    return mask


def scene_budget(scenes: Sequence[str], fraction: float, seed: int) -> Bool[np.ndarray, "sample"]:
    """Return mask of the samples whose scene is among ``max(1, round(fraction * m))`` of the m different ``scenes``."""
    names = sorted(set(scenes))
    chosen = {name for name, keep in zip(names, label_budget(names, fraction, seed), strict=True) if keep}
    return np.array([scene in chosen for scene in scenes], dtype=bool)


def point_budget(scene: str, points: int, number: int, seed: int) -> Int[np.ndarray, " chosen"]:
    """Return ``number`` of a scene's labelled ``points``, all if there are no more, ascending; a smaller number is part of a
    larger one of the same seed.
    """
    words = np.frombuffer(hashlib.sha256(scene.encode()).digest(), ">u4")
    order = np.random.default_rng([seed, *(int(word) for word in words)]).permutation(points)
    return np.sort(order[:number])


def mask_budget(
    shown: Mapping[str, Sequence[int]], instances: int, views: int, seed: int, sure: int = 10
) -> dict[str, list[int]]:
    """Return the labelled views of the first ``instances`` of a seeded order of instances, ``views`` of each.

    ``shown`` holds for each view of an instance the classes of its mask, as bits, 0 where it has none. The order is drawn anew
    until the masks of its first ``sure`` instances show every class that any mask shows (paper section 4.1: 10 instances, 3 views
    each); after :data:`DRAWS` draws, instances that show what is missing are put among them. So a smaller budget is part of a
    larger one of the same seed. Raises :class:`UserError` where there are no masks.
    """
    masked = {name: [place for place, bits in enumerate(views_of) if bits] for name, views_of in shown.items()}
    names = sorted(name for name, places in masked.items() if places)
    if not names:
        raise UserError("no training instance has a mask: a label budget needs labels (seg/)")
    everything = union(bits for name in names for bits in shown[name])
    order = names
    for draw in range(DRAWS):
        order = sorted(names, key=lambda name: hashlib.sha256(f"{seed}/{draw}/{name}".encode()).digest())
        if union(shown_by(order[:sure], shown, masked, views, seed).values()) == everything:
            break
    else:
        order = with_every_class(order, shown_by(order, shown, masked, views, seed), sure)
    return {name: drawn_views(name, masked[name], views, seed) for name in order[:instances]}


def shown_by(
    names: Iterable[str], shown: Mapping[str, Sequence[int]], masked: Mapping[str, Sequence[int]], views: int, seed: int
) -> dict[str, int]:
    """Return the classes, as bits, that the drawn views of each instance show."""
    return {name: union(shown[name][place] for place in drawn_views(name, masked[name], views, seed)) for name in names}


def drawn_views(name: str, places: Sequence[int], views: int, seed: int) -> list[int]:
    """Return ``views`` of an instance's labelled views, ascending, all if there are no more."""
    ranked = sorted(places, key=lambda place: hashlib.sha256(f"{seed}/{name}/{place}".encode()).digest())
    return sorted(ranked[:views])


def with_every_class(order: Sequence[str], bits: Mapping[str, int], first: int) -> list[str]:
    """Return ``order`` with those instances ahead, ``first`` at most, that together show the most classes, each the next one that
    adds most.
    """
    ahead: list[str] = []
    seen = 0
    while len(ahead) < first:
        gain, place = max(
            (((bits[name] & ~seen).bit_count(), -place) for place, name in enumerate(order)), default=(0, 0)
        )
        if not gain:
            break
        ahead.append(order[-place])
        seen |= bits[order[-place]]
    return [*ahead, *(name for name in order if name not in set(ahead))]


def union(masks: Iterable[int]) -> int:
    """Return the classes of some masks together, as bits."""
    return reduce(or_, masks, 0)


def official_budget(list_file: str | Path, scenes: Sequence[str]) -> Bool[np.ndarray, "sample"]:
    """Return mask of the samples whose scene stands in ``list_file``, one scene a line.

    ScanNet's data-efficient lists are ``scannetv2_train_{1,5,10,20,40,60,80}.txt`` (Pri3D, downstream/semseg). Listed scenes that
    are not there are said in sem3d's log. Raises :class:`UserError` if the file is missing or names none of ``scenes``.
    """
    path = Path(list_file)
    if not is_there(path):
        raise UserError(f"no list of scenes at {path}; official ones exist for {OFFICIAL_PERCENT} percent")
    listed = dict.fromkeys(names_in(path))
    name_of = {scene: listed_name(scene, listed) for scene in dict.fromkeys(scenes)}
    mask = np.array([name_of[scene] is not None for scene in scenes], dtype=bool)
    if not mask.any():
        raise UserError(
            f"{path} names {len(listed)} scenes, none of the {len(name_of)} of this data set: name another list"
        )
    if missing := not_there(listed, name_of.values()):
        logger.warning("%s: %s to train on", path, missing)
    return mask


def names_in(path: Path) -> list[str]:
    """Return the names in a list of one a line; raises :class:`UserError` where it cannot be read."""
    return [name for line in lines_of(read_text(path)) if (name := line.strip())]


def listed_name(scene: str, listed: Container[str]) -> str | None:
    """Return the name by which a list names ``scene``: its own, or that of ScanNet at its end; None where by neither."""
    match = SCANNET_NAME.fullmatch(scene)
    return next((name for name in (scene, match["scan"] if match else scene) if name in listed), None)


def not_there(listed: Iterable[str], found: Iterable[str | None]) -> str:
    """Return words on the names of a list that are not among the ``found`` ones, "" where there is none."""
    names, there = list(listed), set(found)
    missing = [name for name in names if name not in there]
    if not missing:
        return ""
    shown = ", ".join(missing[:NAMES_SHOWN]) + (", ..." if len(missing) > NAMES_SHOWN else "")
    return f"{len(missing)} of its {len(names)} names ({shown}) are no scene"

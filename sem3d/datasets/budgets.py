"""Label budgets: which part of the training data may be labelled; nested and seeded, or official lists."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int

from sem3d.errors import UserError
from sem3d.folders import is_there
from sem3d.texts import read_text

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


def official_budget(list_file: str | Path, scenes: Sequence[str]) -> Bool[np.ndarray, "sample"]:
    """Return mask of the samples whose scene stands in ``list_file``, one scene a line.

    ScanNet's data-efficient lists are ``scannetv2_train_{1,5,10,20,40,60,80}.txt`` (Pri3D, downstream/semseg). Raises
    :class:`UserError` if the file is missing or names none of ``scenes``.
    """
    path = Path(list_file)
    if not is_there(path):
        raise UserError(f"no list of scenes at {path}; official ones exist for {OFFICIAL_PERCENT} percent")
    listed = set(read_text(path).split())
    mask = np.array([scene in listed for scene in scenes], dtype=bool)
    if not mask.any():
        raise UserError(
            f"{path} names {len(listed)} scenes, none of the {len(set(scenes))} of this data set: name another list"
        )
    return mask

"""Label budgets: which part of the training data may be labelled; nested and seeded, or official lists."""

import hashlib
import logging
import re
from collections.abc import Container, Iterable, Sequence
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

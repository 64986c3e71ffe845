"""Verdicts of the verification page on aggregated keypoints, and annotations after them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from sem3d.datasets.objects.keypointnet import LARGEST_ID, MOST, AnnotatedModel, Keypoint, Rotation
from sem3d.datasets.objects.raw_keypoints import FARTHEST, place_of
from sem3d.errors import UserError
from sem3d.files import read_json

FORMAT = 1


@dataclass(frozen=True)
class AddedKeypoint:
    """A keypoint that the aggregation missed."""

    model_id: str
    meaning: int
    xyz: tuple[float, float, float]


@dataclass(frozen=True)
class Verdict:
    """A person's verdict on the keypoints of a class."""

    class_id: str
    rejected: frozenset[int]
    """Meanings that are none."""
    added: tuple[AddedKeypoint, ...]


def read_verdict(path: Path) -> Verdict:
    """Return the verdict of a file; raises :class:`UserError` for what is no file of the verification page."""
    content = read_json(path)
    sane = isinstance(content, dict) and content.get("format") == FORMAT and isinstance(content.get("class_id"), str)
    rejected, added = (content.get(name) for name in ("rejected", "added")) if sane else (None, None)
    if not isinstance(rejected, list) or not isinstance(added, list):
        raise UserError(f"{path} is no file of the verification page: save it there again")
    return Verdict(
        content["class_id"],
        frozenset(meaning_of(one, path) for one in rejected),
        tuple(added_keypoint(one, path) for one in added),
    )


def meaning_of(value: Any, path: Path) -> int:
    """Return a semantic id; raises :class:`UserError`."""
    if type(value) is not int or not 0 <= value <= LARGEST_ID:
        raise UserError(f"{path}: no meaning from 0 to {LARGEST_ID}: {str(value)[:40]!r}")
    return value


def added_keypoint(value: Any, path: Path) -> AddedKeypoint:
    """Return an added keypoint; raises :class:`UserError`."""
    if not isinstance(value, dict) or not isinstance(value.get("model_id"), str):
        raise UserError(f"{path}: no added keypoint: {str(value)[:60]!r}")
    return AddedKeypoint(
        value["model_id"], meaning_of(value.get("meaning"), path), place_of(value.get("xyz"), str(path))
    )


def after_verdict(
    models: Sequence[AnnotatedModel],
    verdict: Verdict,
    cloud_of: Callable[[AnnotatedModel], Float[np.ndarray, "point 3"]],
) -> list[AnnotatedModel]:
    """Return models without the rejected meanings and with what was added, on the nearest points of their clouds.

    Groups of symmetry keep their members that are left. Raises :class:`UserError` for an addition to a model that is not there,
    of a meaning that the model has, beyond its cloud, or one too many.
    """
    known = {model.model_id: model for model in models}
    added: dict[str, list[AddedKeypoint]] = {}
    for one in verdict.added:
        if one.model_id not in known:
            raise UserError(f"a keypoint is added to {one.model_id}, which is not among the models")
        added.setdefault(one.model_id, []).append(one)
    return [with_verdict(model, verdict.rejected, added.get(model.model_id, []), cloud_of) for model in models]


def with_verdict(
    model: AnnotatedModel,
    rejected: frozenset[int],
    added: Sequence[AddedKeypoint],
    cloud_of: Callable[[AnnotatedModel], Float[np.ndarray, "point 3"]],
) -> AnnotatedModel:
    """Return one model after the verdict; errors as :func:`after_verdict`."""
    kept = [number for number, one in enumerate(model.keypoints) if one.semantic_id not in rejected]
    keypoints = [model.keypoints[number] for number in kept]
    for one in added:
        if one.meaning in rejected:
            continue
        if any(one.meaning == other.semantic_id for other in keypoints):
            raise UserError(
                f"{model.model_id} has the meaning {one.meaning} already: verify the annotations as they are now"
            )
        cloud = cloud_of(model)
        away = np.linalg.norm(cloud - np.array(one.xyz), axis=1)
        row = int(away.argmin())
        if away[row] > FARTHEST:
            raise UserError(f"an added keypoint of {model.model_id} is {away[row]:.2f} from its cloud")
        x, y, z = cloud[row].tolist()
        keypoints.append(Keypoint(one.meaning, (x, y, z), row, -1, (0.0, 0.0, 0.0), (0, 0, 0)))
    if len(keypoints) > MOST:
        raise UserError(f"{model.model_id} would have {len(keypoints)} keypoints, at most {MOST}")
    place = {number: new for new, number in enumerate(kept)}
    return replace(
        model,
        keypoints=tuple(keypoints),
        reflections=tuple(group for own in model.reflections if len(group := left_of(own, place)) > 1),
        rotations=tuple(
            Rotation(group, own.circle) for own in model.rotations if len(group := left_of(own.keypoints, place)) > 1
        ),
    )


def left_of(group: Sequence[int], place: Mapping[int, int]) -> tuple[int, ...]:
    """Return the new places of the members of a group that are left."""
    return tuple(place[one] for one in group if one in place)

"""Keypoints as several people marked them on models of one class, before anybody made them agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from sem3d.errors import UserError
from sem3d.files import read_json

UNMARKED = -1
FORMAT = 1
"""Of the files of the annotation page."""
MOST_MARKS = 24
FARTHEST = 0.1
"""Of the box's diagonal, between a mark and the nearest point of the model's cloud."""


@dataclass(frozen=True)
class RawKeypoints:
    """Clouds of models and everybody's marks on them.

    An index of one person means the same on all models; indices of different people have nothing to do with each other.
    """

    clouds: Float[np.ndarray, "model point 3"]
    marks: Sequence[Int[np.ndarray, "model _index"]]
    """For each person the marked point of each cloud, -1 where there is none."""

    @property
    def models(self) -> int:
        """How many there are."""
        return len(self.clouds)

    def marks_of(self, model: int) -> list[Int[np.ndarray, " mark"]]:
        """Return everybody's marked points of one model."""
        return [own[model][own[model] != UNMARKED] for own in self.marks]


def read_marks(
    paths: Sequence[Path], clouds: Mapping[str, Float[np.ndarray, "point 3"]]
) -> tuple[list[str], RawKeypoints]:
    """Return the models that any person marked and everybody's marks, a file of the annotation page each.

    Clouds, all of as many points, are in the page's frame: boxes of diagonal 1 about the origin. A mark is the nearest point of
    its cloud. Raises :class:`UserError` for what is no such file, and for a model or a mark that no cloud has.
    """
    files = [read_person(path) for path in paths]
    names = sorted({name for own in files for name, marks in own.items() if marks})
    if not names:
        raise UserError(f"nobody marked anything in {', '.join(map(str, paths))}")
    for path, own in zip(paths, files, strict=True):
        for name in sorted(own.keys() - clouds.keys()):
            raise UserError(
                f"{path} marks {name}, which has no cloud here: name the folder of the models that were marked"
            )
    marks = []
    for path, own in zip(paths, files, strict=True):
        table = np.full((len(names), MOST_MARKS), UNMARKED, np.int64)
        for row, name in enumerate(names):
            for index, place in own.get(name, {}).items():
                away = np.linalg.norm(clouds[name] - np.array(place), axis=1)
                if away.min() > FARTHEST:
                    raise UserError(f"{path}: mark {index} of {name} is not on its cloud but {away.min():.2f} away")
                table[row, index] = away.argmin()
        if (table != UNMARKED).any():
            marks.append(table[:, (table != UNMARKED).any(axis=0)])
    return names, RawKeypoints(np.stack([clouds[name] for name in names]), marks)


def read_person(path: Path) -> dict[str, dict[int, tuple[float, float, float]]]:
    """Return one person's marks by model and index; raises :class:`UserError` for what is no file of the annotation page."""
    content = read_json(path)
    models = content.get("models") if isinstance(content, dict) and content.get("format") == FORMAT else None
    if not isinstance(models, list) or not all(isinstance(model, dict) for model in models):
        raise UserError(f"{path} is no file of the annotation page: save it there again")
    found: dict[str, dict[int, tuple[float, float, float]]] = {}
    for model in models:
        name, marks = model.get("model_id"), model.get("marks")
        if not isinstance(name, str) or not isinstance(marks, list) or name in found:
            raise UserError(f"{path}: a model without model_id and marks, or twice")
        found[name] = dict(read_mark(mark, f"{path}, {name}") for mark in marks)
    return found


def read_mark(mark: Any, where: str) -> tuple[int, tuple[float, float, float]]:
    """Return index and place of a mark; raises :class:`UserError`."""
    index = mark.get("index") if isinstance(mark, dict) else None
    if type(index) is not int or not 0 <= index < MOST_MARKS:
        raise UserError(f"{where}: no mark with an index from 0 to {MOST_MARKS - 1}: {str(mark)[:60]!r}")
    return index, place_of(mark.get("xyz"), where)


def place_of(xyz: Any, where: str) -> tuple[float, float, float]:
    """Return the place of a mark or keypoint in a page's file; raises :class:`UserError`."""
    given = xyz if isinstance(xyz, list) and len(xyz) == 3 else []
    numbers = [float(value) for value in given if type(value) in (int, float) and abs(value) <= 10]
    if len(numbers) != 3:
        raise UserError(f"{where}: no place of three numbers: {str(xyz)[:60]!r}")
    return numbers[0], numbers[1], numbers[2]

"""Findings of a sweep's trials in their run folders: last evaluations and pictures."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sem3d.files import stored_json
from sem3d.reporting.page import ClassTable, Confusion, Picture, Training
from sem3d.runs.progress import logged_losses
from sem3d.runs.run_folder import EVALUATION_NAME
from sem3d.sweeps.records import TrialRecord

HEX = re.compile("#[0-9a-fA-F]{6}")


def inside(storage: Path, named: str) -> Path:
    """Return a run folder as a record names it, or the one of its name in ``storage`` where that lies elsewhere now."""
    path = Path(named).resolve()
    return path if named and path.is_relative_to(storage) and path.is_dir() else storage / (Path(named).name or "-")


def read_evaluations(trials: Sequence[TrialRecord], storage: Path) -> tuple[list[ClassTable], list[Confusion], int]:
    """Return tables by class and confusion matrices of the last evaluations, and how many trials have none on disk.

    An artifact ``{name: number}`` is a table, ``{"names": [...], "matrix": [[...]]}`` a confusion matrix, with ``"colors"`` of
    its classes where pictures have them; others are left out.
    """
    tables: list[ClassTable] = []
    confusions: list[Confusion] = []
    without = 0
    for trial in trials:
        place = (trial.arm, float(trial.budget), trial.seed)
        artifacts = _artifacts(inside(storage, trial.run_folder) / EVALUATION_NAME)
        without += artifacts is None
        for name, content in (artifacts or {}).items():
            if _is_matrix(content):
                counts = np.array(content["matrix"], dtype=np.float64)
                colors = tuple(content.get("colors", ()))
                confusions.append(Confusion(*place, name, tuple(content["names"]), counts, colors))
            elif _is_table(content):
                tables.append(ClassTable(*place, name, as_floats(content)))
    return tables, confusions, without


def _artifacts(path: Path) -> dict[str, Any] | None:
    found = (stored_json(path, "artifacts") or {}).get("artifacts")
    return found if isinstance(found, dict) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_number(value) and 0 <= value < math.inf


def _is_table(content: Any) -> bool:
    return isinstance(content, dict) and bool(content) and all(_is_number(value) for value in content.values())


def _is_matrix(content: Any) -> bool:
    if not isinstance(content, dict) or set(content) - {"colors"} != {"names", "matrix"}:
        return False
    names, matrix, colors = content["names"], content["matrix"], content.get("colors", [])
    if not isinstance(colors, list) or (
        colors and not all(isinstance(one, str) and HEX.fullmatch(one) for one in colors)
    ):
        return False
    named = isinstance(names, list) and bool(names) and all(isinstance(name, str) for name in names)
    square = isinstance(matrix, list) and named and len(matrix) == len(names)
    return square and all(
        isinstance(line, list) and len(line) == len(names) and all(_is_count(value) for value in line)
        for line in matrix
    )


def trainings(trials: Sequence[TrialRecord], storage: Path) -> list[Training]:
    """Return the losses of the trials that left any on disk, by step."""
    found = []
    for trial in trials:
        if losses := logged_losses(inside(storage, trial.run_folder)):
            place = (trial.arm, float(trial.budget), trial.seed)
            found.append(Training(*place, tuple(losses), tuple(losses.values())))
    return found


def last_pictures(trials: Sequence[TrialRecord], storage: Path) -> list[Picture]:
    """Return the last figures of one trial for each arm and budget: of the seed that most arms have, else of its first."""
    found: dict[float, dict[int, dict[str, list[Path]]]] = {}
    for trial in sorted(trials, key=lambda trial: trial.seed):
        steps = sorted((inside(storage, trial.run_folder) / "figures").glob("step-*"))
        paths = sorted(steps[-1].glob("*.png")) if steps else []
        if paths:
            found.setdefault(float(trial.budget), {}).setdefault(trial.seed, {})[trial.arm] = paths
    pictures = []
    for budget, by_seed in found.items():
        seeds = sorted(by_seed, key=lambda seed: (-len(by_seed[seed]), seed))
        for arm in dict.fromkeys(trial.arm for trial in trials):
            seed = next((seed for seed in seeds if arm in by_seed[seed]), None)
            if seed is not None:
                pictures += [Picture(arm, budget, seed, path.stem, path) for path in by_seed[seed][arm]]
    return pictures


def as_floats(numbers: Mapping[str, int | float]) -> dict[str, float]:
    """Return numbers as JSON gives them, all of one kind."""
    return {name: float(value) for name, value in numbers.items()}

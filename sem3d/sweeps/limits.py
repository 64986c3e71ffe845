"""Marks and effects on record, as a reviewer sees them beside the scores."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sem3d.methods.method import FROZEN
from sem3d.reporting.formatting import metric_of
from sem3d.reporting.page import Effect, Limits
from sem3d.sweeps.records import (
    EffectRecord,
    MarksRecord,
    PretrainingRecord,
    TrialRecord,
    effect_picture,
    read_effects,
    read_marks,
)


def limits_of(marks: Sequence[MarksRecord], metric: str) -> tuple[Limits, ...]:
    """Return floor and bound of a sweep's metric at each budget and seed that has marks."""
    return tuple(
        Limits(
            budget=float(found.budget),
            seed=found.seed,
            floor=float(found.floor.get(metric.removeprefix(FROZEN), math.nan)),
            bound=float(found.bound.get(metric.removeprefix(FROZEN), math.nan)),
            never_shown=tuple(found.never_shown),
            basis=found.basis,
            clear=found.clear,
        )
        for found in marks
        if not found.error and (found.floor or found.bound)
    )


def effects_of(
    folder: Path,
    effects: Sequence[EffectRecord],
    pretrainings: Sequence[PretrainingRecord],
    trials: Sequence[TrialRecord],
) -> tuple[Effect, ...]:
    """Return what was measured before and after each pretraining of a sweep, with the arms whose chains hold it."""
    first, parts = ({one.key: getattr(one, name) for one in pretrainings} for name in ("arm", "name"))
    found = []
    for effect in effects:
        key = effect.pretraining
        arms = [trial.arm for trial in trials if key in trial.starts.values() or key in trial.lineage]
        known = tuple(dict.fromkeys(arms)) or ((first[key],) if key in first else ())
        if known and not effect.error:
            found.append(
                Effect(
                    arms=known,
                    part=parts.get(key, ""),
                    seed=effect.seed,
                    before=effect.before,
                    after=effect.after,
                    basis=effect.basis,
                    picture=effect_picture(folder, effect.picture) if effect.picture else None,
                )
            )
    return tuple(found)


def notes_on_marks(marks: Sequence[MarksRecord], effects: Sequence[EffectRecord]) -> list[str]:
    """Return one note for each reason why a figure beside the scores could not be made."""
    notes = [f"No floor or bound: {found.error}." for found in marks if found.error]
    notes += [f"Not measured before and after a pretraining: {found.error}." for found in effects if found.error]
    return list(dict.fromkeys(notes))


def mark_rows(folder: Path) -> list[dict[str, Any]]:
    """Return one row for each floor, bound, and network before and after: all metrics of it, rates in percent."""
    rows = []
    for marks in read_marks(folder):
        place = {"budget": marks.budget, "seed": marks.seed, "pretraining": "", "basis": marks.basis}
        for kind, metrics in (("floor", marks.floor), ("bound", marks.bound)):
            rows += [{"what": kind} | place | shown(metrics)] if metrics else []
    for effect in read_effects(folder):
        place = {"budget": "", "seed": effect.seed, "pretraining": effect.pretraining, "basis": effect.basis}
        for kind, metrics in (("before", effect.before), ("after", effect.after)):
            rows += [{"what": kind} | place | shown(metrics)] if metrics else []
    return rows


def shown(metrics: dict[str, float], prefix: str = "") -> dict[str, float]:
    """Return metrics as they are shown, rates in percent, by a name that says so."""
    found = {name: metric_of(name, "max", [value]) for name, value in sorted(metrics.items())}
    return {f"{prefix}{metric.named}": metric.scaled(metrics[name]) for name, metric in found.items()}

"""Figures beside the scores of a sweep: marks of each label budget and seed, effects of each pretraining.

They are made once and recorded; one that cannot be made is a note of the report, fails nothing, and is tried again by the same
command.
"""

import traceback
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from PIL import Image

from sem3d.config import Experiment, digest, flatten, override
from sem3d.files import whole_file
from sem3d.methods import method_class
from sem3d.methods.method import Effect, Method
from sem3d.pipelines.trained_run import TrainedRun
from sem3d.registers import resolve
from sem3d.reporting.formatting import budget_text, counted, metric_of
from sem3d.runs.requests import STOP
from sem3d.runs.sources import content_digest, open_sources
from sem3d.sweeps.records import EffectRecord, MarksRecord, effect_picture, read_marks, read_record, write_record
from sem3d.sweeps.trainings import Plan, Pretraining, Trial, with_starts
from sem3d.tracking.trouble import first_line


def mark_budgets(whole: Plan, folder: Path, say: Callable[[str], None]) -> None:
    """Record the marks of each label budget and seed that has none yet, by the first trial there; all arms see the same samples.

    Stops early where the sweep is asked to; ``say`` takes a line before the first is made.
    """
    cells = {cell_key(trial): trial for trial in reversed(whole.trials)}
    made = {record.content: record for record in read_marks(folder) if not record.error}
    said = False
    for key, trial in sorted(cells.items(), key=lambda cell: (cell[1].seed, cell[1].budget)):
        before = read_record(folder, MarksRecord, key)
        if STOP.is_made(folder) or not method_class(trial.method).marks or (before and not before.error):
            continue
        if not said:
            say(f"marks: floor and bound of {counted(len(cells), 'labelled set')} (seconds each)")
            said = True
        record = _marks_of(trial, made)
        write_record(folder, record)
        if not record.error:
            made[record.content] = record


def cell_key(trial: Trial) -> str:
    """Return the name of a trial's budget and seed."""
    return f"{budget_text(trial.budget)}-seed-{trial.seed}"


def _marks_of(trial: Trial, made: dict[str, MarksRecord]) -> MarksRecord:
    """Return the marks of a trial's samples, those that are ``made`` of the same content where there are."""
    method = method_class(trial.method)
    record = MarksRecord(key=cell_key(trial), method=trial.method, budget=trial.budget, seed=trial.seed)
    try:
        sources = open_sources(method, trial.experiment)
        content = digest([content_digest(method, sources), _kind_of(method, trial.experiment)])
        if content in made:
            return replace(made[content], key=record.key, budget=record.budget, seed=record.seed)
        found = asdict(resolve(method.marks)(trial.experiment, sources))
    except Exception as error:
        return replace(record, error=first_line(error))
    return replace(record, content=content, **found | {"never_shown": list(found["never_shown"])})


def _kind_of(method: type[Method], experiment: Experiment) -> dict[str, object]:
    """Return the settings of the data that their content does not tell: all but budget and seeds."""
    return {
        leaf: value
        for leaf, value in flatten(experiment.data, "data.").items()
        if leaf != method.label_budget and not leaf.endswith(("seed", ".root"))
    }


def has_effects(one: Pretraining, folder: Path) -> bool:
    """Return whether all effects of a pretraining are on record; one that could not be measured is tried again."""
    return all(_is_measured(one, name, folder) for name in one.effects)


def _is_measured(one: Pretraining, name: str, folder: Path) -> bool:
    record = read_record(folder, EffectRecord, effect_key(one, name))
    return record is not None and not record.error


def effect_key(one: Pretraining, name: str) -> str:
    """Return the name of the record of an effect."""
    return f"{one.key}-{name}"


def measure_effects(one: Pretraining, checkpoint: Path, folder: Path, say: Callable[[str], None]) -> None:
    """Record the effects of a pretraining that ended in ``checkpoint``; ``say`` takes a line on each."""
    run = TrainedRun(checkpoint, one.method, override(with_starts(one, folder), {"run.device": "auto"}))
    for name, path in one.effects.items():
        key = effect_key(one, name)
        if _is_measured(one, name, folder) or STOP.is_made(folder):
            continue
        record = EffectRecord(key=key, pretraining=one.key, seed=one.seed)
        try:
            run.weights  # noqa: B018 -- damaged ones are found before anything is measured
            say(f"measuring the {name} before and after")
            found: Effect = resolve(path)(run, run.experiment.init)
            figure = next(iter(found.before))
            metric = metric_of(figure, "max", [found.before[figure], found.after[figure]])
            before, after = metric.scaled(found.before[figure]), metric.scaled(found.after[figure])
            say(f"{metric.named} {before:.3g} before, {after:.3g} after")
            record = replace(record, before=found.before, after=found.after, basis=found.basis)
            if found.picture is not None:
                record = replace(record, picture=f"{key.replace(' ', '-')}.png")
                with whole_file(effect_picture(folder, record.picture)) as pending:
                    Image.fromarray(found.picture).save(pending, "PNG", optimize=True)
        except Exception as error:
            say("".join(traceback.format_exception(error)))
            record = replace(record, error=first_line(error))
        write_record(folder, record)

"""The stages of a sweep, one after the other: search, pretrainings, trials; each runs what is not on record as done."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sem3d.errors import UserError
from sem3d.reporting.formatting import budget_text, metric_of
from sem3d.runs.progress import Listener, heard_now_and_then, last_line
from sem3d.runs.requests import STOP
from sem3d.sweeps.forecast import Forecast, search_trials
from sem3d.sweeps.marks import has_effects, mark_budgets
from sem3d.sweeps.opening import refuse_other_data, refuse_other_trials
from sem3d.sweeps.plan import Request, by_content, plan
from sem3d.sweeps.progress import Watch
from sem3d.sweeps.records import (
    PretrainingRecord,
    SweepRecord,
    TrialRecord,
    forget_record,
    read_record,
    write_record,
)
from sem3d.sweeps.search import ArmSearch, forget_failed_search, found_settings, in_line, search_arm
from sem3d.sweeps.spent import clocked, spent_on
from sem3d.sweeps.trainings import Plan, Pretraining, Training, failure_before
from sem3d.sweeps.trial import PretrainingWork, TrialWork, log_of, process_holds, record_of, record_of_pretraining
from sem3d.sweeps.tuner import run_all
from sem3d.tracking.parent_run import PARENT_TAG

MARKS = "marks"
"""Name of the part of the sweep's time that goes into its marks."""


class Stages:
    """One attempt at what is left of a sweep."""

    def __init__(self, request: Request, record: SweepRecord, foreseen: Forecast, folder: Path, listener: Listener):
        self.request, self.record, self.foreseen = request, record, foreseen
        self.folder, self.listener, self.say = folder, listener, listener.say
        self.tags = {PARENT_TAG: record.mlflow_run_id, "sweep": record.name}
        self.broken: dict[str, str] = {}

    def run(self) -> list[str]:
        """Run whatever is left: search, pretrainings, trials; return a line for each trial that failed."""
        best = self._search() if self.request.search else {}
        if STOP.is_made(self.folder):
            return []
        whole = by_content(plan(self.request, best))
        refuse_other_trials(whole, self.folder)
        refuse_other_data(whole, self.folder)
        self._pretrain(whole)
        with clocked(self.folder, MARKS, cpus=1.0):
            mark_budgets(whole, self.folder, self.say)
        if STOP.is_made(self.folder):
            return []
        self._try(whole)
        ended = [read_record(self.folder, TrialRecord, trial.key) for trial in whole.trials]
        return [
            f"{record.arm}, budget {budget_text(record.budget)}, seed {record.seed}: {record.error}"
            for record in ended
            if record and record.status == "failed"
        ]

    def _search(self) -> dict[str, dict[str, Any]]:
        """Return the best hyperparameters of each arm; an arm without any is noted as broken."""
        models = {trial.arm: trial for trial in search_trials(self.request)}
        self._pretrain(by_content(Plan(name=self.record.name, trials=tuple(models.values()))))
        best = {}
        for arm, model in models.items():
            asked = ArmSearch(request=self.request, arm=arm, sweep=self.record.name, folder=self.folder, tags=self.tags)
            seconds = self.foreseen.seconds(model)
            forget_failed_search(asked)
            try:
                if found_settings(asked) is None and not STOP.is_made(self.folder):
                    search_arm(asked, self.foreseen.concurrent, seconds, self.record.tracking_uri, self.say)
                best[arm] = found_settings(asked) or {}
                self.say(f"best for {arm}: {in_line(best[arm])}")
            except UserError as error:
                self.broken[arm] = str(error)
        return best

    def _pretrain(self, whole: Plan) -> None:
        """Make the checkpoints that trials start from, each once, after those that it starts from itself."""
        for wave in whole.waves:
            self._make(wave)

    def _make(self, wave: Sequence[Pretraining]) -> None:
        """Run the pretrainings of a wave that are not finished; one whose own start has failed fails with its line.

        One that is finished but was not measured is found finished by its training, and measured.
        """
        left = {one.key: one for one in wave if not (self._pretrained(one.key) and has_effects(one, self.folder))}
        for key, one in list(left.items()):
            forget_record(self.folder, PretrainingRecord, key)
            why = failure_before(self.folder, one)
            if why:
                write_record(self.folder, record_of_pretraining(one, why))
                del left[key]

        def close(key: str, _config: dict[str, Any], _report: dict[str, Any], error: str) -> str | None:
            record = read_record(self.folder, PretrainingRecord, key)
            if record is None and error:
                record = record_of_pretraining(left[key], error)
                write_record(self.folder, record)
            return record and (record.error or "finished")

        work = PretrainingWork(self.folder, left, self.tags)
        self._side_by_side(work, left, len(wave) - len(left), close)

    def _pretrained(self, key: str) -> bool:
        record = read_record(self.folder, PretrainingRecord, key)
        return record is not None and record.status == "finished" and Path(record.checkpoint).is_dir()

    def _try(self, whole: Plan) -> None:
        """Run the trials that have not been finished; those whose pretraining or search failed fail with its line."""
        left = {}
        for trial in whole.trials:
            record = read_record(self.folder, TrialRecord, trial.key)
            if record is None or record.status != "finished":
                forget_record(self.folder, TrialRecord, trial.key)
                left[trial.key] = trial
        for key, trial in list(left.items()):
            why = self.broken.get(trial.arm) or failure_before(self.folder, trial)
            if why:
                write_record(self.folder, record_of(trial, None, why, 0.0))
                del left[key]

        def close(key: str, _config: dict[str, Any], _report: dict[str, Any], error: str) -> str | None:
            record = read_record(self.folder, TrialRecord, key)
            if record is None and error:
                record = record_of(left[key], None, error, spent_on(self.folder, key))
                write_record(self.folder, record)
            value = record.metrics.get(self.record.metric, float("nan")) if record else 0.0
            metric = metric_of(self.record.metric, self.record.mode, [value])
            unit = " %" if metric.percent else ""
            return record and (
                f"failed: {record.error}" if record.error else f"{metric.title} {metric.text(value)}{unit}"
            )

        work = TrialWork(self.folder, left, self.tags)
        self._side_by_side(work, left, len(whole.trials) - len(left), close)

    def _side_by_side(
        self,
        work: Callable[[str], None],
        left: Mapping[str, Training],
        done: int,
        close: Callable[..., str | None],
    ) -> None:
        if left and not STOP.is_made(self.folder):
            seconds = {key: self.foreseen.seconds(one) for key, one in left.items()}
            concurrent = self.foreseen.concurrent
            watch = Watch(lambda key, _: left[key].label, seconds, concurrent, close, self.say, done)
            holds = process_holds([one.experiment for one in left.values()])

            def news() -> dict[str, str]:
                lines = {left[key].label: last_line(log_of(self.folder, key)) for key in watch.running}
                return {label: line for label, line in lines.items() if line}

            self.say(f"lines of each training: {log_of(self.folder, '*')}")
            with heard_now_and_then(news, self.listener.show, self.listener.seconds):
                run_all(work, list(left), self.folder, concurrent, watch, holds)
            self.listener.show({})

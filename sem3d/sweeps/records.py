"""Records of a sweep: one JSON file for the sweep and one a trial, so that its table cannot hold a row twice.

``<storage>/sweeps/<name>/sweep.json`` says what was asked and what it took; ``trials/<key>.json`` is written, by one rename,
when a trial ends. The key of a trial is made from what was asked of it, so a sweep that is killed and started again finds
the trials that are done. ``pretrainings/<key>.json`` says the same of the pretrainings that trials start from. ``marks`` and
``effects`` hold figures that stand beside the scores.
"""

import logging
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

from sem3d.addresses import StoreUri
from sem3d.config import of_fields
from sem3d.errors import UserError, one_line
from sem3d.files import record_paths, stored_json, write_json

logger = logging.getLogger(__name__)

SWEEP_NAME = "sweep.json"
STORE_LEAF = "run.tracking_uri"
SEARCH_FOLDER = "search"
"""Holds a folder of trials for each arm whose hyperparameters were searched."""


@dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """One trial that has ended: one arm (a way to start or to learn) at one label budget and seed."""

    key: str
    """Digest of what was asked; also the name of its file."""
    method: str
    """Registered name of the method that was trained."""
    arm: str
    """Name of the arm, for example ``scratch`` or ``pri3d``."""
    budget: float
    """Label budget: a share, or a number of labelled items."""
    seed: int
    """Seed of weights, order and labelled subset."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Dotted leaves that differ from the sweep's preset, hyperparameters included."""
    status: Literal["finished", "stopped", "failed"] = "finished"
    """stopped: by a scheduler that saw no promise in it."""
    error: str = ""
    """One line, if it failed."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Last evaluation."""
    run_folder: str = ""
    checkpoint: str = ""
    """Folder of the last checkpoint, the one that ``metrics`` tell of."""
    mlflow_run_id: str = ""
    steps: int = 0
    stage_seconds: dict[str, float] = field(default_factory=dict)
    """Where the time of its last attempt went; see :class:`sem3d.training.stages.Stages`."""
    seconds: float = 0.0
    """Wall time of the trial, of all its attempts."""
    starts: dict[str, str] = field(default_factory=dict)
    """By leaf, the key of the pretraining whose checkpoint it took."""
    lineage: str = ""
    """The whole chain of these in words; see :func:`sem3d.sweeps.trainings.lineage`."""
    data: str = ""
    """Digest of the data, where there is no run folder that says it."""


@dataclass(frozen=True, kw_only=True)
class PretrainingRecord:
    """One pretraining that has ended here, or was found finished."""

    key: str
    """Name of its run; also the name of its file."""
    method: str
    arm: str
    """The first arm that starts from it."""
    seed: int
    status: Literal["finished", "failed"] = "finished"
    error: str = ""
    """One line, if it failed."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Last evaluation."""
    run_folder: str = ""
    checkpoint: str = ""
    """Folder of the last checkpoint."""
    mlflow_run_id: str = ""
    seconds: float = 0.0
    """Wall time that this sweep gave it, in all attempts."""
    name: str = ""
    """Its name in a chain of several."""
    starts: dict[str, str] = field(default_factory=dict)
    """By leaf, the key of the earlier pretraining whose checkpoint it took."""


@dataclass(frozen=True, kw_only=True)
class MarksRecord:
    """Marks of one label budget and seed: what every arm's scores lie between."""

    key: str
    """Budget and seed; also the name of its file."""
    method: str
    budget: float
    seed: int
    floor: dict[str, float] = field(default_factory=dict)
    """See :class:`sem3d.methods.method.Marks`, as for the fields below."""
    bound: dict[str, float] = field(default_factory=dict)
    never_shown: list[str] = field(default_factory=list)
    basis: str = ""
    clear: float = 2.0
    content: str = ""
    """Digest of the samples that they were made from: those of one content are made once."""
    error: str = ""
    """One line, where they could not be made."""


@dataclass(frozen=True, kw_only=True)
class EffectRecord:
    """Figures of a pretraining's network before and after."""

    key: str
    """The pretraining's key and the name of the figures; also the name of its file."""
    pretraining: str
    seed: int
    before: dict[str, float] = field(default_factory=dict)
    after: dict[str, float] = field(default_factory=dict)
    basis: str = ""
    """Share of the samples that were looked at, where that is not all."""
    picture: str = ""
    """Name of a picture beside this file, where there is one."""
    error: str = ""
    """One line, where there are none."""


@dataclass(frozen=True, kw_only=True)
class SweepRecord:
    """A sweep: what was asked, where it is tracked, what it took."""

    name: str
    space: str
    """Name of the module in ``tune_spaces``."""
    metric: str
    """Key of a trial's metrics that the sweep compares."""
    mode: Literal["max", "min"]
    arms: list[str]
    """Names of the arms; the first is the one that the others are compared with."""
    budgets: list[float]
    seeds: list[int]
    budget_unit: str | None = None
    """The thing that a budget counts, empty for shares of the labels; None in records of the time before it was kept."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Dotted leaves that all trials share."""
    tracking_uri: str = ""
    mlflow_run_id: str = ""
    """MLflow run that is the parent of the trials' runs."""
    estimate: dict[str, float] = field(default_factory=dict)
    """What the dry run foresaw: trials, seconds, cpu_hours, gpu_hours, money."""
    spent: dict[str, float] = field(default_factory=dict)
    """What it took, by the same names, over all attempts."""
    search_settings: dict[str, Any] = field(default_factory=dict)
    """Dotted leaves of the trials that search hyperparameters."""
    made: dict[str, str] = field(default_factory=dict)
    """How it was made, by label: day it was begun, command, commit."""
    status: Literal["", "FINISHED", "FAILED", "KILLED"] = ""
    """How its last attempt ended, as MLflow calls it; empty while one is under way."""

    def __post_init__(self) -> None:
        """Keep the store's user and password out of the file."""
        object.__setattr__(self, "tracking_uri", StoreUri(self.tracking_uri))
        if STORE_LEAF in self.settings:
            object.__setattr__(self, "settings", self.settings | {STORE_LEAF: StoreUri(self.settings[STORE_LEAF])})


FOLDERS = {
    TrialRecord: "trials",
    PretrainingRecord: "pretrainings",
    MarksRecord: "marks",
    EffectRecord: "effects",
}
Record = TypeVar("Record", TrialRecord, PretrainingRecord, MarksRecord, EffectRecord)
Stored = TypeVar("Stored", TrialRecord, PretrainingRecord, MarksRecord, EffectRecord, SweepRecord)


def sweep_folder(storage: Path, name: str) -> Path:
    """Return the folder of the sweep ``name`` in ``storage``."""
    return storage / "sweeps" / name


def write_sweep(folder: Path, sweep: SweepRecord) -> None:
    """Write or replace the sweep's own file."""
    write_json(folder / SWEEP_NAME, asdict(sweep))


def read_sweep(folder: Path) -> SweepRecord:
    """Return the sweep of a folder; raise :class:`UserError` where there is none."""
    sweep = find_sweep(folder)
    if sweep is None:
        raise UserError(
            f"no sweep in {folder}: it has no {SWEEP_NAME} that can be read; jobs.tune of its name writes it"
        )
    return sweep


def find_sweep(folder: Path) -> SweepRecord | None:
    """Return the sweep of a folder, or ``None`` where there is none that can be read."""
    return _read(folder / SWEEP_NAME, SweepRecord)


def write_record(folder: Path, record: TrialRecord | PretrainingRecord | MarksRecord | EffectRecord) -> None:
    """Record that a trial or a pretraining of the sweep in ``folder`` has ended, or what was found beside them."""
    write_json(_path(folder, type(record), record.key), asdict(record))


def effect_picture(folder: Path, name: str) -> Path:
    """Return the place of an effect's picture, beside its record whatever that says."""
    return folder / FOLDERS[EffectRecord] / (Path(name).name or "-")


def read_record(folder: Path, kind: type[Record], key: str) -> Record | None:
    """Return the record of that kind and key, if there is one."""
    return _read(_path(folder, kind, key), kind)


def forget_record(folder: Path, kind: type[Record], key: str) -> None:
    """Remove the record of a trial or pretraining that is tried again."""
    _path(folder, kind, key).unlink(missing_ok=True)


def read_trials(folder: Path) -> list[TrialRecord]:
    """Return all trials of the sweep in ``folder`` that have ended, by budget, arm and seed."""
    trials = _read_all(folder, TrialRecord)
    return sorted(trials, key=lambda trial: (trial.budget, trial.arm, trial.seed, trial.key))


def read_searches(folder: Path) -> dict[str, list[TrialRecord]]:
    """Return the points of searches that have ended, by arm."""
    return {path.name: read_trials(path) for path in sorted((folder / SEARCH_FOLDER).glob("[!.]*"))}


def read_pretrainings(folder: Path) -> list[PretrainingRecord]:
    """Return all pretrainings of the sweep in ``folder`` that have ended, by name."""
    return _read_all(folder, PretrainingRecord)


def read_marks(folder: Path) -> list[MarksRecord]:
    """Return the marks of the sweep in ``folder``, by budget and seed."""
    return sorted(_read_all(folder, MarksRecord), key=lambda marks: (marks.budget, marks.seed))


def read_effects(folder: Path) -> list[EffectRecord]:
    """Return the effects of the pretrainings of the sweep in ``folder``, by name."""
    return _read_all(folder, EffectRecord)


def _path(folder: Path, kind: type, key: str) -> Path:
    return folder / FOLDERS[kind] / f"{key}.json"


def _read_all(folder: Path, kind: type[Record]) -> list[Record]:
    found = (_read(path, kind) for path in record_paths(folder / FOLDERS[kind]))
    return [record for record in found if record is not None]


def _read(path: Path, kind: type[Stored]) -> Stored | None:
    needed = (item.name for item in fields(kind) if item.default is MISSING and item.default_factory is MISSING)
    content = stored_json(path, *needed)
    if content is None:
        return None
    if set(content) - {item.name for item in fields(kind)}:
        raise UserError(f"{path} is not of this version: remove it, and the sweep runs that part again")
    try:
        return kind(**of_fields(content, kind))
    except (OverflowError, TypeError, ValueError) as error:
        logger.warning("%s is damaged: %s; it counts as absent", path, one_line(str(error)))
        return None

"""The trainings of a sweep: trials, and the chains of pretrainings that they start from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sem3d.config import Experiment, override
from sem3d.errors import UserError
from sem3d.methods import method_class
from sem3d.reporting.formatting import budget_text
from sem3d.runs.run_folder import checkpoint_of, read_result, run_folder
from sem3d.sweeps.records import PretrainingRecord, read_record


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """A training whose last checkpoint others start from; the same for all that ask the same of it."""

    key: str
    """Name of its run, made from its settings, from what it starts from and, by :func:`sem3d.sweeps.plan.by_content`, from its
    data: other sweeps find it too."""
    arm: str
    """The first arm that needs it."""
    seed: int
    name: str = ""
    """Its name in a chain of several."""
    method: str
    experiment: Experiment
    """The leaves of ``starts`` are still to be set."""
    starts: dict[str, "Pretraining"] = field(default_factory=dict)
    """By leaf, the earlier pretraining whose checkpoint it takes."""
    unmeasured: tuple[str, ...] = ()
    """Names of effects that are not measured, as the trials measure the same."""

    @property
    def effects(self) -> dict[str, str]:
        """Return the effects that are measured, by name, as its method has them."""
        return {name: path for name, path in method_class(self.method).effects.items() if name not in self.unmeasured}

    @property
    def label(self) -> str:
        """Return what it is called in lines for people."""
        return f"pretraining {spaced(self.name)}for {self.arm}, seed {self.seed}"

    def checkpoint(self) -> str:
        """Return its last checkpoint, the best one where it may end early, or "" as long as it is not finished."""
        folder = run_folder(self.method, override(self.experiment, {"run.name": self.key}))
        outcome = read_result(folder)
        kept = "checkpoint_best" if self.experiment.schedule.patience else "checkpoint_last"
        return str(checkpoint_of(folder, outcome, kept)) if outcome else ""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One arm at one budget and seed."""

    key: str
    """Digest of what is asked."""
    arm: str
    budget: float
    seed: int
    method: str
    experiment: Experiment
    """The leaves of ``starts`` are still to be set."""
    settings: dict[str, Any]
    """Dotted leaves that differ from the preset and belong to this trial."""
    starts: dict[str, Pretraining] = field(default_factory=dict)
    """By leaf, the pretraining whose checkpoint it takes."""
    frozen: bool = False
    """Nothing is trained: the weights that it starts from are scored as they are."""

    @property
    def label(self) -> str:
        """Return what it is called in lines for people."""
        return f"{self.arm}, budget {budget_text(self.budget)}, seed {self.seed}"


Training = Trial | Pretraining


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All trainings of a sweep."""

    name: str
    trials: tuple[Trial, ...]

    @property
    def pretrainings(self) -> tuple[Pretraining, ...]:
        """Return each pretraining once, after those that it starts from."""
        found: dict[str, Pretraining] = {}
        for trial in self.trials:
            for one in ancestors(trial):
                found.setdefault(one.key, one)
        return tuple(found.values())

    @property
    def waves(self) -> tuple[tuple[Pretraining, ...], ...]:
        """Return the pretrainings in groups that can run side by side once those of the groups before are finished."""
        waves: dict[int, list[Pretraining]] = {}
        for one in self.pretrainings:
            waves.setdefault(_depth(one), []).append(one)
        return tuple(tuple(waves[depth]) for depth in sorted(waves))


def ancestors(training: Training) -> list[Pretraining]:
    """Return all pretrainings in the chain of a training, each after those that it starts from."""
    found = [one for start in training.starts.values() for one in (*ancestors(start), start)]
    return list({one.key: one for one in found}.values())


def _depth(one: Pretraining) -> int:
    return 1 + max(map(_depth, one.starts.values()), default=0)


def spaced(name: str) -> str:
    """Return a name with a space after it, or "" for none."""
    return f"{name} " if name else ""


def keys_of(starts: Mapping[str, Pretraining]) -> dict[str, str]:
    """Return by leaf the key of the pretraining that goes there."""
    return {leaf: one.key for leaf, one in starts.items()}


def lineage(training: Training) -> str:
    """Return the whole chain of a training in words, "" where it starts from no pretraining.

    For example: ``init from ppkt-0d2 (method.teacher from pri3d-a41)``.
    """
    words = []
    for leaf, one in training.starts.items():
        before = lineage(one)
        words.append(f"{leaf} from {one.key}" + (f" ({before})" if before else ""))
    return ", ".join(words)


def failure_before(folder: Path, training: Training) -> str:
    """Return the line of the first pretraining in a training's chain that failed in the sweep of ``folder``, else ""."""
    for one in ancestors(training):
        record = read_record(folder, PretrainingRecord, one.key)
        if record and record.status == "failed":
            return f"its pretraining {spaced(one.name)}failed: {record.error}"
    return ""


def with_starts(training: Training, folder: Path) -> Experiment:
    """Return the experiment of a training with the checkpoints that it starts from.

    Raise :class:`UserError`, with the line of what failed in the sweep of ``folder``, if there is none yet.
    """
    for one in training.starts.values():
        if not one.checkpoint():
            why = failure_before(folder, training)
            raise UserError(why or f"the {one.label} ({one.key}) has no result: run the sweep again")
    return override(training.experiment, {leaf: one.checkpoint() for leaf, one in training.starts.items()})

"""The dry run of a sweep: its trials, what each takes, and what all take together."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sem3d.config import Experiment, override
from sem3d.errors import UserError
from sem3d.methods import method_class
from sem3d.methods.method import TRAIN
from sem3d.reporting.formatting import budget_text
from sem3d.reporting.tables import format_table
from sem3d.runs.progress import duration
from sem3d.runs.sources import in_steps
from sem3d.sweeps.estimate import Pace, Share, kind_of, pace_of, totals
from sem3d.sweeps.plan import Request, trial_of
from sem3d.sweeps.trainings import Plan, Pretraining, Training, Trial
from sem3d.sweeps.trial import resources_of
from sem3d.training.ray.preflight import cluster_resources


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Terms of a sweep's execution, which decide nothing that is learnt."""

    max_concurrent: int = 0
    """Trials at a time; 0: as many as the cluster has CPUs and GPUs for."""
    probe_steps: int = 4
    """Steps of the probe of each kind of training; 0: no probe, and no estimate of time."""
    per_cpu_hour: float = 0.0
    per_gpu_hour: float = 0.0
    dry_run: bool = False


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Forecast of a sweep."""

    concurrent: int
    paces: dict[str, Pace] = field(default_factory=dict)
    """By kind of training; empty without a probe."""
    estimate: dict[str, float] = field(default_factory=dict)
    """trials, seconds, cpu_hours, gpu_hours, money."""
    lines: list[str] = field(default_factory=list)
    """What the user is shown."""

    def seconds(self, training: Training) -> float:
        """Return those of one training; 0 if its kind was not probed."""
        pace = self.paces.get(kind_of(training.method, probed(training)))
        return pace.seconds(timed(training)) if pace else 0.0


def concurrency(trainings: list[Training], most: int) -> int:
    """Return how many of the trainings fit into the cluster at a time, at least one and at most ``most`` unless that is 0.

    Raise :class:`UserError` if ``most`` is negative.
    """
    if most < 0:
        raise UserError(f"--max-concurrent is {most}, it must be 0 (by the cluster) or more")
    cluster, held = cluster_resources(), [resources_of(training.experiment) for training in trainings]
    cpus, gpus = max(one.cpus for one in held), max(one.gpus for one in held)
    fitting = int(cluster.cpus // cpus)
    if gpus:
        fitting = min(fitting, int(cluster.gpus / gpus + 1e-9))
    return max(1, min(fitting, most) if most else fitting)


def search_trials(request: Request) -> list[Trial]:
    """Return one trial an arm like those that a search makes: at the search's budget, with a seed that no other trial has."""
    if not request.search:
        return []
    return [trial_of(request, arm, request.budget_of_search, max(request.seeds) + 1, {}) for arm in request.arms]


def probed(training: Training) -> Experiment:
    """Return the experiment of a training as it can run before there is a checkpoint to start from."""
    return override(training.experiment, dict.fromkeys(training.starts, "scratch"))


def timed(training: Training) -> Experiment:
    """Return the experiment of a training with its lengths in steps."""
    return in_steps(method_class(training.method), training.experiment)


def forecast(request: Request, whole: Plan, terms: Terms, say: Callable[[str], None]) -> Forecast:
    """Look ahead at the ``whole`` of a request, measuring the pace of each kind of training by a short probe where it is not
    known yet.
    """
    stages = _stages(request, whole)
    trainings = [training for _, stage in stages for training in stage]
    concurrent = concurrency(trainings, terms.max_concurrent)
    groups = _groups(stages)
    labelled = {what: _labelled(members[0]) for what, members in groups.items()}
    paces = {}
    if terms.probe_steps:
        trained = [one for one in trainings if not (isinstance(one, Trial) and one.frozen)]
        kinds = {kind_of(one.method, probed(one)): one for one in trained}
        paces = {kind: pace_of(one.method, probed(one), terms.probe_steps, say) for kind, one in kinds.items()}
    found = Forecast(concurrent=concurrent, paces=paces)
    shares = [
        [Share(seconds=found.seconds(one), held=resources_of(one.experiment)) for one in stage] for _, stage in stages
    ]
    estimate = {"trials": float(len(whole.trials)), **totals(shares, concurrent)}
    found.estimate.update(estimate | {"money": money(estimate, terms)})
    rows = [_row(what, members, labelled[what], found) for what, members in groups.items()]
    found.lines.extend(format_table(rows, list(rows[0]), digits=1).splitlines())
    found.lines.append("")
    frozen = any(isinstance(one, Trial) and one.frozen for one in trainings)
    found.lines.append(_sum(found) + ("; scores of frozen weights are not in it" if frozen else ""))
    return found


def money(hours: dict[str, float], terms: Terms) -> float:
    """Return what so many ``cpu_hours`` and ``gpu_hours`` cost."""
    return hours["cpu_hours"] * terms.per_cpu_hour + hours["gpu_hours"] * terms.per_gpu_hour


def in_words(amount: dict[str, float]) -> str:
    """Return time, hours of CPUs and GPUs, and money where there is any."""
    words = f"{duration(amount['seconds'])}, {amount['cpu_hours']:.2f} CPU-hours, {amount['gpu_hours']:.2f} GPU-hours"
    return words + (f", {amount['money']:.2f} in money" if amount.get("money") else "")


def _stages(request: Request, whole: Plan) -> list[tuple[str, list[Training]]]:
    """Return what runs side by side, stage after stage, each pretraining once."""
    searched = search_trials(request)
    before = Plan(name="", trials=tuple(searched))
    made = {one.key for one in before.pretrainings}
    return [
        *(("pretraining before the search", list(wave)) for wave in before.waves),
        ("search", [*searched] * request.search),
        *(("pretraining", [one for one in wave if one.key not in made]) for wave in whole.waves),
        ("trial", list(whole.trials)),
    ]


def _groups(stages: list[tuple[str, list[Training]]]) -> dict[tuple[str, str], list[Training]]:
    """Return trainings that differ in their seed only, by what they are and their budget."""
    groups: dict[tuple[str, str], list[Training]] = {}
    for name, stage in stages:
        for one in stage:
            budget, step = "", ""
            if isinstance(one, Trial):
                budget = budget_text(one.budget)
            elif one.name:
                step = f", {one.name}"
            groups.setdefault((f"{name} {one.arm}{step}", budget), []).append(one)
    return groups


def _labelled(training: Training) -> int | None:
    """Return the number of labelled samples of a trial; raise :class:`UserError` for a budget that its data do not know."""
    if isinstance(training, Pretraining):
        return None
    return method_class(training.method).sources(training.experiment)[TRAIN].table.num_rows


def _row(
    what: tuple[str, str], members: list[Training], labelled: int | None, found: Forecast
) -> dict[str, str | int | float | None]:
    first = members[0]
    held = resources_of(first.experiment)
    return {
        "what": what[0],
        "budget": what[1] or None,
        "samples": labelled,
        "runs": len(members),
        "CPUs": f"{held.cpus:g}",
        "GPUs": f"{held.gpus:g}",
        "steps": None if isinstance(first, Trial) and first.frozen else timed(first).schedule.steps,
        "each, s": found.seconds(first) or None,
    }


def _sum(found: Forecast) -> str:
    cluster = cluster_resources()
    there = f"{found.concurrent} at a time on {cluster.cpus:g} CPUs and {cluster.gpus:g} GPUs"
    if not found.paces:
        return f"{there}; no probe, no estimate of time"
    return f"{there}; estimate: {in_words(found.estimate)}"

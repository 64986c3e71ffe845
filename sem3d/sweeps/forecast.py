"""The dry run of a sweep: its trials, what each takes, and what all take together."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sem3d.errors import UserError
from sem3d.methods import method_class
from sem3d.methods.method import TRAIN
from sem3d.reporting.formatting import budget_text
from sem3d.reporting.tables import format_table
from sem3d.runs.progress import duration
from sem3d.sweeps.estimate import Pace, Share, kind_of, pace_of, totals
from sem3d.sweeps.plan import Plan, Pretraining, Request, Trial, plan, trial_of
from sem3d.sweeps.trial import resources_of
from sem3d.training.ray.preflight import cluster_resources


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How a sweep is run; decides nothing that is learnt."""

    max_concurrent: int = 0
    """Trials at a time; 0: as many as the cluster has CPUs and GPUs for."""
    probe_steps: int = 4
    """Steps of the probe of each kind of training; 0: no probe, and no estimate of time."""
    per_cpu_hour: float = 0.0
    per_gpu_hour: float = 0.0
    dry_run: bool = False


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a sweep will take."""

    concurrent: int
    paces: dict[str, Pace] = field(default_factory=dict)
    """By kind of training; empty without a probe."""
    estimate: dict[str, float] = field(default_factory=dict)
    """trials, seconds, cpu_hours, gpu_hours, money."""
    lines: list[str] = field(default_factory=list)
    """What the user is shown."""

    def seconds(self, training: Trial | Pretraining) -> float:
        """Of one training; 0 if its kind was not probed."""
        pace = self.paces.get(kind_of(training.method, training.experiment))
        return pace.seconds(training.experiment) if pace else 0.0


def concurrency(trainings: list[Trial | Pretraining], most: int) -> int:
    """How many of the trainings fit into the cluster at a time, at least one and at most ``most`` unless that is 0.

    Raises :class:`UserError` if ``most`` is negative.
    """
    if most < 0:
        raise UserError(f"--max-concurrent is {most}, it must be 0 (by the cluster) or more")
    cluster, held = cluster_resources(), [resources_of(training.experiment) for training in trainings]
    cpus, gpus = max(one.cpus for one in held), max(one.gpus for one in held)
    fitting = int(cluster.cpus // cpus)
    if gpus:
        fitting = min(fitting, int(cluster.gpus // gpus))
    return max(1, min(fitting, most) if most else fitting)


def search_trials(request: Request) -> list[Trial]:
    """One trial an arm like those that a search makes: at the search's budget, with a seed that no other trial has."""
    if not request.search:
        return []
    return [trial_of(request, arm, request.budget_of_search, max(request.seeds) + 1, {}) for arm in request.arms]


def forecast(request: Request, terms: Terms, say: Callable[[str], None]) -> Forecast:
    """Looks ahead, measuring the pace of each kind of training by a short probe where it is not known yet."""
    whole, searched = plan(request), search_trials(request)
    before = Plan(name="", trials=tuple(searched)).pretrainings
    stages = [list(before), searched * request.search, list(whole.pretrainings), list(whole.trials)]
    trainings = [training for stage in stages for training in stage]
    concurrent = concurrency(trainings, terms.max_concurrent)
    groups = _groups(stages)
    labelled = {what: _labelled(members[0]) for what, members in groups.items()}
    paces = {}
    if terms.probe_steps:
        kinds = {kind_of(one.method, one.experiment): one for one in trainings}
        paces = {kind: pace_of(one.method, one.experiment, terms.probe_steps, say) for kind, one in kinds.items()}
    found = Forecast(concurrent=concurrent, paces=paces)
    shares = [
        [Share(seconds=found.seconds(one), held=resources_of(one.experiment)) for one in stage] for stage in stages
    ]
    estimate = {"trials": float(len(whole.trials)), **totals(shares, concurrent)}
    found.estimate.update(estimate | {"money": money(estimate, terms)})
    rows = [_row(what, members, labelled[what], found) for what, members in groups.items()]
    found.lines.extend(format_table(rows, list(rows[0]), digits=1).splitlines())
    found.lines.append("")
    found.lines.append(_sum(found))
    return found


def money(hours: dict[str, float], terms: Terms) -> float:
    """What so many ``cpu_hours`` and ``gpu_hours`` cost."""
    return hours["cpu_hours"] * terms.per_cpu_hour + hours["gpu_hours"] * terms.per_gpu_hour


def in_words(amount: dict[str, float]) -> str:
    """Time, hours of CPUs and GPUs, and money where there is any."""
    words = f"{duration(amount['seconds'])}, {amount['cpu_hours']:.2f} CPU-hours, {amount['gpu_hours']:.2f} GPU-hours"
    return words + (f", {amount['money']:.2f} in money" if amount.get("money") else "")


def _groups(stages: list[list[Trial | Pretraining]]) -> dict[tuple[str, str], list[Trial | Pretraining]]:
    """Trainings that differ in their seed only, by what they are and their budget."""
    names = ("pretraining before the search", "search", "pretraining", "trial")
    groups: dict[tuple[str, str], list[Trial | Pretraining]] = {}
    for name, stage in zip(names, stages, strict=True):
        for one in stage:
            budget = budget_text(one.budget) if isinstance(one, Trial) else ""
            groups.setdefault((f"{name} {one.arm}", budget), []).append(one)
    return groups


def _labelled(training: Trial | Pretraining) -> int | None:
    """Labelled samples of a trial; raises :class:`UserError` for a budget that its data do not know."""
    if isinstance(training, Pretraining):
        return None
    return method_class(training.method).sources(training.experiment)[TRAIN].table.num_rows


def _row(
    what: tuple[str, str], members: list[Trial | Pretraining], labelled: int | None, found: Forecast
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
        "steps": first.experiment.schedule.steps,
        "each, s": found.seconds(first) or None,
    }


def _sum(found: Forecast) -> str:
    cluster = cluster_resources()
    there = f"{found.concurrent} at a time on {cluster.cpus:g} CPUs and {cluster.gpus:g} GPUs"
    if not found.paces:
        return f"{there}; no probe, no estimate of time"
    return f"{there}; estimate: {in_words(found.estimate)}"

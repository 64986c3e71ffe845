"""Comparison of ways to learn over label budgets and seeds: ``python -m jobs.tune SPACE [--data.root DIR] [settings]``.

A space of ``tune_spaces`` says what is compared. Every arm at one budget and seed sees the same labelled samples. The same
command resumes a sweep that was interrupted; ``--dry-run`` says what would be run and how long that takes.
"""

import shlex
import sys
from dataclasses import dataclass, field, make_dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import tyro
from tyro.conf import Positional

from jobs import command_line
from jobs.bars import Shown, progress_shown
from jobs.exits import run
from jobs.explanation import begin_in_earnest
from jobs.places import absolute_place, place, storage_place
from sem3d.config import Experiment, flatten, places
from sem3d.errors import UserError, near
from sem3d.methods import COMPOSED, METHODS, method_class
from sem3d.methods.method import FROZEN
from sem3d.runs.progress import heard_now_and_then, said_once
from sem3d.sweeps.arms import Part
from sem3d.sweeps.plan import Request, plan
from sem3d.sweeps.space import Space, read_space, space_names
from sem3d.worlds.register import World, world

PRETRAIN = "pretrain."
PROG = "python -m jobs.tune"


@dataclass(frozen=True, kw_only=True)
class Tune:
    """Settings of a comparison."""

    space: Positional[str]
    """Name of a module in tune_spaces, or of a method."""
    root: Annotated[str, tyro.conf.arg(name="data.root")] = ""
    """Folder of the data; empty: what is generated for the space's method, rooms or shapes."""
    preset: str = ""
    """Preset of every method; empty: the space's."""
    arms: tuple[str, ...] = ()
    """Arms of the space to compare, the first with all others; empty: all."""
    budgets: tuple[float, ...] = ()
    """Label budgets, shares or numbers of labelled items (inf: all) as the space has it; empty: the space's."""
    seeds: int = 0
    """Seeds 0, 1, ...; 0: as many as the space says."""
    set: tuple[str, ...] = ()
    """Settings of every trial as leaf=value; pretrain.leaf=value is one of every pretraining that has the leaf."""
    storage: str = "runs"
    """Folder for rooms, indexes, runs, sweeps and the MLflow store."""
    name: str = ""
    """Name of the sweep; empty: space and digest of what is asked, so that the same command resumes."""
    search: int = 0
    """Trials an arm that search its hyperparameters first (Optuna and ASHA)."""
    search_budget: float = 0.0
    """Label budget of the search; 0: the largest one that is a number."""
    max_concurrent: int = 0
    """Trials at a time; 0: as many as the cluster holds."""
    probe_steps: int = 4
    """Steps of the probe that the estimate of time is made from; 0: no estimate."""
    price_per_cpu_hour: float = 0.0
    """For the estimate and the account."""
    price_per_gpu_hour: float = 0.0
    """For the estimate and the account."""
    frozen: bool = False
    """Fine-tune nothing: compare linear probes of the frozen features that each arm would start from."""
    progress: Shown = "auto"
    """How trainings under way are shown: bar, a line for each that is rewritten in place; lines; auto: bar on a terminal."""
    dry_run: bool = False
    """Say what would be run and what it would take, and end."""


def settings_of(space: Space, pairs: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return settings of trials and of pretrainings, as the types that the methods want.

    Raises :class:`UserError` for what is no ``leaf=value``, an unknown leaf, or a wrong value.
    """
    trials, pretrainings = {}, {}
    for pair in pairs:
        leaf, equals, value = pair.partition("=")
        if not equals:
            raise UserError(f"--set takes leaf=value, not '{pair}'")
        if leaf.startswith(PRETRAIN):
            own = leaf.removeprefix(PRETRAIN)
            pretrainings[own] = typed(pretraining_with(own, space, pair), own, value)
        else:
            values = [typed(arm.trained, leaf, value) for arm in space.arms]
            trials[leaf] = values[0]
    return trials, pretrainings


def pretraining_with(leaf: str, space: Space, pair: str) -> Part:
    """Return a pretraining that has a leaf, else the first of all, whose help names those there are.

    Raise :class:`UserError` if no arm has a pretraining.
    """
    parts = [part for arm in space.arms for part in arm.pretrainings]
    if not parts:
        raise UserError(f"--set {pair}: no arm of space {space.name} has a pretraining")
    return next((part for part in parts if leaf in flatten(part.experiment())), parts[0])


def typed(part: Part, leaf: str, value: str) -> Any:
    """Return a value as the type of its leaf; raises :class:`UserError` if there is no such leaf or that is no such value."""
    method, experiment = method_class(part.method), part.experiment()
    if leaf not in flatten(experiment):
        known = flatten(experiment)
        raise UserError(f"unknown setting '{leaf}': see python -m jobs.train {part.method} --help{near(leaf, known)}")
    words = value.split() if isinstance(flatten(experiment)[leaf], tuple) else [value]
    kind = Experiment[method.Config, method.Data]
    config, prog = (tyro.conf.FlagConversionOff,), f"python -m jobs.train {part.method}"
    try:
        parsed = command_line.parse(kind, default=experiment, args=[f"--{leaf}", *words], prog=prog, config=config)
    except UserError as error:
        raise UserError(f"--set {leaf}={value}: {error}") from error
    return flatten(parsed)[leaf]


def main() -> None:
    """Run what the command line asks for."""
    tune(sys.argv[1:])


def tune(arguments: list[str]) -> None:
    """Parse, forecast, run, print the table."""
    arguments = command_line.gathered(arguments, "--set")
    description = f"{__doc__}\nspaces: {', '.join(space_names())}"
    config = command_line.parse(asked_kind(arguments), args=arguments, prog=PROG, description=description)
    space = read_space(config.space, config.preset)
    names = config.arms or tuple(arm.name for arm in space.arms)
    space = replace(space, arms=tuple(space.arm(name) for name in names))
    composed = [arm.trained.method for arm in space.arms if arm.trained.method in COMPOSED]
    if composed and (config.frozen or config.search):
        raise UserError(f"{composed[0]} trains nothing itself: leave out {'--frozen' if config.frozen else '--search'}")
    if config.frozen:
        space = frozen(space, config)
    trials, pretrainings = settings_of(space, config.set)
    storage = storage_place(config.storage, "storage")
    stand_in = world(data_class(space).generated)
    generated = getattr(config, data_class(space).generated)
    for leaves in trained_leaves(space, trials, pretrainings):
        generated = stand_in.fine_enough(generated, leaves)
    root = place(config.root) if config.root else stand_in.folder(storage, generated)
    if config.root and not root.is_dir():
        raise UserError(f"no folder {root}: --data.root must name the folder of the data")
    if not config.root:
        known = flatten(space.arms[0].trained.experiment())
        trials = {leaf: value for leaf, value in stand_in.settings.items() if leaf in known} | trials
    request = Request(
        space=space,
        arms=names,
        budgets=config.budgets or space.budgets,
        seeds=tuple(range(config.seeds or space.seeds)),
        settings=absolute_settings(space, trials) | {"data.root": str(root)},
        pretraining_settings=absolute_settings(space, pretrainings),
        name=config.name,
        search=config.search,
        search_budget=config.search_budget,
        storage=storage,
        command=shlex.join([*PROG.split(), *arguments]),
        frozen=config.frozen,
    )
    whole = plan(request)
    begin_in_earnest()
    say("getting ready: modules and Ray, which is started here unless it runs (10 to 30 s)")
    from sem3d.sweeps.forecast import Terms
    from sem3d.sweeps.records import read_sweep
    from sem3d.sweeps.run import connect_for, run_sweep

    terms = Terms(
        max_concurrent=config.max_concurrent,
        probe_steps=config.probe_steps,
        per_cpu_hour=config.price_per_cpu_hour,
        per_gpu_hour=config.price_per_gpu_hour,
        dry_run=config.dry_run,
    )
    connect_for(request, whole)
    if not config.root:
        make_stand_in(stand_in, root, generated)
    with progress_shown(config.progress) as listener:
        folder = run_sweep(request, terms, listener.say, listener)
    if not config.dry_run:
        print(f"sweep      {folder}")
        print(f"MLflow     {where_to_look(read_sweep(folder).tracking_uri)}")
        print("           its page shows runs once Model training is chosen at the top left")


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def make_stand_in(stand_in: World, root: Path, config: Any) -> None:
    """Make the generated data of a configuration unless they are there, with progress."""
    from sem3d.training.ray.preflight import cluster_resources

    ahead = stand_in.ahead(root, config, cluster_resources().cpus)
    if ahead:
        say(ahead)
    with heard_now_and_then(lambda: [line for line in [stand_in.so_far(root)] if line], said_once(say)):
        made = stand_in.make(root, config)
    say(made)


def frozen(space: Space, config: Tune) -> Space:
    """Return a space whose trials are scores of frozen weights.

    Raise :class:`UserError` where a method has no such scores, or a search is asked for.
    """
    without = [arm.trained.method for arm in space.arms if not method_class(arm.trained.method).frozen_scores]
    if without:
        raise UserError(f"{without[0]} has no scores of frozen weights: leave --frozen out")
    if config.search:
        raise UserError("--frozen trains no trial, so there is nothing to search: leave out --search or --frozen")
    return replace(space, metric=f"{FROZEN}{space.metric}")


def where_to_look(tracking_uri: str) -> str:
    """Return the address of an MLflow server, or the command that shows a store in a shell without the environment too."""
    from sem3d.tracking.store import is_server, mlflow_program

    return tracking_uri if is_server(tracking_uri) else f"{mlflow_program()} ui --backend-store-uri {tracking_uri}"


def data_class(space: Space) -> type:
    """Return what the trials of a space learn from."""
    return method_class(space.arms[0].trained.method).Data


def trained_leaves(space: Space, trials: dict[str, Any], pretrainings: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the leaves of each training of a space, with what is asked of trials and of pretrainings."""
    asked = [(arm.trained, trials) for arm in space.arms]
    asked += [(part, pretrainings) for arm in space.arms for part in arm.pretrainings]
    return [flatten(part.experiment()) | changes for part, changes in asked]


def asked_kind(arguments: list[str]) -> type[Tune]:
    """Return the settings of a sweep, with those of the world that its space learns from where no data are named."""
    named = arguments[0] if arguments and arguments[0] in space_names() else next(iter(METHODS))
    name = data_class(read_space(named)).generated
    small = world(name).small
    return make_dataclass(
        "Tune", [(name, type(small()), field(default_factory=small))], bases=(Tune,), frozen=True, kw_only=True
    )


def absolute_settings(space: Space, settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings with their places made absolute, since trials run in other folders."""
    parts = [part for arm in space.arms for part in (arm.trained, *arm.pretrainings)]
    marks = {leaf: mark for part in parts for leaf, mark in places(part.experiment()).items()}
    return {
        leaf: absolute_place(leaf, value, marks[leaf]) if leaf in marks and value else value
        for leaf, value in settings.items()
    }


if __name__ == "__main__":
    run(main)

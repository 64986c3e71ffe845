"""The space of a sweep: a module of ``tune_spaces``, read and checked leaf by leaf.

Such a module is data only, by these names:

``METHOD``, ``PRESET``, ``SETTINGS``
    What each trial trains: a registered method, one of its presets, dotted leaves that differ from it.
``BUDGET``, ``BUDGETS``
    Leaf of the label budget, and the budgets that are compared: shares where the leaf has a fraction, numbers of what
    ``Data.counted`` of the method says where it has a whole number.
``SEEDS``, ``SEED_LEAVES``
    How many seeds, and the leaves that a seed sets. With the seed of the labelled subset among them, every arm at one budget and
    seed sees the same labelled samples.
``ARMS``
    Name to ``{"settings": {...}}``, where the settings may choose a loss, a network or a resolution. ``"method"`` and
    ``"preset"`` make an arm of another method; ``"needs_unlabelled": True`` leaves it out where all is labelled. The first arm is
    the one that the others are compared with.
``"pretrain"`` of an arm
    ``{"method": ..., "settings": {...}, "seed_leaves": (...), "into": leaf}``, or a list of these: a chain. The last checkpoint
    of each goes into that leaf (``init`` unless named) of the next in the list, and that of the last one into the trial. With
    ``"of"`` it goes to a later pretraining by ``"name"`` (its method's unless named) or to ``"trial"``, so that one training may
    take several. A leaf that takes a checkpoint takes ``scratch`` too, which is how its pace is probed. Without seed leaves,
    here and in what it starts from, one pretraining serves all seeds.
``SHARED``
    Leaves, or beginnings of leaves, that a pretraining takes over from the training it is for, else from those after that: the
    data, and the part whose weights are handed on.
``SEARCH``, ``METRIC``, ``MODE``
    Leaf to distribution of ``ray.tune``; the key of the evaluation that is compared, and "max" or "min".
``ALSO``
    Other keys of it that evidence tells beside.
``SEARCH_SETTINGS``
    Leaves of the trials that search, such as a split of the data that the comparison is not made on.

A registered method without such a module has a space as well: the method alone, at its own label budget.
"""

import math
import pkgutil
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, Literal

from sem3d.config import flatten
from sem3d.errors import UserError, near
from sem3d.methods import METHODS, first_preset, method_class
from sem3d.sweeps.arms import Arm, Part, check_chain, read_arm

PACKAGE = "tune_spaces"
DATA_LEAVES = ("data.root", "data.prepare.")
DEFAULT_SEEDS = 3
ITEM = "labelled item"
"""The thing that a budget counts where the data do not say it."""


@dataclass(frozen=True, kw_only=True)
class Space:
    """Everything that a sweep compares."""

    name: str
    arms: tuple[Arm, ...]
    budget: str
    budgets: tuple[float, ...]
    seeds: int
    shared: tuple[str, ...]
    search: dict[str, Any]
    search_settings: dict[str, Any]
    metric: str
    mode: Literal["max", "min"]
    also: tuple[str, ...] = ()
    """Other metrics of trials that evidence tells, over the same seeds."""

    @property
    def budget_unit(self) -> str:
        """Return the thing that a budget counts, in the singular; empty where budgets are shares of the labels."""
        part = self.arms[0].trained
        if not isinstance(flatten(part.experiment()).get(self.budget), int):
            return ""
        counted = getattr(method_class(part.method).Data, "counted", {})
        return counted.get(self.budget.removeprefix("data."), ITEM)

    def arm(self, name: str) -> Arm:
        """Return the arm of that name; raise :class:`UserError` with the known names otherwise."""
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise UserError(
            f"unknown arm '{name}' of space {self.name}: choose from {', '.join(arm.name for arm in self.arms)}"
        )


def written_spaces() -> list[str]:
    """Return the names of the modules of ``tune_spaces``."""
    return sorted(module.name for module in pkgutil.iter_modules(import_module(PACKAGE).__path__))


def space_names() -> list[str]:
    """Return the names of all spaces there are: the written ones, and the methods that have none."""
    return sorted({*written_spaces(), *METHODS})


def read_space(name: str, preset: str = "") -> Space:
    """Return the space of that name, with ``preset`` instead of its own; raise :class:`UserError` for what does not exist."""
    if name in written_spaces():
        return space_of(import_module(f"{PACKAGE}.{name}"), preset)
    if name in METHODS:
        return default_space(name, preset)
    raise UserError(f"unknown space '{name}': choose one of {', '.join(space_names())}{near(name, space_names())}")


def default_space(method: str, preset: str = "") -> Space:
    """Return the space of a method that has no module: the method alone, at the label budget of its preset, with three seeds."""
    chosen = method_class(method)
    part = Part(
        method=method,
        preset=preset or first_preset(chosen),
        seed_leaves=("run.seed",),
    )
    budget = chosen.label_budget
    metric, mode = chosen.score
    space = Space(
        name=method,
        arms=(Arm(name=method, trained=part),),
        budget=budget,
        budgets=(_own_budget(flatten(part.experiment()), budget),),
        seeds=DEFAULT_SEEDS,
        shared=DATA_LEAVES,
        search={},
        search_settings={},
        metric=metric,
        mode=mode,
    )
    _check(part, (budget,) if budget else (), f"default space of {method}")
    return space


def _own_budget(leaves: dict[str, Any], leaf: str) -> float:
    """Return the preset's number of labelled items, infinity for all of them; of shares, or without a budget, all: 1."""
    value = leaves.get(leaf)
    if isinstance(value, int):
        return float(value) if value else math.inf
    return 1.0


def space_of(module: ModuleType, preset: str = "") -> Space:
    """Return the space that a module holds; raise :class:`UserError` for a leaf, key or preset that does not exist."""
    name = module.__name__.rpartition(".")[2]
    trained = Part(
        method=module.METHOD,
        preset=preset or module.PRESET,
        settings=getattr(module, "SETTINGS", {}),
        seed_leaves=tuple(module.SEED_LEAVES),
    )
    space = Space(
        name=name,
        arms=tuple(_arm(f"arm '{arm}' of space {name}", arm, content, trained) for arm, content in module.ARMS.items()),
        budget=module.BUDGET,
        budgets=tuple(float(budget) for budget in module.BUDGETS),
        seeds=module.SEEDS,
        shared=tuple(getattr(module, "SHARED", DATA_LEAVES)),
        search=dict(getattr(module, "SEARCH", {})),
        search_settings=dict(getattr(module, "SEARCH_SETTINGS", {})),
        metric=module.METRIC,
        mode=module.MODE,
        also=tuple(getattr(module, "ALSO", ())),
    )
    for arm in space.arms:
        _check_arm(space, arm)
    return space


def _arm(where: str, name: str, content: dict[str, Any], trained: Part) -> Arm:
    try:
        return read_arm(name, content, trained)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error


def _check_arm(space: Space, arm: Arm) -> None:
    where = f"arm '{arm.name}' of space {space.name}"
    _check(arm.trained, (space.budget, *space.search, *space.search_settings), where)
    for part in arm.pretrainings:
        _check(part, (), f"pretraining {part.name} of {where}")
    try:
        check_chain(arm)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    handed_on = [leaf for leaf in space.search if leaf.startswith(space.shared)]
    if arm.pretrainings and handed_on:
        raise UserError(
            f"space {space.name} searches {handed_on[0]}, which pretrainings share: search it apart from them"
        )


def _check(part: Part, leaves: tuple[str, ...], where: str) -> None:
    try:
        known = flatten(part.experiment())
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    missing = [leaf for leaf in (*leaves, *part.seed_leaves) if leaf not in known]
    if missing:
        raise UserError(f"{where}: {part.method} has no setting {', '.join(missing)}")

"""What a sweep compares: a module of ``tune_spaces``, read and checked leaf by leaf.

Such a module is data only, by these names:

``METHOD``, ``PRESET``, ``SETTINGS``
    What each trial trains: a registered method, one of its presets, dotted leaves that differ from it.
``BUDGET``, ``BUDGETS``
    Leaf of the label budget, and the budgets that are compared: shares, or numbers of labelled items.
``SEEDS``, ``SEED_LEAVES``
    How many seeds, and the leaves that a seed sets. With the seed of the labelled subset among them, every arm at one budget and
    seed sees the same labelled samples.
``ARMS``
    Name to ``{"settings": {...}}``. ``"pretrain": {"method": ..., "settings": {...}, "seed_leaves": (...)}`` starts the trial
    from the last checkpoint of that pretraining; without seed leaves one pretraining serves all seeds. ``"method"`` and
    ``"preset"`` make an arm of another method; ``"needs_unlabelled": True`` leaves it out where all is labelled. The first arm is
    the one that the others are compared with.
``SHARED``
    Leaves, or beginnings of leaves, that a pretraining takes over from its trial: the data, and the part whose weights are
    handed on.
``SEARCH``, ``METRIC``, ``MODE``
    Leaf to distribution of ``ray.tune``; the key of the evaluation that is compared, and "max" or "min".
``SEARCH_SETTINGS``
    Leaves of the trials that search, such as a split of the data that the comparison is not made on.
"""

import pkgutil
from dataclasses import dataclass, field
from importlib import import_module
from types import ModuleType
from typing import Any, Literal

from sem3d.config import Experiment, flatten, override
from sem3d.errors import UserError
from sem3d.methods import method_class

PACKAGE = "tune_spaces"
DATA_LEAVES = ("data.root", "data.prepare.")
ARM_KEYS = {"method", "preset", "settings", "pretrain", "needs_unlabelled"}
PRETRAIN_KEYS = {"method", "preset", "settings", "seed_leaves"}


@dataclass(frozen=True, kw_only=True)
class Part:
    """One training of an arm."""

    method: str
    preset: str
    settings: dict[str, Any] = field(default_factory=dict)
    """Dotted leaves that differ from the preset."""
    seed_leaves: tuple[str, ...] = ()
    """Leaves that take the trial's seed."""

    def experiment(self) -> Experiment:
        """The preset with the settings; raises :class:`UserError` for what the method does not have."""
        presets = method_class(self.method).presets
        if self.preset not in presets:
            raise UserError(f"unknown preset '{self.preset}' of {self.method}: choose one of {', '.join(presets)}")
        start = presets[self.preset]()
        for leaf in sorted(set(self.settings) - set(flatten(start))):
            raise UserError(f"unknown setting '{leaf}': see python -m jobs.train {self.method} --help")
        return override(start, self.settings)


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One line of the label-budget curve."""

    name: str
    trained: Part
    pretrained: Part | None = None
    needs_unlabelled: bool = False
    """Whether it is nothing of its own where all is labelled."""


@dataclass(frozen=True, kw_only=True)
class Space:
    """What a sweep compares."""

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

    def arm(self, name: str) -> Arm:
        """The arm of that name; raises :class:`UserError` with the known names otherwise."""
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise UserError(
            f"unknown arm '{name}' of space {self.name}: choose from {', '.join(arm.name for arm in self.arms)}"
        )


def space_names() -> list[str]:
    """Names of all spaces there are."""
    return sorted(module.name for module in pkgutil.iter_modules(import_module(PACKAGE).__path__))


def read_space(name: str, preset: str = "") -> Space:
    """The space of that name, with ``preset`` instead of its own; raises :class:`UserError` for what does not exist."""
    if name not in space_names():
        raise UserError(f"unknown space '{name}': choose one of {', '.join(space_names())}")
    return space_of(import_module(f"{PACKAGE}.{name}"), preset)


def space_of(module: ModuleType, preset: str = "") -> Space:
    """The space that a module holds; raises :class:`UserError` for a leaf, key or preset that does not exist."""
    name = module.__name__.rpartition(".")[2]
    preset = preset or module.PRESET
    space = Space(
        name=name,
        arms=tuple(_arm(name, arm, content, module, preset) for arm, content in module.ARMS.items()),
        budget=module.BUDGET,
        budgets=tuple(float(budget) for budget in module.BUDGETS),
        seeds=module.SEEDS,
        shared=tuple(getattr(module, "SHARED", DATA_LEAVES)),
        search=dict(getattr(module, "SEARCH", {})),
        search_settings=dict(getattr(module, "SEARCH_SETTINGS", {})),
        metric=module.METRIC,
        mode=module.MODE,
    )
    for arm in space.arms:
        _check(arm.trained, (space.budget, *space.search, *space.search_settings), f"arm '{arm.name}' of space {name}")
        if arm.pretrained:
            _check(arm.pretrained, (), f"pretraining of arm '{arm.name}' of space {name}")
            handed_on = [leaf for leaf in space.search if leaf.startswith(space.shared)]
            if handed_on:
                raise UserError(
                    f"space {name} searches {handed_on[0]}, which pretrainings share: search it apart from them"
                )
    return space


def _arm(space: str, name: str, content: dict[str, Any], module: ModuleType, preset: str) -> Arm:
    before = content.get("pretrain")
    strange = set(content) - ARM_KEYS | set(before or {}) - PRETRAIN_KEYS
    if strange:
        raise UserError(f"arm '{name}' of space {space} has unknown keys: {', '.join(sorted(strange))}")
    return Arm(
        name=name,
        trained=Part(
            method=content.get("method", module.METHOD),
            preset=content.get("preset", preset),
            settings=getattr(module, "SETTINGS", {}) | content.get("settings", {}),
            seed_leaves=tuple(module.SEED_LEAVES),
        ),
        pretrained=Part(**{"preset": preset, **before}) if before else None,
        needs_unlabelled=content.get("needs_unlabelled", False),
    )


def _check(part: Part, leaves: tuple[str, ...], where: str) -> None:
    try:
        known = flatten(part.experiment())
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    missing = [leaf for leaf in (*leaves, *part.seed_leaves) if leaf not in known]
    if missing:
        raise UserError(f"{where}: {part.method} has no setting {', '.join(missing)}")

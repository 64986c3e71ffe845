"""The arms of a space: what each trains, and the chain of pretrainings that it starts from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sem3d.config import Experiment, flatten, override
from sem3d.errors import UserError, near
from sem3d.methods import method_class

TRIAL = "trial"
"""Name of the last training of a chain, the one that is compared."""
ARM_KEYS = {"method", "preset", "settings", "pretrain", "needs_unlabelled"}
PRETRAIN_KEYS = {"name", "method", "preset", "settings", "seed_leaves", "into", "of"}


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
        """Return the preset with the settings; raise :class:`UserError` for what the method does not have."""
        presets = method_class(self.method).presets
        if self.preset not in presets:
            raise UserError(
                f"unknown preset '{self.preset}' of {self.method}: choose one of {', '.join(presets)}{near(self.preset, presets)}"
            )
        start = presets[self.preset]()
        known = flatten(start)
        for leaf in sorted(self.settings.keys() - known.keys()):
            raise UserError(
                f"unknown setting '{leaf}': see python -m jobs.train {self.method} --help{near(leaf, known)}"
            )
        return override(start, self.settings)


@dataclass(frozen=True, kw_only=True)
class PretrainedPart(Part):
    """One pretraining of an arm, and the later training that takes its last checkpoint."""

    name: str
    into: str = "init"
    """Leaf of the training that takes the checkpoint."""
    of: str = TRIAL
    """Name of that training: a later pretraining, or the trial."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One line of the label-budget curve."""

    name: str
    trained: Part
    pretrainings: tuple[PretrainedPart, ...] = ()
    """In order: each is taken by a later one or by the trial."""
    needs_unlabelled: bool = False
    """Whether it is nothing of its own where all is labelled."""

    def feeding(self, name: str) -> tuple[PretrainedPart, ...]:
        """Return the pretrainings whose checkpoints the training of that name takes."""
        return tuple(part for part in self.pretrainings if part.of == name)


def read_arm(name: str, content: Mapping[str, Any], trained: Part) -> Arm:
    """Return the arm that a space describes; ``trained`` is what its trials are where it says nothing else.

    Raise :class:`UserError` for an unknown key, or a pretraining that no later training takes.
    """
    steps = content.get("pretrain") or ()
    steps = (steps,) if isinstance(steps, Mapping) else tuple(steps)
    strange = set(content) - ARM_KEYS | {key for step in steps for key in step} - PRETRAIN_KEYS
    if strange:
        raise UserError(f"unknown keys: {', '.join(sorted(strange))}")
    if not all("method" in step for step in steps):
        raise UserError("a pretraining has no 'method': name a registered one")
    return Arm(
        name=name,
        trained=Part(
            method=content.get("method", trained.method),
            preset=content.get("preset", trained.preset),
            settings=trained.settings | content.get("settings", {}),
            seed_leaves=trained.seed_leaves,
        ),
        pretrainings=_chain(steps, trained.preset),
        needs_unlabelled=content.get("needs_unlabelled", False),
    )


def _chain(steps: Sequence[Mapping[str, Any]], preset: str) -> tuple[PretrainedPart, ...]:
    names = [step.get("name", step["method"]) for step in steps] + [TRIAL]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise UserError(f"two trainings are named '{name}': give each pretraining a name of its own")
    parts = []
    for number, step in enumerate(steps):
        later = names[number + 1 :]
        taker = step.get("of", later[0])
        if taker not in later:
            raise UserError(f"pretraining {names[number]} is of '{taker}': choose a later one of {', '.join(later)}")
        parts.append(PretrainedPart(**{"preset": preset, **step, "name": names[number], "of": taker}))
    return tuple(parts)


def check_chain(arm: Arm) -> None:
    """Raise :class:`UserError` unless each pretraining has a leaf of its own that may hold a checkpoint."""
    taken: set[tuple[str, str]] = set()
    takers: dict[str, Part] = {TRIAL: arm.trained} | {part.name: part for part in arm.pretrainings}
    for part in arm.pretrainings:
        leaves = flatten(takers[part.of].experiment())
        if part.into not in leaves:
            raise UserError(
                f"{takers[part.of].method} has no setting {part.into}, which pretraining {part.name} goes into"
            )
        if isinstance(leaves[part.into], bool | int | float | tuple):
            raise UserError(
                f"{part.into} of {takers[part.of].method} takes no checkpoint, as of pretraining {part.name}"
            )
        if (part.of, part.into) in taken:
            raise UserError(f"two pretrainings go into {part.into} of {part.of}: give each a leaf of its own ('into')")
        taken.add((part.of, part.into))

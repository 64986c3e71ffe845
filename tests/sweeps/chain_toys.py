"""A toy method that takes a second checkpoint, and arms that chain it to Pri3D."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from sem3d.config import Experiment
from sem3d.methods import METHODS
from sem3d.methods.tasks.semantic_segmentation_2d import (
    SemanticSegmentation2D,
    SemanticSegmentation2DConfig,
    laptop,
)
from sem3d.sweeps.plan import Request
from sem3d.sweeps.space import space_of
from tests.sweeps.sweep_toys import TINY, toy_module, toy_request


@dataclass(frozen=True, kw_only=True)
class DistillationConfig(SemanticSegmentation2DConfig):
    """The network, and one that it would learn from."""

    teacher: str = "scratch"
    """Initial weights of the teacher."""


def distillation() -> Experiment:
    """Return the laptop's segmentation with a teacher."""
    plain = laptop()
    return replace(plain, method=DistillationConfig(unet=plain.method.unet))


class Distillation(SemanticSegmentation2D):
    """Segmentation with a leaf for a teacher's checkpoint."""

    label_budget = ""

    Config = DistillationConfig
    presets: ClassVar = {"paper": distillation, "laptop": distillation}


def register_distillation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register the toy method for a test."""
    monkeypatch.setitem(METHODS, "distillation", f"{__name__}:Distillation")


PRI3D = {"method": "pri3d", "settings": {"init": "scratch"}, "seed_leaves": ("run.seed",)}
STUDENT = {"method": "distillation", "seed_leaves": ("run.seed",)}
CHAIN = {"pretrain": [PRI3D | {"into": "method.teacher"}, STUDENT]}
FORK = {
    "pretrain": [
        PRI3D | {"name": "teacher", "into": "method.teacher", "of": "student"},
        PRI3D | {"name": "start", "of": "student", "settings": {"init": "scratch", "method.temperature": 0.1}},
        STUDENT | {"name": "student"},
    ]
}
SINGLE = {"pretrain": PRI3D}


def chain_request(
    rooms: Path, storage: Path, arms: dict[str, Any] | None = None, changes: dict[str, Any] | None = None, **asked: Any
) -> Request:
    """Return a request for arms that start from chains, at one budget and seed unless ``asked`` otherwise."""
    space = asked.pop("space", None) or space_of(toy_module(ARMS=arms or {"distilled": CHAIN}))
    return toy_request(rooms, storage, changes, **{"space": space, "budgets": (1.0,), "seeds": (0,)} | asked)


def curriculum_request(rooms: Path, storage: Path) -> Request:
    """Return a request for two trials in the process that Tune keeps for them: one from nothing, one after a chain.

    The chain is one of registered methods, with small images before large ones.
    """
    large = {"data.height": 66, "data.width": 88}
    small = {"method": "semantic_segmentation_2d", "seed_leaves": ("run.seed",)}
    arms = {
        "scratch": {"settings": large | {"init": "scratch"}},
        "curriculum": {"pretrain": [PRI3D, small], "settings": large},
    }
    changes = {leaf: value for leaf, value in TINY.items() if leaf not in large} | {"run.workers": 0}
    space = space_of(toy_module(ARMS=arms))
    request = chain_request(rooms, storage, space=space)
    return replace(request, settings=changes | {"data.root": str(rooms)})

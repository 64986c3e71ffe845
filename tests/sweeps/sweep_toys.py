"""A small space for tests of sweeps, and a request for it on generated rooms."""

from pathlib import Path
from types import ModuleType
from typing import Any

from ray import tune

from sem3d.sweeps.plan import Request
from sem3d.sweeps.space import space_of

TINY = {
    "method.unet.width": 16,
    "method.unet.dim": 8,
    "data.prepare.stride": 1,
    "data.height": 33,
    "data.width": 44,
    "run.batch_size": 4,
    "run.log_every": 1,
    "run.checkpoint_every": 2,
    "schedule.steps": 4,
    "schedule.warmup": 0,
}
TINY_PRETRAINING = {
    "method.projection_dim": 8,
    "method.sparse_unet.planes": (4, 4, 4, 4, 4, 4, 4, 4),
    "method.sparse_unet.init_dim": 4,
    "data.height": 33,
    "data.width": 44,
    "data.matches": 16,
    "data.voxel_size": 0.2,
    "data.geo_threshold": 0.3,
    "data.evaluation_pairs": 5,
    "run.batch_size": 4,
    "run.checkpoint_every": 2,
    "schedule.steps": 4,
    "schedule.warmup": 0,
}


def toy_module(**changes: Any) -> ModuleType:
    """Return a module like those of ``tune_spaces``: scratch against Pri3D at two budgets."""
    module = ModuleType("tune_spaces.toy")
    content = {
        "METHOD": "semantic_segmentation_2d",
        "PRESET": "laptop",
        "SETTINGS": {},
        "BUDGET": "data.budget",
        "BUDGETS": (0.5, 1),
        "SEEDS": 2,
        "SEED_LEAVES": ("run.seed", "data.budget_seed"),
        "SHARED": ("data.root", "data.prepare.", "method.unet."),
        "ARMS": {
            "scratch": {"settings": {"init": "scratch"}},
            "pri3d": {"pretrain": {"method": "pri3d", "settings": {"init": "scratch"}, "seed_leaves": ("run.seed",)}},
        },
        "METRIC": "miou_scannet",
        "MODE": "max",
    }
    vars(module).update(content | changes)
    return module


def toy_request(rooms: Path, storage: Path, changes: dict[str, Any] | None = None, **asked: Any) -> Request:
    """Return a request for the whole of a toy space; ``changes`` are settings, ``asked`` are fields of the request."""
    space = asked.pop("space", None) or space_of(toy_module())
    settings = TINY | {"data.root": str(rooms)} | (changes or {})
    fields = {
        "arms": tuple(arm.name for arm in space.arms),
        "budgets": space.budgets,
        "seeds": tuple(range(space.seeds)),
        "pretraining_settings": TINY_PRETRAINING,
    }
    return Request(space=space, settings=settings, storage=storage, **fields | asked)


def searching_request(rooms: Path, storage: Path) -> Request:
    """Return a request for two points of a search, each with a worker, and one trial without."""
    searched = {"optim.lr": tune.loguniform(1e-4, 1e-2)}
    space = space_of(toy_module(SEARCH=searched, METRIC="loss_cross_entropy", MODE="min"))
    one = {"arms": ("scratch",), "budgets": (1.0,), "seeds": (0,)}
    return toy_request(rooms, storage, {"run.workers": 0}, space=space, search=2, **one)

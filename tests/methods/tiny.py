"""The smallest experiment of each method, on the small generated rooms."""

from pathlib import Path

from sem3d.config import Experiment, override
from sem3d.methods import method_class

TINY = {
    "pri3d": {
        "method.depth_head": True,
        "method.unet.width": 16,
        "method.unet.dim": 8,
        "method.projection_dim": 8,
        "method.sparse_unet.planes": (4, 4, 4, 4, 4, 4, 4, 4),
        "method.sparse_unet.init_dim": 4,
        "data.matches": 16,
        "data.voxel_size": 0.2,
        "data.geo_threshold": 0.3,
        "data.evaluation_pairs": 5,
    },
    "semantic_segmentation_2d": {"method.unet.width": 16, "method.unet.dim": 8},
}
EVERYWHERE = {
    "init": "scratch",
    "data.prepare.stride": 1,
    "data.height": 33,
    "data.width": 44,
    "run.batch_size": 4,
    "run.log_every": 1,
    "run.checkpoint_every": 2,
    "run.cpus_per_worker": 1.0,
    "schedule.steps": 4,
    "schedule.warmup": 0,
}


def tiny_experiment(name: str, rooms: Path, storage: Path, **changes: object) -> Experiment:
    """Method ``name`` cut down to seconds; ``changes`` are leaves with ``__`` for the dot."""
    experiment = override(method_class(name).presets["laptop"](), EVERYWHERE | TINY[name])
    places = {"data.root": str(rooms), "run.storage": str(storage)}
    return override(experiment, places | {leaf.replace("__", "."): value for leaf, value in changes.items()})

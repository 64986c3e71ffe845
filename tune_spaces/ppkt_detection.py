"""Worth of PPKT's pretraining to 3D detection when labelled scenes are few, beside PointContrast's and Pri3D's."""

from ray import tune

from tune_spaces.ppkt import POINTCONTRAST, PPKT, PRI3D, ROOMS, RUNS
from tune_spaces.ppkt import SIZES as SEGMENTATION

METHOD = "object_detection_3d"
PRESET = "laptop"
SETTINGS = RUNS
BUDGET = "data.budget"
BUDGETS = (0.15, 1.0)
SEEDS = 3
SEED_LEAVES = ("run.seed", "data.budget_seed")
SHARED = ("data.root", "data.prepare.", "data.voxel_size", "method.sparse_unet.", "method.voxel_input")
ARMS = {
    "scratch": {"settings": {"init": "scratch"}},
    "ppkt": {"pretrain": PPKT},
    "pointcontrast": {"pretrain": POINTCONTRAST},
    "pri3d": {"pretrain": PRI3D},
}
SEARCH = {"optim.lr": tune.loguniform(5e-4, 5e-2), "optim.weight_decay": tune.loguniform(1e-6, 1e-2)}
METRIC = "map_25"
MODE = "max"

COMPARED = ("scratch", "ppkt", "pointcontrast")
SIZES = {
    "laptop": {
        "arms": COMPARED,
        "budgets": (0.15, 1),
        "seeds": 3,
        "world": ROOMS,
        "settings": {"schedule.steps": 200},
        "pretraining": SEGMENTATION["laptop"]["pretraining"],
    },
    "gpu": {
        "arms": COMPARED,
        "budgets": (0.15, 1),
        "seeds": 3,
        "world": ROOMS,
        "settings": {"run.gpus_per_worker": 0.2},
        "preset": "gpu",
        "max_concurrent": 5,
    },
    "paper": {
        "arms": COMPARED,
        "budgets": (1,),
        "seeds": 3,
        "preset": "paper",
    },
}
"""Networks of ``laptop`` are those of the same size of ``ppkt``, and are found in its storage where they are trained already."""

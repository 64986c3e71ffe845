"""Worth of PPKT's pretraining to 3D segmentation when labelled scenes are few, beside that of other teachers and losses, of
PointContrast and of Pri3D.

The 2D network of the pseudo-labels learns from the frames of the labelled scenes of the same budget.
"""

from ray import tune

METHOD = "semantic_segmentation_3d"
PRESET = "laptop"
RUNS = {"run.workers": 0}
SETTINGS = RUNS
BUDGET = "data.budget"
BUDGETS = (0.15, 0.5, 1.0)
SEEDS = 3
SEED_LEAVES = ("run.seed", "data.budget_seed")
SHARED = ("data.root", "data.prepare.", "data.voxel_size", "data.budget", "method.sparse_unet.", "method.voxel_input")
PPKT = {"method": "ppkt", "settings": RUNS, "seed_leaves": ("run.seed",)}
PRI3D = {"method": "pri3d", "settings": RUNS | {"init": "imagenet"}, "seed_leaves": ("run.seed",)}
PRI3D_OF_ALL_SEEDS = {"method": "pri3d", "settings": RUNS | {"init": "imagenet"}}
"""One teacher for all seeds, as ImageNet's is."""
POINTCONTRAST = {"method": "pointcontrast", "settings": RUNS, "seed_leaves": ("run.seed",)}
SEGMENTATION_2D = {
    "method": "semantic_segmentation_2d",
    "settings": RUNS | {"init": "imagenet", "data.budget_unit": "scene"},
    "seed_leaves": ("run.seed",),
}
ARMS = {
    "scratch": {"settings": {"init": "scratch"}},
    "ppkt": {"pretrain": PPKT},
    "pri3d": {"pretrain": PRI3D},
    "pointcontrast": {"pretrain": POINTCONTRAST},
    "pointcontrast, then ppkt": {"pretrain": [POINTCONTRAST, PPKT]},
    "ppkt, last layer": {"pretrain": PPKT | {"settings": RUNS | {"method.teacher.strides": (32,)}}},
    "ppkt, two layers": {"pretrain": PPKT | {"settings": RUNS | {"method.teacher.strides": (16, 32)}}},
    "ppkt, random teacher": {"pretrain": PPKT | {"settings": RUNS | {"method.teacher.weights": "scratch"}}},
    "ppkt, teacher of pri3d": {"pretrain": [PRI3D_OF_ALL_SEEDS | {"into": "method.teacher.weights"}, PPKT]},
    "ppkt, distillation": {"pretrain": PPKT | {"settings": RUNS | {"method.loss": "distillation"}}},
    "ppkt, global contrast": {"pretrain": PPKT | {"settings": RUNS | {"method.loss": "global"}}},
    "ppkt, no upsampling": {"pretrain": PPKT | {"settings": RUNS | {"method.upsampling": "none"}}},
    "ppkt + pointcontrast": {"pretrain": PPKT | {"method": "ppkt_pointcontrast"}},
    "pri3d, then ppkt": {"pretrain": [PRI3D, PPKT]},
    "2d pseudo-labels": {
        "pretrain": [
            SEGMENTATION_2D | {"into": "method.teacher.weights"},
            PPKT | {"settings": RUNS | {"method.loss": "pseudo_labels"}},
        ]
    },
}
SEARCH = {"optim.lr": tune.loguniform(5e-4, 5e-2), "optim.weight_decay": tune.loguniform(1e-6, 1e-2)}
METRIC = "miou_scannet"
MODE = "max"

ROOMS = {"rooms_train": 80, "rooms_val": 20, "frames_per_room": 8, "point_spacing": 0.05}
COMPARED = (
    "scratch",
    "ppkt, last layer",
    "ppkt, two layers",
    "ppkt, teacher of pri3d",
    "ppkt, random teacher",
    "pointcontrast",
)
SIZES = {
    "laptop": {
        "arms": COMPARED,
        "budgets": (0.15, 1),
        "seeds": 3,
        "world": ROOMS,
        "settings": {"schedule.steps": 160},
        "pretraining": {"schedule.steps": 400},
    },
    "gpu": {
        "arms": COMPARED,
        "budgets": (0.15, 1),
        "seeds": 3,
        "world": ROOMS | {"rooms_train": 120, "rooms_val": 30},
        "settings": {"run.gpus_per_worker": 0.1},
        "preset": "gpu",
        "max_concurrent": 5,
    },
    "paper": {
        "arms": ("scratch", "ppkt", "pointcontrast"),
        "budgets": (0.15, 0.3, 0.5, 1),
        "seeds": 3,
        "preset": "paper",
    },
}

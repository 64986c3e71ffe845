"""Worth of PPKT's pretraining to 3D segmentation when labelled scenes are few, beside PointContrast's, Pri3D's and a random
teacher's.
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
SHARED = ("data.root", "data.prepare.", "data.voxel_size", "method.sparse_unet.", "method.voxel_input")
PPKT = {"method": "ppkt", "settings": RUNS, "seed_leaves": ("run.seed",)}
PRI3D = {"method": "pri3d", "settings": RUNS | {"init": "imagenet"}, "seed_leaves": ("run.seed",)}
POINTCONTRAST = {"method": "pointcontrast", "settings": RUNS, "seed_leaves": ("run.seed",)}
ARMS = {
    "scratch": {"settings": {"init": "scratch"}},
    "ppkt": {"pretrain": PPKT},
    "pri3d": {"pretrain": PRI3D},
    "pointcontrast": {"pretrain": POINTCONTRAST},
    "pointcontrast, then ppkt": {"pretrain": [POINTCONTRAST, PPKT]},
    "ppkt, random teacher": {"pretrain": PPKT | {"settings": RUNS | {"method.teacher.weights": "scratch"}}},
    "ppkt, teacher of pri3d": {"pretrain": [PRI3D | {"into": "method.teacher.weights"}, PPKT]},
}
SEARCH = {"optim.lr": tune.loguniform(5e-4, 5e-2), "optim.weight_decay": tune.loguniform(1e-6, 1e-2)}
METRIC = "miou_scannet"
MODE = "max"

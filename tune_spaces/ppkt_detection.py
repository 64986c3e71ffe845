"""Worth of PPKT's pretraining to 3D detection when labelled scenes are few, beside PointContrast's and Pri3D's."""

from ray import tune

METHOD = "object_detection_3d"
PRESET = "laptop"
RUNS = {"run.workers": 0}
SETTINGS = RUNS
BUDGET = "data.budget"
BUDGETS = (0.15, 1.0)
SEEDS = 3
SEED_LEAVES = ("run.seed", "data.budget_seed")
SHARED = ("data.root", "data.prepare.", "data.voxel_size", "method.sparse_unet.", "method.voxel_input")
ARMS = {
    "scratch": {"settings": {"init": "scratch"}},
    "ppkt": {"pretrain": {"method": "ppkt", "settings": RUNS, "seed_leaves": ("run.seed",)}},
    "pointcontrast": {"pretrain": {"method": "pointcontrast", "settings": RUNS, "seed_leaves": ("run.seed",)}},
    "pri3d": {"pretrain": {"method": "pri3d", "settings": RUNS | {"init": "imagenet"}, "seed_leaves": ("run.seed",)}},
}
SEARCH = {"optim.lr": tune.loguniform(5e-4, 5e-2), "optim.weight_decay": tune.loguniform(1e-6, 1e-2)}
METRIC = "map_25"
MODE = "max"

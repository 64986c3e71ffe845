"""Worth of Pri3D's pretraining to 2D segmentation when labels are few: one curve an initialisation."""

from ray import tune

METHOD = "semantic_segmentation_2d"
PRESET = "laptop"
RUNS = {"run.workers": 0}
SETTINGS = RUNS | {"data.budget_unit": "scene"}
BUDGET = "data.budget"
BUDGETS = (0.05, 0.2, 1.0)
SEEDS = 3
SEED_LEAVES = ("run.seed", "data.budget_seed")
SHARED = ("data.root", "data.prepare.", "method.unet.")
ARMS = {
    "scratch": {"settings": {"init": "scratch"}},
    "pri3d": {"pretrain": {"method": "pri3d", "settings": RUNS | {"init": "scratch"}, "seed_leaves": ("run.seed",)}},
    "imagenet": {"settings": {"init": "imagenet"}},
    "imagenet+pri3d": {
        "pretrain": {"method": "pri3d", "settings": RUNS | {"init": "imagenet"}, "seed_leaves": ("run.seed",)}
    },
}
SEARCH = {"optim.lr": tune.loguniform(1e-4, 1e-2), "optim.weight_decay": tune.loguniform(1e-6, 1e-2)}
METRIC = "miou_scannet"
MODE = "max"

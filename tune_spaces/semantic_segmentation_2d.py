"""Worth of labels to 2D segmentation, with and without ImageNet's weights."""

from ray import tune

METHOD = "semantic_segmentation_2d"
PRESET = "laptop"
SETTINGS = {"data.budget_unit": "scene"}
BUDGET = "data.budget"
BUDGETS = (0.05, 0.2, 1.0)
SEEDS = 3
SEED_LEAVES = ("run.seed", "data.budget_seed")
ARMS = {"scratch": {"settings": {"init": "scratch"}}, "imagenet": {"settings": {"init": "imagenet"}}}
SEARCH = {
    "optim.lr": tune.loguniform(1e-4, 1e-2),
    "optim.weight_decay": tune.loguniform(1e-6, 1e-2),
    "data.mirror_probability": tune.choice([0.0, 0.5]),
    "data.augment_color": tune.choice([False, True]),
}
METRIC = "miou_scannet"
MODE = "max"

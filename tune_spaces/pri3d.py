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

ROOMS = {"rooms_train": 240, "rooms_val": 40, "frames_per_room": 7}
LONGER = {"schedule.steps": 0, "schedule.epochs": 16, "run.batch_size": 16}
PRETRAINED = {"schedule.steps": 350, "run.batch_size": 16}
SIZES = {
    "laptop": {
        "arms": ("imagenet", "imagenet+pri3d"),
        "budgets": (0.05, 0.2),
        "seeds": 3,
        "world": ROOMS,
        "settings": LONGER,
        "pretraining": PRETRAINED,
    },
    "gpu": {
        "arms": ("imagenet", "imagenet+pri3d", "scratch", "pri3d"),
        "budgets": (0.2, 1),
        "seeds": 2,
        "world": ROOMS,
        "settings": {"run.gpus_per_worker": 0.2},
        "preset": "gpu",
        "max_concurrent": 5,
    },
    "paper": {
        "arms": ("imagenet", "imagenet+pri3d", "scratch"),
        "budgets": (0.2, 1),
        "seeds": 3,
        "preset": "paper",
    },
}

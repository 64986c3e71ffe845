"""Worth of unlabelled images to single-view reconstruction when few objects have viewpoints (SSR, Table 2)."""

from math import inf

from ray import tune

METHOD = "ssr"
PRESET = "laptop"
SETTINGS = {"run.workers": 0}
BUDGET = "data.labelled"
BUDGETS = (2, 5, 20, inf)
SEEDS = 3
SEED_LEAVES = ("run.seed", "data.budget_seed")
ARMS = {
    "softras": {"settings": {"method.labels_from": "none"}},
    "ssr": {"needs_unlabelled": True},
    "ssr, no rotation": {"settings": {"method.rotation_augmentation": False}, "needs_unlabelled": True},
    "classifier": {"settings": {"method.labels_from": "classifier"}, "needs_unlabelled": True},
}
SEARCH = {
    "optim.lr": tune.loguniform(5e-5, 3e-3),
    "method.viewpoint_lr": tune.loguniform(5e-5, 3e-3),
    "method.laplacian": tune.loguniform(1e-3, 5e-2),
    "method.rule": tune.choice(["paper", "released", "rotation_consistent"]),
    "method.cycle": tune.choice([50, 100, 200, 400]),
}
SEARCH_SETTINGS = {"data.evaluation_split": "val"}
METRIC = "voxel_iou"
MODE = "max"

SIZES = {
    "laptop": {
        "arms": ("softras", "ssr"),
        "budgets": (2, 5, 20),
        "seeds": 3,
        "world": {"objects": 500},
        "settings": {"data.category": "chair", "method.silhouette_size": 32},
    },
    "gpu": {
        "arms": ("softras", "ssr"),
        "budgets": (2, 5, 20),
        "seeds": 3,
        "world": {"objects": 500},
        "settings": {"data.category": "chair", "run.gpus_per_worker": 0.1},
        "preset": "gpu",
        "max_concurrent": 5,
    },
    "paper": {
        "arms": ("softras", "ssr"),
        "budgets": (2, 5, 20, inf),
        "seeds": 3,
        "settings": {"data.category": "03001627"},
        "preset": "paper",
    },
}

"""New objects from what is seen of them: from colours of a view, from its mask alone, or from both (Semantic SRN, Figure 2).

Networks are learnt once a seed, end to end with part labels (equation 4), which inference from a mask needs; the budget is of
observed views. Scored are the silhouettes of test objects in views that were not observed.
"""

from ray import tune

METHOD = "semantic_srn_instances"
PRESET = "laptop"
RUNS = {"run.workers": 0}
LABELS = {"method.segmentation_layers": 4}
SETTINGS = RUNS | LABELS
BUDGET = "data.observed"
BUDGETS = (1, 5)
SEEDS = 3
SEED_LEAVES = ("run.seed",)
SHARED = ("data.root", "data.category", "data.size", "data.transparent", "method.scene.")
NETWORKS = {
    "method": "semantic_srn",
    "settings": RUNS | LABELS | {"data.masks": 0},
    "seed_leaves": ("run.seed",),
}
ARMS = {
    "from colours": {"pretrain": NETWORKS},
    "from masks": {"settings": {"method.inferred_from": "mask"}, "pretrain": NETWORKS},
    "from both": {"settings": {"method.inferred_from": "both"}, "pretrain": NETWORKS},
}
SEARCH = {"method.latents.lr": tune.loguniform(1e-3, 1e-1)}
METRIC = "silhouette_iou"
MODE = "max"

OBSERVED = {"data.observation": 9}
"""Of 32 views: from the front and a side, a quarter of the way up, as the released 65 of 251."""
SIZES = {
    "laptop": {
        "arms": tuple(ARMS),
        "budgets": (1,),
        "seeds": 3,
        "world": {"train": 100, "val": 10, "test": 20, "views.side": 32},
        "settings": OBSERVED | {"data.size": 32, "data.evaluation_views": 8},
        "pretraining": {"schedule.steps": 2000},
    },
    "gpu": {
        "arms": tuple(ARMS),
        "budgets": (1, 5),
        "seeds": 6,
        "world": {"train": 400, "val": 20, "test": 50},
        "settings": OBSERVED | {"run.gpus_per_worker": 0.1},
        "preset": "gpu",
        "max_concurrent": 5,
    },
    "paper": {
        "arms": tuple(ARMS),
        "budgets": (1, 50),
        "seeds": 3,
        "settings": {"data.category": "Chair"},
        "preset": "paper",
    },
}

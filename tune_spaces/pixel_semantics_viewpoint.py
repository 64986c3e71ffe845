"""Worth of looking at the picture itself for its viewpoint, beside 2.5D sketches of it (2D-3D-2D, Table 5), and of its labels.

Tested on pictures before backgrounds that no training render has. Sketches are those that a network trained on the same objects
predicts, or the true ones, a bound. What the pipeline as a whole finds, the space ``pixel_semantics`` compares.
"""

from ray import tune

METHOD = "viewpoint"
PRESET = "laptop"
RUNS = {"run.workers": 0}
SETTINGS = RUNS
BUDGET = "data.budget"
BUDGETS = (0.2, 1.0)
SEEDS = 3
SEED_LEAVES = ("run.seed", "data.budget_seed")
SHARED = ("data.", "method.sketcher.")
SKETCHER = {"method": "reconstruction_sketches", "settings": RUNS, "seed_leaves": ("run.seed",)}
ARMS = {
    "sketches of the picture": {"settings": {"method.sees": "sketches"}, "pretrain": SKETCHER},
    "picture": {},
    "picture, hard labels": {"settings": {"method.labels": "hard", "method.decoding": "bin"}},
    "picture, random encoder": {"settings": {"init": "scratch"}},
    "true sketches": {"settings": {"method.sees": "true_sketches"}},
}
SEARCH = {"optim.lr": tune.loguniform(1e-4, 1e-2), "method.labels": tune.choice(["hard", "soft"])}
METRIC = "viewpoint_accuracy"
MODE = "max"

SIZES = {
    "laptop": {
        "arms": ("sketches of the picture", "picture", "true sketches"),
        "budgets": (1.0,),
        "seeds": 3,
        "world": {"train": 100, "val": 10, "test": 20},
    },
    "gpu": {
        "arms": tuple(ARMS),
        "budgets": (0.2, 1.0),
        "seeds": 6,
        "world": {"train": 1000, "val": 50, "test": 100},
        "settings": {"run.gpus_per_worker": 0.2},
        "preset": "gpu",
        "max_concurrent": 5,
    },
    "paper": {
        "arms": ("sketches of the picture", "picture"),
        "budgets": (1.0,),
        "seeds": 3,
        "preset": "paper",
    },
}

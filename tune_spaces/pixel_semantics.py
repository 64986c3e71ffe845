"""Worth of each part of 2D-3D-2D: keypoints in test pictures by the pipeline, by other and true parts of it, by transfer in 2D.

All stages are trained once a seed, in order, and found again by the same command; every way of answering is scored on the same
pictures and references. Objects, their clouds and their keypoints are of one world, so no part has seen a test object.
"""

METHOD = "pixel_semantics"
PRESET = "laptop"
RUNS = {"run.workers": 0}
SETTINGS = RUNS
BUDGET = "data.budget"
BUDGETS = (1.0,)
SEEDS = 3
SEED_LEAVES = ("run.seed",)
SHARED = (
    "data.root",
    "data.budget",
    "data.size",
    "data.voxels",
    "data.tested_on",
    "method.sketcher.",
    "method.completion.",
)
SEEDED = {"settings": RUNS, "seed_leaves": ("run.seed",)}
MEANING = SEEDED | {"method": "keypoint_embedding", "into": "method.meaning", "of": "trial"}
VIEW = SEEDED | {"method": "viewpoint", "into": "method.view", "of": "trial"}
SKETCHES = SEEDED | {"method": "reconstruction_sketches", "of": "completion"}
COMPLETION = SEEDED | {"method": "reconstruction", "name": "completion"}
CRITIC = SEEDED | {"method": "reconstruction_naturalness", "into": "method.naturalness.critic", "of": "reconstruction"}
NATURAL = SEEDED | {
    "method": "reconstruction",
    "into": "method.shape",
    "settings": RUNS | {"method.naturalness.weight": 1e-3},
}
STAGES = [MEANING, VIEW, CRITIC, SKETCHES, COMPLETION | {"of": "reconstruction"}, NATURAL]
WITHOUT_CRITIC = [MEANING, VIEW, SKETCHES, COMPLETION | {"into": "method.shape"}]
ARMS = {
    "pipeline": {"pretrain": STAGES},
    "refined in distance": {
        "settings": {"method.refine": "distance", "method.steps": 30},
        "pretrain": STAGES,
    },
    "without refinement": {"settings": {"method.way": "without refinement"}, "pretrain": STAGES},
    "without naturalness": {"pretrain": WITHOUT_CRITIC},
    "fixed template": {"settings": {"method.way": "fixed template"}, "pretrain": STAGES},
    "2D transfer": {"settings": {"method.way": "2D transfer"}},
    "2D transfer, checked": {"settings": {"method.way": "2D transfer, checked"}},
    "true 2.5D sketches": {"settings": {"method.way": "true 2.5D sketches"}, "pretrain": STAGES},
    "true shape": {"settings": {"method.way": "true shape"}, "pretrain": STAGES},
    "true azimuth and elevation": {"settings": {"method.way": "true azimuth and elevation"}, "pretrain": STAGES},
    "all three true": {"settings": {"method.way": "all three true"}, "pretrain": STAGES},
}
METRIC = "pck_of_pairs"
ALSO = ("pck_far", "pck_near", "pck", "viewpoint_error_degrees", "visibility_accuracy")
MODE = "max"

WAYS = tuple(name for name in ARMS if name not in ("refined in distance", "without naturalness"))
SIZES = {
    "laptop": {
        "arms": WAYS,
        "budgets": (1.0,),
        "seeds": 3,
        "world": {"train": 100, "val": 10, "test": 24},
        "settings": {"data.evaluation_views": 1},
        "pretraining": {"schedule.steps": 200, "data.backdrops": 0.8},
    },
    "gpu": {
        "arms": tuple(ARMS),
        "budgets": (1.0,),
        "seeds": 3,
        "world": {"train": 200, "val": 10, "test": 60},
        "settings": {"run.gpus_per_worker": 0.1},
        "pretraining": {"data.backdrops": 0.8},
        "preset": "gpu",
        "max_concurrent": 5,
    },
    "paper": {
        "arms": WAYS,
        "budgets": (1.0,),
        "seeds": 3,
        "preset": "paper",
    },
}

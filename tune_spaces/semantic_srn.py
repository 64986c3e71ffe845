"""Worth of a scene network's features to part labels when few masks are labelled (Semantic SRN, Table 1).

Networks, latents of training objects and those of new objects are learnt once a seed, without masks; budgets differ in the
classifier alone, and so they do for the auto-encoder. The U-Net sees the true views that it is scored on, that of "srn + u-net"
the views that the scene network renders of inferred objects: how many masks it needs is the supplement's Figure 1.
"""

from math import inf

from ray import tune

METHOD = "semantic_srn_parts"
PRESET = "laptop"
RUNS = {"run.workers": 0}
SETTINGS = RUNS
BUDGET = "data.masks"
BUDGETS = (3, 30, 300, inf)
SEEDS = 3
SEED_LEAVES = ("run.seed", "data.budget_seed")
SHARED = ("data.root", "data.category", "data.size", "data.transparent", "data.observation", "method.scene.")
NETWORKS = {"method": "semantic_srn", "settings": RUNS, "seed_leaves": ("run.seed",)}
ONE_VIEW = {"method": "semantic_srn_instances", "settings": RUNS, "seed_leaves": ("run.seed",)}
MANY_VIEWS = ONE_VIEW | {"settings": RUNS | {"data.observed": 50}}
AUTOENCODER = {"method": "semantic_srn_autoencoder", "settings": RUNS, "seed_leaves": ("run.seed",)}
ARMS = {
    "srn + linear": {"pretrain": [NETWORKS, ONE_VIEW]},
    "srn + linear, multi view": {"pretrain": [NETWORKS, MANY_VIEWS]},
    "srn + perceptron": {"settings": {"method.segmentation_layers": 3}, "pretrain": [NETWORKS, ONE_VIEW]},
    "tatarchenko + linear": {"method": "semantic_srn_autoencoder_parts", "pretrain": AUTOENCODER},
    "u-net, oracle views": {"method": "semantic_srn_unet"},
    "u-net, more dropout": {"method": "semantic_srn_unet", "settings": {"method.unet.dropout": 0.5}},
    "srn + u-net": {"method": "semantic_srn_rendered_unet", "pretrain": [NETWORKS, ONE_VIEW]},
    "random networks": {"settings": {"init": "scratch"}},
}
SEARCH = {"optim.lr": tune.loguniform(1e-4, 1e-1), "schedule.steps": tune.choice([300, 1000, 5000])}
METRIC = "miou"
ALSO = ("shape_miou", "miou_where_shape_is_right", "silhouette_iou", "psnr", "ssim")
MODE = "max"

OBSERVED = {"data.observation": 9}
"""Of 32 views: from the front and a side, a quarter of the way up, as the released 65 of 251."""
COMPARED = (
    "srn + linear",
    "tatarchenko + linear",
    "u-net, oracle views",
    "u-net, more dropout",
    "random networks",
)
SIZES = {
    "laptop": {
        "arms": COMPARED,
        "budgets": (30,),
        "seeds": 3,
        "world": {"train": 100, "val": 10, "test": 20, "views.side": 32},
        "settings": OBSERVED | {"data.size": 32, "data.evaluation_views": 8},
    },
    "gpu": {
        "arms": COMPARED,
        "budgets": (30,),
        "seeds": 3,
        "world": {"train": 400, "val": 20, "test": 40, "views.side": 64},
        "settings": OBSERVED | {"data.evaluation_views": 8, "run.gpus_per_worker": 0.1},
        "preset": "gpu",
        "max_concurrent": 5,
    },
    "paper": {
        "arms": (
            "srn + linear",
            "srn + linear, multi view",
            "srn + u-net",
            "tatarchenko + linear",
            "u-net, oracle views",
        ),
        "budgets": (30, inf),
        "seeds": 3,
        "settings": {"data.category": "Chair"},
        "preset": "paper",
    },
}

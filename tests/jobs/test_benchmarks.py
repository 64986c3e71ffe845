"""Every case of the benchmark runs and measures something; the figures themselves are not looked at."""

from importlib import import_module

import pytest

from jobs.benchmark import CASES
from jobs.benchmarks.memory import PRETRAINED
from sem3d.networks.sparse_unet import SLIM
from sem3d.networks.srn.hyper_network import FieldConfig
from sem3d.networks.srn.scene_network import SceneConfig
from sem3d.worlds.rooms.config import RoomsConfig
from tests.methods.tiny import TINY

ROOMS = RoomsConfig(
    rooms_train=1,
    rooms_val=1,
    frames_per_room=8,
    point_spacing=0.05,
    color_height=60,
    color_width=80,
    depth_height=60,
    depth_width=80,
)
SMALL = {
    "sens": {"FRAMES": 30, "ROUNDS": 1},
    "overlap": {"FRAMES": 6, "SAMPLED_PAIRS": 2, "ROUNDS": 1},
    "sources": {"PAIRS": 300, "SCENES": 10, "FRAMES": 100, "ROUNDS": 1},
    "stream": {"BATCH": 2, "BATCHES": 3, "ROUNDS": 1, "HEIGHT": 33, "WIDTH": 44, "ROOMS": ROOMS},
    "ray_train": {"STEPS": 2, "ROUNDS": 1, "WORKERS": (1,), "ROOMS": ROOMS, "NETWORK": TINY["pri3d"]},
    "sparse_convolution": {"REPEATS": 1},
    "silhouettes": {"ROUNDS": 1, "SUBDIVISIONS": 2, "VIEWS": (0, 11), "SIZE": 32},
    "contrast": {"MATCHES": 3000, "ROUNDS": 1},
    "scene_rays": {"SIZES": {"small": (SceneConfig(field=FieldConfig(latent=8, width=8)), 2, 10)}, "ROUNDS": 1},
    "memory": {
        "POINTS": 20_000,
        "FRAMES": (1, 2),
        "NETWORK": SLIM,
        "PRETRAINED": PRETRAINED | {"data.height": 60, "data.width": 80},
    },
}


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("case", CASES)
def test_a_case_measures_both_sides(case, ray_cluster, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    module = import_module(f"jobs.benchmarks.{case}")
    for name, value in SMALL[case].items():
        monkeypatch.setattr(module, name, value)
    rows = module.run()
    assert rows
    assert all(ours > 0 and rival > 0 for _, ours, rival, _ in rows)

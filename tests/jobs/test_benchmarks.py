"""Every case of the benchmark runs and measures something; the figures themselves are not looked at."""

import sys
from importlib import import_module

import pytest
import torch

from jobs import benchmark
from jobs.benchmark import CASES
from jobs.benchmarks.memory import PRETRAINED
from jobs.benchmarks.presets import pairs
from sem3d.errors import UserError
from sem3d.networks.sparse import triton_backend
from sem3d.networks.sparse_unet import SLIM, SparseUNetConfig
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
    "presets": {
        "BATCHES": {"pri3d": pairs},
        "SMALLER": {
            **{"data.height": 60, "data.width": 80, "data.voxel_size": 0.2},
            **{"method.unet.encoder": "efficientnet_lite0", "method.sparse_unet": SLIM},
        },
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
    assert all(ours > 0 and (rival > 0 or "not installed" in what) for what, ours, rival, _ in rows)


@pytest.mark.filterwarnings("default")
def test_the_gpu_part_of_sparse_convolution_says_a_line_a_measurement(monkeypatch, capsys):
    """On a CPU with Triton's interpreter and next to no voxels; float16, since the interpreter has no bfloat16."""
    module = import_module("jobs.benchmarks.sparse_convolution_gpu")
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.delitem(sys.modules, "sem3d.networks.sparse.triton_kernels", raising=False)
    triton_backend.engine.cache_clear()
    small = {"DEVICE": "cpu", "HALF": torch.float16, "SIZES": (12,), "CHANNELS": (2,), "PRODUCT": 8}
    network = SparseUNetConfig(stem_kernel=3, init_dim=2, planes=(2,) * 8, blocks=(1,) * 8)
    for name, value in {**small, "NETWORK": network, "CALLS": 1, "ROUNDS": 1, "NETWORK_CALLS": 1}.items():
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(sys, "argv", ["benchmark", "sparse_convolution", "--device", "gpu"])
    benchmark.main()
    triton_backend.engine.cache_clear()
    sys.modules.pop("sem3d.networks.sparse.triton_kernels", None)
    lines = capsys.readouterr().out.splitlines()
    assert [
        sum(part in line for line in lines) for part in ("TFLOP/s", "kernel map", "C 2", "MinkUNet34C forward")
    ] == [
        1,
        1,
        2,
        2,
    ]


def test_a_benchmark_without_a_part_for_gpus_is_refused(monkeypatch):
    for words, message in (
        (["sens", "--device", "gpu"], "unknown benchmark 'sens'"),
        (["--device"], "choose cpu or gpu"),
    ):
        monkeypatch.setattr(sys, "argv", ["benchmark", *words])
        with pytest.raises(UserError, match=message):
            benchmark.main()

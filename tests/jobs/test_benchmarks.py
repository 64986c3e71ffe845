"""Every case of the benchmark runs and measures something; the figures themselves are not looked at."""

import sys
from importlib import import_module

import pytest
import torch

from jobs import benchmark
from jobs.benchmark import CASES, GPU_CASES
from jobs.benchmarks import on_gpu
from jobs.benchmarks.memory import PRETRAINED
from jobs.benchmarks.presets import pairs
from sem3d.errors import UserError
from sem3d.networks.residual_unet import ResidualUNetConfig
from sem3d.networks.sparse import SparseConvolution, triton_backend
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
    "sparse_convolution": {"REPEATS": 1, "NETWORK": SLIM, "NETWORK_VOXELS": 2_000, "NETWORK_REPEATS": 1},
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


class TwoLayers(torch.nn.Module):
    """A network in the place of MinkUNet34C, whose layers take Triton's interpreter a minute."""

    def __init__(self, config):
        super().__init__()
        self.layers = torch.nn.ModuleList(SparseConvolution(3, 3, 3, backend=config.backend) for _ in range(2))

    def forward(self, tensor):
        for layer in self.layers:
            tensor = layer(tensor)
        return tensor.features


CALLS = {"DEVICE": "cpu", "PRODUCT": 8, "WARM": 0, "CALLS": 1, "ROUNDS": 1}
SMALL_ON_GPU = {
    "sparse_convolution": {
        "on_gpu": {"HALF": torch.float16},  # the interpreter has no bfloat16
        "sparse_convolution_gpu": {
            **{"SIZES": (12,), "CHANNELS": (2,), "DTYPES": (torch.float16,), "SparseUNet": TwoLayers},
        },
    },
    "silhouettes": {"silhouettes": {"SUBDIVISIONS": 1, "SIZE": 16}, "silhouettes_gpu": {"IMAGES": (2,)}},
    "unets": {
        "unets_gpu": {
            "NETWORKS": {"resnet18": ResidualUNetConfig(encoder="resnet18", width=8, dim=8)},
            **{"IMAGES": 1, "HEIGHT": 32, "WIDTH": 32, "COMPILERS": ("never",), "CALLS": 1},
        },
    },
    "pri3d_step": {
        "pri3d_step_gpu": {
            "CHANGES": TINY["pri3d"] | {"init": "scratch", "method.unet.encoder": "resnet18"},
            **{"SIZES": {"laptop": (1, 600)}, "COMPILERS": ("never",), "CALLS": 1},
        },
    },
    "stream": {"stream": {"BATCH": 2, "BATCHES": 3}, "stream_gpu": {"ROOMS": ROOMS, "PRESET": "laptop"}},
}
SAID = {
    "sparse_convolution": {"TFLOP/s": 1, "kernel map": 1, "C 2": 2, "MinkUNet34C forward": 1},
    "silhouettes": {"images/s": 1, "PyTorch3D": 1},
    "unets": {"product of": 1, "bfloat16, compiled never": 1, "float32, compiled never": 1},
    "pri3d_step": {"pairs/s (asked 600)": 1, "GPU busy": 1},
    "stream": {"first batch": 1, "pairs/s on": 1, "DataLoader": 1},
}
"""Parts of lines, and how many lines have them."""


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.slow] * (case == "stream")) for case in GPU_CASES]
)
def test_the_gpu_part_of_a_case_says_a_line_a_measurement(case, request, monkeypatch, capsys):
    """On a CPU, at next to no size, with Triton's interpreter."""
    if case == "stream":
        request.getfixturevalue("ray_cluster")
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.delitem(sys.modules, "sem3d.networks.sparse.triton_kernels", raising=False)
    triton_backend.engine.cache_clear()
    for owner, values in [("on_gpu", CALLS), *SMALL_ON_GPU[case].items()]:
        for name, value in values.items():
            monkeypatch.setattr(import_module(f"jobs.benchmarks.{owner}"), name, value)
    monkeypatch.setattr(sys, "argv", ["benchmark", case, "--device", "gpu"])
    benchmark.main()
    triton_backend.engine.cache_clear()
    sys.modules.pop("sem3d.networks.sparse.triton_kernels", None)
    lines = capsys.readouterr().out.splitlines()
    assert {part: sum(part in line for line in lines) for part in SAID[case]} == SAID[case]


def test_the_time_that_kernels_cover_counts_once_where_they_overlap():
    assert on_gpu.covered([(4.0, 6.0), (0.0, 2.0), (1.0, 3.0), (5.0, 5.5)]) == pytest.approx(5 / 6)
    assert on_gpu.covered([(7.0, 8.0)]) == 1
    assert on_gpu.covered([]) == 0


def test_a_benchmark_without_a_part_for_gpus_is_refused(monkeypatch):
    for words, message in (
        (["sens", "--device", "gpu"], "unknown benchmark 'sens' of GPUs"),
        (["--device"], "choose cpu or gpu"),
    ):
        monkeypatch.setattr(sys, "argv", ["benchmark", *words])
        with pytest.raises(UserError, match=message):
            benchmark.main()

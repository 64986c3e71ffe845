"""Features that a probe of 3D networks is fitted to: those of the voxels of labelled pixels, of every pretraining's network."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from sem3d.config import override
from sem3d.datasets.single_frames import CollateFrames, SingleFrames
from sem3d.datasets.stream import Samples, StreamedBatch
from sem3d.methods import method_class
from sem3d.networks.sparse_unet import voxel_tensor
from sem3d.pipelines.point_probe import frozen_point_features, labelled_points
from tests.methods.tiny import build_tiny, tiny_experiment

PROBED = [name for name in ("ppkt", "pointcontrast") if "probe" in method_class(name).evaluations]
PAIRS = 16
CONFIG = SingleFrames(height=8, width=8, matches=PAIRS)


@dataclass(frozen=True)
class Drawn:
    """Frames of random voxels and labels, some of them 0."""

    def __call__(self, row, rng):
        drawn = np.random.default_rng(row["frame"])
        voxel = np.unique(drawn.integers(0, 6, (60, 3)), axis=0)
        return {
            "image": np.zeros((3, 8, 8), np.uint8),
            "usable": np.ones((), np.uint8),
            "voxel": voxel,
            "voxel_color": drawn.integers(0, 256, (len(voxel), 3), dtype=np.uint8),
            "pair_voxel": drawn.integers(0, len(voxel), PAIRS),
            "pair_pixel": np.zeros((PAIRS, 2), np.int64),
            "pair_valid": np.ones((), np.uint8),
            "pair_label": drawn.integers(0, 4, PAIRS).astype(np.uint8),
        }


SAMPLES = Samples(pa.table({"frame": [0, 1, 2]}), Drawn(), CollateFrames(CONFIG, labels=True), "")


def in_this_process(samples, *, batch_size, rank, world_size):
    """The batches of a stream, made without Ray."""
    rows = samples.table.to_pylist()
    for step, first in enumerate(range(0, len(rows), batch_size)):
        loaded = [samples.load(row, None) for row in rows[first : first + batch_size]]
        yield StreamedBatch(step, samples.collate(loaded), [])


@pytest.mark.parametrize("name", PROBED)
@pytest.mark.parametrize("given", ["color", "occupancy"])
def test_features_are_those_of_the_labelled_voxels(tmp_path, name, given, monkeypatch):
    monkeypatch.setattr("sem3d.pipelines.point_probe.stream_once", in_this_process)
    changes = {"method__voxel_input": given, "run__batch_size": 2, "run__device": "cpu"}
    experiment = tiny_experiment(name, tmp_path, tmp_path, **changes)
    method = build_tiny(name, experiment).eval()
    features, labels = frozen_point_features(method, experiment, SAMPLES)
    expected, known = [], []
    for frame in range(3):
        one = Drawn()({"frame": frame}, None)
        voxel = torch.from_numpy(np.insert(one["voxel"], 0, 0, axis=1)).int()
        with torch.no_grad():
            rows = method.sparse_unet(voxel_tensor(voxel, torch.from_numpy(one["voxel_color"]), given, torch.float32))
        for row, label in zip(one["pair_voxel"], one["pair_label"], strict=True):
            if label:
                expected.append(rows[row].numpy())
                known.append(label)
    assert_array_equal(labels, known)
    assert_allclose(features, expected, rtol=1e-4, atol=1e-6)


def test_every_pretraining_of_points_is_probed():
    assert PROBED == ["ppkt", "pointcontrast"]


@pytest.mark.parametrize("name", PROBED)
def test_all_labelled_frames_of_a_run_are_opened_as_it_has_them(tmp_path, name, monkeypatch):
    opened = []
    monkeypatch.setattr("sem3d.pipelines.point_probe.frame_samples", lambda *given, **_: opened.append(given[0]) or {})
    experiment = override(tiny_experiment(name, tmp_path, tmp_path), {"data.share": 0.5})
    labelled_points(experiment)
    (data,) = opened
    same = ("root", "prepare", "height", "width", "matches", "voxel_size")
    assert all(getattr(data, leaf) == getattr(experiment.data, leaf) for leaf in same)
    assert data.share == 1
    assert data.evaluation_frames > 10**6

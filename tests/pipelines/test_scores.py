"""Evaluation outside a run, on a GPU and without one."""

import pytest
import torch

from sem3d.config import override
from sem3d.methods.pri3d import Pri3D
from sem3d.pipelines.probe import frozen_features, labelled_frames
from sem3d.pipelines.scores import evaluate_once
from tests.methods.tiny import tiny_experiment


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")
def test_a_gpu_evaluates_as_a_cpu_does(rooms, tmp_path):
    found, features = {}, {}
    for device in ("cpu", "gpu"):
        experiment = override(tiny_experiment("pri3d", rooms, tmp_path), {"run.device": device})
        torch.manual_seed(0)
        method = Pri3D(experiment).eval()
        found[device] = evaluate_once(method, experiment, Pri3D.sources(experiment)).metrics
        features[device] = frozen_features(method.unet, experiment, labelled_frames(experiment)["val"])
    assert found["gpu"] == pytest.approx(found["cpu"], rel=0.05)
    torch.testing.assert_close(torch.tensor(features["gpu"][0]), torch.tensor(features["cpu"][0]), rtol=0.02, atol=0.02)

"""Viewpoints: what the bins pay for, the floor, and the networks of the ablation."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from sem3d.config import override
from sem3d.errors import UserError
from sem3d.geometry.object_camera import viewpoint_of
from sem3d.geometry.viewpoint_bins import AZIMUTH, POLAR
from sem3d.losses.bin_divergence import bin_divergence
from sem3d.methods import method_class
from sem3d.methods.frequent_viewpoint import marks
from sem3d.methods.method import TESTED, TRAIN
from tests.methods.synthetic_batches import seen_objects
from tests.methods.tiny import build_tiny, tiny_checkpoint, tiny_experiment
from tests.reference.viewpoint_bins import divergence, rotation, soft_labels, turn_between


def test_soft_labels_cost_the_divergence_of_the_reference_and_hard_ones_the_cross_entropy():
    random = torch.Generator().manual_seed(0)
    scores = torch.randn(5, 24, generator=random, dtype=torch.float64)
    angles = torch.rand(5, generator=random, dtype=torch.float64) * 6.28
    found = bin_divergence(scores, AZIMUTH.labels(angles, "soft"))
    expected = [
        divergence(soft_labels(angle, 24, True), own)
        for angle, own in zip(angles.tolist(), scores.tolist(), strict=True)
    ]
    assert_close(found, torch.tensor(expected, dtype=torch.float64))
    hard = torch.nn.functional.cross_entropy(scores, AZIMUTH.nearest(angles), reduction="none")
    assert_close(bin_divergence(scores, AZIMUTH.labels(angles, "hard")), hard)


def test_the_divergence_has_the_gradient_of_differences():
    scores = torch.randn(3, 12, dtype=torch.float64, requires_grad=True)
    labels = POLAR.labels(torch.tensor([0.3, 1.5, 3.0], dtype=torch.float64), "soft")
    assert torch.autograd.gradcheck(lambda scores: bin_divergence(scores, labels), scores)


def test_the_floor_is_the_score_of_the_most_frequent_bins(sketched, tmp_path):
    experiment = tiny_experiment("viewpoint", sketched, tmp_path)
    sources = method_class("viewpoint").sources(experiment)
    floor = marks(experiment, sources).floor
    seen = {
        name: [viewpoint_of(np.array(pose).reshape(4, 4))[:2] for pose in sources[name].table["pose"].to_pylist()]
        for name in (TRAIN, TESTED)
    }
    azimuths = [round(a / (2 * np.pi / 24)) % 24 for a, _ in seen[TRAIN]]
    polars = [int(p // (np.pi / 12)) for _, p in seen[TRAIN]]
    best = [min(one, key=lambda n, one=one: (-one.count(n), n)) for one in (azimuths, polars)]
    right = [(round(a / (2 * np.pi / 24)) % 24 == best[0], int(p // (np.pi / 12)) == best[1]) for a, p in seen[TESTED]]
    assert floor["azimuth_accuracy"] == pytest.approx(np.mean([a for a, _ in right]))
    assert floor["viewpoint_accuracy"] == pytest.approx(np.mean([a and b for a, b in right]))
    answer = rotation(best[0] * 2 * np.pi / 24, (best[1] + 0.5) * np.pi / 12)
    errors = [np.degrees(turn_between(answer, rotation(*one))) for one in seen[TESTED]]
    assert floor["mean_error_degrees"] == pytest.approx(np.mean(errors))


def test_a_network_that_is_sure_of_the_true_bins_is_right_to_a_few_degrees(tmp_path):
    experiment = tiny_experiment("viewpoint", tmp_path, tmp_path)
    method = build_tiny("viewpoint", experiment).eval()
    columns = {name: seen_objects()[name] for name in ("image", "angles", "middle", "usable")}
    labels = [
        own.labels(columns["angles"][:, n], "soft").clamp(min=1e-9).log() for n, own in enumerate((AZIMUTH, POLAR))
    ]
    method.scores = lambda _: labels
    found = method.summarise(method.evaluate(method.Batch(**columns)))
    assert found["viewpoint_accuracy"] == 1
    assert found["mean_error_degrees"] < 0.5


@pytest.fixture
def sketcher(tmp_path):
    """A checkpoint of a network that predicts sketches, and its weights."""
    folder, method = tiny_checkpoint("reconstruction_sketches", tmp_path)
    return folder / "weights.safetensors", method


def test_the_ablation_takes_its_sketches_from_a_run_and_leaves_that_network_as_it_is(tmp_path, sketcher):
    path, trained = sketcher
    changes = {"method.sees": "sketches", "method.sketcher.width": 8}
    method = build_tiny("viewpoint", override(tiny_experiment("viewpoint", tmp_path, tmp_path), changes))
    assert "loaded sketcher" in method.initialise(str(path))
    batch = method.Batch(**{name: seen_objects()[name] for name in ("image", "angles", "middle", "usable")})
    method.train()
    optimizers = method.optimizers()
    sum(method(batch, 0).values()).backward()
    for optimizer in optimizers.values():
        optimizer.step()
    for name, value in trained.sketcher.state_dict().items():
        assert_close(method.sketcher.state_dict()[name], value, msg=name)
    assert all(value.grad is None for value in method.sketcher.parameters())
    assert all(value.grad is not None for value in method.viewpoint.parameters())


def test_true_sketches_are_seen_without_a_picture(sketched, tmp_path):
    experiment = tiny_experiment("viewpoint", sketched, tmp_path, method__sees="true_sketches")
    train = method_class("viewpoint").sources(experiment)[TRAIN]
    rows = train.table.slice(0, 4).to_pylist()
    columns = train.collate([train.load(row, np.random.default_rng(0)) for row in rows])
    method = build_tiny("viewpoint", experiment)
    batch = method.Batch(**{name: torch.tensor(column) for name, column in columns.items()})
    assert batch.image is None
    assert sum(method(batch, 0).values()).isfinite()
    before = method(batch, 0)["azimuth"]
    other = method(replace(batch, sketch=0 * batch.sketch), 0)["azimuth"]
    assert before != other


def test_pictures_weights_are_refused_for_sketches(tmp_path):
    method = build_tiny("viewpoint", tiny_experiment("viewpoint", tmp_path, tmp_path, method__sees="true_sketches"))
    with pytest.raises(UserError, match=r"sketches start from a run of reconstruction_sketches"):
        method.initialise("resnet.pth")

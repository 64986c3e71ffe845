import math

import numpy as np
import pytest
import torch
import torch.distributed as dist

from sem3d.losses.pixel_point import global_contrast, pixel_distillation, pixel_labels, pixel_point_nce
from tests.losses.drawn import features
from tests.reference.info_nce import info_nce

VALID = torch.tensor([[True, True, True, False], [True, False, True, True], [False] * 4])


def arrays(points, pixels, valid=VALID):
    """Valid rows of each item."""
    return [
        (a[kept].detach().numpy(), b[kept].detach().numpy()) for a, b, kept in zip(points, pixels, valid, strict=True)
    ]


def test_negatives_of_the_item_and_of_the_batch_are_those_of_the_loops():
    points, pixels = features(3, 4, 5)
    items = arrays(points, pixels)
    by_item = [info_nce(*item, 0.04, "one_sided") for item in items[:2]]
    assert pixel_point_nce(points, pixels, VALID).item() == pytest.approx(sum(by_item) / 3)
    together = [np.concatenate(side) for side in zip(*items, strict=True)]
    loss = pixel_point_nce(points, pixels, VALID, negatives="batch").item()
    assert loss == pytest.approx(info_nce(*together, 0.04, "one_sided"))


def test_distillation_is_the_squared_distance_of_unit_vectors():
    points, pixels = features(3, 4, 5)
    of_item = [
        np.mean([((a / np.linalg.norm(a) - b / np.linalg.norm(b)) ** 2).sum() for a, b in zip(*item, strict=True)])
        for item in arrays(points, pixels)[:2]
    ]
    assert pixel_distillation(points, pixels, VALID).item() == pytest.approx(sum(of_item) / 3)
    axes = torch.eye(4, dtype=torch.float64)[None]
    every = torch.ones(1, 4, dtype=torch.bool)
    assert pixel_distillation(axes, 5 * axes, every).item() == pytest.approx(0)
    assert pixel_distillation(axes, axes.roll(1, 1), every).item() == pytest.approx(2)


def test_global_contrast_compares_the_mean_features_of_frames():
    points, pixels = features(3, 4, 5)
    means = [
        np.stack(side) for side in zip(*[[x.mean(0) for x in item] for item in arrays(points, pixels)[:2]], strict=True)
    ]
    loss = global_contrast(points, pixels, VALID, 0.1).item()
    assert loss == pytest.approx(info_nce(*means, 0.1, "one_sided"))
    frames = torch.eye(6, dtype=torch.float64)[:, None].expand(6, 3, 6)
    closed = math.log(1 + 5 * math.exp(-1 / 0.1))
    assert global_contrast(frames, frames, torch.ones(6, 3, dtype=torch.bool), 0.1).item() == pytest.approx(closed)


def test_labels_are_the_likeliest_classes_of_pixels_but_for_class_0():
    points, pixels = features(3, 4, 5)
    pixels = pixels + torch.tensor([1.5, 0, 0, 0, 0])
    costs = []
    for scores, given in zip(np.concatenate([a for a, _ in arrays(points, pixels)]),
                             np.concatenate([b for _, b in arrays(points, pixels)]), strict=True):  # fmt: skip
        label = max(range(5), key=given.tolist().__getitem__)
        if label:
            shares = [math.exp(score) for score in scores]
            costs.append(-math.log(shares[label] / sum(shares)))
    assert 0 < len(costs) < 6
    assert pixel_labels(points, pixels, VALID).item() == pytest.approx(sum(costs) / len(costs))


LOSSES = {
    "item": pixel_point_nce,
    "batch": lambda *given: pixel_point_nce(*given, negatives="batch"),
    "distillation": pixel_distillation,
    "global": global_contrast,
    "labels": pixel_labels,
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradcheck(name):
    points, pixels = features(3, 4, 3, seed=2)
    torch.autograd.gradcheck(lambda a, b: LOSSES[name](a, b, VALID), (points, pixels), atol=1e-4)


@pytest.mark.parametrize("name", LOSSES)
def test_nothing_valid_is_a_zero_with_a_graph(name):
    points, pixels = features(2, 3, 4)
    loss = LOSSES[name](points, pixels, torch.zeros(2, 3, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert points.grad is not None
    assert not points.grad.any()


def gradients(name: str, rows: slice) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss of some items, and gradient of one weight that all features come from."""
    points, pixels = (each.detach() for each in features(4, 5, 3, seed=7))
    valid = torch.rand(4, 5, generator=torch.Generator().manual_seed(3)) < 0.7
    weight = torch.eye(3, dtype=torch.float64).requires_grad_()
    loss = LOSSES[name](points[rows] @ weight, pixels[rows] @ weight.T, valid[rows])
    return loss.detach(), torch.autograd.grad(loss, weight)[0]


def half(rank: int, name: str) -> list[torch.Tensor]:
    means = []
    for value in gradients(name, slice(2 * rank, 2 * rank + 2)):
        dist.all_reduce(value)
        means.append(value / 2)
    return means


@pytest.mark.slow
@pytest.mark.parametrize("name", LOSSES)
def test_loss_and_gradient_of_two_processes_are_those_of_one(name, pair):
    for one, both in zip(gradients(name, slice(0, 4)), pair(half, name)[0], strict=True):
        torch.testing.assert_close(both, one)

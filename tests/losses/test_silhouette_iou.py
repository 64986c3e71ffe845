"""Silhouette IoU against loops and by hand."""

import pytest
import torch

from sem3d.losses.silhouette_iou import silhouette_iou_loss


def test_loss_equals_loops_over_images():
    predicted, target = torch.rand(2, 2, 3, 5, 4, dtype=torch.float64).unbind(0)
    costs = []
    for p, t in zip(predicted.flatten(0, 1).tolist(), target.flatten(0, 1).tolist(), strict=True):
        pairs = [(a, b) for row_p, row_t in zip(p, t, strict=True) for a, b in zip(row_p, row_t, strict=True)]
        costs.append(1 - sum(a * b for a, b in pairs) / (sum(a + b - a * b for a, b in pairs) + 1e-6))
    assert float(silhouette_iou_loss(predicted, target)) == pytest.approx(sum(costs) / len(costs), rel=1e-12)


def test_equal_masks_cost_nothing_disjoint_and_empty_ones_everything():
    mask = torch.zeros(1, 4, 4)
    mask[0, :2] = 1
    assert float(silhouette_iou_loss(mask, mask)) == pytest.approx(0, abs=1e-6)
    assert float(silhouette_iou_loss(mask, 1 - mask)) == 1
    assert float(silhouette_iou_loss(0 * mask, 0 * mask)) == 1


def test_half_of_a_mask_costs_a_half():
    target = torch.ones(4, 4)
    predicted = torch.tensor([1.0, 1, 0, 0]).expand(4, 4)
    assert float(silhouette_iou_loss(predicted, target)) == pytest.approx(0.5, abs=1e-6)


def test_gradients_pass_gradcheck_and_no_images_cost_zero():
    predicted = torch.rand(2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(silhouette_iou_loss, (predicted, torch.rand(2, 3, 3, dtype=torch.float64)))
    empty = silhouette_iou_loss(predicted[:0], predicted[:0])
    empty.backward()
    assert empty.item() == 0

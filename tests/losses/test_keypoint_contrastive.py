"""The contrastive loss of keypoints against loops, closed forms and finite differences; two processes equal one."""

import pytest
import torch
from torch.testing import assert_close

from sem3d.losses.keypoint_contrastive import keypoint_contrastive
from tests.reference import keypoint_contrastive as reference

NEGATIVES = pytest.mark.parametrize("negatives", ["model", "batch"])


def drawn(seed: int, models: int = 4, keypoints: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    embedding = torch.rand(models, keypoints, 3, generator=random, dtype=torch.float64)
    meaning = torch.stack([torch.randperm(8, generator=random)[:keypoints] for _ in range(models)])
    meaning[torch.rand(models, keypoints, generator=random) < 0.3] = -1
    return embedding, meaning


@NEGATIVES
def test_the_loss_is_that_of_loops(negatives):
    for seed in range(10):
        embedding, meaning = drawn(seed)
        for margin in (0.3, 1.0):
            found = keypoint_contrastive(embedding, meaning, margin, negatives)
            wanted = reference.loss(embedding.tolist(), meaning.tolist(), margin, negatives)
            assert_close(float(found), wanted, rtol=1e-9, atol=1e-9)


@NEGATIVES
def test_gradients_are_those_of_finite_differences(negatives):
    embedding, meaning = drawn(3, models=3)
    embedding.requires_grad_()
    assert torch.autograd.gradcheck(lambda values: keypoint_contrastive(values, meaning, 1.0, negatives), embedding)


def test_alike_at_one_place_and_others_beyond_the_margin_cost_nothing():
    meaning = torch.tensor([[0, 1], [0, 1]])
    embedding = torch.tensor([[[0.0, 0.0], [2.0, 0.0]], [[0.0, 0.0], [2.0, 0.0]]])
    assert float(keypoint_contrastive(embedding, meaning)) == pytest.approx(0, abs=1e-9)
    # both pairs of one meaning at distance 1, the two nearest others at 0.5: mean of 1, 1, 0.25, 0.25
    embedding = torch.tensor([[[0.0, 0.0], [0.5, 0.0]], [[1.0, 0.0], [1.5, 0.0]]])
    assert float(keypoint_contrastive(embedding, meaning)) == pytest.approx(0.625)


def test_negatives_of_the_batch_see_what_those_of_a_model_do_not():
    """Two models whose meanings are exchanged: within each all is well."""
    embedding = torch.tensor([[[0.0], [3.0]], [[3.0], [0.0]]])
    meaning = torch.tensor([[0, 1], [0, 1]])
    assert float(keypoint_contrastive(embedding, meaning, 1.0, "model")) == pytest.approx(18 / 4)
    assert float(keypoint_contrastive(embedding, meaning, 1.0, "batch")) == pytest.approx(20 / 4)


@NEGATIVES
def test_no_keypoints_cost_nothing_and_keep_the_graph(negatives):
    embedding = torch.rand(2, 3, 4, requires_grad=True)
    loss = keypoint_contrastive(embedding, torch.full((2, 3), -1), 1.0, negatives)
    loss.backward()
    assert loss.item() == 0
    assert embedding.grad is not None
    assert not embedding.grad.any()

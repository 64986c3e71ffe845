import math
from pathlib import Path

import pytest
import torch
import torch.distributed

from sem3d.losses.segmentation import global_mean, segmentation_cross_entropy
from tests.pair import Pair


def random_scores() -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 5, 3, 2, generator=draw, dtype=torch.float64)
    labels = torch.randint(0, 5, (4, 3, 2), generator=draw)
    labels[2:] = 0
    labels[3, 1, 1] = 4
    return logits, labels


def test_sum_and_count_are_those_of_the_loops():
    logits, labels = random_scores()
    total, count = segmentation_cross_entropy(logits, labels)
    costs = []
    for image in range(4):
        for v in range(3):
            for u in range(2):
                scores = logits[image, :, v, u].tolist()
                if (label := int(labels[image, v, u])) != 0:
                    costs.append(math.log(sum(map(math.exp, scores))) - scores[label])
    assert total.item() == pytest.approx(sum(costs), abs=1e-9)
    assert count.item() == len(costs)


def test_global_mean_on_one_worker_is_torch_cross_entropy_without_weight_on_class_zero():
    logits, labels = random_scores()
    weight = torch.tensor([0.0, 1, 1, 1, 1], dtype=torch.float64)
    expected = torch.nn.functional.cross_entropy(logits, labels, weight)
    torch.testing.assert_close(global_mean(*segmentation_cross_entropy(logits, labels)), expected)


def test_the_unlabelled_class_can_still_be_predicted_at_a_cost():
    logits = torch.zeros(1, 2, 1, 1)
    total, _ = segmentation_cross_entropy(logits, torch.ones(1, 1, 1, dtype=torch.long))
    assert total.item() == pytest.approx(math.log(2))


def test_gradcheck():
    logits, labels = random_scores()
    torch.autograd.gradcheck(
        lambda scores: global_mean(*segmentation_cross_entropy(scores, labels)), logits.requires_grad_()
    )


def test_images_without_labels_give_a_zero_with_a_graph():
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    loss = global_mean(*segmentation_cross_entropy(logits, torch.zeros(2, 4, 4, dtype=torch.uint8)))
    loss.backward()
    assert loss.item() == 0
    torch.testing.assert_close(logits.grad, torch.zeros(2, 3, 4, 4))


def scale_gradient(rank: int, folder: str) -> None:
    """One worker's gradient of a common scale of the logits, averaged over workers as data parallelism does."""
    logits, labels = random_scores()
    share = slice(0, 2) if rank == 0 else slice(2, 4)
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)
    loss = global_mean(*segmentation_cross_entropy(scale * logits[share], labels[share]))
    loss.backward()
    value_and_gradient = torch.stack([loss.detach(), scale.grad]) / 2
    torch.distributed.all_reduce(value_and_gradient)
    if rank == 0:
        torch.save(value_and_gradient, f"{folder}/result.pt")


@pytest.mark.slow
def test_two_processes_with_unequal_labels_follow_the_gradient_of_one(pair: Pair, tmp_path: Path):
    pair(scale_gradient, str(tmp_path))
    logits, labels = random_scores()
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)
    loss = global_mean(*segmentation_cross_entropy(scale * logits, labels))
    loss.backward()
    together = torch.load(tmp_path / "result.pt", weights_only=True)
    torch.testing.assert_close(together, torch.stack([loss.detach(), scale.grad]))

import pytest
import torch

from sem3d.losses import tiled_log_sum_exp
from sem3d.losses.hardest_contrastive import HardestContrast, hardest_contrastive_of_items
from tests.losses.drawn import features
from tests.losses.largest_tensor import LargestTensor
from tests.reference.hardest_contrastive import hardest_contrastive

ALL = HardestContrast(candidates=0)


@pytest.mark.parametrize("candidates", [0, 3])
@pytest.mark.parametrize("tile", [4, 1 << 20])
def test_value_is_that_of_the_loops(candidates, tile, monkeypatch):
    monkeypatch.setitem(tiled_log_sum_exp.TILE, "cpu", tile)
    anchor, positive = features(2, 9, 4)
    point = torch.tensor([[0, 5], [0, 6], [1, 6], [2, 5], [3, 3], [4, 4], [7, 7], [8, 8], [8, 9]]).expand(2, 9, 2)
    settings = HardestContrast(positive_margin=0.2, negative_margin=1.2, negative_weight=0.7, candidates=candidates)
    expected = [
        hardest_contrastive(one, other, point[0].numpy(), margins=(0.2, 1.2), weight=0.7, candidates=candidates)
        for one, other in zip(anchor.detach().numpy(), positive.detach().numpy(), strict=True)
    ]
    loss = hardest_contrastive_of_items(anchor, positive, settings, point=point)
    assert loss.item() == pytest.approx(sum(expected) / 2, rel=1e-9)


def test_gradcheck_with_rows_that_are_not_valid():
    anchor, positive = features(2, 5, 3, seed=4)
    valid = torch.tensor([[True, False, True, True, True], [False] * 5])
    torch.autograd.gradcheck(lambda a, p: hardest_contrastive_of_items(a, p, ALL, valid), (anchor, positive))


def test_orthonormal_matches_have_the_closed_form():
    axes = torch.eye(8, dtype=torch.float64)[None]
    settings = HardestContrast(negative_margin=2.0, candidates=0)
    loss = hardest_contrastive_of_items(axes, 3 * axes, settings)
    assert loss.item() == pytest.approx((2 - 2**0.5) ** 2, rel=1e-6)
    assert hardest_contrastive_of_items(axes, axes, ALL).item() == 0  # sqrt 2 is past the margin of 1.4
    assert hardest_contrastive_of_items(axes, -axes, ALL).item() == pytest.approx(4 - 0.1)


def test_rows_of_the_same_point_are_no_negatives_of_each_other():
    anchor, positive = features(1, 4, 3)
    same = torch.zeros(1, 4, 2, dtype=torch.int64)
    loss = hardest_contrastive_of_items(anchor, positive, ALL, point=same)
    near = hardest_contrastive(anchor[0].detach().numpy(), positive[0].detach().numpy(), same[0].numpy())
    assert loss.item() == pytest.approx(near)
    assert hardest_contrastive_of_items(anchor, positive, ALL) > loss


def test_an_empty_item_counts_as_zero_and_keeps_the_graph():
    anchor, positive = features(2, 6, 3)
    valid = torch.tensor([[True] * 6, [False] * 6])
    whole = hardest_contrastive_of_items(anchor, positive, ALL, valid)
    first = hardest_contrastive_of_items(anchor[:1], positive[:1], ALL)
    torch.testing.assert_close(whole, first / 2)
    for count in (0, 2):
        nothing = hardest_contrastive_of_items(anchor[:count], positive[:count], ALL, torch.zeros(count, 6) > 0)
        nothing.backward()
        assert nothing.item() == 0


def test_many_matches_are_never_a_matrix():
    anchor, positive = (torch.randn(1, 3000, 4).requires_grad_() for _ in range(2))
    with LargestTensor() as watch:
        hardest_contrastive_of_items(anchor, positive, ALL).backward()
    assert 3000 < watch.numbers <= tiled_log_sum_exp.TILE["cpu"] < 3000**2 / 10

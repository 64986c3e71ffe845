"""VoteNet's losses against loops over proposals and objects, closed forms and numerical gradients."""

import math
from collections.abc import Callable

import pytest
import torch
from torch.testing import assert_close

from sem3d.losses import vote_net as losses
from tests.reference import vote_net as reference

ITEMS, SEEDS, PROPOSALS, OBJECTS, CLASSES = 3, 9, 12, 4, 5
VALID = torch.tensor([[True] * 4, [True, True, False, False], [False] * 4])


def draw(*shape: int, seed: int, spread: float = 1.0) -> torch.Tensor:
    return spread * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


CENTERS = draw(ITEMS, OBJECTS, 3, seed=0)
BASE = torch.cat([CENTERS.repeat(1, 2, 1) + draw(ITEMS, 8, 3, seed=1, spread=0.15), draw(ITEMS, 4, 3, seed=2)], 1)
NAMED = torch.tensor([[0, 1, 2, 4], [3, 3, -1, -1], [-1] * 4])
MATCHES = losses.matched(BASE, CENTERS, VALID)


def of_items(cost: Callable[[int, list[list[float]]], list[float]]) -> tuple[float, float]:
    """Sum and number of the costs of all items; ``cost`` takes an item and the centres of its objects."""
    found = [value for item in range(ITEMS) for value in cost(item, CENTERS[item][VALID[item]].tolist())]
    return sum(found), len(found)


def check(found: losses.Summed, expected: tuple[float, float]) -> None:
    assert expected[1] > 1
    assert_close(torch.stack(found), torch.tensor(expected, dtype=torch.float64))


def positives(item: int, centers: list[list[float]]) -> list[tuple[int, int]]:
    return reference.on_objects(BASE[item].tolist(), centers)


def test_votes_go_to_the_nearest_of_their_targets():
    votes, targets = draw(ITEMS, SEEDS, 3, seed=3), draw(ITEMS, SEEDS, 3, 3, seed=4)
    valid = draw(ITEMS, SEEDS, 3, seed=5) > 0.4
    valid[2] = False

    def cost(item: int, _):
        own = [rows[kept].tolist() for rows, kept in zip(targets[item], valid[item], strict=True)]
        return reference.vote_costs(votes[item].tolist(), own)

    check(losses.vote_loss(votes, targets, valid), of_items(cost))


def test_proposals_are_on_the_nearest_object_or_off_all_or_neither():
    kinds = set()
    for item in range(ITEMS):
        centers = CENTERS[item][VALID[item]].tolist()
        for number, place in enumerate(BASE[item].tolist()):
            apart, nearest = reference.nearest(place, centers)
            assert MATCHES.positive[item, number] == (apart < 0.3)
            assert MATCHES.clear[item, number] == (apart < 0.3 or apart > 0.6)
            assert not centers or MATCHES.object[item, number] == nearest
            kinds.add((apart < 0.3, apart > 0.6))
    assert len(kinds) == 3


def test_objectness_weighs_proposals_on_and_off_objects():
    scores = draw(ITEMS, PROPOSALS, 2, seed=6)
    check(
        losses.objectness_loss(scores, MATCHES),
        of_items(lambda item, centers: reference.objectness_costs(BASE[item].tolist(), scores[item].tolist(), centers)),
    )


def test_centres_are_near_objects_and_objects_near_centres():
    proposed = BASE + draw(ITEMS, PROPOSALS, 3, seed=7, spread=0.3)
    for side, found in enumerate(losses.center_losses(proposed, CENTERS, VALID, MATCHES)):
        check(
            found,
            of_items(
                lambda item, centers, side=side: reference.center_costs(
                    BASE[item].tolist(), proposed[item].tolist(), centers
                )[side]
            ),
        )


def test_classes_and_residuals_are_those_of_the_object_that_a_proposal_is_on():
    scores, residuals = draw(ITEMS, PROPOSALS, CLASSES, seed=8), draw(ITEMS, PROPOSALS, CLASSES, 3, seed=9, spread=2)
    truth = draw(ITEMS, OBJECTS, 3, seed=10)

    def naming(item, centers):
        return [
            reference.cross_entropy(scores[item, number].tolist(), int(NAMED[item, own]))
            for number, own in positives(item, centers)
        ]

    def residual(item, centers):
        return [
            reference.mean(
                [
                    reference.huber(float(residuals[item, number, NAMED[item, own], axis] - truth[item, own, axis]))
                    for axis in range(3)
                ]
            )
            for number, own in positives(item, centers)
        ]

    check(losses.class_loss(scores, NAMED, MATCHES), of_items(naming))
    check(losses.residual_loss(residuals, NAMED, truth, MATCHES), of_items(residual))


@pytest.mark.parametrize("bins", [1, 2, 12])
def test_headings_are_the_nearest_bin_and_the_way_from_its_middle(bins):
    headings = torch.linspace(-9, 9, 101, dtype=torch.float64)[None]
    number, residual = losses.heading_targets(headings, bins)
    for heading, own, share in zip(headings[0].tolist(), number[0].tolist(), residual[0].tolist(), strict=True):
        expected, way = reference.heading_target(heading, bins)
        assert own == expected
        assert share == pytest.approx(way)
    assert (residual.abs() <= 1).all()
    still, none = losses.heading_targets(torch.zeros(1, 1), bins)
    assert (still.item(), none.item()) == (0, pytest.approx(0, abs=1e-6))


def test_sizes_are_shares_of_the_class_mean():
    means = torch.tensor([[1.0, 2.0, 4.0], [0.5, 0.5, 0.5]])
    size = torch.tensor([[[1.0, 1.0, 6.0], [1.0, 0.5, 0.25]]])
    expected = torch.tensor([[[0.0, -0.5, 0.5], [1.0, 0.0, -0.5]]])
    assert_close(losses.size_targets(size, torch.tensor([[0, 1]]), means), expected)


def test_closed_forms():
    zero = torch.zeros(1, 1, 3)
    there = torch.ones(1, 1, dtype=torch.bool)
    on = losses.matched(zero + 0.1, zero, there)
    total, count = losses.objectness_loss(torch.zeros(1, 1, 2), on)
    assert (total.item(), count.item()) == (pytest.approx(0.8 * math.log(2)), 1)
    off = losses.matched(zero + 1, zero, there)
    assert losses.objectness_loss(torch.zeros(1, 1, 2), off)[0].item() == pytest.approx(0.2 * math.log(2))
    total, _ = losses.vote_loss(zero + torch.tensor([1.0, -2.0, 3.0]), zero[:, :, None], there[..., None])
    assert total.item() == pytest.approx(6)
    total, _ = losses.residual_loss(zero[:, :, None] + 3, torch.zeros(1, 1, dtype=torch.long), zero, on)
    assert total.item() == pytest.approx(2.5)
    assert [one.item() for one, _ in losses.center_losses(zero + 2, zero, there, on)] == [12, 12]


DIFFERENTIABLE = {
    "vote": (
        lambda x: losses.vote_loss(x, draw(ITEMS, SEEDS, 2, 3, seed=4), draw(ITEMS, SEEDS, 2, seed=5) > 0),
        (ITEMS, SEEDS, 3),
    ),
    "objectness": (lambda x: losses.objectness_loss(x, MATCHES), (ITEMS, PROPOSALS, 2)),
    "center": (lambda x: losses.center_losses(x, CENTERS, VALID, MATCHES)[0], (ITEMS, PROPOSALS, 3)),
    "center_of_object": (lambda x: losses.center_losses(x, CENTERS, VALID, MATCHES)[1], (ITEMS, PROPOSALS, 3)),
    "class": (lambda x: losses.class_loss(x, NAMED, MATCHES), (ITEMS, PROPOSALS, CLASSES)),
    "residual": (
        lambda x: losses.residual_loss(x, NAMED, draw(ITEMS, OBJECTS, 3, seed=10), MATCHES),
        (ITEMS, PROPOSALS, CLASSES, 3),
    ),
}


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradcheck(name):
    loss, shape = DIFFERENTIABLE[name]
    torch.autograd.gradcheck(lambda x: loss(x)[0], (draw(*shape, seed=20).requires_grad_(),), fast_mode=True)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_items_without_objects_give_a_zero_with_a_graph(name, monkeypatch):
    nothing = torch.zeros_like(VALID)
    monkeypatch.setitem(globals(), "VALID", nothing)
    monkeypatch.setitem(globals(), "MATCHES", losses.matched(BASE, CENTERS, nothing))
    loss, shape = DIFFERENTIABLE[name]
    given = draw(*shape, seed=20).requires_grad_()
    total, count = loss(given)
    total.backward()
    assert given.grad is not None
    assert given.grad.isfinite().all()
    if name not in ("vote", "objectness"):  # which also learn from what is no object
        assert (total.item(), count.item()) == (0, 0)
        assert not given.grad.any()


def test_no_items_give_a_zero_with_a_graph():
    votes = torch.zeros(0, SEEDS, 3, requires_grad=True)
    total, count = losses.vote_loss(votes, torch.zeros(0, SEEDS, 1, 3), torch.zeros(0, SEEDS, 1, dtype=torch.bool))
    total.backward()
    assert (total.item(), count.item()) == (0, 0)
    matches = losses.matched(torch.zeros(0, 2, 3), torch.zeros(0, 1, 3), torch.zeros(0, 1, dtype=torch.bool))
    scores = torch.zeros(0, 2, 2, requires_grad=True)
    losses.objectness_loss(scores, matches)[0].backward()
    assert scores.grad is not None

"""Groups of points, votes, proposals and their boxes against loops, and their gradients."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from sem3d.geometry.farthest_points import farthest_points
from sem3d.networks.point_groups import farthest_rows, rows_within, take_rows
from sem3d.networks.vote_net import Proposals, Proposing, VoteNetConfig, Voting, proposed_boxes
from tests.reference import vote_net as reference


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_points_are_chosen_as_far_apart_as_can_be():
    points = draw(3, 40, 3)
    expected = [reference.farthest(one.tolist(), 12) for one in points]
    assert farthest_rows(points, 12).tolist() == expected
    assert [farthest_points(one.numpy(), 12).tolist() for one in points] == expected
    line = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [10, 0, 0]])
    assert farthest_points(line, 4).tolist() == [0, 3, 2, 1]
    assert farthest_points(line, 7).tolist() == [0, 3, 2, 1, 0, 3, 2]
    assert farthest_rows(points[:0], 12).shape == (0, 12)


@pytest.mark.parametrize(("radius", "count"), [(0.7, 4), (1.5, 60), (1e-6, 3)])
def test_groups_hold_the_first_points_within_the_radius(radius, count):
    points = draw(2, 50, 3)
    rows = farthest_rows(points, 6)
    found = rows_within(points, take_rows(points, rows), radius, count)
    for item in range(2):
        for center, own in zip(rows[item].tolist(), found[item].tolist(), strict=True):
            assert own == reference.within(points[item].tolist(), points[item, center].tolist(), radius, count)


def test_a_vote_is_its_seed_moved_by_what_the_layers_say():
    torch.manual_seed(0)
    voting = Voting(4).double().eval()
    points, features = draw(2, 5, 3), draw(2, 5, 4, seed=1)
    votes, moved = voting(points, features)
    said = voting.last(voting.layers(features.flatten(0, 1))).view(2, 5, 7)
    assert_close(votes, points + said[..., :3])
    for before, way, after in zip(features.flatten(0, 1), said.flatten(0, 1), moved.flatten(0, 1), strict=True):
        whole = [a + b for a, b in zip(before.tolist(), way[3:].tolist(), strict=True)]
        length = sum(value**2 for value in whole) ** 0.5
        assert after.tolist() == pytest.approx([value / length for value in whole])


CONFIG = VoteNetConfig(dim=4, proposals=6, radius=1.0, group_votes=5, proposal_dim=8)


def test_a_proposal_is_of_the_largest_features_of_its_group():
    torch.manual_seed(0)
    network = Proposing(CONFIG, classes=3, heading_bins=2).double().eval()
    votes, features = draw(2, 20, 3), draw(2, 20, 4, seed=1)
    found = network(votes, features)
    for item in range(2):
        places = votes[item].tolist()
        for number, middle in enumerate(reference.farthest(places, 6)):
            group = reference.within(places, places[middle], 1.0, 5)
            rows = torch.stack(
                [torch.cat([votes[item, row] - votes[item, middle], features[item, row]]) for row in group]
            )
            largest = network.group_layers(rows).amax(0, keepdim=True)
            numbers = network.last(network.layers(largest))[0]
            assert_close(found.base[item, number], votes[item, middle])
            assert_close(found.objectness[item, number], numbers[:2])
            assert_close(found.center[item, number], votes[item, middle] + numbers[2:5])
            assert_close(found.heading_bin[item, number], numbers[5:7])
            assert_close(found.heading[item, number], numbers[7:9])
            assert_close(found.size_class[item, number], numbers[9:12])
            assert_close(found.size[item, number], numbers[12:21].view(3, 3))
            assert_close(found.named[item, number], numbers[21:])


def test_gradients_reach_features_and_places_of_votes():
    torch.manual_seed(0)
    network = Proposing(CONFIG, classes=3, heading_bins=2).double().eval()
    votes, features = draw(1, 10, 3).requires_grad_(), draw(1, 10, 4, seed=1).requires_grad_()

    def answers(places: torch.Tensor, said: torch.Tensor) -> torch.Tensor:
        found = network(places, said)
        return torch.cat([found.center, found.size.flatten(2), found.named], 2)

    torch.autograd.gradcheck(answers, (votes, features), fast_mode=True)


@pytest.mark.parametrize("bins", [1, 12])
def test_boxes_are_those_of_the_best_bin_and_class(bins):
    found = Proposals(
        base=draw(2, 7, 3),
        center=draw(2, 7, 3, seed=1),
        objectness=draw(2, 7, 2, seed=2),
        heading_bin=draw(2, 7, bins, seed=3),
        heading=draw(2, 7, bins, seed=4),
        size_class=draw(2, 7, 4, seed=5),
        size=draw(2, 7, 4, 3, seed=6),
        named=draw(2, 7, 4, seed=7),
    )
    means = draw(4, 3, seed=8).abs()
    boxes = proposed_boxes(found, means)
    for item in range(2):
        for number in range(7):
            answers = (found.center, found.heading_bin, found.heading, found.size_class, found.size)
            expected = reference.box(*(answer[item, number].tolist() for answer in answers), means.tolist())
            assert boxes[item, number].tolist() == pytest.approx(expected)
    assert (boxes[..., 3:6] >= 0).all()
    assert (boxes[..., 3:6] == 0).any()


def test_boxes_of_the_targets_are_the_objects():
    from sem3d.losses.vote_net import heading_targets, size_targets

    size, heading, named = (
        draw(1, 9, 3).abs(),
        torch.linspace(-3, 3, 9, dtype=torch.float64)[None],
        torch.arange(9)[None] % 4,
    )
    means = 1 + draw(4, 3, seed=2).abs()
    bin_of, residual = heading_targets(heading, 12)
    found = Proposals(
        base=draw(1, 9, 3),
        center=draw(1, 9, 3),
        objectness=draw(1, 9, 2),
        heading_bin=torch.nn.functional.one_hot(bin_of, 12).double(),
        heading=residual[..., None].expand(1, 9, 12),
        size_class=torch.nn.functional.one_hot(named, 4).double(),
        size=size_targets(size, named, means)[:, :, None].expand(1, 9, 4, 3),
        named=draw(1, 9, 4),
    )
    boxes = proposed_boxes(found, means)
    assert_close(boxes[..., 3:6], size)
    assert_close(torch.remainder(boxes[..., 6] - heading + 1, 2 * torch.pi), torch.ones(1, 9, dtype=torch.float64))

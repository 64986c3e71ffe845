"""Networks of points: what they must not depend on, and the levels of PointConv."""

import torch
from torch.testing import assert_close

from sem3d.networks.point_conv import PointConvEmbedding, cloud_levels, keypoint_cross_entropy
from sem3d.networks.point_net import PointNetConfig, PointNetEmbedding


def clouds(items: int = 2, points: int = 60) -> torch.Tensor:
    return torch.rand(items, points, 3, generator=torch.Generator().manual_seed(0))


def test_an_embedding_of_a_point_depends_on_no_order_and_no_other_cloud():
    torch.manual_seed(0)
    points, order = clouds(), torch.randperm(60)
    network = PointNetEmbedding(PointNetConfig(local=(8, 8), whole=(16, 32), head=(16,), dim=5))
    found = network(points)
    assert found.shape == (2, 60, 5)
    assert_close(network(points[:, order]), found[:, order])
    assert_close(network(points[:1]), found[:1])


def test_a_point_sees_the_whole_cloud():
    torch.manual_seed(0)
    network = PointNetEmbedding(PointNetConfig(local=(8, 8), whole=(16, 32), head=(16,), dim=5, transform=False))
    points = clouds(1)
    moved = points.clone()
    moved[:, 30:] *= 3
    assert (network(moved)[:, :30] - network(points)[:, :30]).abs().max() > 1e-4


def test_levels_have_their_neighbours_and_shares_of_one():
    points = clouds()
    levels = cloud_levels(points, (15, 4), group=6)
    assert [level.points.shape[1] for level in levels] == [60, 15, 4]
    apart = torch.cdist(levels[1].points, points)
    assert_close(levels[1].groups, apart.topk(6, largest=False).indices)
    assert (levels[0].groups[:, :, 0] == torch.arange(60)).all()
    for level in levels:
        assert_close(level.shares.sum(2), torch.ones(level.shares.shape[:2]))
        assert level.offsets.norm(dim=3).max() <= 1 + 1e-5
        assert 0 < level.densities.min() <= level.densities.max() <= 1


def test_the_lonely_have_the_largest_inverse_density():
    points = torch.cat([torch.rand(1, 40, 3) * 0.05, torch.tensor([[[1.0, 1.0, 1.0]]])], dim=1)
    (level,) = cloud_levels(points, (), group=41)
    assert level.groups[0, 40, level.densities[0, 40].argmax()] == 40


def test_pointconv_embeds_every_point_whatever_the_other_clouds():
    torch.manual_seed(0)
    points = clouds()
    network = PointConvEmbedding(dim=7, widths=(8, 12, 16))
    found = network(cloud_levels(points, (15, 4), 6))
    assert found.shape == (2, 60, 7)
    assert_close(network(cloud_levels(points[1:], (15, 4), 6)), found[1:], rtol=1e-4, atol=1e-5)
    found.square().mean().backward()
    assert all(value.grad is not None and value.grad.isfinite().all() for value in network.parameters())


def test_cross_entropy_is_over_marked_points_alone():
    logits = torch.zeros(1, 4, 3)
    logits[0, 2] = torch.tensor([5.0, 0.0, 0.0])
    marked = torch.tensor([[2, -1, 0]])
    wanted = (-torch.log_softmax(logits[0, 2], 0)[0] - torch.log_softmax(logits[0, 0], 0)[2]) / 2
    assert_close(keypoint_cross_entropy(logits, marked), wanted)

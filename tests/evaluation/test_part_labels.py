import numpy as np
import pytest
import torch
from torch.testing import assert_close

from sem3d.errors import UserError
from sem3d.evaluation.part_labels import (
    SAME_DEPTH,
    agreeing_labels,
    intersections_and_unions,
    mask_iou,
    mean_over_classes,
    picture_miou,
    picture_miou_where_shape_is_right,
)
from sem3d.geometry.sphere_cameras import looking_at_origin, random_eyes, square_intrinsics
from tests.reference import view_scores

CLASSES = 5


def random_pictures(seed: int, pictures: int = 4, side: int = 9) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(-1, CLASSES - 1, (pictures, side, side), generator=generator)
    predictions = torch.randint(0, CLASSES, (pictures, side, side), generator=generator)
    return torch.where(torch.rand(labels.shape, generator=generator) < 0.5, labels.clamp(min=0), predictions), labels


@pytest.mark.parametrize("seed", range(3))
def test_both_means_are_those_of_loops_over_pixels(seed: int):
    predictions, labels = random_pictures(seed)
    intersections, unions = intersections_and_unions(predictions, labels, CLASSES)
    given = predictions.numpy(), labels.numpy(), CLASSES
    assert picture_miou(predictions, labels, CLASSES).mean().item() == pytest.approx(view_scores.miou(*given))
    pooled = mean_over_classes(intersections.sum(0), unions.sum(0)).item()
    assert pooled == pytest.approx(view_scores.shape_miou(*given))


def test_a_picture_of_two_classes_with_half_of_the_object_missed_scores_as_by_hand():
    labels = torch.tensor([[[0, 0, 0, 0], [0, 0, 2, 2]]])
    predictions = torch.tensor([[[0, 0, 0, 0], [0, 0, 0, 2]]])
    assert picture_miou(predictions, labels, CLASSES).item() == pytest.approx((6 / 7 + 1 / 2) / 2)


def test_a_class_that_is_only_predicted_counts_with_nothing_and_one_in_neither_does_not():
    labels, predictions = torch.zeros(1, 2, 2, dtype=torch.long), torch.tensor([[[0, 0], [0, 3]]])
    assert picture_miou(predictions, labels, CLASSES).item() == pytest.approx(3 / 4 / 2)


def test_the_two_means_differ_where_a_class_is_rare():
    labels = torch.zeros(10, 2, 2, dtype=torch.long)
    labels[0, 0, 0] = 1
    predictions = torch.zeros_like(labels)
    assert picture_miou(predictions, labels, CLASSES).mean().item() == pytest.approx((9 + 0.75 / 2) / 10)
    intersections, unions = intersections_and_unions(predictions, labels, CLASSES)
    assert mean_over_classes(intersections.sum(0), unions.sum(0)).item() == pytest.approx(39 / 40 / 2)


def test_unknown_pixels_count_in_nothing_and_a_picture_of_them_has_no_score():
    labels = torch.tensor([[[0, -1], [1, -1]], [[-1, -1], [-1, -1]]])
    scores = picture_miou(torch.tensor([[[0, 3], [1, 3]], [[1, 1], [1, 1]]]), labels, CLASSES)
    assert scores[0].item() == 1.0
    assert scores[1].isnan()


def test_where_the_shape_is_right_only_the_names_of_parts_matter():
    labels = torch.tensor([[[0, 0, 1, 1], [2, 2, 2, 2]]])
    predictions = torch.tensor([[[0, 1, 0, 1], [2, 2, 2, 1]]])
    expected = view_scores.miou(np.array([[0, 1, 2, 2, 2, 1]]), np.array([[0, 1, 2, 2, 2, 2]]), CLASSES)
    assert picture_miou_where_shape_is_right(predictions, labels, CLASSES).item() == pytest.approx(expected)


def test_silhouettes_that_overlap_by_half_have_a_third():
    found, truth = torch.zeros(2, 3, 4, dtype=torch.bool), torch.zeros(2, 3, 4, dtype=torch.bool)
    found[0, :, :2], truth[0, :, 1:3] = True, True
    assert_close(mask_iou(found, truth), torch.tensor([1 / 3, 1.0], dtype=torch.float64))


@pytest.mark.parametrize(("label", "prediction"), [(5, 0), (-2, 0), (0, 5), (0, -1)])
def test_ids_that_are_no_class_are_refused(label: int, prediction: int):
    labels, predictions = torch.full((1, 2, 2), label), torch.full((1, 2, 2), prediction)
    with pytest.raises(UserError, match="classes are 0 to 4"):
        picture_miou(predictions, labels, CLASSES)


def ball(views: int, side: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Depth of a ball of radius 0.4 from some sides, and labels by the octant of the surface's point."""
    poses, intrinsics = looking_at_origin(random_eyes(views, 1.3, np.random.default_rng(1))), square_intrinsics(side)
    v, u = np.mgrid[:side, :side] + 0.5
    rays = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(intrinsics).T
    depth, labels = np.zeros((views, side, side)), np.zeros((views, side, side), np.int64)
    for view, pose in enumerate(poses):
        eye, ways = pose[:3, 3], rays @ pose[:3, :3].T
        a, b, c = (ways**2).sum(-1), ways @ eye, eye @ eye - 0.16
        inside = b**2 - a * c
        depth[view] = np.where(inside > 0, (-b - np.sqrt(np.maximum(inside, 0))) / a, 0)
        points = eye + ways * depth[view][..., None]
        labels[view] = np.where(inside > 0, 1 + (points > 0) @ np.array([1, 2, 4]), 0)
    return *(torch.from_numpy(part) for part in (labels, depth, poses)), torch.from_numpy(intrinsics)


def test_agreement_of_views_is_that_of_a_loop_over_pixels():
    labels, depth, poses, intrinsics = ball(3, 24)
    found = agreeing_labels(labels, depth, poses, intrinsics)
    arrays = (part.numpy() for part in (labels, depth, poses, intrinsics))
    assert found == view_scores.agreeing_labels(*arrays, tolerance=SAME_DEPTH)
    assert found[1] > 100
    assert found[0] / found[1] > 0.9


def test_labels_of_each_view_alone_do_not_agree():
    labels, depth, poses, intrinsics = ball(3, 24)
    own = torch.where(labels > 0, torch.arange(1, 4)[:, None, None], 0)
    assert agreeing_labels(own, depth, poses, intrinsics)[0] == 0


def plane(shift: int, side: int = 10) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Labels and depth of the plane z = 2 from two cameras that look along z, one ``shift`` pixels right of the other."""
    intrinsics = torch.tensor([[8.0, 0, side / 2], [0, 8.0, side / 2], [0, 0, 1]], dtype=torch.float64)
    poses = torch.eye(4, dtype=torch.float64).repeat(2, 1, 1)
    poses[1, 0, 3] = shift * 2.0 / 8.0
    column = torch.arange(side) + torch.tensor([0, shift])[:, None]
    labels = (1 + column % 3)[:, None].repeat(1, side, 1)
    return labels, torch.full((2, side, side), 2.0, dtype=torch.float64), poses, intrinsics


@pytest.mark.parametrize("wrong", [0, 1, 5])
def test_of_two_views_of_a_plane_all_true_labels_agree_and_each_wrong_one_is_missed_from_both(wrong: int):
    labels, depth, poses, intrinsics = plane(shift=3)
    labels[0].view(-1)[13 : 13 + wrong] = 9  # from column 3 on, which the other view sees too
    assert agreeing_labels(labels, depth, poses, intrinsics) == (140 - 2 * wrong, 140)
    arrays = (part.numpy() for part in (labels, depth, poses, intrinsics))
    assert view_scores.agreeing_labels(*arrays, tolerance=SAME_DEPTH) == (140 - 2 * wrong, 140)


def test_what_hides_the_plane_in_one_view_is_not_compared():
    labels, depth, poses, intrinsics = plane(shift=3)
    depth[0, :, 5:] = 1.5
    agreeing, compared = agreeing_labels(labels, depth, poses, intrinsics)
    assert agreeing == compared == 2 * 2 * 10


def test_one_view_alone_is_compared_with_nothing():
    labels, depth, poses, intrinsics = plane(shift=3)
    assert agreeing_labels(labels[:1], depth[:1], poses[:1], intrinsics) == (0, 0)

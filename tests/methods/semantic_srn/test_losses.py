"""Losses, scores and products of Semantic SRN on numbers that can be worked out by hand."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from sem3d.geometry.rays import Rays
from sem3d.methods.semantic_srn.batch import SemanticSRNBatch
from sem3d.methods.semantic_srn.config import LossWeights
from sem3d.methods.semantic_srn.losses import scene_losses
from sem3d.methods.semantic_srn.novel_views import NovelViews, labelled_points, write_products, write_turn
from sem3d.methods.semantic_srn.view_scores import view_metrics, view_sums
from sem3d.methods.semantic_srn.views import Views
from sem3d.networks.srn.scene_network import Rendered

SIDE = 2
RAYS = SIDE * SIDE


def batch_of(instances: list[int], labels: list[list[int]]) -> SemanticSRNBatch:
    """Square pictures of 2 x 2, half opaque, all grey."""
    count = len(instances)
    alpha = torch.tensor([1.0, 1.0, 0.0, 0.0]).expand(count, 1, RAYS)
    return SemanticSRNBatch(
        torch.tensor(instances),
        torch.eye(3).expand(count, 3, 3),
        torch.eye(4).expand(count, 1, 4, 4),
        torch.zeros(count, 1, RAYS, 2),
        torch.zeros(count, 1, RAYS, 3),
        alpha,
        torch.tensor(labels)[:, None],
    )


def views_of(count: int, color: float, opacity: float, distance: float, classes: int = 3) -> Views:
    """The same colour everywhere, and scores that are all 0."""
    rendered = Rendered(
        torch.zeros(count, RAYS, 5),
        torch.full((count, RAYS), distance),
        torch.tensor([color] * 3 + [opacity]).expand(count, RAYS, 4),
    )
    rays = Rays(torch.zeros(count, RAYS, 3), torch.zeros(count, RAYS, 3), torch.full((count, RAYS), 0.5))
    return Views(torch.full((count, 7), 2.0), rays, rendered, torch.zeros(count, RAYS, classes))


def test_losses_are_the_weighted_means_of_usable_objects():
    batch = batch_of([4, -1], [[0, 1, 2, -1], [1, 1, 1, -1]])
    losses = scene_losses(views_of(2, 0.5, 0.0, -0.2), batch, LossWeights(image=3.0, label=5.0, latent=7.0, depth=11.0))
    assert_close(losses["image"], torch.tensor(3 * (3 * 0.25 + 1.0) / 4))
    assert_close(losses["depth"], torch.tensor(11 * 0.1**2))
    assert_close(losses["latent"], torch.tensor(7 * 4.0))
    assert_close(losses["label"], torch.tensor(5 * math.log(3)))
    ahead = scene_losses(views_of(2, 0.5, 0.0, 0.2), batch, LossWeights())
    assert ahead["depth"] == 0


@pytest.mark.parametrize(("modalities", "names"), [(("image",), {"image"}), (("label",), {"label"})])
def test_an_object_is_inferred_from_what_is_asked_alone(modalities, names):
    losses = scene_losses(views_of(1, 0.5, 0.0, 0.2), batch_of([0], [[0, 1, 2, 2]]), LossWeights(), modalities)
    assert losses.keys() == names | {"depth", "latent"}


def test_metrics_of_a_batch_count_usable_pictures_and_pool_classes():
    batch = batch_of([0, -1, 1], [[0, 0, 0, 1], [2, 2, 2, 2], [0, 0, 0, 0]])
    metrics = view_metrics(view_sums(views_of(3, 0.2, 1.0, 0.5), batch))
    assert metrics["psnr"] == pytest.approx(20, abs=1e-4)
    assert metrics["silhouette_iou"] == pytest.approx(0.5)
    assert metrics["miou"] == pytest.approx((0.75 / 2 + 1) / 2)
    assert metrics["shape_miou"] == pytest.approx((7 / 8 + 0) / 2)
    assert metrics["miou_where_shape_is_right"] == pytest.approx(1)


def test_products_hold_the_points_that_are_seen(tmp_path):
    seen = np.array([[[True, False], [True, True]]] * 2)
    label = np.where(seen, 2, 0)
    points = np.arange(24, dtype=np.float32).reshape(2, 2, 2, 3)
    color = np.stack([np.full((2, 2, 3), 9, np.uint8), np.full((2, 2, 3), 200, np.uint8)])
    found = NovelViews(color, seen, points, label, 3)
    places, colors, classes = labelled_points(found)
    np.testing.assert_array_equal(places, points[seen])
    assert set(classes.tolist()) == {2}
    assert len(np.unique(colors, axis=0)) == 1
    picture, cloud = write_products(found, tmp_path / "object-3", ("background", "back", "seat"))
    assert b"element vertex 6\n" in cloud.read_bytes()
    with Image.open(picture) as drawn:
        assert min(drawn.size) > 320
    write_turn(found, tmp_path / "turn")
    with Image.open(tmp_path / "turn.gif") as turn:
        assert (turn.n_frames, turn.size) == (2, (4, 2))

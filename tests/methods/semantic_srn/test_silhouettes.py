"""Silhouettes of inferred objects: their score against loops over pixels, and the best silhouette that is the same everywhere."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sem3d.evaluation.part_labels import mask_iou
from sem3d.geometry.rays import Rays
from sem3d.methods import method_class
from sem3d.methods.semantic_srn.batch import SemanticSRNBatch
from sem3d.methods.semantic_srn.frequent_silhouette import best_constant, marks
from sem3d.methods.semantic_srn.sources import KNOWN
from sem3d.methods.semantic_srn.view_scores import view_metrics, view_sums
from sem3d.methods.semantic_srn.views import Views
from sem3d.networks.srn.scene_network import Rendered
from tests.methods.synthetic_batches import posed_pictures
from tests.methods.tiny import tiny_experiment
from tests.reference import view_scores


def rendered(batch: SemanticSRNBatch, color: torch.Tensor, logits: torch.Tensor | None = None) -> Views:
    flat = torch.zeros(color.shape[:2])
    rays = Rays(torch.zeros(*flat.shape, 3), torch.zeros(*flat.shape, 3), flat)
    return Views(torch.zeros(len(flat), 2), rays, Rendered(color, flat, color), logits)


def test_the_silhouette_of_unseen_views_is_scored_as_loops_over_pixels_do():
    batch = SemanticSRNBatch(**posed_pictures(views=2, side=8))
    batch = replace(batch, instance=torch.tensor([0, 1, -1, 3]))
    opacity = torch.rand(4, 128, generator=torch.Generator().manual_seed(3))
    color = torch.cat([torch.zeros(4, 128, 3), 2 * opacity[..., None] - 1], -1)
    found = view_metrics(view_sums(rendered(batch, color), batch))
    expected = [
        view_scores.silhouette_iou(opacity[item].view(2, 64)[view].numpy(), batch.alpha[item, view].numpy())
        for item in (0, 1, 3)
        for view in range(2)
    ]
    assert found["silhouette_iou"] == pytest.approx(np.mean(expected))
    assert 0.2 < found["silhouette_iou"] < 0.5


def test_without_opacity_the_silhouette_is_where_a_part_is_seen():
    batch = SemanticSRNBatch(**posed_pictures(views=1, side=8))
    part = torch.randint(0, 3, (4, 64), generator=torch.Generator().manual_seed(4))
    logits = torch.nn.functional.one_hot(part, 3).float()
    found = view_metrics(view_sums(rendered(batch, torch.zeros(4, 64, 3), logits), batch))
    expected = [
        view_scores.silhouette_iou((part[item] > 0).double().numpy(), batch.alpha[item, 0].numpy()) for item in range(4)
    ]
    assert found["silhouette_iou"] == pytest.approx(np.mean(expected))


def test_the_floor_is_the_best_silhouette_that_is_the_same_for_every_view(posed, tmp_path):
    rows = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 1], [0, 1, 0, 0]]).bool()[:, None]
    best = best_constant(rows)
    every = [torch.tensor([[bool(bits >> place & 1) for place in range(4)]]) for bits in range(16)]
    reached = max(float(mask_iou(one.expand_as(rows), rows).mean()) for one in every)
    assert float(mask_iou(best.expand_as(rows), rows).mean()) == pytest.approx(reached)
    experiment = tiny_experiment("semantic_srn_instances", posed, tmp_path)
    sources = method_class("semantic_srn_instances").sources(experiment)
    assert marks(experiment, sources).floor == {"silhouette_iou": 1.0}  # all objects of this data look alike
    nobody = replace(sources[KNOWN], table=sources[KNOWN].table.slice(0, 0))
    assert marks(experiment, dict(sources) | {KNOWN: nobody}).floor == {}

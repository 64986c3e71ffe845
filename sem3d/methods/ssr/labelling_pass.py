"""The labelling network, and its visit to all unlabelled images, shared by all workers: which viewpoints they get."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sem3d.datasets.object_views import reference_images
from sem3d.datasets.stream import Samples
from sem3d.geometry.image_rotation import rotate_images
from sem3d.geometry.nmr_views import VIEWS
from sem3d.losses.viewpoint_pairs import balanced_accuracy, viewpoint_pair_counts
from sem3d.methods.method import Passes
from sem3d.methods.ssr.config import SSRConfig
from sem3d.methods.ssr.viewpoint_labels import (
    LABEL_RULES,
    References,
    ViewpointLabels,
    choose_references,
    classify_images,
    label_images,
    see_references,
    seen_from_most,
)
from sem3d.networks.siamese_viewpoint import SiameseViewpoint, ViewpointClassifier

AsInput = Callable[[Tensor], Tensor]
ROWS_AT_ONCE = 256
"""Labelled images that are compared with all others at a time."""


class SeenImages(NamedTuple):
    """All labelled images that can be read, as the network sees them."""

    viewpoints: Int[Tensor, " image"]
    objects: Int[Tensor, " image"]
    features: Float[Tensor, "image dim"]
    turned: Float[Tensor, "image dim"] | None
    """After a turn by the angle of the rotation test, where there is one."""


def labelling_network(config: SSRConfig) -> SiameseViewpoint | ViewpointClassifier | None:
    """Build the network that labels viewpoints, if there is one."""
    if config.labels_from == "siamese":
        return SiameseViewpoint(config.viewpoint)
    return ViewpointClassifier(config.viewpoint, VIEWS) if config.labels_from == "classifier" else None


def see_labelled(
    network: SiameseViewpoint | ViewpointClassifier,
    labelled: Samples,
    as_input: AsInput,
    passes: Passes,
    degrees: int | None,
) -> SeenImages:
    """Visit all labelled images once, all workers together; the same on each."""
    weight = network.linear.weight
    found = torch.zeros(labelled.table.num_rows, 1 + network.dim * (1 if degrees is None else 2), dtype=torch.float64)
    for columns in passes.batches(labelled):
        usable = columns["usable"].bool()
        images = as_input(columns["image"][usable, 0])
        parts = [torch.ones_like(images[:, 0, 0, :1]), network(images)]
        parts += [] if degrees is None else [network(rotate_images(images, degrees))]
        found[columns["number"][usable].cpu()] = torch.cat([part.double().cpu() for part in parts], dim=1)
    found = passes.total(found)
    known = found[:, 0] > 0
    viewpoints, objects = (torch.tensor(labelled.table[name].to_numpy()).long()[known] for name in ("view", "object"))
    features, *turned = found[known, 1:].to(weight.device, weight.dtype).split(network.dim, dim=1)
    return SeenImages(viewpoints.to(weight.device), objects, features, turned[0] if turned else None)


def accuracy_on_all(
    network: SiameseViewpoint | ViewpointClassifier,
    labelled: Samples,
    config: SSRConfig,
    as_input: AsInput,
    passes: Passes,
) -> float:
    """Return how often the network is right about all labelled images: mean over positive and negative pairs, by each image
    where it is a classifier; 0 where there is no pair of both kinds.
    """
    seen = see_labelled(network, labelled, as_input, passes, degrees=None)
    if isinstance(network, ViewpointClassifier):
        right = network.logits(seen.features).argmax(1) == seen.viewpoints
        return float(right.double().mean().nan_to_num())
    counts = torch.zeros(2, 2, dtype=torch.int64, device=seen.features.device)
    for first in range(0, len(seen.features), ROWS_AT_ONCE):
        logits = network.similarity(seen.features[first : first + ROWS_AT_ONCE], seen.features)
        objects = seen.objects.to(logits.device)
        counts += viewpoint_pair_counts(logits, seen.viewpoints, objects, config.pairs, first)
    accuracy = balanced_accuracy(counts)
    return accuracy if accuracy == accuracy else 0.0


def references_of(
    network: SiameseViewpoint, labelled: Samples, config: SSRConfig, as_input: AsInput, passes: Passes
) -> list[References]:
    """Return what images are compared with: one set for all of them, or one an object of which each image draws its own."""
    rule = LABEL_RULES[config.rule]
    degrees = config.consistency_degrees if rule.rotation_test else None
    if config.references == "by_rule":
        device = network.linear.weight.device
        views, numbers = (torch.tensor(labelled.table[name].to_numpy()) for name in ("view", "object"))
        chosen = choose_references(views.long(), numbers.long(), rule.references)
        pictures, seen_from = reference_images(labelled, chosen.tolist())
        images = as_input(torch.tensor(pictures, device=device))
        return [see_references(network, images, torch.tensor(seen_from, device=device), degrees)]
    seen = see_labelled(network, labelled, as_input, passes, degrees)
    if config.references == "all_objects":
        return [References(seen.viewpoints, seen.features, seen.turned, degrees or 0)]
    found = []
    for number in seen_from_most(seen.viewpoints.cpu(), seen.objects).tolist():
        own = (seen.objects == number).to(seen.features.device)
        turned = None if seen.turned is None else seen.turned[own]
        found.append(References(seen.viewpoints[own], seen.features[own], turned, degrees or 0))
    return found


def label_all(
    network: SiameseViewpoint | ViewpointClassifier,
    unlabelled: Samples,
    labelled: Samples,
    config: SSRConfig,
    as_input: AsInput,
    passes: Passes,
) -> ViewpointLabels:
    """Label every unlabelled image, a Siamese network by comparison with ``labelled`` ones; the same on each worker."""
    rule, images = LABEL_RULES[config.rule], unlabelled.table.num_rows
    if isinstance(network, SiameseViewpoint):
        references = references_of(network, labelled, config, as_input, passes)
        labels = [partial(label_images, network, references=each, rule=rule) for each in references]
    else:
        labels = [partial(classify_images, network, rule=rule, degrees=config.consistency_degrees)]
    drawn = torch.randint(len(labels), (images,)) if len(labels) > 1 else torch.zeros(images, dtype=torch.int64)
    found = torch.zeros(3, images, dtype=torch.float64)
    for columns in passes.batches(unlabelled):
        known = columns["usable"].bool()
        numbers, views = columns["number"][known].cpu(), as_input(columns["image"][known, 0])
        for place in drawn[numbers].unique().tolist():
            mine = drawn[numbers] == place
            given = labels[place](views[mine.to(views.device)])
            found[:, numbers[mine]] = torch.stack([part.double().cpu() for part in given])
    viewpoint, confidence, accepted = passes.total(found)
    return ViewpointLabels(viewpoint.long(), confidence, accepted.bool())

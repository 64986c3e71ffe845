"""The labelling network, and its visit to all unlabelled images, shared by all workers: which viewpoints they get."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from sem3d.datasets.object_views import reference_images
from sem3d.datasets.stream import Samples
from sem3d.geometry.object_views import VIEWS
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
)
from sem3d.networks.siamese_viewpoint import SiameseViewpoint, ViewpointClassifier

AsInput = Callable[[Tensor], Tensor]


def labelling_network(config: SSRConfig) -> SiameseViewpoint | ViewpointClassifier | None:
    """Build the network that labels viewpoints, if there is one."""
    if config.labels_from == "siamese":
        return SiameseViewpoint(config.viewpoint)
    return ViewpointClassifier(config.viewpoint, VIEWS) if config.labels_from == "classifier" else None


def references_of(
    network: SiameseViewpoint, labelled: Samples, config: SSRConfig, as_input: AsInput, device: torch.device
) -> References:
    """Choose labelled views by the rule and return their features."""
    rule = LABEL_RULES[config.rule]
    views, numbers = (torch.tensor(labelled.table[name].to_numpy()) for name in ("view", "object"))
    chosen = choose_references(views.long(), numbers.long(), rule.references)
    pictures, seen_from = reference_images(labelled, chosen.tolist())
    degrees = config.consistency_degrees if rule.rotation_test else None
    images = as_input(torch.tensor(pictures, device=device))
    return see_references(network, images, torch.tensor(seen_from, device=device), degrees)


def label_all(
    network: SiameseViewpoint | ViewpointClassifier,
    unlabelled: Samples,
    labelled: Samples,
    config: SSRConfig,
    as_input: AsInput,
    device: torch.device,
    passes: Passes,
) -> ViewpointLabels:
    """Label every unlabelled image, a Siamese network by comparison with ``labelled`` ones; the same on each worker."""
    rule = LABEL_RULES[config.rule]
    if isinstance(network, SiameseViewpoint):
        references = references_of(network, labelled, config, as_input, device)
        label = partial(label_images, network, references=references, rule=rule)
    else:
        label = partial(classify_images, network, rule=rule, degrees=config.consistency_degrees)
    found = torch.zeros(3, unlabelled.table.num_rows, dtype=torch.float64)
    for columns in passes.batches(unlabelled):
        known = columns["usable"].bool()
        labels = label(as_input(columns["image"][known, 0]))
        found[:, columns["number"][known].cpu()] = torch.stack([part.double().cpu() for part in labels])
    viewpoint, confidence, accepted = passes.total(found)
    return ViewpointLabels(viewpoint.long(), confidence, accepted.bool())

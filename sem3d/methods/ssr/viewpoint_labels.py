"""One pass of SSR's pseudo-labelling: images without a viewpoint take that of the labelled image they resemble most.

Three rules, of which an image must pass one to be labelled:

=================== ========== ====================================== =================================
rule                score over rotation test                          references
=================== ========== ====================================== =================================
paper               0.5        both best the same, both scores over   a random image of each viewpoint
released            0.8        none                                   the first object
rotation_consistent 0.8        both best the same, both scores over   a random object
=================== ========== ====================================== =================================

The references are those of ``method.references by_rule``; another choice leaves a rule its score and its test. In the rotation
test, image and references are compared once more after all are turned in their plane by one angle. The
released ``losses.py`` has such a test, off, that pairs the two lists of accepted images out of step.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sem3d.errors import UserError
from sem3d.geometry.image_rotation import rotate_images
from sem3d.networks.siamese_viewpoint import SiameseViewpoint, ViewpointClassifier

ReferenceChoice = Literal["random_image", "random_object", "first_object"]


@dataclass(frozen=True)
class LabelRule:
    """Rule of accepted labels, and the references of comparisons."""

    threshold: float
    """Scores must be greater."""
    rotation_test: bool
    references: ReferenceChoice


LABEL_RULES = {
    "paper": LabelRule(0.5, True, "random_image"),
    "released": LabelRule(0.8, False, "first_object"),
    "rotation_consistent": LabelRule(0.8, True, "random_object"),
}


class References(NamedTuple):
    """Labelled images as the network sees them, one a viewpoint or several."""

    viewpoints: Int[Tensor, " reference"]
    features: Float[Tensor, "reference dim"]
    turned: Float[Tensor, "reference dim"] | None
    """Features after a turn by ``degrees``; None leaves the rotation test out."""
    degrees: int


class ViewpointLabels(NamedTuple):
    """Findings of a pass for each image."""

    viewpoint: Int[Tensor, " image"]
    """The best viewpoint, also where it is not accepted."""
    confidence: Float[Tensor, " image"]
    """Its score, the lower of the two where there was a rotation test."""
    accepted: Bool[Tensor, " image"]


def choose_references(
    viewpoints: Int[Tensor, " image"],
    objects: Int[Tensor, " image"],
    choice: ReferenceChoice,
    generator: torch.Generator | None = None,
) -> Int[Tensor, " reference"]:
    """Return places of the references among the labelled images, by ascending viewpoint, one for each viewpoint there is.

    ``generator`` is on the CPU. An object is chosen among those seen from the most viewpoints, the first being that of the
    lowest number. Raises :class:`UserError` without labelled images.
    """
    if not len(viewpoints):
        raise UserError("pseudo-labels need labelled images to compare with, and there are none: label an object")
    keys = torch.rand(len(viewpoints), generator=generator, dtype=torch.float64)
    viewpoints, objects = viewpoints.cpu(), objects.cpu()
    candidates = torch.arange(len(viewpoints))
    if choice != "random_image":
        fullest = seen_from_most(viewpoints, objects)
        rank = 0 if choice == "first_object" else int(keys[0] * len(fullest))
        candidates = candidates[objects == fullest[rank]]
    order = candidates[keys[candidates].argsort()]
    chosen = [order[viewpoints[order] == viewpoint][0] for viewpoint in viewpoints[candidates].unique()]
    return torch.stack(chosen)


def seen_from_most(viewpoints: Int[Tensor, " image"], objects: Int[Tensor, " image"]) -> Int[Tensor, " object"]:
    """Return the objects that are seen from the most viewpoints, in order; raises :class:`UserError` without any image."""
    if not len(viewpoints):
        raise UserError("pseudo-labels need labelled images to compare with, and there are none: label an object")
    seen = torch.stack([objects, viewpoints]).unique(dim=1)[0]
    numbers, views = seen.unique_consecutive(return_counts=True)
    return numbers[views == views.max()]


@torch.no_grad()
def see_references(
    network: SiameseViewpoint,
    images: Float[Tensor, "reference 4 64 64"],
    viewpoints: Int[Tensor, " reference"],
    degrees: int | None = 45,
) -> References:
    """Return features of the references, made once a pass; ``degrees`` of the rotation test (None: no test; released: 45)."""
    turned = None if degrees is None else network(rotate_images(images, degrees))
    return References(viewpoints, network(images), turned, degrees or 0)


@torch.no_grad()
def label_images(
    network: SiameseViewpoint, images: Float[Tensor, "image 4 64 64"], references: References, rule: LabelRule
) -> ViewpointLabels:
    """Return labels of RGBA images in [0, 1]; each depends on its own image only. The network should be in evaluation mode.

    Several references of one viewpoint count by their mean logit.
    """
    viewpoints, place = references.viewpoints.unique(return_inverse=True)

    def scores(features: Tensor, others: Tensor) -> Tensor:
        logits = network.similarity(features, others)
        sums = logits.new_zeros(len(logits), len(viewpoints)).index_add(1, place, logits)
        return torch.sigmoid(sums / place.bincount())

    plain, turned = scores(network(images), references.features), None
    if rule.rotation_test and references.turned is not None:
        turned = scores(network(rotate_images(images, references.degrees)), references.turned)
    return pick_labels(plain, turned, viewpoints, rule)


@torch.no_grad()
def classify_images(
    network: ViewpointClassifier, images: Float[Tensor, "image 4 64 64"], rule: LabelRule, degrees: int = 45
) -> ViewpointLabels:
    """Return labels by a classifier's probabilities, under the same threshold and rotation test; it needs no references."""
    plain = network.logits(network(images)).softmax(1)
    turned = network.logits(network(rotate_images(images, degrees))).softmax(1) if rule.rotation_test else None
    return pick_labels(plain, turned, torch.arange(plain.shape[1], device=plain.device), rule)


def pick_labels(
    plain: Float[Tensor, "image reference"],
    turned: Float[Tensor, "image reference"] | None,
    viewpoints: Int[Tensor, " reference"],
    rule: LabelRule,
) -> ViewpointLabels:
    """Return labels by probabilities of the same viewpoint, as images are (``plain``) and after the turn.

    The first of equal scores is the best; a score that is not finite is never accepted. Raises ValueError if the rule's
    rotation test lacks ``turned``.
    """
    confidence, best = plain.max(dim=1)
    agreed = torch.ones_like(best, dtype=torch.bool)
    if rule.rotation_test:
        if turned is None:
            raise ValueError("this rule has a rotation test: it needs the scores of turned images and references")
        confidence_turned, best_turned = turned.max(dim=1)
        agreed = best == best_turned
        confidence = torch.minimum(confidence, confidence_turned)
    accepted = agreed & confidence.isfinite() & (confidence > rule.threshold)
    return ViewpointLabels(viewpoints[best], confidence, accepted)


def no_labels(images: int) -> ViewpointLabels:
    """Return what is known of the images before the first pass."""
    return ViewpointLabels(
        torch.zeros(images, dtype=torch.int64),
        torch.zeros(images, dtype=torch.float64),
        torch.zeros(images, dtype=torch.bool),
    )


def kept_labels(earlier: ViewpointLabels, found: ViewpointLabels) -> ViewpointLabels:
    """Return a new pass replaces a label only by one it accepts: as released, labels are overwritten but never withdrawn."""
    parts = (torch.where(found.accepted, new, old) for new, old in zip(found, earlier, strict=True))
    return ViewpointLabels(*parts)

"""A pseudo-labelling pass: references, the three rules, what is kept, and what is counted."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sem3d.errors import UserError
from sem3d.geometry.image_rotation import rotate_images
from sem3d.methods.ssr.label_counts import LabelCounts, count_labels
from sem3d.methods.ssr.viewpoint_labels import (
    LABEL_RULES,
    ViewpointLabels,
    choose_references,
    kept_labels,
    label_images,
    pick_labels,
    see_references,
)
from sem3d.networks.siamese_viewpoint import SiameseViewpoint, SiameseViewpointConfig

PAPER, RELEASED, CONSISTENT = (LABEL_RULES[name] for name in ("paper", "released", "rotation_consistent"))
VIEWPOINTS = torch.tensor([4, 7, 9])


def scores(*rows: list[float]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)


PLAIN = scores([0.9, 0.1, 0.2], [0.9, 0.1, 0.2], [0.6, 0.1, 0.2], [0.1, 0.9, 0.2], [0.5, 0.1, 0.2])
TURNED = scores([0.85, 0.1, 0.2], [0.1, 0.95, 0.2], [0.7, 0.1, 0.2], [0.1, 0.6, 0.2], [0.9, 0.1, 0.2])


@pytest.mark.parametrize(
    ("rule", "accepted"),
    [
        (PAPER, [True, False, True, True, False]),
        (RELEASED, [True, True, False, True, False]),
        (CONSISTENT, [True, False, False, False, False]),
    ],
)
def test_each_rule_accepts_by_its_threshold_and_by_agreement(rule, accepted):
    labels = pick_labels(PLAIN, TURNED, VIEWPOINTS, rule)
    assert labels.viewpoint.tolist() == [4, 4, 4, 7, 4]
    assert labels.accepted.tolist() == accepted


def test_confidence_is_the_score_or_the_lower_of_the_two():
    torch.testing.assert_close(pick_labels(PLAIN, None, VIEWPOINTS, RELEASED).confidence, PLAIN.max(1).values)
    lower = torch.minimum(PLAIN.max(1).values, TURNED.max(1).values)
    torch.testing.assert_close(pick_labels(PLAIN, TURNED, VIEWPOINTS, PAPER).confidence, lower)


@given(seed=st.integers(0, 1000), name=st.sampled_from(sorted(LABEL_RULES)))
@settings(deadline=None, max_examples=20)
def test_a_pass_in_blocks_equals_a_loop_over_images(seed, name):
    rule = LABEL_RULES[name]
    plain, turned = torch.rand(2, 8, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).sqrt()
    labels = pick_labels(plain, turned, VIEWPOINTS, rule)
    for image, (first, second) in enumerate(zip(plain.tolist(), turned.tolist(), strict=True)):
        best, best_turned = first.index(max(first)), second.index(max(second))
        passed = max(first) > rule.threshold
        if rule.rotation_test:
            passed = passed and best == best_turned and max(second) > rule.threshold
        assert (int(labels.viewpoint[image]), bool(labels.accepted[image])) == (int(VIEWPOINTS[best]), passed)


def test_a_score_at_the_threshold_or_not_finite_is_not_accepted():
    plain = scores([0.8, 0, 0], [float("nan"), 0.9, 0], [0.81, 0, 0])
    assert pick_labels(plain, None, VIEWPOINTS, RELEASED).accepted.tolist() == [False, False, True]


def test_a_rotation_test_needs_turned_scores():
    with pytest.raises(ValueError, match="turned"):
        pick_labels(PLAIN, None, VIEWPOINTS, PAPER)


def test_no_images_have_no_labels():
    labels = pick_labels(PLAIN[:0], TURNED[:0], VIEWPOINTS, PAPER)
    assert [len(part) for part in labels] == [0, 0, 0]


def test_references_are_one_image_a_viewpoint_by_each_choice():
    viewpoints = torch.tensor([5, 0, 2, 0, 2, 5, 2, 0])
    objects = torch.tensor([9, 9, 9, 3, 3, 3, 1, 1])
    generator = torch.Generator().manual_seed(0)
    first = choose_references(viewpoints, objects, "first_object")
    assert first.tolist() == [3, 4, 5]
    by_object, by_image = set(), set()
    for _ in range(40):
        chosen = choose_references(viewpoints, objects, "random_object", generator)
        by_object.add(tuple(chosen.tolist()))
        chosen = choose_references(viewpoints, objects, "random_image", generator)
        assert viewpoints[chosen].tolist() == [0, 2, 5]
        by_image.add(tuple(chosen.tolist()))
    assert by_object == {(3, 4, 5), (1, 2, 0)}
    assert len(by_image) > 9


def test_references_follow_the_generator_and_need_labelled_images():
    viewpoints, objects = torch.arange(24).repeat(5), torch.arange(5).repeat_interleave(24)
    drawn = [choose_references(viewpoints, objects, "random_image", torch.Generator().manual_seed(3)) for _ in range(2)]
    assert torch.equal(*drawn)
    with pytest.raises(UserError, match="labelled"):
        choose_references(viewpoints[:0], objects[:0], "random_image")


def test_labelling_images_compares_them_with_the_references_plain_and_turned():
    torch.manual_seed(0)
    network = SiameseViewpoint(SiameseViewpointConfig(width=2, dim=8)).double().eval()
    images, references = torch.rand(9, 4, 64, 64).double(), torch.rand(3, 4, 64, 64).double()
    seen = see_references(network, references, VIEWPOINTS, degrees=45)
    labels = label_images(network, images, seen, PAPER)
    parts = [label_images(network, part, seen, PAPER) for part in images.split(4)]
    for whole, pieces in zip(labels, zip(*parts, strict=True), strict=True):
        torch.testing.assert_close(whole, torch.cat(pieces))

    pairs = [(images, references), (rotate_images(images, 45), rotate_images(references, 45))]
    compared = [torch.sigmoid(network.similarity(network(a), network(b))).detach() for a, b in pairs]
    expected = pick_labels(compared[0], compared[1], VIEWPOINTS, PAPER)
    torch.testing.assert_close(labels.confidence, expected.confidence)
    assert torch.equal(labels.viewpoint, expected.viewpoint)
    untested = see_references(network, references, VIEWPOINTS, degrees=None)
    torch.testing.assert_close(label_images(network, images, untested, RELEASED).confidence, compared[0].max(1).values)
    assert not labels.confidence.requires_grad


def test_images_equal_to_the_references_take_their_viewpoints():
    torch.manual_seed(0)
    network = SiameseViewpoint(SiameseViewpointConfig(width=2, dim=8)).eval()
    torch.nn.init.constant_(network.head.weight, -50.0)
    torch.nn.init.constant_(network.head.bias, 3.0)
    images = torch.rand(3, 4, 64, 64)
    labels = label_images(network, images[[2, 0, 1]], see_references(network, images, VIEWPOINTS), CONSISTENT)
    assert labels.viewpoint.tolist() == [9, 4, 7]
    assert labels.accepted.all()


def test_labels_are_overwritten_but_never_withdrawn():
    def labels(viewpoint: list[int], accepted: list[bool]) -> ViewpointLabels:
        return ViewpointLabels(torch.tensor(viewpoint), torch.tensor(viewpoint) / 10, torch.tensor(accepted))

    kept = kept_labels(
        labels([1, 2, 3, 4], [True, True, False, False]), labels([5, 6, 7, 8], [True, False, True, False])
    )
    assert kept.viewpoint.tolist() == [5, 2, 7, 4]
    assert kept.accepted.tolist() == [True, True, True, False]
    torch.testing.assert_close(kept.confidence, torch.tensor([0.5, 0.2, 0.7, 0.4]))


def test_counts_of_parts_add_up_to_those_of_the_whole():
    labels = pick_labels(PLAIN, TURNED, VIEWPOINTS, PAPER)
    truth = torch.tensor([4, 4, -1, 9, 4])
    whole = count_labels(labels, truth)
    assert (whole.images, whole.accepted, whole.checked, whole.right) == (5, 3, 2, 1)
    assert (whole.coverage, whole.accuracy) == (0.6, 0.5)
    assert whole.mean_confidence == pytest.approx((0.85 + 0.6 + 0.6) / 3)
    parts = [count_labels(ViewpointLabels(*(p[s] for p in labels)), truth[s]) for s in (slice(2), slice(2, 5))]
    assert sum(parts, LabelCounts()) == whole


def test_a_neighbouring_view_is_near_also_around_the_end():
    labels = ViewpointLabels(torch.tensor([0, 23, 5, 7, 9]), torch.ones(5), torch.tensor([True] * 4 + [False]))
    counts = count_labels(labels, torch.tensor([23, 0, 5, 9, 9]))
    assert (counts.right, counts.near) == (1, 3)
    assert (counts.accuracy, counts.accuracy_within_one_view) == (0.25, 0.75)


def test_several_references_of_a_viewpoint_count_by_their_mean_logit():
    torch.manual_seed(0)
    network = SiameseViewpoint(SiameseViewpointConfig(width=2, dim=8)).double().eval()
    images, references = torch.rand(5, 4, 64, 64).double(), torch.rand(4, 4, 64, 64).double()
    seen = see_references(network, references, torch.tensor([7, 4, 9, 4]), degrees=None)
    with torch.no_grad():
        logits = network.similarity(network(images), network(references))
    mean = torch.stack([logits[:, [1, 3]].mean(1), logits[:, 0], logits[:, 2]], dim=1)
    expected = pick_labels(torch.sigmoid(mean), None, VIEWPOINTS, RELEASED)
    found = label_images(network, images, seen, RELEASED)
    torch.testing.assert_close(found.confidence, expected.confidence)
    assert torch.equal(found.viewpoint, expected.viewpoint)


def test_what_cannot_be_checked_has_no_accuracy():
    unknown = count_labels(pick_labels(PLAIN, TURNED, VIEWPOINTS, PAPER))
    assert (unknown.checked, unknown.accepted) == (0, 3)
    assert math.isnan(unknown.accuracy)
    assert math.isnan(LabelCounts().coverage)

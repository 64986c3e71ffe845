import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, jaccard_score

from sem3d.errors import UserError
from sem3d.evaluation.segmentation import confusion, mean_iou
from tests.reference.segmentation_metrics import confusion_by_loops, pri3d_miou, scannet_miou

CLASSES = 5
pixels = st.lists(st.tuples(st.integers(0, CLASSES - 1), st.integers(0, CLASSES - 1)), min_size=1, max_size=60)


def score(labels, predictions, protocol, classes=CLASSES):
    return mean_iou(confusion(torch.as_tensor(labels), torch.as_tensor(predictions), classes), protocol)


@pytest.mark.parametrize("protocol", ["pri3d", "scannet"])
def test_a_perfect_prediction_scores_one(protocol):
    labels = torch.arange(CLASSES).repeat(7).reshape(7, CLASSES)
    result = score(labels, labels, protocol)
    np.testing.assert_allclose([result.miou, result.pixel_accuracy, result.mean_accuracy], 1.0)
    assert np.isnan(result.iou[0])
    np.testing.assert_allclose(result.iou[1:], 1.0)


@pytest.mark.parametrize("protocol", ["pri3d", "scannet"])
def test_swapped_classes_score_zero(protocol):
    result = score([1, 1, 2, 2, 2], [2, 2, 1, 1, 1], protocol, classes=3)
    assert (result.miou, result.pixel_accuracy, result.mean_accuracy) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("protocol", ["pri3d", "scannet"])
def test_half_overlapping_squares_have_an_iou_of_one_third(protocol):
    labels = torch.full((8, 12), 1)
    predictions = labels.clone()
    labels[2:6, 2:6] = 2
    predictions[2:6, 4:8] = 2
    np.testing.assert_allclose(score(labels, predictions, protocol, classes=3).iou[2], 1 / 3)


def test_a_valid_pixel_predicted_as_ignored_is_a_miss_for_scannet_and_vanishes_for_pri3d():
    labels, predictions = [1, 1, 1, 1, 2, 2], [1, 1, 0, 0, 2, 2]
    released, official = (score(labels, predictions, protocol, classes=3) for protocol in ("pri3d", "scannet"))
    np.testing.assert_allclose(released.iou[1:], [1.0, 1.0])
    np.testing.assert_allclose(official.iou[1:], [0.5, 1.0])
    np.testing.assert_allclose([released.pixel_accuracy, official.pixel_accuracy], [1.0, 4 / 6])
    np.testing.assert_allclose([released.mean_accuracy, official.mean_accuracy], [1.0, 0.75])


def test_a_class_that_nothing_touches_scores_zero_for_pri3d_and_is_left_out_for_scannet():
    labels = [1, 1, 2, 2]
    released, official = (score(labels, labels, protocol, classes=5) for protocol in ("pri3d", "scannet"))
    np.testing.assert_allclose([released.miou, official.miou], [0.5, 1.0])
    np.testing.assert_array_equal(np.isnan(official.iou), [True, False, False, True, True])


def test_a_class_without_ground_truth_that_is_predicted_on_valid_pixels_scores_zero_for_scannet_too():
    official = score([1, 1, 2, 2], [1, 3, 2, 2], "scannet", classes=4)
    np.testing.assert_allclose(official.iou[1:], [0.5, 1.0, 0.0])
    np.testing.assert_allclose(official.miou, 0.5)
    np.testing.assert_allclose(official.mean_accuracy, 0.75)


@pytest.mark.parametrize("protocol", ["pri3d", "scannet"])
def test_predictions_on_ignored_pixels_do_not_matter(protocol):
    result = score([0, 0, 0, 1, 2], [1, 2, 0, 1, 2], protocol, classes=3)
    np.testing.assert_allclose(result.miou, 1.0)


def test_nothing_labelled_is_nan_for_scannet_and_zero_for_pri3d():
    assert np.isnan(score([0, 0], [1, 2], "scannet").miou)
    assert score([0, 0], [1, 2], "pri3d").miou == 0.0


@settings(max_examples=60, deadline=None)
@given(pixels)
def test_scores_agree_with_loops_over_pixels(pairs):
    labels, predictions = (list(column) for column in zip(*pairs, strict=True))
    matrix = confusion(torch.tensor(labels), torch.tensor(predictions), CLASSES)
    assert matrix.tolist() == confusion_by_loops(labels, predictions, CLASSES)
    np.testing.assert_allclose(mean_iou(matrix, "pri3d").miou, pri3d_miou(labels, predictions, CLASSES), rtol=1e-12)
    np.testing.assert_allclose(mean_iou(matrix, "scannet").miou, scannet_miou(labels, predictions, CLASSES), rtol=1e-12)


@pytest.mark.parametrize("protocol", ["pri3d", "scannet"])
def test_scores_agree_with_scikit_learn_where_every_class_is_present_and_nothing_is_ignored(protocol):
    random = np.random.default_rng(3)
    labels = np.concatenate([np.arange(1, CLASSES), random.integers(1, CLASSES, 500)])
    predictions = np.where(random.random(len(labels)) < 0.6, labels, random.integers(1, CLASSES, len(labels)))
    result = score(labels, predictions, protocol)
    wanted = jaccard_score(labels, predictions, labels=np.arange(1, CLASSES), average=None)
    np.testing.assert_allclose(result.iou[1:], wanted, rtol=1e-12)
    np.testing.assert_allclose(result.miou, wanted.mean(), rtol=1e-12)
    np.testing.assert_allclose(result.pixel_accuracy, accuracy_score(labels, predictions), rtol=1e-12)
    np.testing.assert_allclose(result.mean_accuracy, balanced_accuracy_score(labels, predictions), rtol=1e-12)


def test_scannet_agrees_with_scikit_learn_on_the_pixels_with_valid_ground_truth():
    random = np.random.default_rng(4)
    labels, predictions = random.integers(0, CLASSES, (2, 800))
    valid = labels > 0
    wanted = jaccard_score(labels[valid], predictions[valid], labels=np.arange(1, CLASSES), average="macro")
    np.testing.assert_allclose(score(labels, predictions, "scannet").miou, wanted, rtol=1e-12)


def test_confusions_of_batches_add_up_to_that_of_the_whole():
    labels, predictions = torch.randint(0, CLASSES, (2, 6, 10, 8), generator=torch.Generator().manual_seed(0))
    parts = sum(confusion(labels[i : i + 2], predictions[i : i + 2], CLASSES) for i in range(0, 6, 2))
    torch.testing.assert_close(parts, confusion(labels, predictions, CLASSES), rtol=0, atol=0)


def test_a_confusion_summed_in_float64_scores_the_same():
    labels, predictions = torch.randint(0, CLASSES, (2, 300), generator=torch.Generator().manual_seed(1))
    matrix = confusion(labels, predictions.to(torch.uint8), CLASSES)
    assert mean_iou(matrix.double(), "pri3d").miou == mean_iou(matrix, "pri3d").miou


def test_no_pixels_give_an_empty_confusion():
    empty = torch.zeros(0, dtype=torch.int64)
    assert confusion(empty, empty, 3).tolist() == [[0] * 3] * 3


def test_an_id_that_does_not_exist_is_refused():
    with pytest.raises(UserError, match="label ids span 1 to 255"):
        confusion(torch.tensor([1, 255]), torch.tensor([1, 1]), 21)
    with pytest.raises(UserError, match="prediction ids span -1 to 1"):
        confusion(torch.tensor([1, 1]), torch.tensor([1, -1]), 21)
    with pytest.raises(UserError, match="differ in shape"):
        confusion(torch.tensor([1, 1]), torch.tensor([1]), 21)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_confusion_on_the_gpu_equals_that_on_the_cpu():
    labels, predictions = torch.randint(0, CLASSES, (2, 4, 60, 80), generator=torch.Generator().manual_seed(2))
    matrix = confusion(labels.cuda(), predictions.cuda(), CLASSES)
    assert matrix.device.type == "cuda"
    torch.testing.assert_close(matrix.cpu(), confusion(labels, predictions, CLASSES), rtol=0, atol=0)

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sem3d.errors import UserError
from sem3d.evaluation import probes
from sem3d.evaluation.probes import linear_probe


def clusters(seed, pixels=240, classes=4, dim=5, spread=0.1):
    """Well-separated clouds for the classes 1.., uneven in scale and offset over the dimensions."""
    random = np.random.default_rng(seed)
    labels = random.integers(1, classes, pixels)
    centres = np.eye(classes, dim)
    scale = np.array([1.0, 50.0, 0.02, 3.0, 1.0])[:dim]
    features = (centres[labels] + spread * random.normal(size=(pixels, dim))) * scale
    return features.astype(np.float32), labels


@pytest.mark.parametrize("protocol", ["pri3d", "scannet"])
def test_separable_features_are_read_off_without_a_mistake(protocol):
    random = np.random.default_rng(0)
    train_labels, test_labels = random.integers(1, 4, (2, 200))
    train, test = (np.eye(4)[labels] + 0.05 * random.normal(size=(200, 4)) for labels in (train_labels, test_labels))
    result = linear_probe(train, train_labels, test, test_labels, classes=4, seed=0, protocol=protocol)
    assert result.score.miou == pytest.approx(1.0)
    assert result.converged
    assert result.missing == ()


def test_the_linear_probe_standardises_features_of_very_different_scale():
    train, train_labels = clusters(0)
    test, test_labels = clusters(1)
    assert linear_probe(train, train_labels, test, test_labels, classes=4, seed=0).score.pixel_accuracy > 0.99


def test_the_linear_probe_is_logistic_regression_on_standardised_features():
    train, train_labels = clusters(2, spread=0.7)
    test, test_labels = clusters(3, spread=0.7)
    mean, sd = train.mean(axis=0, dtype=np.float64), train.std(axis=0, dtype=np.float64)
    model = LogisticRegression(max_iter=500).fit((train - mean) / sd, train_labels)
    wanted = (model.predict((test - mean) / sd) == test_labels).mean()
    result = linear_probe(train, train_labels, test, test_labels, classes=4, seed=0)
    np.testing.assert_allclose(result.score.pixel_accuracy, wanted, atol=1.5 / len(test_labels))


def test_shuffled_training_labels_score_at_chance():
    train, train_labels = clusters(4, pixels=900)
    test, test_labels = clusters(5, pixels=900)
    shuffled = np.random.default_rng(6).permutation(train_labels)
    accuracy = linear_probe(train, shuffled, test, test_labels, classes=4, seed=0).score.pixel_accuracy
    assert 0.15 < accuracy < 0.52


def test_ignored_pixels_neither_train_nor_count():
    train, train_labels = clusters(7)
    test, test_labels = clusters(8)
    plain = linear_probe(train, train_labels, test, test_labels, classes=4, seed=0)
    junk = np.full((50, 5), 1e3, dtype=np.float32)
    nothing = np.zeros(50, dtype=np.int64)
    padded = linear_probe(
        np.concatenate([train, junk]),
        np.concatenate([train_labels, nothing]),
        np.concatenate([test, junk]),
        np.concatenate([test_labels, nothing]),
        classes=4,
        seed=0,
    )
    assert padded.train_pixels == plain.train_pixels == 240
    assert padded.confusion.tolist() == plain.confusion.tolist()


def test_a_class_missing_in_training_is_named_and_scores_zero():
    train, train_labels = clusters(9)
    test, test_labels = clusters(10)
    seen = train_labels != 2
    result = linear_probe(train[seen], train_labels[seen], test, test_labels, classes=4, seed=0)
    assert result.missing == (2,)
    assert result.score.iou[2] == 0.0
    assert result.score.iou[1] > 0.0


def test_a_single_training_class_predicts_that_class_everywhere():
    test, test_labels = clusters(11)
    result = linear_probe(test[:5], np.full(5, 3), test, test_labels, classes=4, seed=0)
    np.testing.assert_allclose(result.score.pixel_accuracy, (test_labels == 3).mean())
    assert result.missing == (1, 2)


def test_an_optimiser_that_stops_early_says_so_without_a_warning(monkeypatch):
    monkeypatch.setattr(probes, "MAX_ITERATIONS", 1)
    train, train_labels = clusters(12, spread=0.8)
    result = linear_probe(train, train_labels, train, train_labels, classes=4, seed=0)
    assert not result.converged
    assert result.score.pixel_accuracy > 0.2


def test_the_seed_decides_which_pixels_are_fitted():
    train, train_labels = clusters(13, spread=0.9)
    test, test_labels = clusters(14, spread=0.9)
    matrices = [
        linear_probe(train, train_labels, test, test_labels, classes=4, seed=seed, train_limit=30).confusion.tolist()
        for seed in (0, 0, 1)
    ]
    assert matrices[0] == matrices[1] != matrices[2]


def test_nothing_labelled_or_broken_features_are_refused():
    features, labels = clusters(15)
    with pytest.raises(UserError, match="no training pixel is labelled"):
        linear_probe(features, np.zeros_like(labels), features, labels, classes=4, seed=0)
    with pytest.raises(UserError, match="test features are not finite"):
        linear_probe(features, labels, features * np.nan, labels, classes=4, seed=0)

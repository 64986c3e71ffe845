"""The probe of frozen features: a linear classifier fitted to labelled pixels.

The doorway of scikit-learn. Class 0 is ignored in training and by the score.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64, Integer
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sem3d.errors import UserError
from sem3d.evaluation.segmentation import Protocol, SegmentationScore, confusion, mean_iou

MAX_ITERATIONS = 500


@dataclass(frozen=True)
class ProbeScore:
    """Score on the test pixels, and what limits it.

    ``converged`` is False if the optimiser stopped early, so the features may be better than the score says.
    ``missing`` names the classes that test pixels have and training pixels lack: they can only score 0.
    ``train_pixels`` counts the labelled pixels that were fitted.
    """

    score: SegmentationScore
    converged: bool
    missing: tuple[int, ...]
    train_pixels: int
    confusion: Int64[torch.Tensor, "class class"]


def linear_probe(
    train_features: Float[np.ndarray, "train_pixel dim"],
    train_labels: Integer[np.ndarray, "train_pixel"],
    test_features: Float[np.ndarray, "test_pixel dim"],
    test_labels: Integer[np.ndarray, "test_pixel"],
    *,
    classes: int,
    seed: int,
    train_limit: int = 20_000,
    protocol: Protocol = "scannet",
) -> ProbeScore:
    """Fit multinomial logistic regression (L2, C = 1) on features standardised by the training pixels.

    Of more than ``train_limit`` labelled training pixels, that many are drawn by ``seed``. ``classes`` counts class 0.
    Raises :class:`UserError` if no training pixel is labelled or a feature is not finite.
    """
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=MAX_ITERATIONS, random_state=seed))
    train = _labelled_subset(train_features, train_labels, train_limit, seed)
    return _probe(model, train, (test_features, test_labels), classes, protocol)


def _labelled_subset(features: np.ndarray, labels: np.ndarray, limit: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    if not np.isfinite(features).all():
        raise UserError("training features are not finite: use a checkpoint from before the divergence")
    labelled = np.flatnonzero(labels)
    if len(labelled) == 0:
        raise UserError("no training pixel is labelled, so there is nothing to probe: choose a larger label budget")
    if len(labelled) > limit:
        labelled = np.sort(np.random.default_rng(seed).choice(labelled, limit, replace=False))
    return features[labelled], labels[labelled]


def _probe(
    model: Pipeline,
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    classes: int,
    protocol: Protocol,
) -> ProbeScore:
    labelled = test[1] > 0
    features, labels = test[0][labelled], test[1][labelled]
    if not np.isfinite(features).all():
        raise UserError("test features are not finite: use a checkpoint from before the divergence")
    known = np.unique(train[1])
    converged = True
    if len(known) == 1 or len(labels) == 0:
        predictions = np.full(len(labels), known[0])
    else:
        converged = _fit(model, *train)
        predictions = model.predict(features)
    matrix = confusion(
        torch.from_numpy(labels.astype(np.int64)), torch.from_numpy(predictions.astype(np.int64)), classes
    )
    return ProbeScore(
        score=mean_iou(matrix, protocol),
        converged=converged,
        missing=tuple(int(label) for label in np.setdiff1d(labels, known)),
        train_pixels=len(train[1]),
        confusion=matrix,
    )


def _fit(model: Pipeline, features: np.ndarray, labels: np.ndarray) -> bool:
    """Fit, and return whether the optimiser converged; other warnings pass on."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(features, labels)
    for warning in caught:
        if not issubclass(warning.category, ConvergenceWarning):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)

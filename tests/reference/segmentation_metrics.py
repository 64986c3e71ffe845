"""Segmentation scores by plain loops over pixels and classes, one function a protocol."""

import math


def confusion_by_loops(labels: list[int], predictions: list[int], classes: int) -> list[list[int]]:
    matrix = [[0] * classes for _ in range(classes)]
    for label, prediction in zip(labels, predictions, strict=True):
        matrix[label][prediction] += 1
    return matrix


def pri3d_miou(labels: list[int], predictions: list[int], classes: int) -> float:
    """Only pixels whose label and prediction are both valid exist; every class counts."""
    ious = []
    for wanted in range(1, classes):
        hit = miss = false = 0
        for label, prediction in zip(labels, predictions, strict=True):
            if label == 0 or prediction == 0:
                continue
            hit += label == wanted and prediction == wanted
            miss += label == wanted and prediction != wanted
            false += label != wanted and prediction == wanted
        ious.append(hit / (hit + miss + false + 1e-15))
    return sum(ious) / len(ious)


def scannet_miou(labels: list[int], predictions: list[int], classes: int) -> float:
    """Pixels with ignored ground truth do not exist; a class that nothing touches is left out."""
    ious = []
    for wanted in range(1, classes):
        hit = miss = false = 0
        for label, prediction in zip(labels, predictions, strict=True):
            if label == 0:
                continue
            hit += label == wanted and prediction == wanted
            miss += label == wanted and prediction != wanted
            false += label != wanted and prediction == wanted
        if hit + miss + false > 0:
            ious.append(hit / (hit + miss + false))
    return sum(ious) / len(ious) if ious else math.nan

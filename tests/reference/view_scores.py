"""Scores of views by loops over pictures, classes, windows and pixels."""

import math

import numpy as np


def class_ious(prediction: np.ndarray, label: np.ndarray, classes: int) -> dict[int, tuple[int, int]]:
    """Intersection and union of each class by walking the pixels of one picture; unknown pixels are skipped."""
    found = {number: [0, 0] for number in range(classes)}
    for said, true in zip(prediction.ravel().tolist(), label.ravel().tolist(), strict=True):
        if true < 0:
            continue
        for number in {said, true}:
            found[number][1] += 1
        if said == true:
            found[said][0] += 1
    return {number: (both, either) for number, (both, either) in found.items()}


def miou(predictions: np.ndarray, labels: np.ndarray, classes: int) -> float:
    """Mean over pictures of the mean IoU over the classes in truth or prediction."""
    scores = []
    for prediction, label in zip(predictions, labels, strict=True):
        seen = [both / either for both, either in class_ious(prediction, label, classes).values() if either]
        if seen:
            scores.append(sum(seen) / len(seen))
    return sum(scores) / len(scores)


def shape_miou(predictions: np.ndarray, labels: np.ndarray, classes: int) -> float:
    """Mean over classes of the IoU over all pictures together."""
    total = {number: [0, 0] for number in range(classes)}
    for prediction, label in zip(predictions, labels, strict=True):
        for number, (both, either) in class_ious(prediction, label, classes).items():
            total[number][0] += both
            total[number][1] += either
    seen = [both / either for both, either in total.values() if either]
    return sum(seen) / len(seen)


def psnr(found: np.ndarray, truth: np.ndarray) -> float:
    """One picture, squared errors added one by one."""
    errors = [(a - b) ** 2 for a, b in zip(found.ravel().tolist(), truth.ravel().tolist(), strict=True)]
    return -10 * math.log10(max(sum(errors) / len(errors), 1e-10))


def ssim(found: np.ndarray, truth: np.ndarray, window: int = 7) -> float:
    """One picture, window by window, with numpy's unbiased variances."""
    height, width, channels = found.shape
    values = []
    for channel in range(channels):
        for top in range(height - window + 1):
            for left in range(width - window + 1):
                part = np.s_[top : top + window, left : left + window, channel]
                x, y = found[part].ravel(), truth[part].ravel()
                cov = np.cov(x, y, ddof=1)
                alike = (2 * x.mean() * y.mean() + 1e-4) * (2 * cov[0, 1] + 9e-4)
                apart = (x.mean() ** 2 + y.mean() ** 2 + 1e-4) * (cov[0, 0] + cov[1, 1] + 9e-4)
                values.append(alike / apart)
    return float(np.mean(values))


def agreeing_labels(
    labels: np.ndarray, depth: np.ndarray, poses: np.ndarray, intrinsics: np.ndarray, tolerance: float
) -> tuple[int, int]:
    """Every pixel of every view, looked up in the next view."""
    agreeing = compared = 0
    views, height, width = labels.shape
    for here in range(views):
        there = (here + 1) % views
        if there == here:
            continue
        for row in range(height):
            for column in range(width):
                z = depth[here, row, column]
                if z <= 0:
                    continue
                ray = np.linalg.inv(intrinsics) @ [column + 0.5, row + 0.5, 1.0]
                world = poses[here] @ [*(ray * z), 1.0]
                camera = np.linalg.inv(poses[there]) @ world
                if camera[2] <= 0:
                    continue
                u, v, _ = intrinsics @ camera[:3] / camera[2]
                if not (0 <= u < width and 0 <= v < height):
                    continue
                met = depth[there, int(v), int(u)]
                if met <= 0 or abs(met - camera[2]) >= tolerance:
                    continue
                compared += 1
                agreeing += int(labels[here, row, column] == labels[there, int(v), int(u)])
    return agreeing, compared


def silhouette_iou(found: np.ndarray, truth: np.ndarray) -> float:
    """One picture: pixels where both opacities are above one half, by those where either is."""
    both = either = 0
    for ours, true in zip(found.ravel().tolist(), truth.ravel().tolist(), strict=True):
        both += ours > 0.5 and true > 0.5
        either += ours > 0.5 or true > 0.5
    return both / either if either else 1.0

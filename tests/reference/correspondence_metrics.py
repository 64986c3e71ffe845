"""Nearest-neighbour matching by loops over anchors and cells, in float64."""

import math

import numpy as np


def match_errors_by_loops(anchor_features, positive_features, anchor_cells, true_cells, pixel_stride) -> list[float]:
    """Error of each pair in full-resolution pixels."""
    _, height, width = positive_features.shape
    errors = []
    for (u, v), (true_u, true_v) in zip(anchor_cells, true_cells, strict=True):
        query = anchor_features[:, v, u].astype(np.float64)
        best, best_u, best_v = -math.inf, -1, -1
        for row in range(height):
            for column in range(width):
                key = positive_features[:, row, column].astype(np.float64)
                cosine = float(query @ key) / (math.sqrt(float(query @ query)) * math.sqrt(float(key @ key)))
                if cosine > best:
                    best, best_u, best_v = cosine, column, row
        centre = (pixel_stride - 1) / 2
        found = (pixel_stride * best_u + centre, pixel_stride * best_v + centre)
        truth = (pixel_stride * true_u + centre, pixel_stride * true_v + centre)
        errors.append(math.hypot(found[0] - truth[0], found[1] - truth[1]))
    return errors


def chance_rate_by_loops(true_cells, height, width, pixel_stride, threshold_px) -> float:
    right = 0
    for true_u, true_v in true_cells:
        for row in range(height):
            for column in range(width):
                right += pixel_stride * math.hypot(column - true_u, row - true_v) <= threshold_px
    return right / (height * width * len(true_cells))

"""Scores of keypoints by plain loops over keypoints, images, models and paths, in Python's floats."""

import itertools
import math


def distance_2d(found, true, scale) -> float:
    return math.sqrt(sum((scale[axis] * (found[axis] - true[axis])) ** 2 for axis in (0, 1)))


def is_correct(found, true, size, box, alpha: float, extent: str, aspect: str) -> bool:
    """DHPF's way where warped: the image becomes a square of side 240, and its box with it."""
    height, width = size
    scale = (1.0, 1.0) if aspect == "native" else (240 / width, 240 / height)
    sides = (width, height) if extent == "image" else (box[2] - box[0], box[3] - box[1])
    reach = max(sides[0] * scale[0], sides[1] * scale[1])
    if any(math.isnan(value) for value in found):
        return False
    return distance_2d(found, true, scale) <= alpha * reach


def pck(images, alpha: float, extent: str, aspect: str) -> tuple[float, float, float]:
    """Means over keypoints, over images, and over groups of images; images are (found, true, size, box, group)."""
    hits = total = 0
    by_image: list[tuple[str, float]] = []
    for found, true, size, box, group in images:
        own = 0
        for one, other in zip(found, true, strict=True):
            own += is_correct(one, other, size, box, alpha, extent, aspect)
        hits += own
        total += len(true)
        if len(true):
            by_image.append((group, own / len(true)))
    groups = {group for group, _ in by_image}
    means = []
    for group in groups:
        shares = [share for name, share in by_image if name == group]
        means.append(sum(shares) / len(shares))
    return hits / total, sum(share for _, share in by_image) / len(by_image), sum(means) / len(means)


def iou(models, threshold: float) -> float:
    """Intersection over union of one class; a model is a table, a row for each predicted keypoint, and counts."""
    hit = total = false = 0
    for table, predicted, true in models:
        for column in range(true):
            total += 1
            hit += any(table[row][column] <= threshold for row in range(predicted))
        for row in range(predicted):
            false += not any(table[row][column] <= threshold for column in range(true))
    return hit / (total + false)


def most_pairs(table, predicted: int, true: int, threshold: float) -> int:
    """The largest number of pairs within the threshold, each keypoint in one: all ways are tried."""
    fewer, more = min(predicted, true), max(predicted, true)
    best = 0
    for chosen in itertools.permutations(range(more), fewer):
        count = 0
        for one, other in enumerate(chosen):
            distance = table[one][other] if predicted <= true else table[other][one]
            count += distance <= threshold
        best = max(best, count)
    return best


def geodesic_pck(models, threshold: float) -> tuple[float, float]:
    """Means over models and over keypoints; a model is a list of turns, each a list of distances."""
    shares, hits, total = [], 0, 0
    for turns in models:
        best = min(turns, key=lambda turn: sum(turn) / len(turn))
        own = sum(distance < threshold for distance in best)
        shares.append(own / len(best))
        hits += own
        total += len(best)
    return sum(shares) / len(shares), hits / total


def shortest_paths(points, neighbours: int) -> list[list[float]]:
    """Floyd and Warshall on the graph of nearest neighbours, whose edges go either way."""
    count = len(points)
    away = [[math.dist(one, other) for other in points] for one in points]
    paths = [[0.0 if row == column else math.inf for column in range(count)] for row in range(count)]
    for row in range(count):
        others = sorted((column for column in range(count) if column != row), key=lambda column: away[row][column])
        for column in others[:neighbours]:
            paths[row][column] = paths[column][row] = away[row][column]
    for between in range(count):
        for row in range(count):
            for column in range(count):
                paths[row][column] = min(paths[row][column], paths[row][between] + paths[between][column])
    return paths

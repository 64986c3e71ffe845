"""VoteNet's losses, groups and boxes, one number at a time, for one item; lists of floats in, floats out."""

import math

Point = list[float]


def distance(first: Point, second: Point) -> float:
    return math.dist(first, second)


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def cross_entropy(scores: list[float], wanted: int) -> float:
    highest = max(scores)
    return math.log(sum(math.exp(score - highest) for score in scores)) + highest - scores[wanted]


def huber(error: float) -> float:
    return 0.5 * error**2 if abs(error) < 1 else abs(error) - 0.5


def vote_costs(votes: list[Point], targets: list[list[Point]]) -> list[float]:
    """Distance along the axes to the nearest target of each vote that has any."""
    return [
        min(sum(abs(a - b) for a, b in zip(vote, target, strict=True)) for target in own)
        for vote, own in zip(votes, targets, strict=True)
        if own
    ]


def nearest(point: Point, others: list[Point]) -> tuple[float, int]:
    if not others:
        return math.inf, 0
    best = min(range(len(others)), key=lambda number: distance(point, others[number]))
    return distance(point, others[best]), best


def objectness_costs(base: list[Point], scores: list[list[float]], centers: list[Point]) -> list[float]:
    costs = []
    for place, score in zip(base, scores, strict=True):
        apart, _ = nearest(place, centers)
        if apart < 0.3:
            costs.append(0.8 * cross_entropy(score, 1))
        elif apart > 0.6:
            costs.append(0.2 * cross_entropy(score, 0))
    return costs


def on_objects(base: list[Point], centers: list[Point]) -> list[tuple[int, int]]:
    """Number of each proposal on an object, and of that object."""
    found = [(number, *nearest(place, centers)) for number, place in enumerate(base)]
    return [(number, object_) for number, apart, object_ in found if apart < 0.3]


def center_costs(base: list[Point], proposed: list[Point], centers: list[Point]) -> tuple[list[float], list[float]]:
    return (
        [nearest(proposed[number], centers)[0] ** 2 for number, _ in on_objects(base, centers)],
        [nearest(center, proposed)[0] ** 2 for center in centers],
    )


def heading_target(heading: float, bins: int) -> tuple[int, float]:
    """Nearest middle of a bin on the circle, and the way there as a share of half a bin."""
    width = 2 * math.pi / bins
    away = [math.remainder(heading - number * width, 2 * math.pi) for number in range(bins)]
    best = min(range(bins), key=lambda number: abs(away[number]))
    return best, away[best] / (width / 2)


def box(center: Point, bins: list[float], headings: list[float], classes: list[float], sizes: list[Point], means):
    """Box of one proposal."""
    chosen, named = bins.index(max(bins)), classes.index(max(classes))
    width = 2 * math.pi / len(bins)
    turn = chosen * width + headings[chosen] * width / 2 if len(bins) > 1 else 0.0
    size = [max(0.0, usual + share * usual) for usual, share in zip(means[named], sizes[named], strict=True)]
    return [*center, *size, turn]


def farthest(points: list[Point], count: int) -> list[int]:
    chosen = [0]
    while len(chosen) < count:
        reach = [min(distance(point, points[number]) for number in chosen) for point in points]
        chosen.append(reach.index(max(reach)))
    return chosen


def within(points: list[Point], center: Point, radius: float, count: int) -> list[int]:
    near = [number for number, point in enumerate(points) if distance(point, center) < radius][:count]
    return near + [near[0]] * (min(count, len(points)) - len(near))

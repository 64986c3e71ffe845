"""Overlap of upright boxes and average precision, one number at a time.

The shared ground is the convex polygon of the corners of each that lie in the other and of the places where sides cross: another
way than cutting one by the sides of the other.
"""

import math

Point = tuple[float, float]


def corners(box: list[float]) -> list[Point]:
    x, y, _, width, depth, _, turn = box
    found = []
    for right, up in ((1, 1), (-1, 1), (-1, -1), (1, -1)):
        a, b = right * width / 2, up * depth / 2
        found.append((x + math.cos(turn) * a - math.sin(turn) * b, y + math.sin(turn) * a + math.cos(turn) * b))
    return found


def cross(origin: Point, first: Point, second: Point) -> float:
    return (first[0] - origin[0]) * (second[1] - origin[1]) - (first[1] - origin[1]) * (second[0] - origin[0])


def holds(polygon: list[Point], point: Point) -> bool:
    sides = zip(polygon, polygon[1:] + polygon[:1], strict=True)
    return all(cross(start, end, point) >= -1e-12 for start, end in sides)


def crossing(a: Point, b: Point, c: Point, d: Point) -> Point | None:
    first, second = cross(a, b, c), cross(a, b, d)
    third, fourth = cross(c, d, a), cross(c, d, b)
    if first * second >= 0 or third * fourth >= 0:
        return None
    share = third / (third - fourth)
    return a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])


def shared_ground(first: list[float], second: list[float]) -> float:
    one, other = corners(first), corners(second)
    found = [point for point in one if holds(other, point)] + [point for point in other if holds(one, point)]
    for a, b in zip(one, one[1:] + one[:1], strict=True):
        for c, d in zip(other, other[1:] + other[:1], strict=True):
            place = crossing(a, b, c, d)
            found += [place] if place else []
    if len(found) < 3:
        return 0.0
    middle = (sum(x for x, _ in found) / len(found), sum(y for _, y in found) / len(found))
    found.sort(key=lambda point: math.atan2(point[1] - middle[1], point[0] - middle[0]))
    return sum(cross(middle, a, b) for a, b in zip(found, found[1:] + found[:1], strict=True)) / 2


def iou(first: list[float], second: list[float]) -> float:
    bottom = max(first[2] - first[5] / 2, second[2] - second[5] / 2)
    top = min(first[2] + first[5] / 2, second[2] + second[5] / 2)
    shared = max(top - bottom, 0.0) * shared_ground(first, second)
    union = math.prod(first[3:6]) + math.prod(second[3:6]) - shared
    return shared / union if union > 0 else 0.0


def average_precision(answers: list[tuple[float, int, list[float]]], objects: dict[int, list[list[float]]], threshold):
    """Area under precision by recall of one class: ``answers`` are (score, scene, box), ``objects`` the boxes of each scene."""
    total = sum(len(boxes) for boxes in objects.values())
    taken: set[tuple[int, int]] = set()
    points = []
    right = 0
    for number, (_, scene, box) in enumerate(sorted(answers, key=lambda answer: -answer[0]), start=1):
        best, at = -math.inf, -1
        for place, one in enumerate(objects.get(scene, [])):
            if (overlap := iou(box, one)) > best:
                best, at = overlap, place
        if best > threshold and (scene, at) not in taken:
            taken.add((scene, at))
            right += 1
        points.append((right / total, right / number))
    area, before = 0.0, 0.0
    for place, (recall, _) in enumerate(points):
        area += (recall - before) * max(precision for _, precision in points[place:])
        before = recall
    return area, before

"""Storage of tables and desks: shelves, chests of drawers under the top or down to the floor, a hutch on the top."""

import itertools

import numpy as np

from sem3d.worlds.grammar.sketch import SIDES, Mark, Part
from sem3d.worlds.grammar.table_bases import feet
from sem3d.worlds.grammar.table_measures import Look, Measures
from sem3d.worlds.solids import Point, box_between, rounded_box


def chest(rng: np.random.Generator, low: Point, high: Point, look: Look) -> list[Part]:
    """Draw a box between two corners with drawers and handles on its front."""
    count, gap = max(1, round((high[2] - low[2]) / rng.uniform(0.15, 0.32))), 0.006
    parts = [Part(box_between(low, high), look.frame, "drawer")]
    levels = np.linspace(low[2] + gap, high[2] - gap, count + 1)
    for bottom, top in itertools.pairwise(levels):
        front = box_between((low[0] + gap, low[1] - 0.015, bottom + gap), (high[0] - gap, low[1], top - gap))
        handle = ((low[0] + high[0]) / 2, low[1] - 0.024, (bottom + top) / 2)
        parts.append(Part(front, look.frame, "drawer"))
        parts.append(Part(rounded_box((0.1, 0.02, 0.02), handle, 3.0, 2), look.handles, "drawer"))
    return parts


def under_top(rng: np.random.Generator, measures: Measures, look: Look) -> list[Part]:
    """Draw a shelf between the legs, a hanging chest on one side or both, a drawer in the middle, or nothing."""
    kind, x, y, height = rng.integers(5), measures.x, measures.y, measures.height - measures.thick
    if kind == 0:
        level = height * rng.uniform(0.2, 0.42)
        return [Part(box_between((-x, -y, level), (x, y, level + 0.02)), look.board, "shelf")]
    if kind == 1 and height > 0.55 and x > 0.35:
        inner, low = x * rng.uniform(0.3, 0.55), height - rng.choice([1, 2]) * 0.17
        sides = ((1,), (-1,), (1, -1))[rng.integers(3)]
        spans = [sorted((sign * (x - 0.05), sign * inner)) for sign in sides]
        return [part for left, right in spans for part in chest(rng, (left, -y, low), (right, y * 0.95, height), look)]
    if kind == 2 and x > 0.2:
        half = min(0.3, x * rng.uniform(0.5, 0.8))
        return chest(rng, (-half, -y, height - 0.11), (half, y * 0.9, height), look)
    return []


def desk_base(rng: np.random.Generator, measures: Measures, look: Look) -> tuple[list[Part], dict[str, Mark]]:
    """Draw chests that stand on the floor at one side or both, a wall at the other, and a closed back."""
    x, height, parts, marks = measures.width / 2 - 0.01, measures.height - measures.thick / 2, [], {}
    front, back = 0.04 - measures.depth / 2, measures.depth / 2 - 0.01
    modesty = box_between((-x, back - 0.02, height * rng.uniform(0.15, 0.5)), (x, back, height))
    parts.append(Part(modesty, look.frame, "leg"))
    drawers = ((True, False), (False, True), (True, True))[rng.integers(3)]
    for (side, sign), present in zip(SIDES, drawers, strict=True):
        inner = measures.width / 2 - rng.uniform(0.32, 0.42) if present else x - 0.04
        left, right = sorted((sign * inner, sign * x))
        low, high = (left, front, 0.0), (right, back, height)
        carrier, *drawn = chest(rng, low, high, look) if present else [Part(box_between(low, high), look.frame, "leg")]
        parts += [carrier, *drawn]
        marks |= feet(carrier.solid, side, sign)
    return parts, marks


def hutch(rng: np.random.Generator, measures: Measures, look: Look) -> list[Part]:
    """Draw shelves with a back that stand on the rear edge of a desk."""
    x, back, low = measures.width / 2 - 0.01, measures.depth / 2, measures.height
    front, high = back - 0.22, low + rng.uniform(0.3, 0.45)
    solids = [
        box_between((place - 0.01, front, low), (place + 0.01, back, high)) for place in (0.01 - x, 0.0, x - 0.01)
    ]
    solids.append(box_between((-x, back - 0.015, low), (x, back, high)))
    lid = Part(box_between((-x - 0.01, front, high), (x + 0.01, back, high + 0.025)), look.board, "shelf")
    return [*(Part(solid, look.frame, "shelf") for solid in solids), lid]

"""Bases under the top of a table: legs, pedestal, panels, trestle, A-frames, crossed bars, with the feet as keypoints."""

from collections.abc import Callable

import numpy as np

from sem3d.worlds.grammar.sketch import CORNERS, ENDS, SIDES, Limbs, Mark, farthest
from sem3d.worlds.grammar.table_measures import Measures
from sem3d.worlds.solids import Ring, Solid, box_between, loft, rod


def legs(rng: np.random.Generator, measures: Measures) -> Limbs:
    """Draw four legs near the corners: square, turned or splayed; with an apron or without."""
    kind, height = rng.integers(3), measures.under
    thick = rng.uniform(0.016, 0.018 + 0.07 * min(measures.x, measures.y))
    splay = rng.uniform(1.03, 1.15) if kind == 2 else 1.0
    x, y = measures.x - thick, measures.y - thick
    solids, marks = [], {}
    for corner, front, sign in CORNERS:
        px, py = sign * x, front * y
        foot = (px * splay, py * splay, 0.0)
        if kind == 0:
            leg = box_between((px - thick, py - thick, 0), (px + thick, py + thick, height))
        else:
            leg = rod(foot, (px, py, height), thick * 0.55, thick)
        solids.append(leg)
        marks[f"foot_{corner}"] = Mark(leg, foot)
    if rng.random() < 0.5:
        low = height - rng.uniform(0.05, 0.1)
        solids += [box_between((-x, front * y - 0.01, low), (x, front * y + 0.01, height)) for front in (-1, 1)]
        solids += [box_between((sign * x - 0.01, -y, low), (sign * x + 0.01, y, height)) for sign in (-1, 1)]
    return solids, marks


def pedestal(rng: np.random.Generator, measures: Measures) -> Limbs:
    """Draw one column on a disc, a cone, or four spokes."""
    height, stem, kind = measures.under, rng.uniform(0.025, 0.07), rng.integers(3)
    wide = min(measures.x, measures.y) * rng.uniform(0.75, 1.1)
    profile = {
        0: [(wide, 0.0), (wide, 0.025), (stem, 0.05), (stem, height)],
        1: [(wide, 0.0), (stem * 1.6, height * 0.4), (stem * 1.3, height * 0.7), (wide * 0.6, height)],
        2: [(stem, 0.04), (stem * 1.3, height * 0.3), (stem, height)],
    }[int(kind)]
    column = loft([Ring(size, size, level) for size, level in profile])
    solids, marks = [column], {"base_center": Mark(column, (0, 0, profile[0][1]))}
    if kind == 2:
        for corner, front, sign in CORNERS:
            foot = (sign * wide * 0.75, front * wide * 0.75, 0.0)
            spoke = rod(foot, (0, 0, 0.14), 0.018, 0.03)
            solids.append(spoke)
            marks[f"foot_{corner}"] = Mark(spoke, foot)
    return solids, marks


def panels(rng: np.random.Generator, measures: Measures) -> Limbs:
    """Draw a wall at each end and, mostly, a modesty panel at the back or a stretcher in the middle."""
    thick, x, y, height = rng.uniform(0.015, 0.04), measures.x, measures.y, measures.under
    solids, marks = [], {}
    for side, sign in SIDES:
        wall = box_between((sign * (x - thick) - thick, -y, 0), (sign * (x - thick) + thick, y, height))
        solids.append(wall)
        marks |= feet(wall, side, sign)
    kind = rng.integers(4)
    if kind < 2:
        solids.append(box_between((-x, y - 0.05, height * rng.uniform(0.1, 0.6)), (x, y - 0.03, height)))
    elif kind == 2:
        solids.append(box_between((-x, -0.015, height * 0.3), (x, 0.015, height * 0.5)))
    return solids, marks


def trestle(rng: np.random.Generator, measures: Measures) -> Limbs:
    """Draw two T-shaped ends joined by a beam."""
    x, y, thick, height = measures.x * rng.uniform(0.65, 0.9), measures.y, rng.uniform(0.025, 0.045), measures.under
    solids, marks = [], {}
    for side, sign in SIDES:
        runner = box_between((sign * x - thick, -y * 0.9, 0), (sign * x + thick, y * 0.9, 0.05))
        solids += [runner, box_between((sign * x - thick, -2 * thick, 0.04), (sign * x + thick, 2 * thick, height))]
        marks |= feet(runner, side, sign)
    level = height * rng.uniform(0.3, 0.6)
    return [*solids, box_between((-x, -thick * 0.7, level - 0.04), (x, thick * 0.7, level + 0.04))], marks


def a_frames(rng: np.random.Generator, measures: Measures) -> Limbs:
    """Draw a pair of legs at each end that meet below the top, and a bar from pair to pair."""
    x, y, thick, height = measures.x * rng.uniform(0.75, 0.95), measures.y, rng.uniform(0.015, 0.03), measures.under
    solids, marks = [], {}
    for corner, front, sign in CORNERS:
        foot = (sign * x, front * y * 0.95, 0.0)
        solids.append(rod(foot, (sign * x, 0, height), thick))
        marks[f"foot_{corner}"] = Mark(solids[-1], foot)
    level = height - 0.07
    return [*solids, rod((-x, 0, level), (x, 0, level), thick)], marks


def crossed(rng: np.random.Generator, measures: Measures) -> Limbs:
    """Draw an X at each end and a bar between their crossings."""
    thick, x, y = rng.uniform(0.016, 0.03), measures.x * rng.uniform(0.75, 0.95), measures.y * 0.95
    solids, marks = [], {}
    for corner, front, sign in CORNERS:
        foot = (sign * x, front * y, 0.0)
        solids.append(rod(foot, (sign * x, -front * y, measures.under), thick))
        marks[f"foot_{corner}"] = Mark(solids[-1], foot)
    level = measures.under / 2
    return [*solids, rod((-x, 0, level), (x, 0, level), thick * 0.8)], marks


def feet(solid: Solid, side: str, sign: int) -> dict[str, Mark]:
    """Mark the outer lower corners of one side, front and back."""
    return {f"foot_{end}_{side}": farthest([solid], (sign, front, -1.0)) for end, front in ENDS}


BASES: dict[str, Callable[[np.random.Generator, Measures], Limbs]] = {
    "legs": legs,
    "pedestal": pedestal,
    "panels": panels,
    "trestle": trestle,
    "a_frames": a_frames,
    "crossed": crossed,
}

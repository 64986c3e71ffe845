"""Bases under the seat of a chair: four legs, sled, star, tulip, block, stubs; each gives its solids and their keypoints."""

from collections.abc import Callable

import numpy as np

from sem3d.worlds.grammar.chair_measures import Measures
from sem3d.worlds.grammar.sketch import CORNERS, ENDS, SIDES, Limbs, Mark
from sem3d.worlds.solids import Ring, box_between, loft, rod, rounded_box


def four_legs(rng: np.random.Generator, measures: Measures) -> Limbs:
    """Draw square, round or splayed legs, with stretchers or without."""
    kind, thick = rng.integers(3), rng.uniform(0.013, 0.028)
    splay, tip = rng.uniform(1.03, 1.25) if kind == 2 else 1.0, thick * rng.uniform(0.6, 1.0)
    x, y, height = measures.width / 2 - thick * 1.4, measures.depth / 2 - thick * 1.4, measures.under
    legs, marks = [], {}
    for corner, front, sign in CORNERS:
        foot = (sign * x * splay, front * y * splay, 0.0)
        if kind == 0:
            low, high = (sign * x - thick, front * y - thick, 0), (sign * x + thick, front * y + thick, height)
            legs.append(box_between(low, high))
        else:
            legs.append(rod(foot, (sign * x, front * y, height), tip, thick))
        marks[f"foot_{corner}"] = Mark(legs[-1], foot)
    if rng.random() < 0.4:
        level = height * rng.uniform(0.2, 0.6)
        reach = 1.0 + (splay - 1.0) * (1.0 - level / height)
        x, y = reach * x, reach * y
        legs += [rod((sign * x, -y, level), (sign * x, y, level), thick * 0.6, sections=6) for sign in (-1, 1)]
        legs.append(rod((-x, 0, level), (x, 0, level), thick * 0.6, sections=6))
    return legs, marks


def sled(rng: np.random.Generator, measures: Measures) -> Limbs:
    """Draw two runners, each on one or two posts; with posts in front only, the chair swings free."""
    thick, free = rng.uniform(0.012, 0.02), rng.random() < 0.5
    x, y, height = measures.width / 2 - thick, measures.depth / 2 - thick, measures.under
    legs, marks = [], {}
    for side, sign in SIDES:
        runner = rod((sign * x, -y, thick), (sign * x, y, thick), thick)
        legs.append(runner)
        for place in (-y,) if free else (-y, y):
            legs.append(rod((sign * x, place, thick), (sign * x, place, height), thick))
        if free:
            legs.append(rod((sign * x, -y, height), (sign * x, y, height), thick))
        marks |= {f"foot_{end}_{side}": Mark(runner, (sign * x, front * y, 0)) for end, front in ENDS}
    return [*legs, rod((-x, y, thick), (x, y, thick), thick)], marks


def star(rng: np.random.Generator, measures: Measures) -> Limbs:
    """Draw a column on five spokes with casters; the first spoke points forward or back."""
    reach, thick = rng.uniform(0.25, 0.33), rng.uniform(0.018, 0.028)
    column = rod((0, 0, 0.07), (0, 0, measures.under), thick * 1.3)
    legs, marks = [column], {"base_center": Mark(column, (0, 0, 0.07))}
    angles = np.arange(5) * 2 * np.pi / 5 + np.pi / 2 * (1 if rng.random() < 0.5 else -1)
    for number, angle in enumerate(angles):
        x, y = reach * np.cos(angle), reach * np.sin(angle)
        caster = rounded_box((0.055, 0.055, 0.06), (x, y, 0.03), 2.5, 2)
        legs += [rod((0, 0, 0.11), (x, y, 0.07), thick, thick * 0.6, 6), caster]
        marks[f"star_foot_{number}"] = Mark(caster, (x, y, 0.0))
    return legs, marks


def pedestal(rng: np.random.Generator, measures: Measures) -> Limbs:
    """Draw a tulip: a disc that rises into a stem."""
    radius, stem = measures.width * rng.uniform(0.42, 0.52), rng.uniform(0.02, 0.045)
    rings = [(radius, 0.0), (radius, 0.015), (stem * 1.3, 0.06), (stem, measures.under * 0.6)]
    foot = loft([Ring(size, size, level) for size, level in [*rings, (stem * 1.6, measures.under)]])
    return [foot], {"base_center": Mark(foot, (0, 0, 0))}


def block(rng: np.random.Generator, measures: Measures) -> Limbs:
    """Draw a plinth nearly as wide as the seat, on stubby feet or on the floor."""
    inset, lift = rng.uniform(0.0, 0.03), rng.uniform(0.05, 0.12) if rng.random() < 0.6 else 0.0
    x, y = measures.width / 2 - inset, measures.depth / 2 - inset
    plinth = box_between((-x, -y, lift), (x, y, measures.under))
    if lift:
        legs, marks = stubby_feet(x, y, lift)
        return [plinth, *legs], marks
    return [plinth], {f"foot_{corner}": Mark(plinth, (sign * x, front * y, 0)) for corner, front, sign in CORNERS}


def stubs(rng: np.random.Generator, measures: Measures) -> Limbs:
    """Draw a low rail under a thick seat on short legs."""
    x, y, lift = measures.width / 2 - 0.01, measures.depth / 2 - 0.01, measures.under - rng.uniform(0.05, 0.09)
    legs, marks = stubby_feet(x, y, lift)
    return [box_between((-x, -y, lift), (x, y, measures.under)), *legs], marks


def stubby_feet(x: float, y: float, height: float) -> Limbs:
    """Make four short round feet below the rectangle [-x, x] x [-y, y]."""
    legs, marks = [], {}
    for corner, front, sign in CORNERS:
        foot = (sign * (x - 0.04), front * (y - 0.04), 0.0)
        legs.append(rod(foot, (*foot[:2], height + 0.01), 0.018, 0.028))
        marks[f"foot_{corner}"] = Mark(legs[-1], foot)
    return legs, marks


BASES: dict[str, Callable[[np.random.Generator, Measures], Limbs]] = {
    "legs": four_legs,
    "sled": sled,
    "star": star,
    "pedestal": pedestal,
    "block": block,
    "stubs": stubs,
}

"""Tables: a slab of several outlines on legs, panels, a pedestal, a trestle or crossed bars, with shelf or drawers or none."""

import numpy as np

from sem3d.worlds.shapes.colors import finish, metal
from sem3d.worlds.shapes.shape import Mark, NamedPart, Sketch, farthest
from sem3d.worlds.solids import Ring, Solid, box_between, loft, rod

PARTS = ("top", "leg", "shelf", "drawer")
SIDES = (("left", 1), ("right", -1))
CORNERS = tuple((f"{end}_{side}", front, sign) for end, front in (("front", -1), ("back", 1)) for side, sign in SIDES)
KEYPOINTS = (
    "top_center",
    *(f"top_{corner}" for corner, _, _ in CORNERS),
    *(f"top_rim_{where}" for where in ("front", "back", "left", "right")),
    *(f"foot_{corner}" for corner, _, _ in CORNERS),
    "base_center",
)
"""Angular tops have corners, round and oval ones four rim points."""


def table(rng: np.random.Generator) -> Sketch:
    """A dining, coffee, side table or desk."""
    height = rng.uniform(0.32, 0.5) if rng.random() < 0.3 else rng.uniform(0.6, 0.95)
    width, depth = rng.uniform(0.7, 2.0), rng.uniform(0.5, 0.95)
    rounded, thick = rng.random() < 0.35, rng.uniform(0.02, 0.08)
    if rounded and rng.random() < 0.6:
        depth = width = rng.uniform(0.55, 1.2)
    finish_of_top = finish(rng)
    finish_of_legs = finish_of_top if rng.random() < 0.5 else metal(rng)
    exponent = rng.uniform(2.0, 2.6) if rounded else 60.0
    if rounded:
        rings = [Ring(width / 2, depth / 2, level, exponent) for level in (height - thick, height)]
        top = loft(rings, sections=28)
        marks = {
            f"top_rim_{where}": farthest([top], (*direction, 0.3))
            for where, direction in (("front", (0, -1)), ("back", (0, 1)), ("left", (1, 0)), ("right", (-1, 0)))
        }
    else:
        top = box_between((-width / 2, -depth / 2, height - thick), (width / 2, depth / 2, height))
        marks = {f"top_{corner}": farthest([top], (sign, front, 1.0)) for corner, front, sign in CORNERS}
    marks["top_center"] = Mark(top, (0, 0, height))
    parts = [NamedPart("top", top, finish_of_top)]
    reach = 0.33 if rounded else 0.47
    base = ["legs", "legs", "pedestal", "panels", "trestle", "crossed"][rng.integers(6)]
    if rounded and base in ("panels", "trestle"):
        base = "pedestal"
    legs, feet = BASES[base](rng, width * reach, depth * reach, height - thick / 2)
    parts += [NamedPart("leg", leg, finish_of_legs) for leg in legs]
    if base in ("legs", "panels"):
        extra, names = storage(rng, width * reach, depth * reach, height - thick)
        parts += [NamedPart(name, solid, finish_of_top) for name, solid in zip(names, extra, strict=True)]
    return Sketch(parts, marks | feet)


def legs(rng: np.random.Generator, x: float, y: float, height: float) -> tuple[list[Solid], dict[str, Mark]]:
    """Four legs near the corners (x, y): square, turned or splayed; with an apron or without."""
    kind, thick = rng.integers(3), rng.uniform(0.018, 0.05)
    splay = rng.uniform(1.03, 1.15) if kind == 2 else 1.0
    x, y = x - thick, y - thick
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
        low = height - rng.uniform(0.05, 0.12)
        solids += [box_between((-x, front * y - 0.01, low), (x, front * y + 0.01, height)) for front in (-1, 1)]
        solids += [box_between((sign * x - 0.01, -y, low), (sign * x + 0.01, y, height)) for sign in (-1, 1)]
    return solids, marks


def pedestal(rng: np.random.Generator, x: float, y: float, height: float) -> tuple[list[Solid], dict[str, Mark]]:
    """One column on a disc, a cone, or four spokes."""
    wide, stem = min(x, y) * rng.uniform(0.6, 1.1), rng.uniform(0.025, 0.08)
    kind = rng.integers(3)
    profile = {
        0: [(wide, 0.0), (wide, 0.03), (stem, 0.05), (stem, height)],
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


def panels(rng: np.random.Generator, x: float, y: float, height: float) -> tuple[list[Solid], dict[str, Mark]]:
    """A wall at each end, perhaps a modesty panel at the back."""
    thick = rng.uniform(0.015, 0.04)
    solids, marks = [], {}
    for side, sign in SIDES:
        wall = box_between((sign * (x - thick) - thick, -y, 0), (sign * (x - thick) + thick, y, height))
        solids.append(wall)
        marks |= {
            f"foot_{end}_{side}": farthest([wall], (sign, front, -1.0)) for end, front in (("front", -1), ("back", 1))
        }
    if rng.random() < 0.6:
        solids.append(box_between((-x, y - 0.05, height * rng.uniform(0.1, 0.6)), (x, y - 0.03, height)))
    return solids, marks


def trestle(rng: np.random.Generator, x: float, y: float, height: float) -> tuple[list[Solid], dict[str, Mark]]:
    """Two T-shaped ends joined by a beam."""
    x, thick = x * rng.uniform(0.6, 0.9), rng.uniform(0.025, 0.05)
    solids, marks = [], {}
    for side, sign in SIDES:
        runner = box_between((sign * x - thick, -y * 0.9, 0), (sign * x + thick, y * 0.9, 0.05))
        solids += [runner, box_between((sign * x - thick, -2 * thick, 0.04), (sign * x + thick, 2 * thick, height))]
        marks |= {
            f"foot_{end}_{side}": farthest([runner], (sign, front, -1.0)) for end, front in (("front", -1), ("back", 1))
        }
    level = height * rng.uniform(0.3, 0.6)
    return [*solids, box_between((-x, -thick * 0.7, level - 0.04), (x, thick * 0.7, level + 0.04))], marks


def crossed(rng: np.random.Generator, x: float, y: float, height: float) -> tuple[list[Solid], dict[str, Mark]]:
    """An X at each end and a bar between their crossings."""
    thick, x = rng.uniform(0.018, 0.035), x * rng.uniform(0.7, 0.95)
    solids, marks = [], {}
    for side, sign in SIDES:
        for end, front in (("front", -1), ("back", 1)):
            foot = (sign * x, front * y * 0.95, 0.0)
            leg = rod(foot, (sign * x, -front * y * 0.95, height), thick)
            solids.append(leg)
            marks[f"foot_{end}_{side}"] = Mark(leg, foot)
    return [*solids, rod((-x, 0, height / 2), (x, 0, height / 2), thick * 0.8)], marks


BASES = {"legs": legs, "pedestal": pedestal, "panels": panels, "trestle": trestle, "crossed": crossed}


def storage(rng: np.random.Generator, x: float, y: float, height: float) -> tuple[list[Solid], list[str]]:
    """A shelf between the legs, a chest of drawers on one or both sides, or nothing."""
    kind = rng.integers(4)
    if kind == 0:
        level = height * rng.uniform(0.2, 0.45)
        return [box_between((-x, -y, level), (x, y, level + 0.02))], ["shelf"]
    if kind == 1 and height > 0.55:
        wide = x * rng.uniform(0.4, 0.7)
        low = height * rng.uniform(0.1, 0.65)
        sides = [(1,), (-1,), (1, -1)][rng.integers(3)]
        chests = [
            box_between(
                (min(sign * x, sign * (x - wide)), -y * 0.95, low), (max(sign * x, sign * (x - wide)), y * 0.95, height)
            )
            for sign in sides
        ]
        return chests, ["drawer"] * len(chests)
    return [], []

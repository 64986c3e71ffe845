"""Backs of chairs: slab, shell, slats, rungs, splat, pad, yoke, stalk, cushion and tub. A back leans a little."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from sem3d.worlds.grammar.chair_measures import Measures
from sem3d.worlds.grammar.sketch import SIDES, Mark, farthest, mirrored
from sem3d.worlds.solids import Solid, bent_panel, box, box_between, moved, rounded_box, turned


@dataclass(frozen=True)
class Back:
    """Bars are of the frame's material, panels of the seat's; a back that runs round the sitter brings its own arms."""

    bars: list[Solid] = field(default_factory=list)
    panels: list[Solid] = field(default_factory=list)
    arms: list[Solid] = field(default_factory=list)
    arm_ends: dict[str, Mark] = field(default_factory=dict)


def leaning(rng: np.random.Generator, measures: Measures, bars: list[Solid], panels: list[Solid]) -> Back:
    """Turn a back by a few degrees about the rear edge of the seat."""
    lean, hinge = rng.uniform(0.03, 0.24), (0, measures.depth / 2, measures.middle)
    bars, panels = ([turned(solid, 0, -lean, hinge) for solid in solids] for solids in (bars, panels))
    return Back(bars, panels)


@dataclass(frozen=True)
class Posts:
    """Two posts at the rear edge of the seat, and the plane between them."""

    x: float
    y: float
    thick: float
    solids: list[Solid]

    def rail(self, low: float, high: float, thick: float) -> Solid:
        """Make a bar from post to post between two heights."""
        return box_between((-self.x, self.y - thick, low), (self.x, self.y + thick, high))


def posts(rng: np.random.Generator, measures: Measures) -> Posts:
    """Draw the posts."""
    thick = rng.uniform(0.012, 0.02)
    x, y = measures.width / 2 - thick, measures.depth / 2 - 0.02
    low, high = (-thick, -thick, measures.middle), (thick, thick, measures.top)
    return Posts(x, y, thick, [moved(box_between(low, high), (sign * x, y, 0)) for sign in (-1, 1)])


def slab(rng: np.random.Generator, measures: Measures) -> Back:
    """Draw one board or pad from the seat upward."""
    deep, low, top = rng.uniform(0.03, 0.08), measures.middle, measures.top
    size = (measures.width * rng.uniform(0.8, 1.0), deep, top - low)
    middle, exponent = (0, measures.depth / 2 - deep / 2, (top + low) / 2), rng.uniform(4.0, 9.0)
    board = rounded_box(size, middle, exponent) if rng.random() < 0.6 else box(size, middle)
    return leaning(rng, measures, [], [board])


def shell(rng: np.random.Generator, measures: Measures) -> Back:
    """Draw a bent panel from the seat upward."""
    radius = measures.width * 0.55
    panel = bent_panel(radius, rng.uniform(1.6, 2.4), measures.middle, measures.top, rng.uniform(0.02, 0.04))
    return leaning(rng, measures, [], [moved(panel, (0, measures.depth / 2 - 0.02 - radius, 0))])


def slats(rng: np.random.Generator, measures: Measures) -> Back:
    """Draw upright bars between seat and top rail."""
    frame, rail, thin = posts(rng, measures), rng.uniform(0.04, 0.09), rng.uniform(0.008, 0.014)
    bars = [*frame.solids, frame.rail(measures.top - rail, measures.top, frame.thick * 0.8)]
    low, high = (-thin, -0.008, measures.middle), (thin, 0.008, measures.top - rail)
    for x in np.linspace(-frame.x, frame.x, int(rng.integers(4, 9)))[1:-1]:
        bars.append(moved(box_between(low, high), (x, frame.y, 0)))
    return leaning(rng, measures, bars, [])


def rungs(rng: np.random.Generator, measures: Measures) -> Back:
    """Draw two to four level boards between the posts."""
    frame, half = posts(rng, measures), rng.uniform(0.022, 0.036)
    levels = np.linspace(measures.seat + 0.14, measures.top - half, int(rng.integers(2, 5)))
    boards = [frame.rail(level - half, level + half, frame.thick * 0.6) for level in levels]
    return leaning(rng, measures, [*frame.solids, *boards], [])


def splat(rng: np.random.Generator, measures: Measures) -> Back:
    """Draw one broad upright board below a top rail."""
    frame, half, rail = posts(rng, measures), rng.uniform(0.05, 0.1), rng.uniform(0.04, 0.09)
    low, high = (-half, frame.y - 0.009, measures.middle), (half, frame.y + 0.009, measures.top - rail)
    bars = [*frame.solids, frame.rail(measures.top - rail, measures.top, frame.thick * 0.8), box_between(low, high)]
    return leaning(rng, measures, bars, [])


def pad(rng: np.random.Generator, measures: Measures) -> Back:
    """Draw a padded panel between the posts under a top rail."""
    frame, rail = posts(rng, measures), rng.uniform(0.02, 0.06)
    bars = [*frame.solids, frame.rail(measures.top - rail, measures.top, frame.thick * 0.8)]
    tall = (measures.top - measures.seat) * rng.uniform(0.4, 0.7)
    size, level = (2 * frame.x, 0.05, tall), measures.top - rail - tall / 2 + 0.01
    return leaning(rng, measures, bars, [rounded_box(size, (0, frame.y, level), 6.0)])


def yoke(rng: np.random.Generator, measures: Measures) -> Back:
    """Draw a bent panel at the upper ends of the posts."""
    frame, radius, tall = posts(rng, measures), measures.width * 0.6, rng.uniform(0.14, 0.28)
    arc = 2 * np.arcsin((frame.x + frame.thick) / (radius + 0.025))
    panel = bent_panel(radius, arc, measures.top - tall, measures.top, 0.025)
    sagitta = radius * (1 - np.cos(arc / 2))
    return leaning(rng, measures, frame.solids, [moved(panel, (0, frame.y - radius + sagitta, 0))])


def stalk(rng: np.random.Generator, measures: Measures) -> Back:
    """Draw a pad that a bracket holds above the seat, as office chairs have."""
    gap, deep = rng.uniform(0.05, 0.14), rng.uniform(0.05, 0.08)
    low, y = measures.seat + gap, measures.depth / 2
    size = (measures.width * rng.uniform(0.75, 1.0), deep, measures.top - low)
    cushion = rounded_box(size, (0, y, (measures.top + low) / 2), rng.uniform(3.0, 6.0))
    bracket = box_between((-0.03, y + deep / 2 - 0.03, measures.middle), (0.03, y + deep / 2 + 0.01, low + 0.2))
    foot = box_between((-0.03, y - 0.1, measures.middle - 0.02), (0.03, y + deep / 2 + 0.01, measures.middle))
    return leaning(rng, measures, [bracket, foot], [cushion])


def cushion(rng: np.random.Generator, measures: Measures) -> Back:
    """Draw a thick upholstered block."""
    deep, low = rng.uniform(0.12, 0.2), measures.under - 0.03
    size = (measures.width + 0.02, deep, measures.top - low)
    middle = (0, measures.depth / 2 - deep / 2 + 0.03, (measures.top + low) / 2)
    return leaning(rng, measures, [], [rounded_box(size, middle, rng.uniform(5.0, 9.0))])


def tub(rng: np.random.Generator, measures: Measures) -> Back:
    """Draw a back and two lower arms that bend round the seat."""
    radius, thick, low = measures.width / 2 - 0.02, rng.uniform(0.07, 0.1), measures.under - 0.06
    half, arc = rng.uniform(0.75, 1.0), rng.uniform(0.9, 1.2)
    center = (0, measures.depth / 2 - radius - thick + 0.04, 0)
    high = min(measures.top, measures.seat + 0.5)
    back = moved(bent_panel(radius, 2 * half, low, high, thick), center)
    drop = rng.uniform(0.0, 0.6) * (high - measures.seat - 0.16)
    arm = bent_panel(radius, arc, low, high - drop, thick)
    left = moved(turned(arm, 2, -(half + arc / 2)), center)
    arms = [left, mirrored(left)]
    ends = {
        f"arm_front_{side}": farthest([solid], (0.2 * sign, -1.0, 0.8))
        for (side, sign), solid in zip(SIDES, arms, strict=True)
    }
    return Back(panels=[back], arms=arms, arm_ends=ends)


BACKS: dict[str, Callable[[np.random.Generator, Measures], Back]] = {
    "slab": slab,
    "shell": shell,
    "slats": slats,
    "rungs": rungs,
    "splat": splat,
    "pad": pad,
    "yoke": yoke,
    "stalk": stalk,
    "cushion": cushion,
    "tub": tub,
}

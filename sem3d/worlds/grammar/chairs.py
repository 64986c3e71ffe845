"""Chairs in metres: dining, office and easy chairs of one grammar, a seat on a base with a back, with arms or without."""

from dataclasses import dataclass

import numpy as np

from sem3d.worlds.grammar.chair_backs import BACKS
from sem3d.worlds.grammar.chair_bases import BASES
from sem3d.worlds.grammar.chair_measures import Measures
from sem3d.worlds.grammar.finishes import cloth, hard_finish, metal, paint
from sem3d.worlds.grammar.sketch import CORNERS, SIDES, Limbs, Part, Sketch, Vocabulary, farthest
from sem3d.worlds.solids import Solid, box, box_between, rod, rounded_box
from sem3d.worlds.textures import Material

CHAIR = Vocabulary(
    parts=("back", "seat", "leg", "arm"),
    keypoints=(
        *(f"back_top_{side}" for side, _ in SIDES),
        *(f"seat_{corner}" for corner, _, _ in CORNERS),
        *(f"foot_{corner}" for corner, _, _ in CORNERS),
        *(f"arm_front_{side}" for side, _ in SIDES),
        "base_center",
        *(f"star_foot_{number}" for number in range(5)),
    ),
)
"""Legged chairs have four feet, sled and block chairs the corners of their base; a swivel chair has base and star."""
METAL_BASES = ("star", "sled")


@dataclass(frozen=True, kw_only=True)
class Style:
    """Ranges in metres and choices of one kind of chair; a choice that is named twice is drawn twice as often."""

    width: tuple[float, float]
    depth: tuple[float, float]
    """Of the seat."""
    seat: tuple[float, float]
    """Height of the seat's upper face."""
    top: tuple[float, float]
    """Height of the back's upper edge."""
    thick: tuple[float, float]
    """Of the seat."""
    bases: tuple[str, ...]
    backs: tuple[str, ...]
    upholstered: float
    """Share of chairs whose seat is of cloth."""
    arms: float
    """Share of chairs with arms."""
    heavy: bool = False
    """Arms are walls of the seat's material, not bars."""


STYLES = {
    "dining": Style(
        width=(0.38, 0.52),
        depth=(0.38, 0.48),
        seat=(0.42, 0.49),
        top=(0.75, 1.1),
        thick=(0.025, 0.07),
        bases=("legs", "legs", "legs", "legs", "sled", "pedestal", "block"),
        backs=("slab", "shell", "slats", "rungs", "splat", "pad", "yoke"),
        upholstered=0.5,
        arms=0.35,
    ),
    "office": Style(
        width=(0.44, 0.54),
        depth=(0.44, 0.52),
        seat=(0.44, 0.54),
        top=(0.85, 1.2),
        thick=(0.05, 0.1),
        bases=("star",),
        backs=("stalk", "stalk", "slab", "shell", "pad", "rungs"),
        upholstered=0.8,
        arms=0.6,
    ),
    "easy": Style(
        width=(0.48, 0.6),
        depth=(0.52, 0.64),
        seat=(0.38, 0.46),
        top=(0.85, 1.1),
        thick=(0.14, 0.22),
        bases=("block", "block", "stubs", "legs", "pedestal"),
        backs=("cushion", "cushion", "tub"),
        upholstered=0.9,
        arms=0.85,
        heavy=True,
    ),
}


@dataclass(frozen=True)
class Look:
    """Materials of one chair."""

    frame: Material
    soft: Material
    """Of the seat and of what else one leans on."""
    base: Material


def chair(rng: np.random.Generator, style: str = "") -> Sketch:
    """Draw a chair of a style, or of any: half of them dining chairs."""
    chosen = STYLES[style or ("dining", "dining", "office", "easy")[rng.integers(4)]]
    base, back = (options[rng.integers(len(options))] for options in (chosen.bases, chosen.backs))
    measures = Measures(
        width=rng.uniform(*chosen.width),
        depth=rng.uniform(*chosen.depth),
        seat=rng.uniform(*chosen.seat),
        top=rng.uniform(*chosen.top),
        thick=rng.uniform(*chosen.thick),
    )
    look = chair_look(rng, chosen, base)
    seat = chair_seat(rng, measures, round_edges=chosen.heavy or look.soft is not look.frame)
    legs, marks = BASES[base](rng, measures)
    rest = BACKS[back](rng, measures)
    arms, ends = (rest.arms, rest.arm_ends) if rest.arms else chair_arms(rng, measures, chosen, base)
    upright = [*rest.bars, *rest.panels]
    marks |= ends | {f"back_top_{side}": farthest(upright, (sign, -0.05, 1.6)) for side, sign in SIDES}
    marks |= {f"seat_{corner}": farthest([seat], (sign, front, 0.6)) for corner, front, sign in CORNERS}
    parts = [
        Part(seat, look.soft, "seat"),
        *(Part(leg, look.base, "leg") for leg in legs),
        *(Part(bar, look.frame, "back") for bar in rest.bars),
        *(Part(panel, look.soft, "back") for panel in rest.panels),
        *(Part(arm, look.soft if chosen.heavy else look.frame, "arm") for arm in arms),
    ]
    return Sketch(parts, marks, CHAIR)


def chair_look(rng: np.random.Generator, style: Style, base: str) -> Look:
    """Draw the materials: a frame of wood, paint or metal, and cloth, plastic or the frame's own on the seat."""
    steel = metal(rng)
    frame = steel if rng.random() < (0.6 if base in METAL_BASES else 0.15) else hard_finish(rng)
    soft = cloth(rng) if rng.random() < style.upholstered else (frame if rng.random() < 0.6 else paint(rng))
    under = soft if base == "block" and rng.random() < 0.6 else frame
    return Look(frame, soft, steel if base == "star" else under)


def chair_seat(rng: np.random.Generator, measures: Measures, round_edges: bool) -> Solid:
    """Draw a cushion or a board whose upper face is at the seat's height."""
    size = (measures.width, measures.depth, measures.thick)
    middle = (0, 0, measures.seat - measures.thick / 2)
    exponent = rng.uniform(3.5, 8.0)
    return rounded_box(size, middle, exponent) if round_edges or rng.random() < 0.3 else box(size, middle)


def chair_arms(rng: np.random.Generator, measures: Measures, style: Style, base: str) -> Limbs:
    """Draw arm rests or none: walls beside the seat of a heavy chair, else bars on one or two posts."""
    if rng.random() >= style.arms:
        return [], {}
    height = measures.seat + rng.uniform(0.14, 0.24)
    arms, rests = (arm_walls if style.heavy else arm_bars)(rng, measures, height, base)
    return arms, {
        f"arm_front_{side}": farthest([rest], (0.1 * sign, -1.0, 0.8))
        for (side, sign), rest in zip(SIDES, rests, strict=True)
    }


def arm_walls(
    rng: np.random.Generator, measures: Measures, height: float, base: str
) -> tuple[list[Solid], list[Solid]]:
    """Draw a wall on each side, which are the rests as well; it hangs where the seat stands high on its legs."""
    thick, exponent = rng.uniform(0.08, 0.14), rng.uniform(4.0, 9.0)
    low = 0.05 if base == "block" else measures.under - 0.05
    walls = []
    for _, sign in SIDES:
        middle = (sign * (measures.width / 2 + thick / 2 - 0.01), 0.0, (height + low) / 2)
        walls.append(rounded_box((thick, measures.depth, height - low), middle, exponent))
    return walls, walls


def arm_bars(rng: np.random.Generator, measures: Measures, height: float, base: str) -> tuple[list[Solid], list[Solid]]:
    """Draw a bar on each side with its posts and their brackets under the seat; the rests are the bars alone."""
    thick, level, half = rng.uniform(0.015, 0.03), measures.seat - measures.thick * 0.6, measures.depth / 2
    places = ((0.0,), (0.06 - half,), (0.06 - half, half - 0.06))[0 if base == "star" else rng.integers(1, 3)]
    solids, rests = [], []
    for _, sign in SIDES:
        x = sign * (measures.width / 2 + thick * 0.9)
        for y in places:
            solids.append(rod((x, y, level), (x, y, height - 0.02), thick * 0.7))
            solids.append(rod((x, y, level), (sign * (measures.width / 2 - 0.03), y, level), thick * 0.6, sections=6))
        rests.append(box_between((x - thick, 0.02 - half, height - 0.03), (x + thick, half, height)))
    return [*solids, *rests], rests

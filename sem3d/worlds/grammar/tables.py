"""Tables in metres: dining, coffee and side tables, consoles and desks of one grammar, a top on a base, with storage or none."""

from dataclasses import dataclass

import numpy as np

from sem3d.worlds.grammar.finishes import hard_finish, metal
from sem3d.worlds.grammar.sketch import CORNERS, Mark, Part, Sketch, Top, Vocabulary, farthest
from sem3d.worlds.grammar.table_bases import BASES
from sem3d.worlds.grammar.table_measures import Look, Measures
from sem3d.worlds.grammar.table_storage import desk_base, hutch, under_top
from sem3d.worlds.solids import Ring, Solid, box_between, loft

RIM = (("front", (0, -1, 0.3)), ("back", (0, 1, 0.3)), ("left", (1, 0, 0.3)), ("right", (-1, 0, 0.3)))
TABLE = Vocabulary(
    parts=("top", "leg", "shelf", "drawer"),
    keypoints=(
        "top_center",
        *(f"top_{corner}" for corner, _, _ in CORNERS),
        *(f"top_rim_{where}" for where, _ in RIM),
        *(f"foot_{corner}" for corner, _, _ in CORNERS),
        "base_center",
    ),
)
"""Angular tops have corners, round and oval ones four rim points."""
ANGULAR = ("square", "soft")
EXPONENTS = {"soft": 5.0, "round": 2.0, "oval": 2.3}
CHESTS = "chests"


@dataclass(frozen=True, kw_only=True)
class Style:
    """Ranges in metres and choices of one kind of table; a choice that is named twice is drawn twice as often."""

    width: tuple[float, float]
    depth: tuple[float, float]
    height: tuple[float, float]
    thick: tuple[float, float] = (0.02, 0.06)
    """Of the top."""
    forms: tuple[str, ...] = ("square", "square", "soft", "round", "oval")
    bases: tuple[str, ...] = tuple(BASES)


STYLES = {
    "dining": Style(
        width=(0.8, 1.9), depth=(0.75, 0.95), height=(0.7, 0.78), bases=("legs", "legs", "legs", *tuple(BASES)[1:])
    ),
    "coffee": Style(width=(0.6, 1.25), depth=(0.45, 0.72), height=(0.33, 0.48), bases=("legs", "legs", *BASES)),
    "side": Style(
        width=(0.38, 0.55),
        depth=(0.38, 0.55),
        height=(0.46, 0.64),
        thick=(0.018, 0.04),
        forms=("square", "soft", "round", "round"),
        bases=("legs", "legs", "pedestal", "panels", "crossed"),
    ),
    "console": Style(
        width=(0.8, 1.4),
        depth=(0.32, 0.5),
        height=(0.76, 0.95),
        forms=("square", "square", "soft"),
        bases=("legs", "legs", "panels", "trestle", "crossed"),
    ),
    "desk": Style(
        width=(1.05, 1.7),
        depth=(0.55, 0.78),
        height=(0.71, 0.77),
        thick=(0.02, 0.04),
        forms=("square",),
        bases=(CHESTS,),
    ),
}


def table(rng: np.random.Generator, style: str = "") -> Sketch:
    """Draw a table of a style, or of any."""
    chosen = STYLES[style or ("dining", "dining", "coffee", "side", "console", "desk")[rng.integers(6)]]
    form = chosen.forms[rng.integers(len(chosen.forms))]
    measures, look = table_measures(rng, chosen, form), table_look(rng)
    base = table_base(rng, chosen, form)
    x, y = free_half(measures, form)
    rear = y
    if base == CHESTS:
        under, feet = desk_base(rng, measures, look)
        if rng.random() < 0.35:
            under += hutch(rng, measures, look)
            rear = measures.depth / 2 - 0.25
    else:
        legs, feet = BASES[base](rng, measures)
        under = [Part(leg, look.frame, "leg") for leg in legs]
        under += under_top(rng, measures, look) if base in ("legs", "panels") and form in ANGULAR else []
    top, marks = table_top(measures, form)
    parts = [Part(top, look.board, "top"), *under]
    return Sketch(parts, marks | feet, TABLE, [Top((-x, -y), (x, rear), measures.height)])


def table_measures(rng: np.random.Generator, style: Style, form: str) -> Measures:
    """Draw the measures; a round top is as deep as wide, and carried nearer to its middle."""
    width, depth = rng.uniform(*style.width), rng.uniform(*style.depth)
    if form == "round":
        width = depth = min(width, 1.4 * depth)
    reach = rng.uniform(0.42, 0.47) if form in ANGULAR else rng.uniform(0.29, 0.33)
    height, thick = rng.uniform(*style.height), rng.uniform(*style.thick)
    return Measures(width=width, depth=depth, height=height, thick=thick, reach=reach)


def free_half(measures: Measures, form: str) -> tuple[float, float]:
    """Return half of the sides of a rectangle inside the top on which things may stand."""
    x, y = (0.45, 0.42) if form in ANGULAR else (0.33, 0.33)
    return x * measures.width, y * measures.depth


def table_base(rng: np.random.Generator, style: Style, form: str) -> str:
    """Draw the kind of base; a round top has no walls or trestles below it."""
    base = style.bases[rng.integers(len(style.bases))]
    return "pedestal" if form == "round" and base in ("panels", "trestle") else base


def table_look(rng: np.random.Generator) -> Look:
    """Draw the materials: half of the bases are of the top's."""
    board, steel = hard_finish(rng), metal(rng)
    frame = board if rng.random() < 0.5 else (steel if rng.random() < 0.5 else hard_finish(rng))
    return Look(board, frame, metal(rng))


def table_top(measures: Measures, form: str) -> tuple[Solid, dict[str, Mark]]:
    """Make the slab of one outline, with its keypoints."""
    x, y, low, high = measures.width / 2, measures.depth / 2, measures.height - measures.thick, measures.height
    if form == "square":
        top = box_between((-x, -y, low), (x, y, high))
    else:
        top = loft([Ring(x, y, level, EXPONENTS[form]) for level in (low, high)], sections=32)
    if form in ANGULAR:
        marks = {f"top_{corner}": farthest([top], (sign, front, 1.0)) for corner, front, sign in CORNERS}
    else:
        marks = {f"top_rim_{where}": farthest([top], direction) for where, direction in RIM}
    return top, marks | {"top_center": Mark(top, (0, 0, high))}

"""Chairs: legs, sled, star, pedestal or block under a seat; slab, slats, rungs, frame or shell behind it; arms or none."""

import numpy as np

from sem3d.worlds.shapes.colors import finish, metal, paint
from sem3d.worlds.shapes.shape import Mark, NamedPart, Sketch, farthest
from sem3d.worlds.solids import (
    Ring,
    Solid,
    bent_panel,
    box,
    box_between,
    loft,
    moved,
    rod,
    rounded_box,
    turned,
)

PARTS = ("back", "seat", "leg", "arm")
SIDES = (("left", 1), ("right", -1))
KEYPOINTS = (
    *(f"back_top_{side}" for side, _ in SIDES),
    *(f"seat_{end}_{side}" for end in ("front", "back") for side, _ in SIDES),
    *(f"foot_{end}_{side}" for end in ("front", "back") for side, _ in SIDES),
    *(f"arm_front_{side}" for side, _ in SIDES),
    "base_center",
    *(f"star_foot_{number}" for number in range(5)),
)
"""Legged chairs have four feet, sled and block chairs the corners of their base; a swivel chair has base and star."""


def chair(rng: np.random.Generator) -> Sketch:
    """A chair; most have four legs."""
    width, depth = rng.uniform(0.38, 0.62), rng.uniform(0.38, 0.55)
    seat, top = rng.uniform(0.36, 0.52), rng.uniform(0.7, 1.2)
    frame = finish(rng)
    soft = paint(rng) if rng.random() < 0.6 else frame
    base = ["legs", "legs", "legs", "sled", "star", "pedestal", "block"][rng.integers(7)]
    thick = rng.uniform(0.09, 0.2) if base == "block" else rng.uniform(0.03, 0.1)
    cushion = (
        rounded_box((width, depth, thick), (0, 0, seat - thick / 2), rng.uniform(3.0, 8.0))
        if rng.random() < 0.55
        else box((width, depth, thick), (0, 0, seat - thick / 2))
    )
    parts = [NamedPart("seat", cushion, soft)]
    marks = {
        f"seat_{end}_{side}": farthest([cushion], (sign, front, 0.6))
        for end, front in (("front", -1), ("back", 1))
        for side, sign in SIDES
    }
    legs, feet = BASES[base](rng, width, depth, seat - 0.8 * thick)
    parts += [NamedPart("leg", leg, metal(rng) if base == "star" else frame) for leg in legs]
    marks |= feet
    back = chair_back(rng, width, depth, seat - thick / 2, max(top, seat + 0.28))
    parts += [NamedPart("back", solid, soft if thicker(solid) else frame) for solid in back]
    marks |= {f"back_top_{side}": farthest(back, (sign, -0.05, 1.6)) for side, sign in SIDES}
    if rng.random() < (0.85 if base == "block" else 0.4):
        arms, ends = chair_arms(rng, width, depth, seat, base == "block")
        parts += [NamedPart("arm", arm, soft if base == "block" else frame) for arm in arms]
        marks |= ends
    return Sketch(parts, marks)


def thicker(solid: Solid) -> bool:
    """Whether a solid is a panel rather than a bar."""
    size = np.sort(np.ptp(solid.vertices, axis=0))
    return bool(size[1] > 0.15)


def four_legs(
    rng: np.random.Generator, width: float, depth: float, height: float
) -> tuple[list[Solid], dict[str, Mark]]:
    """Square, round or splayed legs, with stretchers or without."""
    kind, thick = rng.integers(3), rng.uniform(0.014, 0.034)
    splay, tip = rng.uniform(1.05, 1.3) if kind == 2 else 1.0, thick * rng.uniform(0.6, 1.0)
    legs, marks = [], {}
    for end, front in (("front", -1), ("back", 1)):
        for side, sign in SIDES:
            x, y = sign * (width / 2 - thick * 1.2), front * (depth / 2 - thick * 1.2)
            foot = (x * splay, y * splay, 0.0)
            if kind == 0:
                leg = box_between((x - thick, y - thick, 0), (x + thick, y + thick, height))
            else:
                leg = rod(foot, (x, y, height), tip, thick)
            legs.append(leg)
            marks[f"foot_{end}_{side}"] = Mark(leg, foot)
    if rng.random() < 0.4:
        level = height * rng.uniform(0.2, 0.6)
        reach = 1.0 + (splay - 1.0) * (1.0 - level / height)
        x, y = reach * (width / 2 - thick * 1.2), reach * (depth / 2 - thick * 1.2)
        legs += [rod((sign * x, -y, level), (sign * x, y, level), thick * 0.6, sections=6) for sign in (-1, 1)]
        legs.append(rod((-x, 0, level), (x, 0, level), thick * 0.6, sections=6))
    return legs, marks


def sled(rng: np.random.Generator, width: float, depth: float, height: float) -> tuple[list[Solid], dict[str, Mark]]:
    """Two runners, each on one or two posts; with posts in front only, the chair swings free."""
    thick, free = rng.uniform(0.012, 0.022), rng.random() < 0.5
    x, y = width / 2 - thick, depth / 2 - thick
    legs, marks = [], {}
    for side, sign in SIDES:
        runner = rod((sign * x, -y, thick), (sign * x, y, thick), thick)
        legs.append(runner)
        legs.append(rod((sign * x, -y, thick), (sign * x, -y, height), thick))
        if not free:
            legs.append(rod((sign * x, y, thick), (sign * x, y, height), thick))
        marks |= {
            f"foot_{end}_{side}": Mark(runner, (sign * x, front * y, 0)) for end, front in (("front", -1), ("back", 1))
        }
    cross = rod((-x, y, thick), (x, y, thick), thick)
    return [*legs, cross], marks


def star(rng: np.random.Generator, width: float, depth: float, height: float) -> tuple[list[Solid], dict[str, Mark]]:
    """A column on five spokes with casters; the first spoke points forward or back."""
    reach, thick = rng.uniform(0.24, 0.34), rng.uniform(0.018, 0.03)
    column = rod((0, 0, 0.07), (0, 0, height), thick * 1.3)
    legs, marks = [column], {"base_center": Mark(column, (0, 0, 0.07))}
    angles = np.arange(5) * 2 * np.pi / 5 + np.pi / 2 * (1 if rng.random() < 0.5 else -1)
    for number, angle in enumerate(angles):
        x, y = reach * np.cos(angle), reach * np.sin(angle)
        caster = rounded_box((0.055, 0.055, 0.06), (x, y, 0.03), 2.5, 2)
        legs += [rod((0, 0, 0.11), (x, y, 0.07), thick, thick * 0.6, 6), caster]
        marks[f"star_foot_{number}"] = Mark(caster, (x, y, 0.0))
    return legs, marks


def pedestal(
    rng: np.random.Generator, width: float, depth: float, height: float
) -> tuple[list[Solid], dict[str, Mark]]:
    """A tulip: a disc that rises into a stem."""
    radius, stem = rng.uniform(0.18, 0.26), rng.uniform(0.02, 0.05)
    rings = [(radius, 0.0), (radius, 0.015), (stem * 1.3, 0.06), (stem, height * 0.6), (stem * 1.6, height)]
    foot = loft([Ring(size, size, level) for size, level in rings])
    return [foot], {"base_center": Mark(foot, (0, 0, 0))}


def block(rng: np.random.Generator, width: float, depth: float, height: float) -> tuple[list[Solid], dict[str, Mark]]:
    """A plinth nearly as wide as the seat, or one on stubby feet."""
    inset = rng.uniform(0.0, 0.04)
    x, y, lift = width / 2 - inset, depth / 2 - inset, (rng.uniform(0.05, 0.12) if rng.random() < 0.5 else 0.0)
    plinth = box_between((-x, -y, lift), (x, y, height))
    legs, marks = [plinth], {}
    for end, front in (("front", -1), ("back", 1)):
        for side, sign in SIDES:
            foot = (sign * (x - 0.03), front * (y - 0.03), 0.0)
            if lift:
                legs.append(rod(foot, (*foot[:2], lift + 0.01), 0.02, 0.028))
                marks[f"foot_{end}_{side}"] = Mark(legs[-1], foot)
            else:
                marks[f"foot_{end}_{side}"] = Mark(plinth, (sign * x, front * y, 0))
    return legs, marks


BASES = {"legs": four_legs, "sled": sled, "star": star, "pedestal": pedestal, "block": block}


def chair_back(rng: np.random.Generator, width: float, depth: float, low: float, top: float) -> list[Solid]:
    """A back that leans a little, from the seat at ``low`` to ``top``."""
    y, kind, thick = depth / 2 - 0.02, rng.integers(6), rng.uniform(0.012, 0.022)
    lean = rng.uniform(0.0, 0.28)
    if kind == 0:
        deep = rng.uniform(0.03, 0.12)
        size, middle = (width * rng.uniform(0.8, 1.0), deep, top - low), (0, y - deep / 2 + 0.02, (top + low) / 2)
        back = [rounded_box(size, middle, rng.uniform(3.0, 8.0)) if rng.random() < 0.6 else box(size, middle)]
    elif kind == 1:
        arc = rng.uniform(1.6, 2.6)
        back = [moved(bent_panel(width * 0.55, arc, low, top, 0.03), (0, y - width * 0.55, 0))]
    else:
        x = width / 2 - thick
        back = [box_between((sign * x - thick, y - thick, low), (sign * x + thick, y + thick, top)) for sign in (-1, 1)]
        rail = rng.uniform(0.04, 0.1)
        bar = box_between((-x, y - thick * 0.8, top - rail), (x, y + thick * 0.8, top))
        if kind == 2:
            back.append(bar)
            for across in np.linspace(-x, x, int(rng.integers(4, 9)))[1:-1]:
                back.append(box_between((across - 0.011, y - 0.008, low), (across + 0.011, y + 0.008, top - rail)))
        elif kind == 3:
            for level in np.linspace(low + 0.16, top - 0.035, int(rng.integers(2, 5))):
                back.append(box_between((-x, y - 0.01, level - 0.03), (x, y + 0.01, level + 0.03)))
        elif kind == 4:
            middle = rng.uniform(0.08, 0.16)
            back += [bar, box_between((-middle, y - 0.009, low), (middle, y + 0.009, top - rail))]
        else:
            back += [bar, rounded_box((2 * x, 0.05, (top - low) * 0.45), (0, y, low + (top - low) * 0.65), 5.0)]
    return [turned(solid, 0, -lean, (0, y, low)) for solid in back]


def chair_arms(
    rng: np.random.Generator, width: float, depth: float, seat: float, solid: bool
) -> tuple[list[Solid], dict[str, Mark]]:
    """Arm rests: thick walls beside a block, else bars on one or two posts."""
    height, arms, marks = seat + rng.uniform(0.14, 0.26), [], {}
    posts, thick = int(rng.integers(1, 3)), rng.uniform(0.06, 0.14) if solid else rng.uniform(0.015, 0.03)
    for side, sign in SIDES:
        x = sign * (width / 2 + thick * 0.9) if not solid else sign * (width / 2 + thick / 2 - 0.005)
        if solid:
            middle = (x, 0.0, (height + 0.05) / 2)
            rest = rounded_box((thick, depth, height - 0.05), middle, 7.0)
        else:
            rest = box_between((x - thick, -depth / 2 + 0.02, height - 0.03), (x + thick, depth / 2, height))
            for y in (-depth / 2 + 0.06, depth / 2 - 0.06)[:posts]:
                arms.append(rod((x, y, seat - 0.03), (x, y, height - 0.02), thick * 0.7))
                arms.append(
                    rod((x, y, seat - 0.03), (sign * (width / 2 - 0.03), y, seat - 0.03), thick * 0.6, sections=6)
                )
        arms.append(rest)
        marks[f"arm_front_{side}"] = farthest([rest], (0.1 * sign, -1.0, 0.8))
    return arms, marks

"""Chairs, sofas and beds: parametric families in metres, front at -y. Each draws topology and proportions from ``rng``."""

from dataclasses import replace

import numpy as np

from sem3d.worlds.rooms.finishes import cloth, hard_finish, metal
from sem3d.worlds.rooms.piece import Part, Top
from sem3d.worlds.solids import Solid, bent_panel, box, box_between, moved, rod, rounded_box, turned
from sem3d.worlds.textures import Material

PILLOW = 18
Family = tuple[list[Part], list[Top]]


def chair(rng: np.random.Generator) -> Family:
    """A dining, office or easy chair."""
    return [dining_chair, dining_chair, office_chair, easy_chair][rng.integers(4)](rng)


def dining_chair(rng: np.random.Generator) -> Family:
    """Four legs or a sled base, a seat, a back of slab, slats, rungs or a bent shell, sometimes arms."""
    width, depth = rng.uniform(0.38, 0.5), rng.uniform(0.38, 0.48)
    seat, top = rng.uniform(0.42, 0.48), rng.uniform(0.75, 1.05)
    frame = hard_finish(rng)
    soft = cloth(rng) if rng.random() < 0.5 else frame
    parts = [Part(solid, frame) for solid in chair_base(rng, width, depth, seat)]
    cushion = rounded_box((width, depth, 0.07), (0, 0, seat), 5.0)
    parts.append(Part(cushion if soft is not frame else box((width, depth, 0.035), (0, 0, seat)), soft))
    parts += chair_back(rng, width, depth, seat, top, frame, soft)
    if rng.random() < 0.35:
        height = seat + rng.uniform(0.18, 0.24)
        for side in (-1, 1):
            x = side * (width / 2 + 0.005)
            parts.append(Part(box_between((x - 0.02, -depth / 2, height), (x + 0.02, depth / 2, height + 0.03)), frame))
            parts.append(Part(rod((x, -depth / 2 + 0.05, seat), (x, -depth / 2 + 0.05, height), 0.015), frame))
    return parts, []


def chair_base(rng: np.random.Generator, width: float, depth: float, seat: float) -> list[Solid]:
    """Square, round or splayed legs with or without stretchers, or a sled of bent tubes."""
    kind = rng.integers(4)
    x, y, thick = width / 2 - 0.03, depth / 2 - 0.03, rng.uniform(0.012, 0.024)
    feet = [(sx * x, sy * y) for sx in (-1, 1) for sy in (-1, 1)]
    if kind == 0:
        legs = [box_between((fx - thick, fy - thick, 0), (fx + thick, fy + thick, seat)) for fx, fy in feet]
    elif kind == 3:
        legs = []
        for sx in (-x, x):
            legs += [rod((sx, -y, seat), (sx, -y, 0.012), 0.012), rod((sx, y, seat), (sx, y, 0.012), 0.012)]
            legs.append(rod((sx, -y, 0.012), (sx, y, 0.012), 0.012))
        return legs
    else:
        splay = rng.uniform(1.02, 1.25) if kind == 2 else 1.0
        legs = [rod((fx * splay, fy * splay, 0), (fx, fy, seat), thick * 0.6, thick * 1.1) for fx, fy in feet]
    if rng.random() < 0.4:
        level = rng.uniform(0.1, 0.25)
        legs += [rod((sx, -y, level), (sx, y, level), 0.01, sections=6) for sx in (-x, x)]
        legs.append(rod((-x, 0, level), (x, 0, level), 0.01, sections=6))
    return legs


def chair_back(
    rng: np.random.Generator, width: float, depth: float, seat: float, top: float, frame: Material, soft: Material
) -> list[Part]:
    """A back rest leaning a little backward."""
    y, kind = depth / 2 - 0.02, rng.integers(5)
    posts = [box_between((sx - 0.017, y - 0.017, seat), (sx + 0.017, y + 0.017, top)) for sx in (-width / 2, width / 2)]
    parts = [Part(post, frame) for post in posts]
    if kind == 0:
        parts.append(
            Part(rounded_box((width - 0.02, 0.05, (top - seat) * 0.8), (0, y, (top + seat) / 2 + 0.04), 6.0), soft)
        )
    elif kind == 1:
        parts.append(Part(box_between((-width / 2, y - 0.015, top - 0.08), (width / 2, y + 0.015, top)), frame))
        for x in np.linspace(-width / 2, width / 2, int(rng.integers(4, 8)))[1:-1]:
            parts.append(Part(box_between((x - 0.012, y - 0.008, seat), (x + 0.012, y + 0.008, top - 0.08)), frame))
    elif kind == 2:
        for z in np.linspace(seat + 0.12, top - 0.03, int(rng.integers(2, 5))):
            parts.append(Part(box_between((-width / 2, y - 0.01, z - 0.03), (width / 2, y + 0.01, z + 0.03)), frame))
    elif kind == 3:
        shell = bent_panel(width * 0.6, 1.9, top - rng.uniform(0.15, 0.3), top, 0.025)
        parts.append(Part(moved(shell, (0, y - width * 0.6, 0)), soft))
    else:
        parts = [Part(moved(bent_panel(width * 0.55, 2.2, seat, top, 0.03), (0, y - width * 0.55, 0)), soft)]
    lean = rng.uniform(0.05, 0.2)
    return [replace(part, solid=turned(part.solid, 0, -lean, (0, y, seat))) for part in parts]


def office_chair(rng: np.random.Generator) -> Family:
    """A star base with casters, a column, a padded seat and back."""
    width, depth = rng.uniform(0.44, 0.54), rng.uniform(0.44, 0.52)
    seat, top = rng.uniform(0.45, 0.54), rng.uniform(0.85, 1.15)
    steel, soft = metal(rng), cloth(rng)
    parts = [Part(rod((0, 0, 0.1), (0, 0, seat), 0.028), steel)]
    for angle in np.arange(5) * 2 * np.pi / 5 + rng.uniform(0, 1):
        x, y = 0.28 * np.cos(angle), 0.28 * np.sin(angle)
        parts.append(Part(rod((0, 0, 0.12), (x, y, 0.07), 0.025, 0.015, 6), steel))
        parts.append(Part(rounded_box((0.05, 0.05, 0.06), (x, y, 0.03), 2.5, 2), steel))
    parts.append(Part(rounded_box((width, depth, 0.09), (0, 0, seat), 5.0), soft))
    back = rounded_box(
        (width * rng.uniform(0.8, 1.0), 0.07, top - seat - 0.12), (0, depth / 2, (top + seat + 0.12) / 2), 4.0
    )
    parts.append(Part(turned(back, 0, -0.12, (0, depth / 2, seat)), soft))
    parts.append(Part(box_between((-0.03, depth / 2, seat - 0.03), (0.03, depth / 2 + 0.04, seat + 0.25)), steel))
    if rng.random() < 0.6:
        for x in (-width / 2 - 0.03, width / 2 + 0.03):
            parts.append(Part(box_between((x - 0.03, -0.14, seat + 0.2), (x + 0.03, 0.12, seat + 0.23)), steel))
            parts.append(Part(rod((x, 0, seat - 0.02), (x, 0, seat + 0.2), 0.015), steel))
    return parts, []


def easy_chair(rng: np.random.Generator) -> Family:
    """An upholstered seat for one: block or tub."""
    soft, legs = cloth(rng), hard_finish(rng)
    width, depth = rng.uniform(0.65, 0.85), rng.uniform(0.65, 0.82)
    seat, top, arm = rng.uniform(0.38, 0.44), rng.uniform(0.72, 1.0), rng.uniform(0.55, 0.66)
    parts = short_legs(width, depth, 0.12, legs)
    parts.append(Part(rounded_box((width - 0.1, depth - 0.05, seat - 0.1), (0, 0, (seat + 0.1) / 2), 8.0), soft))
    if rng.random() < 0.5:
        shell = bent_panel(width / 2 - 0.08, rng.uniform(3.4, 4.0), 0.12, rng.uniform(0.68, 0.8), 0.09)
        parts.append(Part(moved(shell, (0, 0.04, 0)), soft))
    else:
        thick = rng.uniform(0.1, 0.16)
        back = rounded_box((width, 0.18, top - 0.15), (0, depth / 2 - 0.06, (top + 0.15) / 2), 6.0)
        parts.append(Part(turned(back, 0, -0.15, (0, depth / 2, 0.2)), soft))
        for side in (-1, 1):
            center = (side * (width / 2 - thick / 2), 0, (arm + 0.1) / 2)
            parts.append(Part(rounded_box((thick, depth, arm - 0.1), center, 6.0), soft))
    return parts, []


def short_legs(width: float, depth: float, height: float, material: Material) -> list[Part]:
    """Four stubby feet under something heavy."""
    x, y = width / 2 - 0.07, depth / 2 - 0.07
    return [Part(rod((sx, sy, 0), (sx, sy, height), 0.02, 0.03), material) for sx in (-x, x) for sy in (-y, y)]


def sofa(rng: np.random.Generator) -> Family:
    """Two to four seats, arms of several kinds, loose or bench cushions, sometimes a chaise."""
    seats, soft, legs = int(rng.integers(2, 5)), cloth(rng), hard_finish(rng)
    accent = cloth(rng)
    arm = rng.uniform(0.1, 0.24)
    width, depth = seats * rng.uniform(0.52, 0.66) + 2 * arm, rng.uniform(0.78, 0.98)
    seat, top, arm_top = rng.uniform(0.38, 0.46), rng.uniform(0.72, 0.95), rng.uniform(0.52, 0.68)
    under = rng.uniform(0.04, 0.14)
    parts = short_legs(width, depth, under + 0.02, legs)
    parts.append(Part(box_between((-width / 2, -depth / 2, under), (width / 2, depth / 2, seat - 0.12)), soft))
    parts.append(Part(rounded_box((width, 0.2, top - under), (0, depth / 2 - 0.1, (top + under) / 2), 10.0), soft))
    style = rng.integers(3)
    for side in (-1, 1):
        x = side * (width - arm) / 2
        if style == 0:
            parts.append(Part(box((arm, depth, arm_top - under), (x, 0, (arm_top + under) / 2)), soft))
        elif style == 1:
            parts.append(Part(rounded_box((arm, depth, arm_top - under), (x, 0, (arm_top + under) / 2), 5.0), soft))
        else:
            parts.append(
                Part(box((arm * 0.7, depth, arm_top - under - 0.06), (x, 0, (arm_top + under) / 2 - 0.03)), soft)
            )
            roll = rod((x, -depth / 2, arm_top - 0.06), (x, depth / 2, arm_top - 0.06), arm / 2, sections=12)
            parts.append(Part(roll, soft))
    inner = width - 2 * arm
    count = 1 if rng.random() < 0.2 else seats
    for number in range(count):
        x = (number + 0.5) * inner / count - inner / 2
        cushion = rounded_box((inner / count - 0.01, depth - 0.2, 0.18), (x, -0.1, seat - 0.05), 8.0)
        parts.append(Part(cushion, soft))
        back = rounded_box(
            (inner / count - 0.02, 0.2, top - seat + 0.06), (x, depth / 2 - 0.25, (top + seat) / 2 + 0.05), 5.0
        )
        parts.append(Part(turned(back, 0, -0.15, (x, depth / 2 - 0.25, seat)), soft))
    if seats > 2 and rng.random() < 0.3:
        side = rng.choice([-1, 1])
        center = (side * (inner / 2 - inner / seats / 2), -depth / 2 - 0.25, (seat + under) / 2)
        parts.append(Part(rounded_box((inner / seats, 0.62, seat - under), center, 10.0), soft))
    for _ in range(int(rng.integers(0, 3))):
        x = rng.uniform(-inner / 2 + 0.25, inner / 2 - 0.25)
        pillow = rounded_box((0.42, 0.13, 0.4), (x, depth / 2 - 0.42, seat + 0.22), 3.0)
        parts.append(Part(turned(pillow, 0, -0.35, (x, depth / 2 - 0.42, seat + 0.05)), accent, PILLOW))
    return parts, []


def bed(rng: np.random.Generator) -> Family:
    """Frame, mattress, blanket, pillows and one of four headboards; the head is at the back."""
    width, length = rng.choice([0.9, 1.2, 1.4, 1.6, 1.8]), rng.uniform(1.92, 2.08)
    base, thick = rng.uniform(0.22, 0.36), rng.uniform(0.16, 0.24)
    frame, sheet, blanket, pillow = hard_finish(rng), cloth(rng), cloth(rng), cloth(rng)
    top = base + thick
    parts = [Part(box_between((-width / 2, -length / 2, base - 0.16), (width / 2, length / 2, base + 0.02)), frame)]
    if rng.random() < 0.6:
        parts += short_legs(width, length, base - 0.1, frame)
    else:
        parts.append(
            Part(box_between((-width / 2 + 0.03, -length / 2 + 0.03, 0), (width / 2 - 0.03, length / 2, base)), frame)
        )
    parts.append(Part(rounded_box((width - 0.02, length - 0.03, thick), (0, 0, base + thick / 2), 10.0), sheet))
    cover = rng.uniform(0.55, 0.75) * length
    quilt = rounded_box(
        (width + 0.05, cover, thick + 0.02), (0, cover / 2 - length / 2 - 0.01, base + thick / 2 + 0.025), 9.0
    )
    parts.append(Part(quilt, blanket))
    count = 1 if width < 1.3 else 2
    for number in range(count):
        x = (number + 0.5) * width / count - width / 2
        cushion = rounded_box((min(0.62, width / count - 0.08), 0.4, 0.15), (x, length / 2 - 0.28, top + 0.05), 3.0)
        parts.append(Part(turned(cushion, 0, 0.2, (x, length / 2 - 0.28, top)), pillow, PILLOW))
    parts += headboard(rng, width, length / 2, rng.uniform(0.8, 1.25), frame)
    if rng.random() < 0.35:
        foot = box_between(
            (-width / 2, -length / 2 - 0.05, 0), (width / 2, -length / 2 - 0.01, top + rng.uniform(0.05, 0.25))
        )
        parts.append(Part(foot, frame))
    return parts, []


def headboard(rng: np.random.Generator, width: float, y: float, top: float, frame: Material) -> list[Part]:
    """A slab, a padded panel, bars, or a curved board."""
    kind, half = rng.integers(4), width / 2
    if kind == 0:
        return [Part(box_between((-half - 0.03, y, 0), (half + 0.03, y + 0.05, top)), frame)]
    if kind == 1:
        return [Part(rounded_box((width + 0.06, 0.12, top - 0.2), (0, y + 0.06, (top + 0.2) / 2), 8.0), cloth(rng))]
    if kind == 2:
        parts = [Part(box_between((-half, y, top - 0.06), (half, y + 0.04, top)), frame)]
        for x in np.linspace(-half + 0.02, half - 0.02, int(width / 0.12)):
            parts.append(Part(rod((x, y + 0.02, 0.1), (x, y + 0.02, top - 0.03), 0.014, sections=6), frame))
        return parts
    arch = rounded_box((width + 0.04, 0.05, 2 * (top - 0.5)), (0, y + 0.025, 0.5), 2.4, 6)
    return [Part(arch, frame), Part(box_between((-half - 0.02, y, 0), (half + 0.02, y + 0.05, 0.5)), frame)]

"""Toilets, sinks and bathtubs: parametric families in metres, front at -y."""

from dataclasses import replace

import numpy as np

from sem3d.worlds.grammar.finishes import cloth, glazed, hard_finish, metal
from sem3d.worlds.grammar.sketch import Part, Sketch
from sem3d.worlds.rooms.part_labels import CABINET, SHOWER_CURTAIN
from sem3d.worlds.rooms.storage import Face, cabinet_front
from sem3d.worlds.solids import Ring, box_between, folded_sheet, loft, moved, rod, rounded_box, turned
from sem3d.worlds.textures import Material


def toilet(rng: np.random.Generator) -> Sketch:
    """Draw an oval bowl with seat, lid up or down, and a cistern behind it."""
    china = glazed(rng)
    seat = china if rng.random() < 0.5 else (hard_finish(rng) if rng.random() < 0.5 else glazed(rng))
    width, length, height = rng.uniform(0.34, 0.4), rng.uniform(0.42, 0.52), rng.uniform(0.37, 0.44)
    x, y, front = width / 2, length / 2, -length / 2 + 0.02
    foot = rng.uniform(0.45, 0.8)
    bowl = [
        Ring(x * foot, y * 0.7, 0.0, 3.0, front + 0.1),
        Ring(x * foot * 0.9, y * 0.62, height * 0.4, 2.5, front + 0.08),
        Ring(x * 0.97, y * 0.96, height * 0.85, 2.3, front),
        Ring(x, y, height, 2.3, front),
        Ring(x * 0.72, y * 0.76, height, 2.2, front - 0.01),
        Ring(x * 0.4, y * 0.45, height * 0.55, 2.0, front),
    ]
    parts = [Part(loft(bowl, 20), china)]
    rim = [
        Ring(x * 1.02, y * 1.01, height + 0.004, 2.3, front),
        Ring(x * 1.02, y * 1.01, height + 0.022, 2.3, front),
        Ring(x * 0.66, y * 0.7, height + 0.022, 2.2, front - 0.01),
        Ring(x * 0.66, y * 0.7, height + 0.004, 2.2, front - 0.01),
    ]
    parts.append(Part(loft(rim, 20), seat))
    lid = loft([Ring(x, y, height + 0.024, 2.3, front), Ring(x * 0.97, y * 0.97, height + 0.045, 2.3, front)], 20)
    if rng.random() < 0.6:
        lid = turned(lid, 0, -1.75, (0, front + y - 0.01, height + 0.03))
    parts.append(Part(lid, seat))
    depth, top = rng.uniform(0.16, 0.22), height + rng.uniform(0.3, 0.42)
    back = front + y + 0.02
    tank = (rng.uniform(0.36, 0.46), depth, top - height + 0.04)
    center = (0, back + depth / 2, (top + height - 0.04) / 2)
    parts.append(Part(rounded_box(tank, center, rng.uniform(5, 14)), china))
    cover = (tank[0] + 0.02, depth + 0.02, 0.035)
    parts.append(Part(rounded_box(cover, (0, back + depth / 2, top + 0.01), 10.0, 2), china))
    parts.append(Part(box_between((-0.09, front + y - 0.12, 0), (0.09, back + depth, height - 0.02)), china))
    parts.append(Part(rounded_box((0.06, 0.03, 0.02), (-0.12, back - 0.01, top - 0.06), 3.0, 2), metal(rng)))
    return Sketch(parts)


def basin(rng: np.random.Generator, top: float, china: Material) -> list[Part]:
    """Draw a wash basin whose rim is at height ``top``, with its tap at the back."""
    x, y, form = rng.uniform(0.24, 0.34), rng.uniform(0.19, 0.25), rng.uniform(2.0, 6.0)
    deep = rng.uniform(0.12, 0.18)
    rings = [
        Ring(x * 0.55, y * 0.55, top - deep - 0.03, form),
        Ring(x * 0.97, y * 0.97, top - 0.05, form),
        Ring(x, y, top, form),
        Ring(x * 0.88, y * 0.78, top, form, -0.02),
        Ring(x * 0.5, y * 0.45, top - deep, 2.0, -0.02),
    ]
    steel = metal(rng)
    tap = [
        rod((0, y - 0.03, top - 0.01), (0, y - 0.03, top + 0.15), 0.012),
        rod((0, y - 0.03, top + 0.14), (0, y - 0.16, top + 0.11), 0.011),
        rod((-0.06, y - 0.03, top + 0.03), (0.06, y - 0.03, top + 0.03), 0.01),
    ]
    return [Part(loft(rings, 24), china), *(Part(solid, steel) for solid in tap)]


def sink(rng: np.random.Generator) -> Sketch:
    """Draw a wash basin on a pedestal, on a vanity (whose cabinet is labelled cabinet), or on the bare wall."""
    china, top, kind = glazed(rng), rng.uniform(0.78, 0.9), rng.integers(3)
    parts = basin(rng, top, china)
    if kind == 0:
        post = [
            Ring(0.11, 0.1, 0.0, 2.5, 0.05),
            Ring(0.07, 0.06, top * 0.5, 2.0, 0.05),
            Ring(0.11, 0.09, top - 0.12, 2.0, 0.05),
        ]
        parts.append(Part(loft(post, 14), china))
    elif kind == 1:
        body, half = hard_finish(rng), rng.uniform(0.32, 0.55)
        slab = top - 0.1
        parts.append(Part(box_between((-half, -0.24, 0.06), (half, 0.26, slab - 0.03)), body, label=CABINET))
        parts.append(
            Part(
                box_between((-half - 0.01, -0.26, slab - 0.03), (half + 0.01, 0.26, slab)),
                hard_finish(rng),
                label=CABINET,
            )
        )
        steel = metal(rng)
        for left, right in ((-half, 0.0), (0.0, half)):
            for part in cabinet_front(rng, (left, 0.08), (right, slab - 0.04), Face(-0.24, body, steel)):
                parts.append(replace(part, label=CABINET))
    else:
        parts.append(Part(rod((0, 0.02, top - 0.45), (0, 0.02, top - 0.15), 0.022), metal(rng)))
        parts.append(Part(rod((0, 0.02, top - 0.44), (0, 0.24, top - 0.44), 0.022), metal(rng)))
        parts.append(Part(box_between((-0.15, 0.1, top - 0.17), (0.15, 0.25, top - 0.03)), china))
        parts.append(Part(box_between((-0.03, 0.2, 0.0), (0.03, 0.24, top - 0.42)), china))
    return Sketch(parts)


def bathtub(rng: np.random.Generator) -> Sketch:
    """Draw a built-in or free-standing tub, long side along x; a shower curtain (28) often hangs at its front."""
    china, steel = glazed(rng), metal(rng)
    length, width, height = rng.uniform(1.45, 1.75), rng.uniform(0.7, 0.82), rng.uniform(0.5, 0.6)
    x, y = length / 2, width / 2
    built_in = rng.random() < 0.6
    form = 30.0 if built_in else rng.uniform(2.6, 4.0)
    foot = 1.0 if built_in else 0.75
    rings = [
        Ring(x * foot, y * foot, 0.0 if built_in else 0.08, form),
        Ring(x, y, height - 0.03, form),
        Ring(x, y, height, form),
        Ring(x - 0.08, y - 0.08, height, 5.0),
        Ring(x - 0.13, y - 0.12, height * 0.5, 4.0),
        Ring(x - 0.26, y - 0.18, 0.14, 3.0),
    ]
    parts = [Part(loft(rings, 40), china)]
    if not built_in:
        feet = [(sx * x * 0.6, sy * y * 0.5) for sx in (-1, 1) for sy in (-1, 1)]
        parts += [Part(rounded_box((0.08, 0.08, 0.12), (fx, fy, 0.06), 2.5, 2), steel) for fx, fy in feet]
    end = x - 0.05
    parts.append(Part(rod((end, 0, height), (end, 0, height + 0.12), 0.018), steel))
    parts.append(Part(rod((end, 0, height + 0.12), (end - 0.16, 0, height + 0.08), 0.015), steel))
    if rng.random() < 0.6:
        share, cloth_width = rng.uniform(0.3, 0.6), length
        side = rng.choice([-1, 1])
        curtain = folded_sheet(cloth_width * share, 1.65, 7, 0.03)
        place = (side * cloth_width * (1 - share) / 2, -y + 0.04, height - 0.2 + 0.03)
        hung = moved(curtain, (place[0], -y - 0.05, place[2]))
        parts.append(Part(hung, cloth(rng), label=SHOWER_CURTAIN))
        rail = place[2] + 1.66
        parts.append(Part(rod((-x, -y - 0.05, rail), (x, -y - 0.05, rail), 0.012), steel, label=SHOWER_CURTAIN))
    return Sketch(parts)

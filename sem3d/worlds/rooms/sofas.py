"""Sofas in metres, front at -y."""

import numpy as np

from sem3d.worlds.grammar.chair_bases import stubby_feet
from sem3d.worlds.grammar.finishes import cloth, hard_finish
from sem3d.worlds.grammar.sketch import Part, Sketch
from sem3d.worlds.rooms.part_labels import PILLOW
from sem3d.worlds.solids import box, box_between, rod, rounded_box, turned


def sofa(rng: np.random.Generator) -> Sketch:
    """Draw two to four seats, arms of several kinds, loose or bench cushions, sometimes a chaise."""
    seats, soft, legs = int(rng.integers(2, 5)), cloth(rng), hard_finish(rng)
    accent = cloth(rng)
    arm = rng.uniform(0.1, 0.24)
    width, depth = seats * rng.uniform(0.52, 0.66) + 2 * arm, rng.uniform(0.78, 0.98)
    seat, top, arm_top = rng.uniform(0.38, 0.46), rng.uniform(0.72, 0.95), rng.uniform(0.52, 0.68)
    under = rng.uniform(0.04, 0.14)
    parts = [Part(leg, legs) for leg in stubby_feet(width / 2 - 0.03, depth / 2 - 0.03, under + 0.01)[0]]
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
        parts.append(Part(turned(pillow, 0, -0.35, (x, depth / 2 - 0.42, seat + 0.05)), accent, label=PILLOW))
    return Sketch(parts)

"""Beds in metres; the head is at +y."""

import numpy as np

from sem3d.worlds.grammar.chair_bases import stubby_feet
from sem3d.worlds.grammar.finishes import cloth, hard_finish
from sem3d.worlds.grammar.sketch import Part, Sketch
from sem3d.worlds.rooms.part_labels import PILLOW
from sem3d.worlds.solids import box_between, rod, rounded_box, turned
from sem3d.worlds.textures import Material


def bed(rng: np.random.Generator) -> Sketch:
    """Draw frame, mattress, blanket, pillows and one of four headboards; the head is at the back."""
    width, length = rng.choice([0.9, 1.2, 1.4, 1.6, 1.8]), rng.uniform(1.92, 2.08)
    base, thick = rng.uniform(0.22, 0.36), rng.uniform(0.16, 0.24)
    frame, sheet, blanket, pillow = hard_finish(rng), cloth(rng), cloth(rng), cloth(rng)
    top = base + thick
    parts = [Part(box_between((-width / 2, -length / 2, base - 0.16), (width / 2, length / 2, base + 0.02)), frame)]
    if rng.random() < 0.6:
        parts += [Part(leg, frame) for leg in stubby_feet(width / 2 - 0.03, length / 2 - 0.03, base - 0.11)[0]]
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
        parts.append(Part(turned(cushion, 0, 0.2, (x, length / 2 - 0.28, top)), pillow, label=PILLOW))
    parts += headboard(rng, width, length / 2, rng.uniform(0.8, 1.25), frame)
    if rng.random() < 0.35:
        foot = box_between(
            (-width / 2, -length / 2 - 0.05, 0), (width / 2, -length / 2 - 0.01, top + rng.uniform(0.05, 0.25))
        )
        parts.append(Part(foot, frame))
    return Sketch(parts)


def headboard(rng: np.random.Generator, width: float, y: float, top: float, frame: Material) -> list[Part]:
    """Draw a slab, a padded panel, bars, or a curved board."""
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

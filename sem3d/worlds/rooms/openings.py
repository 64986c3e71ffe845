"""Doors, windows, curtains and pictures, which hang on a wall or are let into it. The wall is at +y; z = 0 is the lower edge."""

from dataclasses import replace

import numpy as np

from sem3d.worlds.grammar.finishes import cloth, draw_color, hard_finish, metal, patterned
from sem3d.worlds.grammar.sketch import Part, Sketch
from sem3d.worlds.solids import Solid, box_between, folded_sheet, moved, rod, rounded_box
from sem3d.worlds.textures import Material, Texture


def border(size: tuple[float, float], thick: float, span: tuple[float, float], sill: bool) -> list[Solid]:
    """Make the bars of a frame of ``size`` (width, height) whose y is in ``span``; without ``sill`` it has no lower bar."""
    x, height, (low_y, high_y) = size[0] / 2, size[1], span
    bars = [
        box_between((-x, low_y, 0), (-x + thick, high_y, height)),
        box_between((x - thick, low_y, 0), (x, high_y, height)),
        box_between((-x, low_y, height - thick), (x, high_y, height)),
    ]
    return [*bars, box_between((-x, low_y, 0), (x, high_y, thick))] if sill else bars


def door(rng: np.random.Generator) -> Sketch:
    """Draw a closed door in its frame: flush, panelled or glazed, with a handle."""
    width, height = rng.uniform(0.82, 1.05), rng.uniform(1.98, 2.12)
    leaf = hard_finish(rng)
    trim = leaf if rng.random() < 0.5 else hard_finish(rng)
    parts = [Part(solid, trim) for solid in border((width, height), 0.07, (-0.03, 0.03), sill=False)]
    inner = width - 0.14
    parts.append(Part(box_between((-inner / 2, -0.012, 0), (inner / 2, 0.03, height - 0.07)), leaf))
    columns, rows = [(0, 0), (1, 2), (2, 2), (2, 3), (1, 3)][rng.integers(5)]
    glass = Material(texture=Texture.PLAIN, color=(0.35, 0.42, 0.45), second=(0.4, 0.4, 0.4), shine=0.8, gloss=80.0)
    panel = glass if rng.random() < 0.25 else replace(leaf, color=tuple(0.8 * c for c in leaf.color))
    for column in range(columns):
        for row in range(rows):
            left = -inner / 2 + 0.09 + column * (inner - 0.09) / columns
            right = left + (inner - 0.09) / columns - 0.09
            low = 0.14 + row * (height - 0.25) / rows
            high = low + (height - 0.25) / rows - 0.11
            parts.append(Part(box_between((left, -0.022, low), (right, -0.01, high)), panel))
    side, steel = rng.choice([-1, 1]), metal(rng)
    x, z = side * (inner / 2 - 0.07), rng.uniform(0.95, 1.05)
    parts.append(Part(rounded_box((0.045, 0.015, 0.16), (x, -0.02, z), 6.0, 2), steel))
    if rng.random() < 0.5:
        parts.append(Part(rod((x, -0.06, z), (x - side * 0.11, -0.06, z), 0.01), steel))
        parts.append(Part(rod((x, -0.06, z), (x, -0.01, z), 0.009, sections=6), steel))
    else:
        parts.append(Part(rounded_box((0.06, 0.06, 0.06), (x, -0.05, z), 2.0, 3), steel))
    return Sketch(parts)


def window(rng: np.random.Generator) -> Sketch:
    """Draw panes with daylight behind them, a frame with mullions, and a sill."""
    width, height = rng.uniform(0.8, 1.9), rng.uniform(0.9, 1.4)
    frame = hard_finish(rng)
    sky = rng.uniform(0.5, 1.0)
    tint = rng.uniform(0.0, 0.35)
    outside = Material(
        texture=Texture.NOISE,
        color=(1.0 - tint, 1.0 - 0.6 * tint, 1.0),
        second=(0.45, 0.6, 0.55),
        scale=float(rng.uniform(0.5, 1.5)),
        offset=tuple(rng.uniform(0.0, 8.0, 3).tolist()),
        shine=0.6,
        gloss=60.0,
        glow=float(sky),
    )
    parts = [Part(box_between((-width / 2, 0.0, 0), (width / 2, 0.02, height)), outside)]
    parts += [
        Part(solid, frame) for solid in border((width, height), rng.uniform(0.05, 0.08), (-0.035, 0.02), sill=True)
    ]
    for x in np.linspace(-width / 2, width / 2, int(rng.integers(1, 4)) + 1)[1:-1]:
        parts.append(Part(box_between((x - 0.025, -0.03, 0), (x + 0.025, 0.02, height)), frame))
    for z in np.linspace(0, height, int(rng.integers(1, 4)) + 1)[1:-1]:
        parts.append(Part(box_between((-width / 2, -0.025, z - 0.02), (width / 2, 0.02, z + 0.02)), frame))
    parts.append(Part(box_between((-width / 2 - 0.04, -0.09, -0.03), (width / 2 + 0.04, 0.02, 0.0)), frame))
    return Sketch(parts)


def curtain(rng: np.random.Generator, width: float, height: float) -> Sketch:
    """Draw a rail as wide as ``width`` with two drawn-back cloths that hang ``height`` metres."""
    fabric, steel = cloth(rng), metal(rng)
    parts = [Part(rod((-width / 2, 0, height), (width / 2, 0, height), 0.014), steel)]
    share = rng.uniform(0.22, 0.42)
    folds = max(3, round(width * share / 0.11))
    for side in (-1, 1):
        sheet = folded_sheet(width * share, height - 0.02, folds, rng.uniform(0.022, 0.035))
        parts.append(Part(moved(sheet, (side * width * (1 - share) / 2, 0, 0.0)), fabric))
    return Sketch(parts)


def picture(rng: np.random.Generator) -> Sketch:
    """Draw a framed print: a field of pattern, often with a mount around it."""
    width, height = rng.uniform(0.3, 1.1), rng.uniform(0.3, 0.8)
    thick = rng.uniform(0.015, 0.05)
    frame = hard_finish(rng)
    textures = [Texture.NOISE, Texture.NOISE, Texture.DOTS, Texture.PLAID, Texture.CHECKER, Texture.STRIPES]
    image = patterned(rng, textures[rng.integers(len(textures))], (0.12, 0.5), 0.25)
    image = replace(image, second=draw_color(rng))
    parts = [Part(solid, frame) for solid in border((width, height), thick, (-0.02, 0.015), sill=True)]
    x = width / 2 - thick
    if rng.random() < 0.5:
        mount = replace(frame, texture=Texture.PLAIN, color=(0.8, 0.8, 0.78))
        parts.append(Part(box_between((-x, -0.004, thick), (x, 0.015, height - thick)), mount))
        edge = min(width, height) * rng.uniform(0.12, 0.22)
        parts.append(
            Part(box_between((-x + edge, -0.008, thick + edge), (x - edge, 0.0, height - thick - edge)), image)
        )
        disc = rounded_box((0.3 * width, 0.012, 0.3 * height), (0, -0.006, height / 2), 2.0, 3)
    else:
        parts.append(Part(box_between((-x, -0.006, thick), (x, 0.015, height - thick)), image))
        disc = rounded_box((0.4 * width, 0.012, 0.4 * height), (0.1 * width, -0.006, 0.45 * height), 3.0, 3)
    parts.append(Part(disc, replace(image, texture=Texture.PLAIN, color=draw_color(rng))))
    return Sketch(parts)

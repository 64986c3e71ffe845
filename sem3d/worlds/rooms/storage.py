"""Cabinets, bookshelves, kitchen counters and refrigerators: parametric families in metres, front at -y."""

import itertools
from dataclasses import dataclass, replace

import numpy as np

from sem3d.worlds.grammar.finishes import cloth, draw_color, glazed, hard_finish, metal
from sem3d.worlds.grammar.sketch import Part, Sketch, Top
from sem3d.worlds.rooms.part_labels import CABINET, SINK
from sem3d.worlds.solids import Ring, box_between, loft, moved, rod, rounded_box, turned
from sem3d.worlds.textures import Material, Texture


def nightstand(rng: np.random.Generator) -> Sketch:
    """Draw a small cabinet beside a bed."""
    return cabinet(rng, rng.uniform(0.36, 0.55), rng.uniform(0.34, 0.44), rng.uniform(0.42, 0.62))


def sideboard(rng: np.random.Generator) -> Sketch:
    """Draw a low, wide cabinet."""
    return cabinet(rng, rng.uniform(1.1, 1.9), rng.uniform(0.36, 0.48), rng.uniform(0.5, 0.9))


def dresser(rng: np.random.Generator) -> Sketch:
    """Draw a chest of middle height."""
    return cabinet(rng, rng.uniform(0.7, 1.2), rng.uniform(0.4, 0.52), rng.uniform(0.8, 1.2))


def wardrobe(rng: np.random.Generator) -> Sketch:
    """Draw a cabinet as tall as a person."""
    return cabinet(rng, rng.uniform(0.8, 1.8), rng.uniform(0.5, 0.62), rng.uniform(1.8, 2.2))


def wall_cabinet(rng: np.random.Generator) -> Sketch:
    """Draw a kitchen or bathroom cabinet that hangs on the wall."""
    return cabinet(rng, rng.uniform(0.6, 1.5), rng.uniform(0.28, 0.36), rng.uniform(0.5, 0.7), hanging=True)


def cabinet(rng: np.random.Generator, width: float, depth: float, height: float, hanging: bool = False) -> Sketch:
    """Draw a body on a plinth or legs whose front is a grid of doors, drawers and sometimes open niches."""
    body, handles = hard_finish(rng), metal(rng)
    front = body if rng.random() < 0.65 else hard_finish(rng)
    foot = 0.0 if hanging else rng.uniform(0.04, 0.16 if height < 1.3 else 0.08)
    parts = [Part(box_between((-width / 2, -depth / 2 + 0.02, foot), (width / 2, depth / 2, height - 0.025)), body)]
    lid = box_between((-width / 2 - 0.01, -depth / 2, height - 0.025), (width / 2 + 0.01, depth / 2, height))
    parts.append(Part(lid, body))
    if foot > 0.09:
        x, y = width / 2 - 0.05, depth / 2 - 0.06
        parts += [Part(rod((sx, sy, 0), (sx, sy, foot), 0.015, 0.022), body) for sx in (-x, x) for sy in (-y, y)]
    elif foot > 0:
        plinth = box_between((-width / 2 + 0.02, -depth / 2 + 0.06, 0), (width / 2 - 0.02, depth / 2, foot))
        parts.append(Part(plinth, body))
    columns, face = max(1, round(width / rng.uniform(0.4, 0.65))), Face(-depth / 2 + 0.02, front, handles)
    for column in range(columns):
        left = -width / 2 + 0.01 + column * (width - 0.02) / columns
        right = left + (width - 0.02) / columns
        parts += cabinet_front(rng, (left, foot + 0.01), (right, height - 0.035), face)
    reach = (width * 0.45, depth * 0.4)
    return Sketch(parts, tops=[] if hanging else [Top((-reach[0], -reach[1]), reach, height)])


@dataclass(frozen=True)
class Face:
    """The plane of a cabinet's front, and the materials on it."""

    y: float
    panels: Material
    handles: Material


def cabinet_front(
    rng: np.random.Generator, low: tuple[float, float], high: tuple[float, float], face: Face
) -> list[Part]:
    """Draw one column of a cabinet's front, between two corners (x, z) of its face: a door, or drawers, or both."""
    height, y = high[1] - low[1], face.y
    kind = rng.integers(3)
    split = 1 if kind == 0 else max(2, round(height / rng.uniform(0.18, 0.3)))
    levels = np.linspace(low[1], high[1], split + 1)
    if kind == 2 and height > 0.9:
        levels = np.array([low[1], low[1] + height * 0.68, high[1]])
    parts = []
    knob = rng.random() < 0.5
    for bottom, top in itertools.pairwise(levels):
        parts.append(
            Part(
                box_between((low[0] + 0.004, y - 0.018, bottom + 0.004), (high[0] - 0.004, y, top - 0.004)), face.panels
            )
        )
        door = top - bottom > 0.38
        x = high[0] - 0.05 if door else (low[0] + high[0]) / 2
        z = (bottom + top) / 2
        if knob:
            parts.append(Part(rounded_box((0.03, 0.04, 0.03), (x, y - 0.035, z), 2.0, 2), face.handles))
        else:
            size = (0.015, 0.03, 0.16) if door else (0.16, 0.03, 0.015)
            parts.append(Part(rounded_box(size, (x, y - 0.03, z), 6.0, 1), face.handles))
    return parts


def bookshelf(rng: np.random.Generator) -> Sketch:
    """Draw open shelves, with or without a back, most of them filled with rows of books."""
    columns = int(rng.integers(1, 4))
    width, depth = columns * rng.uniform(0.42, 0.75), rng.uniform(0.24, 0.36)
    height = rng.uniform(0.95, 2.1)
    shelves = max(2, round(height / rng.uniform(0.3, 0.42)))
    body, board = hard_finish(rng), rng.uniform(0.018, 0.035)
    covers = [cloth(rng) if rng.random() < 0.3 else hard_finish(rng) for _ in range(5)]
    parts = []
    for level in np.linspace(0.06, height - board, shelves + 1):
        parts.append(Part(box_between((-width / 2, -depth / 2, level), (width / 2, depth / 2, level + board)), body))
    for x in np.linspace(-width / 2, width / 2 - board, columns + 1):
        parts.append(Part(box_between((x, -depth / 2, 0), (x + board, depth / 2, height)), body))
    if rng.random() < 0.7:
        parts.append(Part(box_between((-width / 2, depth / 2 - 0.012, 0), (width / 2, depth / 2, height)), body))
    gap = (height - board - 0.06) / shelves
    cell = (width - board) / columns
    for shelf in range(shelves):
        for column in range(columns):
            corner = (-width / 2 + board + column * cell, 0.06 + board + shelf * gap)
            if rng.random() < 0.82:
                parts += book_row(rng, corner, (cell - board, depth, gap - board), covers)
    return Sketch(parts)


def book_row(
    rng: np.random.Generator, corner: tuple[float, float], size: tuple[float, float, float], covers: list[Material]
) -> list[Part]:
    """Draw upright books from the left edge of a niche until it is partly or wholly full.

    ``corner`` is the niche's lower left one (x, z), ``size`` its width, depth and height.
    """
    width, depth, room = size
    x, stop = corner[0], corner[0] + width * rng.uniform(0.45, 1.0)
    parts = []
    while True:
        thick = rng.uniform(0.02, 0.06)
        if x + thick > stop:
            return parts
        tall, deep = room * rng.uniform(0.6, 0.95), depth * rng.uniform(0.6, 0.85)
        book = box_between(
            (x, depth / 2 - 0.015 - deep, corner[1]), (x + thick * 0.93, depth / 2 - 0.015, corner[1] + tall)
        )
        parts.append(Part(book, covers[rng.integers(len(covers))]))
        x += thick


def refrigerator(rng: np.random.Generator) -> Sketch:
    """Draw one, two or French doors with tall handles on a softly rounded body."""
    width, depth, height = rng.uniform(0.55, 0.92), rng.uniform(0.58, 0.72), rng.uniform(1.45, 1.9)
    coat, handles = glazed(rng), metal(rng)
    if rng.random() < 0.3:
        coat = metal(rng)
    parts = [Part(box_between((-width / 2, -depth / 2 + 0.06, 0.04), (width / 2, depth / 2, height)), coat)]
    parts.append(
        Part(box_between((-width / 2 + 0.02, -depth / 2 + 0.08, 0), (width / 2 - 0.02, depth / 2, 0.05)), handles)
    )
    split = rng.uniform(0.3, 0.72) * height
    french = width > 0.78
    doors = [(-width / 2, width / 2, 0.06, split), (-width / 2, width / 2, split, height)]
    if rng.random() < 0.2 and not french:
        doors = [(-width / 2, width / 2, 0.06, height)]
    if french:
        doors = [doors[0], (-width / 2, 0.0, split, height), (0.0, width / 2, split, height)]
    side = rng.choice([-1, 1])
    for left, right, low, high in doors:
        center = ((left + right) / 2, -depth / 2 + 0.03, (low + high) / 2)
        parts.append(Part(rounded_box((right - left - 0.006, 0.06, high - low - 0.012), center, 14.0), coat))
        inward = -1 if left == 0.0 else (1 if right == 0.0 else side)
        x = right - 0.05 if inward > 0 else left + 0.05
        reach = min(0.55, (high - low) * 0.6)
        near = low + 0.06 if low > 0.1 else high - 0.06 - reach
        parts.append(Part(rod((x, -depth / 2 - 0.035, near), (x, -depth / 2 - 0.035, near + reach), 0.012), handles))
        for z in (near + 0.02, near + reach - 0.02):
            parts.append(Part(rod((x, -depth / 2 - 0.035, z), (x, -depth / 2 + 0.02, z), 0.008, sections=6), handles))
    return Sketch(parts)


def counter(rng: np.random.Generator) -> Sketch:
    """Draw a kitchen run: base cabinets (3) under a worktop (12), with a basin (34) and its tap let into most of them."""
    width, depth, height = rng.uniform(1.4, 2.8), rng.uniform(0.56, 0.65), rng.uniform(0.86, 0.94)
    body, handles, stone = hard_finish(rng), metal(rng), hard_finish(rng)
    stone = replace(stone, texture=Texture.NOISE, scale=0.15, shine=0.3)
    front = body if rng.random() < 0.6 else hard_finish(rng)
    y, thick = -depth / 2 + 0.05, rng.uniform(0.03, 0.05)
    parts = [Part(box_between((-width / 2, y, 0.09), (width / 2, depth / 2, height - 0.22)), body, label=CABINET)]
    parts.append(
        Part(box_between((-width / 2, y, height - 0.22), (width / 2, y + 0.02, height - thick)), body, label=CABINET)
    )
    for x in (-width / 2, width / 2 - 0.02):
        parts.append(
            Part(box_between((x, y, height - 0.22), (x + 0.02, depth / 2, height - thick)), body, label=CABINET)
        )
    parts.append(Part(box_between((-width / 2, y + 0.06, 0), (width / 2, depth / 2, 0.09)), body, label=CABINET))
    columns = max(2, round(width / 0.55))
    for column in range(columns):
        left = -width / 2 + column * width / columns
        fronts = cabinet_front(rng, (left, 0.1), (left + width / columns, height - thick), Face(y, front, handles))
        parts += [replace(part, label=CABINET) for part in fronts]
    if rng.random() < 0.8:
        x = rng.uniform(-width / 2 + 0.45, width / 2 - 0.45)
        hole = (x - 0.26, -0.19, x + 0.26, 0.17)
        parts += [Part(solid, stone) for solid in slab_with_hole(width, depth, height - thick, height, hole)]
        parts += kitchen_basin(rng, x, height)
        tops = [Top((-width * 0.46, -0.2), (x - 0.32, 0.2), height), Top((x + 0.32, -0.2), (width * 0.46, 0.2), height)]
    else:
        parts.append(Part(box_between((-width / 2, -depth / 2, height - thick), (width / 2, depth / 2, height)), stone))
        tops = [Top((-width * 0.46, -0.2), (width * 0.46, 0.2), height)]
    if rng.random() < 0.6:
        splash = box_between(
            (-width / 2, depth / 2 - 0.015, height), (width / 2, depth / 2, height + rng.uniform(0.08, 0.4))
        )
        parts.append(Part(splash, stone))
    return Sketch(parts, tops=[top for top in tops if top.high[0] - top.low[0] > 0.3])


def slab_with_hole(
    width: float, depth: float, low: float, high: float, hole: tuple[float, float, float, float]
) -> list:
    """Make four boxes around a rectangular hole (x0, y0, x1, y1) in a slab between two heights."""
    x, y = width / 2, depth / 2
    return [
        box_between((-x, -y, low), (hole[0], y, high)),
        box_between((hole[2], -y, low), (x, y, high)),
        box_between((hole[0], -y, low), (hole[2], hole[1], high)),
        box_between((hole[0], hole[3], low), (hole[2], y, high)),
    ]


def kitchen_basin(rng: np.random.Generator, x: float, height: float) -> list[Part]:
    """Draw a basin let into a worktop at ``x``, and its tap."""
    bowl = metal(rng) if rng.random() < 0.6 else glazed(rng)
    rings = [
        Ring(0.29, 0.21, height - 0.001, 8.0),
        Ring(0.29, 0.21, height + 0.008, 8.0),
        Ring(0.24, 0.165, height + 0.008, 6.0),
        Ring(0.23, 0.155, height - 0.15, 6.0),
    ]
    tap = [
        rod((x, 0.2, height), (x, 0.2, height + 0.24), 0.013),
        rod((x, 0.2, height + 0.24), (x, 0.0, height + 0.2), 0.011),
    ]
    lever = turned(rod((x, 0.2, height + 0.05), (x + 0.09, 0.2, height + 0.08), 0.007, sections=6), 2, 0.3, (x, 0.2, 0))
    parts = [Part(moved(loft(rings, 24), (x, -0.01, 0)), bowl, label=SINK)]
    steel = replace(bowl, color=draw_color(rng)) if rng.random() < 0.2 else metal(rng)
    return parts + [Part(solid, steel, label=SINK) for solid in (*tap, lever)]

"""Tables and desks: parametric families in metres, front at -y."""

import numpy as np

from sem3d.worlds.rooms.finishes import hard_finish, metal
from sem3d.worlds.rooms.piece import Part, Top
from sem3d.worlds.rooms.seating import Family
from sem3d.worlds.solids import Ring, box_between, loft, rod, rounded_box
from sem3d.worlds.textures import Material


def dining_table(rng: np.random.Generator) -> Family:
    """A table to eat at, for two to eight."""
    return table(rng, rng.uniform(0.8, 1.9), rng.uniform(0.75, 0.95), rng.uniform(0.71, 0.77))


def coffee_table(rng: np.random.Generator) -> Family:
    """A low table."""
    return table(rng, rng.uniform(0.6, 1.2), rng.uniform(0.45, 0.7), rng.uniform(0.33, 0.48))


def side_table(rng: np.random.Generator) -> Family:
    """A small table beside a seat."""
    side = rng.uniform(0.38, 0.55)
    return table(rng, side, side, rng.uniform(0.48, 0.62))


def table(rng: np.random.Generator, width: float, depth: float, height: float) -> Family:
    """A rectangular, soft-cornered, round or oval top on legs, a pedestal, trestles or panels."""
    board = hard_finish(rng)
    under = board if rng.random() < 0.5 else (metal(rng) if rng.random() < 0.5 else hard_finish(rng))
    thick, form = rng.uniform(0.02, 0.05), rng.integers(4)
    if form == 2:
        depth = width = max(depth, width * 0.75)
    exponent = (40.0, 5.0, 2.0, 2.0)[form]
    if form == 0:
        top = box_between((-width / 2, -depth / 2, height - thick), (width / 2, depth / 2, height))
    else:
        edge = (width / 2, depth / 2)
        top = loft([Ring(*edge, height - thick, exponent), Ring(*edge, height, exponent)], 28)
    inset = 0.8 if form < 2 else 0.62
    parts = [Part(top, board), *table_support(rng, width * inset, depth * inset, height - thick, under, width / depth)]
    if form < 2 and rng.random() < 0.3:
        level = height * rng.uniform(0.25, 0.4)
        shelf = box_between((-width * 0.4, -depth * 0.4, level), (width * 0.4, depth * 0.4, level + 0.02))
        parts.append(Part(shelf, board))
    reach = 0.45 if form < 2 else 0.33
    return parts, [Top((-width * reach, -depth * reach), (width * reach, depth * reach), height)]


def table_support(
    rng: np.random.Generator, width: float, depth: float, height: float, material: Material, aspect: float
) -> list[Part]:
    """What carries the top, inside a rectangle of ``width`` by ``depth``."""
    kind, x, y = rng.integers(5), width / 2, depth / 2
    thick = rng.uniform(0.018, 0.045)
    if kind == 0:
        feet = [(sx, sy) for sx in (-x, x) for sy in (-y, y)]
        solids = [box_between((fx - thick, fy - thick, 0), (fx + thick, fy + thick, height)) for fx, fy in feet]
        solids += [box_between((-x, sy - 0.01, height - 0.09), (x, sy + 0.01, height)) for sy in (-y, y)]
    elif kind == 1:
        splay = rng.uniform(1.0, 1.2)
        feet = [(sx, sy) for sx in (-x, x) for sy in (-y, y)]
        solids = [rod((fx * splay, fy * splay, 0), (fx, fy, height), thick * 0.6, thick) for fx, fy in feet]
    elif kind == 2 and aspect < 1.5:
        post, foot = rng.uniform(0.03, 0.06), min(x, y) * rng.uniform(0.7, 1.0)
        solids = [
            loft([Ring(foot, foot, 0.0), Ring(foot, foot, 0.02), Ring(post, post, 0.06), Ring(post, post, height)])
        ]
    elif kind == 3:
        solids = [box_between((sx - thick, -y, 0), (sx + thick, y, height)) for sx in (-x, x)]
        solids.append(box_between((-x, -0.015, height * 0.3), (x, 0.015, height * 0.5)))
    else:
        solids = [rod((sx, side * y, 0), (sx, 0, height), thick * 0.8) for sx in (-x, x) for side in (-1, 1)]
        solids.append(rod((-x, 0, height - 0.05), (x, 0, height - 0.05), thick * 0.8))
    return [Part(solid, material) for solid in solids]


def desk(rng: np.random.Generator) -> Family:
    """A work table against a wall: drawers on one side or both, a closed back, sometimes a shelf above."""
    width, depth, height = rng.uniform(1.05, 1.7), rng.uniform(0.55, 0.78), rng.uniform(0.71, 0.77)
    body, handles = hard_finish(rng), metal(rng)
    board = body if rng.random() < 0.6 else hard_finish(rng)
    parts = [Part(box_between((-width / 2, -depth / 2, height - 0.03), (width / 2, depth / 2, height)), board)]
    parts.append(Part(box_between((-width / 2, depth / 2 - 0.03, 0.15), (width / 2, depth / 2 - 0.01, height)), body))
    drawers = [(True, False), (False, True), (True, True)][rng.integers(3)]
    for side, present in zip((-1, 1), drawers, strict=True):
        outer = side * (width / 2 - 0.01)
        if present:
            inner = side * (width / 2 - rng.uniform(0.32, 0.42))
            parts += drawer_stack(rng, sorted((inner, outer)), depth, height - 0.03, body, handles)
        else:
            parts.append(
                Part(box_between((outer - side * 0.04, -depth / 2 + 0.02, 0), (outer, depth / 2, height)), body)
            )
    if rng.random() < 0.35:
        y, up = depth / 2, height + rng.uniform(0.35, 0.5)
        for x in (-width / 2 + 0.01, -0.01, width / 2 - 0.03):
            parts.append(Part(box_between((x, y - 0.22, height), (x + 0.02, y, up)), body))
        parts.append(Part(box_between((-width / 2, y - 0.22, up), (width / 2, y, up + 0.025)), board))
        parts.append(Part(box_between((-width / 2, y - 0.02, height), (width / 2, y, up)), body))
        return parts, [Top((-width * 0.4, -depth / 2 + 0.05), (width * 0.4, y - 0.25), height)]
    return parts, [Top((-width * 0.42, -depth / 2 + 0.05), (width * 0.42, depth / 2 - 0.03), height)]


def drawer_stack(
    rng: np.random.Generator, span: list[float], depth: float, height: float, body: Material, handles: Material
) -> list[Part]:
    """A chest between two x, with two to four drawer fronts and their handles."""
    left, right = span
    count, y = int(rng.integers(2, 5)), -depth / 2 + 0.02
    parts = [Part(box_between((left, y, 0.04), (right, depth / 2, height)), body)]
    for number in range(count):
        low, high = (0.05 + (height - 0.06) * k / count for k in (number, number + 1))
        middle = (low + high) / 2
        parts.append(Part(box_between((left + 0.01, y - 0.015, low + 0.006), (right - 0.01, y, high - 0.006)), body))
        center = ((left + right) / 2, y - 0.025, middle)
        parts.append(Part(rounded_box((0.12, 0.02, 0.02), center, 3.0, 2), handles))
    return parts

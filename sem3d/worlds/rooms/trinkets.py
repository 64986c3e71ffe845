"""Lamps, plants and bins, and the small things that stand on tables: parametric families in metres."""

from dataclasses import replace

import numpy as np

from sem3d.worlds.grammar.finishes import cloth, draw_color, glazed, hard_finish, metal
from sem3d.worlds.grammar.sketch import Part, Sketch
from sem3d.worlds.solids import Ring, Solid, box_between, loft, moved, rod, rounded_box, turned
from sem3d.worlds.textures import Material, Texture


def floor_lamp(rng: np.random.Generator) -> Sketch:
    """Draw a foot or tripod, a pole and a shade."""
    height, stand = rng.uniform(1.35, 1.75), (metal if rng.random() < 0.6 else hard_finish)(rng)
    low, high = rng.uniform(0.14, 0.24), rng.uniform(0.09, 0.2)
    parts = [lampshade(rng, low, high, height - rng.uniform(0.22, 0.36), height)]
    if rng.random() < 0.35:
        feet = np.arange(3) * 2 * np.pi / 3 + 0.4
        parts += [Part(rod((0.24 * np.cos(a), 0.24 * np.sin(a), 0), (0, 0, height - 0.25), 0.014), stand) for a in feet]
    else:
        parts.append(Part(loft([Ring(0.14, 0.14, 0.0), Ring(0.13, 0.13, 0.025), Ring(0.02, 0.02, 0.04)]), stand))
        parts.append(Part(rod((0, 0, 0.02), (0, 0, height - 0.1), 0.012), stand))
    return Sketch(parts)


def lampshade(rng: np.random.Generator, low: float, high: float, bottom: float, top: float) -> Part:
    """Draw a cone or drum that glows."""
    shade = replace(cloth(rng), glow=float(rng.uniform(0.3, 1.0)))
    return Part(loft([Ring(low, low, bottom), Ring(high, high, top)], 20), shade)


def table_lamp(rng: np.random.Generator) -> Sketch:
    """Draw a small lamp on a turned foot."""
    height, foot = rng.uniform(0.34, 0.5), glazed(rng) if rng.random() < 0.5 else hard_finish(rng)
    waist, belly = rng.uniform(0.02, 0.05), rng.uniform(0.04, 0.08)
    profile = [
        Ring(0.07, 0.07, 0.0),
        Ring(waist, waist, 0.03),
        Ring(belly, belly, height * 0.3),
        Ring(0.012, 0.012, height * 0.7),
    ]
    return Sketch([Part(loft(profile), foot), lampshade(rng, 0.13, rng.uniform(0.08, 0.13), height * 0.6, height)])


def plant(rng: np.random.Generator) -> Sketch:
    """Draw a pot with a fan of long leaves or a bush on a stem."""
    pot, size = glazed(rng) if rng.random() < 0.5 else hard_finish(rng), rng.uniform(0.14, 0.22)
    pot_height, height = rng.uniform(0.22, 0.4), rng.uniform(0.8, 1.5)
    green = (rng.uniform(0.03, 0.12), rng.uniform(0.15, 0.35), rng.uniform(0.02, 0.1))
    tip = (1.4 * green[0], 1.4 * green[1], 1.4 * green[2])
    leaf = Material(texture=Texture.STRIPES, color=green, second=tip, scale=0.06, shine=0.2)
    soil = Material(texture=Texture.NOISE, color=(0.06, 0.04, 0.02), second=(0.1, 0.07, 0.04), scale=0.03)
    parts = [Part(loft([Ring(size * 0.7, size * 0.7, 0.0, 3.0), Ring(size, size, pot_height, 3.0)]), pot)]
    parts.append(
        Part(
            loft([Ring(size * 0.9, size * 0.9, pot_height - 0.01), Ring(size * 0.5, size * 0.5, pot_height + 0.02)]),
            soil,
        )
    )
    bush = rng.random() < 0.5
    if bush:
        parts.append(Part(rod((0, 0, pot_height), (0, 0, height * 0.75), 0.02), soil))
    for _ in range(int(rng.integers(14, 26))):
        length = rng.uniform(0.25, 0.4) if bush else (height - pot_height) * rng.uniform(0.6, 1.0)
        start = height * rng.uniform(0.5, 0.85) if bush else pot_height
        droop = rng.uniform(0.3, 1.9) if bush else rng.uniform(0.1, 0.55)
        blade = turned(leaf_blade(length, 0.25 if bush else 0.1), 0, -droop)
        blade = turned(blade, 2, rng.uniform(0, 2 * np.pi))
        parts.append(Part(moved(blade, (0, 0, start)), leaf))
    return Sketch(parts)


def leaf_blade(length: float, aspect: float) -> Solid:
    """Make a pointed, arched leaf that starts at the origin and grows along z, bending toward +y."""
    along = np.linspace(0.0, 1.0, 6)
    half = aspect * length * np.sin(np.pi * np.minimum(along * 0.9 + 0.08, 1.0)) / 2.0
    y, z = 0.3 * length * along**2, length * along
    vertices = np.stack([np.stack([side * half, y, z], axis=1) for side in (-1.0, 1.0)], axis=1).reshape(-1, 3)
    step = 2 * np.arange(5)[:, None]
    faces = np.concatenate([step + np.array([0, 1, 3]), step + np.array([0, 3, 2])])
    return Solid(vertices, faces)


def bin_or_stool(rng: np.random.Generator) -> Sketch:
    """Draw a waste bin, or a low round stool."""
    if rng.random() < 0.5:
        low, high, height, form = (
            rng.uniform(0.1, 0.15),
            rng.uniform(0.14, 0.2),
            rng.uniform(0.3, 0.6),
            rng.uniform(2, 8),
        )
        rings = [
            Ring(low, low, 0.0, form),
            Ring(high, high, height, form),
            Ring(high - 0.01, high - 0.01, height, form),
        ]
        return Sketch([Part(loft([*rings, Ring(low, low, 0.02, form)], 20), hard_finish(rng))])
    top, height, legs = rng.uniform(0.16, 0.22), rng.uniform(0.4, 0.5), hard_finish(rng)
    seat = loft([Ring(top, top, height - 0.06), Ring(top, top, height - 0.01), Ring(top * 0.9, top * 0.9, height)])
    feet = np.arange(4) * np.pi / 2 + 0.6
    parts = [
        Part(
            rod(
                (top * np.cos(a), top * np.sin(a), 0),
                (top * 0.6 * np.cos(a), top * 0.6 * np.sin(a), height - 0.05),
                0.015,
            ),
            legs,
        )
        for a in feet
    ]
    return Sketch([Part(seat, cloth(rng)), *parts])


def books(rng: np.random.Generator) -> Sketch:
    """Draw a small pile of books that lie."""
    parts, z = [], 0.0
    for _ in range(int(rng.integers(1, 5))):
        thick, width, depth = rng.uniform(0.015, 0.045), rng.uniform(0.14, 0.22), rng.uniform(0.2, 0.29)
        pile = box_between((-width / 2, -depth / 2, z), (width / 2, depth / 2, z + thick))
        parts.append(Part(turned(pile, 2, rng.uniform(-0.3, 0.3)), hard_finish(rng)))
        z += thick
    return Sketch(parts)


def vessel(rng: np.random.Generator) -> Sketch:
    """Draw a mug, bowl, bottle or vase."""
    low, belly, neck = rng.uniform(0.025, 0.05), rng.uniform(0.03, 0.09), rng.uniform(0.015, 0.07)
    height = rng.uniform(0.07, 0.3)
    rings = [
        Ring(low, low, 0.0),
        Ring(belly, belly, height * 0.4),
        Ring(neck, neck, height * 0.8),
        Ring(neck, neck, height),
    ]
    inner = Ring(neck * 0.8, neck * 0.8, height)
    return Sketch([Part(loft([*rings, inner, Ring(neck * 0.6, neck * 0.6, height * 0.7)], 14), glazed(rng))])


def monitor(rng: np.random.Generator) -> Sketch:
    """Draw a screen on a foot."""
    width, height = rng.uniform(0.42, 0.68), rng.uniform(0.28, 0.4)
    case = metal(rng)
    glass = Material(
        texture=Texture.NOISE, color=(0.02, 0.02, 0.03), second=draw_color(rng), scale=0.4, shine=0.8, gloss=80.0
    )
    parts = [Part(box_between((-width / 2, 0, 0.1), (width / 2, 0.03, 0.1 + height)), case)]
    screen = box_between((-width / 2 + 0.01, -0.003, 0.115), (width / 2 - 0.01, 0.0, 0.09 + height))
    parts.append(Part(screen, replace(glass, glow=float(rng.uniform(0.0, 0.8)))))
    parts.append(Part(box_between((-0.02, 0.01, 0.0), (0.02, 0.05, 0.2)), case))
    parts.append(Part(box_between((-0.11, -0.06, 0.0), (0.11, 0.1, 0.012)), case))
    return Sketch(parts)


def crate(rng: np.random.Generator) -> Sketch:
    """Draw a cardboard or storage box."""
    width, depth, height = rng.uniform(0.16, 0.32), rng.uniform(0.14, 0.28), rng.uniform(0.08, 0.22)
    body = hard_finish(rng)
    parts = [Part(box_between((-width / 2, -depth / 2, 0), (width / 2, depth / 2, height)), body)]
    parts.append(Part(rounded_box((width + 0.01, depth + 0.01, 0.03), (0, 0, height - 0.01), 20.0, 1), body))
    return Sketch(parts)

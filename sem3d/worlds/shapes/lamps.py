"""Lamps: standing, desk and hanging ones; shades as cones, drums, globes and bells on straight, arched or jointed tubes."""

import numpy as np

from sem3d.worlds.grammar.finishes import cloth, hard_finish, metal
from sem3d.worlds.grammar.sketch import Mark, Part, Sketch, Vocabulary, farthest
from sem3d.worlds.solids import Ring, Solid, box, loft, moved, rod, turned

LAMP = Vocabulary(
    parts=("base", "tube", "shade", "canopy"),
    keypoints=(
        "base_center",
        "base_front",
        "tube_top",
        "tube_joint",
        "shade_top",
        "shade_rim_left",
        "shade_rim_right",
        "canopy_center",
    ),
)


def lamp(rng: np.random.Generator) -> Sketch:
    """Draw a lamp in metres; a desk lamp reaches to the front."""
    return (standing_lamp, standing_lamp, desk_lamp, hanging_lamp)[rng.integers(4)](rng)


def standing_lamp(rng: np.random.Generator) -> Sketch:
    """Draw foot, stem and shade in a line; tall for the floor or low for a table."""
    tall = rng.random() < 0.5
    height, radius = (
        (rng.uniform(1.2, 1.8), rng.uniform(0.12, 0.2)) if tall else (rng.uniform(0.3, 0.6), rng.uniform(0.07, 0.14))
    )
    body = hard_finish(rng) if rng.random() < 0.6 else metal(rng)
    base, stem_start = foot(rng, radius, height)
    thick = rng.uniform(0.008, 0.016) if tall else rng.uniform(0.006, 0.03)
    tube = rod((0, 0, stem_start), (0, 0, height), thick)
    size = rng.uniform(0.14, 0.26) if tall else rng.uniform(0.09, 0.22)
    shade = moved(lamp_shade(rng, size), (0, 0, height - 0.05))
    parts = [Part(base, body, "base"), Part(tube, body, "tube"), Part(shade, cloth(rng), "shade")]
    marks = {
        "base_center": Mark(base, (0, 0, 0)),
        "base_front": farthest([base], (0, -1, -0.2)),
        "tube_top": Mark(tube, (0, 0, height)),
    }
    return Sketch(parts, marks | shade_marks(shade), LAMP)


def foot(rng: np.random.Generator, radius: float, height: float) -> tuple[Solid, float]:
    """Draw a disc, a square plate, a vase or a dome, and the height at which the tube may start inside it."""
    kind = rng.integers(4)
    if kind == 0:
        return box((2 * radius, 2 * radius, 0.03), (0, 0, 0.015)), 0.01
    profiles = {
        1: [(1.0, 0.0), (1.0, 0.02), (0.3, 0.035)],
        2: [(0.6, 0.0), (1.0, 0.22 * height), (0.8, 0.4 * height), (0.25, 0.55 * height)],
        3: [(1.0, 0.0), (0.9, 0.05), (0.55, 0.09), (0.15, 0.11)],
    }
    profile = profiles[int(kind)] if height < 0.8 or kind != 2 else profiles[1]
    return loft([Ring(radius * size, radius * size, level) for size, level in profile], sections=18), profile[-1][1] / 2


def lamp_shade(rng: np.random.Generator, radius: float) -> Solid:
    """Draw a shade whose lower rim is at z = 0: a hollow cone, drum or bell, or a globe."""
    kind, tall = rng.integers(4), radius * rng.uniform(0.9, 1.6)
    if kind == 3:
        turns = np.linspace(0.05, np.pi - 0.05, 9)
        return loft(
            [Ring(radius * 0.8 * np.sin(t), radius * 0.8 * np.sin(t), radius * 0.8 * (1 - np.cos(t))) for t in turns],
            18,
        )
    outer = {
        0: [(1.0, 0.0), (rng.uniform(0.4, 0.75), 1.0)],
        1: [(1.0, 0.0), (1.0, 1.0)],
        2: [(1.0, 0.0), (0.75, 0.25), (0.6, 0.7), (0.2, 1.0)],
    }[int(kind)]
    wall = 0.93
    inner = [(size * wall, min(level, 0.93)) for size, level in outer]
    profile = [(0.01, 0.93), *reversed(inner), *outer, (0.01, 1.0)]
    return loft([Ring(radius * size, radius * size, tall * level) for size, level in profile], sections=20)


def desk_lamp(rng: np.random.Generator) -> Sketch:
    """Draw a jointed arm from a foot to a shade that hangs in front of it."""
    coat, steel, lower, upper = hard_finish(rng), metal(rng), rng.uniform(0.25, 0.45), rng.uniform(0.2, 0.4)
    back, forward = rng.uniform(0.05, 0.5), rng.uniform(0.9, 1.5)
    base, start = foot(rng, rng.uniform(0.08, 0.12), 0.2)
    joint = np.array([0.0, lower * np.sin(back), start + lower * np.cos(back)])
    tip = joint + np.array([0.0, -upper * np.sin(forward), upper * np.cos(forward)])
    thick = rng.uniform(0.006, 0.014)
    arms = [rod((0, 0, start), joint, thick), rod(joint, tip, thick)]
    shade = lamp_shade(rng, rng.uniform(0.07, 0.13))
    top = float(shade.vertices[:, 2].max())
    shade = moved(turned(moved(shade, (0, 0, -top)), 0, rng.uniform(-0.6, 0.2)), tip)
    parts = [
        Part(base, coat, "base"),
        *(Part(arm, steel, "tube") for arm in arms),
        Part(shade, coat, "shade"),
    ]
    marks = {"base_center": Mark(base, (0, 0, 0)), "base_front": farthest([base], (0, -1, -0.2))}
    marks |= {"tube_joint": Mark(arms[0], joint), "tube_top": Mark(arms[1], tip)}
    return Sketch(parts, marks | shade_marks(shade), LAMP)


def hanging_lamp(rng: np.random.Generator) -> Sketch:
    """Draw a shade on a cord below a canopy."""
    drop, radius = rng.uniform(0.25, 0.9), rng.uniform(0.05, 0.08)
    canopy = loft([Ring(radius * 0.6, radius * 0.6, -0.04), Ring(radius, radius, 0.0)], 16)
    shade = lamp_shade(rng, rng.uniform(0.13, 0.28))
    shade = moved(shade, (0, 0, -drop - float(shade.vertices[:, 2].max())))
    cord = rod((0, 0, -drop - 0.02), (0, 0, -0.02), rng.uniform(0.006, 0.012))
    parts = [
        Part(canopy, metal(rng), "canopy"),
        Part(cord, metal(rng), "tube"),
        Part(shade, cloth(rng) if rng.random() < 0.5 else hard_finish(rng), "shade"),
    ]
    marks = {"canopy_center": Mark(canopy, (0, 0, 0)), "tube_top": Mark(cord, (0, 0, -0.02))}
    return Sketch(parts, marks | shade_marks(shade), LAMP)


def shade_marks(shade: Solid) -> dict[str, Mark]:
    """Mark top and lower rim of a shade."""
    return {
        "shade_top": farthest([shade], (0, 0, 1)),
        "shade_rim_left": farthest([shade], (1, 0, -0.6)),
        "shade_rim_right": farthest([shade], (-1, 0, -0.6)),
    }

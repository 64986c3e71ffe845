"""Random materials of all generated things, in rooms or alone. Every class draws from the same colours, so that colour alone does
not tell a class."""

import colorsys
from dataclasses import replace

import numpy as np

from sem3d.worlds.textures import Material, Texture

Color = tuple[float, float, float]


def draw_color(rng: np.random.Generator) -> Color:
    """Draw a linear colour: a third wooden tones, a third greys and whites, a third any hue."""
    family = rng.random()
    if family < 0.33:
        hue, saturation, value = rng.uniform(0.03, 0.12), rng.uniform(0.25, 0.75), rng.uniform(0.25, 0.85)
    elif family < 0.62:
        hue, saturation, value = rng.random(), rng.uniform(0.0, 0.08), rng.uniform(0.12, 0.96)
    else:
        hue, saturation, value = rng.random(), rng.uniform(0.2, 0.75), rng.uniform(0.3, 0.9)
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return (red**2.2, green**2.2, blue**2.2)


def shade(color: Color, factor: float) -> Color:
    """Make ``color`` darker (below 1) or lighter, kept in [0, 1]."""
    return (min(1.0, color[0] * factor), min(1.0, color[1] * factor), min(1.0, color[2] * factor))


def patterned(rng: np.random.Generator, texture: Texture, scale: tuple[float, float], shine: float) -> Material:
    """Draw a material of the given texture with random colours, turn and offset."""
    color = draw_color(rng)
    contrast = texture in (Texture.STRIPES, Texture.CHECKER, Texture.PLAID, Texture.DOTS)
    second = draw_color(rng) if contrast else shade(color, rng.uniform(0.45, 0.75))
    return Material(
        texture=texture,
        color=color,
        second=second,
        scale=float(rng.uniform(*scale)),
        turn=float(rng.integers(3) * 2.0 * np.pi / 3.0),
        offset=tuple(rng.uniform(0.0, 8.0, 3).tolist()),
        shine=shine * float(rng.uniform(0.3, 1.5)),
        gloss=float(rng.uniform(10.0, 80.0)),
    )


def paint(rng: np.random.Generator) -> Material:
    """Draw smooth, shiny lacquer of one colour, for vehicles and moulded plastic."""
    return patterned(rng, Texture.PLAIN, (0.2, 0.4), 0.4)


def hard_finish(rng: np.random.Generator) -> Material:
    """Draw wood, paint or metal, for the bodies of furniture."""
    texture = [Texture.WOOD, Texture.WOOD, Texture.PLAIN, Texture.PLAIN, Texture.NOISE][rng.integers(5)]
    return patterned(rng, texture, (0.05, 0.14), 0.18)


def cloth(rng: np.random.Generator) -> Material:
    """Draw plain, mottled or printed fabric, for upholstery, bedding and curtains."""
    choices = [
        Texture.PLAIN,
        Texture.PLAIN,
        Texture.NOISE,
        Texture.STRIPES,
        Texture.PLAID,
        Texture.DOTS,
        Texture.CHECKER,
    ]
    return patterned(rng, choices[rng.integers(len(choices))], (0.08, 0.25), 0.03)


def glazed(rng: np.random.Generator) -> Material:
    """Draw something smooth and shiny, often white, for ceramics and appliances; tables and cabinets may be as white."""
    material = patterned(rng, Texture.PLAIN, (0.2, 0.4), 0.5)
    if rng.random() < 0.5:
        white = (0.75, 0.74, 0.7)
        material = replace(material, color=shade(white, rng.uniform(0.7, 1.2)), second=white)
    return material


def metal(rng: np.random.Generator) -> Material:
    """Draw grey or brass with a strong highlight, for legs, handles and taps."""
    level = rng.uniform(0.05, 0.6)
    tint = (1.0, 0.8, 0.45) if rng.random() < 0.25 else (1.0, 1.0, 1.0)
    color = (level * tint[0], level * tint[1], level * tint[2])
    return Material(texture=Texture.PLAIN, color=color, second=color, shine=0.7, gloss=60.0)


def wall_finish(rng: np.random.Generator, tiled: bool) -> Material:
    """Draw paint, wallpaper or tiles; mostly pale."""
    choices = (
        [Texture.TILES, Texture.PLAIN] if tiled else [Texture.PLAIN, Texture.PLAIN, Texture.NOISE, Texture.STRIPES]
    )
    material = patterned(rng, choices[rng.integers(len(choices))], (0.15, 0.4), 0.25 if tiled else 0.02)
    pale = 0.35 if rng.random() < 0.7 else 0.9
    red, green, blue = (1.0 - pale * (1.0 - channel) for channel in material.color)
    lift = (red, green, blue)
    return replace(material, color=lift, second=shade(lift, rng.uniform(0.75, 0.92)))


def floor_finish(rng: np.random.Generator, tiled: bool) -> Material:
    """Draw boards, tiles, carpet or a checkered floor."""
    if tiled:
        choices = [Texture.TILES, Texture.TILES, Texture.CHECKER]
    else:
        choices = [Texture.PLANKS, Texture.PLANKS, Texture.NOISE, Texture.PLAIN, Texture.TILES]
    texture = choices[rng.integers(len(choices))]
    scale = (0.1, 0.2) if texture == Texture.PLANKS else (0.25, 0.6)
    material = patterned(rng, texture, scale, 0.2)
    return replace(material, turn=0.0)

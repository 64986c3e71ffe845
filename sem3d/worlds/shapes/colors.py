"""Colours of generated shapes: wood, metal, plastic and paint as single linear RGB values."""

import colorsys

import numpy as np

from sem3d.worlds.shapes.shape import Color


def paint(rng: np.random.Generator) -> Color:
    """A strong or pale colour of any hue."""
    return hue(rng.random(), rng.uniform(0.2, 0.85), rng.uniform(0.35, 0.9))


def wood(rng: np.random.Generator) -> Color:
    """From dark walnut to birch."""
    return hue(rng.uniform(0.04, 0.1), rng.uniform(0.35, 0.7), rng.uniform(0.25, 0.8))


def metal(rng: np.random.Generator) -> Color:
    """From black steel to chrome."""
    return hue(rng.uniform(0.5, 0.7), rng.uniform(0.0, 0.1), rng.uniform(0.15, 0.85))


def finish(rng: np.random.Generator) -> Color:
    """Any of the three."""
    return (wood, metal, paint)[rng.integers(3)](rng)


def hue(angle: float, saturation: float, value: float) -> Color:
    """RGB of a hue in turns, saturation and value in [0, 1]."""
    red, green, blue = colorsys.hsv_to_rgb(angle, saturation, value)
    return (float(red), float(green), float(blue))

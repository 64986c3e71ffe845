"""Materials and the procedural textures that colour them, as functions of position on the piece of furniture."""

from dataclasses import dataclass
from enum import IntEnum
from functools import cache

import numpy as np
from jaxtyping import Float, Int, UInt8

from sem3d.datasets.objects.linear_light import linear_of_srgb

FAR_SHARE = 0.4
"""Share of the second colour where a pattern is too fine to be seen."""


class Texture(IntEnum):
    """Kinds of mixture of a material's two colours; IMAGE takes its colour from a picture instead."""

    PLAIN = 0
    NOISE = 1
    WOOD = 2
    STRIPES = 3
    CHECKER = 4
    PLAID = 5
    DOTS = 6
    PLANKS = 7
    TILES = 8
    IMAGE = 9


@dataclass(frozen=True, eq=False)
class Material:
    """Look of one kind of surface; colours are linear light in [0, 1]."""

    texture: Texture
    color: tuple[float, float, float]
    second: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: float = 0.1
    """Period of the pattern in metres."""
    turn: float = 0.0
    """Angle in radians by which the pattern is turned about the axis (1, 1, 1) of the piece."""
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    shine: float = 0.05
    """Strength of the highlight that moves with the viewer."""
    gloss: float = 20.0
    """Exponent of the highlight."""
    glow: float = 0.0
    """Light the surface gives off by itself, as a multiple of its colour."""
    image: UInt8[np.ndarray, "height width 3"] | None = None
    """sRGB picture for IMAGE, looked up with the corner coordinates (u to the right, v upward, repeating)."""

    @property
    def mean_color(self) -> tuple[float, float, float]:
        """Return the linear colour from so far away that the pattern cannot be seen."""
        red, green, blue = (
            first + FAR_SHARE * (second - first) for first, second in zip(self.color, self.second, strict=True)
        )
        return (float(red), float(green), float(blue))


class MaterialTable:
    """The materials of one room as columns, so that all pixels of a view are coloured at once."""

    def __init__(self, materials: list[Material]):
        self.texture = np.array([m.texture for m in materials], np.int32)
        self.color = np.array([m.color for m in materials], np.float32).reshape(-1, 3)
        self.second = np.array([m.second for m in materials], np.float32).reshape(-1, 3)
        self.offset = np.array([m.offset for m in materials], np.float32).reshape(-1, 3)
        self.scale = np.array([m.scale for m in materials], np.float32)
        self.shine = np.array([m.shine for m in materials], np.float32)
        self.gloss = np.array([m.gloss for m in materials], np.float32)
        self.glow = np.array([m.glow for m in materials], np.float32)
        self.frame = np.stack([turn_about_diagonal(m.turn) for m in materials]).astype(np.float32)
        self.images = [m.image for m in materials]

    def albedo(
        self,
        material: Int[np.ndarray, " point"],
        position: Float[np.ndarray, "point 3"],
        uv: Float[np.ndarray, "point 2"],
        footprint: Float[np.ndarray, " point"],
    ) -> Float[np.ndarray, "point 3"]:
        """Return the linear colour of surface points.

        ``position`` is in the frame of the piece, in metres; ``footprint`` is the width of a pixel there in metres, and
        patterns finer than it fade into their mean.
        """
        scale = self.scale[material]
        pattern = np.einsum("pij,pj->pi", self.frame[material], position) / scale[:, None] + self.offset[material]
        kind = self.texture[material]
        share = np.empty(len(material), np.float32)
        for texture in np.unique(kind):
            chosen = np.flatnonzero(kind == texture)
            share[chosen] = PATTERNS[texture](pattern[chosen])
        fade = np.exp(-np.square(2.0 * footprint / scale), dtype=np.float32)
        share = FAR_SHARE + (share - FAR_SHARE) * fade
        first = self.color[material]
        albedo = first + (self.second[material] - first) * share[:, None]
        for number in np.unique(material[kind == Texture.IMAGE]):
            chosen = np.flatnonzero(material == number)
            albedo[chosen] = first[chosen] * look_up(self.images[number], uv[chosen])
        return albedo


def turn_about_diagonal(angle: float) -> Float[np.ndarray, "3 3"]:
    """Return the rotation about (1, 1, 1); a third of a turn permutes the axes."""
    cosine, sine = np.cos(angle), np.sin(angle) / np.sqrt(3.0)
    cross = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
    return cosine * np.eye(3) + sine * cross + (1.0 - cosine) / 3.0


def look_up(
    image: UInt8[np.ndarray, "height width 3"], uv: Float[np.ndarray, "point 2"]
) -> Float[np.ndarray, "point 3"]:
    """Return the linear colour of the nearest pixel of an sRGB picture that repeats without end."""
    height, width = image.shape[:2]
    column = np.floor(uv[:, 0] * width).astype(np.int64) % width
    row = np.floor((1.0 - uv[:, 1]) * height).astype(np.int64) % height
    return linear_of_srgb()[image[row, column]]


@cache
def noise_volume() -> Float[np.ndarray, "side side side"]:
    """Make smooth repeating noise with values spread evenly over [0, 1]."""
    side = 48
    white = np.random.default_rng(20210422).normal(size=(side, side, side))
    waves = np.fft.fftfreq(side)
    length = np.sqrt(waves[:, None, None] ** 2 + waves[None, :, None] ** 2 + waves[None, None, :] ** 2)
    length[0, 0, 0] = np.inf
    smooth = np.fft.ifftn(np.fft.fftn(white) * length**-1.8 * np.exp(-((length * 5.0) ** 2))).real
    rank = np.empty(side**3, np.float32)
    rank[np.argsort(smooth, axis=None)] = np.linspace(0.0, 1.0, side**3, dtype=np.float32)
    return rank.reshape(side, side, side)


def noise(pattern: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, " point"]:
    """Return smooth noise in [0, 1] that repeats every 4 units."""
    volume = noise_volume()
    side = volume.shape[0]
    cell = np.floor(pattern * (side / 4.0)).astype(np.int64) % side
    return volume[cell[:, 0], cell[:, 1], cell[:, 2]]


def plain(pattern: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, " point"]:
    """Return almost one colour: a faint unevenness."""
    return 0.15 * noise(pattern)


def wood(pattern: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, " point"]:
    """Return grain along x: stretched noise bends a saw of year rings."""
    stretched = pattern * np.array([0.15, 1.0, 1.0], np.float32)
    ring = stretched[:, 1] + stretched[:, 2] + 2.5 * noise(stretched * 0.5)
    return np.abs(2.0 * (ring - np.floor(ring)) - 1.0) ** 1.5


def stripes(pattern: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, " point"]:
    """Return bands across x."""
    return (pattern[:, 0] - np.floor(pattern[:, 0]) < 0.4).astype(np.float32)


def checker(pattern: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, " point"]:
    """Return cubes of alternating colour."""
    return (np.floor(2.0 * pattern).astype(np.int64).sum(axis=1) % 2).astype(np.float32)


def plaid(pattern: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, " point"]:
    """Return crossing bands whose crossings are darker."""
    part = pattern - np.floor(pattern)
    return (part < 0.3).astype(np.float32).sum(axis=1) / 3.0 + 0.25 * (part[:, 0] > 0.9)


def dots(pattern: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, " point"]:
    """Return round spots of two sizes on a cubic grid."""
    part = pattern - np.floor(pattern) - 0.5
    return (np.sort(np.abs(part), axis=1)[:, :2] ** 2).sum(axis=1).__lt__(0.06).astype(np.float32)


def planks(pattern: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, " point"]:
    """Return boards along x of one unit's width, each with its own tone and grain, and dark joints."""
    board = np.floor(pattern[:, 1])
    along = pattern[:, 0] / 6.0 + 0.37 * board
    tone = np.modf(np.abs(np.sin(12.9898 * board + 78.233 * np.floor(along)) * 43758.547))[0]
    grain = wood(pattern * 3.0 + board[:, None])
    joint = (pattern[:, 1] - board < 0.05) | (along - np.floor(along) < 0.008)
    return np.where(joint, 1.0, 0.55 * tone + 0.3 * grain).astype(np.float32)


def tiles(pattern: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, " point"]:
    """Return square tiles with grout and a little unevenness."""
    part = pattern - np.floor(pattern)
    return np.maximum((part < 0.05).any(axis=1), 0.3 * noise(pattern * 0.7)).astype(np.float32)


PATTERNS = {
    Texture.PLAIN: plain,
    Texture.NOISE: noise,
    Texture.WOOD: wood,
    Texture.STRIPES: stripes,
    Texture.CHECKER: checker,
    Texture.PLAID: plaid,
    Texture.DOTS: dots,
    Texture.PLANKS: planks,
    Texture.TILES: tiles,
    Texture.IMAGE: plain,
}

"""Augmentation of an image that moves its pixels: mirrored, resized; pixels of other data are moved along by the same rule."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from sem3d.bounds import Share, ShareBelowOne
from sem3d.datasets.scans.frames import resize_color
from sem3d.geometry.projection import inside_image, nearest_pixel


@dataclass(frozen=True, kw_only=True)
class WindowAugmentation:
    """Strength and probability; PPKT names both kinds without figures."""

    mirror_probability: Share = 0.5
    """Share of images mirrored left to right; points stay as they are."""
    resize: ShareBelowOne = 0.2
    """Factor of the image's size is drawn from 1 -+ this; a window of the size of before is cut out or filled up with black."""


@dataclass(frozen=True)
class Window:
    """The part of a resized and perhaps mirrored image that is seen, of the size of the image itself."""

    size: tuple[int, int]
    """Height and width of the image and of the window."""
    resized: tuple[int, int]
    """Height and width of the resized image."""
    corner: tuple[int, int]
    """Row and column of the window's first pixel in the resized image; negative where there is black before it."""
    mirrored: bool

    def image(self, image: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
        """Return the window of an image."""
        scaled = resize_color(image, self.resized)
        if self.mirrored:
            scaled = scaled[:, ::-1]
        seen = np.zeros((*self.size, 3), np.uint8)
        targets, sources = [], []
        for start, window, whole in zip(self.corner, self.size, self.resized, strict=True):
            first, last = max(0, -start), min(window, whole - start)
            targets.append(slice(first, last))
            sources.append(slice(first + start, last + start))
        seen[tuple(targets)] = scaled[tuple(sources)]
        return seen

    def pixels(
        self, pixels: Int[np.ndarray, "pixel 2"]
    ) -> tuple[Int[np.ndarray, "pixel 2"], Bool[np.ndarray, " pixel"]]:
        """Return pixels (u, v) of the image as pixels of the window, and whether the window shows them."""
        positions: Float[np.ndarray, "pixel 2"] = (pixels + 0.5) * self._factors() - 0.5
        if self.mirrored:
            positions[:, 0] = self.resized[1] - 1 - positions[:, 0]
        positions -= self.corner[::-1]
        return nearest_pixel(positions), inside_image(positions, self.size)

    def _factors(self) -> Float[np.ndarray, "2"]:
        """Return the factors of u and v."""
        return np.array([new / old for new, old in zip(self.resized[::-1], self.size[::-1], strict=True)])


def whole_window(size: tuple[int, int]) -> Window:
    """Return the window that shows an image of ``size`` as it is."""
    return Window(size, size, (0, 0), False)


def draw_window(size: tuple[int, int], config: WindowAugmentation, rng: np.random.Generator) -> Window:
    """Return a random window of an image of ``size``; the same generator gives the same window."""
    factor = 1 + rng.uniform(-config.resize, config.resize)
    resized = (max(1, round(size[0] * factor)), max(1, round(size[1] * factor)))
    room = [whole - window for window, whole in zip(size, resized, strict=True)]
    row, column = (int(rng.integers(min(0, free), max(0, free) + 1)) for free in room)
    return Window(size, resized, (row, column), bool(rng.random() < config.mirror_probability))

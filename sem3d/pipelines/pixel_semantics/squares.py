"""Squares of pictures that show an object as large as renders show theirs, and what is around it there."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from sem3d.datasets.objects.object_image import OPAQUE
from sem3d.datasets.pictures import read_user_picture
from sem3d.errors import BadSample, UserError
from sem3d.geometry.object_camera import FOCAL_SHARE

HALF = 0.5
"""From pixels that span [0, 1] to those whose centres are whole numbers."""
MOST_SIDE = 4096
"""Pixels of the longer side of the cut picture; a larger one is reduced first."""


class Square(NamedTuple):
    """A square of a picture, whose pixel (0, 0) spans [0, 1]; it may reach beyond the picture."""

    left: float
    top: float
    side: float

    @staticmethod
    def around(box: tuple[float, float, float, float], distance: float) -> "Square":
        """Return the square in which what fills a box, least u and v and largest u and v, is as large as an object of length 1
        that stands at ``distance`` before the camera.
        """
        left, top, right, bottom = box
        side = max(right - left, bottom - top) * distance / FOCAL_SHARE
        return Square((left + right - side) / 2, (top + bottom - side) / 2, side)

    def in_picture(self, places: Float[np.ndarray, "place 2"], side: int) -> Float[np.ndarray, "place 2"]:
        """Return where places of the cut, as large as ``side``, lie in the picture: there centres of pixels are whole numbers."""
        return np.array([self.left, self.top]) + places * (self.side / side) - HALF

    def in_cut(self, places: Float[np.ndarray, "place 2"], side: int) -> Float[np.ndarray, "place 2"]:
        """Return where places of the picture lie in the cut: the inverse of :meth:`in_picture`."""
        return (places + HALF - np.array([self.left, self.top])) * (side / self.side)


def cut_square(path: Path, distance: float, mask: str = "") -> tuple[Image.Image, Square]:
    """Return the square of a picture that shows the object as large as it is in renders, and which it is.

    What is opaque is the object, over white; a picture without transparent pixels is taken whole and goes on beyond its edges.
    Raises :class:`UserError` for no picture, for one that is transparent everywhere or of one colour, and for a mask of another
    size.
    """
    picture = opened(path).convert("RGBA")
    if mask:
        picture = with_mask(picture, Path(mask))
    alpha = np.asarray(picture.getchannel("A"))
    if alpha.min() >= OPAQUE:
        if (np.ptp(np.asarray(picture).reshape(-1, 4), axis=0) == 0).all():
            raise UserError(f"{path} shows nothing: it is of one colour everywhere")
        width, height = picture.size
        side = float(max(width, height))
        square = Square((width - side) / 2, (height - side) / 2, side)
        return cut_out(picture.convert("RGB"), square, white=False), square
    rows, columns = (np.flatnonzero((alpha >= OPAQUE).any(axis)) for axis in (1, 0))
    if not len(rows):
        raise UserError(f"{path} shows nothing: it is transparent everywhere")
    square = Square.around((float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)), distance)
    white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
    return cut_out(Image.alpha_composite(white, picture).convert("RGB"), square, white=True), square


def opened(path: Path) -> Image.Image:
    """Return a user's picture; raises :class:`UserError` for anything else."""
    try:
        return read_user_picture(path, str(path))
    except BadSample as error:
        raise UserError(f"{path} cannot be read as a picture: {error.reason}") from error


def with_mask(picture: Image.Image, path: Path) -> Image.Image:
    """Return an RGBA picture whose alpha is a mask; raises :class:`UserError` for one of another size."""
    mask = opened(path).convert("L")
    if mask.size != picture.size:
        sizes = (f"{width} x {height}" for width, height in (mask.size, picture.size))
        raise UserError("{}: a mask of {}, where the picture is {}".format(path, *sizes))
    picture.putalpha(mask)
    return picture


def cut_out(picture: Image.Image, square: Square, *, white: bool) -> Image.Image:
    """Return a square of an RGB picture at its own size, at most ``MOST_SIDE``; beyond the picture it is white, or the outermost
    pixels go on, as in ShapeHD's photographs.
    """
    width = min(max(1, round(square.side)), MOST_SIDE)
    scale = square.side / width
    cut = picture.transform(
        (width, width),
        Image.Transform.AFFINE,
        (scale, 0, square.left, 0, scale, square.top),
        Image.Resampling.BILINEAR,
        fillcolor=(255,) * 3,
    )
    centres = (np.arange(width) + HALF) * scale
    starts, ends = (square.top, square.left), (picture.height, picture.width)
    rows, columns = (
        np.flatnonzero((start + centres >= 0) & (start + centres < end))
        for start, end in zip(starts, ends, strict=True)
    )
    if white or not len(rows) or not len(columns):
        return cut
    around = [(int(own[0]), width - 1 - int(own[-1])) for own in (rows, columns)]
    return Image.fromarray(np.pad(np.asarray(cut)[np.ix_(rows, columns)], [*around, (0, 0)], mode="edge"))


def as_image(cut: Image.Image, side: int) -> UInt8[Tensor, "3 {side} {side}"]:
    """Return a cut as networks see it."""
    return torch.tensor(np.asarray(cut.resize((side, side), Image.Resampling.BOX)).transpose(2, 0, 1).copy())

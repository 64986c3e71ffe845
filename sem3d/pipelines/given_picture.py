"""A picture of the user's: a file, a PIL image or an array, and the size at which a network of scenes sees it."""

from io import BytesIO
from math import sqrt
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from sem3d.datasets.objects.srn_layout import read_picture
from sem3d.datasets.pictures import MOST_PIXELS, alpha_range, colors_fault, read_user_picture
from sem3d.errors import BadSample, UserError

Picture = str | Path | Image.Image | np.ndarray
"""A file's path, a PIL image, or RGB (RGBA for single objects) of 8 bits as an array."""
SAME_ASPECT = 0.01
"""Difference of aspect up to which a picture is seen at the very size of the training frames."""
LEAST_SIDE = 32


def given(picture: object) -> tuple[Path | bytes, str]:
    """Return the picture as a file or as the bytes of one, and what messages call it.

    Raises :class:`UserError` for an array of another kind and a file that is not there.
    """
    if isinstance(picture, str | Path):
        if not Path(picture).is_file():
            raise UserError(f"{picture} cannot be read: there is no such file")
        return Path(picture), str(picture)
    where = "the picture"
    if isinstance(picture, np.ndarray):
        check_array(picture)
        picture = Image.fromarray(np.ascontiguousarray(picture))
    elif not isinstance(picture, Image.Image):
        raise UserError(f"a {type(picture).__name__} is no picture: give a path, a PIL image or an array of uint8")
    written = BytesIO()
    try:
        picture.save(written, format="PNG", compress_level=1)
    except (OSError, ValueError) as error:
        raise UserError(f"{where} cannot be used: {error}") from error
    return written.getvalue(), where


def check_array(picture: np.ndarray) -> None:
    """Raise :class:`UserError` for an array that is no RGB or RGBA of 8 bits, or larger than pictures in files may be."""
    shape, kind = tuple(picture.shape), picture.dtype
    if kind != np.uint8 or len(shape) != 3 or shape[2] not in (3, 4) or 0 in shape:
        raise UserError(
            f"an array of {kind} and shape {shape} is no picture: give uint8 of shape (height, width, 3 or 4), RGB or RGBA"
        )
    if shape[0] * shape[1] > MOST_PIXELS:
        raise UserError(f"an array of {shape[1]} x {shape[0]} pixels is too large: at most {MOST_PIXELS} can be used")


def scene_picture(picture: Picture) -> UInt8[np.ndarray, "height width 3"]:
    """Return a picture of a scene as RGB, upright.

    Raises :class:`UserError` for what is no picture, is black, or has transparent pixels, whose colour means nothing.
    """
    where = "the picture"
    if isinstance(picture, np.ndarray) and picture.shape[2:] == (3,):  # there is nothing to decode
        check_array(picture)
        colors = np.ascontiguousarray(picture)
    else:
        source, where = given(picture)
        colors = decoded(source, where)
    if fault := colors_fault(colors):
        raise UserError(f"{where}: {fault}")
    return colors


def object_picture(picture: Picture) -> UInt8[np.ndarray, "height width 4"]:
    """Return a picture of one object as RGBA, upright, not multiplied; without transparent pixels, what is white is background.

    Raises :class:`UserError` for what is no picture, or shows nothing.
    """
    source, where = given(picture)
    try:
        return read_picture(source, where)
    except BadSample as error:
        raise UserError(f"{where} cannot be used as a picture of an object: {error.reason}") from error


def decoded(source: Path | bytes, where: str) -> UInt8[np.ndarray, "height width 3"]:
    """Return a picture without transparent pixels as RGB, upright; errors as :func:`scene_picture`."""
    try:
        opened = read_user_picture(source, where)
    except BadSample as error:
        raise UserError(f"{where} cannot be read as a picture: {error.reason}") from error
    if "A" in opened.getbands() or "transparency" in opened.info:
        opened = opened.convert("RGBA")
        if alpha_range(opened)[0] < 255:
            raise UserError(f"{where} has transparent pixels, whose colour means nothing: save it as RGB")
    return np.asarray(opened.convert("RGB"))


def seen_size(size: tuple[int, int], trained: tuple[int, int]) -> tuple[int, int]:
    """Return (height, width) at which a network that learnt at ``trained`` sees a picture of ``size``.

    That of the training frames where the aspect is theirs, else the picture's own aspect at as many pixels.
    """
    height, width = size
    if abs(width / height * trained[0] / trained[1] - 1) <= SAME_ASPECT:
        return trained
    scale = sqrt(trained[0] * trained[1] / (height * width))
    return max(LEAST_SIDE, round(height * scale)), max(LEAST_SIDE, round(width * scale))

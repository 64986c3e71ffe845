"""The one reader of pictures: formats by content, regular files only, sizes bounded before a pixel is decoded.

A picture may have :data:`MOST_PIXELS`, one of depth, of which many are held at once, :data:`MOST_DEPTH_PIXELS`, and no more than
its bytes can hold: deflate packs 1032 bytes into one, and a block of 8 x 8 pixels takes a bit of a JPEG at least. A PNG's
checksums are compared, which decoding alone does not do.
"""

import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image, ImageOps

from sem3d.errors import BadSample
from sem3d.files import open_regular, read_regular

IMAGE_ERRORS = (
    *(OSError, SyntaxError, ValueError, struct.error, zlib.error, EOFError, LookupError, TypeError, ArithmeticError),
    *(AttributeError, MemoryError, Image.DecompressionBombError, Image.DecompressionBombWarning),
)
"""Everything that PIL raises for bytes that are no picture."""
SCAN_FORMATS = ("PNG", "JPEG")
PICTURE_FORMATS = ("PNG", "JPEG", "WEBP")
"""Formats of users' own pictures and of textures."""
MOST_PIXELS, MOST_DEPTH_PIXELS = 64 << 20, 8 << 20
MOST_BYTES = 256 << 20
DEFLATE = 1032
BITS = {"I;16": 16, "LA": 16, "RGB": 24, "RGBA": 32}
"""Bits of a pixel at least, by mode; other modes may have one."""
DARKEST = 3
"""Of 255; a JPEG of fractions as whole numbers may have it."""
JPEG_PIXELS = 512
"""Pixels that a byte of a JPEG can stand for."""
ORIENTATION, LYING = 0x0112, (5, 6, 7, 8)
"""Tag of EXIF, and its values that exchange width and height."""
PNG_BITS = 24
"""Byte of a PNG's header that holds the bits of a channel."""


def picture_header(path: Path, upright: bool = False) -> tuple[int, int, str]:
    """Return height, width and PIL mode from a scan image's header, of the turned picture where ``upright``.

    Raises :class:`BadSample` where there is no such picture, or one too large.
    """
    try:
        with without_warnings(), open_regular(path) as file, Image.open(file, formats=SCAN_FORMATS) as image:
            check_pixels(image, path.stat().st_size, str(path))
            turned = upright and "exif" in image.info and image.getexif().get(ORIENTATION) in LYING
            size = (image.width, image.height) if turned else (image.height, image.width)
            return *size, image.mode
    except BadSample:
        raise
    except FileNotFoundError as error:
        raise BadSample(str(path), "missing file") from error
    except IMAGE_ERRORS as error:
        empty = os.path.isfile(path) and os.path.getsize(path) == 0
        raise BadSample(str(path), "empty file" if empty else unreadable(error)) from error


def read_color_picture(source: Path | bytes, where: str, upright: bool = True) -> UInt8[np.ndarray, "height width 3"]:
    """Return an 8-bit picture as RGB, turned as its EXIF says where ``upright``; grey and palettes are converted.

    Raises :class:`BadSample` for 16 bits, CMYK, and pixels that are not opaque, whose colour means nothing.
    """
    image, content = read_picture(source, where)
    if image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA") or channel_bits(image, content) > 8:
        raise BadSample(where, f"wrong kind of image: {kind(image, content)}, not RGB of 8 bits: save it so")
    if "A" in image.getbands() or "transparency" in image.info:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        if alpha_range(image)[0] < 255:
            raise BadSample(where, "wrong kind of image: colour with transparent pixels: save it as RGB")
    return np.asarray((turned_upright(image, where) if upright else image).convert("RGB"))


def colors_fault(colors: UInt8[np.ndarray, "*places 3"]) -> str | None:
    """Return why colours of a frame or of a surface cannot be meant; None where they may be."""
    brightest = int(colors.max(initial=0))
    if brightest > DARKEST or not colors.size:
        return None
    return (
        f"implausible colours: none is above {brightest} of 255; multiply fractions by 255, or leave out what is black"
    )


def read_value_picture(source: Path | bytes, where: str, *modes: str) -> Shaped[np.ndarray, "height width"]:
    """Return pixels as stored, of one of PIL's ``modes`` "L" (also numbers into a palette) and "I;16".

    Raises :class:`BadSample` for another kind, also for grey of less than 8 bits, which PIL stretches to 0..255.
    """
    image, content = read_picture(source, where)
    wrong = image.mode not in modes and not (image.mode == "P" and "L" in modes)
    if wrong or (image.mode == "L" and channel_bits(image, content) < 8):
        raise BadSample(where, f"wrong kind of image: {kind(image, content)}, not {' or '.join(modes)}")
    return np.asarray(image)


def read_user_picture(source: Path | bytes, where: str, upright: bool = True) -> Image.Image:
    """Return a user's own picture or a texture, turned as its EXIF says where ``upright``; raises :class:`BadSample`."""
    image, content = read_picture(source, where, PICTURE_FORMATS)
    if image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA") or channel_bits(image, content) > 8:
        raise BadSample(where, f"wrong kind of image: {kind(image, content)}, not RGB or RGBA of 8 bits: save it so")
    return turned_upright(image, where) if upright else image


def read_picture(
    source: Path | bytes, where: str, formats: tuple[str, ...] = SCAN_FORMATS
) -> tuple[Image.Image, bytes]:
    """Return a decoded picture and the bytes of its file; raises :class:`BadSample` that names ``where``."""
    try:
        content = source if isinstance(source, bytes) else read_regular(source, MOST_BYTES)
        with without_warnings():
            with Image.open(BytesIO(content), formats=formats) as opened:
                check_pixels(opened, len(content), where)
                if opened.format == "PNG":
                    opened.verify()
            image = Image.open(BytesIO(content), formats=formats)
            image.load()
    except BadSample:
        raise
    except FileNotFoundError as error:
        raise BadSample(where, "missing file") from error
    except IMAGE_ERRORS as error:
        raise BadSample(where, unreadable(error)) from error
    return image, content


@contextmanager
def without_warnings() -> Iterator[None]:
    """Keep what PIL warns of off the terminal: it is refused with a reason, or means nothing, such as a broken EXIF block."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def check_pixels(image: Image.Image, weight: int, where: str) -> None:
    """Raise :class:`BadSample` if a picture announces more pixels than can be used, or than its bytes can hold."""
    pixels = image.width * image.height
    if pixels > MOST_PIXELS:
        raise BadSample(where, f"huge image: {image.width}x{image.height}, at most {MOST_PIXELS} pixels can be used")
    a_byte = {"PNG": DEFLATE * 8 / BITS.get(image.mode, 1), "JPEG": JPEG_PIXELS}.get(image.format or "")
    if a_byte is not None and pixels > a_byte * weight:
        raise BadSample(where, f"damaged image: announces {image.width}x{image.height} in a file of {weight} bytes")


def turned_upright(image: Image.Image, where: str) -> Image.Image:
    """Return the picture as its EXIF says it is to be looked at."""
    try:
        with without_warnings():
            return ImageOps.exif_transpose(image) if image.getexif().get(ORIENTATION, 1) != 1 else image
    except IMAGE_ERRORS as error:
        raise BadSample(where, f"undecodable EXIF of an image: {words_of(error)}") from error


def alpha_range(image: Image.Image) -> tuple[int, int]:
    """Return least and largest opacity of a picture that has any."""
    alpha = np.asarray(image.getchannel("A"))
    return int(alpha.min()), int(alpha.max())


def channel_bits(image: Image.Image, content: bytes) -> int:
    """Return bits of a channel as the file has them, which PIL's mode does not tell of a PNG."""
    indexed = image.mode == "P"
    return content[PNG_BITS] if image.format == "PNG" and not indexed else 8


def kind(image: Image.Image, content: bytes) -> str:
    """Return the kind of a picture for a message."""
    return f"{image.mode} of {channel_bits(image, content)} bits" if image.format == "PNG" else image.mode


def words_of(error: BaseException) -> str:
    """Return an error's text, or its name, without the address of a buffer."""
    text = str(error) or type(error).__name__
    return "no picture of a known format" if "cannot identify image file" in text else text


def unreadable(error: BaseException) -> str:
    """Return the reason that an error of PIL's gives."""
    huge = isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning)
    return f"{'huge' if huge else 'undecodable'} image: {words_of(error)}"

"""A user's own picture of an object as the networks of single objects see it, and a predicted mesh as a file."""

from pathlib import Path

import numpy as np
import trimesh
from jaxtyping import Float, Int, UInt8
from PIL import Image

from sem3d.datasets.objects.nmr import IMAGE_SHAPE
from sem3d.datasets.objects.plausible_renders import FAINTEST
from sem3d.datasets.pictures import alpha_range, read_user_picture
from sem3d.errors import BadSample, UserError

SIZE = IMAGE_SHAPE[-1]
FILLED = 0.72
"""Share of the image that the longer side of an object takes in the renders, about."""
OPAQUE = 128
LARGEST_SIDE = 4096
"""Pixels; a larger object is reduced first, so that its memory stays that of its picture."""
MESH_FORMATS = (".obj", ".ply", ".glb")


def read_object_image(source: Path | bytes, where: str = "") -> UInt8[np.ndarray, "4 64 64"]:
    """Return RGBA over black, upright, as the renders are; a picture of another size is cut to its object, centred and scaled.

    Raises :class:`UserError`, naming ``where`` or else the file, for one that is no picture, has no alpha channel, or shows
    nothing.
    """
    where = where or str(source)
    picture = cut_out(source, where)
    if picture.size != (SIZE, SIZE):
        picture = centred(picture)
    image = np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1))
    if image[3].max() < FAINTEST:
        raise UserError(
            f"{where} shows nothing at {SIZE} x {SIZE} pixels: what is opaque in it is too thin; cut out an object"
        )
    return image


def cut_out(source: Path | bytes, where: str) -> Image.Image:
    """Return a user's picture of an object over black; errors as above."""
    try:
        opened = read_user_picture(source, where)
    except BadSample as error:
        raise UserError(f"{where} cannot be read as a picture: {error.reason}") from error
    transparent = "A" in opened.getbands() or "transparency" in opened.info
    picture = opened if opened.mode == "RGBA" else opened.convert("RGBA")
    least, most = alpha_range(picture)
    if not transparent or least == 255:
        what = "its mask covers the whole picture" if transparent else "it has no alpha channel"
        raise UserError(f"{where}: {what}; cut the object out and save it as RGBA, for example a PNG")
    if most < OPAQUE:
        faint = f"alpha is at most {most} of 255, multiply it by {255 / most:.3g}" if most else "its mask is empty"
        raise UserError(f"{where} shows nothing: {faint}")
    return picture.convert("RGBa")


def centred(picture: Image.Image) -> Image.Image:
    """Return the object in the middle of a square picture, as large as in the renders."""
    alpha = np.asarray(picture.getchannel("a"))
    rows, columns = (np.flatnonzero((alpha >= OPAQUE).any(axis)) for axis in (1, 0))
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    longest = max(box[2] - box[0], box[3] - box[1])
    side = longest / FILLED
    left, top = (box[0] + box[2] - side) / 2, (box[1] + box[3] - side) / 2
    if (times := -(-longest // LARGEST_SIDE)) > 1:
        inside = (max(0, round(left)), max(0, round(top)))
        limit = (min(picture.width, round(left + side)), min(picture.height, round(top + side)))
        picture = picture.crop((*inside, *limit)).reduce(times)
        left, top, side = (left - inside[0]) / times, (top - inside[1]) / times, side / times
    width = max(SIZE, round(side))
    frame = Image.new("RGBa", (width, width))
    scaled = picture.crop((round(left), round(top), round(left + side), round(top + side)))
    frame.paste(scaled.resize(frame.size, Image.Resampling.BICUBIC))
    return frame.resize((SIZE, SIZE), Image.Resampling.BOX)


def write_mesh(path: Path, vertices: Float[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"]) -> None:
    """Write a mesh in right-handed axes, y up, as .obj, .ply or .glb; raises :class:`UserError` for another ending."""
    if path.suffix.lower() not in MESH_FORMATS:
        raise UserError(f"{path} must end in {', '.join(MESH_FORMATS)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    trimesh.Trimesh(vertices, faces, process=False).export(path)

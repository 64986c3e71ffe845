"""Colours of faces from the pictures of their materials, and the places where these show nothing."""

import numpy as np
from jaxtyping import Bool, Float
from PIL import Image

from sem3d.datasets.objects.linear_light import linear_of_srgb
from sem3d.datasets.objects.model_files import ModelFiles
from sem3d.datasets.objects.obj_model import ObjModel

GREY = 0.4
UNNAMED_LEVEL = 100
"""Grey, 0 to 255, of faces with texture coordinates and no material."""


def face_colors(model: ObjModel, files: ModelFiles) -> tuple[Float[np.ndarray, "face 3"], tuple[str, ...]]:
    """Return linear RGB of each face, and notes: its picture at the middle of the face, else its diffuse colour, else grey."""
    linear = linear_of_srgb()
    plain = [np.full(3, GREY) if material is None else linear[list(material.diffuse)] for material in model.materials]
    colors = np.array(plain, np.float64)[model.face_material]
    unnamed = np.array([material is None for material in model.materials])[model.face_material]
    colors[unnamed & model.textured] = linear[UNNAMED_LEVEL]
    pictures = {material.picture: 0 for material in model.materials if material and material.picture}
    numbers = {"": -1} | {path: number for number, path in enumerate(pictures)}
    number = np.array([numbers[material.picture if material else ""] for material in model.materials])
    picture_of = np.where(model.textured, number[model.face_material], -1)
    order = np.argsort(picture_of, kind="stable")
    ends = np.searchsorted(picture_of[order], np.arange(len(pictures) + 1)).tolist()
    unseen = 0
    for path, start, end in zip(pictures, ends, ends[1:], strict=False):
        chosen = order[start:end]
        if not len(chosen):
            continue
        picture = files.picture(path)
        middle = model.coordinates[chosen].mean(axis=1) % 1.0
        column = np.clip(middle[:, 0] * picture.width, 0, picture.width - 1).astype(int)
        row = np.clip((1.0 - middle[:, 1]) * picture.height, 0, picture.height - 1).astype(int)
        colors[chosen] = linear[np.asarray(picture.convert("RGB"))[row, column]]
        unseen += int(empty_texels(picture)[row, column].sum())
    notes = [f"transparent texture: {unseen} faces lie where their picture shows nothing, and have the colour under it"]
    return colors, tuple(notes if unseen else ())


def empty_texels(picture: Image.Image) -> Bool[np.ndarray, "height width"]:
    """Return the pixels of a picture that show nothing: their colour may be any."""
    if "A" in picture.getbands() or "transparency" in picture.info:
        return np.asarray(picture.convert("RGBA").getchannel("A")) == 0
    return np.zeros((picture.height, picture.width), bool)

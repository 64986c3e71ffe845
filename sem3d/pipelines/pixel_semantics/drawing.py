"""Pictures of what the pipeline understood (2D-3D-2D, Figures 13 to 15): shape, viewpoint, embedding, keypoints, good or bad."""

import colorsys
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw
from torch import Tensor

from sem3d.evaluation.figures.canvas import INK, PAPER, Colour, stacked, text_line
from sem3d.evaluation.figures.picture_grid import picture_grid
from sem3d.evaluation.figures.principal import pca_features
from sem3d.geometry.object_camera import centred_intrinsics
from sem3d.pipelines.pixel_semantics.understanding import SILHOUETTE, Understood
from sem3d.rendering.fitted_viewpoint import ObjectCamera
from sem3d.rendering.posed_views import TracedMesh
from sem3d.rendering.sketches import draw_sketch

SIDE = 240
REACH = 5.0
GREY = (70, 235)
"""Darkest and lightest shade of a surface."""


def understanding_sheet(
    shown: Sequence[tuple[UInt8[Tensor, "3 _ _"], Understood]], told: Sequence[str]
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw a row for each picture: itself, the pixels that are taken for the object, the shape as the fitted camera sees it, the
    embedding of its pixels, and its keypoints, hidden ones as rings. Colours of embeddings and of meanings are the same in all
    rows; below stand the keypoints' numbers, and lines on what drew all this.
    """
    pictures = [enlarged(image) for image, _ in shown]
    features = [one.pixels(SIDE)[0] for _, one in shown]
    painted = pca_features(features)
    columns = {"picture": pictures}
    columns["taken for the object"] = [taken(picture, one) for picture, (_, one) in zip(pictures, shown, strict=True)]
    columns["shape and viewpoint"] = [surface(one) for _, one in shown]
    columns["embedding"] = [
        np.where(np.isfinite(own[0])[..., None], colours, picture // 3 + 160).astype(np.uint8)
        for own, colours, picture in zip(features, painted, pictures, strict=True)
    ]
    columns["keypoints"] = [marked(picture, one) for picture, (_, one) in zip(pictures, shown, strict=True)]
    meanings = shown[0][1].meanings.tolist()
    palette = np.array(meaning_colours(len(meanings)), np.uint8)
    grid = picture_grid(columns, palette, [str(meaning) for meaning in meanings], SIDE)
    lines = ["keypoints by semantic id: discs are in sight, rings hidden", *told]
    return stacked([Image.fromarray(grid), *(text_line(line, grid.shape[1]) for line in lines)])


def taken(picture: UInt8[np.ndarray, "side side 3"], one: Understood) -> UInt8[np.ndarray, "side side 3"]:
    """Draw the silhouette that the shape and the viewpoint are found from: what is outside it fades."""
    silhouette = Image.fromarray(np.uint8(255) * (one.sketch[SILHOUETTE] > 0).astype(np.uint8))
    inside = np.asarray(silhouette.resize((SIDE, SIDE), Image.Resampling.NEAREST))[..., None] > 0
    return np.where(inside, picture, picture // 6 + 212).astype(np.uint8)


def enlarged(image: UInt8[Tensor, "3 _ _"]) -> UInt8[np.ndarray, "side side 3"]:
    """Return a picture at the size of the drawings."""
    picture = Image.fromarray(image.permute(1, 2, 0).cpu().numpy())
    return np.array(picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def surface(one: Understood) -> UInt8[np.ndarray, "side side 3"]:
    """Draw the shape from the fitted camera; white where there is none."""
    return np.full((SIDE, SIDE, 3), 255, np.uint8) if one.traced is None else shaded(one.traced, one.camera)


def shaded(traced: TracedMesh, camera: ObjectCamera) -> UInt8[np.ndarray, "side side 3"]:
    """Draw a shape from a camera on white, lighter where it faces it."""
    depth, normals = draw_sketch(traced, np.linalg.inv(camera.transform()), centred_intrinsics(SIDE), SIDE)
    facing = (-normals[..., 2:]).clip(0, 1)
    shade = GREY[0] + (GREY[1] - GREY[0]) * facing
    return np.where(depth[..., None] > 0, shade, np.full(3, 255)).astype(np.uint8)


def marked(picture: UInt8[np.ndarray, "side side 3"], one: Understood) -> UInt8[np.ndarray, "side side 3"]:
    """Draw keypoints over a picture: discs where they are in sight, rings where a face hides them."""
    canvas = Image.fromarray(picture)
    draw = ImageDraw.Draw(canvas)
    places, seen = one.located(SIDE)
    for (u, v), visible, colour in zip(places, seen, meaning_colours(len(places)), strict=True):
        if np.isfinite((u, v)).all():
            disc(draw, np.array([u, v]), colour, visible=bool(visible))
    return np.array(canvas)


def disc(draw: ImageDraw.ImageDraw, place: Float[np.ndarray, "2"], colour: Colour, *, visible: bool) -> None:
    """Draw one keypoint."""
    u, v = float(place[0]), float(place[1])
    box = [u - REACH, v - REACH, u + REACH, v + REACH]
    if visible:
        draw.ellipse(box, fill=colour, outline=INK)
    else:
        draw.ellipse(box, outline=PAPER, width=3)
        draw.ellipse(box, outline=colour, width=2)


def meaning_colours(count: int) -> list[Colour]:
    """Return a colour for each meaning, all round the circle of hues."""
    colours: list[Colour] = []
    for number in range(count):
        red, green, blue = colorsys.hsv_to_rgb(number / max(count, 1), 0.85, 0.95)
        colours.append((round(255 * red), round(255 * green), round(255 * blue)))
    return colours

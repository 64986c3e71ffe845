"""Views of objects that nobody has taken: strips, animations and clouds of labelled points."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from PIL import Image
from torch import Tensor

from sem3d.datasets.scans.labelled_ply import labelled_rows, write_ply
from sem3d.evaluation.figures.part_colours import part_palette
from sem3d.evaluation.figures.picture_grid import picture_grid
from sem3d.evaluation.figures.video import no_video, write_video
from sem3d.files import whole_file
from sem3d.geometry.rays import Rays, rays_of_pixels
from sem3d.geometry.sphere_cameras import looking_at_origin, square_intrinsics
from sem3d.methods.semantic_srn.batch import SemanticSRNBatch
from sem3d.methods.semantic_srn.view_scores import as_pictures, silhouettes
from sem3d.methods.semantic_srn.views import Views

PICTURED = 6
"""Views of a sheet."""
VIEWS_OF_A_STRIP = 8
DISTANCE = 1.3
"""Of the camera from the object's centre; the object's box has diagonal 1."""
ELEVATION = 0.5
"""Of the camera above the object's centre, radians."""
FRAME_MILLISECONDS = 80


@runtime_checkable
class Scenes(Protocol):
    """A method that renders objects by their latents."""

    def drawn(self, latents: Float[Tensor, "object latent"], rays: Rays) -> Views:
        """Render any number of rays of objects."""
        ...


@dataclass(frozen=True)
class NovelViews:
    """Pictures of one object, or of one that becomes another."""

    color: UInt8[np.ndarray, "view side side 3"]
    seen: Bool[np.ndarray, "view side side"]
    """Where the object is."""
    points: Float[np.ndarray, "view side side 3"]
    """Where rays end, in the world."""
    label: Int[np.ndarray, "view side side"] | None
    """Class of the part, where there is a segmentation renderer."""
    classes: int
    """Number of classes; 0 without labels."""


def around(scenes: Scenes, latents: Float[Tensor, "one_or_view latent"], side: int, views: int) -> NovelViews:
    """Render views at equal turns about the vertical: of one latent, or each view of its own, for an object that changes."""
    turns = np.arange(views) * 2 * np.pi / views
    level = np.cos(ELEVATION)
    eyes = np.stack([level * np.sin(turns), -level * np.cos(turns), np.full(views, np.sin(ELEVATION))], 1) * DISTANCE
    poses = torch.tensor(looking_at_origin(eyes)).to(latents)
    return seen_from(scenes, latents.expand(views, -1), poses, side)


def seen_from(
    scenes: Scenes, latents: Float[Tensor, "view latent"], poses: Float[Tensor, "view 4 4"], side: int
) -> NovelViews:
    """Render a square picture for each pose and latent."""
    place = torch.arange(side * side, device=latents.device)
    pixels = torch.stack([place % side, place // side], 1).to(latents) + 0.5
    intrinsics = torch.tensor(square_intrinsics(side)).to(latents).expand(len(poses), 3, 3)
    rays = rays_of_pixels(pixels.expand(len(poses), 1, -1, 2), intrinsics, poses[:, None])
    views = scenes.drawn(latents, rays)
    silhouette = silhouettes(views)
    color = as_bytes(views.rendered.color[..., :3])
    if silhouette is None:
        silhouette = (views.rendered.color < 0.9).any(-1)
    square = (len(poses), side, side)
    return NovelViews(
        color.reshape(*square, 3),
        silhouette.cpu().numpy().reshape(square),
        rays.points(views.rendered.distance).float().cpu().numpy().reshape(*square, 3),
        None if views.logits is None else views.logits.argmax(-1).cpu().numpy().reshape(square),
        0 if views.logits is None else views.logits.shape[-1],
    )


def as_bytes(color: Float[Tensor, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """Return colours in [-1, 1], those outside cut off, as bytes."""
    return ((color.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu().numpy()


def views_sheet(views: Views, batch: SemanticSRNBatch, names: Sequence[str]) -> UInt8[np.ndarray, "height width 3"]:
    """Draw the first views of a batch: true and rendered colour, and labels where these are rendered."""
    columns = {
        "true": as_bytes(as_pictures(batch.color.flatten(1, 2), batch)[:PICTURED, 0]),
        "rendered": as_bytes(as_pictures(views.rendered.color, batch)[:PICTURED, 0, ..., :3]),
    }
    if views.logits is None:
        return picture_grid({name: list(pictures) for name, pictures in columns.items()})
    palette = part_palette(views.logits.shape[-1])
    labels = {
        "true labels": batch.label.flatten(1, 2)[..., None],
        "rendered labels": views.logits.argmax(-1)[..., None],
    }
    for name, ids in labels.items():
        columns[name] = palette[as_pictures(ids, batch)[:PICTURED, 0, ..., 0].clamp(min=0).cpu().numpy()]
    return picture_grid({name: list(pictures) for name, pictures in columns.items()}, palette, names)


def strip(found: NovelViews, names: Sequence[str]) -> UInt8[np.ndarray, "height width 3"]:
    """Draw views beside each other: colours above, labels below where there are any."""
    columns = {f"view {number + 1}": [color] for number, color in enumerate(found.color)}
    if found.label is None:
        return picture_grid(columns)
    palette = part_palette(found.classes)
    for pictures, label in zip(columns.values(), found.label, strict=True):
        pictures.append(palette[label])
    return picture_grid(columns, palette, names)


def write_products(found: NovelViews, stem: Path, names: Sequence[str]) -> list[Path]:
    """Write ``<stem>.png``, a strip of the views, and ``<stem>.ply``, the points where their rays meet the object."""
    picture, cloud = stem.with_suffix(".png"), stem.with_suffix(".ply")
    with whole_file(picture) as pending:
        Image.fromarray(strip(found, names)).save(pending, format="PNG")
    with whole_file(cloud) as pending:
        write_ply(pending, labelled_rows(*labelled_points(found)))
    return [picture, cloud]


def labelled_points(
    found: NovelViews,
) -> tuple[Float[np.ndarray, "point 3"], UInt8[np.ndarray, "point 3"], UInt8[np.ndarray, " point"]]:
    """Return the points of the object with their colours, painted by class where there are classes, and these."""
    points, color = found.points[found.seen], found.color[found.seen]
    if found.label is None:
        return points, color, np.zeros(len(points), np.uint8)
    label = found.label[found.seen].astype(np.uint8)
    return points, part_palette(found.classes)[label], label


def write_turn(found: NovelViews, stem: Path) -> tuple[list[Path], str]:
    """Write the views one after the other, colours and beside them labels where there are any: ``<stem>.gif``, without end, and
    ``<stem>.mp4``.

    Returns these, and a line that says why there is no MP4, empty where there is one.
    """
    frames, animation, video = found.color, stem.with_suffix(".gif"), stem.with_suffix(".mp4")
    if found.label is not None:
        frames = np.concatenate([frames, part_palette(found.classes)[found.label]], 2)
    first, *others = map(Image.fromarray, frames)
    with whole_file(animation) as pending:
        first.save(pending, format="GIF", save_all=True, append_images=others, duration=FRAME_MILLISECONDS, loop=0)
    missing = no_video()
    if missing:
        return [animation], missing
    write_video(frames, video, FRAME_MILLISECONDS)
    return [animation, video], ""

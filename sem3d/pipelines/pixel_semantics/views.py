"""Views of test objects with everything that is known of them, as the pipeline is scored on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from sem3d.datasets.objects.sketch_files import DEPTH, KEYPOINTS, PHOTO, read_depth, read_shape_keypoints
from sem3d.datasets.objects.srn_cameras import read_intrinsics
from sem3d.datasets.photos.keypoint_images import KeypointImage, KeypointPair
from sem3d.datasets.pictures import read_user_picture
from sem3d.datasets.quarantine import Quarantined, QuarantineReport, check_limit, first_reasons
from sem3d.datasets.sketched_views import LoadSketched
from sem3d.datasets.stream import Samples
from sem3d.errors import BadSample, UserError
from sem3d.geometry.object_camera import FOCAL_SHARE, camera_from_object, centred_intrinsics, viewpoint_of
from sem3d.geometry.projection import project
from sem3d.geometry.viewpoint_bins import angle_between
from sem3d.pipelines.pixel_semantics.squares import HALF
from sem3d.pipelines.pixel_semantics.understanding import Given

FAR_APART = 60.0
"""Degrees between two viewpoints from which on they differ much."""
SAME_FOCAL = 0.01
"""Share by which focal lengths may differ."""


@dataclass(frozen=True, eq=False)
class KnownView:
    """One view of a test object."""

    name: str
    """Of the object."""
    image: UInt8[Tensor, "3 side side"]
    picture: str
    """Path of the stored picture below the data's root."""
    side: int
    """Of the stored picture, pixels; places are in it, centres of pixels at whole numbers."""
    truth: Given
    """Sketch, voxels and angles."""
    meanings: Int[np.ndarray, " keypoint"]
    xyz: Float[np.ndarray, "keypoint 3"]
    """In the object's frame."""
    places: Float[np.ndarray, "keypoint 2"]
    visible: Bool[np.ndarray, " keypoint"]
    inside: Bool[np.ndarray, " keypoint"]
    """Within the picture."""
    box: tuple[float, float, float, float]
    """Of the object's pixels."""

    def as_image(self) -> KeypointImage:
        """Return the picture with its visible keypoints, by meaning."""
        keypoints = {
            str(meaning): (float(u), float(v))
            for meaning, (u, v), seen in zip(self.meanings.tolist(), self.places, self.visible, strict=True)
            if seen
        }
        return KeypointImage(self.picture, (self.side, self.side), keypoints, self.box, "object")


def known_views(samples: Samples, most: int) -> tuple[list[KnownView], QuarantineReport]:
    """Return views evenly chosen of all, 0: all, and those that cannot be used.

    Raises :class:`UserError` where they are more than the data's limit, no view can be read, or no object has keypoints.
    """
    load, total = samples.load, samples.table.num_rows
    assert isinstance(load, LoadSketched)
    chosen = np.unique(np.linspace(0, max(total - 1, 0), min(most or total, total)).round().astype(int))
    found, report = [], QuarantineReport()
    for row in samples.table.take(chosen).to_pylist():
        try:
            view = known_view(load, row)
        except BadSample as fault:
            report.items.append(Quarantined.of(fault, row["name"]))
            continue
        if len(view.meanings):
            found.append(view)
    check_limit(report, len(chosen), load.config.quarantine_limit, None)
    if not found:
        why = first_reasons(report) or "its objects have no keypoints, as meshes from disk have none"
        raise UserError(f"{load.root} has no test view with keypoints: {why}")
    return found, report


def unusable_line(report: QuarantineReport) -> str:
    """Return how many test views cannot be used, and what is wrong with the first."""
    told = f": {first_reasons(report)}" if len(report) else ""
    return f"{len(report)} test views cannot be used{told}"


def known_view(load: LoadSketched, row: dict[str, Any]) -> KnownView:
    """Return the view of a row; raises :class:`BadSample`."""
    loaded = load(row, np.random.default_rng(0))
    folder, number = load.root / row["folder"], row["view"]
    stem = Path(row["picture"]).stem
    depth = read_depth(folder / DEPTH / f"{stem}.png")
    side = len(depth)
    rows, columns = (np.flatnonzero((depth > 0).any(axis)) for axis in (1, 0))
    keypoints = read_shape_keypoints(folder / KEYPOINTS, number)
    azimuth, polar, (right, below, ahead) = viewpoint_of(np.array(row["pose"]).reshape(4, 4))
    camera = camera_from_object(azimuth, polar, (float(right), float(below), float(ahead)))
    xyz = np.array([one.xyz for one in keypoints], np.float64).reshape(-1, 3)
    places, _ = project(xyz @ camera[:3, :3].T + camera[:3, 3], centred_intrinsics(side))
    picture = f"{row['folder']}/{PHOTO}/{stem}.png" if row["photo"] else row["picture"]
    check_camera(load.root / picture, side)
    return KnownView(
        name=row["name"],
        image=torch.tensor(loaded["image"]),
        picture=picture,
        side=side,
        truth=Given(loaded["sketch"], loaded["voxel"] > 0, (azimuth, polar)),
        meanings=np.array([one.semantic_id for one in keypoints], np.int64),
        xyz=xyz,
        places=places - HALF,
        visible=np.array([one.visible[number] for one in keypoints], bool),
        inside=np.all((places >= 0) & (places < side), axis=1),
        box=(float(columns[0]) - HALF, float(rows[0]) - HALF, float(columns[-1]) + HALF, float(rows[-1]) + HALF),
    )


def check_camera(picture: Path, side: int) -> None:
    """Raise :class:`BadSample` for a picture whose pixels are not those of its sketches, or whose focal length is not the one
    that the pipeline projects with: places in it would be wrong.
    """
    width, height = read_user_picture(picture, str(picture)).size
    if (width, height) != (side, side):
        raise BadSample(
            str(picture), f"a picture of {width} x {height} beside sketches of {side} x {side}: draw both alike"
        )
    own = picture.parents[1] / "intrinsics.txt"
    path = own if own.is_file() else own.parents[1] / own.name
    focal = read_intrinsics(path).of_pictures(str(path), (side, side))[0, 0] / side
    if abs(focal / FOCAL_SHARE - 1) > SAME_FOCAL:
        raise BadSample(str(path), f"a focal length of {focal:.3f} sides, where the pipeline has {FOCAL_SHARE:.3f}")


def pairs_of(views: Sequence[KnownView], seed: int) -> list[tuple[KeypointPair, int]]:
    """Return for each view a pair with a view of another object, which is its reference, and the view's place; none where no
    other object shares a visible keypoint. The seed draws the references.
    """
    rng = np.random.default_rng(seed)
    images = [view.as_image() for view in views]
    found = []
    for place, target in enumerate(views):
        for other in rng.permutation(len(views)).tolist():
            names = tuple(name for name in images[other].keypoints if name in images[place].keypoints)
            if views[other].name != target.name and names:
                group = "far" if degrees_between(views[other], target) > FAR_APART else "near"
                found.append((KeypointPair(images[other], images[place], group, names), place))
                break
    return found


def degrees_between(one: KnownView, other: KnownView) -> float:
    """Return the angle between the viewpoints of two views, degrees."""
    assert one.truth.angles is not None
    assert other.truth.angles is not None
    angles = [torch.tensor(value, dtype=torch.float64) for value in (*one.truth.angles, *other.truth.angles)]
    return float(torch.rad2deg(angle_between(*angles)))

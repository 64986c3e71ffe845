"""One instance of the SRN layout as a row of an index: its camera, and the views of it that can be used."""

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from sem3d.datasets.objects.part_classes import MOST_CLASSES
from sem3d.datasets.objects.srn_cameras import PictureCamera, poses_fault, read_intrinsics, read_pose
from sem3d.datasets.objects.srn_layout import (
    PICTURES,
    SrnFolder,
    SrnView,
    intrinsics_path,
    numbered_files,
    read_labels,
    read_picture,
    same_size,
    views_of_instance,
)
from sem3d.datasets.pictures import picture_header
from sem3d.datasets.quarantine import faults_of
from sem3d.errors import BadSample, UserError
from sem3d.folders import is_there
from sem3d.texts import read_regular

LEAST_SHARE = 0.5
"""Of an instance's views that must be usable, or the instance is not."""
LARGEST_PICTURE = 64 << 20


class UsableView(NamedTuple):
    """One view as it is read."""

    files: SrnView
    pose: Float[np.ndarray, "4 4"]
    classes: int
    """Bit c: its mask shows class c; 0: it has none."""


def instance_row(root: Path, one: SrnFolder, classes: int, check: bool) -> tuple[dict[str, Any], list[BadSample]]:
    """Return the row of an instance but for its number, and what is wrong with the views that are left out of it.

    With ``check`` every picture is decoded. Raises :class:`BadSample` for an instance that cannot be used: of an unknown camera,
    of poses by another convention, or with too few views left.
    """
    views, faults = views_of_instance(one)
    path = intrinsics_path(one)
    camera = read_intrinsics(path)
    if any(view.labels is not None for view in views) and not classes:
        raise UserError(
            f"{root} has labels, but the names of their classes are not known: write them into {root / 'classes.txt'}, one "
            "a line, background first"
        )
    size, usable = usual_size(views), []
    for view in views:
        try:
            with faults_of(str(view.picture)):
                usable.append(read_view(view, camera, size, classes, check))
        except BadSample as error:
            faults.append(error)
    total = len(usable) + len(faults)
    if len(usable) < max(1, LEAST_SHARE * total):
        named = f"{faults[0].source}: {faults[0].reason}"
        raise BadSample(
            str(one.path), f"too few views: {len(faults)} of {total} cannot be used, the first of them {named}"
        )
    poses = np.stack([view.pose for view in usable])
    if fault := poses_fault(poses):
        raise BadSample(str(one.path), fault)
    found = [view.files for view in usable]
    row = {
        "category": one.category,
        "split": one.split,
        "name": one.name,
        "identity": identity_of(one.name, found[0].picture),
        "height": size[0],
        "width": size[1],
        "intrinsics": camera.of_pictures(str(path), size).ravel().tolist(),
        "pictures": [view.picture.relative_to(root).as_posix() for view in found],
        "labels": ["" if view.labels is None else view.labels.relative_to(root).as_posix() for view in found],
        "classes": [view.classes for view in usable],
        "poses": poses.ravel().tolist(),
    }
    return row, faults


def views_there(one: SrnFolder) -> int:
    """Return how many pictures an instance has, at least 1, for one that cannot be used."""
    try:
        with faults_of(str(one.path)):
            folder = one.path / "rgb"
            return max(1, len(numbered_files(folder, PICTURES)) if is_there(folder) else 1)
    except BadSample:
        return 1


def usual_size(views: list[SrnView]) -> tuple[int, int]:
    """Return height and width of most pictures of an instance, in doubt of the first; raises :class:`BadSample` where none can be
    read.
    """
    sizes: Counter[tuple[int, int]] = Counter()
    first: BadSample | None = None
    for view in views:
        try:
            with faults_of(str(view.picture)):
                sizes[picture_header(view.picture)[:2]] += 1
        except BadSample as error:
            first = first or error
    if not sizes:
        assert first is not None
        raise first
    return sizes.most_common(1)[0][0]


def read_view(view: SrnView, camera: PictureCamera, size: tuple[int, int], classes: int, check: bool) -> UsableView:
    """Return a view with its pose and the classes of its mask; raises :class:`BadSample` for the first fault in its files."""
    same_size(view.picture, picture_header(view.picture)[:2], size)
    pose = read_pose(view.pose, camera.inverse)
    shown = 0
    if view.labels is not None:
        labels = read_labels(view.labels, min(classes, MOST_CLASSES))
        same_size(view.labels, labels.shape, size)
        shown = sum(1 << int(number) for number in np.unique(labels) if number >= 0)
    if check:
        read_picture(view.picture)
    return UsableView(view, pose, shown)


def identity_of(name: str, picture: Path) -> int:
    """Return a number that another object, or one of the same name in other data, does not have: of name and first picture."""
    content = hashlib.sha256(name.encode() + b"\0" + read_regular(picture, LARGEST_PICTURE)).digest()
    return int.from_bytes(content[:8], "big", signed=True)

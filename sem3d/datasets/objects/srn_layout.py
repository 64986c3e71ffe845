"""Instances of the SRN layout on disk, and one view of one of them.

::

    <split>/<instance>/rgb/000000.png     RGBA, or RGB on white
                       pose/000000.txt    world from camera, 16 numbers
                       seg/000000.npy     class of each pixel, 0: nothing, -1: unknown; optional; .png of 8 bits too
                       depth/000000.png   true depth; optional (:mod:`sem3d.datasets.objects.sketch_files`)
                       intrinsics.txt     (:mod:`sem3d.datasets.objects.srn_cameras`); for all of a split, beside the instances

A split's folder is ``train``, ``val`` or ``test``, after the class's name where there are several, as in ``Chair.train`` of the
released semantic data or SRN's ``cars_train``. Files of a view share their number; point clouds and the like are left alone.
"""

import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int, Shaped, UInt8
from PIL import Image

from sem3d.datasets.objects.npz_stream import DAMAGE
from sem3d.datasets.objects.part_classes import UNKNOWN
from sem3d.datasets.pictures import read_user_picture, read_value_picture
from sem3d.datasets.scans.splits import SPLITS
from sem3d.errors import BadSample, UserError
from sem3d.folders import entries, is_there, root_entries
from sem3d.texts import read_regular

SPLIT_NAME = re.compile(rf"(?:(?P<category>.+)[._-])?(?P<split>{'|'.join(SPLITS)})", re.IGNORECASE)
PICTURES, LABELS = (".png", ".jpg", ".jpeg"), (".npy", ".png")
LARGEST_LABELS = 64 << 20
WHITE = 255


@dataclass(frozen=True)
class SrnFolder:
    """The folder of one instance."""

    category: str
    """"" where the data are of one class."""
    split: str
    name: str
    path: Path


@dataclass(frozen=True)
class SrnView:
    """Files of one view."""

    picture: Path
    pose: Path
    labels: Path | None


def find_instances(root: Path) -> list[SrnFolder]:
    """Return the folders of all instances by class, split and name; raises :class:`UserError` where ``root`` has none."""
    found: list[SrnFolder] = []
    for folder in root_entries(root):
        match = SPLIT_NAME.fullmatch(folder.name)
        if match and folder.is_dir():
            category, split = match["category"] or "", match["split"].lower()
            found += [SrnFolder(category, split, path.name, path) for path in root_entries(folder) if path.is_dir()]
    if not found:
        raise UserError(
            f"{root} has no <split>/<instance>/rgb with split one of {', '.join(SPLITS)}: name SRN's layout"
        )
    return sorted(found, key=lambda one: (one.category, SPLITS.index(one.split), one.name))


def intrinsics_path(instance: SrnFolder) -> Path:
    """Return the instance's ``intrinsics.txt``, or that of its split; raises :class:`BadSample` where there is neither."""
    own = instance.path / "intrinsics.txt"
    shared = instance.path.parent / "intrinsics.txt"
    if is_there(own) or not is_there(shared):
        return own
    return shared


def views_of_instance(instance: SrnFolder) -> tuple[list[SrnView], list[BadSample]]:
    """Return the views of an instance in the order of their numbers, and what is wrong with those that lack a file: a picture, a
    pose or, where others have one, a mask.

    Raises :class:`BadSample` where it has no picture, or two files of one number.
    """
    kinds = {"rgb": PICTURES, "pose": (".txt",), "seg": LABELS}
    by_number = {
        kind: numbered_files(instance.path / kind, endings) if is_there(instance.path / kind) else {}
        for kind, endings in kinds.items()
    }
    if not by_number["rgb"]:
        raise BadSample(str(instance.path), "no view: rgb/ has no picture")
    needed = {kind: files for kind, files in by_number.items() if kind != "seg" or files}
    counts = ", ".join(f"{len(files)} in {kind}/" for kind, files in needed.items())
    views, faults = [], []
    for number in sorted(set().union(*needed.values())):
        lacking = [kind for kind, files in needed.items() if number not in files]
        if lacking:
            place = next(files[number] for files in needed.values() if number in files)
            faults.append(BadSample(str(place), f"view without a file in {lacking[0]}/: there are {counts}"))
            continue
        views.append(SrnView(by_number["rgb"][number], by_number["pose"][number], by_number["seg"].get(number)))
    if not views:
        raise BadSample(str(instance.path), f"no view: files of one number are never together, there are {counts}")
    return views, faults


def numbered_files(folder: Path, endings: tuple[str, ...]) -> dict[int, Path]:
    """Return the files of a folder by the last number in their names; raises :class:`BadSample` for two of one number."""
    found: dict[int, Path] = {}
    for path in entries(folder):
        digits = re.findall(r"[0-9]+", path.stem)
        if path.suffix.lower() in endings and digits:
            number = int(digits[-1][-18:])
            if number in found:
                raise BadSample(str(path), f"two files of view {number}: {found[number].name} has that number too")
            found[number] = path
    return found


def read_picture(source: Path | bytes, where: str = "") -> UInt8[np.ndarray, "height width 4"]:
    """Return RGBA, not multiplied; without transparent pixels, what is white is background.

    Raises :class:`BadSample`, which names ``where`` or else the file.
    """
    where = where or str(source)
    picture = np.array(read_user_picture(source, where).convert("RGBA"))
    if picture[..., 3].min() == WHITE:
        picture[(picture[..., :3] == WHITE).all(axis=2), 3] = 0
    if not picture[..., 3].any():
        raise BadSample(where, "shows nothing: it is transparent or white everywhere")
    return picture


def read_labels(path: Path, classes: int) -> Int[np.ndarray, "height width"]:
    """Return the class of each pixel, -1 where it is unknown; raises :class:`BadSample` for no image of whole numbers from -1
    to ``classes`` - 1.
    """
    if path.suffix.lower() == ".npy":
        values = read_array(path)
    else:
        values = read_value_picture(path, str(path), "L")
    if values.ndim == 3 and 1 in (values.shape[0], values.shape[2]):
        values = values[0] if values.shape[0] == 1 else values[..., 0]
    if values.ndim != 2 or not values.size:
        raise BadSample(str(path), f"no image of labels: an array of shape {'x'.join(map(str, values.shape))}")
    ids = values.astype(np.int64)
    if not (values == ids).all():
        raise BadSample(str(path), "labels that are no whole numbers")
    if ids.min() < UNKNOWN or ids.max() >= classes:
        raise BadSample(
            str(path),
            f"labels out of range: {ids.min()} to {ids.max()}, classes are 0 to {classes - 1}; see classes.txt",
        )
    return ids


def read_array(path: Path) -> np.ndarray:
    """Return the numbers in an .npy; raises :class:`BadSample` for anything else."""
    content = read_regular(path, LARGEST_LABELS)
    try:
        values = np.load(io.BytesIO(content), allow_pickle=False)
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
            raise ValueError("it holds no array of numbers")
        if values.nbytes > LARGEST_LABELS or not np.isfinite(values).all():
            raise ValueError("its numbers are too many or not finite")
    except DAMAGE as error:
        raise BadSample(
            str(path), f"unreadable array: {' '.join(str(error).split()) or type(error).__name__}"
        ) from error
    return values


def same_size(path: Path, found: tuple[int, ...], size: tuple[int, int]) -> None:
    """Raise :class:`BadSample` where an image is not of the ``size`` (height, width) of its instance's pictures."""
    if tuple(found) != tuple(size):
        raise BadSample(
            str(path), f"another size: {found[1]}x{found[0]}, the object's pictures are {size[1]}x{size[0]}"
        )


def squared(
    picture: UInt8[np.ndarray, "height width 4"], labels: Int[np.ndarray, "height width"] | None, side: int
) -> tuple[UInt8[np.ndarray, "{side} {side} 4"], Int[np.ndarray, "{side} {side}"] | None]:
    """Return the middle square of a picture and its labels at another size: means of colours, the nearest labels."""
    picture = middle(picture)
    if len(picture) != side:
        multiplied = Image.fromarray(picture, "RGBA").convert("RGBa")
        picture = np.array(multiplied.resize((side, side), Image.Resampling.BOX).convert("RGBA"))
    return picture, None if labels is None else nearest_squared(labels, side)


def nearest_squared(values: Shaped[np.ndarray, "height width"], side: int) -> Shaped[np.ndarray, "{side} {side}"]:
    """Return the nearest values of the middle square of an image at another size."""
    inner = middle(values)
    places = ((np.arange(side) + 0.5) * len(inner) / side).astype(np.int64)
    return inner[places[:, None], places]


def middle(image: Shaped[np.ndarray, "height width *channel"]) -> Shaped[np.ndarray, "short short *channel"]:
    """Return the middle square of an image."""
    height, width = image.shape[:2]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    return image[top : top + short, left : left + short]

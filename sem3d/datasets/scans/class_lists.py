"""Classes that points are labelled with, by data set; number 0 is what is ignored."""

from typing import Literal

from sem3d.datasets.scans.labels import CLASS_NAMES

Classes = Literal["scannet", "s3dis"]
S3DIS_NAMES = (
    "ignored",
    "ceiling",
    "floor",
    "wall",
    "beam",
    "column",
    "window",
    "door",
    "chair",
    "table",
    "bookcase",
    "sofa",
    "board",
    "clutter",
)
CLASS_LISTS: dict[Classes, tuple[str, ...]] = {"scannet": CLASS_NAMES, "s3dis": S3DIS_NAMES}

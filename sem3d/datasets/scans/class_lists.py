"""Classes that points are labelled with, by data set; number 0 is what is ignored."""

from typing import Literal

from sem3d.datasets.scans.labels import CLASS_NAMES, NYU40_IDS

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
WRITTEN_IDS: dict[Classes, tuple[int, ...]] = {"scannet": NYU40_IDS, "s3dis": tuple(range(len(S3DIS_NAMES)))}
"""Label of each class in a file of labelled points: NYU40 ids, as ScanNet's have; S3DIS has no ids, so numbers of its list."""

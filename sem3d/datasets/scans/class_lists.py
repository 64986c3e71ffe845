"""Classes that pixels and points of scans are labelled with; number 0 is what is ignored."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Shaped, UInt8

from sem3d.datasets.scans.labels import CLASS_NAMES, LARGEST_NYU40, NYU40_IDS, class_palette, label_fault
from sem3d.errors import BadSample

Classes = Literal["scannet", "s3dis"]


@dataclass(frozen=True)
class LabelSet:
    """A list of classes: a network's answers are numbers of it."""

    names: tuple[str, ...]
    """Name of each class; the first is what is ignored."""
    ids: tuple[int, ...]
    """Label of each class in the data, and in files that are written."""
    largest: int
    """Largest label that whole data have."""
    colors: tuple[tuple[int, int, int], ...] = ()
    """Colour of each class, RGB; empty: those of :func:`sem3d.datasets.scans.labels.class_palette`."""
    strict: bool = False
    """Labels that are none of these ids make a sample unusable; else they count as ignored."""

    @property
    def palette(self) -> UInt8[np.ndarray, "class 3"]:
        """Return a colour for each class."""
        return np.array(self.colors, np.uint8) if self.colors else class_palette(len(self.names))

    def numbers(
        self, labels: Shaped[np.ndarray, "*axes"], source: str, what: str = "pixels"
    ) -> UInt8[np.ndarray, "*axes"]:
        """Return the number of the class that each label of the data means, 0 where none; raises :class:`BadSample` on a label
        that the data cannot have or, where the set is strict, that it lacks.
        """
        if fault := label_fault(labels, what, self.largest):
            raise BadSample(source, fault)
        number_of = np.zeros(self.largest + 1, np.uint8)
        number_of[list(self.ids)] = np.arange(len(self.ids))
        found = number_of[labels]
        if self.strict and (other := np.unique(labels[(found == 0) & (labels != 0)])).size:
            raise BadSample(source, f"labels of none of the classes: ids {', '.join(map(str, other[:5]))}")
        return found


SCANNET = LabelSet(CLASS_NAMES, NYU40_IDS, LARGEST_NYU40)
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
S3DIS = LabelSet(S3DIS_NAMES, tuple(range(len(S3DIS_NAMES))), len(S3DIS_NAMES) - 1)
"""S3DIS has no ids, so labels in files are numbers of its list."""
LABEL_SETS: dict[Classes, LabelSet] = {"scannet": SCANNET, "s3dis": S3DIS}

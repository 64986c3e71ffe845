"""Rows of :mod:`sem3d.datasets.object_views` to arrays, and those to the columns of a batch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from sem3d.datasets.objects.nmr import IMAGE_SHAPE, VOXEL_SHAPE, load_view, load_views

VIEWS_OF_A_PAIR = 2
NO_VIEWPOINT = 0
"""What stands where a row could not be used; such rows count in no loss."""


@dataclass(frozen=True)
class LoadPair:
    """Two different views of an object, drawn anew at each visit, and where they are seen from."""

    folder: Path
    labelled: pa.Table
    """One row a view, see RENDER_SCHEMA."""
    beside: int = 0
    """Views drawn from those, whatever the object."""

    def __call__(self, row: dict[str, Any], rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return ``image`` uint8 (2, 4, 64, 64), ``viewpoint`` (2,), ``object``, ``labelled``, ``usable``.

        ``beside_image`` (beside, 4, 64, 64), ``beside_viewpoint`` and ``beside_object`` (beside,) where any are drawn.
        """
        drawn = rng.permutation(len(row["views"]))[:VIEWS_OF_A_PAIR]
        views = [row["views"][place] for place in drawn]
        return self.drawn_beside(rng) | {
            "image": load_views(self.folder, row["class"], row["split"], row["object"], views),
            "viewpoint": np.array([row["viewpoints"][place] for place in drawn]),
            "object": np.array(row["object"], dtype=np.int64),
            "labelled": np.array(row["labelled"], dtype=np.uint8),
            "usable": np.array(1, dtype=np.uint8),
        }

    def drawn_beside(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Draw from all labelled views, with replacement."""
        if not self.beside:
            return {}
        places = rng.integers(self.labelled.num_rows, size=self.beside).tolist()
        rows = [self.labelled.slice(place, 1).to_pylist()[0] for place in places]
        images = [load_views(self.folder, row["class"], row["split"], row["object"], [row["view"]]) for row in rows]
        return {
            "beside_image": np.concatenate(images),
            "beside_viewpoint": np.array([row["view"] for row in rows], dtype=np.int64),
            "beside_object": np.array([row["object"] for row in rows], dtype=np.int64),
        }


@dataclass(frozen=True)
class LoadView:
    """One view of an object, with its number in the table, and its voxels if they are wanted."""

    folder: Path
    voxels: bool

    def __call__(self, row: dict[str, Any], rng: np.random.Generator) -> dict[str, np.ndarray]:  # noqa: ARG002
        """Load as :class:`LoadPair` with one view; ``number``; ``voxels`` bool (32, 32, 32)."""
        if self.voxels:
            loaded = load_view(self.folder, row)
            image, extra = loaded.image[None], {"voxels": loaded.voxels}
        else:
            image = load_views(self.folder, row["class"], row["split"], row["object"], [row["view"]])
            extra = {"number": np.array(row["number"], dtype=np.int64)}
        return extra | {
            "image": image,
            "viewpoint": np.array([row["view"]]),
            "object": np.array(row["object"], dtype=np.int64),
            "labelled": np.array(1, dtype=np.uint8),
            "usable": np.array(1, dtype=np.uint8),
        }


@dataclass(frozen=True)
class CollateViews:
    """A stack of loaded rows; one that could not be used becomes black and is marked as not usable."""

    views: int
    extra: Literal["", "number", "voxels"] = ""
    beside: int = 0
    """Labelled views drawn beside each row."""

    def __call__(self, loaded: list[dict[str, np.ndarray] | None]) -> dict[str, np.ndarray]:
        """Return the columns of a batch."""
        empty = {
            "image": np.zeros((self.views, *IMAGE_SHAPE[1:]), np.uint8),
            "viewpoint": np.full(self.views, NO_VIEWPOINT, np.int64),
            "object": np.array(-1, dtype=np.int64),
            "labelled": np.array(0, dtype=np.uint8),
            "usable": np.array(0, dtype=np.uint8),
        }
        if self.beside:
            empty["beside_image"] = np.zeros((self.beside, *IMAGE_SHAPE[1:]), np.uint8)
            empty["beside_viewpoint"] = np.full(self.beside, NO_VIEWPOINT, np.int64)
            empty["beside_object"] = np.full(self.beside, -1, np.int64)
        if self.extra == "number":
            empty["number"] = np.array(-1, dtype=np.int64)
        if self.extra == "voxels":
            empty["voxels"] = np.zeros(VOXEL_SHAPE, np.bool_)
        return {name: np.stack([(item or empty)[name] for item in loaded]) for name in empty}

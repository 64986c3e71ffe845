"""Furniture of one .obj with an ``o`` a part and no names that say what the part is: classes by where it is.

Axes are z up. The broadest level slab that lies high is the top of a table, or the seat of a chair; what reaches well above a
seat is the back, level slabs at the height of a top are of it and lower ones shelves; everything else is a leg. Arms and drawers
are not told, so a chair's arms are parts of its back.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from sem3d.datasets.objects.obj_text import read_obj
from sem3d.errors import BadSample, UserError
from sem3d.folders import matching
from sem3d.texts import plain_lines, read_regular

LARGEST_MESH = 256 << 20
FURNITURE_CLASSES = {
    "chair": ("background", "back", "seat", "leg", "arm"),
    "table": ("background", "top", "leg", "shelf", "drawer"),
}
"""As generated chairs and tables have them."""
FLAT = 0.35
"""Height of a slab as a share of the narrower of its other sides, at most."""


@dataclass(frozen=True, eq=False)
class PartedMesh:
    """Triangles in the axes of their file, and the part of each, counted from 0."""

    corners: Float[np.ndarray, "face 3 3"]
    part: Int[np.ndarray, " face"]


def find_parted(root: Path, category: str) -> list[str]:
    """Return the names of the files ``<category>_*.obj``; raises :class:`UserError` where there is none."""
    if category not in FURNITURE_CLASSES:
        raise UserError(f"parts of a '{category}' have no classes: choose of {', '.join(FURNITURE_CLASSES)}")
    found = [path.name for path in matching(root, f"{category}_*.obj")]
    if not found:
        raise UserError(f"{root} has no {category}_*.obj: name the folder of the meshes, unpacked")
    return found


def read_parted(path: Path) -> PartedMesh:
    """Return the triangles of an .obj by its ``o`` lines; raises :class:`BadSample` for what is none."""
    content = plain_lines(read_regular(path, LARGEST_MESH), str(path))
    named = re.sub(rb"(?m)^o[ \t].*$", b"o part", content)
    counter = iter(range(1 << 30))
    as_materials = re.sub(
        rb"(?m)^o part$", lambda _: b"usemtl part%d" % next(counter), re.sub(rb"(?m)^usemtl.*$", b"", named)
    )
    text = read_obj(as_materials, str(path))
    if not len(text.faces):
        raise BadSample(str(path), "empty mesh: it has no faces")
    return PartedMesh(text.vertices[text.faces], text.face_material)


def furniture_classes(mesh: PartedMesh, category: str) -> Int[np.ndarray, " face"]:
    """Return the class of each face, from 1 on, by where its part is."""
    parts = np.unique(mesh.part)
    low, high = (
        np.stack([bound(mesh.corners[mesh.part == part].reshape(-1, 3), axis=0) for part in parts])
        for bound in (np.min, np.max)
    )
    size, floor, ceiling = high - low, low[:, 2].min(), high[:, 2].max()
    names = FURNITURE_CLASSES[category]
    slab = main_slab(size, (low[:, 2] + high[:, 2]) / 2.0, floor, ceiling, category)
    classes = np.array([named(category, place, slab, low, high) for place in range(len(parts))])
    return np.array([names.index(name) for name in classes])[np.searchsorted(parts, mesh.part)]


def main_slab(
    size: Float[np.ndarray, "part 3"], middle: Float[np.ndarray, " part"], floor: float, ceiling: float, category: str
) -> int:
    """Return the place of the part that is the top or the seat: of the flat ones high enough the broadest, else the broadest."""
    area = size[:, 0] * size[:, 1]
    level = (middle - floor) / max(ceiling - floor, 1e-12)
    flat = size[:, 2] <= FLAT * np.minimum(size[:, 0], size[:, 1])
    high = level >= (0.5 if category == "table" else 0.25)
    fit = flat & high if (flat & high).any() else np.ones(len(area), bool)
    return int(np.argmax(np.where(fit, area, -1.0)))


def named(
    category: str, place: int, slab: int, low: Float[np.ndarray, "part 3"], high: Float[np.ndarray, "part 3"]
) -> str:
    """Return the class of a part, given the place of the top or the seat."""
    if place == slab:
        return "top" if category == "table" else "seat"
    size, main = high[place] - low[place], high[slab] - low[slab]
    above = high[place, 2] - high[slab, 2]
    if category == "chair":
        return "back" if above > 0.1 * main[:2].max() else "leg"
    level = size[2] <= FLAT * min(size[0], size[1]) and size[0] * size[1] > 0.2 * main[0] * main[1]
    return ("top" if high[place, 2] > low[slab, 2] else "shelf") if level else "leg"

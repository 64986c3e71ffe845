"""PartNet's folders of annotated objects: the faces of their part meshes with classes, and coloured points for their looks.

::

    <id>/result_after_merging.json                                  tree of parts: name, objs, children
         objs/*.obj                                                 a mesh a part
         meta.json                                                  model_id of ShapeNet, model_cat
         point_sample/sample-points-all-pts-nor-rgba-10000.txt      x y z, normal, r g b a; looks, optional
         point_sample/pts-10000.txt and label-10000.txt             left alone

Axes are y up, back at -z. Class of a face: the number, from 1 on, of the path of names (``chair/chair_back``) in
:data:`sem3d.datasets.objects.part_classes.PARTNET_PATHS`; a part in none of them, such as a footrest, is unknown.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from sem3d.datasets.objects.linear_light import linear_of_srgb
from sem3d.datasets.objects.obj_text import MOST_FACES, read_obj
from sem3d.datasets.objects.part_classes import PARTNET_PATHS, UNKNOWN
from sem3d.datasets.scans.splits import SPLITS
from sem3d.errors import BadSample, UserError
from sem3d.files import read_json
from sem3d.folders import is_there, root_entries
from sem3d.texts import read_regular, read_sample_text

TREE = "result_after_merging.json"
LOOKS = "point_sample/sample-points-all-pts-nor-rgba-10000.txt"
LARGEST_MESH, LARGEST_POINTS = 256 << 20, 64 << 20
DEEPEST = 64
"""Levels of a tree of parts."""
NUMBERS_A_POINT = 10


@dataclass(frozen=True, eq=False)
class AnnotatedObject:
    """An object of PartNet in its own axes."""

    corners: Float[np.ndarray, "face 3 3"]
    classes: Int[np.ndarray, " face"]
    """From 1 on; -1: a part of no class."""
    model: str
    """Name of the object in ShapeNet; "" where it is not known."""
    points: Float[np.ndarray, "point 3"]
    colors: Float[np.ndarray, "point 3"]
    """Linear colours in [0, 1] of points on the surface; there may be none."""


def find_annotated(root: Path, category: str) -> list[str]:
    """Return the names of the objects of a category, whose folders have a tree of parts and name no other category.

    Raises :class:`UserError` where there is none.
    """
    if category not in PARTNET_PATHS:
        raise UserError(f"classes of PartNet's '{category}' are not known: choose of {', '.join(PARTNET_PATHS)}")
    found = [folder.name for folder in root_entries(root) if is_there(folder / TREE)]
    chosen = [name for name in found if category_of(root / name) in (category, "")]
    if not chosen:
        raise UserError(f"{root} has no <id>/{TREE} of a {category}: name the folder of PartNet's objects, unpacked")
    return chosen


def category_of(folder: Path) -> str:
    """Return the category that an object's ``meta.json`` names, in lower case; "" where it names none."""
    try:
        return str(read_json(folder / "meta.json")["model_cat"]).lower()
    except (UserError, LookupError, TypeError):
        return ""


def model_of(folder: Path) -> str:
    """Return the ShapeNet name in an object's ``meta.json``; "" where there is none that may name a folder."""
    try:
        name = str(read_json(folder / "meta.json")["model_id"])
    except (UserError, LookupError, TypeError):
        return ""
    return name if name.isalnum() else ""


def official_splits(folder: Path, category: str) -> dict[str, str]:
    """Return splits by the names of objects, of PartNet's lists in ``folder``; raises :class:`UserError` where these are none."""
    split_of: dict[str, str] = {}
    for split in SPLITS:
        path = folder / f"{category.capitalize()}.{split}.json"
        try:
            split_of |= {str(one["anno_id"]): split for one in read_json(path)}
        except (TypeError, LookupError) as error:
            raise UserError(f"{path} is no list of objects with anno_id: name the folder of PartNet's lists") from error
    return split_of


def read_annotated(folder: Path, category: str) -> AnnotatedObject:
    """Return an object; raises :class:`BadSample` for a tree or a mesh that is none, or without a face of any class."""
    class_of: dict[str, int] = {}
    for path, parts in paths_of(tree_of(folder / TREE)):
        number = class_number(path, PARTNET_PATHS[category])
        for part in parts:
            if number != UNKNOWN or part not in class_of:
                class_of[part] = number
    corners, classes, total = [], [], 0
    for part, number in class_of.items():
        mesh = folder / "objs" / f"{part}.obj"
        text = read_obj(read_regular(mesh, LARGEST_MESH), str(mesh))
        total += len(text.faces)
        if total > MOST_FACES:
            raise BadSample(str(folder), f"huge mesh: more than {MOST_FACES} triangles in its parts")
        corners.append(text.vertices[text.faces])
        classes.append(np.full(len(text.faces), number))
    if not total or max(class_of.values()) == UNKNOWN:
        raise BadSample(str(folder), f"no part of a class of {category}: {len(class_of)} parts in {TREE}")
    points, colors = read_looks(folder / LOOKS)
    return AnnotatedObject(np.concatenate(corners), np.concatenate(classes), model_of(folder), points, colors)


def tree_of(path: Path) -> list[dict[str, Any]]:
    """Return the trees of a file; raises :class:`BadSample` for another content."""
    try:
        content = read_json(path)
    except UserError as error:
        raise BadSample(str(path), str(error)) from error
    if not isinstance(content, list) or not all(isinstance(node, dict) for node in content):
        raise BadSample(str(path), "no tree of parts: not a list of objects")
    return content


def paths_of(nodes: Sequence[Any], above: str = "", level: int = 0) -> Iterator[tuple[str, list[str]]]:
    """Yield the path of names of each node and its parts' names, nodes before those below them.

    Raises :class:`BadSample` for a tree that is none.
    """
    for node in nodes:
        parts, below = (node.get(key, []) if isinstance(node, dict) else None for key in ("objs", "children"))
        if not isinstance(parts, list) or not isinstance(below, list) or level > DEEPEST:
            raise BadSample(TREE, f"no tree of parts: a node below '{above[:100]}' has no lists of objs and children")
        bad = [
            part for part in parts if not isinstance(part, str) or not part.replace("-", "").replace("_", "").isalnum()
        ]
        if bad or not isinstance(node.get("name"), str):
            raise BadSample(
                TREE, f"no tree of parts: a node below '{above[:100]}' has no name, or parts that are no names"
            )
        path = f"{above}/{node['name']}" if above else node["name"]
        yield path, parts
        yield from paths_of(below, path, level + 1)


def class_number(path: str, classes: Sequence[str]) -> int:
    """Return the number of the class whose path is ``path`` or above it, from 1 on; -1 where there is none."""
    return next((n for n, name in enumerate(classes, 1) if path == name or path.startswith(f"{name}/")), UNKNOWN)


def read_looks(path: Path) -> tuple[Float[np.ndarray, "point 3"], Float[np.ndarray, "point 3"]]:
    """Return coloured points; none where there is no such file. Raises :class:`BadSample` for another content."""
    if not is_there(path):
        return np.zeros((0, 3)), np.zeros((0, 3))
    words = read_sample_text(path, LARGEST_POINTS).split()
    try:
        numbers = np.array(words, dtype=np.float64)
    except ValueError as error:
        raise BadSample(str(path), f"no coloured points: {error}") from error
    if len(numbers) % NUMBERS_A_POINT or not np.isfinite(numbers).all() or np.abs(numbers).max(initial=0) > 1e6:
        raise BadSample(str(path), f"no coloured points: not {NUMBERS_A_POINT} finite numbers each")
    rows = numbers.reshape(-1, NUMBERS_A_POINT)
    return rows[:, :3], linear_of_srgb()[np.clip(rows[:, 6:9], 0, 255).astype(np.uint8)].astype(np.float64)

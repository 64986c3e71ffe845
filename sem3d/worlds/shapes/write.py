"""Generated shapes on disk in ShapeNetCore's layout: ``<synset>/<id>/models/model_normalized.{obj,mtl,json}``.

The .obj has a group a solid, named for its part; the .json has the part and solid of each face in the order of the .obj, and
the keypoints: name, semantic id (its place in the family's list), xyz, face, barycentric weights, and its mirror image's name.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sem3d.config import digest
from sem3d.errors import UserError
from sem3d.files import read_json, whole_folder, write_json
from sem3d.worlds.shapes.register import FAMILIES, generated_shape, mirror_name
from sem3d.worlds.shapes.shape import Shape

FORMAT = 2
"""2: chairs, tables and colours are those of the rooms."""
FRAME = "y up, front at -z, left at -x; box centred, longest side 1"
MODEL = "model_normalized"
SUMMARY = "shapes.json"


@dataclass(frozen=True, kw_only=True)
class ShapesConfig:
    """Choice of the shapes that are made."""

    kinds: tuple[str, ...] = ("airplane", "car", "chair", "table")
    """Families; there is also lamp."""
    objects: int = 100
    """Shapes of each family."""
    seed: int = 0
    """Shape k of a family is the same whatever the number of objects."""


def write_shapes(out: str | Path, config: ShapesConfig, say: Callable[[str], None] = lambda _: None) -> Path:
    """Write the shapes to the folder ``out``, whole or not at all, or find them there.

    Raises :class:`UserError` for an unknown family, no objects, or other content in ``out``.
    """
    unknown = [kind for kind in config.kinds if kind not in FAMILIES]
    if unknown or not config.kinds or config.objects < 1:
        raise UserError(
            f"no shape family '{unknown[0]}': choose of {', '.join(FAMILIES)}"
            if unknown
            else "need at least one family and one object"
        )
    out = Path(out).absolute()
    content = {"format": FORMAT, "kinds": sorted(config.kinds), "objects": config.objects, "seed": config.seed}
    key = digest(content)
    if out.exists():
        try:
            same = read_json(out / SUMMARY)["digest"] == key
        except (UserError, KeyError, TypeError) as error:
            raise UserError(f"{out} exists and holds no generated shapes: choose another folder") from error
        if not same:
            raise UserError(f"{out} holds shapes of another configuration: choose another folder")
        return out
    with whole_folder(out) as folder:
        for kind in config.kinds:
            for number in range(config.objects):
                write_shape(folder, generated_shape(kind, config.seed, number))
            say(f"{kind}: {config.objects} shapes")
        write_json(folder / SUMMARY, content | {"digest": key, "frame": FRAME})
    return out


def write_shape(root: Path, shape: Shape) -> Path:
    """Write one shape and return the path of its .obj."""
    synset = FAMILIES[shape.kind].synset
    folder = root / synset / shape.identity / "models"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"# {FRAME}", f"mtllib {MODEL}.mtl", *(f"v {x:.9f} {y:.9f} {z:.9f}" for x, y, z in shape.vertices)]
    for solid in range(len(shape.solid_colors)):
        chosen = shape.face_solid == solid
        part = shape.part_names[shape.face_part[chosen][0]]
        lines += [f"g {part}_{solid}", f"usemtl solid_{solid}"]
        lines += [f"f {a} {b} {c}" for a, b, c in shape.faces[chosen] + 1]
    (folder / f"{MODEL}.obj").write_text("\n".join(lines) + "\n")
    (folder / f"{MODEL}.mtl").write_text(
        "".join(
            f"newmtl solid_{number}\nKd {' '.join(f'{displayed(level):.4f}' for level in color)}\n"
            for number, color in enumerate(shape.solid_colors)
        )
    )
    names = FAMILIES[shape.kind].vocabulary.keypoints
    content = {
        "format": FORMAT,
        "kind": shape.kind,
        "synset": synset,
        "id": shape.identity,
        "frame": FRAME,
        "parts": list(shape.part_names),
        "face_part": shape.face_part.tolist(),
        "face_solid": shape.face_solid.tolist(),
        "keypoints": [
            {
                "name": point.name,
                "semantic_id": names.index(point.name),
                "mirror": mirror_name(point.name),
                "xyz": point.xyz.tolist(),
                "face": point.face,
                "barycentric": point.barycentric.tolist(),
            }
            for point in shape.keypoints
        ],
    }
    (folder / f"{MODEL}.json").write_text(json.dumps(content) + "\n")
    return folder / f"{MODEL}.obj"


def displayed(level: float) -> float:
    """Return the gamma-coded value of a linear one."""
    return level ** (1 / 2.2)

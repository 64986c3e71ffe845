"""KeypointNet (You et al., CVPR 2020): semantic keypoints on models of ShapeNetCore.

``annotations/<class>.json`` (or any .json there) is a list of models, each with keypoints and symmetries; a line ``<class
id>-<model id>`` of ``splits/{train,val,test}.txt`` is a model of the benchmark; ``pcds/<class id>/<model id>.pcd`` are 2048
points of its surface, and ``models/<class id>/<model id>/models/model_normalized.{obj,ply}`` its mesh. Frame: y up, front at
-z, the object's own right at +x, box about the origin with its diagonal 1, as ShapeNetCore's.

The same semantic id means the same on all models of a class. Symmetries name keypoints by their place in the model's list.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int

from sem3d.datasets.objects.pcd import read_pcd
from sem3d.datasets.quarantine import Quarantined, QuarantineReport
from sem3d.errors import BadSample, UserError
from sem3d.files import read_json, write_json
from sem3d.folders import is_there, matching
from sem3d.texts import lines_of, read_text

CLASSES = {
    "02691156": "airplane",
    "02808440": "bathtub",
    "02818832": "bed",
    "02876657": "bottle",
    "02954340": "cap",
    "02958343": "car",
    "03001627": "chair",
    "03467517": "guitar",
    "03513137": "helmet",
    "03624134": "knife",
    "03642806": "laptop",
    "03790512": "motorcycle",
    "03797390": "mug",
    "04225987": "skateboard",
    "04379243": "table",
    "04530566": "vessel",
}
SPLITS = ("train", "val", "test")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
FEWEST, MOST = 3, 24
"""Keypoints of a model (paper, 3.2)."""
LARGEST_ID = 999
FARTHEST = 10.0
"""Of the origin, in diagonals of the box."""
FACE_SLACK = 1e-3
MOST_AWAY = 0.1
"""Of the box's diagonal, between a keypoint and its point of the cloud."""


@dataclass(frozen=True)
class Keypoint:
    """One keypoint: on the surface, in the cloud, and in the mesh."""

    semantic_id: int
    xyz: tuple[float, float, float]
    point: int
    """Place in the model's cloud."""
    face: int
    """Place among the faces of the mesh; -1 where it was marked on points alone."""
    weights: tuple[float, float, float]
    """Of the corners of the face; barycentric."""
    color: tuple[int, int, int]


@dataclass(frozen=True)
class Rotation:
    """Keypoints that a turn about y maps onto each other."""

    keypoints: tuple[int, ...]
    circle: bool
    """Any turn does, not only those of as many equal parts as there are keypoints."""


@dataclass(frozen=True)
class AnnotatedModel:
    """The keypoints of one model."""

    class_id: str
    model_id: str
    keypoints: tuple[Keypoint, ...]
    reflections: tuple[tuple[int, ...], ...]
    """Places of keypoints that are each other's mirror image."""
    rotations: tuple[Rotation, ...]
    split: str = ""
    """Empty where there are no lists."""

    @property
    def places(self) -> Float64[np.ndarray, "keypoint 3"]:
        """Where the keypoints are."""
        return np.array([keypoint.xyz for keypoint in self.keypoints], np.float64).reshape(-1, 3)

    @property
    def semantic_ids(self) -> Int[np.ndarray, " keypoint"]:
        """Meanings of the keypoints."""
        return np.array([keypoint.semantic_id for keypoint in self.keypoints], np.int64)


def cloud_path(root: Path, model: AnnotatedModel) -> Path:
    """Return where the cloud of a model lies."""
    return root / "pcds" / model.class_id / f"{model.model_id}.pcd"


def annotation_files(root: Path) -> list[Path]:
    """Return the files of annotations; raises :class:`UserError` for none."""
    folder = root / "annotations"
    try:
        files = matching(folder, "*.json") if folder.is_dir() else []
    except BadSample as fault:
        raise UserError(f"{fault}: let this user read it") from fault
    if not files:
        raise UserError(
            f"no annotations in {folder}: name the folder of KeypointNet, which holds annotations/<class>.json"
        )
    single = [path for path in files if path.stem in CLASSES.values()]
    return single or files


def read_splits(root: Path) -> dict[str, str]:
    """Return the split of each model, ``<class id>-<model id>``; raises :class:`UserError` for a model of two splits."""
    split_of: dict[str, str] = {}
    for split in SPLITS:
        path = root / "splits" / f"{split}.txt"
        for line in lines_of(read_text(path)) if is_there(path) else ():
            name = line.strip()
            if name and split_of.setdefault(name, split) != split:
                raise UserError(f"{path}: {name} is in the split {split_of[name]} too; leave it in one")
    return split_of


def read_annotations(root: Path) -> tuple[list[AnnotatedModel], QuarantineReport]:
    """Return all models that the paper's rules keep, in the order of the files, and why others are left out.

    A model is kept that has 3 to 24 keypoints of different meanings and stands in a split, where there are lists. Notes name
    keypoints of one model that lie on the same point of its cloud. Raises :class:`UserError` for a file that is no list.
    """
    split_of = read_splits(root)
    models: dict[tuple[str, str], AnnotatedModel] = {}
    report = QuarantineReport()
    for path in annotation_files(root):
        content = read_json(path)
        if not isinstance(content, list):
            raise UserError(f"{path} is no list of annotated models")
        for number, record in enumerate(content):
            where = f"{path.name}[{number}]"
            try:
                model = read_model(record, where, split_of)
                key = model.class_id, model.model_id
                if key in models:
                    raise BadSample(where, f"annotated twice: {'-'.join(key)} comes before; taken once")
                models[key] = model
            except BadSample as fault:
                report.items.append(Quarantined.of(fault))
    report.notes += [note for model in models.values() if (note := shared_points(model))]
    return list(models.values()), report


def shared_points(model: AnnotatedModel) -> Quarantined | None:
    """Return a note on keypoints of one model that lie on the same point of its cloud."""
    points = [keypoint.point for keypoint in model.keypoints]
    if len(set(points)) == len(points):
        return None
    name = f"{model.class_id}-{model.model_id}"
    return Quarantined(name, model.class_id, "two keypoints on one point of the cloud")


def read_model(record: Any, where: str, split_of: dict[str, str]) -> AnnotatedModel:
    """Return the model of a record; raises :class:`BadSample`."""
    record = record if isinstance(record, dict) else {}
    class_id, model_id = name_of(record, "class_id", where), name_of(record, "model_id", where)
    where = f"{where} {class_id}-{model_id}"
    split = split_of.get(f"{class_id}-{model_id}", "")
    if split_of and not split:
        raise BadSample(where, "in no split: deviating models were left out of the benchmark")
    keypoints = record.get("keypoints")
    if not isinstance(keypoints, list) or not FEWEST <= len(keypoints) <= MOST:
        count = len(keypoints) if isinstance(keypoints, list) else 0
        raise BadSample(where, f"not {FEWEST} to {MOST} keypoints: it has {count}")
    found = tuple(read_keypoint(one, where) for one in keypoints)
    if len({one.semantic_id for one in found}) < len(found):
        raise BadSample(where, "a semantic id twice: keypoints of a model differ in meaning")
    return AnnotatedModel(class_id, model_id, found, *read_symmetries(record, len(found), where), split)


def name_of(record: dict[str, Any], key: str, where: str) -> str:
    """Return the name of a class or model; raises :class:`BadSample`."""
    name = record.get(key)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise BadSample(where, f"no model: its {key} is not of letters, digits, dots, dashes and underscores")
    return name


def read_keypoint(record: Any, where: str) -> Keypoint:
    """Return one keypoint; raises :class:`BadSample`."""
    if not isinstance(record, dict):
        raise BadSample(where, "no keypoint: an object with xyz and semantic_id")
    mesh, cloud = record.get("mesh_info"), record.get("pcd_info")
    mesh = mesh if isinstance(mesh, dict) else {"face_index": -1, "face_uv": [0.0, 0.0, 0.0]}
    point = cloud.get("point_index") if isinstance(cloud, dict) else None
    weights = three_numbers(mesh.get("face_uv"), where, "face_uv", 1 + FACE_SLACK)
    color = three_numbers(record.get("rgb", [0, 0, 0]), where, "rgb", 255.0)
    return Keypoint(
        whole(record.get("semantic_id"), LARGEST_ID, where, "semantic_id"),
        three_numbers(record.get("xyz"), where, "xyz", FARTHEST),
        whole(point, 1 << 20, where, "pcd_info.point_index"),
        whole(mesh.get("face_index"), 1 << 30, where, "mesh_info.face_index", -1),
        weights,
        (int(color[0]), int(color[1]), int(color[2])),
    )


def read_symmetries(
    record: dict[str, Any], keypoints: int, where: str
) -> tuple[tuple[tuple[int, ...], ...], tuple[Rotation, ...]]:
    """Return the groups that a reflection and those that turns map onto themselves; raises :class:`BadSample`."""
    symmetries = record.get("symmetries", {})
    if not isinstance(symmetries, dict):
        raise BadSample(where, "no symmetries: lists reflection and rotation of groups")
    reflections, rotations = (symmetries.get(kind, []) for kind in ("reflection", "rotation"))
    for kind in (reflections, rotations):
        if not isinstance(kind, list) or not all(isinstance(group, dict) for group in kind):
            raise BadSample(where, "no symmetries: lists reflection and rotation of groups")
    return (
        tuple(group_of(group, keypoints, where) for group in reflections),
        tuple(Rotation(group_of(group, keypoints, where), group.get("is_circle") is True) for group in rotations),
    )


def group_of(group: dict[str, Any], keypoints: int, where: str) -> tuple[int, ...]:
    """Return the places of a group's keypoints; raises :class:`BadSample`."""
    places = group.get("kp_indexes")
    if not isinstance(places, list) or not places or len(places) > MOST:
        raise BadSample(where, "a symmetry without kp_indexes")
    found = tuple(whole(place, keypoints - 1, where, "kp_indexes") for place in places)
    if len(set(found)) < len(found):
        raise BadSample(where, "a keypoint twice in kp_indexes of a symmetry")
    return found


def whole(value: Any, most: int, where: str, name: str, least: int = 0) -> int:
    """Return a whole number within bounds; raises :class:`BadSample`."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise BadSample(where, f"{name} is no whole number from {least} to {most}: {str(value)[:40]!r}")
    return value


def three_numbers(value: Any, where: str, name: str, most: float) -> tuple[float, float, float]:
    """Return three numbers of at most ``most``; raises :class:`BadSample`."""
    if not isinstance(value, list) or len(value) != 3:
        raise BadSample(where, f"{name} has not three numbers: {str(value)[:60]!r}")
    for number in value:
        if isinstance(number, bool) or not isinstance(number, int | float) or not abs(number) <= most:
            raise BadSample(where, f"{name} is beyond {most:g} or no number: {str(number)[:40]!r}")
    return float(value[0]), float(value[1]), float(value[2])


def write_annotations(path: Path, models: Sequence[AnnotatedModel]) -> None:
    """Write models as KeypointNet does."""
    write_json(path, list(map(record_of, models)))


def record_of(model: AnnotatedModel) -> dict[str, Any]:
    """Return a model as KeypointNet writes it."""
    return {
        "class_id": model.class_id,
        "model_id": model.model_id,
        "keypoints": [
            {
                "xyz": list(one.xyz),
                "rgb": list(one.color),
                "semantic_id": one.semantic_id,
                "pcd_info": {"point_index": one.point},
                "mesh_info": {"face_index": one.face, "face_uv": list(one.weights)},
            }
            for one in model.keypoints
        ],
        "symmetries": {
            "reflection": [{"kp_indexes": list(group)} for group in model.reflections],
            "rotation": [
                {"kp_indexes": list(group.keypoints), "is_circle": group.circle, "circle": {}}
                for group in model.rotations
            ],
        },
    }


def check_clouds(root: Path, models: Sequence[AnnotatedModel]) -> Iterator[tuple[AnnotatedModel, BadSample | None]]:
    """Yield each model whose cloud is there, and why it cannot be used: unreadable, or its keypoints are not where it says."""
    for model in models:
        path = cloud_path(root, model)
        if not is_there(path):
            continue
        try:
            points, _ = read_pcd(path, path.relative_to(root).as_posix())
            rows = np.array([keypoint.point for keypoint in model.keypoints])
            if rows.max() >= len(points):
                raise BadSample(path.name, f"keypoint on point {rows.max()}: the cloud has {len(points)}")
            away = float(np.linalg.norm(points[rows] - model.places, axis=1).max())
            if away > MOST_AWAY:
                raise BadSample(
                    path.name, f"a keypoint lies {away:.3f} from its point of the cloud: not the cloud that was marked"
                )
            yield model, None
        except BadSample as fault:
            yield model, fault

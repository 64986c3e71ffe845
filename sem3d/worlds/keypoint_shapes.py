"""Generated shapes in KeypointNet's layout, as the world of methods that learn from keypoints."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from scipy.spatial import cKDTree

from sem3d.bounds import AtLeastOne, Bounds, Seed
from sem3d.config import digest
from sem3d.datasets.objects.keypointnet import CLASSES, SPLITS, AnnotatedModel, Keypoint, cloud_path, write_annotations
from sem3d.datasets.objects.pcd import POINTS, write_pcd
from sem3d.errors import UserError
from sem3d.evaluation.reconstruction import sample_surface
from sem3d.files import whole_folder
from sem3d.worlds.register import World
from sem3d.worlds.shapes.register import FAMILIES, generated_shape, mirror_name

FORMAT = 1
SHARES = (0.7, 0.1)
"""Of the models for training and validation, as KeypointNet's; the rest are for the test."""


@dataclass(frozen=True, kw_only=True)
class KeypointShapesConfig:
    """Choice of the shapes that are made."""

    kind: str = "chair"
    """Family: airplane, car, chair or table."""
    models: Annotated[int, Bounds(3)] = 100
    """Shapes of all splits together."""
    points: AtLeastOne = POINTS
    """Of a cloud."""
    seed: Seed = 0
    """Shape k is the same whatever the number of models."""


def keypoint_model(config: KeypointShapesConfig, number: int) -> tuple[AnnotatedModel, np.ndarray]:
    """Return the annotations of a generated shape in a box of diagonal 1, and its cloud; its meshes are not written."""
    shape, family = generated_shape(config.kind, config.seed, number), FAMILIES[config.kind]
    diagonal = float(np.linalg.norm(np.ptp(shape.vertices, axis=0)))
    rng = np.random.default_rng([config.seed, number])
    cloud = sample_surface(shape.vertices / diagonal, shape.faces, config.points, rng)
    names = [keypoint.name for keypoint in shape.keypoints]
    rows = cKDTree(cloud).query(np.array([keypoint.xyz for keypoint in shape.keypoints]) / diagonal)[1]
    keypoints = tuple(
        Keypoint(
            family.vocabulary.keypoints.index(name),
            tuple(cloud[row].tolist()),
            int(row),
            -1,
            (0.0, 0.0, 0.0),
            (0, 0, 0),
        )
        for name, row in zip(names, rows, strict=True)
    )
    mirrored = {
        tuple(sorted((place, names.index(mirror_name(name)))))
        for place, name in enumerate(names)
        if mirror_name(name) in names
    }
    pairs = tuple(sorted(pair for pair in mirrored if pair[0] != pair[1]))
    identity = f"{config.kind}{config.seed}x{number:05d}"
    return AnnotatedModel(family.synset, identity, keypoints, pairs, (), split_of(number, config.models)), cloud


def split_of(number: int, models: int) -> str:
    """Return the split of a model: the first ones train, at least one each is for validation and test."""
    train = min(max(1, round(SHARES[0] * models)), models - 2)
    held_out = train + max(1, round(SHARES[1] * models))
    return SPLITS[(number >= train) + (number >= min(held_out, models - 1))]


def models_of(config: KeypointShapesConfig) -> Iterator[tuple[AnnotatedModel, np.ndarray]]:
    """Yield all models; raises :class:`UserError` for a family that KeypointNet does not have."""
    if config.kind not in FAMILIES or FAMILIES[config.kind].synset not in CLASSES:
        known = [kind for kind, family in FAMILIES.items() if family.synset in CLASSES]
        raise UserError(f"no shapes with keypoints of a kind '{config.kind}': choose of {', '.join(known)}")
    for number in range(config.models):
        yield keypoint_model(config, number)


def write_keypoint_shapes(folder: Path, config: KeypointShapesConfig) -> str:
    """Write the shapes in KeypointNet's layout unless they are there; return a line on them."""
    line = f"{config.models} {config.kind}s with keypoints: {folder}"
    if folder.is_dir():
        return f"found {line}"
    with whole_folder(folder) as place:
        models = []
        for model, cloud in models_of(config):
            path = cloud_path(place, model)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_pcd(path, cloud)
            models.append(model)
        write_annotations(place / "annotations" / f"{config.kind}.json", models)
        (place / "splits").mkdir()
        for split in SPLITS:
            lines = [f"{model.class_id}-{model.model_id}\n" for model in models if model.split == split]
            (place / "splits" / f"{split}.txt").write_text("".join(lines))
    return f"generated {line}"


def folder_of(storage: Path, config: KeypointShapesConfig) -> Path:
    """Return the place of these shapes."""
    return storage / f"keypoint-shapes-{digest([FORMAT, asdict(config)])}"


KEYPOINT_SHAPES = World(small=KeypointShapesConfig, folder=folder_of, make=write_keypoint_shapes)

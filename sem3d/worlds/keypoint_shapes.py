"""Generated shapes in KeypointNet's layout, as the world of methods that learn from keypoints."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from jaxtyping import Float, Int
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
    shape = generated_shape(config.kind, config.seed, number)
    return annotated_cloud(
        Named(config.kind, f"{config.kind}{config.seed}x{number:05d}", split_of(number, config.models)),
        (shape.vertices, shape.faces),
        {keypoint.name: keypoint.xyz for keypoint in shape.keypoints},
        config.points,
        np.random.default_rng([config.seed, number]),
    )


class Named(NamedTuple):
    """A model's family, name and split."""

    kind: str
    identity: str
    split: str


def annotated_cloud(
    named: Named,
    surface: tuple[Float[np.ndarray, "vertex 3"], Int[np.ndarray, "face 3"]],
    places: Mapping[str, Float[np.ndarray, "3"]],
    points: int,
    rng: np.random.Generator,
) -> tuple[AnnotatedModel, Float[np.ndarray, "point 3"]]:
    """Return the annotations of a shape in a box of diagonal 1, with its keypoints on the nearest points of its cloud."""
    (vertices, faces), family = surface, FAMILIES[named.kind]
    diagonal = float(np.linalg.norm(np.ptp(vertices, axis=0)))
    cloud = sample_surface(vertices / diagonal, faces, points, rng)
    names = list(places)
    rows = cKDTree(cloud).query(np.array(list(places.values())) / diagonal)[1]
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
    return AnnotatedModel(family.synset, named.identity, keypoints, pairs, (), named.split), cloud


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
        write_models(place, config.kind, models_of(config))
    return f"generated {line}"


def write_models(folder: Path, kind: str, made: Iterable[tuple[AnnotatedModel, np.ndarray]]) -> None:
    """Write models and their clouds in KeypointNet's layout: annotations, splits, pcds."""
    models = []
    for model, cloud in made:
        path = cloud_path(folder, model)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_pcd(path, cloud)
        models.append(model)
    write_annotations(folder / "annotations" / f"{kind}.json", models)
    (folder / "splits").mkdir(exist_ok=True)
    for split in SPLITS:
        lines = [f"{model.class_id}-{model.model_id}\n" for model in models if model.split == split]
        (folder / "splits" / f"{split}.txt").write_text("".join(lines))


def folder_of(storage: Path, config: KeypointShapesConfig) -> Path:
    """Return the place of these shapes."""
    return storage / f"keypoint-shapes-{digest([FORMAT, asdict(config)])}"


KEYPOINT_SHAPES = World(small=KeypointShapesConfig, folder=folder_of, make=write_keypoint_shapes)

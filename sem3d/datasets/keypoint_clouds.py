"""Clouds of models with keypoints as samples: points, the keypoints among them and what these mean.

A row is one model of a class of KeypointNet. Its cloud is centred and scaled to a longest side of 1, and in training its points
are moved by noise near the surface, as those of a reconstructed shape are.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import pyarrow as pa
from jaxtyping import Float32, Float64

from sem3d.bounds import Bounds, Seed
from sem3d.config import DataFolder, digest
from sem3d.datasets.budgets import label_budget
from sem3d.datasets.objects.keypointnet import (
    CLASSES,
    MOST,
    AnnotatedModel,
    cloud_path,
    read_annotations,
    record_of,
)
from sem3d.datasets.objects.pcd import read_pcd
from sem3d.datasets.stream import Samples
from sem3d.errors import BadSample, UserError
from sem3d.folders import is_there

ABSENT = -1


@dataclass(frozen=True, kw_only=True)
class KeypointClouds:
    """A choice of models with keypoints, and the making of samples of them."""

    generated: ClassVar = "keypoint_shapes"
    root: DataFolder = ""
    """Folder of KeypointNet: annotations, splits, pcds."""
    category: str = "chair"
    """One of KeypointNet's 16 classes, by name or synset."""
    budget: Annotated[float, Bounds(0, 1, above=True)] = 1.0
    """Share of the training models in use; a smaller budget is part of a larger one."""
    budget_seed: Seed = 0
    """Decides which models a budget holds, apart from run.seed."""
    points: Annotated[int, Bounds(MOST, 1 << 16)] = 2048
    """Points of a cloud that the network sees, all keypoints among them."""
    noise: float = 0.01
    """Standard deviation of the noise that moves points of training clouds, of the longest side; 0 as released."""


@dataclass(frozen=True)
class LoadModel:
    """Row of a model to its cloud and keypoints."""

    root: Path
    config: KeypointClouds
    augment: bool

    def __call__(self, row: dict[str, Any], rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return ``point`` float32 (points, 3), ``keypoint`` and ``meaning`` int64 (24): rows of points and semantic ids, -1
        where there is none. Raises :class:`BadSample` for a cloud that cannot be read, or without some keypoint.
        """
        cloud, _ = read_pcd(self.root / row["cloud"], row["cloud"])
        rows = np.array(row["rows"], np.int64)
        if rows.max() >= len(cloud):
            raise BadSample(row["cloud"], f"keypoint on point {rows.max()}: the cloud has {len(cloud)}")
        points = in_unit_box(cloud)
        # the keypoints first, then others drawn without repetition, repeated where the cloud has fewer
        others = np.setdiff1d(np.arange(len(points)), rows)
        chosen = np.concatenate([rows, rng.permutation(others)])
        chosen = (
            np.resize(chosen, self.config.points) if len(chosen) < self.config.points else chosen[: self.config.points]
        )
        points = points[chosen]
        if self.augment and self.config.noise:
            points = points + rng.normal(0, self.config.noise, points.shape)
        keypoint, meaning = np.full(MOST, ABSENT, np.int64), np.full(MOST, ABSENT, np.int64)
        keypoint[: len(rows)] = np.arange(len(rows))
        meaning[: len(rows)] = row["meanings"]
        return {
            "point": points.astype(np.float32),
            "keypoint": keypoint,
            "meaning": meaning,
            "usable": np.ones((), np.uint8),
        }


def in_unit_box(cloud: Float64[np.ndarray, "point 3"]) -> Float64[np.ndarray, "point 3"]:
    """Return points about the centre of their box, its longest side 1; raises :class:`BadSample` for a single place."""
    low, high = cloud.min(axis=0), cloud.max(axis=0)
    side = float((high - low).max())
    if not side > 0:
        raise BadSample("a cloud", "all its points are in one place")
    return (cloud - (low + high) / 2) / side


@dataclass(frozen=True)
class CollateModels:
    """Loaded models to the columns of a batch; one that could not be used has no keypoints."""

    points: int

    def __call__(self, loaded: list[dict[str, np.ndarray] | None]) -> dict[str, np.ndarray]:
        """Return stacked columns."""
        cloud: Float32[np.ndarray, "point 3"] = np.zeros((self.points, 3), np.float32)
        none = np.full(MOST, ABSENT, np.int64)
        empty = {"point": cloud, "keypoint": none, "meaning": none, "usable": np.zeros((), np.uint8)}
        models = [empty if model is None else model for model in loaded]
        return {name: np.stack([model[name] for model in models]) for name in empty}


def keypoint_sources(config: KeypointClouds) -> dict[str, Samples]:
    """Open the models of a class by split: ``train``, with noise and under the budget, ``val`` and ``test``, plain.

    Models without a cloud are left out. Raises :class:`UserError` for another class, and without a training model.
    """
    class_id = next((key for key, name in CLASSES.items() if config.category in (key, name)), None)
    if class_id is None:
        raise UserError(f"no class '{config.category}' in KeypointNet: choose of {', '.join(CLASSES.values())}")
    root = Path(config.root)
    models, report = read_annotations(root)
    own = [model for model in models if model.class_id == class_id]
    there = [model for model in own if is_there(cloud_path(root, model))]
    described = (
        f"KeypointNet: {len(there)} of {len(own)} {CLASSES[class_id]}s have a cloud; {len(report)} models left out"
    )
    opened = {}
    for split in ("train", "val", "test"):
        chosen = [model for model in there if model.split == split]
        if split == "train":
            if not chosen:
                raise UserError(
                    f"no {CLASSES[class_id]} to train on in {root}: {described}; unpack pcds and splits there"
                )
            names = [model.model_id for model in chosen]
            kept = label_budget(names, config.budget, config.budget_seed)
            chosen = [model for model, keep in zip(chosen, kept, strict=True) if keep]
        opened[split] = Samples(
            model_rows(root, chosen),
            LoadModel(root, config, augment=split == "train"),
            CollateModels(config.points),
            digest(["keypointnet", split, [content_of(root, model) for model in chosen]]),
            described,
        )
    return opened


def model_rows(root: Path, models: list[AnnotatedModel]) -> pa.Table:
    """Return a row for each model: its name, its cloud, the rows of its keypoints in that, and their meanings."""
    columns = {
        "model": pa.array([model.model_id for model in models], pa.string()),
        "cloud": pa.array([cloud_path(root, model).relative_to(root).as_posix() for model in models], pa.string()),
        "rows": pa.array([[one.point for one in model.keypoints] for model in models], pa.list_(pa.int64())),
        "meanings": pa.array([model.semantic_ids.tolist() for model in models], pa.list_(pa.int64())),
    }
    return pa.table(columns)


def content_of(root: Path, model: AnnotatedModel) -> list[Any]:
    """Return what identifies a model: its annotations, and size and time of change of its cloud."""
    state = cloud_path(root, model).stat()
    return [record_of(model), state.st_size, state.st_mtime_ns]

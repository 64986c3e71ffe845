"""A trained network for use from Python, on pictures and points in memory: no Ray, and MLflow only for registered models."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor

from sem3d.config import Experiment
from sem3d.datasets.objects.srn_layout import middle, squared
from sem3d.datasets.scans.frames import nearest, resize_color
from sem3d.datasets.scans.own_classes import label_set_of
from sem3d.errors import UserError
from sem3d.methods import method_class
from sem3d.methods.method import (
    GivesBoxes,
    GivesFeatures,
    GivesLabels,
    GivesMeshes,
    GivesParts,
    GivesPointLabels,
    Method,
)
from sem3d.methods.voxel_features import VoxelFeatures
from sem3d.pipelines.given_cloud import check_cloud
from sem3d.pipelines.given_picture import Picture, given, object_picture, scene_picture, seen_size
from sem3d.pipelines.trained_run import TrainedRun
from sem3d.runs.device import chosen_device
from sem3d.runs.stored_run import stored_experiment

GIVES = {
    "features": GivesFeatures,
    "segment": GivesLabels | GivesParts,
    "mesh": GivesMeshes,
    "segment_points": GivesPointLabels,
    "point_features": VoxelFeatures,
    "boxes": GivesBoxes,
}
"""What a model may give: the function of :class:`Model`, and the protocol or mix-in of the methods that can."""


@dataclass(frozen=True)
class Mesh:
    """A mesh in right-handed axes, y up, in the frame that the training data has for its class, inside a cube of side 1."""

    vertices: Float32[np.ndarray, "vertex 3"]
    faces: Int64[np.ndarray, "face 3"]

    def write(self, path: str | Path) -> None:
        """Write the mesh as .obj, .ply or .glb; raises :class:`UserError` for another ending."""
        from sem3d.datasets.objects.object_image import write_mesh  # trimesh takes a second to import

        write_mesh(Path(path), self.vertices, self.faces)


@dataclass(frozen=True)
class Model:
    """A trained network in eval, on one device. ``gives`` names the functions that it has an answer to."""

    method: str
    """Name of the method in the register, such as pri3d."""
    folder: Path
    """Run, checkpoint or fetched model that the weights are of."""
    device: torch.device
    network: Method = field(repr=False)
    experiment: Experiment = field(repr=False)
    """Settings that it was trained with."""

    @property
    def gives(self) -> tuple[str, ...]:
        """Return the names of the functions that this model answers."""
        return tuple(name for name, protocol in GIVES.items() if isinstance(self.network, protocol))

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the names of the classes by number, 0 being none of them; empty where the model knows no classes.

        Of parts, class 0 is the background, and the names are those in the data's folder, where that is still there, else
        PartNet's of the run's ``data.category``, else numbers.
        """
        if isinstance(self.network, GivesParts):
            return self.network.part_names()
        if not isinstance(self.network, GivesLabels | GivesPointLabels):
            return ()
        return label_set_of(self.experiment.data).names

    def features(self, picture: Picture, size: tuple[int, int] | None = None) -> Float32[np.ndarray, "dim row column"]:
        """Return dense features of a picture of a scene, not normalised, of every second pixel of the size it is seen at.

        ``size`` is that (height, width): by default that of the training frames where the picture has their aspect, else its own
        aspect at as many pixels. Raises :class:`UserError` for what is no such picture, and where the model gives none.
        """
        network = self._able("features")
        assert isinstance(network, GivesFeatures)
        with torch.inference_mode():
            return network.image_features(self._seen(scene_picture(picture), size))[0].float().cpu().numpy()

    def segment(self, picture: Picture, size: tuple[int, int] | None = None) -> UInt8[np.ndarray, "height width"]:
        """Return the class of each pixel of a picture, a number of ``classes``: of a scene, or of the parts of one object.

        A scene is seen at ``size`` as in :meth:`features`; each of its pixels takes the class found there. Of a picture of an
        object the middle square is seen, at the size of training alone; around it all is background. Without transparent pixels,
        what is white is background. Raises :class:`UserError` for what is no such picture, and where the model gives none.
        """
        network = self._able("segment")
        if isinstance(network, GivesParts):
            return self._parts(network, picture, size)
        assert isinstance(network, GivesLabels)
        colors = scene_picture(picture)
        with torch.inference_mode():
            found = network.pixel_scores(self._seen(colors, size))[0].argmax(0).to(torch.uint8).cpu().numpy()
        return nearest(found, colors.shape[:2])

    def mesh(self, picture: Picture) -> Mesh:
        """Return the mesh of the one object in a picture whose alpha channel is its mask.

        Raises :class:`UserError` for what is no such picture, and where the model gives none.
        """
        from sem3d.datasets.objects.object_image import read_object_image  # trimesh takes a second to import

        network = self._able("mesh")
        assert isinstance(network, GivesMeshes)
        image = torch.tensor(read_object_image(*given(picture)), device=self.device)
        with torch.inference_mode():
            vertices, faces = network.surfaces(image[None])
        return Mesh(vertices[0].float().cpu().numpy(), faces.long().cpu().numpy())

    def segment_points(
        self, points: Float32[np.ndarray, "point 3"], colors: UInt8[np.ndarray, "point 3"]
    ) -> UInt8[np.ndarray, " point"]:
        """Return the class of each point of a scene, a number of ``classes``; points in metres, z up, colours RGB.

        Raises :class:`UserError` for points that are no scene in metres, and where the model gives none.
        """
        from sem3d.pipelines.point_classes import classes_of_points

        check_cloud("the points", points, colors)
        return classes_of_points(self._able("segment_points"), "the points", points, colors)

    def point_features(
        self, points: Float32[np.ndarray, "point 3"], colors: UInt8[np.ndarray, "point 3"]
    ) -> Float32[np.ndarray, "point dim"]:
        """Return features of the 3D network at each point of a scene, not normalised; points in metres, z up, colours RGB.

        They are those that fine-tuning starts from, before the layer whose outputs a pretraining compares; points in one voxel
        have the same. Raises :class:`UserError` for points that are no scene in metres, and where the model gives none.
        """
        from sem3d.pipelines.point_classes import features_of_points

        check_cloud("the points", points, colors)
        _, rows, features = features_of_points(self._able("point_features"), "the points", points, colors)
        return features[rows]

    def boxes(
        self, points: Float32[np.ndarray, "point 3"], colors: UInt8[np.ndarray, "point 3"]
    ) -> list[dict[str, object]]:
        """Return the boxes around the objects of a scene, by falling objectness; points in metres, z up, colours RGB.

        Each has ``class``, ``score``, ``objectness``, ``center`` and ``size`` (full lengths along its own axes), metres, and
        ``heading``, its turn about the vertical, radians. Raises :class:`UserError` for points that are no scene in metres, and
        where the model gives none.
        """
        from sem3d.methods.tasks.object_detection_3d import ObjectDetection3D
        from sem3d.pipelines.point_boxes import boxes_of_points, described_boxes

        check_cloud("the points", points, colors)
        network = self._able("boxes")
        assert isinstance(network, ObjectDetection3D)
        return described_boxes(boxes_of_points(network, "the points", points, colors), network.classes.names)

    def _parts(
        self, network: GivesParts, picture: Picture, size: tuple[int, int] | None
    ) -> UInt8[np.ndarray, "height width"]:
        image, side = object_picture(picture), self.experiment.data.size
        if size not in (None, (side, side)):
            raise UserError(f"{self.folder} sees pictures of objects at {side} x {side} pixels: leave size out")
        seen = torch.tensor(squared(image, None, side)[0].transpose(2, 0, 1)[None], device=self.device)
        with torch.inference_mode():
            found = network.part_scores(seen)[0].argmax(0).to(torch.uint8).cpu().numpy()
        labels = np.zeros(image.shape[:2], np.uint8)
        inner = middle(labels)
        inner[:] = nearest(found, inner.shape)
        return labels

    def _able(self, name: str) -> Method:
        """Return the network; raises :class:`UserError` where it has no answer to the function ``name``."""
        if name not in self.gives:
            what = (
                f"it gives {', '.join(self.gives)}" if self.gives else f"it gives nothing from Python; {self._instead}"
            )
            raise UserError(f"{self.folder} is a run of {self.method}, which has no {name}: {what}")
        return self.network

    @property
    def _instead(self) -> str:
        method = method_class(self.method)
        predicts = f"predict {self.method} --run {self.folder}" if method.prediction else f"evaluate {self.folder}"
        return method.unpredicted or f"call python -m jobs.{predicts}"

    def _seen(
        self, colors: UInt8[np.ndarray, "height width 3"], size: tuple[int, int] | None
    ) -> UInt8[Tensor, "1 3 new_height new_width"]:
        data = self.experiment.data
        at = size or seen_size(colors.shape[:2], (data.height, data.width))
        return torch.tensor(resize_color(colors, at).transpose(2, 0, 1)[None], device=self.device)


def load(
    run: str | Path,
    *,
    device: Literal["auto", "cpu", "gpu"] = "auto",
    storage: str | Path = "runs",
    tracking_uri: str = "",
) -> Model:
    """Load a trained network: of a run folder, of one of its checkpoint folders, or a registered model.

    Those are named ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``, looked up in the MLflow store ``tracking_uri``, else
    ``MLFLOW_TRACKING_URI``, else the one in ``storage``, where they are kept once fetched. Random states stay as they are.
    Raises :class:`UserError` where there is no whole checkpoint, or one of another version.
    """
    folder = fetched_folder(str(run), Path(storage), tracking_uri)
    name, experiment = stored_experiment(folder)
    place = chosen_device(device)
    with randomness_kept():
        network = TrainedRun(folder, name, experiment).build(with_data=False)
    return Model(name, folder, place, network.to(place), experiment)


def fetched_folder(run: str, storage: Path, tracking_uri: str) -> Path:
    """Return where a run lies; a registered model is fetched first."""
    if not run.startswith("models:"):
        return Path(run).expanduser()
    from sem3d.tracking.registry import resolve  # MLflow takes seconds to import

    return resolve(run, storage, tracking_uri)


@contextmanager
def randomness_kept() -> Iterator[None]:
    """Put the random states of Python, NumPy and torch's CPU back: a network is built from a seed of its own."""
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        yield
    random.setstate(python)
    np.random.set_state(numpy)

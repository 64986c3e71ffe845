"""pixel_semantics: meaning of the pixels of an object in one picture by way of its shape in 3D (2D-3D-2D), made of trained runs.

Three runs are put together: ``reconstruction`` gives the shape, ``viewpoint`` the camera, ``keypoint_embedding`` the meaning of
each point; the camera is then fitted to the silhouette. Nothing is trained here: a sweep scores each way of answering as it is.
Presets: ``paper`` fits azimuth, elevation and the rest of the camera in about 20 steps, ``released`` the distance alone in 30,
with the surface at an occupancy of .1. ``laptop`` is ``paper`` at the size of the other laptop presets.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from sem3d.bounds import AtLeastOne, Positive, Share
from sem3d.config import Experiment, OptimConfig, RunConfig, ScheduleConfig, Weights, override
from sem3d.datasets.sketched_views import SketchedViews, sketched_sources
from sem3d.datasets.stream import Samples
from sem3d.methods.method import Method
from sem3d.rendering.fitted_viewpoint import Freedom

Way = Literal[
    "pipeline",
    "without refinement",
    "fixed template",
    "true 2.5D sketches",
    "true shape",
    "true azimuth and elevation",
    "all three true",
    "2D transfer",
    "2D transfer, checked",
]
"""Ways to find keypoints: by the pipeline, with other or true parts of it, or from another object's picture in 2D."""


@dataclass(frozen=True, kw_only=True)
class PipelineSettings:
    """Settings of the pipeline beside the runs that it is made of."""

    refine: Freedom = "full"
    """Numbers of the camera that are fitted to the predicted silhouette: none, distance (released), angles, or full."""
    steps: AtLeastOne = 20
    """Steps of that; paper: about 20, released: 30."""
    rate: Positive = 0.02
    """Rate of these, in radians and lengths of the object."""
    level: Share = 0.0
    """Occupancy at which the surface lies; 0: the threshold of the run. Released: 0.1."""
    points: AtLeastOne = 2048
    """Points of the surface that are embedded."""
    distance: float = 0.0
    """Of the camera at first, in lengths of the object's longest side; 0: the mean of the data that the viewpoint learnt from."""


@dataclass(frozen=True, kw_only=True)
class PixelSemanticsConfig(PipelineSettings):
    """The three runs, and the way of answering that is scored."""

    shape: Weights = ""
    """Run of reconstruction."""
    view: Weights = ""
    """Run of viewpoint."""
    meaning: Weights = ""
    """Run of keypoint_embedding."""
    way: Way = "pipeline"
    """The pipeline; without refinement of the viewpoint; with the mean shape of the training objects; with true parts; or
    transfer of keypoints from a picture of another object by a 2D network, also with a geometric check."""


def paper() -> Experiment:
    """Return the pipeline of sections 4.2 to 4.5; what it is scored on are views of other objects."""
    return Experiment(
        method=PixelSemanticsConfig(),
        data=SketchedViews(),
        optim=OptimConfig(),
        schedule=ScheduleConfig(steps=1),
        run=RunConfig(),
    )


def released() -> Experiment:
    """Return the pipeline of SemanticTransfer's demo."""
    return override(paper(), {"method.refine": "distance", "method.steps": 30, "method.level": 0.1})


def laptop() -> Experiment:
    """Return the pipeline on what the other laptop presets learn."""
    return override(paper(), {"data.size": 64, "data.voxels": 32, "data.evaluation_views": 2})


def gpu() -> Experiment:
    """Return the pipeline on what the other presets ``gpu`` learn."""
    return override(laptop(), {"data.evaluation_views": 4})


class PixelSemantics(Method):
    """Three trained networks and a fit of the viewpoint."""

    Config = PixelSemanticsConfig
    Data = SketchedViews
    presets: ClassVar = {"paper": paper, "released": released, "laptop": laptop, "gpu": gpu}
    score = ("pck_of_pairs", "max")
    label_budget = "data.budget"
    frozen_scores = "sem3d.pipelines.pixel_semantics.comparison:frozen_scores"
    marks = "sem3d.pipelines.pixel_semantics.mean_places:marks"

    @classmethod
    def sources(cls, experiment: Experiment[PixelSemanticsConfig, SketchedViews]) -> dict[str, Samples]:
        """Open views of training objects, of val and of test, with everything that is known of them."""
        return sketched_sources(experiment.data, experiment.run.storage, ("image", "sketch", "viewpoint", "voxel"))

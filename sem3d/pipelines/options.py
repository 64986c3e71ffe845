"""Options of evaluations and predictions, whatever their kind."""

from dataclasses import dataclass
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional

from sem3d.bounds import AtLeastOne, Bounds, Positive, Share, Side
from sem3d.config import FilePath, StorageFolder, StoreAddress, Weights


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """Options of an evaluation: the run and its data."""

    run: Positional[str]
    """Run folder, one of its checkpoint folders, or models:/NAME@ALIAS or models:/NAME/VERSION."""
    root: Annotated[FilePath, tyro.conf.arg(name="data.root")] = ""
    """Data to evaluate on; empty: those the run was trained on."""
    batch_size: int = 8
    """Items evaluated at a time; does not change the numbers."""
    device: Annotated[Literal["auto", "cpu", "gpu"], tyro.conf.arg(name="run.device")] = "auto"
    """auto takes the GPU where this machine has one."""
    split: Annotated[Literal["", "val", "test"], tyro.conf.arg(name="data.evaluation-split")] = ""
    """Split of single objects to evaluate on; empty: that of the run."""
    init: Weights = ""
    """Initial weights that the run is compared with; empty: the run's own, where they have a name. A path that its checkpoint
    holds is not followed."""
    storage: Annotated[StorageFolder, tyro.conf.arg(name="run.storage")] = ""
    """Folder of the index, the default MLflow store and fetched models; empty: the folder that the run lies in, runs for a
    registered model."""
    tracking_uri: Annotated[StoreAddress, tyro.conf.arg(name="run.tracking-uri")] = ""
    """MLflow server or store of registered models; empty: MLFLOW_TRACKING_URI, else a SQLite file in run.storage."""


@dataclass(frozen=True, kw_only=True)
class MadeByOptions:
    """Options of predictions, whatever is given: the run."""

    run: str = ""
    """Run folder, one of its checkpoint folders, or a registered model; empty: the method's champion."""
    storage: StorageFolder = "runs"
    """Folder of the default MLflow store; registered models are kept there once fetched."""
    tracking_uri: StoreAddress = ""
    """MLflow server or store of registered models and predictions; empty: MLFLOW_TRACKING_URI, else a SQLite file in storage."""
    device: Annotated[Literal["auto", "cpu", "gpu"], tyro.conf.arg(name="run.device")] = "auto"
    """auto takes the GPU where this machine has one."""


@dataclass(frozen=True, kw_only=True)
class PredictionOptions(MadeByOptions):
    """Options of a prediction for a picture: the file and the run."""

    image: FilePath
    """Picture of one object with an alpha channel."""
    out: FilePath
    """Where the result goes; its ending says how it is written."""


@dataclass(frozen=True, kw_only=True)
class ScenePredictionOptions(MadeByOptions):
    """Options of a prediction for a picture of a scene: the file and the run."""

    image: FilePath
    """Picture of a room or street, PNG, JPEG or WebP."""
    out: FilePath
    """Where the result goes; its ending says how it is written."""


@dataclass(frozen=True, kw_only=True)
class PartsPredictionOptions(MadeByOptions):
    """Options of a prediction of the parts in a picture of an object: the file and the run."""

    image: FilePath
    """Picture of one object that fills its middle square, as the training views do: RGBA, or on white."""
    out: FilePath
    """Where the numbers of the classes go, ending in .png; a picture of them over the image goes beside it."""


@dataclass(frozen=True, kw_only=True)
class ObjectPredictionOptions(MadeByOptions):
    """Options of a prediction for a picture of an object that is cut as large as the training data show theirs."""

    image: FilePath
    """Picture of one object: with an alpha channel it is cut to what is opaque, otherwise the object should be in its middle and
    about two thirds as long as the picture's longer side."""
    mask: FilePath = ""
    """Picture of the same size that is white on the object and black elsewhere, in the place of an alpha channel."""
    distance: Annotated[float, Bounds(0, 100)] = 0.0
    """Of the camera, in lengths of the object's longest side, which says how large it is cut; 0: the mean of the data that the
    run learnt from, which must be where they were."""
    out: FilePath
    """Where the result goes; its ending says how it is written. A picture of it goes beside it, ending in .png."""


@dataclass(frozen=True, kw_only=True)
class ShapePredictionOptions(ObjectPredictionOptions):
    """Options of a prediction of the shape of an object in a picture."""

    level: Share = 0.0
    """Occupancy at which the surface lies; 0: the threshold of the run."""


@dataclass(frozen=True, kw_only=True)
class CloudPredictionOptions(MadeByOptions):
    """Options of a prediction for points: the file and the run."""

    cloud: FilePath
    """Coloured points or mesh, binary little-endian PLY as ScanNet's: metres, z up."""
    out: FilePath
    """Where the result goes: the labelled PLY, the boxes in a .json, or features in an .npz; a page with the cloud goes beside
    it, ending in .html."""


@dataclass(frozen=True, kw_only=True)
class ObjectCloudPredictionOptions(MadeByOptions):
    """Options of a prediction for the points of one object: the file and the run."""

    cloud: FilePath
    """Points of one object, y up, its front at -z, of any size: a .pcd of text as KeypointNet's, or a coloured, binary PLY."""
    out: FilePath
    """Where the numbers go, ending in .npz; points in their colours (.ply) and a page with them (.html) go beside it."""


@dataclass(frozen=True, kw_only=True)
class ViewPredictionOptions(MadeByOptions):
    """Options of a prediction for a picture whose camera is known: the file, its camera, and the run."""

    image: FilePath
    """Picture of one object, RGBA or on white."""
    out: FilePath
    """Where the cloud of points goes, ending in .ply; a strip of new views goes beside it (.png), and a turn around it (.gif,
    and .mp4 with the extra video).""" ""
    pose: FilePath = ""
    """Text of 16 numbers, world from camera, in the world of the training data; empty: pose/<name>.txt beside the picture's
    folder, as SRN's layout has it."""
    intrinsics: FilePath = ""
    """intrinsics.txt of SRN's layout; empty: that above the picture's folder."""
    mask: FilePath = ""
    """Class of each pixel, as .npy or .png; with it, the object is inferred from both, with --no-color from the mask alone."""
    color: bool = True
    """Infer from the picture's colours."""
    towards: FilePath = ""
    """Another picture in SRN's layout, which the object becomes while the camera turns."""
    steps: AtLeastOne = 300
    """Steps of the inference of the latent."""
    lr: Positive = 0.01
    """Rate of these."""
    side: Side = 64
    """Pixels of a side of new views."""

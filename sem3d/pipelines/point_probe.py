"""A linear probe on frozen features of the 3D network, before and after training: labels of pixels at the points they show."""

import numpy as np
import torch
from jaxtyping import Float, Integer

from sem3d.config import Experiment
from sem3d.datasets.single_frames import SingleFrames, frame_samples
from sem3d.datasets.stream import Samples, stream_once
from sem3d.methods.method import Effect, Method
from sem3d.networks.sparse_unet import SparseUNet, voxel_tensor
from sem3d.pipelines.options import EvaluationOptions
from sem3d.pipelines.probe import (
    FRAMES_OF_A_GLANCE,
    PIXELS_A_FRAME,
    PIXELS_OF_A_GLANCE,
    joined,
    probe_outcome,
    probed_by,
    refuse_failures,
)
from sem3d.pipelines.trained_run import Outcome, TrainedRun
from sem3d.runs.device import chosen_device, tensors


def probe(run: TrainedRun, options: EvaluationOptions) -> Outcome:
    """Fit a linear probe to features of labelled points of training frames; score it on those of validation frames."""
    return probe_outcome(probed(run, run.started_from(options.init), frames=None, pixels=20_000))


def probed(
    run: TrainedRun, start: str, frames: int | None = FRAMES_OF_A_GLANCE, pixels: int = PIXELS_OF_A_GLANCE
) -> Effect:
    """Return the scores of linear probes on the 3D features of the weights ``start`` and of the run's own.

    At most ``frames`` of each split are looked at, evenly spread, and ``pixels`` of their points fitted; ``None``: all frames.
    """
    return probed_by(run, start, labelled_points(run.experiment), frozen_point_features, (frames, pixels))


def labelled_points(experiment: Experiment) -> dict[str, Samples]:
    """Open all labelled frames of the data that a run learnt from, with labels of their pairs, by split, not augmented."""
    data = experiment.data
    same = {name: getattr(data, name) for name in ("root", "prepare", "height", "width", "matches", "voxel_size")}
    every = SingleFrames(**same, evaluation_frames=2**62)
    return frame_samples(every, experiment.run.storage, experiment.run.seed, labels=True)


def frozen_point_features(
    method: Method, experiment: Experiment, samples: Samples
) -> tuple[Float[np.ndarray, "point dim"], Integer[np.ndarray, " point"]]:
    """Return features of a method's 3D network at labelled points, and their labels; some of each frame.

    The network is moved to the device that ``run.device`` chooses. Raises :class:`UserError` where a frame cannot be used or
    none is labelled.
    """
    network, device = method.get_submodule("sparse_unet"), chosen_device(experiment.run.device)
    assert isinstance(network, SparseUNet)
    network.to(device)
    features, labels = [], []
    for batch in stream_once(samples, batch_size=experiment.run.batch_size, rank=0, world_size=1):
        refuse_failures(batch)
        label = batch.columns.pop("pair_label")
        columns = tensors({name: batch.columns[name] for name in ("voxel", "voxel_color")}, device)
        given = voxel_tensor(columns["voxel"], columns["voxel_color"], experiment.method.voxel_input, torch.float32)
        with torch.no_grad():
            voxels = network(given).cpu().numpy()
        for rows, known in zip(batch.columns["pair_voxel"], label, strict=True):
            labelled = np.flatnonzero(known)[:PIXELS_A_FRAME]
            features.append(voxels[rows[labelled]])
            labels.append(known[labelled])
    return joined(features, labels, experiment)

"""A linear probe on frozen features of the 2D network, before and after training."""

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import nn

from sem3d.config import Experiment
from sem3d.datasets.labelled_frames import LabelledFrames, labelled_samples
from sem3d.datasets.scans.labels import CLASS_NAMES
from sem3d.datasets.stream import Samples, stream_once
from sem3d.errors import UserError
from sem3d.networks.image_normalisation import normalise_images
from sem3d.pipelines.options import EvaluationOptions
from sem3d.pipelines.trained_run import Outcome, Table, TrainedRun
from sem3d.runs.device import chosen_device, tensors

PIXELS_A_FRAME = 200


def probe(run: TrainedRun, options: EvaluationOptions) -> Outcome:
    """Fit a linear probe to decoder features of labelled training pixels; score it on those of validation frames."""
    from sem3d.evaluation.probes import linear_probe

    experiment = run.experiment
    frames = labelled_frames(experiment)
    rows = []
    for arm, source in {"before": run.started_from(options.init), "after": ""}.items():
        network = run.build(source).get_submodule("unet")
        train, test = (frozen_features(network, experiment, frames[split]) for split in ("train", "val"))
        found = linear_probe(*train, *test, classes=len(CLASS_NAMES), seed=experiment.run.seed)
        rows.append(
            {
                "network": f"{arm} training",
                "probe mIoU, %": 100 * found.score.miou,
                "pixel accuracy, %": 100 * found.score.pixel_accuracy,
                "converged": str(found.converged),
            }
        )
    return Outcome([Table(rows, list(rows[0]))])


def labelled_frames(experiment: Experiment) -> dict[str, Samples]:
    """Open all labelled frames of the data that a run learnt from, at its size, by split: ``train`` and ``val``."""
    data = experiment.data
    chosen = LabelledFrames(root=data.root, prepare=data.prepare, height=data.height, width=data.width)
    return labelled_samples(chosen, experiment.run.storage)


def frozen_features(
    network: nn.Module, experiment: Experiment, samples: Samples
) -> tuple[Float[np.ndarray, "pixel dim"], Integer[np.ndarray, " pixel"]]:
    """Return features of the 2D network at labelled pixels, and their labels; some evenly drawn pixels of each frame.

    The network is moved to the device that ``run.device`` chooses. Raises :class:`UserError` where a frame cannot be used or
    none is labelled.
    """
    device = chosen_device(experiment.run.device)
    network.to(device)
    rng = np.random.default_rng(experiment.run.seed)
    features, labels = [], []
    for batch in stream_once(samples, batch_size=experiment.run.batch_size, rank=0, world_size=1):
        if batch.failures:
            raise UserError("; ".join(f"{failure['source']}: {failure['reason']}" for failure in batch.failures[:3]))
        with torch.no_grad():
            maps = network(normalise_images(tensors(batch.columns, device)["image"])).permute(0, 2, 3, 1).cpu().numpy()
        for feature_map, label in zip(maps, batch.columns["label"][:, ::2, ::2], strict=True):
            labelled = np.argwhere(label > 0)
            rows, columns = rng.permutation(labelled)[:PIXELS_A_FRAME].T
            features.append(feature_map[rows, columns])
            labels.append(label[rows, columns])
    if not features:
        raise UserError(f"no labelled frame in {experiment.data.root}: a probe needs labels in both splits")
    return np.concatenate(features), np.concatenate(labels).astype(np.int64)

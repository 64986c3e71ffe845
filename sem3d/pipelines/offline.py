"""Evaluation of weights outside a run, in one process."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn

from sem3d.config import Experiment
from sem3d.datasets.labelled_frames import LabelledFrames, labelled_samples
from sem3d.datasets.stream import stream_once
from sem3d.errors import UserError
from sem3d.methods.method import Method
from sem3d.networks.image_normalisation import normalise_images
from sem3d.runs.quarantine import Quarantine
from sem3d.training.evaluation import Evaluation, evaluate

PIXELS_A_FRAME = 200


def chosen_device(device: Literal["auto", "cpu", "gpu"]) -> torch.device:
    """What ``run.device`` means in a plain process; raises :class:`UserError` where there is no GPU to take."""
    if device == "gpu" and not torch.cuda.is_available():
        raise UserError("run.device gpu: torch sees no GPU on this machine; leave it at auto, or choose cpu")
    return torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")


def evaluate_once(method: Method, experiment: Experiment) -> Evaluation:
    """Scores ``method`` on its held-out samples, on the device that ``run.device`` chooses; the method is moved there.

    Raises :class:`UserError` where there is none, or past the quarantine limit.
    """
    device = chosen_device(experiment.run.device)
    method.to(device)

    def to_batch(columns: dict[str, Tensor]) -> Any:
        return method.Batch(**{name: value.to(device) for name, value in columns.items()})

    samples = method.evaluation_samples(experiment)
    if not samples.table.num_rows:
        raise UserError(
            f"nothing is held out in {experiment.data.root}: raise --data.prepare.val_fraction or add scans"
        )
    batches = stream_once(samples, batch_size=experiment.run.batch_size, rank=0, world_size=1)
    with TemporaryDirectory() as folder:
        quarantine = Quarantine(Path(folder), 0, experiment.run.quarantine_limit)
        return evaluate(method, samples, batches, to_batch, quarantine, step=0, draw=False)


def frozen_features(
    network: nn.Module, experiment: Experiment, split: Literal["train", "val"]
) -> tuple[Float[np.ndarray, "pixel dim"], Integer[np.ndarray, " pixel"]]:
    """Features of the 2D network at labelled pixels, and their labels; some evenly drawn pixels of each frame.

    The network is moved to the device that ``run.device`` chooses.
    Raises :class:`UserError` where a frame cannot be used or none is labelled.
    """
    data = LabelledFrames(
        root=experiment.data.root,
        prepare=experiment.data.prepare,
        height=experiment.data.height,
        width=experiment.data.width,
    )
    device = chosen_device(experiment.run.device)
    network.to(device)
    rng = np.random.default_rng(experiment.run.seed)
    features, labels = [], []
    samples = labelled_samples(data, experiment.run.storage, split)
    for batch in stream_once(samples, batch_size=experiment.run.batch_size, rank=0, world_size=1):
        if batch.failures:
            raise UserError("; ".join(f"{failure['source']}: {failure['reason']}" for failure in batch.failures[:3]))
        with torch.no_grad():
            maps = network(normalise_images(batch.columns["image"].to(device))).permute(0, 2, 3, 1).cpu().numpy()
        for feature_map, label in zip(maps, batch.columns["label"].numpy()[:, ::2, ::2], strict=True):
            labelled = np.argwhere(label > 0)
            rows, columns = rng.permutation(labelled)[:PIXELS_A_FRAME].T
            features.append(feature_map[rows, columns])
            labels.append(label[rows, columns])
    if not features:
        raise UserError(f"no labelled {split} frame in {data.root}: a probe needs labels in both splits")
    return np.concatenate(features), np.concatenate(labels).astype(np.int64)

"""A linear probe on frozen features of the 2D network, before and after training."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Integer

from sem3d.config import Experiment
from sem3d.datasets.labelled_frames import LabelledFrames, labelled_samples
from sem3d.datasets.scans.own_classes import OwnClasses, label_set_of
from sem3d.datasets.stream import Samples, StreamedBatch, stream_once
from sem3d.errors import UserError
from sem3d.methods.method import Effect, Method
from sem3d.networks.image_normalisation import normalise_images
from sem3d.pipelines.options import EvaluationOptions
from sem3d.pipelines.trained_run import Outcome, Table, TrainedRun
from sem3d.runs.device import chosen_device, tensors

PIXELS_A_FRAME = 200
FRAMES_OF_A_GLANCE, PIXELS_OF_A_GLANCE = 100, 4000
"""Frames of each split, and labelled training pixels, that say enough beside a sweep."""


FrozenFeatures = Callable[[Method, Experiment, Samples], tuple[np.ndarray, np.ndarray]]
"""Features (place, dim) at labelled places of samples by a method's network, and their labels."""


def probe(run: TrainedRun, options: EvaluationOptions) -> Outcome:
    """Fit a linear probe to decoder features of labelled training pixels; score it on those of validation frames."""
    return probe_outcome(probed(run, run.started_from(options.init), frames=None, pixels=20_000))


def probe_outcome(found: Effect) -> Outcome:
    """Return the table of a probe before and after training."""
    rows = [
        {
            "network": f"{arm} training",
            "probe mIoU, %": 100 * metrics["probe_miou_scannet"],
            "pixel accuracy, %": 100 * metrics["probe_pixel_accuracy"],
            "converged": str(bool(metrics["probe_converged"])),
        }
        for arm, metrics in {"before": found.before, "after": found.after}.items()
    ]
    return Outcome([Table(rows, list(rows[0]))])


def probed(
    run: TrainedRun, start: str, frames: int | None = FRAMES_OF_A_GLANCE, pixels: int = PIXELS_OF_A_GLANCE
) -> Effect:
    """Return the scores of linear probes on the weights ``start`` and on the run's own.

    At most ``frames`` of each split are looked at, evenly spread, and ``pixels`` fitted; ``None``: all frames.
    """
    return probed_by(run, start, labelled_frames(run.experiment), frozen_features, (frames, pixels))


def probed_by(
    run: TrainedRun,
    start: str,
    opened: dict[str, Samples],
    features_of: FrozenFeatures,
    limits: tuple[int | None, int],
) -> Effect:
    """Return what :func:`probed` does, of any features; ``limits``: frames of each split (None: all), and labels fitted."""
    frames, labels = limits
    chosen = {split: evenly(samples, frames) for split, samples in opened.items()}
    found = [scores_of(run.build(source), run.experiment, chosen, features_of, labels) for source in (start, "")]
    rows = {split: (chosen[split].table.num_rows, opened[split].table.num_rows) for split in ("train", "val")}
    parts = [f"{used} of {total} {split} frames" for split, (used, total) in rows.items() if used < total]
    return Effect(*found, basis=" and ".join(parts))


def frozen_scores(run: TrainedRun) -> dict[str, float]:
    """Return the scores of a linear probe on the weights that a run of segmentation starts from, under its label budget.

    ``run`` may have no checkpoint of its own. At most ``FRAMES_OF_A_GLANCE`` frames of each split are looked at, evenly spread,
    and ``PIXELS_OF_A_GLANCE`` pixels fitted.
    """
    experiment = run.experiment
    opened = labelled_samples(experiment.data, experiment.run.storage)
    chosen = {split: evenly(opened[split], FRAMES_OF_A_GLANCE) for split in ("train", "val")}
    method = run.build(experiment.init, with_data=False)
    return scores_of(method, experiment, chosen, frozen_features, PIXELS_OF_A_GLANCE)


def scores_of(
    method: Method, experiment: Experiment, chosen: dict[str, Samples], features_of: FrozenFeatures, labels: int
) -> dict[str, float]:
    """Return the scores of a linear probe by name: fitted to so many labels of the samples ``train``, tested on ``val``."""
    from sem3d.evaluation.probes import linear_probe

    train, test = (features_of(method, experiment, chosen[split]) for split in ("train", "val"))
    seed = experiment.run.seed
    score = linear_probe(*train, *test, classes=len(label_set_of(experiment.data).names), seed=seed, train_limit=labels)
    return {
        "probe_miou_scannet": score.score.miou,
        "probe_pixel_accuracy": score.score.pixel_accuracy,
        "probe_converged": float(score.converged),
    }


def evenly(samples: Samples, most: int | None) -> Samples:
    """Return the samples with at most so many of their rows, evenly spread over the table."""
    total = samples.table.num_rows
    if most is None or total <= most:
        return samples
    return replace(
        samples, table=samples.table.take(np.linspace(0, total - 1, most).round().astype(int)), reference=None
    )


def labelled_frames(experiment: Experiment) -> dict[str, Samples]:
    """Open all labelled frames of the data that a run learnt from, at its size, by split: ``train`` and ``val``."""
    data = experiment.data
    same = {name: getattr(data, name) for name in ("root", "prepare", "height", "width")}
    chosen = LabelledFrames(**same, labels=getattr(data, "labels", OwnClasses()))
    return labelled_samples(chosen, experiment.run.storage)


def frozen_features(
    method: Method, experiment: Experiment, samples: Samples
) -> tuple[Float[np.ndarray, "pixel dim"], Integer[np.ndarray, " pixel"]]:
    """Return features of the 2D network at labelled pixels, and their labels; some evenly drawn pixels of each frame.

    The network is moved to the device that ``run.device`` chooses. Raises :class:`UserError` where a frame cannot be used or
    none is labelled.
    """
    device, network = chosen_device(experiment.run.device), method.get_submodule("unet")
    network.to(device)
    rng = np.random.default_rng(experiment.run.seed)
    features, labels = [], []
    for batch in stream_once(samples, batch_size=experiment.run.batch_size, rank=0, world_size=1):
        refuse_failures(batch)
        with torch.no_grad():
            maps = network(normalise_images(tensors(batch.columns, device)["image"])).permute(0, 2, 3, 1).cpu().numpy()
        for feature_map, label in zip(maps, batch.columns["label"][:, ::2, ::2], strict=True):
            labelled = np.argwhere(label > 0)
            rows, columns = rng.permutation(labelled)[:PIXELS_A_FRAME].T
            features.append(feature_map[rows, columns])
            labels.append(label[rows, columns])
    return joined(features, labels, experiment)


def refuse_failures(batch: StreamedBatch) -> None:
    """Raise :class:`UserError` where a frame of the batch could not be used."""
    if batch.failures:
        raise UserError("; ".join(f"{failure['source']}: {failure['reason']}" for failure in batch.failures[:3]))


def joined(
    features: list[np.ndarray], labels: list[np.ndarray], experiment: Experiment
) -> tuple[Float[np.ndarray, "place dim"], Integer[np.ndarray, " place"]]:
    """Return features and labels of all frames as one; raises :class:`UserError` where there is no frame."""
    if not features:
        raise UserError(f"no labelled frame in {experiment.data.root}: a probe needs labels in both splits")
    return np.concatenate(features), np.concatenate(labels).astype(np.int64)

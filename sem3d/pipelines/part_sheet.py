"""Part labels of several trained runs on the same views of new objects, side by side (Semantic SRN, Figures 3, 4 and 7)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int, UInt8

from sem3d.config import override
from sem3d.datasets.posed_views import class_names
from sem3d.datasets.stream import Samples
from sem3d.errors import BadSample, UserError
from sem3d.evaluation.figures.part_colours import part_palette
from sem3d.evaluation.figures.picture_grid import picture_grid
from sem3d.evaluation.part_labels import picture_miou
from sem3d.methods.method import scored
from sem3d.methods.semantic_srn.batch import SemanticSRNBatch
from sem3d.methods.semantic_srn.novel_views import as_bytes
from sem3d.methods.semantic_srn.view_scores import LabelsViews, as_pictures
from sem3d.pipelines.options import EvaluationOptions
from sem3d.pipelines.trained_run import Outcome, Table, TrainedRun
from sem3d.runs.stored_run import stored_experiment

PICTURED = 6
"""Rows of a sheet."""


@dataclass(frozen=True, kw_only=True)
class BesideOptions(EvaluationOptions):
    """Options of a comparison of part labels: the run, and those beside it."""

    beside: tuple[str, ...] = ()
    """Other runs that label parts of views, such as the U-Net's and the auto-encoder's, learnt from the same data."""


class LabelledView(NamedTuple):
    """One view of an object that a run has labelled."""

    color: UInt8[np.ndarray, "side side 3"]
    truth: Int[np.ndarray, "side side"]
    found: Int[np.ndarray, "side side"]
    miou: float


def part_sheet(run: TrainedRun, options: BesideOptions) -> Outcome:
    """Return the mIoU of each run over the views that all of them are scored on, and two sheets with their labels beside the
    truth: of the first views, and of those where the run itself is worst.
    """
    runs = headed([run, *(beside(run, name) for name in options.beside)])
    labelled = {heading: labelled_views(one, options.batch_size) for heading, one in runs.items()}
    first = next(iter(labelled.values()))
    shared = [key for key in first if all(key in views for views in labelled.values())]
    if not shared:
        raise UserError(
            "the runs are scored on no view together: learn them from the same data, with one data.evaluation_views and "
            "data.observation"
        )
    sizes = {views[shared[0]].truth.shape for views in labelled.values()}
    if len(sizes) > 1:
        raise UserError(f"the runs label views of different sizes, {sorted(sizes)}: give them one data.size")
    rows = [
        {
            "labels of": heading,
            "run": str(runs[heading].folder),
            "views": len(shared),
            "mIoU (%)": 100 * float(np.mean([views[key].miou for key in shared])),
        }
        for heading, views in labelled.items()
    ]
    samples = scored(run.sources)
    assert samples is not None
    names = class_names(samples)
    worst = sorted(shared, key=lambda key: first[key].miou)
    pictures = {
        name: sheet(labelled, keys[:PICTURED], names) for name, keys in (("parts", shared), ("worst_parts", worst))
    }
    return Outcome([Table(rows, list(rows[0]))], pictures=pictures)


def beside(run: TrainedRun, name: str) -> TrainedRun:
    """Return another run on the data and the device of the first."""
    method, experiment = stored_experiment(Path(name))
    same = {"data.root": run.experiment.data.root}
    same |= {"run.storage": run.experiment.run.storage, "run.device": run.experiment.run.device}
    return TrainedRun(Path(name), method, override(experiment, same))


def headed(runs: Sequence[TrainedRun]) -> dict[str, TrainedRun]:
    """Return runs by the short names of their methods, numbered where there are several of one."""
    short = [one.method.removeprefix("semantic_srn_") for one in runs]
    return {
        f"{name} {place + 1}" if short.count(name) > 1 else name: one
        for place, (name, one) in enumerate(zip(short, runs, strict=True))
    }


def labelling(run: TrainedRun) -> tuple[LabelsViews, Samples]:
    """Return the method of a run and the views that it is scored on; raises :class:`UserError` where it labels none of them."""
    method, samples = run.build(), scored(run.sources)
    if not isinstance(method, LabelsViews) or samples is None or not samples.table.num_rows:
        raise UserError(f"{run.folder} labels no parts of views: name runs that learnt part labels")
    return method, samples


def labelled_views(run: TrainedRun, at_once: int) -> dict[str, LabelledView]:
    """Return the views that a run is scored on, by picture, with its labels; those without known labels are left out.

    Raises :class:`UserError` for a run that labels no parts.
    """
    method, samples = labelling(run)
    found: dict[str, LabelledView] = {}
    for pictures, batch in batches_of(samples, at_once):
        with torch.no_grad():
            labels = method.labelled(batch)
        truth = as_pictures(batch.label.flatten(1, 2), batch)[:, -1]
        color = as_bytes(as_pictures(batch.color.flatten(1, 2), batch)[:, -1])
        classes = int(max(labels.max(), truth.max())) + 1
        for place, miou in enumerate(picture_miou(labels, truth, classes).tolist()):
            if miou == miou:
                one = (color[place], truth[place].numpy(), labels[place].numpy(), miou)
                found[pictures[place]] = LabelledView(*one)
    return found


def batches_of(samples: Samples, at_once: int) -> Iterator[tuple[list[str], SemanticSRNBatch]]:
    """Yield the scored pictures of some rows, the last of each, with the batch; rows that cannot be read are left out."""
    rows = samples.table.to_pylist()
    for first in range(0, len(rows), at_once):
        loaded, names = [], []
        for row in rows[first : first + at_once]:
            try:
                loaded.append(samples.load(row, np.random.default_rng(0)))
                names.append(row["pictures"][-1])
            except BadSample:
                continue
        if loaded:
            columns = samples.collate(loaded)
            yield names, SemanticSRNBatch(**{name: torch.from_numpy(column) for name, column in columns.items()})


def sheet(
    labelled: Mapping[str, Mapping[str, LabelledView]], keys: list[str], names: tuple[str, ...]
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw views, true labels, and a column of labels a run."""
    palette = part_palette(len(names))
    first = next(iter(labelled.values()))
    columns = {
        "view": [first[key].color for key in keys],
        "truth": [palette[first[key].truth.clip(min=0)] for key in keys],
    }
    columns |= {heading: [palette[views[key].found] for key in keys] for heading, views in labelled.items()}
    return picture_grid(columns, palette, names)

"""Part labels of a trained run seen from many sides: whether views agree, and the pictures that are worst."""

from collections.abc import Iterator
from math import isqrt

import numpy as np
import torch

from sem3d.datasets.stream import Samples
from sem3d.errors import BadSample, UserError
from sem3d.evaluation.figures.part_colours import part_palette
from sem3d.evaluation.figures.picture_grid import picture_grid
from sem3d.evaluation.part_labels import agreeing_labels, picture_miou
from sem3d.methods.method import scored
from sem3d.methods.semantic_srn.batch import SemanticSRNBatch
from sem3d.methods.semantic_srn.novel_views import as_bytes
from sem3d.methods.semantic_srn.scene_task import SceneTask
from sem3d.methods.semantic_srn.view_scores import silhouettes
from sem3d.pipelines.options import EvaluationOptions
from sem3d.pipelines.trained_run import Outcome, Table, TrainedRun

MOST_VIEWS = 16
"""Views of an object, evenly along those that are scored; neighbours are compared."""
WORST = 6
"""Pictures of the sheet."""


def part_consistency(run: TrainedRun, options: EvaluationOptions) -> Outcome:
    """Return in how many pixels rendered labels agree between neighbouring views of an object, where its rendered surface is the
    same, beside the mIoU; and a sheet of the pictures whose mIoU is worst (the paper's Figure 7).
    """
    method = run.build()
    assert isinstance(method, SceneTask)
    samples = scored(run.sources)
    if method.segmentation is None or samples is None or not samples.table.num_rows:
        raise UserError(
            f"{options.run} has no labels to compare: name a run that learnt part labels, on data with others"
        )
    agreeing = compared = 0
    pictures: list[tuple[float, list[np.ndarray]]] = []
    for batch in objects_of(samples):
        same, looked_up, found = compared_views(method, batch)
        agreeing, compared = agreeing + same, compared + looked_up
        pictures = sorted([*pictures, *found], key=lambda one: one[0])
    miou = float(np.mean([value for value, _ in pictures])) if pictures else float("nan")
    row = {
        "labels that agree (%)": 100 * agreeing / max(compared, 1),
        "pixels compared": compared,
        "mIoU (%)": 100 * miou,
    }
    worst = {heading: [] for heading in ("true", "rendered", "true labels", "rendered labels")}
    for _, panels in pictures[:WORST]:
        for column, panel in zip(worst.values(), panels, strict=True):
            column.append(panel)
    sheet = picture_grid(worst, part_palette(method.segmentation.answers), method.class_names)
    return Outcome([Table([row], list(row))], pictures={"worst_parts": sheet})


def objects_of(samples: Samples) -> Iterator[SemanticSRNBatch]:
    """Yield the views of each object that are compared, one object at a time; pictures that cannot be read are left out."""
    numbers = samples.table["instance"].to_numpy()
    for instance in np.unique(numbers):
        rows = np.flatnonzero(numbers == instance)
        chosen = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST_VIEWS)).round().astype(int))]
        loaded = []
        for row in samples.table.take(chosen).to_pylist():
            try:
                loaded.append(samples.load(row, np.random.default_rng(0)))
            except BadSample:
                continue
        if loaded:
            columns = samples.collate(loaded)
            yield SemanticSRNBatch(**{name: torch.from_numpy(column) for name, column in columns.items()})


def compared_views(method: SceneTask, batch: SemanticSRNBatch) -> tuple[int, int, list[tuple[float, list[np.ndarray]]]]:
    """Return pixels that agree and that were compared, and each labelled picture with its mIoU: colours and labels, true and
    rendered.
    """
    views = method.pictures(batch)
    seen = silhouettes(views)
    assert seen is not None
    assert views.logits is not None
    square = (len(batch.instance), isqrt(batch.pixels.shape[2]), isqrt(batch.pixels.shape[2]))
    labels = views.logits.argmax(-1).view(square)
    depth = (views.rendered.distance * views.rays.cosine).where(seen, 0.0).view(square)
    agreeing, compared = agreeing_labels(labels, depth, batch.world_from_camera[:, 0], batch.intrinsics[0])
    truth = batch.label.view(square)
    miou = picture_miou(labels, truth, views.logits.shape[-1]).tolist()
    palette = part_palette(views.logits.shape[-1])
    panels = [
        as_bytes(batch.color.view(*square, 3)),
        as_bytes(views.rendered.color[..., :3].reshape(*square, 3)),
        palette[truth.clamp(min=0).numpy()],
        palette[labels.numpy()],
    ]
    kept = [(value, [panel[place] for panel in panels]) for place, value in enumerate(miou) if value == value]
    return agreeing, compared, kept

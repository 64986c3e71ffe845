"""Part labels of trained runs seen from many sides: whether views agree, and the pictures that are worst."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor

from sem3d.datasets.posed_rays import LoadRays, depth_of_view
from sem3d.datasets.posed_views import class_names
from sem3d.datasets.stream import Samples
from sem3d.errors import BadSample
from sem3d.evaluation.figures.part_colours import part_palette
from sem3d.evaluation.figures.picture_grid import picture_grid
from sem3d.evaluation.part_labels import agreeing_labels, picture_miou
from sem3d.methods.method import scored
from sem3d.methods.semantic_srn.batch import SemanticSRNBatch
from sem3d.methods.semantic_srn.novel_views import as_bytes
from sem3d.methods.semantic_srn.scene_task import SceneTask
from sem3d.methods.semantic_srn.view_scores import LabelsViews, as_pictures, silhouettes
from sem3d.pipelines.part_sheet import BesideOptions, beside, headed, labelling
from sem3d.pipelines.trained_run import Outcome, Table, TrainedRun

MOST_VIEWS = 16
"""Views of an object, evenly along those that are scored; neighbours are compared."""
WORST = 6
"""Pictures of the sheet."""
TRUE_SURFACE, PARTS, OWN_SURFACE, TRUE_LABELS = "labels", "parts", "labels on own surface", "true labels"
"""Names of what is compared: a run's labels where the true depth is the same, the same where both views show a part, not the
background; its labels where the depth is the same that a scene network renders; and the true labels, the most that can be had.
"""
Row = Mapping[str, Any]


@dataclass
class SeenFromManySides:
    """Findings of one run, object by object."""

    compared: dict[str, np.ndarray] = field(default_factory=dict)
    """Pixels that agree and that were compared, by the name of what is."""
    pictures: list[tuple[float, dict[str, np.ndarray]]] = field(default_factory=list)
    """mIoU and panels of labelled pictures."""
    views: int = 0
    without_depth: list[str] = field(default_factory=list)
    """Reasons, one a view that has no true depth."""

    def add(self, name: str, labels: Tensor, depth: Tensor, batch: SemanticSRNBatch) -> None:
        """Compare the labels of the views of one object with those of the next."""
        found = agreeing_labels(labels, depth, batch.world_from_camera[:, -1], batch.intrinsics[0])
        self.compared[name] = self.compared.get(name, np.zeros(2, np.int64)) + found

    @property
    def miou(self) -> float:
        """Return the mean over labelled pictures."""
        return float(np.mean([value for value, _ in self.pictures])) if self.pictures else float("nan")

    def row(self, heading: str, run: TrainedRun) -> dict[str, Any]:
        """Return what was found for a table; without a pixel to compare there is no number."""
        cells: dict[str, Any] = {"labels of": heading, "run": str(run.folder)}
        for name in (TRUE_SURFACE, PARTS, OWN_SURFACE, TRUE_LABELS):
            agreeing, compared = self.compared.get(name, (0, 0))
            if compared:
                cells |= {
                    f"{name} that agree (%)": 100 * float(agreeing) / float(compared),
                    f"of {name}": int(compared),
                }
        return cells | {"mIoU (%)": 100 * self.miou}

    def notes(self, heading: str) -> list[str]:
        """Return lines on views without true depth, and on nothing that could be compared."""
        said = []
        if self.without_depth:
            lacking = f"{len(self.without_depth)} of {self.views}"
            said.append(f"{heading}: {lacking} views are not compared by true depth: {self.without_depth[0]}")
        if not any(compared for _, compared in self.compared.values()):
            said.append(f"{heading}: nothing is compared: no two of the views that are scored show the same point")
        return said


def part_consistency(run: TrainedRun, options: BesideOptions) -> Outcome:
    """Return in how many pixels the labels of each run agree between neighbouring views of an object, where these show the same
    point of its surface, beside the mIoU; and a sheet of the pictures whose mIoU is worst (the paper's Figure 7).

    The same point: by true depth, where the data have ``depth/`` of these views; of a scene network by the depth that it renders,
    too. Background agrees with background, so that labels of nothing agree everywhere: parts are compared by themselves, too.
    """
    runs = headed([run, *(beside(run, name) for name in options.beside)])
    found = {heading: seen_from_many_sides(one) for heading, one in runs.items()}
    rows = [one.row(heading, runs[heading]) for heading, one in found.items()]
    order = {name: None for row in rows for name in row if name != "mIoU (%)"}
    lines = [line for heading, one in found.items() for line in one.notes(heading)]
    pictures = [panels for _, panels in sorted(next(iter(found.values())).pictures, key=lambda one: one[0])[:WORST]]
    samples = scored(run.sources)
    names = () if samples is None else class_names(samples)
    columns = {name: [panels[name] for panels in pictures] for name in (pictures[0] if pictures else ())}
    sheets = {"worst_parts": picture_grid(columns, part_palette(len(names)), names)} if pictures else {}
    return Outcome([Table(rows, [*order, "mIoU (%)"])], lines, sheets)


def seen_from_many_sides(run: TrainedRun) -> SeenFromManySides:
    """Label the views that a run is scored on, object by object; raises :class:`UserError` for a run that labels no parts."""
    method, samples = labelling(run)
    found = SeenFromManySides()
    for rows, batch in objects_of(samples):
        add_object(found, method, samples, rows, batch)
    return found


def add_object(
    found: SeenFromManySides, method: LabelsViews, samples: Samples, rows: list[Row], batch: SemanticSRNBatch
) -> None:
    """Compare the labels of the views of one object, the last of each row, and keep them for a sheet."""
    classes = len(class_names(samples))
    labels, own, color = labelled(method, batch)
    truth = as_pictures(batch.label.flatten(1, 2), batch)[:, -1]
    depth = true_depth(found, samples, rows, labels.shape[-1])
    if depth is not None:
        found.add(TRUE_SURFACE, labels, depth, batch)
        found.add(PARTS, labels, depth.where(labels > 0, 0.0), batch)
        found.add(TRUE_LABELS, truth, depth.where(truth >= 0, 0.0), batch)
    if own is not None:
        found.add(OWN_SURFACE, labels, own, batch)
    palette = part_palette(classes)
    panels = {"true": as_bytes(as_pictures(batch.color.flatten(1, 2), batch)[:, -1])}
    panels |= {} if color is None else {"rendered": as_bytes(color)}
    panels |= {"true labels": palette[truth.clamp(min=0).numpy()], "labels": palette[labels.numpy()]}
    for place, value in enumerate(picture_miou(labels, truth, classes).tolist()):
        if value == value:
            found.pictures.append((value, {name: panel[place] for name, panel in panels.items()}))


@torch.no_grad()
def labelled(
    method: LabelsViews, batch: SemanticSRNBatch
) -> tuple[
    Int[Tensor, "view side side"], Float[Tensor, "view side side"] | None, Float[Tensor, "view side side 3"] | None
]:
    """Return the labels of the last view of each row and, of a scene network, the depth and the colours that it renders."""
    if not isinstance(method, SceneTask):
        return method.labelled(batch), None, None
    views = method.pictures(batch)
    labels = method.labelled(batch) if views.logits is None else as_pictures(views.logits.argmax(-1), batch)[:, -1]
    depth = as_pictures(views.rendered.distance * views.rays.cosine, batch)[:, -1]
    silhouette = silhouettes(views)
    seen = labels > 0 if silhouette is None else as_pictures(silhouette, batch)[:, -1]
    return labels, depth.where(seen, 0.0), as_pictures(views.rendered.color[..., :3], batch)[:, -1]


def true_depth(
    found: SeenFromManySides, samples: Samples, rows: list[Row], side: int
) -> Float[Tensor, "view side side"] | None:
    """Return the depth of the last view of each row, 0 in views without a usable one, which are told; None where none has one."""
    depths: list[Float32[np.ndarray, "side side"] | None] = []
    assert isinstance(samples.load, LoadRays)
    for row in rows:
        found.views += 1
        reason = f"there is no depth/ beside {row['pictures'][-1]}; jobs.prepare writes it for test views that it draws"
        try:
            depth = depth_of_view(samples.load.root, row, -1, side)
        except BadSample as error:
            depth, reason = None, str(error)
        if depth is None:
            found.without_depth.append(reason)
        depths.append(depth)
    if all(depth is None for depth in depths):
        return None
    nothing = np.zeros((side, side), np.float32)
    return torch.from_numpy(np.stack([nothing if depth is None else depth for depth in depths]))


def objects_of(samples: Samples) -> Iterator[tuple[list[Row], SemanticSRNBatch]]:
    """Yield the rows of each object whose views are compared, with their batch; pictures that cannot be read are left out."""
    numbers = samples.table["instance"].to_numpy()
    for instance in np.unique(numbers):
        rows = np.flatnonzero(numbers == instance)
        chosen = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST_VIEWS)).round().astype(int))]
        loaded, kept = [], []
        for row in samples.table.take(chosen).to_pylist():
            try:
                loaded.append(samples.load(row, np.random.default_rng(0)))
                kept.append(row)
            except BadSample:
                continue
        if loaded:
            columns = samples.collate(loaded)
            yield kept, SemanticSRNBatch(**{name: torch.from_numpy(column) for name, column in columns.items()})

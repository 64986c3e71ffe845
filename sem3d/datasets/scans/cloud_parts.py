"""The parts of a labelled scene: what trains and what is held out, and chunks of these."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float32

from sem3d.datasets.quarantine import Quarantined
from sem3d.datasets.scans.cloud_faults import check_classes, upright_fault
from sem3d.datasets.scans.instances import with_volume
from sem3d.datasets.scans.labelled_scene import CloudConfig, CloudPart, LabelledCloud, LabelledScene

NO_BOX = "no object of the classes: the scene has no box"


def parts_of(
    files: LabelledScene,
    source: str,
    whole: CloudPart,
    config: CloudConfig,
    names: Sequence[str],
    found: LabelledCloud,
) -> LabelledCloud:
    """Return ``found`` with the parts of the ``whole`` scene, whose labels of the classes ``names`` come from ``source``; raises
    :class:`BadSample` where they are of no use.
    """
    check_classes(source, whole.labels, names)
    parts, notes = divided_by_space(files, whole.points)
    if fault := upright_fault(whole.points, whole.labels, names):
        notes.append(Quarantined(source, files.scene, fault))
    chunks = [
        part_of(whole, split, rows) for split, mask in parts for rows in chunks_of(whole.points, mask, config.chunk)
    ]
    if files.objects:
        chunks, flat = of_objects_with_volume(chunks)
        notes += [Quarantined(files.objects.groups, files.scene, flat)] if flat else []
        if not any(chunk.objects is not None and chunk.objects.any() for chunk in chunks):
            notes.append(Quarantined(files.objects.groups, files.scene, NO_BOX))
    known = [chunk for chunk in chunks if chunk.labels.any()]
    if left_out := len(chunks) - len(known):
        notes.append(Quarantined(source, files.scene, f"chunks without a label: {left_out} of {len(chunks)}"))
    return replace(found, parts=known, notes=found.notes + notes)


def part_of(whole: CloudPart, split: str, rows: np.ndarray) -> CloudPart:
    """Return some points of a scene as a sample of a split."""
    objects = None if whole.objects is None else whole.objects[rows]
    return CloudPart(split, whole.points[rows], whole.colors[rows], whole.labels[rows], objects)


def of_objects_with_volume(chunks: list[CloudPart]) -> tuple[list[CloudPart], str]:
    """Return the chunks without objects that span no volume there, and words on these, "" where there is none."""
    left, lost, objects = [], 0, 0
    for chunk in chunks:
        assert chunk.objects is not None
        codes, flat, total = with_volume(chunk.points, chunk.objects)
        left.append(replace(chunk, objects=codes))
        lost, objects = lost + flat, objects + total
    return left, f"objects without volume: {lost} of {objects} have no box" if lost else ""


def divided_by_space(
    files: LabelledScene, points: Float32[np.ndarray, "point 3"]
) -> tuple[list[tuple[str, Bool[np.ndarray, " point"]]], list[Quarantined]]:
    """Return the points of each split, and a note where a scene is of two: it is cut across its longer side, by their shares."""
    if len(files.shares) == 1:
        return [(split, np.ones(len(points), bool)) for split in files.shares], []
    axis = int(np.ptp(points[:, :2], axis=0).argmax())
    border = float(np.quantile(points[:, axis], files.shares["train"] / sum(files.shares.values())))
    first = points[:, axis] < border
    note = f"divided by space: {'xy'[axis]} below {border:.2f} m trains, the rest is held out"
    return [("train", first), ("val", ~first)], [Quarantined(files.named, files.scene, note)]


def chunks_of(
    points: Float32[np.ndarray, "point 3"], mask: Bool[np.ndarray, " point"], side: float
) -> Iterator[Bool[np.ndarray, " point"] | np.ndarray]:
    """Yield the rows of the points of each square of ``side`` that holds any of those in ``mask``; all of these where 0."""
    rows = np.flatnonzero(mask)
    if not side or not len(rows):
        yield from [rows] * bool(len(rows))
        return
    cells = np.floor((points[rows, :2] - points[rows, :2].min(axis=0)) / side).astype(np.int64)
    _, of_row = np.unique(cells, axis=0, return_inverse=True)
    order = np.argsort(of_row, kind="stable")
    yield from np.split(rows[order], np.flatnonzero(np.diff(of_row[order])) + 1)

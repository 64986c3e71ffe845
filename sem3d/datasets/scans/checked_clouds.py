"""All scenes of a source read and labelled, for what can be said of them, without writing anything."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sem3d.datasets.quarantine import QuarantineReport
from sem3d.datasets.scans.cloud_sources import CloudSource
from sem3d.datasets.scans.clouds import check_read, labelled_clouds
from sem3d.datasets.scans.labelled_scene import CloudConfig


@dataclass(frozen=True)
class CheckedClouds:
    """Result of reading all scenes of a source without writing anything."""

    scenes: Counter[str]
    """Number of usable scenes by split."""
    labels: Counter[int]
    """Number of points by train id, or of boxes by class where the data set gives these."""
    report: QuarantineReport


def check_clouds(source: CloudSource, config: CloudConfig, say: Callable[[str], None]) -> CheckedClouds:
    """Read and label all scenes of a source; what cannot be used is named in the report.

    Raises :class:`UserError` for a setting that nothing reads.
    """
    check_read(source, config)
    found = CheckedClouds(Counter(), Counter(), QuarantineReport(list(source.unusable), list(source.notes)))
    for cloud in labelled_clouds(source, config, say, []):
        found.report.items.extend([cloud.unusable] if cloud.unusable else [])
        found.report.items.extend(cloud.frames)
        found.report.notes.extend(cloud.notes)
        found.scenes.update({part.split for part in cloud.parts})
        for part in cloud.parts:
            named = part.labels if part.boxes is None else part.boxes[:, -1].astype(np.int64)
            found.labels.update(dict(zip(*(one.tolist() for one in np.unique(named, return_counts=True)), strict=True)))
    return found

"""Reports of a labelling cycle: a line for the user, metrics, and the table of the labels that the pass gave."""

from typing import Any, NamedTuple

import torch

from sem3d.datasets.stream import Samples
from sem3d.methods.ssr.config import SSRConfig
from sem3d.methods.ssr.pseudo_labels import PseudoLabels
from sem3d.methods.ssr.viewpoint_labels import ViewpointLabels


class CycleReport(NamedTuple):
    """Arguments of :meth:`sem3d.methods.method.Passes.tell`."""

    line: str
    metrics: dict[str, float]
    tables: dict[str, Any]


def finish_cycle(
    labels: PseudoLabels,
    found: ViewpointLabels | None,
    unlabelled: Samples,
    step: int,
    accuracy: float,
    shapes: dict[str, float],
    config: SSRConfig,
) -> CycleReport:
    """Take what a pass found into ``labels`` and return its report.

    ``found`` is None where no pass was made because ``accuracy`` on labelled images is below the gate; the labels then stay as
    they are. ``shapes`` are numbers of the meshes at this step.
    """
    images = unlabelled.table
    truth = torch.tensor(images["view"].to_numpy(), dtype=torch.int64)
    if found is None:
        numbers = labels.keep(truth, step, shapes)
    else:
        numbers = labels.add(found, truth, step, shapes, config.labels_kept)
    metrics = {f"labels/{name}": value for name, value in {"gate": accuracy, **numbers}.items()}
    if found is None:
        line = f"no labelling at step {step}: accuracy {accuracy:.3f} on labelled images is below {config.gate:g}"
        if not accuracy:
            line += " (0 also where no batch held a pair to tell: label two objects, or --method.pairs all)"
        return CycleReport(line, metrics, {})
    said = ", ".join(f"{name} {value:.3f}" for name, value in numbers.items())
    line = f"labelling {labels.passes} at step {step}: {len(truth)} images, {said}"
    return CycleReport(line, metrics, {f"labels/step-{step:08d}": labels.table(truth, images["name"].to_pylist())})

"""Held-out scenes painted by their labels and by the classes that a run finds, as pages that can be turned."""

import numpy as np
import torch

from sem3d.datasets.stream import stream_once
from sem3d.errors import UserError
from sem3d.methods.method import HELD_OUT
from sem3d.methods.tasks.semantic_segmentation_3d import SCENES_SHOWN, SemanticSegmentation3D
from sem3d.pipelines.options import EvaluationOptions
from sem3d.pipelines.probe import evenly, refuse_failures
from sem3d.pipelines.trained_run import Outcome, Table, TrainedRun
from sem3d.reporting.page.cloud import cloud_page
from sem3d.runs.device import chosen_device, tensors


def clouds(run: TrainedRun, options: EvaluationOptions) -> Outcome:
    """Paint the voxels of the first held-out scenes, or chunks, by their labels and by the classes found; a page of each.

    Of each voxel one point is shown. The table says how many of the labelled points are named right.
    """
    samples = evenly(run.sources[HELD_OUT], SCENES_SHOWN)
    if not samples.table.num_rows:
        raise UserError(f"nothing is held out of {run.experiment.data.root}: there is no cloud to show")
    method, device = run.build(), chosen_device(run.experiment.run.device)
    assert isinstance(method, SemanticSegmentation3D)
    method.to(device)
    scenes, rows, pages = samples.table["scene"].to_pylist(), [], {}
    for number, streamed in enumerate(stream_once(samples, batch_size=1, rank=0, world_size=1)):
        refuse_failures(streamed)
        batch = method.Batch(**tensors(streamed.columns, device))
        with torch.no_grad():
            found = method.point_scores(batch).argmax(1).cpu().numpy()
        labels, of_point = streamed.columns["point_label"], streamed.columns["point_voxel"][:, 0]
        voxels, first = np.unique(of_point, return_index=True)
        places = (streamed.columns["voxel"][voxels, 1:] + 0.5) * run.experiment.data.voxel_size
        colors = streamed.columns["voxel_color"][voxels]
        for what, named in (("labels", labels), ("found", found)):
            painted = named[first].astype(np.int64)
            title = f"{scenes[number]}: {what}"
            pages[f"cloud-{number}-{what}"] = cloud_page(
                title, places, colors, painted, method.classes.palette, method.names
            )
        known = labels > 0
        right = 100 * float((found[known] == labels[known]).mean()) if known.any() else float("nan")
        rows.append({"cloud": str(number), "scene": scenes[number], "points": str(len(labels)), "right, %": right})
    return Outcome([Table(rows, ["cloud", "scene", "points", "right, %"])], pages=pages)

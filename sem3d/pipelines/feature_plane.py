"""Features laid out in the plane and coloured by class: of points before and after training, and of images beside their pixels.

The pictures of PPKT's Figures 5 and 3.
"""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Integer

from sem3d.config import Experiment
from sem3d.datasets.scans.labels import CLASS_NAMES, class_palette
from sem3d.datasets.stream import Samples, stream_once
from sem3d.errors import UserError
from sem3d.evaluation.figures import Dots, scatter_sheet
from sem3d.methods.method import Method
from sem3d.methods.ppkt.method import PPKT
from sem3d.networks.tapped_encoder import TappedEncoder, values_at_pixels
from sem3d.pipelines.options import EvaluationOptions
from sem3d.pipelines.point_probe import frozen_point_features, labelled_points
from sem3d.pipelines.probe import evenly, joined, refuse_failures
from sem3d.pipelines.trained_run import Outcome, Table, TrainedRun
from sem3d.runs.device import chosen_device, tensors

FRAMES, IMAGES, DOTS = 20, 60, 1500
"""Held-out frames that points come from, images of the teacher, and dots of a panel, at most."""
Features = tuple[Float[np.ndarray, "_ _"], Integer[np.ndarray, "_"]]


def tsne(run: TrainedRun, options: EvaluationOptions) -> Outcome:
    """Lay out features of labelled points of held-out frames by t-SNE, before and after training, coloured by class.

    A run of PPKT also shows its teacher: the mean features of images, coloured by the class that most of their labelled
    points have, beside features of single pixels. The table says of how many dots the most similar other one, by the features
    themselves, has the same class.
    """
    from sem3d.evaluation.plane import FEWEST

    start, labelled = run.started_from(options.init), labelled_points(run.experiment)["val"]
    shown = {
        "points before training": points_of(run, start, labelled),
        "points after training": points_of(run, "", labelled),
    }
    pictures = {"tsne_points": sheet(shown, run.experiment.run.seed)}
    method = run.build(with_data=False)
    if isinstance(method, PPKT) and isinstance(method.teacher.network, TappedEncoder):
        few = replace(labelled, table=labelled.table.slice(0, IMAGES), reference=None)
        images, pixels = teacher_features(method, run.experiment, few)
        if len(images[0]) >= FEWEST:
            taught = {"teacher, whole images": images, "teacher, single pixels": pixels}
            pictures["tsne_teacher"] = sheet(taught, run.experiment.run.seed)
            shown |= taught
    return Outcome([table_of(shown)], pictures=pictures)


def table_of(shown: dict[str, Features]) -> Table:
    """Return how many dots of each panel have a neighbour of their own class."""
    from sem3d.evaluation.plane import neighbours_of_the_same_class

    column = "nearest of the same class, %"
    rows = [
        {"features": heading, "dots": str(len(labels)), column: 100 * neighbours_of_the_same_class(features, labels)}
        for heading, (features, labels) in shown.items()
    ]
    return Table(rows, ["features", "dots", column])


def sheet(shown: dict[str, Features], seed: int) -> np.ndarray:
    """Return the panels of features by heading."""
    from sem3d.evaluation.plane import in_the_plane

    panels = [Dots(heading, in_the_plane(features, seed), labels) for heading, (features, labels) in shown.items()]
    return scatter_sheet(panels, class_palette(), CLASS_NAMES)


def points_of(run: TrainedRun, source: str, labelled: Samples) -> Features:
    """Return features of some labelled points, and their labels, by the weights of ``source``, else the run's own."""
    method = run.build(source, with_data=False)
    return some(*frozen_point_features(method, run.experiment, evenly(labelled, FRAMES)))


def some(features: Float[np.ndarray, "place dim"], labels: Integer[np.ndarray, " place"]) -> Features:
    """Return at most ``DOTS`` rows, drawn the same each time; raises :class:`UserError` where there are too few."""
    from sem3d.evaluation.plane import FEWEST

    if len(labels) < FEWEST:
        raise UserError(
            f"{len(labels)} labelled points of held-out frames: a picture of features needs {FEWEST} or more"
        )
    chosen = np.random.default_rng(0).permutation(len(labels))[:DOTS]
    return features[chosen], labels[chosen]


def teacher_features(method: Method, experiment: Experiment, samples: Samples) -> tuple[Features, Features]:
    """Return mean features of the teacher's maps of each labelled image, and features of labelled pixels, each with classes."""
    assert isinstance(method, PPKT)
    device = chosen_device(experiment.run.device)
    method.to(device)
    images, pixels, of_image, of_pixel = [], [], [], []
    for streamed in stream_once(samples, batch_size=experiment.run.batch_size, rank=0, world_size=1):
        refuse_failures(streamed)
        labels = streamed.columns.pop("pair_label")
        batch = method.Batch(**tensors(streamed.columns, device))
        maps, grids = method.maps(batch), method.grids((batch.image.shape[-2], batch.image.shape[-1]))
        whole = torch.cat([one.mean(dim=(2, 3)) for one in maps], dim=1).cpu().numpy()
        single = [values_at_pixels(one, batch.pair_pixel, grid) for one, grid in zip(maps, grids, strict=True)]
        for frame, (features, known) in enumerate(zip(torch.cat(single, dim=2).cpu().numpy(), labels, strict=True)):
            rows = np.flatnonzero(known)
            if len(rows):
                images.append(whole[frame : frame + 1])
                of_image.append(np.array([np.bincount(known[rows]).argmax()]))
                pixels.append(features[rows[:50]])
                of_pixel.append(known[rows[:50]])
    return joined(images, of_image, experiment), some(*joined(pixels, of_pixel, experiment))

"""Correspondence before and after pretraining: which share of pixels or points find their match among the pixels of an image, or
of voxels among those of another frame.
"""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Bool, Float, Num

from sem3d.datasets.view import FEATURE_STRIDE
from sem3d.errors import BadSample, UserError
from sem3d.evaluation.correspondence import THRESHOLD_PX, match_errors, nearest_cells, pixel_positions
from sem3d.evaluation.figures import draw_before_and_after
from sem3d.methods import method_class
from sem3d.methods.method import HELD_OUT, Effect, Method
from sem3d.methods.pri3d import Pri3D
from sem3d.pipelines.options import EvaluationOptions
from sem3d.pipelines.scores import evaluate_once
from sem3d.pipelines.trained_run import Outcome, Table, TrainedRun
from sem3d.runs.device import chosen_device, tensors

Found = tuple[Num[np.ndarray, "pair 2"], Bool[np.ndarray, "pair"]]
Columns = Mapping[str, tuple[str, int]]
PIXELS: Columns = {
    "within 5 px, %": ("match_rate_5px", 100),
    "by chance, %": ("match_rate_5px_by_chance", 100),
    "median error, px": ("match_median_error_px", 1),
}
VOXELS: Columns = {
    "within 2 voxels, %": ("match_rate", 100),
    "by chance, %": ("match_rate_by_chance", 100),
    "mean error, m": ("match_distance_m", 1),
}
"""Columns of a table: a metric, and the factor it is written with; the first is compared."""


def correspondence(run: TrainedRun, options: EvaluationOptions) -> Outcome:
    """Compare the run with the same network before pretraining, beside the match rate of guessing.

    A match is found where the nearest neighbour in feature space, among the pixels or voxels that are searched, lies within 5 px
    of it, or within two voxels.
    """
    found = matched(run, run.started_from(options.init))
    columns = columns_of(found.before)
    assert columns is not None
    rows = [
        {"network": f"{arm} pretraining"} | {name: scale * metrics[key] for name, (key, scale) in columns.items()}
        for arm, metrics in {"before": found.before, "after": found.after}.items()
    ]
    compared, _ = next(iter(columns.values()))
    before, after = found.before[compared], found.after[compared]
    ratio = f"ratio {after / before:.2f}" if before else "before: none found"
    return Outcome([Table(rows, list(rows[0]))], [f"{ratio}, on held-out data of {run.experiment.data.root}"])


def columns_of(metrics: Mapping[str, float]) -> Columns | None:
    """Return the columns that a method's metrics have, if any."""
    return next((each for each in (PIXELS, VOXELS) if {key for key, _ in each.values()} <= metrics.keys()), None)


def matched(run: TrainedRun, start: str) -> Effect:
    """Return how many held-out matches the weights ``start`` and the run's own find, and how far they are off; for Pri3D, whose
    samples are pairs of frames, with a picture.

    Raises :class:`UserError` where no held-out sample has a match.
    """
    figures: list[dict[str, float]] = []
    shown: dict[str, Found] = {}
    drawn = issubclass(method_class(run.method), Pri3D)
    pair = first_pair(run) if drawn else None
    for heading, source in (("before pretraining", start), ("after pretraining", "")):
        network = run.build(source)
        metrics = evaluate_once(network, run.experiment, run.sources).metrics
        columns = columns_of(metrics)
        if columns is None or (drawn and pair is None):
            raise UserError(f"nothing held out of {run.experiment.data.root} has a match: nothing can be found")
        figures.append({key: metrics[key] for key, _ in columns.values()})
        if pair is not None:
            shown[heading] = found_matches(network, chosen_device(run.experiment.run.device), pair)
    before, after = figures
    if pair is None:
        return Effect(before, after)
    images, cells = pair["image"][0], pair["cell"][0]
    anchor, positive = (np.ascontiguousarray(image.transpose(1, 2, 0)) for image in images)
    return Effect(before, after, picture=draw_before_and_after(anchor, positive, pixels(cells[:, 0]), shown))


def first_pair(run: TrainedRun) -> dict[str, np.ndarray] | None:
    """Return the first held-out pair that has a match, as the columns of a batch; None where none has one."""
    held_out = run.sources[HELD_OUT]
    for number in range(held_out.table.num_rows):
        (row,) = held_out.table.slice(number, 1).to_pylist()
        try:
            columns = held_out.collate([held_out.load(row, np.random.default_rng(0))])
        except BadSample:
            continue
        if columns["view_valid"][0]:
            return columns
    return None


def found_matches(network: Method, device: torch.device, pair: Mapping[str, np.ndarray]) -> Found:
    """Return the pixels that a network takes for the matches of a pair, and which of them are right."""
    assert isinstance(network, Pri3D)
    batch = network.Batch(**tensors(dict(pair), device))
    with torch.no_grad():
        anchor, positive = network.features(batch.image)[0].float()
    found = nearest_cells(anchor, positive, batch.cell[0, :, 0])
    right = match_errors(found, batch.cell[0, :, 1], FEATURE_STRIDE) <= THRESHOLD_PX
    return pixels(found.cpu().numpy()), right.cpu().numpy()


def pixels(cells: Num[np.ndarray, "match 2"]) -> Float[np.ndarray, "match 2"]:
    """Return the pixel positions (u, v) of feature cells."""
    return pixel_positions(torch.from_numpy(cells), FEATURE_STRIDE).numpy()

"""Aggregation on simulated people's marks, whose truth is known, beside simpler ways: ``jobs.evaluate aggregation``."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

import numpy as np
import tyro
from jaxtyping import Float, Int, UInt8
from PIL import Image

from sem3d.bounds import AtLeastOne, Positive, Share
from sem3d.config import StorageFolder
from sem3d.evaluation.figures.canvas import stacked, text_line
from sem3d.evaluation.figures.cloud_views import draw_cloud
from sem3d.evaluation.figures.plot import empty_plot, rendered
from sem3d.evaluation.geodesic_keypoints import precision_and_recall
from sem3d.pipelines.aggregation.aggregate import Aggregated, AggregationConfig, aggregate
from sem3d.pipelines.aggregation.baselines import clusters_in_space, means_by_index
from sem3d.pipelines.aggregation.clustering import NOISE
from sem3d.pipelines.aggregation.fidelity import surface_distances
from sem3d.pipelines.aggregation.symmetry import symmetry_groups
from sem3d.pipelines.trained_run import Outcome, Table
from sem3d.reporting.formatting import Metric
from sem3d.reporting.intervals import interval
from sem3d.worlds.annotators import AnnotatorsConfig, MarkedShapes, marked_shapes

PALETTE = np.array(
    [
        *((230, 25, 75), (60, 180, 75), (0, 130, 200), (245, 130, 48), (145, 30, 180), (70, 240, 240), (240, 50, 230)),
        *((210, 245, 60), (250, 190, 212), (0, 128, 128), (170, 110, 40), (128, 0, 0), (128, 128, 0), (0, 0, 128)),
    ],
    np.uint8,
)
OURS, MEANS, SPACE = "aggregation", "geodesic means by index", "DBSCAN in space"


@dataclass(frozen=True, kw_only=True)
class AggregationOptions:
    """Options of the comparison: simulated people, the aggregation, and what it is held against."""

    people: AnnotatorsConfig = field(default_factory=AnnotatorsConfig)
    """Shapes and people; their share of wrong marks is given by corrupted."""
    aggregation: AggregationConfig = field(default_factory=AggregationConfig)
    """Settings of the aggregation."""
    corrupted: tuple[Share, ...] = (0.0, 0.3)
    """Shares of wrong marks that are tried."""
    seeds: AtLeastOne = 3
    """Draws of shapes and people for each."""
    threshold: Positive = 0.05
    """Geodesic distance, in diagonals of the box, within which a keypoint is recovered."""
    space_reach: Positive = 0.03
    """Of DBSCAN in space."""
    space_core: Share = 0.4
    """Marks within reach that make a cluster in space, and people who make an index, as a share of all."""
    index_reach: Positive = 0.1
    """Distance of an index's marks from another person's within which both are taken for the same."""
    storage: Annotated[StorageFolder, tyro.conf.arg(name="run.storage")] = "runs"
    """Folder whose aggregation/figures gets the pictures."""


def aggregation(options: AggregationOptions) -> Outcome:
    """Aggregate simulated marks, and print precision and recall of the recovered keypoints beside those of two simpler ways.

    Raises :class:`UserError` for shapes of an unknown family.
    """
    total = len(options.corrupted) * options.seeds
    print(
        f"aggregating marks of {options.people.people} people on {options.people.models} shapes, {total} times",
        flush=True,
    )
    rows, pictures, lines = [], {}, []
    for corrupted in options.corrupted:
        scores: dict[str, list[tuple[float, float]]] = {OURS: [], MEANS: [], SPACE: []}
        for seed in range(options.seeds):
            config = replace(options.people, corrupted=corrupted, seed=options.people.seed + seed)
            marked = marked_shapes(config)
            distances = surface_distances(marked.raw.clouds)
            found = aggregate(marked.raw, distances, options.aggregation)
            fewest = max(2, round(options.space_core * config.people))
            answers = {
                OURS: [own[own >= 0] for own in found.keypoints],
                MEANS: means_by_index(marked.raw, distances, options.index_reach, fewest),
                SPACE: clusters_in_space(marked.raw, distances, options.space_reach, fewest),
            }
            for way, own in answers.items():
                scores[way].append(recovered(own, marked, distances, options.threshold))
            if seed == 0:
                groups = symmetry_groups(marked.raw.clouds, found.keypoints)
                lines.append(
                    f"{corrupted:.0%} wrong marks: {found.keypoints.shape[1]} meanings, {len(groups.reflections)} mirrored "
                    f"pairs, {len(groups.rotations)} groups of turns"
                )
                pictures |= {f"{name}-{corrupted:g}": drawn for name, drawn in drawings(marked, found).items()}
            print(f"wrong marks {corrupted:.0%}, seed {seed}: done", flush=True)
        rows += [scores_row(way, corrupted, own) for way, own in scores.items()]
    return Outcome([Table(rows, list(rows[0]), digits=1)], lines, pictures)


def scores_row(way: str, corrupted: float, scores: Sequence[tuple[float, float]]) -> dict[str, str]:
    """Return a row of the table: mean and 95 % interval over seeds, in percent."""
    named = {
        "precision, %": [precision for precision, _ in scores],
        "recall, %": [recall for _, recall in scores],
        "F, %": [harmonic(*both) for both in scores],
    }
    percent = Metric("share", "max", percent=True)
    row = {"keypoints": way, "wrong marks": f"{corrupted:.0%}"}
    return row | {name: percent.with_interval(interval(values)) for name, values in named.items()}


def harmonic(precision: float, recall: float) -> float:
    """Return the harmonic mean of both."""
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def recovered(
    found: Sequence[Int[np.ndarray, " keypoint"]],
    marked: MarkedShapes,
    distances: Sequence[Float[np.ndarray, "point point"]],
    threshold: float,
) -> tuple[float, float]:
    """Return precision and recall of found keypoints; nothing found has a precision of 0."""
    tables = [
        own[np.ix_(np.unique(points), true)] for own, points, true in zip(distances, found, marked.true, strict=True)
    ]
    share = precision_and_recall(tables, threshold)
    return (0.0 if np.isnan(share.precision) else share.precision), share.recall


def drawings(marked: MarkedShapes, found: Aggregated) -> dict[str, UInt8[np.ndarray, "_height _width 3"]]:
    """Return pictures like the paper's Figure 5 (stages on one model) and Figures 6 and 7 (clusters in the plane)."""
    return {"stages": stages(marked, found), "clusters": clusters_in_the_plane(found)}


def stages(marked: MarkedShapes, found: Aggregated, model: int = 0) -> UInt8[np.ndarray, "_height _width 3"]:
    """Draw marks, fidelity errors, candidates, their clusters and the truth of one model side by side."""
    cloud, errors = marked.raw.clouds[model], found.errors[model]
    grey = np.full((len(cloud), 3), 190, np.uint8)
    level = np.clip((errors - errors.min()) / max(1e-12, np.quantile(errors, 0.9) - errors.min()), 0, 1)
    heat = np.stack([255 * level, 90 * np.ones_like(level), 255 * (1 - level)], axis=1).astype(np.uint8)
    people = marked.raw.marks_of(model)
    of_person = np.repeat(np.arange(len(people)), [len(own) for own in people])
    kept = np.flatnonzero(found.keypoints[model] >= 0)
    panels = {
        "raw marks": draw_cloud(cloud, grey, np.concatenate(people), colors_of(of_person)),
        "fidelity error": draw_cloud(cloud, heat),
        "minima": draw_cloud(cloud, grey, found.candidates[model]),
        "keypoints by meaning": draw_cloud(cloud, grey, found.keypoints[model][kept], colors_of(kept)),
        "truth": draw_cloud(cloud, grey, marked.true[model]),
    }
    columns = [
        stacked([text_line(name, panel.shape[1], centred=True), Image.fromarray(panel)])
        for name, panel in panels.items()
    ]
    return np.concatenate(columns, axis=1)


def colors_of(numbers: Int[np.ndarray, " number"]) -> UInt8[np.ndarray, "number 3"]:
    """Return the colour of each number."""
    return PALETTE[numbers % len(PALETTE)]


def clusters_in_the_plane(found: Aggregated) -> UInt8[np.ndarray, "_height _width 3"]:
    """Draw the candidates of all models in t-SNE's plane, coloured by cluster, noise in black."""
    figure, axes = empty_plot(5, 5)
    colors = np.where((found.labels == NOISE)[:, None], 0, colors_of(found.labels)) / 255
    axes.scatter(*found.plane.T, c=colors, s=8)
    axes.set_title(f"{found.keypoints.shape[1]} clusters of {len(found.labels)} candidates, noise in black", fontsize=9)
    axes.set_xticks([])
    axes.set_yticks([])
    return rendered(figure)

"""The pipeline scored: PCK beside a fixed template, true parts in the place of predicted ones, and transfer in 2D."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import torch
import tyro
from jaxtyping import Bool, Float

from sem3d.bounds import Positive
from sem3d.config import FilePath, override
from sem3d.datasets.sketched_views import LoadSketched, sketched_sources
from sem3d.datasets.stream import Samples
from sem3d.errors import UserError
from sem3d.evaluation.keypoints import LocatedKeypoints, correct_share, visibility_scores
from sem3d.geometry.viewpoint_bins import angle_between
from sem3d.methods.reconstruction.mean_shape import shapes_of
from sem3d.methods.ssr.constant_shape import best_constant
from sem3d.pipelines.pixel_semantics.drawing import understanding_sheet
from sem3d.pipelines.pixel_semantics.networks import Networks, PipelineOptions, load_networks
from sem3d.pipelines.pixel_semantics.understanding import Given, Understood, understand
from sem3d.pipelines.pixel_semantics.views import HALF, KnownView, known_views, pairs_of
from sem3d.pipelines.pixel_transfer import CHECKED, PLAIN, PixelTransferOptions, TransferNetwork
from sem3d.pipelines.trained_run import Outcome, Table
from sem3d.runs.device import chosen_device

PIPELINE, UNREFINED, TEMPLATE = "pipeline", "without refinement", "fixed template"
SKETCHES, SHAPE, VIEWPOINT, ALL = "true 2.5D sketches", "true shape", "true azimuth and elevation", "all three true"
PAPERS = {VIEWPOINT: "+8.2"}
"""What the paper prints of each row: the gain by true viewpoints alone, PCK on Pix3D."""
NOT_AVAILABLE = "not available"
TENTH = 0.1
"""Alpha of differences."""
SHOWN = 6


@dataclass(frozen=True, kw_only=True)
class ScoringOptions(PipelineOptions):
    """Options of the pipeline's scores."""

    root: Annotated[FilePath, tyro.conf.arg(name="data.root")] = ""
    """Objects with sketches, voxels and keypoints; empty: those that the run in --shape learnt from."""
    most_views: int = 0
    """Test views, taken evenly from all; 0: all."""
    alphas: tuple[Positive, ...] = (0.05, 0.1, 0.15)
    """Thresholds, as shares of the longer side of the object's box."""
    transfer: bool = True
    """Compare with transfer by a 2D network from a picture of another object."""


@dataclass(frozen=True)
class Scored:
    """Findings of one way of answering, a picture each."""

    located: list[LocatedKeypoints]
    visible: list[tuple[Bool[np.ndarray, " keypoint"], Bool[np.ndarray, " keypoint"]]]
    """Predicted and true, of keypoints within the picture."""
    degrees: list[float]
    """Of the rotation of the fitted camera from the true one."""


def pixel_semantics(options: ScoringOptions) -> Outcome:
    """Score the pipeline of shape, viewpoint and meaning on test pictures: PCK, visibility, and what true parts would add.

    Raises :class:`UserError` for runs of other methods, and data without test views.
    """
    device = chosen_device(options.device)
    print(f"loading     {options.shape}, {options.view}, {options.meaning}", flush=True)
    networks = load_networks(options, device)
    learnt, tested = opened(networks, options)
    views = list(known_views(tested, options.most_views))
    print(f"looking at  {len(views)} views in {load_of(tested).root}, {len(WAYS)} ways each", flush=True)
    template = best_constant(shapes_of(learnt))
    found: dict[str, list[Understood]] = {}
    for way in WAYS:
        found[way] = [answer(way, networks, view, options, template, device) for view in views]
        print(f"            {way}: done", flush=True)
    scored = {way: score(own, views) for way, own in found.items()}
    tables = [Table(rows := way_rows(scored, options.alphas), list(rows[0]), digits=1)]
    lines = [
        f"{len(views)} views of {len({view.name for view in views})} objects; alpha of the object's box; PCK in percent"
    ]
    if options.transfer:
        far, said = transfer_rows(load_of(tested).root, views, found, options)
        tables += [Table(far, list(far[0]), digits=1)] if far else []
        lines += said
    shown = [(view, one) for view, one in zip(views, found[PIPELINE], strict=True)][:SHOWN]
    return Outcome(tables, lines, {"pixel_semantics": understanding_sheet([(v.image, one) for v, one in shown])})


def load_of(samples: Samples) -> LoadSketched:
    """Return how views of a source are read."""
    assert isinstance(samples.load, LoadSketched)
    return samples.load


def opened(networks: Networks, options: ScoringOptions) -> tuple[Samples, Samples]:
    """Return training and test views; raises :class:`UserError` where there are none to test on."""
    data = networks.reconstruction.experiment.data
    if options.root:
        data = override(data, {"root": options.root})
    sources = sketched_sources(data, options.storage, ("image", "sketch", "viewpoint", "voxel"))
    if "tested" not in sources:
        raise UserError(f"{data.root} has no objects in test: name other data with --data.root")
    return sources["train"], sources["tested"]


WAYS: tuple[str, ...] = (PIPELINE, UNREFINED, TEMPLATE, SKETCHES, SHAPE, VIEWPOINT, ALL)


def answer(
    way: str,
    networks: Networks,
    view: KnownView,
    options: PipelineOptions,
    template: Bool[np.ndarray, "x y z"],
    device: torch.device,
) -> Understood:
    """Return what one way makes of a view."""
    truth = view.truth
    given = {
        TEMPLATE: Given(voxels=template),
        SKETCHES: Given(sketch=truth.sketch),
        SHAPE: Given(voxels=truth.voxels),
        VIEWPOINT: Given(angles=truth.angles),
        ALL: truth,
    }
    if way == UNREFINED:
        options = replace(options, refine="none")
    return understand(networks, view.image.to(device), options, given.get(way))


def score(found: Sequence[Understood], views: Sequence[KnownView]) -> Scored:
    """Return what is found of each view's keypoints: places of those in sight, visibility of those within the picture."""
    located, visible, degrees = [], [], []
    for one, view in zip(found, views, strict=True):
        places, seen = by_meaning(one, view)
        located.append(located_in(view, places[view.visible], view.visible))
        visible.append((seen[view.inside], view.visible[view.inside]))
        assert view.truth.angles is not None
        true = [torch.tensor(value, dtype=torch.float64) for value in view.truth.angles]
        degrees.append(float(torch.rad2deg(angle_between(one.camera.azimuth, one.camera.polar, *true))))
    return Scored(located, visible, degrees)


def by_meaning(
    one: Understood, view: KnownView
) -> tuple[Float[np.ndarray, "keypoint 2"], Bool[np.ndarray, " keypoint"]]:
    """Return places and visibility of the view's keypoints, NaN and hidden for meanings that are not looked for."""
    places, seen = one.located(view.side)
    row_of = {meaning: row for row, meaning in enumerate(one.meanings.tolist())}
    rows = [row_of.get(meaning, -1) for meaning in view.meanings.tolist()]
    known = np.array(rows) >= 0
    return np.where(known[:, None], places[rows] - HALF, np.nan), known & seen[rows]


def located_in(
    view: KnownView, found: Float[np.ndarray, "keypoint 2"], chosen: Bool[np.ndarray, " all_keypoint"]
) -> LocatedKeypoints:
    """Return found places beside the true ones of the chosen keypoints."""
    return LocatedKeypoints(found, view.places[chosen], (view.side, view.side), view.box)


def way_rows(scored: Mapping[str, Scored], alphas: Sequence[float]) -> list[dict[str, str | float]]:
    """Return a row for each way, and how much more than the pipeline it has, beside what the paper prints."""
    share = {
        way: 100 * correct_share(own.located, alpha=TENTH, extent="box").by_keypoint for way, own in scored.items()
    }
    rows = []
    for way, own in scored.items():
        row: dict[str, str | float] = {"way": way}
        for alpha in alphas:
            row[f"PCK {alpha:g}"] = 100 * correct_share(own.located, alpha=alpha, extent="box").by_keypoint
        predicted, true = (np.concatenate([pair[number] for pair in own.visible]) for number in (0, 1))
        sight = visibility_scores(predicted, true)
        row |= {
            f"PCK {TENTH:g} by picture": 100 * correct_share(own.located, alpha=TENTH, extent="box").by_pair,
            "visibility right": 100 * sight.accuracy,
            "always the same": 100 * sight.constant,
            "viewpoint off by, degrees": median(own.degrees) if own.degrees else math.nan,
            "PCK over pipeline": f"{share[way] - share[PIPELINE]:+.1f}" if way != PIPELINE else "",
            "paper": "" if way == PIPELINE else PAPERS.get(way, NOT_AVAILABLE),
        }
        rows.append(row)
    return rows


def transfer_rows(
    root: Path, views: Sequence[KnownView], found: Mapping[str, Sequence[Understood]], options: ScoringOptions
) -> tuple[list[dict[str, str | float]], list[str]]:
    """Return PCK of transfer from a picture of another object, and of the pipeline and the template on the same keypoints, where
    viewpoints are near and where they are far apart; and a line on the pairs.
    """
    if any("/rgb/" in view.picture for view in views):
        return [], ["no transfer in 2D: test views have no photographs, only renders with transparent pixels"]
    pairs = pairs_of(views)
    network = TransferNetwork(PixelTransferOptions(root=str(root), device=options.device, storage=options.storage))
    moved = list(network.transfer(root, [pair for pair, _ in pairs]))
    ways: dict[str, list[LocatedKeypoints]] = {
        f"2D transfer, {way}": [one.located(way) for one in moved] for way in (PLAIN, CHECKED)
    }
    for way in (TEMPLATE, UNREFINED, PIPELINE):
        ways[way] = list(same_keypoints(found[way], views, [(pair.names, place) for pair, place in pairs]))
    rows: list[dict[str, str | float]] = []
    groups = [pair.group for pair, _ in pairs]
    for way, located in ways.items():
        row: dict[str, str | float] = {"way": way}
        for group, heading in (("near", "up to 60 degrees apart"), ("far", "more than 60 degrees apart")):
            own = [one for one, name in zip(located, groups, strict=True) if name == group]
            row[heading] = 100 * correct_share(own, alpha=TENTH, extent="box").by_keypoint
        rows.append(row)
    return rows, [f"transfer: {len(pairs)} pairs, {groups.count('far')} more than 60 degrees apart; PCK {TENTH:g}"]


def same_keypoints(
    found: Sequence[Understood], views: Sequence[KnownView], chosen: Sequence[tuple[tuple[str, ...], int]]
) -> Iterator[LocatedKeypoints]:
    """Yield what is found of the named keypoints of each view by its place."""
    for names, place in chosen:
        view = views[place]
        places, _ = by_meaning(found[place], view)
        rows = [view.meanings.tolist().index(int(name)) for name in names]
        mask = np.zeros(len(view.meanings), bool)
        mask[rows] = True
        yield located_in(view, places[mask], mask)

"""The pipeline scored: PCK beside a fixed template, true parts in the place of predicted ones, and transfer in 2D."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import numpy as np
import tyro

from sem3d.bounds import Positive
from sem3d.config import FilePath, override
from sem3d.datasets.sketched_views import LoadSketched, sketched_sources
from sem3d.datasets.stream import Samples
from sem3d.errors import UserError
from sem3d.evaluation.keypoints import LocatedKeypoints, correct_share, visibility_scores
from sem3d.methods.reconstruction.mean_shape import shapes_of
from sem3d.methods.ssr.constant_shape import best_constant
from sem3d.pipelines.pixel_semantics.drawing import understanding_sheet
from sem3d.pipelines.pixel_semantics.networks import Networks, PipelineOptions, load_networks
from sem3d.pipelines.pixel_semantics.understanding import Understood
from sem3d.pipelines.pixel_semantics.views import KnownView, known_views, pairs_of, unusable_line
from sem3d.pipelines.pixel_semantics.ways import (
    IN_2D,
    PIPELINE,
    TEMPLATE,
    TENTH,
    UNREFINED,
    VIEWPOINT,
    WAYS,
    Scored,
    answer,
    by_meaning,
    same_keypoints,
    score,
)
from sem3d.pipelines.pixel_transfer import PixelTransferOptions, TransferNetwork
from sem3d.pipelines.trained_run import Outcome, Table
from sem3d.runs.device import chosen_device

PAPERS = {VIEWPOINT: "+8.2"}
"""What the paper prints of each row: the gain by true viewpoints alone, PCK on Pix3D."""
NOT_AVAILABLE = "not available"
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


def pixel_semantics(options: ScoringOptions) -> Outcome:
    """Score the pipeline of shape, viewpoint and meaning on test pictures: PCK, visibility, and what true parts would add.

    Raises :class:`UserError` for runs of other methods, and data without test views.
    """
    device = chosen_device(options.device)
    print(f"loading     {options.shape}, {options.view}, {options.meaning}", flush=True)
    networks = load_networks(options, device)
    learnt, tested = opened(networks, options)
    views, unusable = known_views(tested, options.most_views)
    print(f"looking at  {len(views)} views in {load_of(tested).root}, {len(WAYS)} ways each", flush=True)
    template = best_constant(shapes_of(learnt))
    found: dict[str, list[Understood]] = {}
    for way in WAYS:
        found[way] = [answer(way, networks, view.image.to(device), view.truth, options, template) for view in views]
        print(f"            {way}: done", flush=True)
    scored = {way: score(own, views) for way, own in found.items()}
    tables = [Table(rows := way_rows(scored, options.alphas), list(rows[0]), digits=1)]
    lines = [
        f"{len(views)} views of {len({view.name for view in views})} objects; alpha of the object's box; PCK in percent",
        unusable_line(unusable),
        unanswered_line(scored[PIPELINE], len(views)),
    ]
    if options.transfer:
        far, said = transfer_rows(load_of(tested).root, views, found, options)
        tables += [Table(far, list(far[0]), digits=1)] if far else []
        lines += said
    shown = [(view, one) for view, one in zip(views, found[PIPELINE], strict=True)][:SHOWN]
    sheet = understanding_sheet([(view.image, one) for view, one in shown], networks.told)
    return Outcome(tables, lines, {"pixel_semantics": sheet})


def unanswered_line(scored: Scored, views: int) -> str:
    """Return on how many pictures the pipeline has no answer, and how they count."""
    return (
        f"no object found in {scored.without_object} of {views} pictures, no surface in {scored.without_surface}: all their "
        "keypoints count as wrong, their viewpoints as nothing"
    )


def load_of(samples: Samples) -> LoadSketched:
    """Return how views of a source are read."""
    assert isinstance(samples.load, LoadSketched)
    return samples.load


def opened(networks: Networks, options: ScoringOptions) -> tuple[Samples, Samples]:
    """Return training and test views; raises :class:`UserError` where there are none to test on."""
    changes: dict[str, Any] = {"quarantine_limit": options.quarantine_limit}
    changes |= {"root": options.root} if options.root else {}
    data = override(networks.reconstruction.experiment.data, changes)
    sources = sketched_sources(data, options.storage, ("image", "sketch", "viewpoint", "voxel"))
    if "tested" not in sources:
        raise UserError(f"{data.root} has no objects in test: name other data with --data.root")
    return sources["train"], sources["tested"]


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
            "no object found": own.without_object,
            "no surface": own.without_surface,
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
    pairs = pairs_of(views, seed=0)
    network = TransferNetwork(PixelTransferOptions(root=str(root), device=options.device, storage=options.storage))
    moved = list(network.transfer(root, [pair for pair, _ in pairs]))
    ways: dict[str, list[LocatedKeypoints]] = {way: [one.located(name) for one in moved] for way, name in IN_2D.items()}
    for way in (TEMPLATE, UNREFINED, PIPELINE):
        places = [by_meaning(one, view)[0] for one, view in zip(found[way], views, strict=True)]
        ways[way] = list(same_keypoints(places, views, [(pair.names, place) for pair, place in pairs]))
    rows: list[dict[str, str | float]] = []
    groups = [pair.group for pair, _ in pairs]
    for way, located in ways.items():
        row: dict[str, str | float] = {"way": way}
        for group, heading in (("near", "up to 60 degrees apart"), ("far", "more than 60 degrees apart")):
            own = [one for one, name in zip(located, groups, strict=True) if name == group]
            row[heading] = 100 * correct_share(own, alpha=TENTH, extent="box").by_keypoint
        rows.append(row)
    return rows, [f"transfer: {len(pairs)} pairs, {groups.count('far')} more than 60 degrees apart; PCK {TENTH:g}"]

"""One way of finding keypoints, scored as a trial of a sweep: PCK on test views, and on pairs with views of other objects."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from sem3d.config import digest
from sem3d.datasets.photos.keypoint_images import KeypointPair
from sem3d.datasets.sketched_views import LoadSketched
from sem3d.errors import UserError
from sem3d.evaluation.keypoints import LocatedKeypoints, correct_share, visibility_scores
from sem3d.files import whole_file
from sem3d.methods.method import TESTED, TRAIN
from sem3d.methods.pixel_semantics import PipelineSettings, PixelSemanticsConfig
from sem3d.methods.reconstruction.mean_shape import shapes_of
from sem3d.methods.ssr.constant_shape import best_constant
from sem3d.pipelines.pixel_semantics.drawing import understanding_sheet
from sem3d.pipelines.pixel_semantics.networks import PipelineOptions, load_networks
from sem3d.pipelines.pixel_semantics.views import KnownView, known_views, pairs_of, unusable_line
from sem3d.pipelines.pixel_semantics.ways import IN_2D, TENTH, answer, by_meaning, same_keypoints, score
from sem3d.pipelines.pixel_transfer import PixelTransferOptions, TransferNetwork
from sem3d.pipelines.trained_run import TrainedRun
from sem3d.runs.device import chosen_device

logger = logging.getLogger(__name__)

SHOWN = 6
"""Views on the picture that a trial leaves."""
Places = Sequence[Float[np.ndarray, "keypoint 2"]]
"""Of all keypoints of each view."""


@dataclass(frozen=True)
class Compared:
    """Test views, and the reference of each."""

    views: list[KnownView]
    pairs: list[tuple[KeypointPair, int]]
    """With the place of its target among the views."""


def frozen_scores(run: TrainedRun) -> dict[str, float]:
    """Score the way of an experiment of :mod:`sem3d.methods.pixel_semantics`, with the three runs that it names.

    Pictures without an answer count as wrong, and are counted; the viewpoint's error is over the others. A way that goes by a
    shape leaves a picture in ``figures`` of the run's folder, that of the sweep.
    Raises :class:`UserError` for data without test views with keypoints.
    """
    config, samples = run.experiment.method, run.sources.get(TESTED)
    assert isinstance(config, PixelSemanticsConfig)
    if samples is None:
        raise UserError(f"{run.experiment.data.root} has no objects in test, on which the pipeline is scored")
    assert isinstance(samples.load, LoadSketched)
    views, unusable = known_views(samples, 0)
    if len(unusable):
        logger.warning("%s", unusable_line(unusable))
    compared = Compared(views, pairs_of(views, run.experiment.run.seed))
    if config.way in IN_2D:
        found = shares_of_pairs(transferred(run, samples.load.root, compared), compared)
    else:
        found = scores_by_shape(run, config, compared)
    return found | {"unusable_views": float(len(unusable))}


def scores_by_shape(run: TrainedRun, config: PixelSemanticsConfig, compared: Compared) -> dict[str, float]:
    """Return the scores of a way that goes by a shape."""
    options, device = options_of(run, config), chosen_device(run.experiment.run.device)
    networks = load_networks(options, device)
    template = best_constant(shapes_of(run.sources[TRAIN]))
    found = [
        answer(config.way, networks, view.image.to(device), view.truth, options, template) for view in compared.views
    ]
    places = [by_meaning(one, view)[0] for one, view in zip(found, compared.views, strict=True)]
    own = score(found, compared.views)
    predicted, true = (np.concatenate([pair[number] for pair in own.visible]) for number in (0, 1))
    sight = visibility_scores(predicted, true)
    shown = [(view.image, one) for view, one in zip(compared.views, found, strict=True)][:SHOWN]
    keep_sheet(run.folder / "figures" / f"{sheet_name(run, config)}.png", understanding_sheet(shown, networks.told))
    return (
        shares(places, compared)
        | {
            "visibility_accuracy": sight.accuracy,
            "visibility_accuracy_of_always_the_same": sight.constant,
            "without_object": float(own.without_object),
            "without_surface": float(own.without_surface),
        }
        | ({"viewpoint_error_degrees": median(own.degrees)} if own.degrees else {})
    )


def sheet_name(run: TrainedRun, config: PixelSemanticsConfig) -> str:
    """Return the name of the picture of a way, a refinement and a seed, and of the runs that they are of."""
    words = f"{config.way}-{config.refine}-seed-{run.experiment.run.seed}-{digest(asdict(config))[:6]}"
    return words.replace(" ", "-")


def keep_sheet(path: Path, sheet: UInt8[np.ndarray, "height width 3"]) -> None:
    """Write a picture of what was understood of the first views."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as pending:
        Image.fromarray(sheet).save(pending, format="PNG")


def options_of(run: TrainedRun, config: PixelSemanticsConfig) -> PipelineOptions:
    """Return the options of the pipeline that an experiment describes."""
    settings = {name: getattr(config, name) for name in PipelineSettings.__dataclass_fields__}
    runs = {"shape": config.shape, "view": config.view, "meaning": config.meaning}
    told = run.experiment.run
    limit = run.experiment.data.quarantine_limit
    return PipelineOptions(**runs, **settings, quarantine_limit=limit, storage=told.storage, device=told.device)


def transferred(run: TrainedRun, root: Path, compared: Compared) -> list[LocatedKeypoints]:
    """Return the keypoints of the pairs as a 2D network moves them there from their references.

    Raises :class:`UserError` where test views have no photographs, as transparent renders have no colour behind the object.
    """
    if any("/rgb/" in view.picture for view in compared.views):
        raise UserError(f"{root}: no transfer in 2D, as test views have no photographs")
    told = run.experiment.run
    network = TransferNetwork(PixelTransferOptions(root=str(root), device=told.device, storage=told.storage))
    moved = network.transfer(root, [pair for pair, _ in compared.pairs])
    return [one.located(IN_2D[run.experiment.method.way]) for one in moved]


def shares(places: Places, compared: Compared) -> dict[str, float]:
    """Return PCK of places of all keypoints: over those in sight at several alphas, and over those of pairs."""
    every = [
        LocatedKeypoints(own[view.visible], view.places[view.visible], (view.side, view.side), view.box)
        for own, view in zip(places, compared.views, strict=True)
    ]
    named = {"pck": TENTH, "pck_alpha_0.05": 0.05, "pck_alpha_0.15": 0.15}
    found = {name: correct_share(every, alpha=alpha, extent="box").by_keypoint for name, alpha in named.items()}
    of_pairs = list(same_keypoints(places, compared.views, [(pair.names, place) for pair, place in compared.pairs]))
    return found | {"views": float(len(compared.views))} | shares_of_pairs(of_pairs, compared)


def shares_of_pairs(located: Sequence[LocatedKeypoints], compared: Compared) -> dict[str, float]:
    """Return PCK over the keypoints that a reference shows too: of all pairs, and of those from near and far viewpoints.

    What no pair tells is left out.
    """
    groups = [pair.group for pair, _ in compared.pairs]
    by_name: Mapping[str, list[LocatedKeypoints]] = {
        "pck_of_pairs": list(located),
        "pck_near": [one for one, group in zip(located, groups, strict=True) if group == "near"],
        "pck_far": [one for one, group in zip(located, groups, strict=True) if group == "far"],
    }
    found = {name: correct_share(own, alpha=TENTH, extent="box").by_keypoint for name, own in by_name.items()}
    counts = {"pairs": float(len(groups)), "far_pairs": float(groups.count("far"))}
    return {name: value for name, value in found.items() if math.isfinite(value)} | counts

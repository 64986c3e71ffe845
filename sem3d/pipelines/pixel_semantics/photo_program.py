"""The pipeline scored on photographs with keypoints, beside transfer in 2D on the same pairs (2D-3D-2D, section 5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import numpy as np
import torch
import tyro
from jaxtyping import Bool

from sem3d.bounds import Positive
from sem3d.config import DataFolder
from sem3d.datasets.photos.keypoint_images import KeypointPair
from sem3d.datasets.photos.keypointnet_ids import GENERATED_NAMES, KEYPOINTNET_IDS
from sem3d.datasets.photos.layouts import Split, find_pairs
from sem3d.datasets.quarantine import Quarantined, QuarantineReport, check_limit, first_reasons
from sem3d.datasets.sketched_views import sketched_sources
from sem3d.errors import BadSample, UserError
from sem3d.evaluation.keypoints import correct_share
from sem3d.methods.method import TRAIN
from sem3d.methods.reconstruction.mean_shape import shapes_of
from sem3d.methods.ssr.constant_shape import best_constant
from sem3d.pipelines.pixel_semantics.drawing import understanding_sheet
from sem3d.pipelines.pixel_semantics.networks import Networks, PipelineOptions, load_networks
from sem3d.pipelines.pixel_semantics.photos import (
    CutPhoto,
    PhotoKey,
    Places,
    SeenPhoto,
    by_semantic_ids,
    cut_photo,
    key_of,
    moved,
    same_place_of_the_box,
    stored_cuts,
)
from sem3d.pipelines.pixel_semantics.understanding import Given, Understood
from sem3d.pipelines.pixel_semantics.ways import PIPELINE, TEMPLATE, TENTH, UNREFINED, answer
from sem3d.pipelines.pixel_transfer import (
    CHECKED,
    PLAIN,
    PixelTransferOptions,
    TransferNetwork,
    TransferredPair,
    chosen_pairs,
    picture,
)
from sem3d.pipelines.trained_run import Outcome, Table
from sem3d.runs.device import chosen_device
from sem3d.worlds.shapes.register import FAMILIES

BY_SHAPE = (TEMPLATE, UNREFINED, PIPELINE)
IN_2D = {PLAIN: "2D transfer", CHECKED: "2D transfer, checked"}
OF_SQUARES = " (of the squares)"
SAME_PLACE = "same place of the box"
SHOWN = 6


@dataclass(frozen=True, kw_only=True)
class PhotoOptions(PipelineOptions):
    """Options of the pipeline's scores on photographs."""

    root: Annotated[DataFolder, tyro.conf.arg(name="data.root")]
    """Folder of PF-WILLOW, PF-PASCAL, SPair-71k or Pix3D."""
    split: Annotated[Split, tyro.conf.arg(name="data.split")] = "test"
    """Pairs that are scored; PF-WILLOW and Pix3D have one set of pairs."""
    groups: Annotated[tuple[str, ...], tyro.conf.arg(name="data.groups")] = ()
    """Classes or groups of photographs that are scored, by the beginnings of their names, such as car: those of the runs' class;
    empty: all."""
    by: Literal["embedding", "keypointnet", "generated"] = "embedding"
    """embedding: a keypoint of the source is looked for in the target by the nearest embedding. keypointnet, generated: keypoints
    that KeypointNet has too are looked for by the semantic ids of what the run in --meaning learnt from, KeypointNet or generated
    shapes; others are not scored."""
    most_pairs: int = 0
    """Pairs taken evenly from all; 0: all."""
    alphas: tuple[Positive, ...] = (0.05, 0.1, 0.15)
    """Thresholds, as shares of the longer side of the box."""


@dataclass(frozen=True)
class Answers:
    """Photographs as each way by a shape sees them, and what it understood of the first ones."""

    seen: Mapping[str, Mapping[PhotoKey, SeenPhoto]]
    shown: Sequence[Understood]
    """Of the first photographs, by the pipeline."""
    unanswered: Mapping[str, tuple[int, int]]
    """By way: photographs in which no object is found, and those without a surface."""


def pixel_semantics_photos(options: PhotoOptions) -> Outcome:
    """Score the pipeline of shape, viewpoint and meaning on pairs of photographs with keypoints, beside transfer in 2D: PCK.

    Raises :class:`UserError` for data without such pairs, runs of other methods, and too many unusable photographs.
    """
    root, device = Path(options.root), chosen_device(options.device)
    layout, pairs, report = find_pairs(root, options.split, options.quarantine_limit)
    in_2d = PixelTransferOptions(
        root=options.root,
        split=options.split,
        groups=options.groups,
        common=options.by != "embedding",
        most_pairs=options.most_pairs,
        device=options.device,
        storage=options.storage,
    )
    pairs = chosen_pairs(pairs, layout, in_2d)
    print(f"loading     {options.shape}, {options.view}, {options.meaning}", flush=True)
    networks = load_networks(options, device)
    check_ids(layout, pairs, networks, options)
    cuts, unusable = cut_photos(root, pairs, networks.distance, options.quarantine_limit)
    pairs = [pair for pair in pairs if key_of(pair.source) in cuts and key_of(pair.target) in cuts]
    if not pairs:
        raise UserError(f"no pair of photographs of {root} can be used: {first_reasons(unusable)}")
    print(f"looking at  {len(cuts)} photographs of {layout} in {root}, {len(BY_SHAPE)} ways each", flush=True)
    answers = answered(networks, cuts, template_of(networks, options), options, device)
    print(f"moving      keypoints of {len(pairs)} pairs", flush=True)
    network = TransferNetwork(in_2d)
    whole = list(network.transfer(root, pairs))
    found = [
        TransferredPair(
            pair, {IN_2D[way]: places for way, places in one.found.items()} | by_shape(pair, answers, layout, options)
        )
        for pair, one in zip(pairs, whole, strict=True)
    ]
    rows = [score_row(way, found, options.alphas, answers.unanswered.get(way)) for way in found[0].found]
    of_squares = transferred_in_squares(network, pairs, cuts)
    rows[2:2] = [score_row(way, of_squares, options.alphas) for way in of_squares[0].found]
    groups = [group_row(name, found) for name in dict.fromkeys(pair.group for pair in pairs)]
    first = [one.seen(networks.reconstruction.experiment.data.size) for one in cuts.values()][:SHOWN]
    sheet = understanding_sheet(list(zip(first, answers.shown, strict=True)), networks.told)
    lines = told(pairs, len(cuts), report, unusable, options)
    return Outcome(
        [Table(rows, list(rows[0]), digits=1), Table(groups, list(groups[0]), digits=1)],
        lines,
        {"photos": sheet, "transfer": picture(root, found[0])},
    )


def check_ids(layout: str, pairs: Sequence[KeypointPair], networks: Networks, options: PhotoOptions) -> None:
    """Raise :class:`UserError` where keypoints go by meanings none of which the run looks for."""
    if options.by == "embedding":
        return
    asked = {semantic_ids(layout, pair.group, options)[name] for pair in pairs for name in pair.names}
    if not asked & set(networks.meanings.tolist()):
        raise UserError(
            f"{options.meaning} knows none of the semantic ids of these keypoints, {sorted(asked)}: name a run that learnt "
            "them, or leave --by out"
        )


def semantic_ids(layout: str, group: str, options: PhotoOptions) -> Mapping[str, int]:
    """Return the semantic ids, as the run of meanings learnt them, of the keypoints of a class that are mapped."""
    if options.by == "keypointnet":
        return KEYPOINTNET_IDS[layout, group]
    known = FAMILIES[group].vocabulary.keypoints
    return {key: known.index(name) for key, name in GENERATED_NAMES[layout, group].items()}


def cut_photos(
    root: Path, pairs: Sequence[KeypointPair], distance: float, limit: float
) -> tuple[dict[PhotoKey, CutPhoto], QuarantineReport]:
    """Return the photographs of pairs, each object once, and those that cannot be used.

    Raises :class:`UserError` where they are more than the limit.
    """
    images = {key_of(image): image for pair in pairs for image in (pair.source, pair.target)}
    found, report = {}, QuarantineReport()
    for key, image in images.items():
        try:
            found[key] = cut_photo(root, image, distance)
        except BadSample as fault:
            report.items.append(Quarantined.of(fault))
    check_limit(report, len(images), limit, None)
    return found, report


def template_of(networks: Networks, options: PhotoOptions) -> Bool[np.ndarray, "x y z"]:
    """Return the mean shape of the objects that the run of shapes learnt from."""
    sources = sketched_sources(networks.reconstruction.experiment.data, options.storage, ("voxel",))
    return best_constant(shapes_of(sources[TRAIN]))


def answered(
    networks: Networks,
    cuts: Mapping[PhotoKey, CutPhoto],
    template: Bool[np.ndarray, "x y z"],
    options: PhotoOptions,
    device: torch.device,
) -> Answers:
    """Return what each way by a shape makes of the photographs."""
    side = networks.reconstruction.experiment.data.size
    seen: dict[str, dict[PhotoKey, SeenPhoto]] = {}
    shown, unanswered = [], {}
    for way in BY_SHAPE:
        unseen, flat = 0, 0
        seen[way] = {}
        for key, photo in cuts.items():
            one = answer(way, networks, photo.seen(side).to(device), Given(), options, template)
            seen[way][key] = SeenPhoto.of(one, photo.square, side)
            unseen += not one.object_found
            flat += one.object_found and not len(one.faces)
            if way == PIPELINE and len(shown) < SHOWN:
                shown.append(one)
        unanswered[way] = (unseen, flat)
        print(f"            {way}: done", flush=True)
    return Answers(seen, shown, unanswered)


def by_shape(pair: KeypointPair, answers: Answers, layout: str, options: PhotoOptions) -> dict[str, Places]:
    """Return the keypoints of a pair in its target as each way by a shape finds them, and as the box alone would have them."""
    found = {SAME_PLACE: same_place_of_the_box(pair)}
    for way, seen in answers.seen.items():
        source, target = seen[key_of(pair.source)], seen[key_of(pair.target)]
        if options.by == "embedding":
            found[way] = moved(source, target, pair.places(pair.source))
        else:
            ids = semantic_ids(layout, pair.group, options)
            found[way] = by_semantic_ids(target, [ids[name] for name in pair.names])
    return found


def transferred_in_squares(
    network: TransferNetwork, pairs: Sequence[KeypointPair], cuts: Mapping[PhotoKey, CutPhoto]
) -> list[TransferredPair]:
    """Return what the 2D network finds where it is given the squares that the pipeline is given."""
    with TemporaryDirectory() as folder:
        stored = dict(stored_cuts(cuts, Path(folder)))
        same = [replace(pair, source=stored[key_of(pair.source)], target=stored[key_of(pair.target)]) for pair in pairs]
        return [
            TransferredPair(one.pair, {IN_2D[way] + OF_SQUARES: places for way, places in one.found.items()})
            for one in network.transfer(Path(folder), same)
        ]


def score_row(
    way: str, found: Sequence[TransferredPair], alphas: Sequence[float], unanswered: tuple[int, int] | None = None
) -> dict[str, str | float]:
    """Return a way's row of PCK at the native aspect, in percent, and how many photographs have no answer."""
    located = [one.located(way) for one in found]
    row: dict[str, str | float] = {"way": way}
    for alpha in alphas:
        row[f"PCK {alpha:g}"] = 100 * correct_share(located, alpha=alpha, extent="box").by_keypoint
    tenth = correct_share(located, alpha=TENTH, extent="box")
    row |= {f"PCK {TENTH:g} by pair": 100 * tenth.by_pair, f"PCK {TENTH:g} by group": 100 * tenth.by_group}
    unseen, flat = ("", "") if unanswered is None else unanswered
    return row | {"no object found": unseen, "no surface": flat}


def group_row(group: str, found: Sequence[TransferredPair]) -> dict[str, str | float]:
    """Return a group's PCK at alpha .1 of the box, by pair, in percent, of every way."""
    own = [one for one in found if one.pair.group == group]
    row: dict[str, str | float] = {"group": group, "pairs": len(own)}
    for way in own[0].found:
        row[way] = 100 * correct_share([one.located(way) for one in own], alpha=TENTH, extent="box").by_pair
    return row


def told(
    pairs: Sequence[KeypointPair],
    photographs: int,
    report: QuarantineReport,
    unusable: QuarantineReport,
    options: PhotoOptions,
) -> list[str]:
    """Return lines on how the numbers came about."""
    boxes = sorted({pair.target.box_of for pair in pairs})
    around = " or ".join("the object" if of == "object" else "its keypoints" for of in boxes)
    faults = f": {first_reasons(unusable)}" if len(unusable) else ""
    ids = {"keypointnet": "KeypointNet's semantic ids", "generated": "semantic ids of generated shapes"}
    looked_for = ids.get(options.by, "nearest embedding")
    return [
        f"{len(pairs)} pairs of {photographs} photographs, PCK in percent at the native aspect; alpha of the box around {around}",
        f"{len(report)} annotations and {len(unusable)} photographs cannot be used{faults}",
        f"by a shape: keypoints by {looked_for}, in squares around that box, which 2D transfer of whole photographs is not told; "
        "the object's mask is the pipeline's own silhouette",
        "a photograph without an answer: all its keypoints, and those moved from it, count as wrong",
    ]

"""Keypoints of photographs transferred from a reference photograph by features of a 2D network: the 2D baseline of 2D-3D-2D."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from typing import Annotated, Literal

import numpy as np
import torch
import torch.nn.functional as F
import tyro
from jaxtyping import Float, Float64, UInt8
from PIL import Image
from torch import Tensor

from sem3d.bounds import AtLeastOne, Positive, Share, Side
from sem3d.config import DataFolder, StorageFolder, Weights
from sem3d.datasets.photos.keypoint_images import KeypointPair
from sem3d.datasets.photos.keypointnet_ids import KEYPOINTNET_IDS
from sem3d.datasets.photos.layouts import Split, find_pairs
from sem3d.datasets.pictures import read_color_picture
from sem3d.errors import BadSample, UserError
from sem3d.evaluation.figures import draw_before_and_after
from sem3d.evaluation.keypoints import Aspect, Extent, LocatedKeypoints, correct_share, relative_errors
from sem3d.evaluation.pixel_transfer import SearchedImage, map_between, transferred
from sem3d.networks.cell_centres import CellGrid
from sem3d.networks.encoders import EncoderName
from sem3d.networks.image_normalisation import normalise_images
from sem3d.networks.initial_weights import load_encoder
from sem3d.networks.tapped_encoder import TappedEncoder, values_at_pixels
from sem3d.pipelines.trained_run import Outcome, Table
from sem3d.runs.checkpoint import weights_source
from sem3d.runs.device import chosen_device

PROTOCOLS: tuple[tuple[Extent, Aspect], ...] = (
    ("box", "warped"),
    ("box", "native"),
    ("image", "warped"),
    ("image", "native"),
)
PLAIN, CHECKED = "nearest", "with geometric check"
KEPT_IMAGES = 32
"""Images whose features are kept: those of a group of PF-WILLOW are ten."""


@dataclass(frozen=True, kw_only=True)
class PixelTransferOptions:
    """Options of the 2D baseline: its data and its network."""

    root: Annotated[DataFolder, tyro.conf.arg(name="data.root")]
    """Folder of PF-WILLOW, PF-PASCAL, SPair-71k or Pix3D."""
    split: Annotated[Split, tyro.conf.arg(name="data.split")] = "test"
    """Pairs that are scored; PF-WILLOW and Pix3D have one set of pairs."""
    encoder: EncoderName = "efficientnet_lite0"
    """Network of the images."""
    weights: Weights = "imagenet"
    """imagenet, scratch (random: a control), a weights file, or the folder of a run with a 2D network."""
    strides: tuple[int, ...] = (16, 32)
    """Maps by stride, 4, 8, 16 or 32, put side by side, each of unit length."""
    side: Side = 384
    """Images are warped to a square of this many pixels."""
    step: AtLeastOne = 8
    """Pixels of the warped image between two places that are searched."""
    alphas: tuple[Positive, ...] = (0.05, 0.1, 0.15, 0.2)
    """Thresholds, as shares of the longer side of box or image."""
    groups: Annotated[tuple[str, ...], tyro.conf.arg(name="data.groups")] = ()
    """Classes or groups of photographs that are scored, by the beginnings of their names; empty: all."""
    common: bool = False
    """Score only keypoints that KeypointNet has too, as the paper does."""
    most_pairs: int = 0
    """Pairs taken evenly from all; 0: all."""
    quarantine_limit: Share = 0.1
    """Largest share of pairs that may be unusable."""
    device: Annotated[Literal["auto", "cpu", "gpu"], tyro.conf.arg(name="run.device")] = "auto"
    """auto takes the GPU where this machine has one."""
    storage: Annotated[StorageFolder, tyro.conf.arg(name="run.storage")] = "runs"
    """Folder whose pixel_transfer/figures gets the picture."""


@dataclass(frozen=True)
class TransferredPair:
    """Keypoints of a pair as each way found them, in pixels of the stored target; NaN where it found none."""

    pair: KeypointPair
    found: dict[str, Float64[np.ndarray, "keypoint 2"]]

    def located(self, way: str) -> LocatedKeypoints:
        """Return what one way found beside the truth."""
        target = self.pair.target
        return LocatedKeypoints(self.found[way], self.pair.places(target), target.size, target.box, self.pair.group)


def pixel_transfer(options: PixelTransferOptions) -> Outcome:
    """Transfer keypoints between the photographs of each pair by nearest features, and with a geometric check; print PCK.

    Raises :class:`UserError` for data without pairs.
    """
    root = Path(options.root)
    layout, pairs, report = find_pairs(root, options.split, options.quarantine_limit)
    pairs = chosen_pairs(pairs, layout, options)
    print(f"transferring keypoints of {len(pairs)} pairs of {layout} in {root}", flush=True)
    network = TransferNetwork(options)
    print(network.loaded, flush=True)
    found = list(network.transfer(root, pairs))
    rows = [row for way in (PLAIN, CHECKED) for row in scored_rows(found, way, options.alphas)]
    groups = [group_row(name, found) for name in dict.fromkeys(one.pair.group for one in found)]
    boxes = {one.pair.target.box_of for one in found}
    lines = [
        f"{len(report)} pairs or photographs cannot be used",
        f"boxes are around {' or '.join('the object' if of == 'object' else 'its keypoints' for of in sorted(boxes))}",
        f"groups at alpha .1 of the box, warped: mean {mean_of(groups, PLAIN):.1f}, {CHECKED} {mean_of(groups, CHECKED):.1f}",
    ]
    return Outcome(
        [Table(rows, list(rows[0])), Table(groups, list(groups[0]), digits=1)],
        lines,
        {"transfer": picture(root, found[0])},
    )


def chosen_pairs(pairs: list[KeypointPair], layout: str, options: PixelTransferOptions) -> list[KeypointPair]:
    """Return the pairs that are scored, with the keypoints that are; raises :class:`UserError` for none."""
    groups = sorted({pair.group for pair in pairs})
    for name in options.groups:
        if not any(group.startswith(name) for group in groups):
            raise UserError(f"no group of photographs begins with '{name}': name some of {', '.join(groups)}")
    pairs = [pair for pair in pairs if not options.groups or pair.group.startswith(options.groups)]
    if options.common:
        known = {group: KEYPOINTNET_IDS.get((layout, group), {}) for group in {pair.group for pair in pairs}}
        shared = [
            replace(pair, names=tuple(name for name in pair.names if name in known[pair.group])) for pair in pairs
        ]
        pairs = [pair for pair in shared if pair.names]
        if not pairs:
            mapped = ", ".join(f"{name} {group}" for name, group in KEYPOINTNET_IDS)
            raise UserError(
                f"no keypoint of these pairs is mapped to KeypointNet, only those of {mapped}: leave --common out"
            )
    if 0 < options.most_pairs < len(pairs):
        pairs = [pairs[place] for place in np.linspace(0, len(pairs) - 1, options.most_pairs).round().astype(int)]
    return pairs


class TransferNetwork:
    """A frozen 2D network, and features of photographs by it."""

    def __init__(self, options: PixelTransferOptions):
        self.options = options
        self.device = chosen_device(options.device)
        self.network = TappedEncoder(options.encoder, options.strides).eval()
        self.loaded = load_encoder(self.network.encoder, weights_source(options.weights))
        self.grids: tuple[CellGrid, ...] = self.network.grids((options.side, options.side))
        self.network.to(self.device)
        line = np.arange((options.step - 1) / 2, options.side - 0.5, options.step)
        self.places = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
        self.image = lru_cache(KEPT_IMAGES)(self._image)

    def transfer(self, root: Path, pairs: Sequence[KeypointPair]) -> Iterator[TransferredPair]:
        """Yield what both ways find; raises :class:`UserError` for a photograph that cannot be decoded."""
        for pair in pairs:
            try:
                maps, source = self.image(root / pair.source.path)
                _, target = self.image(root / pair.target.path)
            except BadSample as fault:
                raise UserError(f"{fault}: remove it or its annotation") from fault
            places = warped(pair.places(pair.source), pair.source.size, self.options.side)
            features = self._features(maps, places)
            fit = map_between(source, target, np.random.default_rng(0))
            plain = transferred(features, target)
            checked = plain if fit is None else transferred(features, target, fit(places))
            back = {PLAIN: plain, CHECKED: checked}
            size = pair.target.size
            yield TransferredPair(pair, {way: unwarped(own, size, self.options.side) for way, own in back.items()})

    def _image(self, path: Path) -> tuple[tuple[Tensor, ...], SearchedImage]:
        side = self.options.side
        picture = Image.fromarray(read_color_picture(path, str(path), upright=False))
        pixels = np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR))
        image = torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None].to(self.device)
        with torch.no_grad():
            maps = self.network(normalise_images(image))
        return maps, SearchedImage(self.places, self._features(maps, self.places), float(side))

    def _features(
        self, maps: tuple[Tensor, ...], places: Float64[np.ndarray, "place 2"]
    ) -> Float[np.ndarray, "place dim"]:
        """Return unit features at places of the warped image."""
        pixels = torch.tensor(places, dtype=torch.float32, device=self.device)[None]
        parts = [
            F.normalize(values_at_pixels(one, pixels, grid)[0], dim=1)
            for one, grid in zip(maps, self.grids, strict=True)
        ]
        return F.normalize(torch.cat(parts, dim=1), dim=1).cpu().numpy()


def warped(places: Float64[np.ndarray, "place 2"], size: tuple[int, int], side: int) -> Float64[np.ndarray, "place 2"]:
    """Return where pixels of an image of ``size`` (height, width) lie once it is a square; centres of pixels are integers."""
    return (places + 0.5) * (side / np.array(size[::-1])) - 0.5


def unwarped(
    places: Float64[np.ndarray, "place 2"], size: tuple[int, int], side: int
) -> Float64[np.ndarray, "place 2"]:
    """Return the pixels of an image of ``size`` (height, width) that lie at places of the square."""
    return (places + 0.5) * (np.array(size[::-1]) / side) - 0.5


def scored_rows(found: Sequence[TransferredPair], way: str, alphas: Sequence[float]) -> list[dict[str, str | float]]:
    """Return a row of a table for each protocol and alpha: PCK in percent by all three means."""
    located = [one.located(way) for one in found]
    rows = []
    for extent, aspect in PROTOCOLS:
        for alpha in alphas:
            share = correct_share(located, alpha=alpha, extent=extent, aspect=aspect)
            means = {"by keypoint": share.by_keypoint, "by pair": share.by_pair, "by group": share.by_group}
            percent = {name: 100 * value for name, value in means.items()}
            rows.append({"transfer": way, "of the": extent, "aspect": aspect, "alpha": alpha} | percent)
    return rows


def group_row(group: str, found: Sequence[TransferredPair]) -> dict[str, str | float]:
    """Return a group's PCK at alpha .1 of the box, warped, in percent by both ways."""
    own = [one for one in found if one.pair.group == group]
    shares = {
        way: correct_share([one.located(way) for one in own], alpha=0.1, extent="box", aspect="warped")
        for way in (PLAIN, CHECKED)
    }
    return {"group": group, "pairs": len(own)} | {way: 100 * share.by_pair for way, share in shares.items()}


def mean_of(rows: Sequence[dict[str, str | float]], column: str) -> float:
    """Return the mean of a column of numbers."""
    return fmean(float(row[column]) for row in rows)


def picture(root: Path, one: TransferredPair) -> UInt8[np.ndarray, "height width 3"]:
    """Draw the keypoints of a pair as those ways find them that find all of them, right and wrong ones."""
    source, target = (
        read_color_picture(root / image.path, image.path, upright=False) for image in (one.pair.source, one.pair.target)
    )
    shown = {
        way: (places, relative_errors(one.located(way), "box", "warped") <= 0.1)
        for way, places in one.found.items()
        if np.isfinite(places).all()
    }
    return draw_before_and_after(source, target, one.pair.places(one.pair.source), shown)

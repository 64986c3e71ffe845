"""Semantic SRN's baseline in pictures: a U-Net that labels the parts in true views (2003.12673 Table 1, "Oracle RGB + U-Net").

It sees every view that it is scored on, which methods that infer an object from one view do not. Trained on the masks of the
budget alone, or on all (``--data.masks 0``). With 30 masks it chooses its best step by the masks of val, as the paper's does,
which is more supervision than the linear classifier of a scene network has; the paper's dropout for so few is searched
(``--method.unet.dropout``). Unlike the released code:

- the cross entropy is averaged over the labelled pixels of the global batch, and pixels of unknown label count in nothing;
- ``paper`` sees colours over white alone, ``released`` opacity as a fourth channel;
- lengths are in steps: the paper's 80,000 or 20 epochs of all masks are the same number of samples to a few percent.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from sem3d.config import Experiment, OptimConfig, RunConfig, ScheduleConfig, override
from sem3d.datasets.objects.part_classes import known_or_numbered
from sem3d.datasets.objects.srn_layout import WHITE
from sem3d.datasets.posed_views import PosedViews, class_names, posed_view_sources
from sem3d.datasets.stream import Samples
from sem3d.errors import UserError
from sem3d.methods.initial_parts import load_parts, own_weights
from sem3d.methods.method import HELD_OUT, TESTED, TRAIN, Found, Method, Sources
from sem3d.methods.semantic_srn.batch import SemanticSRNBatch
from sem3d.methods.semantic_srn.labelled_pictures import LabelledPictures
from sem3d.methods.semantic_srn.view_scores import PART_EVALUATIONS, as_pictures, class_ious, view_metrics
from sem3d.networks.view_unet import ViewUNet, ViewUNetConfig


@dataclass(frozen=True, kw_only=True)
class SemanticSRNUNetConfig:
    """Settings of the U-Net on views."""

    unet: ViewUNetConfig = field(default_factory=ViewUNetConfig)
    """The network."""
    opacity: bool = False
    """Opacity is a fourth channel of what the network sees, which tells it the silhouette (released)."""


def paper() -> Experiment:
    """Return the paper's setting: 128 px, Adam 4e-4, batch 64, 80,000 steps at most, dropout 0.1."""
    return Experiment(
        method=SemanticSRNUNetConfig(),
        data=PosedViews(),
        optim=OptimConfig(kind="adam", lr=4e-4),
        schedule=ScheduleConfig(steps=80_000, decay="constant", patience=5),
        run=RunConfig(batch_size=64, checkpoint_every=1000, evaluate_every=1000, evaluation_batch_size=16),
    )


def released() -> Experiment:
    """Return the setting of the authors' code: opacity too, dropout 0.2, the first masks."""
    changes = {"method.opacity": True, "method.unet.dropout": 0.2}
    return override(paper(), changes | {"data.transparent": "released", "data.mask_order": "first"})


def laptop() -> Experiment:
    """Return a setting for two CPU cores: 64 px, a slim network of five halvings, 400 steps of 10 views."""
    return Experiment(
        method=SemanticSRNUNetConfig(unet=ViewUNetConfig(width=16, widest=128, halvings=5, dropout=0.2)),
        data=PosedViews(size=64, evaluation_views=4),
        optim=OptimConfig(kind="adam", lr=1e-3),
        schedule=ScheduleConfig(steps=400, decay="cosine"),
        run=RunConfig(batch_size=10, checkpoint_every=100, evaluate_every=50, evaluation_batch_size=8),
    )


def gpu() -> Experiment:
    """Return a setting for minutes on one GPU: the network of ``laptop``, 1000 steps of 10 views."""
    return override(laptop(), {"schedule.steps": 1000, "run.checkpoint_every": 500})


class SemanticSRNUNet(LabelledPictures, Method):
    """A U-Net that gives each pixel of a view the class of a part."""

    Config = SemanticSRNUNetConfig
    Data = PosedViews
    Batch = SemanticSRNBatch
    presets: ClassVar = {"paper": paper, "released": released, "laptop": laptop, "gpu": gpu}
    score = ("miou", "max")
    label_budget = "data.masks"
    evaluations: ClassVar = PART_EVALUATIONS
    prediction = "sem3d.pipelines.predicted_picture:predict_parts"
    published = "sem3d.reporting.papers.semantic_srn:published_table"

    def __init__(self, experiment: Experiment[SemanticSRNUNetConfig, PosedViews], sources: Sources | None = None):
        super().__init__(experiment, sources)
        self.class_names = class_names(sources[TRAIN]) if sources else ()
        if sources and not self.class_names:
            raise UserError(f"{experiment.data.root} has no masks to learn part labels from")
        channels = 4 if experiment.method.opacity else 3
        self.unet = ViewUNet(experiment.method.unet, channels, max(len(self.class_names), 1))

    @classmethod
    def sources(cls, experiment: Experiment[SemanticSRNUNetConfig, PosedViews]) -> dict[str, Samples]:
        """Open the views with masks of the budget, and whole pictures of val and test.

        Raises :class:`UserError` for pictures that a U-Net does not take.
        """
        check_pictures(experiment.data, experiment.method.unet.halvings)
        opened = posed_view_sources(experiment.data, experiment.run.storage)
        return {TRAIN: opened["labelled"], HELD_OUT: opened["held_out"], TESTED: opened["tested"]}

    def initialise(self, source: str, without: tuple[str, ...] = ()) -> str:
        """Start from nothing, or from every part that this method and a sem3d checkpoint share; return a line on them."""
        stored = own_weights(source, without, "this U-Net starts from scratch or from a run of its own")
        if stored is None:
            return "scratch: all weights are new"
        if not self.class_names:
            self.unet.answer(len(stored["unet.last.bias"]))
        return load_parts(self, stored, source, without)

    def seen(self, batch: SemanticSRNBatch) -> Float[Tensor, "picture height width 3"]:
        """Return the true pictures of all views of a batch, colours in [-1, 1]."""
        return as_pictures(batch.color.flatten(1, 2), batch).flatten(0, 1)

    def logits(self, batch: SemanticSRNBatch) -> Float[Tensor, "picture class height width"]:
        """Return class scores of the pixels of all views of a batch."""
        seen = torch.cat([batch.color, batch.alpha[..., None]], -1) if self.experiment.method.opacity else batch.color
        pictures = as_pictures(seen.flatten(1, 2), batch).flatten(0, 1)
        return self.unet(pictures.permute(0, 3, 1, 2).to(next(self.parameters()).dtype))

    def part_scores(self, image: UInt8[Tensor, "batch 4 side side"]) -> Float[Tensor, "batch class side side"]:
        """Return class scores of every pixel of RGBA whose colours are not multiplied."""
        seen = image.to(next(self.parameters()).dtype) / WHITE
        alpha = seen[:, 3:]
        share = alpha if self.experiment.data.transparent == "white" else (alpha > 0).to(alpha.dtype)
        color = 2 * (seen[:, :3] * share + 1 - share) - 1
        return self.unet(torch.cat([color, alpha], 1) if self.experiment.method.opacity else color)

    def part_names(self) -> tuple[str, ...]:
        """Return the names of the classes, background first: of the data, else of its folder, else numbers."""
        data = self.experiment.data
        return self.class_names or known_or_numbered(data.root, data.category, self.unet.outputs)

    def summarise(self, found: Found) -> dict[str, float]:
        """Return what :func:`sem3d.methods.semantic_srn.view_scores.view_metrics` does."""
        return view_metrics(found.sums)

    def artifacts(self, found: Found) -> dict[str, Any]:
        """Return the IoU of each class over the pixels of all pictures."""
        names = self.class_names or tuple(map(str, range(self.unet.outputs)))
        return {"iou_by_class": dict(zip(names, class_ious(found.sums), strict=True))}


def check_pictures(data: PosedViews, halvings: int) -> None:
    """Raise :class:`UserError` for rays, of which a picture has none, and for a size that cannot be halved so often."""
    if data.rays:
        raise UserError(f"data.rays {data.rays}: a U-Net sees whole pictures; leave it 0")
    if data.size % 2**halvings:
        raise UserError(f"data.size {data.size} must divide by 2 {halvings} times: set method.unet.halvings")

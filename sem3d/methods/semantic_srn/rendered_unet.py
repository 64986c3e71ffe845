"""A U-Net that labels the parts in views which a scene network renders (2003.12673, supplement 3 and its Figure 1).

Objects are inferred from one view or many as for the linear classifier, and their views are rendered; the U-Net sees those
pictures and nothing of the features that they were made of. The paper asks how many masks it needs to be as good as the linear
classifier with 30; ``data.masks`` is the budget of both. Scene network and both tables of latents stay, by ``--init``,
a run of :mod:`sem3d.methods.semantic_srn.instances`. It learns from rendered views of training objects with their true masks, so
that what it is taught on looks like what it is asked about.
"""

from dataclasses import dataclass, field
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from sem3d.config import Experiment, override
from sem3d.datasets.posed_views import PosedViews, instances, posed_view_sources
from sem3d.datasets.stream import Samples
from sem3d.errors import UserError
from sem3d.methods.method import HELD_OUT, TESTED, TRAIN, Sources
from sem3d.methods.semantic_srn import unet
from sem3d.methods.semantic_srn.batch import SemanticSRNBatch
from sem3d.methods.semantic_srn.config import SceneTaskConfig
from sem3d.methods.semantic_srn.labelled_pictures import LabelledPictures
from sem3d.methods.semantic_srn.presets import RELEASED, SLIM
from sem3d.methods.semantic_srn.scene_task import SceneTask
from sem3d.methods.semantic_srn.sources import KNOWN, known_and_new, numbered_from
from sem3d.methods.semantic_srn.view_scores import PART_EVALUATIONS, as_pictures
from sem3d.networks.view_unet import ViewUNet, ViewUNetConfig


@dataclass(frozen=True, kw_only=True)
class SemanticSRNRenderedUNetConfig(SceneTaskConfig):
    """Settings of the U-Net on rendered views."""

    unet: ViewUNetConfig = field(default_factory=ViewUNetConfig)
    """The network that labels."""


def paper() -> Experiment:
    """Return the paper's setting, that of the U-Net on true views."""
    return override(
        Experiment(**{**vars(unet.paper()), "method": SemanticSRNRenderedUNetConfig()}),
        {"run.evaluation_batch_size": 4},
    )


def released() -> Experiment:
    """Return the setting with the authors' scene network, dropout and first masks."""
    changes = {"method.scene": RELEASED, "method.unet.dropout": 0.2}
    return override(paper(), changes | {"data.transparent": "released", "data.mask_order": "first"})


def laptop() -> Experiment:
    """Return a setting for two CPU cores, that of the U-Net on true views."""
    return _as_of_true_views(unet.laptop())


def gpu() -> Experiment:
    """Return a setting for minutes on one GPU, that of the U-Net on true views."""
    return _as_of_true_views(unet.gpu())


def _as_of_true_views(true: Experiment[unet.SemanticSRNUNetConfig, PosedViews]) -> Experiment:
    config = SemanticSRNRenderedUNetConfig(scene=SLIM, unet=true.method.unet)
    return Experiment(**{**vars(true), "method": config})


class SemanticSRNRenderedUNet(LabelledPictures, SceneTask):
    """A U-Net on the pictures of a scene network that stays as it is."""

    Config = SemanticSRNRenderedUNetConfig
    presets: ClassVar = {"paper": paper, "released": released, "laptop": laptop, "gpu": gpu}
    score = ("miou", "max")
    label_budget = "data.masks"
    evaluations: ClassVar = PART_EVALUATIONS
    marks = "sem3d.methods.semantic_srn.frequent_parts:marks"
    prediction = ""
    unpredicted = (
        "it labels views that its scene network renders of its own objects, which jobs.evaluate sheet RUN pictures; for a "
        "picture of yours predict with a run of semantic_srn_parts or semantic_srn_unet"
    )
    needed: ClassVar = ("scene", "latents", "new_latents")

    def __init__(
        self, experiment: Experiment[SemanticSRNRenderedUNetConfig, PosedViews], sources: Sources | None = None
    ):
        known, new, classes = known_and_new(sources)
        if not classes:
            raise UserError(f"{experiment.data.root} has no masks to learn part labels from")
        super().__init__(experiment, sources, known, new, classes)
        self.unet = ViewUNet(experiment.method.unet, 3, classes)
        self.keep_as_they_start(self.scene, self.latents, self.new_latents)

    @classmethod
    def sources(cls, experiment: Experiment[SemanticSRNRenderedUNetConfig, PosedViews]) -> dict[str, Samples]:
        """Open the views with masks of the budget, whole pictures of val and test, and the training objects.

        Raises :class:`UserError` for pictures that a U-Net does not take.
        """
        unet.check_pictures(experiment.data, experiment.method.unet.halvings)
        opened = posed_view_sources(experiment.data, experiment.run.storage)
        shift = instances(opened["held_out_observed"])
        return {
            TRAIN: opened["labelled"],
            HELD_OUT: opened["held_out"],
            TESTED: numbered_from(shift, opened["tested"]),
            KNOWN: opened["train"],
        }

    def take_sizes(self, stored: dict[str, Tensor]) -> None:
        """Have as many latents and classes as the stored weights."""
        super().take_sizes(stored)
        if "unet.last.bias" in stored:
            self.unet.answer(len(stored["unet.last.bias"]))

    def seen(self, batch: SemanticSRNBatch) -> Float[Tensor, "picture height width 3"]:
        """Return rendered pictures of all views of a batch, colours in [-1, 1]."""
        color = self.pictures(batch).rendered.color[..., :3].clamp(-1, 1)
        return as_pictures(color, batch).flatten(0, 1)

    def logits(self, batch: SemanticSRNBatch) -> Float[Tensor, "picture class height width"]:
        """Return class scores of the pixels of all views of a batch."""
        return self.unet(self.seen(batch).permute(0, 3, 1, 2).to(self.latents.weight.dtype))

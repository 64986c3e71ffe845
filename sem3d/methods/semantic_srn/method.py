"""Semantic SRN (Kohli, Sitzmann, Wetzstein, 2003.12673): shape, looks and part labels of objects of one class.

A scene representation network (SRN, Sitzmann et al., 1906.01618) is a field of features whose weights a hypernetwork makes of an
object's latent; an LSTM marches along each ray to where the field ends it, and the feature found there becomes a colour. The
paper's steps are three methods, each starting from the one before by ``--init``:

1. ``semantic_srn``, here: networks and the latents of training objects, from posed images. With ``method.segmentation_layers 0``
   from colour alone (the paper's pretraining); with more, a segmentation renderer of so many layers learns along with all else
   from the masks of the budget (end to end, equation 4), which is what inference from a mask needs. It is scored by the PSNR of
   pictures of training objects (``seen``).
2. ``semantic_srn_instances``: latents of the objects of ``val`` and ``test``, from one view or many, by their colours, their
   masks or both; networks stay as they are. The step that is best on val is the one that test is scored at (early stopping).
3. ``semantic_srn_parts``: a linear classifier of features, from a few masks of training objects; networks and both tables of
   latents stay as they are, so that one inference serves all label budgets. It is scored by the mIoU of pictures of val and test.

Presets: ``paper`` has the sizes, batches and steps of section 4, ``released`` those of the authors' scripts. Unlike the released
code: products of all objects are one; latents have dense gradients and an optimiser of the rows that a batch touched; the hook
that bounds the gradient of a ray's LSTM state at 10 is left out, since no gradient of a mean over rays comes near it.
``laptop`` learns from a few hundred rays of a view with a slim network.
"""

from typing import ClassVar

import torch
from torch import Tensor

from sem3d.config import Experiment, override
from sem3d.datasets.posed_views import PosedViews, class_names, identities, posed_view_sources
from sem3d.datasets.stream import Samples
from sem3d.errors import UserError
from sem3d.methods.method import HELD_OUT, TRAIN, Sources
from sem3d.methods.optimizers import build_optimizer
from sem3d.methods.semantic_srn.batch import SemanticSRNBatch
from sem3d.methods.semantic_srn.config import SemanticSRNConfig
from sem3d.methods.semantic_srn.losses import scene_losses
from sem3d.methods.semantic_srn.presets import gpu, laptop, paper, released
from sem3d.methods.semantic_srn.scene_task import SceneTask
from sem3d.methods.semantic_srn.sources import NOBODY, opened_views


class SemanticSRN(SceneTask):
    """Networks and latents of training objects; a segmentation renderer where masks are learnt from too."""

    Config = SemanticSRNConfig
    presets: ClassVar = {"paper": paper, "released": released, "laptop": laptop, "gpu": gpu}
    score = ("psnr", "max")
    label_budget = "data.masks"

    def __init__(self, experiment: Experiment[SemanticSRNConfig, PosedViews], sources: Sources | None = None):
        objects = identities(sources[TRAIN]) if sources else NOBODY
        classes = len(class_names(sources[TRAIN])) if sources else 1
        if experiment.method.segmentation_layers and not classes:
            raise UserError(f"{experiment.data.root} has no masks: leave method.segmentation_layers at 0")
        super().__init__(experiment, sources, objects, None, classes)

    @classmethod
    def sources(cls, experiment: Experiment[SemanticSRNConfig, PosedViews]) -> dict[str, Samples]:
        """Open rays of the training objects, labelled where the budget holds the mask, and pictures of these.

        Where labels are not learnt, no mask is read, and there need not be as many as the budget says.
        """
        labels = experiment.method.segmentation_layers > 0
        opened = posed_view_sources(experiment.data, experiment.run.storage) if labels else opened_views(experiment, ())
        return {TRAIN: opened["train"], HELD_OUT: opened["seen"]}

    @classmethod
    def curriculum(cls, experiment: Experiment[SemanticSRNConfig, PosedViews]) -> tuple[Experiment, ...]:
        """Return one run for each size of pictures, small ones first."""
        method = experiment.method
        none = {"method.stage_sizes": (), "method.stage_steps": (), "method.stage_batches": ()}
        steps = method.stage_steps or (experiment.schedule.steps,) * len(method.stage_sizes)
        batches = method.stage_batches or (experiment.run.batch_size,) * len(method.stage_sizes)
        if not len(method.stage_sizes) == len(steps) == len(batches):
            raise UserError(
                f"method.stage_sizes {method.stage_sizes}, stage_steps {steps} and stage_batches {batches} are of different "
                "lengths: give each stage its own, or no steps, no batches"
            )
        stages = [
            override(experiment, none | {"data.size": size, "schedule.steps": length, "run.batch_size": batch})
            for size, length, batch in zip(method.stage_sizes, steps, batches, strict=True)
        ]
        return tuple(stages) or (experiment,)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Return the optimiser of the networks and that of the latents."""
        of_latents = {id(value) for value in self.latents.parameters()}
        networks = [value for value in self.parameters() if id(value) not in of_latents]
        return {
            "networks": build_optimizer(networks, self.experiment.optim),
            "latents": build_optimizer(self.latents.parameters(), self.experiment.method.latents),
        }

    def forward(self, batch: SemanticSRNBatch, step: int) -> dict[str, Tensor]:
        """Return the losses of image, depth and latents, and that of labels where these are learnt."""
        views = self.render(self.latents_of(batch), batch)
        return scene_losses(views, batch, self.experiment.method.weights)

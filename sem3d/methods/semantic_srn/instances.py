"""Inference of new objects from what is seen of them (2003.12673, sections 3.1 and 4.4): latents alone are fitted.

Objects of ``val`` and ``test`` are fitted together, each to its observed views (``data.observed``: 1 or 50), by their colours,
their masks, or both. Pictures of val decide which step is best, where few are scored (``data.evaluation_views``) such as were not
observed, and ``schedule.patience`` ends the run: fitted on, latents explain the observed view at the cost of all others. The step
is that of the best PSNR, or of the best silhouettes where a mask alone is inferred from, which says nothing of colours. The
released scripts take 80,000 steps, its README 10,000.
See :mod:`sem3d.methods.semantic_srn.method` for the run that ``--init`` names.
"""

from typing import ClassVar

import torch
from torch import Tensor

from sem3d.config import Experiment
from sem3d.datasets.posed_views import PosedViews, instances
from sem3d.datasets.stream import Samples
from sem3d.errors import UserError
from sem3d.methods.method import HELD_OUT, TESTED, TRAIN, Sources
from sem3d.methods.optimizers import build_optimizer
from sem3d.methods.semantic_srn.batch import SemanticSRNBatch
from sem3d.methods.semantic_srn.config import SemanticSRNInstancesConfig
from sem3d.methods.semantic_srn.losses import scene_losses
from sem3d.methods.semantic_srn.presets import inferred_gpu, inferred_laptop, inferred_paper, inferred_released
from sem3d.methods.semantic_srn.scene_task import SceneTask
from sem3d.methods.semantic_srn.sources import KNOWN, joined, known_and_new, numbered_from, opened_views

MODALITIES = {"color": ("image",), "mask": ("label",), "both": ("image", "label")}


class SemanticSRNInstances(SceneTask):
    """Latents of new objects, with networks that stay as they are."""

    Config = SemanticSRNInstancesConfig
    presets: ClassVar = {
        "paper": inferred_paper,
        "released": inferred_released,
        "laptop": inferred_laptop,
        "gpu": inferred_gpu,
    }
    score = ("psnr", "max")
    handed_on = ("method.scene.", "method.segmentation_layers")
    marks = "sem3d.methods.semantic_srn.frequent_silhouette:marks"
    needed: ClassVar = ("scene", "latents")

    def __init__(self, experiment: Experiment[SemanticSRNInstancesConfig, PosedViews], sources: Sources | None = None):
        config = experiment.method
        if config.inferred_from != "color" and not config.segmentation_layers:
            raise UserError(
                f"method.inferred_from {config.inferred_from} needs a run of semantic_srn with method.segmentation_layers, "
                "named by --init: colour alone is known to this one"
            )
        known, new, classes = known_and_new(sources)
        super().__init__(experiment, sources, known, new, classes)
        self.keep_as_they_start(self.scene, self.segmentation, self.latents)

    @property
    def selected_by(self) -> tuple[str, str]:
        """Return PSNR, or silhouettes where nothing is known of colours."""
        return ("silhouette_iou", "max") if self.experiment.method.inferred_from == "mask" else self.score

    @classmethod
    def sources(cls, experiment: Experiment[SemanticSRNInstancesConfig, PosedViews]) -> dict[str, Samples]:
        """Open rays of the observed views of val and test, pictures of both, and the training objects."""
        config, labels = experiment.method, ("held_out", "tested") if experiment.method.segmentation_layers else ()
        if config.inferred_from != "color":
            labels = (*labels, "held_out_observed", "tested_observed")
        opened = opened_views(experiment, labels)
        shift = instances(opened["held_out_observed"])
        both = [opened["held_out_observed"], numbered_from(shift, opened["tested_observed"])]
        return {
            TRAIN: joined(both),
            HELD_OUT: opened["held_out"],
            TESTED: numbered_from(shift, opened["tested"]),
            KNOWN: opened["train"],
        }

    def latents_of(self, batch: SemanticSRNBatch) -> Tensor:
        """Return the latents of new objects, in training too."""
        assert self.new_latents is not None
        return self.new_latents(batch.instance)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Return the optimiser of the new latents."""
        assert self.new_latents is not None
        return {"latents": build_optimizer(self.new_latents.parameters(), self.experiment.method.latents)}

    def forward(self, batch: SemanticSRNBatch, step: int) -> dict[str, Tensor]:
        """Return the losses of what latents are inferred from, of depth and of latents."""
        config = self.experiment.method
        views = self.render(self.latents_of(batch), batch)
        return scene_losses(views, batch, config.weights, MODALITIES[config.inferred_from])

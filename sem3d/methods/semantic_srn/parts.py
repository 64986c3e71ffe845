"""Part labels from a few masks, by a linear classifier of a scene network's features (2003.12673, sections 3.3 and 4.1).

Networks and latents stay as they are; 10 training objects with 3 masks each are the paper's label budget (``data.masks 30``,
``data.mask_views 3``). Pictures of val decide which step is best, and those of test are scored, with the latents of
``--init``, a run of :mod:`sem3d.methods.semantic_srn.instances`.
"""

from typing import ClassVar

from torch import Tensor

from sem3d.config import Experiment
from sem3d.datasets.posed_views import PosedViews, instances, posed_view_sources
from sem3d.datasets.stream import Samples
from sem3d.errors import UserError
from sem3d.methods.method import HELD_OUT, TESTED, TRAIN, Sources
from sem3d.methods.semantic_srn.batch import SemanticSRNBatch
from sem3d.methods.semantic_srn.config import SemanticSRNPartsConfig
from sem3d.methods.semantic_srn.losses import label_loss
from sem3d.methods.semantic_srn.presets import parts_gpu, parts_laptop, parts_paper, parts_released
from sem3d.methods.semantic_srn.scene_task import SceneTask
from sem3d.methods.semantic_srn.sources import KNOWN, known_and_new, numbered_from
from sem3d.methods.semantic_srn.view_scores import PART_EVALUATIONS


class SemanticSRNParts(SceneTask):
    """A classifier of the features of a scene network that stays as it is."""

    Config = SemanticSRNPartsConfig
    presets: ClassVar = {"paper": parts_paper, "released": parts_released, "laptop": parts_laptop, "gpu": parts_gpu}
    score = ("miou", "max")
    label_budget = "data.masks"
    evaluations: ClassVar = PART_EVALUATIONS
    marks = "sem3d.methods.semantic_srn.frequent_parts:marks"
    published = "sem3d.reporting.papers.semantic_srn:published_table"
    needed: ClassVar = ("scene", "latents", "new_latents")

    def __init__(self, experiment: Experiment[SemanticSRNPartsConfig, PosedViews], sources: Sources | None = None):
        known, new, classes = known_and_new(sources)
        if not classes:
            raise UserError(f"{experiment.data.root} has no masks to learn part labels from")
        super().__init__(experiment, sources, known, new, classes)
        self.keep_as_they_start(self.scene, self.latents, self.new_latents)

    @classmethod
    def sources(cls, experiment: Experiment[SemanticSRNPartsConfig, PosedViews]) -> dict[str, Samples]:
        """Open rays of the masks of the budget, pictures of val and test, and the training objects."""
        opened = posed_view_sources(experiment.data, experiment.run.storage)
        shift = instances(opened["held_out_observed"])
        return {
            TRAIN: opened["labelled"],
            HELD_OUT: opened["held_out"],
            TESTED: numbered_from(shift, opened["tested"]),
            KNOWN: opened["train"],
        }

    def forward(self, batch: SemanticSRNBatch, step: int) -> dict[str, Tensor]:
        """Return the cross entropy of the labelled rays."""
        rays = batch.rays(self.latents.weight)
        features = self.scene.picture(self.latents_of(batch), rays, self.experiment.method.rays_at_once).features
        assert self.segmentation is not None
        return {"label": self.experiment.method.weights.label * label_loss(self.segmentation(features), batch)}

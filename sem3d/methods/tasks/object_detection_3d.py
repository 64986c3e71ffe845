"""3D object detection with few labels: VoteNet (arXiv 1904.09664) on the sparse 3D network of PPKT (section 4.3) or Pri3D.

Seeds are points of the input, far apart, with the sparse network's feature of their voxel and a new linear layer; what is above
them is VoteNet's: votes for centres, groups of votes, a proposal of each, and the authors' loss. ``--init`` takes a run of PPKT
or Pri3D or nothing, so that every arm of a comparison differs in the weights it starts from and in nothing else.
``method.trained`` is the whole network, all but its encoder, or what is new alone.

Objects are those of ScanNet's 18 classes, boxes along the world's axes as in VoteNet's own evaluation there, so that there is one
bin of headings; or those of SUN RGB-D's 10 classes, turned, with 12 bins. Boxes that are kept, and average precision, are those
of the authors' code: each kept box is an answer for every class.

Presets: ``paper`` has VoteNet's optimiser, epochs and numbers, PPKT's batch of 64 and voxels; the authors divide the learning
rate by 10 after 80, 120 and 160 epochs, here it falls by a cosine. ``sun_rgbd`` is that for SUN RGB-D, without the changes of
colour and the dropped points of VoteNet's training there. ``laptop`` is a slim network on 10 cm voxels.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from sem3d.config import Experiment
from sem3d.datasets.scans.box_classes import BOX_CLASSES
from sem3d.datasets.scans.instances import FIRST_OBJECT
from sem3d.datasets.scans.labels import class_palette
from sem3d.datasets.scene_boxes import SceneBoxes, box_samples
from sem3d.datasets.stream import Samples
from sem3d.errors import UserError
from sem3d.evaluation.box_choice import chosen_boxes
from sem3d.evaluation.detection import (
    SceneDetections,
    detection_metrics,
    detection_scores,
    detection_tables,
    recorded_scene,
    scene_record,
)
from sem3d.evaluation.figures import DrawnBoxes, DrawnScene, box_sheet
from sem3d.losses.segmentation import global_mean
from sem3d.losses.vote_net import (
    Summed,
    center_losses,
    class_loss,
    heading_targets,
    matched,
    objectness_loss,
    residual_loss,
    size_targets,
    vote_loss,
)
from sem3d.methods.method import HELD_OUT, TRAIN, Found, Record, Sources
from sem3d.methods.tasks.detection_presets import ObjectDetection3DConfig, gpu, laptop, paper, sun_rgbd
from sem3d.methods.tasks.partly_trained import PointTask
from sem3d.networks.point_groups import take_rows
from sem3d.networks.sparse_unet import (
    INPUT_CHANNELS,
    SparseUNet,
)
from sem3d.networks.vote_net import Proposals, Proposing, Voting, of_each, proposed_boxes

WEIGHTS = {
    "vote": 10.0,
    "objectness": 5.0,
    "center": 10.0,
    "center_of_object": 10.0,
    "heading_bin": 1.0,
    "heading": 10.0,
    "size_class": 1.0,
    "size": 10.0,
    "class": 1.0,
}
"""Of the losses, ten times those of the paper's equation, as in the authors' code."""
SCENES_SHOWN = 3
SHOWN_BELOW = 1.8
"""Metres above the lowest voxel that pictures from above show."""
SHOWN_ABOVE = 0.5
"""Objectness that boxes in pictures have at least."""


@dataclass(frozen=True)
class ObjectDetection3DBatch:
    """Scenes as voxels, seeds among them, and boxes."""

    voxel: Int[Tensor, "voxel 4"]
    """Led by the item; voxels of all items follow one another."""
    voxel_color: UInt8[Tensor, "voxel 3"]
    voxel_point: Float[Tensor, "voxel 3"]
    """The first point in each, metres."""
    seed_voxel: Int[Tensor, "batch seed"]
    """Row of the voxel of each seed."""
    seed_point: Float[Tensor, "batch seed 3"]
    """Metres."""
    seed_box: Int[Tensor, "batch seed choice"]
    """Rows of the item's boxes whose object a seed may be of, -1 for none."""
    box: Float[Tensor, "batch object 7"]
    """As :mod:`sem3d.geometry.boxes` has them."""
    box_class: Int[Tensor, "batch object"]
    """Number among the classes, -1 where there is no box."""
    scene: Int[Tensor, " batch"]
    """Number of each scene, -1 where it could not be read and has no voxel."""

    def usable(self) -> "ObjectDetection3DBatch":
        """Return the batch with the items that could be read alone, but for the voxels, which only these have."""
        kept = (self.scene >= 0).nonzero()[:, 0]
        columns = vars(self)
        items = {name: value[kept] for name, value in columns.items() if not name.startswith("voxel")}
        return ObjectDetection3DBatch(**columns | items)


class ObjectDetection3D(PointTask):
    """The sparse 3D network with VoteNet above it."""

    Config = ObjectDetection3DConfig
    Data = SceneBoxes
    Batch = ObjectDetection3DBatch
    presets: ClassVar = {"paper": paper, "sun_rgbd": sun_rgbd, "laptop": laptop, "gpu": gpu}
    score = ("map_25", "max")
    label_budget = "data.budget"
    evaluations: ClassVar = {"detection": "sem3d.pipelines.scores:scores"}
    marks = "sem3d.methods.tasks.usual_boxes:marks"
    prediction = "sem3d.pipelines.predicted_boxes:predict_boxes"
    published = "sem3d.reporting.papers.ppkt:published_table"
    mean_size: Tensor

    def __init__(self, experiment: Experiment[ObjectDetection3DConfig, SceneBoxes], sources: Sources | None = None):
        super().__init__(experiment)
        config, seeds = experiment.method, experiment.data.seeds
        if config.votes.proposals > seeds:
            raise UserError(
                f"method.votes.proposals is {config.votes.proposals}, more than the votes there are: lower it, or raise "
                f"data.seeds, which is {seeds}"
            )
        self.sparse_unet = SparseUNet(config.sparse_unet, INPUT_CHANNELS[config.voxel_input])
        self.seeds = nn.Linear(self.sparse_unet.out_channels, config.votes.dim)
        self.voting = Voting(config.votes.dim)
        self.classes = BOX_CLASSES[experiment.data.boxes]
        self.proposing = Proposing(config.votes, len(self.classes.names), self.classes.heading_bins)
        self.register_buffer("mean_size", torch.from_numpy(self.classes.mean_sizes), persistent=False)
        self.keep_parts()

    @classmethod
    def sources(cls, experiment: Experiment[ObjectDetection3DConfig, SceneBoxes]) -> dict[str, Samples]:
        """Open the training scenes with objects under the budget and all validation scenes with objects."""
        opened = box_samples(experiment.data, experiment.run.storage)
        return {TRAIN: opened["train"], HELD_OUT: opened["val"]}

    def found(self, batch: ObjectDetection3DBatch) -> tuple[Float[Tensor, "batch seed 3"], Proposals]:
        """Return the votes of seeds, and the proposals, of a batch of usable items."""
        voxels, dtype = self.features_of_voxels(batch.voxel, batch.voxel_color), self.seeds.weight.dtype
        features = of_each(self.seeds, voxels[batch.seed_voxel.long()])
        points = batch.seed_point.to(torch.promote_types(dtype, torch.float32))
        votes, features = self.voting(points, features)
        return votes, self.proposing(votes, features)

    def losses(
        self, batch: ObjectDetection3DBatch, votes: Float[Tensor, "batch seed 3"], found: Proposals
    ) -> dict[str, Summed]:
        """Return the sum and the number of each loss, by name."""
        centers, named, valid = batch.box[..., :3].to(votes.dtype), batch.box_class.long(), batch.box_class >= 0
        choice = batch.seed_box.long()
        matches = matched(found.base, centers, valid)
        to_object, to_proposal = center_losses(found.center, centers, valid, matches)
        heading_bin, heading = heading_targets(batch.box[..., 6], self.classes.heading_bins)
        size = size_targets(batch.box[..., 3:6], named, self.mean_size)
        return {
            "vote": vote_loss(votes, take_rows(centers, choice.clamp(min=0)), choice >= 0),
            "objectness": objectness_loss(found.objectness, matches),
            "center": to_object,
            "center_of_object": to_proposal,
            "heading_bin": class_loss(found.heading_bin, heading_bin, matches),
            "heading": residual_loss(found.heading[..., None], heading_bin, heading[..., None], matches),
            "size_class": class_loss(found.size_class, named, matches),
            "size": residual_loss(found.size, named, size, matches),
            "class": class_loss(found.named, named, matches),
        }

    def forward(self, batch: ObjectDetection3DBatch, step: int) -> dict[str, Tensor]:
        """Return VoteNet's losses over the global batch."""
        batch = batch.usable()
        found = self.losses(batch, *self.found(batch))
        return {name: WEIGHTS[name] * global_mean(*summed) for name, summed in found.items()}

    def evaluate(self, batch: ObjectDetection3DBatch) -> Found:
        """Return the losses' sums and numbers, and of each scene the boxes kept and its objects."""
        batch = batch.usable()
        votes, found = self.found(batch)
        sums = {}
        for name, (total, count) in self.losses(batch, votes, found).items():
            sums |= {name: total.double(), f"{name}_count": count.double()}
        return Found(sums, [record for _, _, record in self.answers(batch, found)])

    def answers(
        self, batch: ObjectDetection3DBatch, found: Proposals
    ) -> Iterator[tuple[np.ndarray, np.ndarray, Record]]:
        """Yield of each item the voxels and their colours, and its record: boxes kept, their scores, and its objects.

        A box is an answer for each class, of objectness times the probability of the class.
        """
        boxes = proposed_boxes(found, self.mean_size)
        objectness, named = found.objectness.softmax(2)[..., 1], found.named.softmax(2)
        columns = (
            batch.voxel,
            batch.voxel_color,
            batch.voxel_point,
            boxes,
            objectness,
            named,
            batch.box,
            batch.box_class,
        )
        voxel, color, point, boxes, objectness, named, truth, truth_class = (
            one.detach().cpu().numpy() for one in columns
        )
        items = torch.unique_consecutive(batch.voxel[:, 0]).tolist()
        for row, item in enumerate(items):
            own = voxel[:, 0] == item
            config = self.experiment.method.kept_boxes
            kept = chosen_boxes(boxes[row], objectness[row], named[row].argmax(1), point[own], config)
            valid = truth_class[row] >= 0
            scores = objectness[row, kept, None] * named[row, kept]
            scene = SceneDetections(boxes[row, kept], scores, truth[row, valid], truth_class[row, valid])
            yield voxel[own, 1:], color[own], scene_record(scene)

    def summarise(self, found: Found) -> dict[str, float]:
        """Return mean average precision and recall at overlaps of 0.25 and 0.5, and the mean of each loss."""
        names = [name for name in WEIGHTS if name in found.sums]
        losses = {f"loss_{name}": float(found.sums[name] / found.sums[f"{name}_count"].clamp(min=1)) for name in names}
        return detection_metrics(self.scores(found)) | losses

    def scores(self, found: Found) -> list:
        """Return the scores of all scenes at both overlaps."""
        return detection_scores(map(recorded_scene, found.records), len(self.classes.names))

    def artifacts(self, found: Found) -> dict[str, object]:
        """Return the average precision of each class at both overlaps."""
        return dict(detection_tables(self.scores(found), self.classes.names))

    def figures(self, batch: ObjectDetection3DBatch) -> dict[str, np.ndarray]:
        """Return the objects of the first scenes of the batch, and the boxes found, seen from above."""
        batch = batch.usable()
        with torch.no_grad():
            _, found = self.found(batch)
        shown = []
        for (voxel, color, record), _ in zip(self.answers(batch, found), range(SCENES_SHOWN), strict=False):
            scene = recorded_scene(record)
            likely = scene.scores.sum(1) >= SHOWN_ABOVE
            answers = DrawnBoxes(scene.boxes[likely], scene.scores[likely].argmax(1))
            shown.append(DrawnScene(voxel, color, DrawnBoxes(scene.objects, scene.classes), answers))
        if not shown:
            return {}
        palette = class_palette()[FIRST_OBJECT:]
        return {"boxes": box_sheet(shown, self.experiment.data.voxel_size, SHOWN_BELOW, palette, self.classes.names)}

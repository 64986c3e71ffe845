"""Networks of scenes as all methods of Semantic SRN have them: a batch rendered and scored, weights that come in strictly."""

from math import isqrt
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from sem3d.config import Experiment
from sem3d.datasets.posed_views import PosedViews, class_names
from sem3d.errors import UserError
from sem3d.geometry.rays import Rays
from sem3d.methods.initial_parts import load_parts, own_weights, parts
from sem3d.methods.method import Found, Method, Sources
from sem3d.methods.semantic_srn.batch import SemanticSRNBatch
from sem3d.methods.semantic_srn.novel_views import VIEWS_OF_A_STRIP, around, views_sheet, write_products
from sem3d.methods.semantic_srn.sources import Objects
from sem3d.methods.semantic_srn.view_scores import as_pictures, class_ious, view_metrics, view_sums
from sem3d.methods.semantic_srn.views import Views
from sem3d.networks.srn.latent_table import LatentTable
from sem3d.networks.srn.point_renderer import PointRenderer
from sem3d.networks.srn.scene_network import Rendered, SceneNetwork


class SceneTask(Method):
    """Networks of scenes, a table of latents for the training objects, and one more for new objects where they are needed."""

    Data = PosedViews
    Batch = SemanticSRNBatch
    handed_on: ClassVar = ("method.scene.",)
    prediction = "sem3d.pipelines.predicted_views:predict_views"
    needed: ClassVar[tuple[str, ...]] = ("scene",)
    """Parts that initial weights must hold."""
    scene: SceneNetwork
    segmentation: PointRenderer | None
    latents: LatentTable
    new_latents: LatentTable | None

    def __init__(
        self, experiment: Experiment, sources: Sources | None, known: Objects, new: Objects | None, classes: int
    ):
        """Build tables for training objects and, where there are any, ``new`` ones; without ``sources`` the weights that come
        decide on sizes.
        """
        super().__init__(experiment, sources)
        config, layers = experiment.method, getattr(experiment.method, "segmentation_layers", 0)
        self.sized = sources is not None
        self.class_names = class_names(next(iter(sources.values()))) if sources else ()
        self.scene = SceneNetwork(config.scene)
        self.segmentation = PointRenderer(config.scene.field.width, layers, classes) if layers else None
        self.latents = table_of(known, config.scene.field.latent)
        self.new_latents = None if new is None else table_of(new, config.scene.field.latent)

    def initialise(self, source: str, without: tuple[str, ...] = ()) -> str:
        """Start from nothing, or from every part that this method and a sem3d checkpoint share; return a line on them."""
        stored = own_weights(source, without, "Semantic SRN starts from scratch or from a run of its own")
        if stored is None:
            return "scratch: all weights are new"
        if missing := sorted(set(self.needed) - parts(stored)):
            raise UserError(
                f"{source} has no {missing[0]}: it holds {', '.join(sorted(parts(stored)))}; name a run of "
                f"{'semantic_srn_instances' if missing == ['new_latents'] else 'semantic_srn'}"
            )
        if not self.sized:
            self.take_sizes(stored)
        for name in {"latents", "new_latents"} - set(without):
            self.recognise(name, stored, source)
        return load_parts(self, stored, source, without)

    def recognise(self, name: str, stored: dict[str, Tensor], source: str) -> None:
        """Raise :class:`UserError` where stored latents are those of other objects than the data have, row for row."""
        table, place = getattr(self, name), f"{name}.identity"
        if table is None or f"{name}.weight" not in stored:
            return
        theirs = stored.setdefault(place, torch.zeros(len(stored[f"{name}.weight"]), dtype=torch.int64))
        if not self.sized or len(theirs) != len(table.identity):
            return
        other = (theirs != table.identity.cpu()) & (theirs != 0)
        if other.any():
            raise UserError(
                f"{source}: {name} are of other objects: {int(other.sum())} of {len(other)} are not those of "
                f"{self.experiment.data.root}; name the data that they were learnt from, or --init-without {name}"
            )
        stored[place] = table.identity.cpu()

    def take_sizes(self, stored: dict[str, Tensor]) -> None:
        """Have as many latents and classes as the stored weights."""
        for name in ("latents", "new_latents"):
            table = getattr(self, name)
            if table is not None and f"{name}.weight" in stored:
                table.fit(len(stored[f"{name}.weight"]))
        biases = [name for name in stored if name.startswith("segmentation.") and name.endswith(".bias")]
        if self.segmentation is not None and biases:
            self.segmentation.answer(len(stored[max(biases, key=lambda name: int(name.split(".")[1]))]))

    def keep_as_they_start(self, *kept: nn.Module | None) -> None:
        """Take the gradients of parts away."""
        for module in kept:
            if module is not None:
                module.requires_grad_(False)

    def latents_of(self, batch: SemanticSRNBatch) -> Float[Tensor, "object latent"]:
        """Return the latents of a batch: of new objects where there are any while evaluating, else of training objects."""
        table = self.latents if self.training or self.new_latents is None else self.new_latents
        return table(batch.instance)

    def render(self, latents: Float[Tensor, "object latent"], batch: SemanticSRNBatch) -> Views:
        """Render the rays of a batch with their graph."""
        rays = batch.rays(latents)
        rendered = self.scene(latents, rays)
        return Views(latents, rays, rendered, self.labels_of(rendered))

    @torch.no_grad()
    def pictures(self, batch: SemanticSRNBatch) -> Views:
        """Render the rays of a batch, however many, without a graph."""
        return self.drawn(self.latents_of(batch), batch.rays(self.latents.weight))

    @torch.no_grad()
    def drawn(self, latents: Float[Tensor, "object latent"], rays: Rays) -> Views:
        """Render any number of rays of objects by their latents, without a graph."""
        rendered = self.scene.picture(latents, rays, self.experiment.method.rays_at_once)
        return Views(latents, rays, rendered, self.labels_of(rendered))

    def labels_of(self, rendered: Rendered) -> Float[Tensor, "object ray class"] | None:
        """Return scores of part classes of rendered rays."""
        return None if self.segmentation is None else self.segmentation(rendered.features)

    def evaluate(self, batch: SemanticSRNBatch) -> Found:
        """Return scores of the pictures of a batch as sums with counts."""
        return Found(view_sums(self.pictures(batch), batch))

    def summarise(self, found: Found) -> dict[str, float]:
        """Return what :func:`sem3d.methods.semantic_srn.view_scores.view_metrics` does."""
        return view_metrics(found.sums)

    def labelled(self, batch: SemanticSRNBatch) -> Int[Tensor, "object height width"]:
        """Return the class of each pixel of the last view of each object; raises :class:`UserError` where none is learnt."""
        logits = self.pictures(batch).logits
        if logits is None:
            raise UserError("this run labels no parts of views: name runs that learnt part labels")
        return as_pictures(logits.argmax(-1), batch)[:, -1]

    def artifacts(self, found: Found) -> dict[str, Any]:
        """Return the IoU of each class over the pixels of all pictures, where parts are labelled."""
        if "union" not in found.sums or not self.class_names:
            return {}
        return {"iou_by_class": dict(zip(self.class_names, class_ious(found.sums), strict=True))}

    def figures(self, batch: SemanticSRNBatch) -> dict[str, np.ndarray]:
        """Picture the first views of a batch, true and rendered."""
        return {"views": views_sheet(self.pictures(batch), batch, self.class_names)}

    def exports(self, batch: SemanticSRNBatch, folder: Path) -> None:
        """Write the first object of a batch as a strip of new views and as a cloud of the points where rays end."""
        usable = batch.instance >= 0
        for latent, instance in list(zip(self.latents_of(batch)[usable], batch.instance[usable].tolist(), strict=True))[
            :1
        ]:
            views = around(self, latent[None], isqrt(batch.pixels.shape[2]), VIEWS_OF_A_STRIP)
            write_products(views, folder / f"object-{instance}", self.class_names)


def table_of(objects: Objects, dim: int) -> LatentTable:
    """Return new latents of objects."""
    table = LatentTable(len(objects), dim)
    table.identity.copy_(torch.from_numpy(objects))
    return table

"""The register of methods: a name and where its class is, resolved on first use."""

from sem3d.errors import UserError, near
from sem3d.registers import resolve

METHODS = {
    "pri3d": "sem3d.methods.pri3d:Pri3D",
    "ppkt": "sem3d.methods.ppkt.method:PPKT",
    "ppkt_pointcontrast": "sem3d.methods.ppkt.with_pointcontrast:PPKTPointContrast",
    "pointcontrast": "sem3d.methods.pointcontrast:PointContrast",
    "semantic_segmentation_2d": "sem3d.methods.tasks.semantic_segmentation_2d:SemanticSegmentation2D",
    "semantic_segmentation_3d": "sem3d.methods.tasks.semantic_segmentation_3d:SemanticSegmentation3D",
    "object_detection_3d": "sem3d.methods.tasks.object_detection_3d:ObjectDetection3D",
    "ssr": "sem3d.methods.ssr.method:SSR",
    "semantic_srn": "sem3d.methods.semantic_srn.method:SemanticSRN",
    "semantic_srn_instances": "sem3d.methods.semantic_srn.instances:SemanticSRNInstances",
    "semantic_srn_parts": "sem3d.methods.semantic_srn.parts:SemanticSRNParts",
    "semantic_srn_autoencoder": "sem3d.methods.semantic_srn.autoencoder:SemanticSRNAutoencoder",
    "semantic_srn_autoencoder_parts": "sem3d.methods.semantic_srn.autoencoder_parts:SemanticSRNAutoencoderParts",
    "semantic_srn_rendered_unet": "sem3d.methods.semantic_srn.rendered_unet:SemanticSRNRenderedUNet",
    "semantic_srn_unet": "sem3d.methods.semantic_srn.unet:SemanticSRNUNet",
    "keypoint_embedding": "sem3d.methods.keypoint_embedding:KeypointEmbedding",
    "viewpoint": "sem3d.methods.viewpoint:Viewpoint",
    "reconstruction_sketches": "sem3d.methods.reconstruction.sketches:ReconstructionSketches",
    "reconstruction_naturalness": "sem3d.methods.reconstruction.naturalness:ReconstructionNaturalness",
    "reconstruction": "sem3d.methods.reconstruction.method:Reconstruction",
}

COMPOSED = {"pixel_semantics": "sem3d.methods.pixel_semantics:PixelSemantics"}
"""What is made of trained methods and trains nothing itself: a sweep scores it as it is (``frozen_scores``)."""


def method_class(name: str) -> type:
    """Return the class registered under ``name``; raises :class:`UserError` with the known names otherwise."""
    found = METHODS.get(name) or COMPOSED.get(name)
    if found is None:
        raise UserError(f"unknown method '{name}': choose one of {', '.join(METHODS)}{near(name, METHODS)}")
    return resolve(found)


def first_preset(method: type) -> str:
    """Return the preset to begin with: laptop where there is one, else paper."""
    return "laptop" if "laptop" in method.presets else "paper"


def method_name(method: type) -> str:
    """Return the name a method's class is registered under, else its qualified class name."""
    path = f"{method.__module__}:{method.__qualname__}"
    return next((name for name, registered in METHODS.items() if registered == path), method.__qualname__)


def registered_name(written: str) -> str | None:
    """Return the registered name that a checkpoint means, or ``None``.

    Checkpoints hold that name; those of older versions hold ``module:Class``, of which only the class has stayed.
    """
    if written in METHODS:
        return written
    named = written.rpartition(":")[2]
    return next((name for name, path in METHODS.items() if path.rpartition(":")[2] == named), None)

"""The smallest experiment of each method, on small generated data: rooms, or renders of single objects."""

import json
from pathlib import Path

import torch

from sem3d.config import Experiment, flatten, override
from sem3d.methods import method_class
from sem3d.methods.method import Method, Sources
from sem3d.runs.checkpoint_files import write_checkpoint
from sem3d.runs.load import build_method

IN_ROOMS = {"data.prepare.stride": 1, "data.height": 33, "data.width": 44, "schedule.warmup": 0}
TINY = {
    "pri3d": IN_ROOMS
    | {
        "method.depth_head": True,
        "method.unet.width": 16,
        "method.unet.dim": 8,
        "method.projection_dim": 8,
        "method.sparse_unet.planes": (4, 4, 4, 4, 4, 4, 4, 4),
        "method.sparse_unet.init_dim": 4,
        "data.matches": 16,
        "data.voxel_size": 0.2,
        "data.geo_threshold": 0.3,
        "data.evaluation_pairs": 5,
    },
    "ppkt": IN_ROOMS
    | {
        "method.teacher.weights": "scratch",
        "method.projection_dim": 8,
        "method.sparse_unet.planes": (4, 4, 4, 4, 4, 4, 4, 4),
        "method.sparse_unet.init_dim": 4,
        "data.matches": 16,
        "data.voxel_size": 0.2,
        "data.evaluation_frames": 5,
    },
    "ppkt_pointcontrast": IN_ROOMS
    | {
        "method.teacher.weights": "scratch",
        "method.projection_dim": 8,
        "method.contrast_dim": 8,
        "method.contrast_temperature": 0.1,
        "method.sparse_unet.planes": (4, 4, 4, 4, 4, 4, 4, 4),
        "method.sparse_unet.init_dim": 4,
        "data.matches": 16,
        "data.voxel_size": 0.2,
        "data.evaluation_pairs": 3,
    },
    "pointcontrast": IN_ROOMS
    | {
        "method.embedding_dim": 8,
        "method.temperature": 0.1,
        "method.sparse_unet.planes": (4, 4, 4, 4, 4, 4, 4, 4),
        "method.sparse_unet.init_dim": 4,
        "data.matches": 16,
        "data.voxel_size": 0.2,
        "data.evaluation_pairs": 5,
    },
    "semantic_segmentation_2d": IN_ROOMS | {"method.unet.width": 16, "method.unet.dim": 8},
    "semantic_segmentation_3d": {
        "data.prepare.stride": 1,
        "data.clouds.chunk": 2.5,
        "data.voxel_size": 0.2,
        "data.most_points": 2000,
        "data.points.elastic_grids": (0.8,),
        "data.points.elastic_strengths": (0.4,),
        "method.sparse_unet.planes": (4, 4, 4, 4, 4, 4, 4, 4),
        "method.sparse_unet.init_dim": 4,
        "schedule.warmup": 0,
    },
    "object_detection_3d": {
        "data.prepare.stride": 1,
        "data.clouds.chunk": 2.5,
        "data.voxel_size": 0.2,
        "data.most_points": 2000,
        "data.seeds": 64,
        "method.sparse_unet.planes": (4, 4, 4, 4, 4, 4, 4, 4),
        "method.sparse_unet.init_dim": 4,
        "method.votes.dim": 8,
        "method.votes.proposals": 32,
        "method.votes.proposal_dim": 8,
        "method.votes.radius": 0.6,
        "method.kept_boxes.least_points": 1,
        "optim.lr": 0.02,
        "schedule.warmup": 0,
    },
    "ssr": {
        "method.encoder.width": 2,
        "method.encoder.hidden": 8,
        "method.encoder.dim": 8,
        "method.decoder.subdivisions": 1,
        "method.decoder.hidden": 8,
        "method.viewpoint.width": 2,
        "method.viewpoint.dim": 8,
        "method.silhouette_size": 16,
        "method.sigma": 1e-3,
        "method.cycle": 2,
        "method.gate": 0.0,
        "method.viewpoint_lr": 0.02,
        "method.viewpoint_batch": 6,
        "optim.lr": 0.02,
        "data.labelled": 4,
        "data.evaluation_views": 2,
        "schedule.warmup": 0,
    },
    "viewpoint": {"data.size": 96, "method.network.hidden": (), "schedule.warmup": 0},
    "reconstruction_sketches": {"data.size": 64, "method.sketcher.width": 8, "schedule.warmup": 0},
    "reconstruction_naturalness": {
        "data.voxels": 8,
        "data.latent": 4,
        "method.generator_width": 4,
        "method.critic_width": 2,
        "optim.beta1": 0.9,
        "optim.beta2": 0.999,
        "optim.lr": 0.02,
        "schedule.warmup": 0,
    },
    "reconstruction": {
        "data.size": 64,
        "data.voxels": 8,
        "method.sketcher.width": 8,
        "method.completion.decoder.latent": 8,
        "method.completion.decoder.width": 8,
        "method.naturalness.weight": 1e-3,
        "method.naturalness.critic": "scratch",
        "method.naturalness.width": 2,
        "schedule.warmup": 0,
    },
    "keypoint_embedding": {
        "data.points": 64,
        "method.point_net.local": (8, 8),
        "method.point_net.whole": (16, 16),
        "method.point_net.head": (16,),
        "method.point_net.dim": 8,
        "method.point_net.transform": True,
        "schedule.warmup": 0,
    },
}
OF_SCENES = {
    "method.scene.field.latent": 8,
    "method.scene.field.width": 8,
    "method.scene.marcher.hidden": 4,
    "method.scene.marcher.steps": 3,
    "data.size": 12,
    "data.rays": 20,
    "data.masks": 4,
    "data.mask_views": 1,
    "data.evaluation_views": 2,
    "optim.lr": 0.02,
    "schedule.warmup": 0,
    "run.evaluate_every": 0,
    "schedule.patience": 0,
}
OF_PAIRS = {
    "method.network.width": 2,
    "method.network.hidden": 8,
    "data.size": 8,
    "data.masks": 4,
    "data.mask_views": 1,
    "data.evaluation_views": 2,
    "optim.lr": 0.02,
    "schedule.warmup": 0,
}
TINY |= {
    "semantic_srn": OF_SCENES | {"method.segmentation_layers": 2, "method.latents.lr": 0.02, "data.masks": 0},
    "semantic_srn_instances": OF_SCENES | {"method.latents.lr": 0.1},
    "semantic_srn_parts": OF_SCENES,
    "semantic_srn_autoencoder": OF_PAIRS,
    "semantic_srn_autoencoder_parts": OF_PAIRS,
    "semantic_srn_rendered_unet": OF_SCENES
    | {
        "method.unet.width": 4,
        "method.unet.widest": 8,
        "method.unet.halvings": 2,
        "method.unet.dropout": 0.0,
        "data.rays": 0,
    },
    "semantic_srn_unet": {
        "method.unet.width": 4,
        "method.unet.widest": 8,
        "method.unet.halvings": 2,
        "method.unet.dropout": 0.0,
        "data.size": 12,
        "data.masks": 4,
        "data.mask_views": 1,
        "data.evaluation_views": 2,
        "optim.lr": 0.02,
        "schedule.warmup": 0,
        "run.evaluate_every": 0,
    },
}
DATA = (
    dict.fromkeys(TINY, "rooms")
    | {name: "posed" for name in TINY if name.startswith("semantic_srn")}
    | {name: "sketched" for name in TINY if name.startswith(("viewpoint", "reconstruction"))}
    | {"ssr": "renders", "keypoint_embedding": "keypoint_models"}
)
"""The fixture that holds what each method learns from."""
EVERYWHERE = {
    "init": "scratch",
    "run.batch_size": 4,
    "run.log_every": 1,
    "run.checkpoint_every": 2,
    "run.cpus_per_worker": 1.0,
    "schedule.steps": 4,
}


def tiny_experiment(name: str, data: Path, storage: Path, **changes: object) -> Experiment:
    """Method ``name`` cut down to seconds; ``changes`` are leaves with ``__`` for the dot."""
    experiment = override(method_class(name).presets["laptop"](), EVERYWHERE | TINY[name])
    places = {"data.root": str(data), "run.storage": str(storage)}
    return override(experiment, places | {leaf.replace("__", "."): value for leaf, value in changes.items()})


def build_tiny(name: str, experiment: Experiment, sources: Sources | None = None) -> Method:
    """The method of ``experiment`` with the weights of its frozen parts, new otherwise, the same each time."""
    torch.manual_seed(0)
    return build_method(method_class(name), experiment, sources)[0]


def tiny_checkpoint(name: str, folder: Path, *, with_data: bool = False, **changes: object) -> tuple[Path, Method]:
    """A checkpoint of an untrained tiny method, in ``folder``, where its data may lie, and its network in eval."""
    experiment = tiny_experiment(name, folder, folder, **changes)
    method = build_tiny(name, experiment, method_class(name).sources(experiment) if with_data else None).eval()
    settings = json.loads(json.dumps(flatten(experiment), default=str))
    state = {"step": 1, "method": name, "counters": {}, "experiment": settings, "metrics": {}}
    write_checkpoint(folder / "step-00000001", method.state_dict(), {}, state)
    return folder / "step-00000001", method

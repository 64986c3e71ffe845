"""Memory and arithmetic of a training step of the `paper` presets, counted on the CPU: what a card must hold and do.

Memory is a lower bound: weights with their gradients and optimiser state, and every tensor that autograd keeps for the backward
pass, counted at one and at two items of a batch and carried on to the whole of it. Work space of kernels and fragments come on
top, a fifth or so. Arithmetic counts forward and backward passes as three forward ones. Rows hold it against a card of 24 GB and
against one hour a run of a card that does 100 TFLOP/s, so that a ratio above 1 means less than that.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from jobs.benchmarks.memory import view_of_room
from sem3d.config import Experiment, override
from sem3d.datasets.single_frames import CollateFrames, made_frame
from sem3d.geometry.projection import transform, unproject_valid
from sem3d.geometry.voxels import distinct_voxels, voxel_indices
from sem3d.methods import method_class
from sem3d.methods.method import Method
from sem3d.runs.load import build_method

CARD_GIB, CARD_FLOPS, HOUR = 24.0, 100e12, 3600.0
PASSES = 3
"""Forward passes that forward and backward are worth."""
Columns = dict[str, torch.Tensor]


def run() -> list[tuple[str, float, float, str]]:
    """Return rows (what, sem3d, limit, unit)."""
    rows = []
    for name, make in BATCHES.items():
        changes = {"init": "scratch", **SMALLER, **CHANGES.get(name, {})}
        experiment = override(method_class(name).presets["paper"](), changes)
        method = build_method(method_class(name), experiment, None)[0].train()
        (one, work), (two, _) = (counted(method, make(experiment, items)) for items in (1, 2))
        items = experiment.run.batch_size
        fixed = state_bytes(method)
        gib = (fixed + one + (items - 1) * max(two - one, 0)) / 2**30
        hours = PASSES * work * items * (experiment.schedule.steps or STEPS_OF_EPOCHS[name]) / CARD_FLOPS / HOUR
        memory = f"{fixed / 2**30:.2f} + {items} x {(two - one) / 2**30:.3f} GiB"
        rows += [
            (f"{name} paper, {items} items a step: {memory}", 1 / gib, 1 / CARD_GIB, "1/GiB"),
            (f"{name} paper, the whole run: {PASSES * work / 1e9:.0f} GFLOP an item", 1 / hours, 1.0, "1/h"),
        ]
    return rows


SMALLER: dict[str, Any] = {}
"""Further changes, for a try."""
STEPS_OF_EPOCHS = {"semantic_segmentation_2d": 80 * 20_000 // 64}
"""Steps of the presets that count epochs, with the frames of ScanNet."""
SPARSE = {"method.sparse_unet.backend": "torch"}
CHANGES: dict[str, dict[str, Any]] = {"pri3d": SPARSE, "ppkt": SPARSE | {"method.teacher.weights": "scratch"}}
"""Weights take the same memory whatever they are, and what MinkowskiEngine does cannot be counted."""


def counted(method: Method, columns: Columns) -> tuple[float, float]:
    """Return bytes that autograd keeps of a batch beside parameters, and the arithmetic of the forward pass."""
    own = {value.untyped_storage().data_ptr() for value in (*method.parameters(), *method.buffers())}
    kept: dict[int, int] = {}

    def keep(value: torch.Tensor) -> torch.Tensor:
        storage = value.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return value

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value), FlopCounterMode(display=False) as work:
        losses = method(method.Batch(**columns), 0)
    del losses
    return float(sum(kept.values())), float(work.get_total_flops())


def state_bytes(method: Method) -> float:
    """Return bytes of weights, and of gradient and momentum of those that are trained."""
    return float(sum(value.nbytes * (3 if value.requires_grad else 1) for value in method.parameters()))


def pairs(experiment: Experiment, items: int) -> Columns:
    """Return pairs of frames that look around a room, with the voxels that each sees."""
    data = experiment.data
    size, cells = (data.height, data.width), np.array([data.width // 2, data.height // 2])
    rng = np.random.default_rng(0)
    views = [view_of_room(size, turn) for turn in range(2 * items)]
    voxels, colors = [], []
    for number, view in enumerate(views):
        points, pixels = unproject_valid(view.depth, view.intrinsics)
        voxel, first, _ = distinct_voxels(voxel_indices(transform(view.world_from_camera, points), data.voxel_size))
        voxels.append(np.concatenate([np.full((len(voxel), 1), number, np.int32), voxel.astype(np.int32)], 1))
        colors.append(view.image[pixels[first, 1], pixels[first, 0]])
    shape = (items, 2, data.matches)
    cell = (rng.random((*shape, 2)) * cells).astype(np.int64)
    counts = [len(one) for one in voxels]
    columns = {
        "image": np.stack([view.image.transpose(2, 0, 1) for view in views]).reshape(items, 2, 3, *size),
        "depth": np.stack([view.depth for view in views]).astype(np.float32).reshape(items, 2, *size),
        "cell": cell.transpose(0, 2, 1, 3),
        "usable": np.ones(items, np.uint8),
        "view_valid": np.ones(items, np.uint8),
        "voxel": np.concatenate(voxels),
        "voxel_color": np.concatenate(colors),
        "geo_voxel": rng.integers(0, sum(counts), shape),
        "geo_cell": cell,
        "geo_valid": np.ones((items, 2), np.uint8),
    }
    return tensors(columns)


def frames(experiment: Experiment, items: int) -> Columns:
    """Return single frames with their voxels and pairs."""
    data, rng = experiment.data, np.random.default_rng(0)
    size = data.height, data.width
    return tensors(
        CollateFrames(data)([made_frame(view_of_room(size, turn), data, True, rng).columns for turn in range(items)])
    )


def labelled(experiment: Experiment, items: int) -> Columns:
    """Return images with labels."""
    rng, size = np.random.default_rng(0), (experiment.data.height, experiment.data.width)
    return tensors(
        {
            "image": rng.integers(0, 256, (items, 3, *size), dtype=np.uint8),
            "label": rng.integers(0, 21, (items, *size), dtype=np.uint8),
        }
    )


def tensors(columns: dict[str, np.ndarray]) -> Columns:
    """Return arrays as tensors."""
    return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in columns.items()}


BATCHES: dict[str, Callable[[Experiment, int], Columns]] = {
    "pri3d": pairs,
    "semantic_segmentation_2d": labelled,
    "ppkt": frames,
}

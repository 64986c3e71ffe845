"""Memory of PPKT's paper setting against a card of 24 GiB, and of a whole scene's evaluation against 6 GiB.

Memory is how many of these a gibibyte would hold, by the growth of the process's largest resident size on the CPU: a ratio above
1 means that it fits. Pretraining is measured at a few frames, forward and backward, and extrapolated to the batch; the weights'
gradients and momentum are part of the growth. The scene is a furnished room of 1,000,000 points on its surfaces.
"""

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from jobs.benchmarks.contrast import resident
from sem3d.config import override
from sem3d.datasets.scene_clouds import CollateClouds, voxels_of_turns
from sem3d.datasets.single_frames import CollateFrames, made_frame
from sem3d.datasets.view import View
from sem3d.methods import method_class
from sem3d.methods.method import Method
from sem3d.networks.sparse_unet import RES16UNET34C
from sem3d.runs.load import build_method

CARD, SCENE = 24.0, 6.0
"""GiB of the card that pretraining is held against, and of memory that a scene's evaluation is."""
NETWORK = RES16UNET34C
PRETRAINED: dict[str, Any] = {"method.teacher.weights": "scratch", "init": "scratch"}
"""Changes of PPKT's paper setting: weights take the same memory whatever they are."""
POINTS = 1_000_000
FRAMES = (1, 3)
"""Frames that pretraining is measured at."""
ROOM = np.array([8.0, 6.0, 3.0])
"""Metres."""
TABLES = 12


def run() -> list[tuple[str, float, float, str]]:
    """Return rows (what, sem3d, limit, unit)."""
    whole = 2**30 / evaluation_growth()
    batch = method_class("ppkt").presets["paper"]().run.batch_size
    card = 2**30 / pretraining_growth(batch)
    return [
        (f"memory: evaluation of a scene of {POINTS} points, voxels of 2.5 cm", whole, 1 / SCENE, "1/GiB"),
        (f"memory: ppkt paper, {batch} frames a step", card, 1 / CARD, "1/GiB"),
    ]


def evaluation_growth() -> float:
    """Return bytes that finding the classes of all points of a scene takes, their voxels included."""
    experiment = override(method_class("semantic_segmentation_3d").presets["paper"](), {"method.sparse_unet": NETWORK})
    method = build_method(method_class("semantic_segmentation_3d"), experiment, None)[0].eval()
    points = surface_points(POINTS)
    colors = np.zeros((POINTS, 3), np.uint8)

    def evaluated() -> None:
        found = voxels_of_turns(points - points.mean(axis=0), colors, experiment.data.voxel_size, 1)
        scene = found | {"point_label": np.ones(POINTS, np.uint8), "scene": np.array(0)}
        columns = {name: torch.from_numpy(value) for name, value in CollateClouds(1)([scene]).items()}
        with torch.no_grad():
            method.evaluate(method.Batch(**columns))

    return growth(evaluated)


def pretraining_growth(batch: int) -> float:
    """Return bytes that a step of PPKT's paper setting takes with ``batch`` frames."""
    experiment = override(method_class("ppkt").presets["paper"](), PRETRAINED | {"method.sparse_unet": NETWORK})
    method = build_method(method_class("ppkt"), experiment, None)[0].train()
    few, many = (growth(lambda frames=frames: step(method, frames)) for frames in FRAMES)
    each = max(many - few, 0.0) / (FRAMES[1] - FRAMES[0])
    return few + (batch - FRAMES[0]) * each


def step(method: Method, frames: int) -> None:
    """Compute the loss and the gradient of a batch of frames that look around the room."""
    data, rng = method.experiment.data, np.random.default_rng(0)
    size = data.height, data.width
    columns = CollateFrames(data)(
        [made_frame(view_of_room(size, turn), data, True, rng).columns for turn in range(frames)]
    )
    batch = method.Batch(**{name: torch.from_numpy(value) for name, value in columns.items()})
    method.zero_grad(set_to_none=True)
    torch.stack(list(method(batch, 0).values())).sum().backward()


def growth(work: Callable[[], None]) -> float:
    """Return how much the process's largest resident size grows, bytes, while ``work`` is done."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the kernel counts the largest size from here
    before = resident("VmRSS")
    work()
    return max(resident("VmHWM") - before, 1 << 20)


def surface_points(number: int) -> np.ndarray:
    """Return points on the walls, the floor and the ceiling of the room and on tables in it, z up, metres."""
    rng = np.random.default_rng(0)
    corners = [(np.zeros(3), ROOM)] + [
        (low := np.append(rng.uniform(0.2, 0.7, 2) * ROOM[:2], 0.0), low + rng.uniform(0.5, 1.5, 3))
        for _ in range(TABLES)
    ]
    faces = [(low, high, axis, end) for low, high in corners for axis in range(3) for end in range(2)]
    areas = np.array([np.delete(high - low, axis).prod() for low, high, axis, _ in faces])
    points = []
    for (low, high, axis, end), count in zip(faces, rng.multinomial(number, areas / areas.sum()), strict=True):
        drawn = rng.uniform(low, high, (count, 3))
        drawn[:, axis] = (low, high)[end][axis]
        points.append(drawn)
    return np.concatenate(points)


def view_of_room(size: tuple[int, int], turn: int) -> View:
    """Return what a camera in the middle of the empty room sees, looking along the horizon."""
    height, width = size
    focal = 0.9 * width
    intrinsics = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])
    u, v = np.meshgrid(np.arange(width), np.arange(height))
    x, y = (u - intrinsics[0, 2]) / focal, (v - intrinsics[1, 2]) / focal
    angle = 0.7 * turn
    ahead, right = np.array([np.cos(angle), np.sin(angle), 0]), np.array([np.sin(angle), -np.cos(angle), 0])
    rays = ahead + x[..., None] * right - y[..., None] * np.array([0, 0, 1.0])
    with np.errstate(divide="ignore"):
        depth = (ROOM / 2 / abs(rays)).min(axis=2)
    world_from_camera = np.eye(4)
    world_from_camera[:3, :3] = np.stack([right, [0, 0, -1.0], ahead], axis=1)
    world_from_camera[:3, 3] = ROOM / 2
    image = np.random.default_rng(turn).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return View(image=image, depth=depth, intrinsics=intrinsics, world_from_camera=world_from_camera)

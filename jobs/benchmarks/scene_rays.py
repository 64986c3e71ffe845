"""Rays a second through scene networks, forward and backward, against the released way on the same objects and rays.

The released way takes the objects of a batch one after the other, each with its own pass of the hypernetwork and all its rays
at once; here the products of all objects are one. Both have the same weights, losses and gradients, in float32; a last row has
sem3d in bfloat16 (``run.precision bfloat16``) against the released way in float32. On a GPU, both run there.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from statistics import median

import torch
from torch import Tensor, nn

from sem3d.geometry.rays import Rays
from sem3d.methods.semantic_srn.presets import SLIM
from sem3d.networks.srn.ray_marcher import RayMarcherConfig
from sem3d.networks.srn.scene_network import SceneConfig, SceneNetwork

SIZES = {
    "released sizes": (SceneConfig(marcher=RayMarcherConfig(hidden=16), color_layers=6, alpha=True), 16, 256),
    "preset laptop": (SLIM, 16, 256),
}
"""Networks, objects of a step, and rays of each."""
ROUNDS = 5


def rays_of(objects: int, rays: int, device: str) -> Rays:
    """Return rays that look at the middle from around."""
    eyes = 1.3 * nn.functional.normalize(torch.randn(objects, rays, 3), dim=-1)
    aims = 0.3 * torch.randn(objects, rays, 3)
    direction = nn.functional.normalize(aims - eyes, dim=-1)
    return Rays(eyes.to(device), direction.to(device), torch.ones(objects, rays, device=device))


def one_by_one(scene: SceneNetwork, latents: Tensor, rays: Rays) -> Tensor:
    """Return colours of all objects, each by a pass of its own."""
    each = zip(latents.split(1), *(part.split(1) for part in rays), strict=True)
    return torch.cat([scene(latent, Rays(*parts)).color for latent, *parts in each])


def together(scene: SceneNetwork, latents: Tensor, rays: Rays) -> Tensor:
    """Return colours of all objects by one pass."""
    return scene(latents, rays).color


def timed(
    scene: SceneNetwork, draw: Callable[[], Tensor], precision: AbstractContextManager[object]
) -> tuple[float, float]:
    """Return seconds of the colours, and of these with all gradients."""
    scene.zero_grad(set_to_none=True)
    start = _now()
    with precision:
        color = draw()
    drawn = _now()
    color.float().square().mean().backward()
    return drawn - start, _now() - start


def run() -> list[tuple[str, float, float, str]]:
    """Return rows (what, sem3d, released way, unit)."""
    rows = []
    for name, (config, objects, rays) in SIZES.items():
        rows += measured(name, config, objects, rays)
    return rows


def measured(name: str, config: SceneConfig, objects: int, rays: int) -> list[tuple[str, float, float, str]]:
    """Return rows of networks of one size."""
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    scene = SceneNetwork(config).to(device)
    latents = (0.01 * torch.randn(objects, config.field.latent, device=device)).requires_grad_()
    given = rays_of(objects, rays, device)
    ways = {
        "sem3d": lambda: timed(scene, lambda: together(scene, latents, given), nullcontext()),
        "narrow": lambda: timed(scene, lambda: together(scene, latents, given), torch.autocast(device, torch.bfloat16)),
        "rival": lambda: timed(scene, lambda: one_by_one(scene, latents, given), nullcontext()),
    }
    times = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, measure in ways.items():
            times[way].append(measure())
    total = objects * rays
    speed = {way: [total / median(column) for column in zip(*found, strict=True)] for way, found in times.items()}
    where = f"{name}, {objects} objects x {rays} rays, {device}"
    return [
        (f"rays, forward ({where})", speed["sem3d"][0], speed["rival"][0], "rays"),
        ("rays, forward and backward", speed["sem3d"][1], speed["rival"][1], "rays"),
        ("rays, forward and backward, bfloat16", speed["narrow"][1], speed["rival"][1], "rays"),
    ]


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()

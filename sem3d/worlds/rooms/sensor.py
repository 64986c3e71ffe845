"""Faults that a real RGB-D sensor adds to an exact view: noise, exposure, white balance, quantised and missing depth."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8, UInt16
from scipy import ndimage

from sem3d.worlds.rooms.render import View


@dataclass(frozen=True, kw_only=True)
class SensorNoise:
    """Strength of each fault; all zero gives the exact view. Labels and instances stay exact always."""

    color: float = 0.012
    """Standard deviation of independent pixel noise, as a share of full scale."""
    exposure: float = 0.12
    """Standard deviation over frames of the logarithm of brightness."""
    white_balance: float = 0.04
    """Standard deviation over frames of the logarithm of each channel."""
    depth: float = 1.0
    """Factor on the axial noise of a structured-light sensor: 1.2 mm + 1.9 mm * (z - 0.4)^2 (Nguyen et al. 2012, eq. 3)."""
    missing: float = 0.02
    """Share of depth lost in blotches."""
    grazing: float = 0.12
    """Depth is lost where the cosine between ray and normal is below this."""
    farthest: float = 6.0
    """Depth is lost beyond this, metres."""


def observed_color(view: View, noise: SensorNoise, rng: np.random.Generator) -> UInt8[np.ndarray, "height width 3"]:
    """Return the view's colour as one frame of the sensor has it."""
    gain = np.exp(rng.normal(0.0, noise.exposure) + rng.normal(0.0, noise.white_balance, 3))
    level = np.arange(256)[:, None] * gain ** (1.0 / 2.2)
    exposed = np.minimum(level, 255.0).astype(np.float32)[view.color, np.arange(3)]
    grain = rng.standard_normal(view.color.shape, np.float32) * np.float32(255.0 * noise.color)
    return np.clip(np.rint(exposed + grain), 0, 255).astype(np.uint8)


def observed_depth(view: View, noise: SensorNoise, rng: np.random.Generator) -> UInt16[np.ndarray, "height width"]:
    """Return the view's depth in millimetres with noise and holes; 0 where there is none."""
    depth = view.depth
    deviation = noise.depth * (0.0012 + 0.0019 * np.square(np.maximum(depth - 0.4, 0.0)))
    measured = depth + rng.standard_normal(depth.shape, np.float32) * deviation.astype(np.float32)
    lost = (depth <= 0) | (depth > noise.farthest) | (view.cosine < noise.grazing)
    if noise.missing > 0:
        coarse = rng.standard_normal((depth.shape[0] // 8 + 2, depth.shape[1] // 8 + 2), np.float32)
        blotch = ndimage.zoom(coarse, 8, order=1)[: depth.shape[0], : depth.shape[1]]
        lost |= blotch > np.quantile(blotch, 1.0 - noise.missing)
    return np.where(lost, 0, np.clip(np.rint(measured * 1000.0), 0, 65535)).astype(np.uint16)

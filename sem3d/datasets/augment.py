"""Colour augmentation of one image, drawn from a generator: Pri3D's, which moves no pixel."""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from jaxtyping import UInt8

from sem3d.bounds import Bounds, Share

BLUR_KERNEL_SHARE = 0.1
"""Side of the Gaussian kernel as a share of the image's height, as in MoCo v2's recipe."""
BLUR_REACH = 6
"""Standard deviations from which on a kernel's weights are left out: below 2e-8, then denormal, which takes ten times as long."""
Blur = Annotated[float, Bounds(0, 1000, above=True)]


@dataclass(frozen=True, kw_only=True)
class ColorAugmentation:
    """Strengths and probabilities; defaults from Pri3D's ``pretrain/pri3d/dataset/scannet.py``."""

    jitter_probability: Share = 0.8
    """Share of images whose brightness, contrast, saturation and hue are changed."""
    brightness: Share = 0.4
    """Factor is drawn from 1 -+ this."""
    contrast: Share = 0.4
    """Factor is drawn from 1 -+ this."""
    saturation: Share = 0.4
    """Factor is drawn from 1 -+ this."""
    hue: Annotated[float, Bounds(0, 0.5)] = 0.1
    """Shift is drawn from -+ this, in turns of the colour circle."""
    gray_probability: Share = 0.2
    """Share of images turned grey."""
    blur_probability: Share = 0.5
    """Share of images blurred."""
    blur_sigma_low: Blur = 0.1
    """Smallest standard deviation of the blur, pixels."""
    blur_sigma_high: Blur = 2.0
    """Largest standard deviation of the blur, pixels."""


def augment_color(
    image: UInt8[np.ndarray, "height width 3"], config: ColorAugmentation, rng: np.random.Generator
) -> UInt8[np.ndarray, "height width 3"]:
    """Return the image with jittered colours, perhaps grey, perhaps blurred; the same generator gives the same image."""
    import torch  # both take seconds and 400 MB in each process of the stream: only where an image is changed
    from torchvision.transforms.v2 import functional

    pixels = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
    if rng.random() < config.jitter_probability:
        changes = {
            functional.adjust_brightness: 1 + rng.uniform(-config.brightness, config.brightness),
            functional.adjust_contrast: 1 + rng.uniform(-config.contrast, config.contrast),
            functional.adjust_saturation: 1 + rng.uniform(-config.saturation, config.saturation),
            functional.adjust_hue: rng.uniform(-config.hue, config.hue),
        }
        functions = list(changes)
        for number in rng.permutation(len(functions)):
            change = functions[number]
            pixels = change(pixels, changes[change])
    if rng.random() < config.gray_probability:
        pixels = functional.rgb_to_grayscale(pixels, num_output_channels=3)
    if rng.random() < config.blur_probability:
        sigma = rng.uniform(config.blur_sigma_low, config.blur_sigma_high)
        reach = min(int(image.shape[0] * BLUR_KERNEL_SHARE) // 2, math.ceil(BLUR_REACH * sigma))
        pixels = pixels.float()
        for kernel in ([2 * reach + 1, 1], [1, 2 * reach + 1]):
            pixels = functional.gaussian_blur(pixels, kernel, [sigma, sigma])
        pixels = pixels.round().to(torch.uint8)
    return np.ascontiguousarray(pixels.numpy().transpose(1, 2, 0))

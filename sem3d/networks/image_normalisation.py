"""From stored pixels to what the image encoders were trained on."""

from jaxtyping import Float, UInt8
from torch import Tensor

from sem3d.geometry.constant import constant

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


def normalise_images(image: UInt8[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 3 height width"]:
    """Return RGB pixels 0..255 scaled to [0, 1], less ImageNet's mean, by its deviation."""
    scaled = image.float() / 255
    mean, deviation = (constant(values, scaled)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_DEVIATION))
    return (scaled - mean) / deviation

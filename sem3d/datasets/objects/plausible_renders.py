"""Masks, colours and voxels that no object has."""

from collections import Counter

import numpy as np
from jaxtyping import Bool, UInt8

FAINTEST = 32
"""Alpha that some pixel of every object reaches; less is a mask of another range, such as 0 and 1."""
OPAQUE, MOST_INVERTED = 128, 0.75
"""Alpha of a corner of the image that is covered, and share of an object's views in which all four are and other pixels are not,
or of a file's objects whose voxels are so: no object reaches so far from nearly everywhere, and what is inverted does.
"""
BLACKEST, MOST_COLOURED = 8, 0.1
"""Level up to which a background is black, and share of its pixels that may be brighter, such as those of shadows."""


def mask_faults(views: UInt8[np.ndarray, "view 4 height width"]) -> list[str | None]:
    """Return the fault of the mask of each view of an object; None where it can be used."""
    low, high = views[:, 3].min(axis=(1, 2)), views[:, 3].max(axis=(1, 2))
    corners = (views[:, 3, :: views.shape[2] - 1, :: views.shape[3] - 1] >= OPAQUE).all(axis=(1, 2))
    inverted = bool((corners & (low < 255)).mean() >= MOST_INVERTED)
    return [mask_fault(int(bottom), int(top), inverted) for bottom, top in zip(low, high, strict=True)]


def mask_fault(low: int, high: int, inverted: bool) -> str | None:
    """Return the fault of a mask by its least and largest alpha, and whether those of its object are inverted."""
    if not high:
        return "empty mask"
    if low == 255:
        return "no alpha: the mask covers the whole image"
    if inverted:
        return "inverted mask: it is opaque where the object is not; use 255 minus alpha"
    if high < FAINTEST:
        return f"no opaque mask: alpha is at most {high} of 255; multiply it by {255 // high}"
    return None


def odd_views(views: UInt8[np.ndarray, "view 4 height width"]) -> Counter[str]:
    """Return remarks on what no renders of an object have, with the numbers of views."""
    brightest, outside = views[:, :3].max(axis=1), views[:, 3] == 0
    coloured = (brightest > BLACKEST) & outside
    alike = len(views) > 1 and not outside.all() and bool((views == views[:1]).all())
    return Counter(
        {
            "black render, a network sees nothing in it": int((brightest.max(axis=(1, 2)) <= 1).sum()),
            "background that is not black, multiply RGB by the mask": int(
                (coloured.sum(axis=(1, 2)) > MOST_COLOURED * outside.sum(axis=(1, 2))).sum()
            ),
            "same picture from everywhere, the camera has not turned": len(views) * alike,
        }
    )


def filled_corners(solid: Bool[np.ndarray, "side side side"]) -> bool:
    """Return whether most of an object's voxels, and all that are outside of most objects, are solid, but not all voxels."""
    last = solid.shape[0] - 1
    return bool(solid[::last, ::last, ::last].all() and 0.5 < solid.mean() < 1)


def inverted_voxels(filled: list[int], count: int) -> dict[int, str]:
    """Return the fault of the objects of a file of which the corners are ``filled`` where that is so of nearly all of several.

    Single ones may be boxes.
    """
    if len(filled) < max(2.0, MOST_INVERTED * count):
        return {}
    return dict.fromkeys(filled, "inverted voxels: they are solid where the object is not; save their opposite")

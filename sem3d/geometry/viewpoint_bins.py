"""Azimuth and polar angle in bins: 24 round the circle, 12 from straight above to straight below (2D-3D-2D, section 4.3).

Bins of azimuth are centred on multiples of their width, so the first one reaches round 0 and is the paper's *additional circular
bin*; those of the polar angle lie between their edges, as there is nothing beyond its ends.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

Labels = Literal["hard", "soft"]
Decoding = Literal["bin", "peak", "mean"]


@dataclass(frozen=True)
class AngleBins:
    """Bins of one angle in radians."""

    count: int
    circular: bool
    """A whole turn, else half a turn from 0 on."""

    @property
    def width(self) -> float:
        """Width of a bin."""
        return (2 if self.circular else 1) * math.pi / self.count

    def places(self, angle: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """Return angles in widths from the centre of bin 0; half a turn ends in the centres of its outermost bins."""
        if self.circular:
            return torch.remainder(angle / self.width, self.count)
        return (angle / self.width - 0.5).clamp(0, self.count - 1)

    def nearest(self, angle: Float[Tensor, "*batch"]) -> Int[Tensor, "*batch"]:
        """Return the bin of each angle; on an edge, the one after it."""
        return torch.floor(self.places(angle) + 0.5).long() % self.count

    def labels(self, angle: Float[Tensor, "*batch"], kind: Labels) -> Float[Tensor, "*batch {self.count}"]:
        """Return what each bin should have: ``hard``: 1 for the angle's own; ``soft``: it is shared between the two whose centres
        it lies between, linearly (SemanticTransfer).
        """
        if kind == "hard":
            return F.one_hot(self.nearest(angle), self.count).to(angle.dtype)
        places = self.places(angle)
        lower = torch.floor(places)
        share = (places - lower)[..., None]
        first, second = (
            F.one_hot((lower.long() + offset) % self.count, self.count).to(angle.dtype) for offset in (0, 1)
        )
        return (1 - share) * first + share * second

    def centres(self, like: Tensor) -> Float[Tensor, " {self.count}"]:
        """Return the angles in the middle of the bins."""
        number = torch.arange(self.count, dtype=like.dtype, device=like.device)
        return (number + (0.0 if self.circular else 0.5)) * self.width

    def decoded(self, logits: Float[Tensor, "*batch {self.count}"], kind: Decoding) -> Float[Tensor, "*batch"]:
        """Return an angle: the centre of the best bin (``bin``, the paper's classification), the mean over it and its neighbours
        (``peak``), or over all bins (``mean``, SemanticTransfer), by their probabilities; round the circle where there is one.
        """
        centres = self.centres(logits)
        best = logits.argmax(-1)
        if kind == "bin":
            return centres[best]
        shares = logits.softmax(-1)
        if kind == "peak":
            apart = (torch.arange(self.count, device=logits.device) - best[..., None]).abs()
            near = torch.minimum(apart, self.count - apart) <= 1 if self.circular else apart <= 1
            shares = torch.where(near, shares, 0)
        if self.circular:
            angle = torch.atan2((shares * centres.sin()).sum(-1), (shares * centres.cos()).sum(-1))
            return torch.remainder(angle, 2 * math.pi)
        return (shares * centres).sum(-1) / shares.sum(-1)


AZIMUTH = AngleBins(24, circular=True)
POLAR = AngleBins(12, circular=False)


def angle_between(
    azimuth: Float[Tensor, "*batch"],
    polar: Float[Tensor, "*batch"],
    other_azimuth: Float[Tensor, "*batch"],
    other_polar: Float[Tensor, "*batch"],
) -> Float[Tensor, "*batch"]:
    """Return the angle in radians between two rotations of :mod:`sem3d.geometry.object_camera`, which have no roll.

    Its cosine is ``(trace(R R'^T) - 1) / 2``, and ``trace + 1 = (1 + cos(a - a')) (1 + cos(p - p'))``.
    """
    product = (1 + (azimuth - other_azimuth).cos()) * (1 + (polar - other_polar).cos())
    return (product / 2 - 1).clamp(-1, 1).acos()

"""Measures that the parts of one chair share."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Measures:
    """Metres; the seat is centred over the origin."""

    width: float
    depth: float
    seat: float
    """Height of the seat's upper face."""
    thick: float
    """Of the seat."""
    top: float
    """Height of the back's upper edge."""

    @property
    def under(self) -> float:
        """Return the height inside the seat where its base ends."""
        return self.seat - 0.8 * self.thick

    @property
    def middle(self) -> float:
        """Return the height inside the seat where its back begins."""
        return self.seat - 0.5 * self.thick

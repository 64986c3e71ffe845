"""Measures and materials that the parts of one table share."""

from dataclasses import dataclass

from sem3d.worlds.textures import Material


@dataclass(frozen=True, kw_only=True)
class Measures:
    """Metres; the top is centred over the origin."""

    width: float
    depth: float
    height: float
    """Of the top's upper face."""
    thick: float
    """Of the top."""
    reach: float
    """Share of width and depth, from the middle, that the base stands within."""

    @property
    def x(self) -> float:
        """Return the half width of the base."""
        return self.width * self.reach

    @property
    def y(self) -> float:
        """Return the half depth of the base."""
        return self.depth * self.reach

    @property
    def under(self) -> float:
        """Return the height inside the top where the base ends."""
        return self.height - self.thick / 2


@dataclass(frozen=True)
class Look:
    """Materials of one table."""

    board: Material
    frame: Material
    handles: Material

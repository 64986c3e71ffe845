"""Placing pieces in a rectangular room without letting any two intersect.

Room frame: z up, the floor is [0, width] x [0, depth] at z = 0. A piece's footprint is an upright box; two pieces may share
ground only where one is wholly above the other, as a picture above a sofa.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from sem3d.worlds.rooms.piece import Piece

QUARTER = np.pi / 2


class NoPlaceLeft(Exception):
    """A piece did not fit; the room is drawn again from the next sub-seed."""


@dataclass(frozen=True, eq=False)
class Placed:
    """A piece in the room: its footprint's centre, the height of its lower edge, and its turn about z."""

    piece: Piece
    x: float
    y: float
    z: float = 0.0
    yaw: float = 0.0
    host: int = -1
    """Number of the placed piece it stands on; -1: on the floor or the wall."""

    @property
    def half(self) -> Float[np.ndarray, "2"]:
        """Return half width and half depth of the footprint in metres."""
        return self.piece.size[:2] / 2.0

    @property
    def top(self) -> float:
        """Return the height of the upper edge."""
        return self.z + float(self.piece.size[2])

    @property
    def axes(self) -> Float[np.ndarray, "2 2"]:
        """Return the footprint's x and y axis in the room as rows."""
        cosine, sine = np.cos(self.yaw), np.sin(self.yaw)
        return np.array([[cosine, sine], [-sine, cosine]])

    @property
    def center(self) -> Float[np.ndarray, "2"]:
        """Return the centre of the footprint."""
        return np.array([self.x, self.y])

    def contains(self, points: Float[np.ndarray, "point 2"], margin: float = 0.0) -> Bool[np.ndarray, " point"]:
        """Tell which points of the floor are inside the footprint grown by ``margin``."""
        local = (points - self.center) @ self.axes.T
        return np.all(np.abs(local) <= self.half + margin, axis=1)


def intersect(first: Placed, second: Placed, margin: float = 0.0) -> bool:
    """Tell if two upright boxes come closer than ``margin`` on the ground while their height ranges overlap."""
    if first.top <= second.z + 1e-6 or second.top <= first.z + 1e-6:
        return False
    apart = second.center - first.center
    for axis in (*first.axes, *second.axes):
        reach = sum(float(np.abs(box.axes @ axis) @ box.half) for box in (first, second))
        if abs(float(apart @ axis)) >= reach + margin:
            return False
    return True


class Layout:
    """A room being furnished. Every method places one piece and returns its number, or raises :class:`NoPlaceLeft`."""

    def __init__(self, width: float, depth: float, height: float, rng: np.random.Generator):
        self.width, self.depth, self.height, self.rng = width, depth, height, rng
        self.placed: list[Placed] = []
        self.kept_clear: list[Placed] = []

    def fits(self, candidate: Placed, margin: float) -> bool:
        """Tell if ``candidate`` is inside the room and keeps ``margin`` from everything but its host."""
        reach = np.abs(candidate.axes).T @ candidate.half - 1e-6
        inside = (candidate.center - reach >= 0).all() and (candidate.center + reach <= [self.width, self.depth]).all()
        if not inside or candidate.top > self.height:
            return False
        others = [other for number, other in enumerate(self.placed) if number != candidate.host]
        clear = [] if candidate.host >= 0 else self.kept_clear
        return not any(intersect(candidate, other, margin) for other in (*others, *clear))

    def add(self, candidate: Placed, margin: float = 0.03) -> int:
        """Place one candidate as it is."""
        if not self.fits(candidate, margin):
            raise NoPlaceLeft(candidate.piece.kind)
        self.placed.append(candidate)
        return len(self.placed) - 1

    def at_wall(self, piece: Piece, wall: int, along: float, z: float, gap: float) -> Placed:
        """Return the piece placed with its back to wall 0..3 (at +y, -x, -y, +x), ``along`` metres from the wall's middle."""
        yaw = wall * QUARTER
        tangent, backward = np.array([np.cos(yaw), np.sin(yaw)]), np.array([-np.sin(yaw), np.cos(yaw)])
        away = (self.width if wall % 2 else self.depth) / 2.0 - gap - piece.size[1] / 2.0
        x, y = np.array([self.width, self.depth]) / 2.0 + away * backward + along * tangent
        return Placed(piece, float(x), float(y), z, yaw)

    def against_wall(self, piece: Piece, z: float = 0.0, gap: float = 0.025, margin: float = 0.04) -> int:
        """Place the piece somewhere along any wall."""
        for _ in range(60):
            wall = int(self.rng.integers(4))
            room = (self.depth if wall % 2 else self.width) / 2.0 - piece.size[0] / 2.0 - 0.03
            if room > 0:
                candidate = self.at_wall(piece, wall, self.rng.uniform(-room, room), z, gap)
                if self.fits(candidate, margin):
                    return self.add(candidate, margin)
        raise NoPlaceLeft(piece.kind)

    def relative(self, host: int, piece: Piece, offset: tuple[float, float], z: float, turn: float) -> Placed:
        """Return the piece placed at ``offset`` in the frame of a placed one, turned against it."""
        other = self.placed[host]
        x, y = other.center + np.asarray(offset) @ other.axes
        return Placed(piece, float(x), float(y), z, other.yaw + turn)

    def before(self, host: int, piece: Piece, gap: float, facing: bool) -> int:
        """Place the piece in front of another; ``facing`` turns its front toward the host."""
        other = self.placed[host]
        reach = float(other.half[1] + gap + piece.size[1] / 2.0)
        for slack in (0.0, 0.1, -0.1, 0.25, -0.25):
            candidate = self.relative(host, piece, (slack, -reach), 0.0, np.pi if facing else 0.0)
            if self.fits(candidate, 0.02):
                return self.add(candidate, 0.02)
        raise NoPlaceLeft(piece.kind)

    def beside(self, host: int, piece: Piece) -> int:
        """Place the piece left or right of another, backs in one line."""
        other = self.placed[host]
        for side in self.rng.permutation([-1, 1]):
            x = side * (other.half[0] + piece.size[0] / 2.0 + self.rng.uniform(0.05, 0.12))
            candidate = self.relative(host, piece, (float(x), float(other.half[1] - piece.size[1] / 2.0)), 0.0, 0.0)
            if self.fits(candidate, 0.03):
                return self.add(candidate)
        raise NoPlaceLeft(piece.kind)

    def around(self, host: int, piece: Piece) -> int:
        """Place the piece at one of the four sides of a table, facing it."""
        other = self.placed[host]
        for quarter in self.rng.permutation(4):
            across = float(other.half[(quarter + 1) % 2])
            room = max(0.0, float(other.half[quarter % 2] - piece.size[0] / 2.0))
            reach, aside = across + piece.size[1] / 2.0 + self.rng.uniform(0.02, 0.12), self.rng.uniform(-room, room)
            angle = quarter * QUARTER
            offset = (aside * np.cos(angle) + reach * np.sin(angle), aside * np.sin(angle) - reach * np.cos(angle))
            turn = angle + np.pi + self.rng.uniform(-0.25, 0.25)
            candidate = self.relative(host, piece, offset, 0.0, turn)
            if self.fits(candidate, 0.02):
                return self.add(candidate, 0.02)
        raise NoPlaceLeft(piece.kind)

    def in_corner(self, piece: Piece, spread: float = 0.15) -> int:
        """Place the piece near one of the corners, looking to the middle."""
        for _ in range(40):
            corner = int(self.rng.integers(4))
            yaw = -3 * np.pi / 4 + corner * QUARTER + self.rng.uniform(-0.3, 0.3)
            radius = float(np.hypot(*piece.size[:2]) / 2.0) + 0.03 + self.rng.uniform(0.0, spread)
            x = radius if corner in (0, 3) else self.width - radius
            y = radius if corner in (0, 1) else self.depth - radius
            candidate = Placed(piece, x, y, 0.0, yaw + np.pi / 2)
            if self.fits(candidate, 0.03):
                return self.add(candidate)
        return self.free(piece)

    def free(self, piece: Piece, border: float = 0.1) -> int:
        """Place the piece anywhere, with some way left around it, straight or turned a little."""
        for _ in range(60):
            yaw = self.rng.integers(4) * QUARTER + self.rng.uniform(-0.3, 0.3)
            x, y = self.rng.uniform(0, self.width), self.rng.uniform(0, self.depth)
            candidate = Placed(piece, float(x), float(y), 0.0, float(yaw))
            if self.fits(candidate, border):
                return self.add(candidate, border)
        raise NoPlaceLeft(piece.kind)

    def on_top(self, host: int, piece: Piece, turned: bool = True) -> int:
        """Place the piece on one of the level tops of another."""
        tops = self.placed[host].piece.tops
        for _ in range(20):
            if not tops:
                break
            top = tops[self.rng.integers(len(tops))]
            turn = self.rng.uniform(-np.pi, np.pi) if turned else 0.0
            reach = np.abs(Placed(piece, 0.0, 0.0, yaw=turn).axes).T @ (piece.size[:2] / 2.0)
            low, high = np.asarray(top.low) + reach, np.asarray(top.high) - reach
            if (low > high).any():
                continue
            x, y = self.rng.uniform(low, high)
            candidate = self.relative(host, piece, (float(x), float(y)), self.placed[host].z + top.z, turn)
            candidate = Placed(piece, candidate.x, candidate.y, candidate.z, candidate.yaw, host)
            if self.fits(candidate, 0.01):
                return self.add(candidate, 0.01)
        raise NoPlaceLeft(piece.kind)

"""The walk of a hand-held camera through a furnished room. Poses are world_from_camera with OpenCV axes, metres."""

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from sem3d.worlds.rooms.room import Room
from sem3d.worlds.rooms.walkable import CELL, walkable_floor

ON_WALLS = (8, 9, 11, 16)
"""Doors, windows, pictures and curtains are looked at less often than what stands on the floor."""


def camera_path(room: Room, frames: int, seed: tuple[int, ...]) -> Float[np.ndarray, "frame 4 4"]:
    """Draw ``frames`` poses along a smooth walk that looks at one piece after another.

    Neighbouring frames are 10 to 18 cm and at most some 20 degrees apart, as ScanNet's are at a stride of 10 to 25, so they
    overlap strongly however many there are.
    """
    rng = np.random.default_rng(seed)
    ground = walk(walkable_floor(room.size, room.furniture), frames, rng)
    time = np.arange(frames)
    height = rng.uniform(1.3, 1.65) + 0.1 * np.sin(time * rng.uniform(0.08, 0.2) + rng.uniform(0, 6)) * rng.uniform(
        0.3, 1
    )
    position = np.column_stack([ground, height])
    yaw, pitch = looks(room, position, rng)
    roll = np.deg2rad(2.5) * np.sin(time * rng.uniform(0.2, 0.5) + rng.uniform(0, 6))
    return np.stack([pose(*angles) for angles in zip(position, yaw, pitch, roll, strict=True)])


def walk(
    free: Bool[np.ndarray, "cell_x cell_y"], frames: int, rng: np.random.Generator
) -> Float[np.ndarray, "frame 2"]:
    """Draw positions on the floor 10 to 18 cm apart along smoothed shortest paths between random free cells."""
    step = rng.uniform(0.1, 0.18)
    cells = np.argwhere(free)
    number = np.full(free.shape, -1)
    number[free] = np.arange(len(cells))
    links = []
    for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
        there = cells + shift
        inside = (there < free.shape).all(axis=1) & (there >= 0).all(axis=1)
        near, far = np.flatnonzero(inside), number[tuple(there[inside].T)]
        links.append(np.column_stack([near[far >= 0], far[far >= 0], np.full((far >= 0).sum(), np.hypot(*shift))]))
    link = np.concatenate(links)
    graph = coo_matrix((link[:, 2], (link[:, 0].astype(int), link[:, 1].astype(int))), shape=(len(cells), len(cells)))
    track = [int(rng.integers(len(cells)))]
    length = 0.0
    while length < frames * step + 1.0:
        distance, before = dijkstra(graph, directed=False, indices=track[-1], return_predecessors=True)
        goal = int(rng.choice(np.flatnonzero(np.isfinite(distance) & (distance >= 0.6 * distance.max()))))
        length += CELL * distance[goal] + CELL / 100.0
        way = [goal]
        while before[way[-1]] >= 0:
            way.append(int(before[way[-1]]))
        track += way[-2::-1] or [goal]
    line = (cells[track] + 0.5) * CELL
    smooth = ndimage.gaussian_filter1d(line, 2.0, axis=0, mode="nearest")
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(smooth, axis=0), axis=1))])
    wanted = np.minimum(np.arange(frames) * step, along[-1])
    return np.column_stack([np.interp(wanted, along, smooth[:, axis]) for axis in range(2)])


def looks(
    room: Room, position: Float[np.ndarray, "frame 3"], rng: np.random.Generator
) -> tuple[Float[np.ndarray, " frame"], Float[np.ndarray, " frame"]]:
    """Draw yaw about z (0 along +x) and pitch (up is positive) that follow one piece for some frames, then turn to another."""
    targets = [one for one in room.furniture if one.host < 0]
    middle = np.array([[one.x, one.y, one.z + 0.4 * float(one.piece.size[2])] for one in targets])
    dull = np.array([1.0 if one.piece.label in ON_WALLS else 0.0 for one in targets])
    yaw, pitch = np.empty(len(position)), np.empty(len(position))
    seen = np.zeros(len(targets))
    until, chosen = 0, 0
    for frame, here in enumerate(position):
        toward = middle - here
        flat = np.linalg.norm(toward[:, :2], axis=1)
        angle, tilt = np.arctan2(toward[:, 1], toward[:, 0]), np.arctan2(toward[:, 2], np.maximum(flat, 0.5))
        if frame >= until or flat[chosen] < 0.5:
            off = np.zeros(len(targets)) if frame == 0 else np.abs(wrap(angle - yaw[frame - 1]))
            cost = off + 2.0 * seen + 2.0 * np.maximum(1.2 - flat, 0.0) + dull + rng.uniform(0, 0.8, len(targets))
            chosen = int(cost.argmin())
            seen[chosen] += 1.0
            until = frame + int(rng.integers(2, 6))
        if frame == 0:
            yaw[0], pitch[0] = angle[chosen], np.clip(tilt[chosen], -0.6, -0.02)
            continue
        turn = wrap(angle[chosen] - yaw[frame - 1])
        yaw[frame] = yaw[frame - 1] + np.clip(0.6 * turn, -0.33, 0.33)
        pitch[frame] = pitch[frame - 1] + np.clip(
            0.5 * (np.clip(tilt[chosen], -0.6, -0.02) - pitch[frame - 1]), -0.1, 0.1
        )
    shake = rng.normal(0.0, 0.008, (2, len(position)))
    return tuple(
        ndimage.gaussian_filter1d(angle, 1.0, mode="nearest") + shake[k] for k, angle in enumerate((yaw, pitch))
    )


def wrap(angle: Float[np.ndarray, "..."] | float) -> Float[np.ndarray, "..."] | float:
    """Return the same angle in [-pi, pi)."""
    return (angle + np.pi) % (2.0 * np.pi) - np.pi


def pose(position: Float[np.ndarray, "3"], yaw: float, pitch: float, roll: float) -> Float[np.ndarray, "4 4"]:
    """Return world_from_camera of a camera that looks along (yaw, pitch); z of the world is up, y of the camera down."""
    forward = np.array([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)])
    level = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    down = np.cross(forward, level)
    right = np.cos(roll) * level + np.sin(roll) * down
    world_from_camera = np.eye(4)
    world_from_camera[:3, :3] = np.column_stack([right, np.cross(forward, right), forward])
    world_from_camera[:3, 3] = position
    return world_from_camera

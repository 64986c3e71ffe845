"""Projection and the silhouette loss of Eq. 7, point by point in float64."""

import math

import numpy as np

FOCAL = 784.46 / 480


def project_point(
    point: list[float], azimuth: float, polar: float, roll: float, middle: list[float]
) -> tuple[float, float]:
    """(x right, y up) in [-1, 1] of a point of the object, by the camera's axes as products of vectors."""
    away = np.array([math.sin(polar) * math.sin(azimuth), math.cos(polar), math.sin(polar) * math.cos(azimuth)])
    right = np.cross(-away, [0.0, 1.0, 0.0])
    right = right / np.linalg.norm(right)
    down = np.cross(-away, right)
    x, y, z = (float(np.dot(axis, point)) for axis in (right, down, -away))
    x, y = x * math.cos(roll) - y * math.sin(roll), x * math.sin(roll) + y * math.cos(roll)
    x, y, z = x + middle[0], y + middle[1], z + middle[2]
    return 2 * FOCAL * x / z, -2 * FOCAL * y / z


def hard_silhouette(triangles: list[list[tuple[float, float]]], side: int) -> np.ndarray:
    """1 where the centre of a pixel lies in any triangle."""
    picture = np.zeros((side, side))
    for row in range(side):
        for column in range(side):
            place = ((2 * column + 1) / side - 1, 1 - (2 * row + 1) / side)
            for corners in triangles:
                signs = [
                    (b[0] - a[0]) * (place[1] - a[1]) - (b[1] - a[1]) * (place[0] - a[0])
                    for a, b in zip(corners, corners[1:] + corners[:1], strict=True)
                ]
                if all(sign >= 0 for sign in signs) or all(sign <= 0 for sign in signs):
                    picture[row, column] = 1
    return picture

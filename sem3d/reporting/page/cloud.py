"""A painted cloud of points as one HTML file that needs nothing else: it can be turned in any browser."""

import base64
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, UInt8

from sem3d.geometry.boxes import BOX, edges
from sem3d.reporting.page.environment import content_policy, environment, file_text

MOST_POINTS = 400_000
"""Points that a page shows, evenly drawn; 18 bytes of text each, about 8 MB."""


def cloud_page(
    title: str,
    points: Float[np.ndarray, "point 3"],
    own: UInt8[np.ndarray, "point 3"],
    classes: Int[np.ndarray, " point"],
    palette: UInt8[np.ndarray, "class 3"],
    names: tuple[str, ...],
    boxes: tuple[Float[np.ndarray, "box 7"], Int[np.ndarray, " box"]] | None = None,
) -> str:
    """Return the page of points (z up) painted by their ``classes``; ``own`` are the colours that can be shown instead.

    The edges of ``boxes`` are drawn in the colours of the classes that come with them.
    """
    shares = np.bincount(classes, minlength=len(names)) / max(len(classes), 1)
    shown = [number for number in np.argsort(-shares, kind="stable") if shares[number]]
    legend = [(names[number], "#" + bytes(palette[number]).hex(), f"{100 * shares[number]:.1f} %") for number in shown]
    around, of_class = boxes or (np.zeros((0, BOX)), np.zeros(0, np.int64))
    return painted_page(title, points, own, palette[classes], legend, (around, palette[of_class]))


def painted_page(
    title: str,
    points: Float[np.ndarray, "point 3"],
    own: UInt8[np.ndarray, "point 3"],
    painted: UInt8[np.ndarray, "point 3"],
    legend: Sequence[tuple[str, str, str]] = (),
    boxes: tuple[Float[np.ndarray, "box 7"], UInt8[np.ndarray, "box 3"]] | None = None,
) -> str:
    """Return the page of ``painted`` points (z up); ``own`` are the colours that can be shown instead.

    The edges of ``boxes`` are drawn in the colours that come with them; the ``legend`` has names, colours as HTML's, and shares.
    """
    note = f"{len(points)} points"
    if len(points) > MOST_POINTS:
        kept = np.sort(np.random.default_rng(0).permutation(len(points))[:MOST_POINTS])
        points, own, painted = points[kept], own[kept], painted[kept]
        note += f", {MOST_POINTS} of them shown"
    # places within a cube of side 1 around the middle
    low, high = (points.min(axis=0), points.max(axis=0)) if len(points) else (np.zeros(3), np.ones(3))
    middle, side = (low + high) / 2, max(float((high - low).max()), 1e-9)
    places = (points - middle) / side
    around, edged = boxes or (np.zeros((0, BOX)), np.zeros((0, 3), np.uint8))
    lines = ((edges(around) - middle) / side).reshape(-1, 3)
    style, script = file_text("cloud.css"), file_text("cloud.js")
    return (
        environment()
        .get_template("cloud.html.j2")
        .render(
            title=title,
            note=note,
            style=style,
            script=script,
            policy=content_policy(style, script),
            classes=legend,
            places=encoded(places.astype("<f4")),
            painted=encoded(painted),
            own=encoded(own),
            edges=encoded(lines.astype("<f4")),
            edged=encoded(np.repeat(edged, len(lines) // max(len(around), 1), axis=0)),
        )
    )


def encoded(values: np.ndarray) -> str:
    """Return the bytes of an array in base64."""
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()

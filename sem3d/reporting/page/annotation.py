"""The page on which a person marks keypoints on meshes, as one HTML file that needs nothing else (2D-3D-2D, section 3.3)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sem3d.reporting.page.environment import content_policy, environment, file_text

MOST_MARKS = 24
"""Points of a model that a person may mark (paper, 3.3)."""
EARLIER = 3
"""Models marked before that stand beside the current one."""
DECIMALS = 5


@dataclass(frozen=True)
class MarkedMesh:
    """A mesh to be marked, y up, front at -z."""

    model_id: str
    vertices: Float[np.ndarray, "vertex 3"]
    faces: Int[np.ndarray, "face 3"]


def annotation_page(title: str, class_id: str, meshes: Sequence[MarkedMesh]) -> str:
    """Return the page; what it writes is read by :func:`sem3d.datasets.objects.raw_keypoints.read_marks`."""
    content = {"class_id": class_id, "most": MOST_MARKS, "models": list(map(mesh_content, meshes))}
    style, script = file_text("annotation.css"), file_text("mesh_view.js") + file_text("annotation.js")
    return (
        environment()
        .get_template("annotation.html.j2")
        .render(
            title=title,
            style=style,
            script=script,
            policy=content_policy(style, script),
            earlier=EARLIER,
            data=embedded(content),
        )
    )


def mesh_content(mesh: MarkedMesh) -> dict[str, object]:
    """Return a mesh as the page's script takes it, in a box of diagonal 1 about the origin."""
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    scaled = (mesh.vertices - (low + high) / 2) / max(1e-9, float(np.linalg.norm(high - low)))
    return {"model_id": mesh.model_id, "vertices": scaled.round(DECIMALS).tolist(), "faces": mesh.faces.tolist()}


def embedded(content: object) -> str:
    """Return JSON that cannot end the element of a page that holds it."""
    return json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")

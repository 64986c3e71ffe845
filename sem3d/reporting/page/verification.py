"""The page on which a person accepts or rejects aggregated meanings and adds missed keypoints (2D-3D-2D, 3.4.3.3)."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

from sem3d.reporting.page.annotation import DECIMALS, MarkedMesh, embedded, mesh_content
from sem3d.reporting.page.environment import content_policy, environment, file_text


def verification_page(
    title: str,
    class_id: str,
    meshes: Sequence[MarkedMesh],
    keypoints: Sequence[tuple[Int[np.ndarray, " keypoint"], Float[np.ndarray, "keypoint 3"]]],
    mirror: Mapping[int, int],
) -> str:
    """Return the page of meshes with the meanings and places of their keypoints; what it writes is read by
    :func:`sem3d.datasets.objects.verdicts.read_verdict`.

    ``mirror`` has for each meaning that of its mirror image, which is the prior for missed keypoints.
    """
    models = []
    for mesh, (meanings, places) in zip(meshes, keypoints, strict=True):
        marks = zip(meanings.tolist(), places.round(DECIMALS).tolist(), strict=True)
        models.append(mesh_content(mesh) | {"marks": [{"index": index, "xyz": xyz} for index, xyz in marks]})
    known = sorted({int(one) for meanings, _ in keypoints for one in meanings})
    content = {"class_id": class_id, "meanings": known, "mirror": dict(mirror), "models": models}
    style, script = file_text("annotation.css"), file_text("mesh_view.js") + file_text("verification.js")
    template = environment().get_template("verification.html.j2")
    policy = content_policy(style, script)
    return template.render(title=title, style=style, script=script, policy=policy, data=embedded(content))

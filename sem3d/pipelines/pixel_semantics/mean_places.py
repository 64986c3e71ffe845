"""Mark of the pipeline: each keypoint is where it is in the mean of the training pictures, whatever is seen."""

from statistics import fmean
from typing import Any

import numpy as np
from jaxtyping import Float

from sem3d.config import Experiment
from sem3d.datasets.objects.sketch_files import KEYPOINTS, read_shape_keypoints
from sem3d.datasets.sketched_views import LoadSketched
from sem3d.datasets.stream import Samples
from sem3d.errors import BadSample
from sem3d.geometry.cameras import invert_rigid
from sem3d.geometry.object_camera import Z_UP_FROM_Y_UP, centred_intrinsics
from sem3d.geometry.projection import project, transform
from sem3d.methods.method import TESTED, TRAIN, Marks, Sources
from sem3d.pipelines.pixel_semantics.comparison import Compared, shares
from sem3d.pipelines.pixel_semantics.squares import HALF
from sem3d.pipelines.pixel_semantics.views import known_views, pairs_of

MOST_VIEWS = 2000
"""Training views that means are over, evenly chosen."""
DRAWINGS = 10
"""Drawings of references that the floor is the mean over."""
CLEAR = 1.25
"""Times the floor from which ways are ranked; PCK cannot be above 1, and twice the floor may be."""


def marks(experiment: Experiment, sources: Sources) -> Marks:
    """Return the PCK of mean places of keypoints in training pictures, on the test views."""
    if TESTED not in sources:
        return Marks()
    means = mean_places(sources[TRAIN])
    views, _ = known_views(sources[TESTED], 0)
    nowhere = np.full(2, np.nan)
    places = [
        np.array([means.get(meaning, nowhere) * view.side - HALF for meaning in view.meanings.tolist()])
        for view in views
    ]
    found = [shares(places, Compared(views, pairs_of(views, seed))) for seed in range(DRAWINGS)]
    names = [name for name in found[0] if name.startswith("pck") and all(name in one for one in found)]
    return Marks(floor={name: fmean(one[name] for one in found) for name in names}, clear=CLEAR)


def mean_places(samples: Samples) -> dict[int, Float[np.ndarray, "2"]]:
    """Return the mean (u, v) of each meaning over the training views that see it, as shares of the picture's side.

    Views that cannot be read are passed over.
    """
    assert isinstance(samples.load, LoadSketched)
    total = samples.table.num_rows
    chosen = np.unique(np.linspace(0, max(total - 1, 0), min(total, MOST_VIEWS)).round().astype(int))
    found: dict[int, list[np.ndarray]] = {}
    for row in samples.table.take(chosen).to_pylist():
        try:
            own = places_seen(samples.load, row)
        except BadSample:
            continue
        for meaning, place in own:
            found.setdefault(meaning, []).append(place)
    return {meaning: np.mean(own, axis=0) for meaning, own in found.items()}


def places_seen(load: LoadSketched, row: dict[str, Any]) -> list[tuple[int, Float[np.ndarray, "2"]]]:
    """Return meaning and place of each keypoint that the view of a row sees; raises :class:`BadSample`."""
    number = row["view"]
    keypoints = [
        one for one in read_shape_keypoints(load.root / row["folder"] / KEYPOINTS, number) if one.visible[number]
    ]
    if not keypoints:
        return []
    world = np.array([one.xyz for one in keypoints]) @ Z_UP_FROM_Y_UP.T
    in_camera = transform(invert_rigid(np.array(row["pose"]).reshape(4, 4)), world)
    places, _ = project(in_camera, centred_intrinsics(1))
    return [(one.semantic_id, place) for one, place in zip(keypoints, places, strict=True)]

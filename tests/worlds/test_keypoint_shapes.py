"""Generated shapes in KeypointNet's layout."""

from pathlib import Path

import numpy as np
import pytest

from sem3d.datasets.objects.keypointnet import check_clouds, read_annotations
from sem3d.errors import UserError
from sem3d.worlds.keypoint_shapes import KeypointShapesConfig, write_keypoint_shapes


@pytest.mark.parametrize("kind", ["chair", "table", "car", "airplane"])
def test_they_are_read_as_keypointnet_is(tmp_path: Path, kind):
    config = KeypointShapesConfig(kind=kind, models=5, points=60)
    assert write_keypoint_shapes(tmp_path / "made", config).startswith("generated 5")
    assert write_keypoint_shapes(tmp_path / "made", config).startswith("found 5")
    models, report = read_annotations(tmp_path / "made")
    assert (len(models), len(report)) == (5, 0)
    assert {model.split for model in models} == {"train", "val", "test"}
    assert all(fault is None for _, fault in check_clouds(tmp_path / "made", models))
    mirrored = models[0].places * [-1, 1, 1]
    for one, other in models[0].reflections:
        assert np.linalg.norm(mirrored[one] - models[0].places[other]) < 0.25


def test_a_family_that_keypointnet_lacks_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="choose of airplane, car, chair, table"):
        write_keypoint_shapes(tmp_path / "made", KeypointShapesConfig(kind="lamp"))
    assert not (tmp_path / "made").exists()

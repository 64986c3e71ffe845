"""Verdicts of the verification page, and annotations after them."""

import json
from pathlib import Path

import numpy as np
import pytest

from sem3d.datasets.objects.keypointnet import read_annotations
from sem3d.datasets.objects.verdicts import after_verdict, read_verdict
from sem3d.errors import UserError
from tests.datasets.objects.tiny_keypointnet import CHAIR, cloud, write_keypointnet


def judged(root: Path, **changes):
    content = {"format": 1, "class_id": CHAIR, "accepted": [], "rejected": [], "added": []}
    (root / "verdict.json").write_text(json.dumps(content | changes))
    models, _ = read_annotations(root)
    clouds = {model.model_id: cloud(number) for number, model in enumerate(models)}
    return after_verdict(models, read_verdict(root / "verdict.json"), lambda model: clouds[model.model_id])


def added(meaning: int, xyz: object, model_id: str = "model1") -> dict[str, object]:
    return {"model_id": model_id, "meaning": meaning, "xyz": xyz, "prior": "click"}


def test_rejected_meanings_go_with_their_groups_and_added_keypoints_come(tmp_path: Path):
    write_keypointnet(tmp_path)
    near = (cloud(1)[9] + 0.001).tolist()
    models = judged(tmp_path, rejected=[1], added=[added(7, near), added(1, near)])
    assert [model.semantic_ids.tolist() for model in models[:3]] == [[0, 2, 3], [0, 2, 3, 7], [0, 2, 3]]
    assert models[1].keypoints[3].point == 9
    np.testing.assert_allclose(models[1].places[3], cloud(1)[9])
    assert models[0].reflections == ()
    assert models[0].rotations[0].keypoints == (0, 1)


def test_a_verdict_that_changes_nothing_leaves_all_as_it_is(tmp_path: Path):
    write_keypointnet(tmp_path)
    assert judged(tmp_path) == read_annotations(tmp_path)[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 2}, "no file of the verification page"),
        ({"rejected": None}, "no file of the verification page"),
        ({"rejected": ["a"]}, "no meaning from 0"),
        ({"added": [added(7, [0, 0, 0], "nobody")]}, "not among the models"),
        ({"added": [added(7, [5, 5, 5])]}, "from its cloud"),
        ({"added": [added(7, [0, 0])]}, "no place of three numbers"),
        ({"added": [added(0, [0, 0, 0])]}, "has the meaning 0 already"),
        ({"added": [added(meaning, cloud(1)[9].tolist()) for meaning in range(50, 80)]}, "at most 24"),
        ({"added": [7]}, "no added keypoint"),
    ],
)
def test_a_verdict_that_does_not_fit_is_named(tmp_path: Path, change, words):
    write_keypointnet(tmp_path)
    with pytest.raises(UserError, match=words):
        judged(tmp_path, **change)

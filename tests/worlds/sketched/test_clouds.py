"""Clouds beside sketched views: KeypointNet's layout, the same objects, frame, meanings and splits."""

import json
from dataclasses import replace

import numpy as np
import pytest

from sem3d.datasets.keypoint_clouds import KeypointClouds, keypoint_sources
from sem3d.datasets.objects.srn_layout import find_instances
from sem3d.worlds.sketched.shapes import SketchedShapesConfig, sketched_folder, with_clouds, write_clouds, written
from tests.worlds.sketched.small import write_chairs

COUNTS = {"train": 3, "val": 1, "test": 2}


@pytest.fixture(scope="module")
def chairs(tmp_path_factory):
    folder = write_chairs(tmp_path_factory.mktemp("chairs"), COUNTS)
    config = SketchedShapesConfig(**COUNTS, clouds=2048)
    write_clouds(folder, config.rows(), config)
    write_clouds(folder, config.rows(), config)  # as where the first attempt was killed
    return folder


def test_the_embedding_learns_from_the_training_objects_of_the_views(chairs):
    opened = keypoint_sources(KeypointClouds(root=str(chairs), points=100))
    assert {split: samples.table.num_rows for split, samples in opened.items()} == COUNTS
    names = {one.split: set() for one in find_instances(chairs)}
    for one in find_instances(chairs):
        names[one.split].add(one.name)
    assert {split: set(samples.table["model"].to_pylist()) for split, samples in opened.items()} == names


def test_keypoints_of_a_cloud_are_those_of_the_views_in_the_same_frame(chairs):
    samples = keypoint_sources(KeypointClouds(root=str(chairs), points=100))["train"]
    for row in samples.table.to_pylist():
        stored = json.loads((chairs / "train" / row["model"] / "keypoints.json").read_text())["keypoints"]
        assert [one["semantic_id"] for one in stored] == row["meanings"]
        one = samples.load(row, np.random.default_rng(0))
        places = one["point"][one["keypoint"][: len(stored)]]
        # noise of .01 in training, and the nearest of 2048 points
        errors = np.linalg.norm(places - np.array([each["xyz"] for each in stored]), axis=1)
        assert np.median(errors) < 0.05
        assert errors.max() < 0.15


def test_objects_without_clouds_are_what_they_were_and_a_training_on_clouds_asks_for_them(tmp_path):
    plain = SketchedShapesConfig()
    assert "clouds" not in written(plain)
    assert with_clouds(plain, {"data.size": 64}) == plain
    assert with_clouds(plain, {"data.points": 512}) == replace(plain, clouds=2048)
    assert with_clouds(plain, {"data.points": 4096}) == replace(plain, clouds=4096)
    assert sketched_folder(tmp_path, plain) != sketched_folder(tmp_path, replace(plain, clouds=512))
    write_clouds(tmp_path, plain.rows(), plain)
    assert not list(tmp_path.iterdir())

"""Samples of models with keypoints."""

from pathlib import Path

import numpy as np
import pytest

from sem3d.datasets.keypoint_clouds import KeypointClouds, keypoint_sources
from sem3d.errors import BadSample, UserError
from tests.datasets.objects.tiny_keypointnet import CHAIR, cloud, record, write_cloud, write_keypointnet


def opened(root: Path, **changes):
    return keypoint_sources(KeypointClouds(root=str(root), points=32, **changes))


def loaded(samples, number: int = 0):
    return samples.load(samples.table.slice(number, 1).to_pylist()[0], np.random.default_rng(0))


def test_keypoints_are_among_the_points_with_their_meanings(tmp_path: Path):
    write_keypointnet(tmp_path, *[record(number, count=5 + number) for number in range(5)])
    sources = opened(tmp_path, noise=0.0)
    assert [sources[split].table.num_rows for split in ("train", "val", "test")] == [3, 1, 1]
    sample = loaded(sources["train"], 1)
    kept = sample["keypoint"] >= 0
    assert sample["meaning"][kept].tolist() == [0, 1, 2, 3, 4, 5]
    places = cloud(1)
    scaled = (places - (places.max(0) + places.min(0)) / 2) / np.ptp(places, axis=0).max()
    np.testing.assert_allclose(sample["point"][sample["keypoint"][kept]], scaled[:6], atol=1e-5)
    assert len(np.unique(sample["point"], axis=0)) == 32


def test_training_points_are_moved_and_held_out_ones_are_not(tmp_path: Path):
    write_keypointnet(tmp_path)
    plain, noisy = opened(tmp_path, noise=0.0), opened(tmp_path, noise=0.02)
    moved = loaded(noisy["train"])["point"] - loaded(plain["train"])["point"]
    assert 0.015 < moved.std() < 0.025
    np.testing.assert_array_equal(loaded(noisy["val"])["point"], loaded(plain["val"])["point"])


def test_a_cloud_of_fewer_points_is_filled_and_one_without_its_keypoint_is_named(tmp_path: Path):
    write_keypointnet(tmp_path)
    sources = opened(tmp_path, noise=0.0)
    write_cloud(tmp_path, record(0), cloud(0)[:9])
    assert loaded(sources["train"])["point"].shape == (32, 3)
    write_cloud(tmp_path, record(0), cloud(0)[:3])
    with pytest.raises(BadSample, match="keypoint on point 3"):
        loaded(sources["train"])
    write_cloud(tmp_path, record(0), np.zeros((9, 3)))
    with pytest.raises(BadSample, match="one place"):
        loaded(sources["train"])


def test_a_model_that_cannot_be_used_has_no_keypoints(tmp_path: Path):
    write_keypointnet(tmp_path)
    samples = opened(tmp_path)["train"]
    columns = samples.collate([None, loaded(samples)])
    assert columns["usable"].tolist() == [0, 1]
    assert (columns["meaning"][0] == -1).all()
    assert columns["point"].shape == (2, 32, 3)


def test_budget_class_and_missing_clouds(tmp_path: Path):
    write_keypointnet(tmp_path)
    whole, half = opened(tmp_path)["train"], opened(tmp_path, budget=0.5)["train"]
    assert (whole.table.num_rows, half.table.num_rows) == (3, 2)
    assert whole.digest != half.digest
    (tmp_path / "pcds" / CHAIR / "model0.pcd").unlink()
    assert "4 of 5 chairs have a cloud" in opened(tmp_path)["train"].described
    with pytest.raises(UserError, match="no class 'boat'"):
        opened(tmp_path, category="boat")
    with pytest.raises(UserError, match="no mug to train on"):
        opened(tmp_path, category="mug")

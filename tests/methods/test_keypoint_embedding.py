"""keypoint_embedding: its score, and that it learns on generated shapes."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from sem3d.methods.keypoint_embedding import meaning_scores
from sem3d.methods.method import HELD_OUT, TRAIN
from tests.methods.tiny import build_tiny, tiny_experiment


def model(*keypoints: tuple[int, float]) -> dict[str, np.ndarray]:
    return {
        "embedding": np.array([[value] for _, value in keypoints]),
        "meaning": np.array([meaning for meaning, _ in keypoints]),
    }


def test_the_score_is_the_share_that_other_models_tell():
    alike = [model((0, 0.0), (1, 1.0)), model((0, 0.1), (1, 0.9)), model((0, 0.0), (1, 1.1))]
    assert meaning_scores(alike) == {"meaning_accuracy": 1.0, "meaning_accuracy_by_chance": 0.5}
    exchanged = [*alike, model((0, 1.0), (1, 0.0))]
    assert meaning_scores(exchanged)["meaning_accuracy"] == 6 / 8
    assert math.isnan(meaning_scores([model((0, 0.0), (1, 1.0))])["meaning_accuracy"])
    # a meaning that no other model has is not counted
    assert meaning_scores([*alike, model((0, 0.0), (7, 3.0))])["meaning_accuracy"] == 1.0


@pytest.mark.slow
def test_it_learns_what_keypoints_of_held_out_chairs_mean(keypoint_models: Path, tmp_path: Path):
    changes = {
        "optim__kind": "adam",
        "optim__lr": 5e-3,
        "method__point_net__transform": False,
        "method__point_net__dim": 16,
    }
    experiment = tiny_experiment("keypoint_embedding", keypoint_models, tmp_path, **changes)
    method = build_tiny("keypoint_embedding", experiment)
    sources = method.sources(experiment)

    def batch(name: str, seed: int):
        rows = sources[name].table.to_pylist()
        loaded = [sources[name].load(row, np.random.default_rng([seed, number])) for number, row in enumerate(rows)]
        return method.Batch(**{key: torch.tensor(column) for key, column in sources[name].collate(loaded).items()})

    def accuracy() -> float:
        with torch.no_grad():
            found = method.evaluate(batch(TRAIN, 99)).records + method.evaluate(batch(HELD_OUT, 99)).records
        return meaning_scores(found)["meaning_accuracy"]

    before = accuracy()
    (optimizer,) = method.optimizers().values()
    for step in range(60):
        optimizer.zero_grad()
        sum(method(batch(TRAIN, step), step).values()).backward()
        optimizer.step()
    assert accuracy() > before + 0.15

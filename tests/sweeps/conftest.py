"""Played trainings for tests of sweeps."""

import pytest

from tests.sweeps.played_trainings import Trainings


@pytest.fixture
def trainings(monkeypatch) -> Trainings:
    """Return what plays ``train`` and Tune, with MLflow in the storage folder of the test."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Trainings(monkeypatch)

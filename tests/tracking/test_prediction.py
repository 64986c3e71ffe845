"""A prediction's record where MLflow is unavailable."""

import numpy as np

from sem3d.tracking.prediction import record_prediction
from sem3d.tracking.store import LockedStore


def test_a_store_that_is_unavailable_is_said_in_one_line(tmp_path):
    store = LockedStore(tmp_path, "http://127.0.0.1:9")
    picture = np.zeros((4, 4, 3), np.uint8)
    made = {tmp_path / "chair.glb": "mesh"}
    line = record_prediction(store, {"model": "run"}, tmp_path / "chair.png", made, ("turntable.png", picture))
    assert line.startswith("not in MLflow: MLflow store http://127.0.0.1:9 cannot be used")
    assert "\n" not in line

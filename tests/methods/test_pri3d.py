import numpy as np
import pytest
import torch

from sem3d.methods.method import Found
from sem3d.methods.pri3d import Pri3D
from tests.methods.tiny import tiny_experiment


def test_an_evaluation_runs_the_image_network_once(rooms, tmp_path):
    experiment = tiny_experiment("pri3d", rooms, tmp_path)
    method = Pri3D(experiment).eval()
    samples = method.sources(experiment)["held_out"]
    loaded = [samples.load(row, np.random.default_rng(0)) for row in samples.table.slice(0, 2).to_pylist()]
    columns = {name: torch.tensor(column) for name, column in samples.collate(loaded).items()}
    runs = []
    method.unet.register_forward_hook(lambda *passed: runs.append(1))
    with torch.no_grad():
        found = method.evaluate(method.Batch(**columns))
    assert found.sums["match_total"] > 0
    assert len(runs) == 1


def test_an_evaluation_without_one_geometric_match_says_so(rooms, tmp_path, caplog):
    method = Pri3D(tiny_experiment("pri3d", rooms, tmp_path))
    sums = {"pairs": torch.tensor(3.0), "geo_matched": torch.tensor(0.0), "view_matched": torch.tensor(3.0)}
    assert method.summarise(Found(sums)) == {"geo_matched": 0.0, "view_matched": 1.0}
    (line,) = caplog.messages
    assert line.startswith("none of the 3 held-out pairs has a pixel that meets a voxel")


@pytest.mark.parametrize(("limit", "warned"), [(0.1, True), (0.5, False)])
def test_pairs_without_a_match_are_counted_and_warned_of_past_the_limit(rooms, tmp_path, limit, warned):
    experiment = tiny_experiment(
        "pri3d", rooms, tmp_path, data__geo_threshold=1e-5, run__quarantine_limit=limit, method__losses="geo"
    )
    method = Pri3D(experiment)
    samples = method.sources(experiment)["train"]
    loaded = [samples.load(row, np.random.default_rng(0)) for row in samples.table.slice(0, 3).to_pylist()]
    assert method.tally(samples.collate([*loaded, None])) == {"pairs": 3.0, "view": 0.0, "geo": 3.0}
    shares, warning = method.weigh({"pairs": 10.0, "view": 1.0, "geo": 4.0})
    assert shares == {"unmatched_view": 0.1, "unmatched_geo": 0.4}
    said = "4 of 10 training pairs so far (40 %) have no pixel that meets a voxel: the geometric loss learns nothing there."
    assert warning.startswith(said) if warned else not warning
    assert method.weigh({}) == ({}, "")

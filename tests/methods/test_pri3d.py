import numpy as np
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

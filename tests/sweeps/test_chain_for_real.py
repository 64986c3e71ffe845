"""A chain that is trained for real: Pri3D, then a small segmentation, then the trial, each from the checkpoint before."""

import json
from pathlib import Path

import pytest

from sem3d.runs.checkpoint_files import read_state
from sem3d.sweeps.forecast import Terms
from sem3d.sweeps.plan import by_content, plan
from sem3d.sweeps.records import read_pretrainings, read_trials
from sem3d.sweeps.run import run_sweep
from tests.sweeps.chain_toys import curriculum_request

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_cluster"), pytest.mark.filterwarnings("default")]


def test_a_chain_trains_each_part_from_the_last_checkpoint_of_the_part_before(indexed_rooms, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    request = curriculum_request(indexed_rooms, tmp_path)
    pri3d, small = by_content(plan(request)).pretrainings
    folder = run_sweep(request, Terms(probe_steps=0, max_concurrent=1), [].append)
    made = {one.key: one for one in read_pretrainings(folder)}
    (trial,) = read_trials(folder)
    assert [made[one.key].status for one in (pri3d, small)] == ["finished", "finished"]
    assert (trial.status, trial.starts) == ("finished", {"init": small.key})
    for run, start in ((made[small.key].run_folder, made[pri3d.key]), (trial.run_folder, made[small.key])):
        assert json.loads((Path(run) / "config.json").read_text())["experiment"]["init"] == start.checkpoint
    sizes = {read_state(Path(one.checkpoint))["experiment"]["data.height"] for one in (made[small.key], trial)}
    assert sizes == {33, 66}

"""Semantic SRN by its commands, small: a sweep of its chain of trainings on generated chairs, and the paper's table."""

import pytest

from jobs import evaluate, report, tune
from sem3d.sweeps.records import read_trials
from tests.jobs.outcome import outcome

TINY = [
    "method.scene.field.latent=8",
    "method.scene.field.width=8",
    "method.scene.marcher.steps=2",
    "data.size=12",
    "data.rays=20",
    "data.evaluation_views=1",
    "schedule.steps=2",
    "run.batch_size=2",
    "pretrain.data.rays=20",
    "pretrain.data.evaluation_views=1",
    "pretrain.schedule.steps=4",
    "pretrain.run.batch_size=2",
    "pretrain.run.evaluate_every=2",
]
CHAIRS = ["--posed-shapes.train", 4, "--posed-shapes.val", 1, "--posed-shapes.test", 1, "--posed-shapes.views.side", 12]
FEW_VIEWS = ["--posed-shapes.views.training-views", 3, "--posed-shapes.views.test-views", 3]


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_sweep_learns_networks_objects_and_parts_in_turn(ray_cluster, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def printed(main, *arguments):
        code, out, error = outcome(main, monkeypatch, capsys, *arguments)
        assert code == 0, error
        return out

    asked = ["--arms", "srn + linear", "random networks", "--budgets", 3, "--seeds", 1, "--probe-steps", 0]
    text = printed(tune.main, "semantic_srn", "--storage", tmp_path, *CHAIRS, *FEW_VIEWS, *asked, "--set", *TINY)
    assert "drew 6 objects" in text
    trials = {trial.arm: trial for trial in read_trials(next((tmp_path / "sweeps").iterdir()))}
    assert trials.keys() == {"srn + linear", "random networks"}
    assert all(0 <= trial.metrics["miou"] <= 1 for trial in trials.values())
    said = (tmp_path / trials["srn + linear"].run_folder / "progress.log").read_text()
    assert "loaded latents (2 tensors), new_latents (2 tensors), scene" in said
    table = printed(report.main, next((tmp_path / "sweeps").iterdir()), "--published")
    assert [line.split("  ")[0] for line in table.splitlines() if " ours " in line] == [
        "srn + linear",
        "random networks",
    ]
    scored = printed(evaluate.main, trials["srn + linear"].run_folder)
    assert "silhouette_iou (%)" in scored
    compared = printed(evaluate.main, "consistency", trials["srn + linear"].run_folder)
    assert "parts: nothing is compared: no two of the views" in compared  # one view of each object is scored
    assert "not compared by true depth" not in compared

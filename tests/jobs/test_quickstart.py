"""The command of the quickstart and the evaluations of its runs, small, from rendering to the table."""

import shlex
from pathlib import Path

import pytest

from jobs import evaluate, tune
from sem3d.sweeps.records import read_pretrainings, read_trials
from tests.jobs.outcome import outcome

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

SCRIPT = Path(__file__).parents[2] / "jobs" / "quickstart.sh"
SIZES = {"rooms-train": 2, "rooms-val": 1, "frames-per-room": 8, "color-height": 60, "color-width": 80}
STEPS = ["--set", "schedule.steps=2", "pretrain.schedule.steps=2"]


def quickstart_arguments() -> list[str]:
    """What the script gives to jobs.tune, but for the number of steps."""
    command = SCRIPT.read_text().replace("\\\n", " ").split("exec python -m jobs.tune ")[1]
    words = shlex.split(command.replace('"$@"', ""))
    return words[: words.index("--set")]


def printed(main, monkeypatch, capsys, *arguments):
    code, out, error = outcome(main, monkeypatch, capsys, *arguments)
    assert code == 0, error
    return out


def test_the_quickstart_ends_in_a_table_and_its_runs_can_be_evaluated(ray_cluster, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    sizes = [f"--rooms.{name}={value}" for name, value in SIZES.items()]
    arguments = [*quickstart_arguments(), *STEPS, "--storage", tmp_path, *sizes]
    text = printed(tune.main, monkeypatch, capsys, *arguments)
    assert "mIoU scannet (%), one seed, no interval" in text
    assert "No finding: one seed has no interval. pri3d against scratch" in text
    assert "20 % of labels: floor " in text
    assert "pretraining of pri3d: match rate 5px " in text
    assert "pretraining of pri3d: probe mIoU scannet " in text
    assert "mlflow ui" in text
    sweep = next((tmp_path / "sweeps").iterdir())
    trials = read_trials(sweep)
    assert {(trial.budget, trial.arm) for trial in trials} == {
        (budget, arm) for budget in (0.2, 1.0) for arm in ("scratch", "pri3d")
    }
    assert (sweep / "report" / "report.html").is_file()
    again = printed(tune.main, monkeypatch, capsys, *arguments)
    assert "4 trials are done" in again
    assert "\nstart" not in again
    assert read_trials(sweep) == trials
    pretrained, segmentation = read_pretrainings(sweep)[0].run_folder, trials[0].run_folder
    assert "ratio" in printed(evaluate.main, monkeypatch, capsys, "correspondence", pretrained)
    assert "miou_pri3d (%)" in printed(evaluate.main, monkeypatch, capsys, "segmentation", segmentation)
    assert "probe mIoU" in printed(evaluate.main, monkeypatch, capsys, "probe", pretrained)
